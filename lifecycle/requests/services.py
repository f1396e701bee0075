"""What people can do to a request.

Every function is part of one unit of work: the caller is inside `acting_for(tenant,
person=…)` and leaves with everything done or nothing.  Each takes ids, locks what it
will judge, judges, writes, records, and promises follow-up work, in that order.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from auth2fa import challenges
from lifecycle.authorities.models import CertificateProfile, Trust
from lifecycle.certificates.errors import IssuedElsewhere
from lifecycle.certificates.models import Certificate
from lifecycle.policies import rules
from lifecycle.policies.models import AgreementAcceptance, Policy
from lifecycle.policies.selectors import in_force_still
from lifecycle.requests import proposals
from lifecycle.requests.errors import AgreementChanged, AgreementMissing, NotOffered, NotYourRequest
from lifecycle.requests.kinds import Kind, UseCase
from lifecycle.requests.models import CertificateRequest, request_of
from lifecycle.requests.reviewing import AUTO, release
from lifecycle.requests.states import Event, State
from lifecycle.requests.tasks import revoke_compromised
from portal.foundation import clock
from portal.foundation.audit.models import record
from portal.foundation.outbox.models import send
from portal.foundation.tenancy.errors import NotHere

REVOKED_AT_THE_LATEST = timedelta(hours=12)
"""After a key is reported compromised.  BR 4.9.1.1 allows 24 hours; half of them are kept for accidents."""


def begin_from_certificate(certificate_id: UUID, kind: Kind, *, by: UUID) -> CertificateRequest:
    """Begin an operation on a certificate, or go on with the draft that this person left behind."""
    certificate = proposals.with_request_under_way(Certificate.objects.with_facts()).filter(pk=certificate_id).first()
    if certificate is None:
        raise NotHere
    if certificate.profile is None:
        raise IssuedElsewhere(issuer=certificate.issuer_word)
    draft = (
        CertificateRequest.objects.filter(predecessor=certificate, kind=kind, requested_by=by, state=State.DRAFT)
        .order_by("-pk")
        .first()
    )
    policy = Policy.objects.in_force(profile=certificate.profile.slug, operation=kind)
    others = proposals.open_requests_of(by, kind, certificate.profile.slug, besides=draft.pk if draft else None)
    rules.enforce(proposals.of_certificate(certificate, kind, policy, open_requests=others))
    if draft:
        return draft
    return _begin(kind, by, certificate.profile.slug, policy, certificate)


def begin_from_profile(profile_slug: str, kind: Kind, *, by: UUID) -> CertificateRequest:
    """Begin a first certificate of a profile."""
    return _begin(kind, by, profile_slug, Policy.objects.in_force(profile=profile_slug, operation=kind), None)


def _begin(
    kind: Kind, by: UUID, profile_slug: str, policy: Policy | None, certificate: Certificate | None
) -> CertificateRequest:
    profile = CertificateProfile.objects.in_force(profile_slug)
    if profile is None or policy is None:
        raise NotOffered
    if certificate is None:
        others = proposals.open_requests_of(by, kind, profile_slug)
        rules.enforce(proposals.of_profile(profile, kind, policy, open_requests=others))
    draft = CertificateRequest(kind=kind, requested_by=by, profile=profile, policy=policy, predecessor=certificate)
    draft.save(force_insert=True)
    record(actor=by, code="request:begin", subject=draft.pk, kind=kind, predecessor=draft.predecessor_id)
    return draft


def draft_for(pk: UUID, *, by: UUID) -> CertificateRequest:
    """Lock a draft for its owner, under the versions in force now; raise `NotHere` or `NotYourRequest`.

    A changed policy or profile thereby reopens the steps whose answers it no longer
    accepts.  What is no draft any more comes back as it is: the caller shows its page.
    """
    try:
        draft = request_of(pk, lock=True)
    except CertificateRequest.DoesNotExist:
        raise NotHere from None
    if draft.requested_by != by:
        raise NotYourRequest
    if not draft.is_draft:
        return draft
    profile = CertificateProfile.objects.in_force(draft.profile.slug) or draft.profile
    policy = Policy.objects.in_force(profile=profile.slug, operation=draft.kind) or draft.policy
    if (profile.pk, policy.pk) != (draft.profile_id, draft.policy_id):
        CertificateRequest.objects.filter(pk=pk, state=State.DRAFT).update(profile=profile, policy=policy)
        draft.profile, draft.policy = profile, policy
    return draft


def keep_answer(draft: CertificateRequest, step: str, answer: dict[str, Any]) -> None:
    """Keep one step's answer in the draft that `draft_for` locked."""
    draft.answers[step] = answer
    CertificateRequest.objects.filter(pk=draft.pk, state=State.DRAFT).update(
        answers=draft.answers, changed_at=clock.now()
    )


