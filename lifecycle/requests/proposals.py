"""Gathers the facts that `policies.rules` judges.  The caller is inside `acting_for(tenant)`."""

from datetime import datetime
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery

from lifecycle.authorities.models import CertificateProfile, Trust
from lifecycle.certificates.models import Certificate, CompromisedKey, Revocation
from lifecycle.certificates.selectors import key_is_used
from lifecycle.policies.models import Policy
from lifecycle.policies.rules import Proposal, Source
from lifecycle.requests.controls import proven
from lifecycle.requests.errors import NotOffered
from lifecycle.requests.kinds import Kind
from lifecycle.requests.looks import looked
from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.orders import alternative_names_of, not_after_of
from lifecycle.requests.states import OVER, UNDER_WAY
from portal.foundation import clock


def with_request_under_way(certificates: "QuerySet[Certificate]") -> "QuerySet[Certificate]":
    """Add the number, id and kind of the request that holds the certificate, so that a list costs one query."""
    held = CertificateRequest.objects.filter(predecessor=OuterRef("pk"), state__in=UNDER_WAY)
    return certificates.annotate(
        under_way=Subquery(held.values("number")[:1]),
        under_way_pk=Subquery(held.values("pk")[:1]),
        under_way_kind=Subquery(held.values("kind")[:1]),
    )


def of_certificate(
    certificate: Certificate, kind: Kind, policy: Policy | None, *, open_requests: int | None = None
) -> Proposal:
    """What is known before anything was asked: whether *kind* could be offered for *certificate*.

    Needs the annotations of `with_facts` and `with_request_under_way`.
    """
    if certificate.profile is None:
        raise NotOffered  # another authority's certificate, kept in view
    return Proposal(
        operation=kind,
        enabled=policy is not None and policy.enabled,
        off_since=_off_since(policy),
        now=clock.now(),
        trust=certificate.profile.trust,
        longest_life=certificate.profile.terms.lifetime,
        source=Source(
            not_after=certificate.not_after,
            revoked_at=certificate.revoked_at,  # type: ignore[attr-defined]
            spki_sha256=certificate.spki_sha256,
            open_request=certificate.under_way or "",  # type: ignore[attr-defined]
        ),
        open_requests=open_requests,
        limits=policy.limits if policy else {},
    )


def of_profile(
    profile: CertificateProfile, kind: Kind, policy: Policy | None, *, open_requests: int | None = None
) -> Proposal:
    """Whether *kind* could be offered for a first certificate of *profile*."""
    return Proposal(
        operation=kind,
        enabled=policy is not None and policy.enabled,
        off_since=_off_since(policy),
        now=clock.now(),
        trust=profile.trust,
        longest_life=profile.terms.lifetime,
        open_requests=open_requests,
        limits=policy.limits if policy else {},
    )


def _off_since(policy: Policy | None) -> datetime | None:
    """When an administrator switched the operation off, for whoever asks why they cannot (0.R11)."""
    return None if policy is None or policy.enabled else policy.since().made_at


def open_requests_of(person: UUID, kind: Kind, profile_slug: str, *, besides: UUID | None = None) -> int:
    """How many requests of this kind and profile the person has that are not over, drafts included."""
    mine = CertificateRequest.objects.filter(requested_by=person, kind=kind, profile__slug=profile_slug)
    open_ones = mine.exclude(state__in=OVER)
    return (open_ones.exclude(pk=besides) if besides else open_ones).count()


def of_request(request: CertificateRequest) -> Proposal:
    """Everything a request says, and what the rows say about it now."""
    now = clock.now()
    policy = Policy.objects.in_force(profile=request.profile.slug, operation=request.kind)
    key = request.answers.get("key", {}).get("spki")
    not_before = now.replace(microsecond=0)
    return Proposal(
        operation=request.kind,
        enabled=policy is not None and policy.enabled,
        off_since=_off_since(policy),
        now=now,
        trust=Trust(request.profile.trust),
        longest_life=request.profile.terms.lifetime,
        source=_source(request),
        not_before=not_before,
        not_after=not_after_of(request, not_before),
        spki_sha256=key,
        key_is_used=bool(key) and key_is_used(key),
        key_is_compromised=bool(key) and CompromisedKey.is_listed(key),
        names=len(alternative_names_of(request)),
        open_requests=open_requests_of(
            request.requested_by, Kind(request.kind), request.profile.slug, besides=request.pk
        ),
        limits=policy.limits if policy else {},
        looked=looked(request),
        proven=proven(request),
    )


def _source(request: CertificateRequest) -> Source | None:
    if request.predecessor is None:
        return None
    revocation = Revocation.objects.filter(certificate=request.predecessor).first()
    other = (
        CertificateRequest.objects.filter(predecessor=request.predecessor, state__in=UNDER_WAY)
        .exclude(pk=request.pk)
        .first()
    )
    return Source(
        not_after=request.predecessor.not_after,
        revoked_at=revocation.at if revocation else None,
        spki_sha256=request.predecessor.spki_sha256,
        open_request=other.number if other else "",
    )
