"""The signing worker's own look: where one thing is amiss, nothing is signed, whoever said before that all was well."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from lifecycle.authorities.models import CertificateProfile
from lifecycle.certificates import services as certificates
from lifecycle.certificates.models import Certificate, Reason, Revocation
from lifecycle.policies.models import AgreementAcceptance, SubscriberAgreement
from lifecycle.requests import execution
from lifecycle.requests.models import CertificateRequest, IssuanceAttempt
from lifecycle.requests.states import State
from portal.foundation import clock
from portal.foundation.access.models import User
from portal.foundation.outbox.drain import run
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import Tenant
from tests.fakes.authority import InMemoryAuthority
from tests.lifecycle.test_limits import public
from tests.world import ask_for_codes, carry_out, csr, errand_of, issued, next_policies, serving, submitted

pytestmark = pytest.mark.django_db


@dataclass
class Scene:
    """A rekey that was submitted in good order, confirmed with a code; and the hand that spoils one thing about it."""

    acme: Tenant
    globex: Tenant
    petra: User
    dan: User
    source: Certificate
    request: CertificateRequest
    owner: Cursor

    def tamper(self, statement: str, *values: object) -> None:
        """Change rows past every trigger, as nobody can but somebody who took the database over."""
        self.owner.execute("SET session_replication_role = replica")
        self.owner.execute(statement, [str(value) for value in values])
        assert self.owner.rowcount == 1, statement
        self.owner.execute("SET session_replication_role = origin")

    def as_worker(self, act: Callable[[], object]) -> None:
        with serving("signing"), acting_for(self.acme.pk):
            act()


@pytest.fixture
def scene(acme, globex, petra, dan, owner):
    source = issued(petra, acme)
    ask_for_codes(acme)
    return Scene(acme, globex, petra, dan, source, submitted(petra, acme, source=source), owner)


def consent_is_missing(scene: Scene) -> None:
    scene.tamper("DELETE FROM policies_agreementacceptance WHERE certificate_request = %s", scene.request.pk)


def consent_was_somebody_elses(scene: Scene) -> None:
    scene.tamper(
        "UPDATE policies_agreementacceptance SET person_id = %s WHERE certificate_request = %s",
        scene.dan.pk,
        scene.request.pk,
    )


def code_was_never_spent(scene: Scene) -> None:
    scene.tamper("UPDATE auth2fa_challenge SET spent_at = NULL WHERE id = %s", scene.request.challenge)


def code_was_for_other_content(scene: Scene) -> None:
    scene.tamper(
        "UPDATE requests_certificaterequest SET answers = jsonb_set(answers, '{confirm,message}', '\"other\"')"
        " WHERE id = %s",
        scene.request.pk,
    )


def code_was_for_another_request(scene: Scene) -> None:
    other = submitted(scene.petra, scene.acme)
    scene.tamper(
        "UPDATE requests_certificaterequest SET challenge = %s WHERE id = %s", other.challenge, scene.request.pk
    )


def code_was_somebody_elses(scene: Scene) -> None:
    scene.tamper("UPDATE auth2fa_challenge SET person_id = %s WHERE id = %s", scene.dan.pk, scene.request.challenge)


def code_is_missing(scene: Scene) -> None:
    scene.tamper("UPDATE requests_certificaterequest SET challenge = NULL WHERE id = %s", scene.request.pk)


def policy_is_one_that_says_no(scene: Scene) -> None:
    next_policies(scene.acme, enabled=False, factor="")
    scene.tamper(
        "UPDATE requests_certificaterequest r SET policy_id = p.id FROM policies_policy p"
        " WHERE r.id = %s AND p.tenant_id = r.tenant_id AND p.profile = 'desktop-signing' AND p.operation = 'rekey'"
        " AND NOT p.enabled",
        scene.request.pk,
    )


def source_was_revoked(scene: Scene) -> None:
    scene.as_worker(lambda: certificates.revoke(scene.source, reason=Reason.CESSATION, by="test"))


def key_was_reported(scene: Scene) -> None:
    spki = scene.request.answers["key"]["spki"]
    scene.as_worker(lambda: certificates.report_compromised(spki, how_known="found on a public list"))


def key_was_used(scene: Scene) -> None:
    text = csr()
    first, second = (submitted(scene.petra, scene.acme, csr=text) for _ in range(2))
    assert carry_out(first).state == State.COMPLETED
    scene.request = second


def key_is_the_sources_own(scene: Scene) -> None:
    """The wizard refuses it (0.R4); the row says so nevertheless."""
    next_policies(scene.acme, factor="")
    other = issued(scene.petra, scene.acme)
    scene.request = submitted(scene.petra, scene.acme, source=other)
    scene.tamper(
        "UPDATE requests_certificaterequest SET answers = jsonb_set(answers, '{key,spki}', to_jsonb(%s::text))"
        " WHERE id = %s",
        other.spki_sha256,
        scene.request.pk,
    )


def errand_names_another_authority(scene: Scene) -> None:
    scene.tamper(
        "UPDATE outbox_errand SET args = jsonb_set(args, '{2}', to_jsonb(a.id::text)) FROM"
        " authorities_certificateauthority a"
        " WHERE args ->> 0 = %s AND task LIKE '%%execute_request' AND a.tenant_id = outbox_errand.tenant_id"
        " AND a.slug = 'root'",
        scene.request.pk,
    )


def errand_names_another_person(scene: Scene) -> None:
    scene.tamper(
        "UPDATE outbox_errand SET args = jsonb_set(args, '{1}', to_jsonb(%s::text))"
        " WHERE args ->> 0 = %s AND task LIKE '%%execute_request'",
        scene.dan.pk,
        scene.request.pk,
    )


def errand_and_code_are_another_persons(scene: Scene) -> None:
    """Row-level security shows the code to the person whom the errand names; the request is not theirs."""
    code_was_somebody_elses(scene)
    errand_names_another_person(scene)


def policy_was_over(scene: Scene) -> None:
    with clock.frozen(scene.request.submitted_at - timedelta(seconds=1)):
        next_policies(scene.acme, factor="email-code", approvals=2)


def profile_was_over(scene: Scene) -> None:
    with serving("owner"), acting_for(scene.acme.pk):
        old = CertificateProfile.objects.get(slug="desktop-signing")
        same = {name: getattr(old, name) for name in ("slug", "title", "area", "trust", "authority", "content")}
        made_at = scene.request.submitted_at - timedelta(seconds=1)
        CertificateProfile(**same, version=2, made_at=made_at).save(force_insert=True)


CASES = [
    (consent_is_missing, "consent to the subscriber agreement is missing"),
    (consent_was_somebody_elses, "consent to the subscriber agreement is missing"),
    (code_was_never_spent, "second factor was not given for what this request says now"),
    (code_was_for_other_content, "second factor was not given for what this request says now"),
    (code_was_for_another_request, "second factor was not given for what this request says now"),
    (code_was_somebody_elses, "second factor was not given for what this request says now"),
    (code_is_missing, "second factor was not given for what this request says now"),
    (policy_is_one_that_says_no, "switched this operation off"),
    (source_was_revoked, "was revoked on"),
    (key_was_reported, "reported as compromised"),
    (key_was_used, "already belongs to another certificate"),
    (key_is_the_sources_own, "key of the old certificate"),
    (errand_names_another_authority, "authority that does not issue this kind"),
    (errand_names_another_person, "second factor was not given for what this request says now"),
    (errand_and_code_are_another_persons, "second factor was not given for what this request says now"),
    (policy_was_over, "had changed before the request was submitted"),
    (profile_was_over, "had changed before the request was submitted"),
]


@contextmanager
def signing_with(request: CertificateRequest) -> Iterator[InMemoryAuthority]:
    authority = InMemoryAuthority.made()
    errand = errand_of(request)
    with serving("signing"):
        execution.execute(
            errand,
            request.pk,
            person=UUID(errand.args[1]),
            authority_id=UUID(errand.args[2]),
            authority=authority,
        )
    yield authority


@pytest.mark.rule("0.R12")
@pytest.mark.rule("0.R33")
@pytest.mark.rule("0.R35")
@pytest.mark.parametrize(("spoil", "why"), CASES, ids=[spoil.__name__ for spoil, _why in CASES])
def test_one_thing_amiss_is_enough(scene, spoil, why):
    spoil(scene)
    with acting_for(scene.acme.pk):
        before = Certificate.objects.count()
    with signing_with(scene.request) as authority:
        assert authority.signed == []
    with acting_for(scene.acme.pk):
        request = CertificateRequest.objects.get(pk=scene.request.pk)
        assert request.state == State.FAILED
        assert why in request.why_failed
        assert not IssuanceAttempt.objects.filter(request=request).exists()
        assert Certificate.objects.count() == before
        assert not Revocation.objects.filter(certificate=None).exists()
    assert errand_of(scene.request).done_at is not None
    assert Errand.objects.get(queue="messages", args__0__isnull=False, args__1=str(request.pk)).args[2] == (
        "request-failed"
    )


def test_with_nothing_amiss_the_same_request_is_signed(scene):
    with signing_with(scene.request) as authority:
        assert len(authority.signed) == 1
    with acting_for(scene.acme.pk):
        assert CertificateRequest.objects.get(pk=scene.request.pk).state == State.COMPLETED


def test_public_trust_is_signed_for_nobody_who_agreed_to_nothing_whatever_the_policy_says(acme, petra, owner):
    """BR 9.6.3: also where the request names a policy, put in past every trigger, that asks for no agreement."""
    public(acme)
    request = submitted(petra, acme, profile="tls-server", dns="www.acme.com")
    next_policies(acme, agreement="")
    owner.execute("SET session_replication_role = replica")
    owner.execute(
        "UPDATE requests_certificaterequest r SET policy_id = p.id FROM policies_policy p WHERE r.id = %s"
        " AND p.tenant_id = r.tenant_id AND p.profile = 'tls-server' AND p.operation = 'issue' AND p.agreement = ''",
        [str(request.pk)],
    )
    assert owner.rowcount == 1
    owner.execute("DELETE FROM policies_agreementacceptance WHERE certificate_request = %s", [str(request.pk)])
    owner.execute("SET session_replication_role = origin")

    with signing_with(request) as authority:
        assert authority.signed == []

    with acting_for(acme.pk):
        done = CertificateRequest.objects.get(pk=request.pk)
        assert not IssuanceAttempt.objects.filter(request=request).exists()
        assert not Certificate.objects.filter(made_from=request.pk).exists()
    assert done.state == State.FAILED
    assert "consent to the subscriber agreement is missing" in done.why_failed


def test_a_source_that_expired_meanwhile_is_not_rekeyed(acme, petra):
    source = issued(petra, acme)
    with clock.frozen(source.not_after - timedelta(minutes=1)):
        request = submitted(petra, acme, source=source)
    with clock.frozen(source.not_after + timedelta(seconds=1)), signing_with(request) as authority:
        assert authority.signed == []
    with acting_for(acme.pk):
        request = CertificateRequest.objects.get(pk=request.pk)
    assert request.state == State.FAILED
    assert "expired on" in request.why_failed


def test_the_version_that_was_agreed_to_counts_when_the_policy_changes_meanwhile(acme, petra):
    """A request names the versions it was judged under; a stricter policy binds the next one."""
    request = submitted(petra, acme)
    next_policies(acme, factor="email-code")
    assert carry_out(request).state == State.COMPLETED


@pytest.mark.rule("0.R13")
def test_the_consent_says_who_agreed_to_what_when_in_which_language_and_for_which_request(acme, petra):
    request = submitted(petra, acme)
    with acting_for(acme.pk):
        accepted = AgreementAcceptance.objects.get(certificate_request=request.pk)
        agreement = SubscriberAgreement.in_force("subscriber")
        asked_at = CertificateRequest.objects.get(pk=request.pk).submitted_at
    assert (accepted.agreement_id, accepted.version, accepted.language) == (agreement.pk, 1, "en")
    assert accepted.person_id == petra.pk
    assert accepted.at == asked_at


def test_what_a_process_remembers_of_one_tenant_another_does_not_see(acme, globex, petra, hank):
    """Profiles and policies are read once a process; rows of two tenants, in turn, keep to their own."""
    first, second, third, fourth = (submitted(*asked) for asked in ((petra, acme), (hank, globex)) * 2)
    with serving("signing"):
        for request in (first, second, third, fourth):
            run(errand_of(request))
    for request, organisation in ((first, "Acme Industries"), (second, "Globex Corporation")):
        with acting_for(request.tenant_id):
            certificate = Certificate.objects.get(made_from=request.pk)
        assert f"O={organisation}" in certificate.x509.subject.rfc4514_string()
        assert f"O={organisation}" in certificate.x509.issuer.rfc4514_string()
