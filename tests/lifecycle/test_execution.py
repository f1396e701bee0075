"""The signing conversation: killed at every step, refused, interrupted, doubled; and what a rekey comes to."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Barrier, Event
from typing import Any
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID
from django.db import connection

from lifecycle.authorities import registry, shards
from lifecycle.authorities.backends.base import Authority, AuthorityNotReached, AuthorityRefused, OutcomeUnknown
from lifecycle.authorities.issuance import Linted
from lifecycle.authorities.lints import Lint
from lifecycle.authorities.models import CrlShard
from lifecycle.authorities.order import write
from lifecycle.certificates.models import Certificate, CompromisedKey, Reason, Revocation
from lifecycle.requests import execution, services
from lifecycle.requests.models import CertificateRequest, IssuanceAttempt
from lifecycle.requests.states import Outcome, State
from lifecycle.requests.tasks import execute_request, revoke_compromised, send_notice
from portal.demo.child import wait_until
from portal.foundation import clock
from portal.foundation.audit.models import AuditEvent
from portal.foundation.outbox.drain import TryLater, run
from portal.foundation.outbox.models import Errand, send
from portal.foundation.states import ChangedMeanwhile
from portal.foundation.tenancy.context import acting_for
from tests.fakes import orders
from tests.fakes.authority import InMemoryAuthority, Killed
from tests.world import ask_for_codes, carry_out, csr, errand_of, filled, issued, serving, submitted

pytestmark = pytest.mark.django_db

LEASE_OVER = execution.LEASE + timedelta(seconds=1)


@dataclass
class InToken:
    """The tenant's own authority, whose process dies on demand; the token behind it is real."""

    inner: Authority
    dies: str | None = None
    signed: list[bytes] = field(default_factory=list)

    @property
    def certificate(self) -> x509.Certificate:
        return self.inner.certificate

    @property
    def lints(self) -> tuple[Lint, ...]:
        return self.inner.lints

    def reach(self) -> None:
        self.inner.reach()

    def issue(self, linted: Linted) -> bytes:
        if self.dies == "before_signing":
            raise Killed(self.dies)
        self.signed.append(self.inner.issue(linted))
        if self.dies == "after_signing":
            raise Killed(self.dies)
        return self.signed[-1]


def in_memory(_request: CertificateRequest) -> InMemoryAuthority:
    return InMemoryAuthority.made()


def in_token(request: CertificateRequest) -> InToken:
    with serving("signing"):
        return InToken(registry.authority_of(request.tenant_id, UUID(errand_of(request).args[2])))


def work(request: CertificateRequest, authority: Authority) -> None:
    """Carry a request out as the signing worker does, with its grants and this authority."""
    errand = errand_of(request)
    with serving("signing"):
        execution.execute(
            errand,
            request.pk,
            person=request.requested_by,
            authority_id=UUID(errand.args[2]),
            authority=authority,
        )


