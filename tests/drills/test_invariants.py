"""The invariants see what they are there to see: each row that could not have come about by itself is named."""

from uuid import uuid4

import pytest

from portal.foundation import clock
from tests.drills.invariants import Broken, at_rest, digest, hold
from tests.lifecycle.test_execution import LEASE_OVER, dying_at, in_token, work
from tests.world import carry_out, submitted

pytestmark = pytest.mark.django_db

AUTHORITIES = "authorities_certificateauthority"

TAMPERED = [
    ("I1 nothing carries", "DELETE FROM outbox_errand WHERE done_at IS NULL AND queue = 'signing'"),
    ("I1 parked", "UPDATE outbox_errand SET parked_at = now()"),
    ("I2 certificates", "UPDATE requests_certificaterequest SET state = 'ready' WHERE state = 'completed'"),
    ("I2 certificates", "UPDATE certificates_certificate SET made_from = gen_random_uuid()"),
    ("I2 a certificate under", "UPDATE requests_issuanceattempt SET serial = 'f00' WHERE outcome = 'signed'"),
    ("I3 an orphan's", "UPDATE certificates_revocation SET serial = 'f00'"),
    ("I5 a request's arrows", "DELETE FROM audit_auditevent WHERE code = 'request:execute'"),
    ("I5 a request's arrows", "UPDATE requests_certificaterequest SET state = 'ready' WHERE state = 'executing'"),
    ("I5 issued", "DELETE FROM audit_auditevent WHERE code = 'request:complete'"),
    ("I5 issued", "DELETE FROM certificates_certificate"),
    ("I5 revocations", "DELETE FROM audit_auditevent WHERE code = 'certificate:revoke-orphan'"),
    ("I5 revocations", "DELETE FROM certificates_revocation"),
    ("I6 what is stored", "UPDATE certificates_certificate SET der = set_byte(der, length(der) - 1, 0)"),
    ("I6 what is stored", "UPDATE requests_issuanceattempt SET rehearsal = certificate_der FROM " + AUTHORITIES),
    ("I6 completed without", "UPDATE policies_policy SET approvals = 1"),
    ("I6 completed without", "UPDATE policies_policy SET factor = 'email-code'"),
    ("I6 completed without", "DELETE FROM policies_agreementacceptance"),
    ("I6 issued although", "DELETE FROM validation_caacheck"),
    ("I6 issued although", "UPDATE validation_caacheck SET checked_at = checked_at - interval '9 hours'"),
    ("I6 issued for a name", "UPDATE policies_policy SET proves_control = true"),
    ("I7 an open attempt", "UPDATE requests_certificaterequest SET state = 'ready' WHERE state = 'executing'"),
    ("I7 being carried out", "DELETE FROM requests_issuanceattempt"),
    ("I7 an end", "DELETE FROM outbox_errand WHERE queue = 'messages'"),
]  # fmt: skip


@pytest.fixture
def signed(acme, petra) -> list[bytes]:
    """Let something of everything have happened: a certificate of a server, an orphan, a request under way."""
    carry_out(submitted(petra, acme, profile="tls-server"))
    request = submitted(petra, acme)
    authority = in_token(request)
    with dying_at("after_signing", authority):
        work(request, authority)
    with clock.frozen(clock.now() + LEASE_OVER), dying_at("after_signing", authority):
        work(request, authority)
    return [digest(der) for der in authority.signed]


def test_what_really_happened_is_sound(owner, acme, petra, signed):
    hold(owner)
    with pytest.raises(Broken, match="I1 still under way"):
        at_rest(owner)


def test_what_ended_is_at_rest(owner, acme, petra):
    request = carry_out(submitted(petra, acme))
    at_rest(owner, [request.pk])
    with pytest.raises(Broken, match="I1 an accepted request reached no end"):
        at_rest(owner, [request.pk, uuid4()])
    owner.execute("SET session_replication_role = replica")
    owner.execute("UPDATE audit_auditevent SET actor = 'nobody' WHERE code = 'request:submit'")
    owner.execute("SET session_replication_role = origin")
    with pytest.raises(Broken, match="I5 the journal of tenant"):
        at_rest(owner, [request.pk])


@pytest.mark.parametrize(("promise", "tampering"), TAMPERED)
def test_what_could_not_have_happened_is_named(owner, signed, promise, tampering):
    owner.execute("SET session_replication_role = replica")
    owner.execute(tampering)
    owner.execute("SET session_replication_role = origin")
    with pytest.raises(Broken, match=promise):
        hold(owner)


def test_what_the_token_did_is_compared_with_what_was_written_down(owner, signed):
    owner.execute("SELECT rehearsal FROM requests_issuanceattempt WHERE outcome = 'signed'")
    [(rehearsal,)] = owner.fetchall()
    signed.append(digest(bytes(rehearsal)))
    hold(owner, signed=signed, trials=0)
    with pytest.raises(Broken, match="I3 signed 2 times"):
        hold(owner, signed=[*signed, signed[0]])
    with pytest.raises(Broken, match="I3 a certificate that the token did not sign"):
        hold(owner, signed=signed[:-1])
    with pytest.raises(Broken, match="I3 signatures of no attempt: 1"):
        hold(owner, signed=[*signed, bytes(32)], trials=0)
    owner.execute("SET session_replication_role = replica")
    owner.execute("DELETE FROM certificates_revocation")
    owner.execute("SET session_replication_role = origin")
    with pytest.raises(Broken, match="I3 an orphan that may be signed is not on the list"):
        hold(owner, signed=signed)