def keep_challenge(pk: UUID, challenge: UUID, *, by: UUID) -> None:
    """Remember which question was asked to confirm a draft; what it is worth, `submit` finds out."""
    CertificateRequest.objects.filter(pk=pk, requested_by=by, state=State.DRAFT).update(challenge=challenge)


def withdraw(pk: UUID, *, by: UUID) -> CertificateRequest:
    """Give a request up, as long as the authority has not begun with it."""
    try:
        request = request_of(pk, lock=True)
    except CertificateRequest.DoesNotExist:
        raise NotHere from None
    if request.requested_by != by:
        raise NotYourRequest
    request.advance(Event.WITHDRAW, actor=by)
    return request


def submit(draft: CertificateRequest, *, by: UUID, challenge: UUID | None) -> CertificateRequest:
    """Judge a finished draft and send it on its way; all or nothing.

    Spends the second factor where the policy asks for one, for exactly what the draft
    says now (0.R33, 0.R35), and keeps what was agreed to (0.R13).
    """
    rules.enforce(proposals.of_request(draft))
    if draft.policy.agreement:
        _accept(draft, by)
    elif draft.profile.trust != Trust.PRIVATE:
        raise AgreementMissing
    if draft.policy.factor:
        challenges.spend(challenge, person=by, purpose=draft.purpose, payload=draft.digest())
    draft.advance(
        Event.SUBMIT,
        actor=by,
        set={"submitted_at": clock.now(), "challenge": challenge},
        kind=draft.kind,
        profile=draft.profile_id,
        policy=draft.policy_id,
        predecessor=draft.predecessor_id,
        use_case=draft.answers.get("confirm", {}).get("use_case"),
    )
    draft.advance(Event.PASS_VALIDATION, actor=AUTO)  # what had to be looked up outside was judged above, as rows
    release(draft, actor=AUTO)
    if draft.answers.get("confirm", {}).get("use_case") == UseCase.COMPROMISED and draft.predecessor_id:
        errand = send(revoke_compromised, draft.pk, by)
        errand.postpone(REVOKED_AT_THE_LATEST)
    return draft


def _accept(draft: CertificateRequest, by: UUID) -> None:
    agreed = draft.answers.get("confirm", {}).get("agreement", "")
    agreement = in_force_still(draft.policy.agreement, agreed)
    if agreement is None:
        raise AgreementChanged
    AgreementAcceptance(
        agreement=agreement,
        version=agreement.version,
        language=agreement.language,
        person_id=by,
        certificate_request=draft.pk,
    ).save(force_insert=True)
    record(
        actor=by,
        code="agreement:accept",
        subject=agreement.pk,
        version=agreement.version,
        language=agreement.language,
        request=draft.pk,
    )


def may_begin(kind: Kind) -> list[CertificateProfile]:
    """Profiles whose policy offers *kind* now, for the start page."""
    return [
        profile
        for profile in CertificateProfile.objects.all_in_force()
        if not rules.broken_by(
            proposals.of_profile(profile, kind, Policy.objects.in_force(profile=profile.slug, operation=kind))
        )
    ]