@contextmanager
def dying_at(moment: str, authority: Any) -> Iterator[None]:
    """Let the worker die inside the block: the authority knows two moments, the database's door a third.

    After storing there is nothing left that could be lost: only the errand comes again.
    """
    authority.dies = moment

    def door(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if moment == "before_storing" and 'INTO "certificates_certificate"' in sql:
            raise Killed(moment)
        return execute(sql, *rest)

    died = False
    try:
        with connection.execute_wrapper(door):
            yield
    except Killed:
        died = True
    assert died == (moment != "after_storing"), "the worker lived on"
    authority.dies = None


@dataclass(frozen=True)
class Found:
    """Everything that a request has left behind."""

    request: CertificateRequest
    attempts: list[IssuanceAttempt]
    certificates: list[Certificate]
    on_the_list: set[str]
    journal: list[str]
    notices: list[Errand]

    @property
    def outcomes(self) -> list[str]:
        return [attempt.outcome for attempt in self.attempts]


def look(request: CertificateRequest) -> Found:
    with acting_for(request.tenant_id):
        attempts = list(IssuanceAttempt.objects.filter(request=request).order_by("pk"))
        subjects = [str(request.pk), *(attempt.serial for attempt in attempts)]
        return Found(
            CertificateRequest.objects.get(pk=request.pk),
            attempts,
            list(Certificate.objects.filter(made_from=request.pk)),
            set(Revocation.objects.filter(certificate=None).values_list("serial", flat=True)),
            list(AuditEvent.objects.filter(subject__in=subjects).order_by("pk").values_list("code", flat=True)),
            list(Errand.objects.filter(task=send_notice.name, args__1=str(request.pk))),
        )


ASKED = ["request:begin", "request:submit", "request:pass validation", "request:approve"]


def assert_nothing_was_issued(request: CertificateRequest, why: str) -> Found:
    found = look(request)
    assert found.request.state == State.FAILED
    assert why in found.request.why_failed
    assert found.certificates == []
    assert errand_of(request).done_at is not None
    assert [notice.args[2] for notice in found.notices] == ["request-failed"]
    assert found.journal[-1] == "request:fail"
    return found


# --- killed ------------------------------------------------------------------------------------------------------


@pytest.mark.rule("0.R30")
@pytest.mark.parametrize("kind", [in_memory, in_token], ids=["memory", "softhsm"])
@pytest.mark.parametrize(
    ("moment", "outcomes", "signatures", "journal"),
    [
        ("before_signing", ["abandoned", "signed"], 1, ["certificate:revoke-orphan", "request:complete"]),
        ("after_signing", ["abandoned", "signed"], 2, ["certificate:revoke-orphan", "request:complete"]),
        ("before_storing", ["abandoned", "signed"], 2, ["certificate:revoke-orphan", "request:complete"]),
        ("after_storing", ["signed"], 1, ["request:complete"]),
    ],
)
def test_redelivery_after_a_kill_issues_exactly_one_certificate(
    acme, petra, kind, moment, outcomes, signatures, journal
):
    request = submitted(petra, acme)
    authority = kind(request)
    with dying_at(moment, authority):
        work(request, authority)

    with clock.frozen(clock.now() + LEASE_OVER):
        work(request, authority)

    found = look(request)
    [certificate] = found.certificates
    assert found.request.state == State.COMPLETED
    assert found.outcomes == outcomes
    assert certificate.serial == found.attempts[-1].serial
    assert found.on_the_list == {attempt.serial for attempt in found.attempts if attempt.outcome == "abandoned"}
    assert len(authority.signed) == signatures
    assert bytes(certificate.der) == authority.signed[-1]
    assert found.journal == [*ASKED, "request:execute", *journal]
    assert [notice.args[2] for notice in found.notices] == ["request-completed"]
    assert errand_of(request).done_at is not None


def test_an_orphan_is_revoked_in_the_shard_that_its_certificate_would_name(acme, petra):
    request = submitted(petra, acme)
    authority = in_memory(request)
    with dying_at("after_signing", authority):
        work(request, authority)
    with clock.frozen(clock.now() + LEASE_OVER):
        work(request, authority)
    lost = x509.load_der_x509_certificate(authority.signed[0])
    with serving("signing"), acting_for(acme.pk):
        revocation = Revocation.objects.select_related("shard").get(serial=f"{lost.serial_number:x}")
    assert crl_of(lost).endswith(f"-{revocation.shard.number}.crl")
    assert revocation.certificate_id is None


def test_the_lease_of_another_worker_is_waited_for(acme, petra):
    request = submitted(petra, acme)
    authority = in_memory(request)
    with dying_at("before_signing", authority):
        work(request, authority)
    with pytest.raises(TryLater, match="another worker"):
        work(request, authority)
    found = look(request)
    assert found.outcomes == [Outcome.OPEN]
    assert found.on_the_list == set()
    assert authority.signed == []
    assert errand_of(request).done_at is None


def test_a_worker_that_comes_back_after_its_lease_has_lost(acme, petra):
    """It held a signature all the time; the serial is on the list by then, so nothing is made of it."""
    request = submitted(petra, acme)
    slow, quick = in_memory(request), in_memory(request)
    swift = slow.issue

    def issue(linted: Linted) -> bytes:
        signed = swift(linted)
        with clock.frozen(clock.now() + LEASE_OVER):
            work(request, quick)
        return signed

    slow.issue = issue
    errand = errand_of(request)
    with serving("signing"):
        run_with(errand, slow)
    found = look(request)
    assert found.outcomes == ["abandoned", "signed"]
    assert found.on_the_list == {found.attempts[0].serial}
    [certificate] = found.certificates
    assert bytes(certificate.der) == quick.signed[0]
    errand.refresh_from_db()
    assert errand.done_at is not None  # the quick one did it, and the slow one did not take it back
    assert errand.parked_at is None


def test_a_late_signature_is_not_stored_while_another_attempt_is_under_way(acme, petra):
    """Its serial is on the list already, and the request still says that it is being executed."""
    request = submitted(petra, acme)
    slow, dead = in_memory(request), in_memory(request)
    swift = slow.issue

    def issue(linted: Linted) -> bytes:
        signed = swift(linted)
        with clock.frozen(clock.now() + LEASE_OVER), dying_at("before_signing", dead):
            work(request, dead)
        return signed

    slow.issue = issue
    with pytest.raises(ChangedMeanwhile):
        work(request, slow)
    found = look(request)
    assert found.request.state == State.EXECUTING
    assert found.outcomes == ["abandoned", "open"]
    assert found.on_the_list == {found.attempts[0].serial}
    assert found.certificates == found.notices == []


def run_with(errand: Errand, authority: Authority) -> None:
    """Run an errand through the drain, with an authority of ours behind its name."""
    known = registry._known
    name = UUID(errand.args[2])
    before = known.get(name)
    known[name] = authority
    try:
        run(errand)
    finally:
        del known[name]
        if before:
            known[name] = before


def test_redelivery_of_a_done_errand_does_nothing(acme, petra):
    request = submitted(petra, acme)
    authority = in_memory(request)
    work(request, authority)
    before = look(request)
    work(request, authority)
    assert look(request) == before
    assert len(authority.signed) == 1


@pytest.mark.parametrize("copies", [2, 10])
def test_copies_of_an_errand_at_the_same_moment_are_one_certificate(acme, petra, copies):
    request = submitted(petra, acme)
    authority = in_memory(request)
    starting = Barrier(copies)

    def deliver(_copy: int) -> str:
        try:
            starting.wait()
            work(request, authority)
        except TryLater:
            return "later"
        else:
            return "done"
        finally:
            connection.close()

    with ThreadPoolExecutor(copies) as pool:
        answers = list(pool.map(deliver, range(copies)))
    found = look(request)
    assert "done" in answers
    assert found.outcomes == ["signed"]
    assert len(found.certificates) == len(authority.signed) == len(found.notices) == 1
    assert found.on_the_list == set()


# --- refused and interrupted -----------------------------------------------------------------------------------------


def test_an_authority_that_says_no_fails_the_request_with_its_sentence(acme, petra):
    request = submitted(petra, acme)
    authority = InMemoryAuthority.made()
    authority.fault = AuthorityRefused("The token refused a signature (KeySizeRange).")
    work(request, authority)
    found = assert_nothing_was_issued(request, "KeySizeRange")
    assert found.outcomes == ["abandoned"]
    assert found.on_the_list == {found.attempts[0].serial}


def other_tbs(der: bytes) -> bytes:
    certificate, key = orders.issuer()
    return write(orders.order(), certificate, key).public_bytes(Encoding.DER)


def wrong_signature(der: bytes) -> bytes:
    return der[:-1] + bytes([der[-1] ^ 1])


@pytest.mark.parametrize(
    ("garbles", "why"),
    [
        (lambda _der: b"no certificate", "no certificate of its own"),
        (lambda der: der[: len(der) // 2], "no certificate of its own"),
        (other_tbs, "changed what was to be signed"),
        (wrong_signature, "does not verify"),
    ],
    ids=["garbage", "half of it", "other content", "wrong signature"],
)
def test_a_wrong_delivery_is_never_stored(acme, petra, garbles, why):
    request = submitted(petra, acme)
    authority = InMemoryAuthority.made()
    authority.garbles = garbles
    work(request, authority)
    found = assert_nothing_was_issued(request, why)
    assert found.on_the_list == {found.attempts[0].serial}  # the authority did sign something


def test_a_failed_lint_fails_the_request_before_the_authority_is_asked(acme, petra):
    request = submitted(petra, acme)
    authority = InMemoryAuthority.made()
    authority.lints = (Lint("never", "this test", lambda _candidate: "nobody may have it"),)
    work(request, authority)
    found = assert_nothing_was_issued(request, "nobody may have it (this test)")
    assert authority.signed == []
    assert found.attempts == []
    assert found.on_the_list == set()


def test_an_absent_token_burns_no_serial(acme, petra):
    request = submitted(petra, acme)
    authority = InMemoryAuthority.made()
    authority.absent = "nobody is there"
    errand = errand_of(request)
    with serving("signing"):
        run_with(errand, authority)
    found = look(request)
    assert found.request.state == State.READY
    assert found.attempts == []
    assert found.on_the_list == set()
    errand.refresh_from_db()
    assert errand.done_at is errand.parked_at is errand.leased_until is None
    assert "nobody is there" in errand.last_error
    assert errand.due_at > clock.now()


def test_a_token_that_went_away_before_it_signed_leaves_nothing_on_the_list(acme, petra):
    request = submitted(petra, acme)
    authority = InMemoryAuthority.made()
    authority.fault = AuthorityNotReached("it was unplugged")
    with pytest.raises(AuthorityNotReached):
        work(request, authority)
    assert look(request).outcomes == ["abandoned"]
    authority.fault = None
    work(request, authority)
    found = look(request)
    assert found.outcomes == ["abandoned", "signed"]
    assert found.on_the_list == set()
    assert len(found.certificates) == 1


def test_a_silent_token_costs_the_serial_and_the_request_gets_another(acme, petra):
    request = submitted(petra, acme)
    authority = InMemoryAuthority.made()
    authority.fault = OutcomeUnknown("it went quiet")
    with pytest.raises(TryLater, match="it went quiet"):
        work(request, authority)
    found = look(request)
    assert found.request.state == State.EXECUTING
    assert found.on_the_list == {found.attempts[0].serial}
    authority.fault = None
    work(request, authority)  # at once: a settled attempt has no lease
    found = look(request)
    assert found.outcomes == ["abandoned", "signed"]
    assert found.certificates[0].serial == found.attempts[1].serial != found.attempts[0].serial


def test_a_withdrawn_request_is_not_signed(acme, petra):
    request = submitted(petra, acme)
    with acting_for(acme.pk, person=petra.pk):
        services.withdraw(request.pk, by=petra.pk)
    authority = in_memory(request)
    work(request, authority)
    found = look(request)
    assert found.request.state == State.WITHDRAWN
    assert found.attempts == authority.signed == found.notices == []
    assert errand_of(request).done_at is not None


def test_an_errand_for_a_request_of_another_tenant_finds_nothing(acme, globex, petra, hank):
    request = submitted(hank, globex)
    errand = errand_of(submitted(petra, acme))
    authority = in_memory(request)
    with serving("signing"):
        execution.execute(errand, request.pk, person=hank.pk, authority_id=UUID(errand.args[2]), authority=authority)
    assert look(request).request.state == State.READY
    assert authority.signed == []


# --- what comes out --------------------------------------------------------------------------------------------------


def crl_of(certificate: x509.Certificate) -> str:
    [point] = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    [name] = point.full_name
    return str(name.value)


def issuer_of(certificate: x509.Certificate) -> str:
    [access] = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert access.access_method == AuthorityInformationAccessOID.CA_ISSUERS
    return str(access.access_location.value)


def names_of(certificate: x509.Certificate) -> bytes:
    return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.public_bytes()


@pytest.mark.rule("0.R1")
@pytest.mark.rule("0.R2")
@pytest.mark.rule("0.R3")
@pytest.mark.rule("0.R4")
@pytest.mark.rule("0.R6")
@pytest.mark.rule("1.R32")
def test_a_rekey_changes_the_key_and_keeps_the_names_and_the_end(acme, petra, owner):
    source = issued(petra, acme, profile="secure-email", name="Petra Nováková", email="petra@acme.example")
    row = "SELECT md5(c::text) FROM certificates_certificate c WHERE id = %s"
    owner.execute(row, [str(source.pk)])
    [before] = owner.fetchone()
    with clock.frozen(clock.now() + timedelta(days=100)):
        fresh = issued(petra, acme, source=source)

    owner.execute(row, [str(source.pk)])
    assert owner.fetchone() == (before,)
    old, new = source.x509, fresh.x509
    assert new.subject.public_bytes() == old.subject.public_bytes()
    assert names_of(new) == names_of(old)
    assert new.not_valid_after_utc == old.not_valid_after_utc
    assert new.not_valid_before_utc > old.not_valid_before_utc
    assert new.public_key() != old.public_key()
    assert fresh.spki_sha256 != source.spki_sha256
    assert new.serial_number != old.serial_number
    assert (fresh.predecessor_id, fresh.made_by) == (source.pk, "rekey")
    with acting_for(acme.pk):
        assert list(Certificate.objects.get(pk=source.pk).successors.all()) == [fresh]
        assert not Revocation.objects.exists()


def test_every_certificate_says_where_its_issuer_and_its_list_are(acme, petra):
    certificate = issued(petra, acme)
    with serving("signing"), acting_for(acme.pk):
        shard = CrlShard.objects.get(pk=certificate.shard_id)
    assert crl_of(certificate.x509).endswith(f"/pki/acme/issuing-1-{shard.number}.crl")
    assert issuer_of(certificate.x509).endswith("/pki/acme/issuing-1.cer")
    assert crl_of(certificate.x509).startswith("http://")


def test_a_shard_is_full_after_eighteen_thousand_serials(acme, petra, owner):
    first = issued(petra, acme)
    shards._reserved.clear()  # as in a process that starts now
    owner.execute("UPDATE authorities_crlshard SET handed_out = 18000 - %s", [shards.BLOCK])
    with serving("signing"):
        numbers = [shards.next_place(acme.pk, first.authority_id).number for _ in range(shards.BLOCK + 1)]
    assert numbers == [1] * shards.BLOCK + [2]
    second = issued(petra, acme)
    assert crl_of(second.x509).endswith("-2.crl")
    with serving("signing"), acting_for(acme.pk):
        assert list(CrlShard.objects.order_by("number").values_list("handed_out", flat=True)) == [18000, shards.BLOCK]


def test_two_workers_that_open_the_next_shard_at_once_share_it(acme, petra, owner):
    """One has it already and has not committed yet when the other finds none, and tries to open it too."""
    authority = UUID(errand_of(submitted(petra, acme)).args[2])
    shards._reserved.clear()

    def reserve() -> int:
        try:
            with serving("signing"):
                return shards._reserve(acme.pk, authority).number
        finally:
            connection.close()

    def waits_for_the_other() -> bool:
        owner.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT%'")
        return owner.fetchone() == (1,)

    with ThreadPoolExecutor(1) as pool:
        with serving("signing"), acting_for(acme.pk):
            assert shards._take(authority).number == 1
            other = pool.submit(reserve)
            assert wait_until(waits_for_the_other, 10.0)
        assert other.result() == 1
    with serving("signing"), acting_for(acme.pk):
        assert CrlShard.objects.get().handed_out == 2 * shards.BLOCK


# --- the old key was compromised --------------------------------------------------------------------------------------


def revocation_of(certificate: Certificate) -> Revocation | None:
    with acting_for(certificate.tenant_id):
        return Revocation.objects.filter(certificate=certificate).first()


@pytest.mark.rule("0.R5")
def test_a_compromised_key_is_revoked_as_soon_as_its_successor_is_there(acme, petra):
    source = issued(petra, acme)
    fresh = issued(petra, acme, source=source, use_case="compromised")
    revocation = revocation_of(source)
    assert revocation is not None
    assert (revocation.reason, revocation.by, revocation.serial) == (
        Reason.KEY_COMPROMISE,
        str(petra.pk),
        source.serial,
    )
    assert CompromisedKey.is_listed(source.spki_sha256)
    assert revocation_of(fresh) is None
    assert not CompromisedKey.is_listed(fresh.spki_sha256)


@pytest.mark.rule("0.R5")
@pytest.mark.parametrize("rekeyed", [True, False], ids=["rekeyed", "the rekey failed"])
def test_a_compromised_key_is_revoked_after_twelve_hours_in_any_case(acme, petra, rekeyed):
    source = issued(petra, acme)
    request = submitted(petra, acme, source=source, use_case="compromised")
    promised = Errand.objects.get(task=revoke_compromised.name)
    assert promised.due_at - request.submitted_at == services.REVOKED_AT_THE_LATEST
    authority = in_memory(request)
    if not rekeyed:
        authority.fault = AuthorityRefused("it said no")
    work(request, authority)
    assert (revocation_of(source) is not None) == rekeyed
    with serving("signing"):
        run(promised)
        run(promised)  # twice: once is enough
    revocation = revocation_of(source)
    assert revocation is not None
    assert revocation.reason == Reason.KEY_COMPROMISE
    assert CompromisedKey.is_listed(source.spki_sha256)
    promised.refresh_from_db()
    assert promised.done_at is not None


@pytest.mark.parametrize("lie", ["still a draft", "another reason", "not confirmed"])
def test_an_errand_that_no_report_stands_behind_revokes_nothing(acme, petra, lie):
    """What a web service that somebody took over could write is judged, and not believed."""
    source = issued(petra, acme)
    if lie == "not confirmed":
        ask_for_codes(acme)
    request = filled(petra, acme, source=source, use_case="lost" if lie == "another reason" else "compromised")
    if lie != "still a draft":
        with acting_for(acme.pk):
            CertificateRequest.objects.filter(pk=request.pk).update(state="validating", submitted_at=clock.now())
    with acting_for(acme.pk):
        forged = send(revoke_compromised, request.pk, petra.pk)
    with serving("signing"):
        run(forged)
    forged.refresh_from_db()
    assert forged.done_at is not None
    assert revocation_of(source) is None
    assert not CompromisedKey.is_listed(source.spki_sha256)


def test_a_lost_key_revokes_nothing(acme, petra):
    source = issued(petra, acme)
    issued(petra, acme, source=source, use_case="lost")
    assert revocation_of(source) is None
    assert not Errand.objects.filter(task=revoke_compromised.name).exists()


def test_the_errand_of_a_request_names_its_authority(acme, petra):
    request = submitted(petra, acme)
    done = carry_out(request)
    errand = errand_of(request)
    assert errand.task == execute_request.name
    assert errand.args[2] == str(done.profile.authority_id)


@dataclass
class Halting(InToken):
    """Stands still with the token's answer in its hand until somebody lets it go on."""

    begun: Event = field(default_factory=Event)
    go_on: Event = field(default_factory=Event)

    def issue(self, linted: Linted) -> bytes:
        self.begun.set()
        assert self.go_on.wait(30)
        return super().issue(linted)


def test_of_two_requests_for_one_key_at_the_same_moment_one_is_signed(acme, petra, dan):
    shared = csr()
    first, second = submitted(petra, acme, csr=shared), submitted(dan, acme, csr=shared)
    slow, quick = Halting(in_token(first).inner), in_token(second)

    def carry_first() -> None:
        try:
            work(first, slow)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        earlier = pool.submit(carry_first)
        assert slow.begun.wait(30)
        with pytest.raises(TryLater, match="same key"):
            work(second, quick)
        assert found_of(second).state == State.READY
        slow.go_on.set()
        earlier.result()
    work(second, quick)

    with acting_for(acme.pk):
        states = {request.pk: request for request in CertificateRequest.objects.all()}
        assert (states[first.pk].state, states[second.pk].state) == (State.COMPLETED, State.FAILED)
        assert "already belongs to another certificate" in states[second.pk].why_failed
        assert Certificate.objects.filter(spki_sha256=first.answers["key"]["spki"]).count() == 1
        assert IssuanceAttempt.objects.filter(spki_sha256=first.answers["key"]["spki"]).count() == 1
    assert quick.signed == []


def found_of(request: CertificateRequest) -> CertificateRequest:
    with acting_for(request.tenant_id):
        return CertificateRequest.objects.get(pk=request.pk)


def test_two_workers_at_the_same_moment_certify_one_key_once(acme, petra, dan):
    shared = csr()
    requests = [submitted(petra, acme, csr=shared), submitted(dan, acme, csr=shared)]
    ready = Barrier(2)

    def at_once(request: CertificateRequest) -> None:
        try:
            ready.wait(30)
            with serving("signing"):
                run(errand_of(request))
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(at_once, requests))
    for request in requests:
        if found_of(request).state not in {State.COMPLETED, State.FAILED}:
            carry_out(request)

    assert sorted(found_of(request).state for request in requests) == [State.COMPLETED, State.FAILED]
    with acting_for(acme.pk):
        assert Certificate.objects.filter(spki_sha256=requests[0].answers["key"]["spki"]).count() == 1
