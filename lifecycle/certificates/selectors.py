"""Asking about certificates.  The caller is inside `acting_for(tenant)`."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from lifecycle.certificates.models import Certificate, CertificateKey, Revocation, Status
from portal.foundation import clock

_SEPARATORS = re.compile(r"[\s:.-]")
_HEX = re.compile(r"[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which certificates a list shows."""

    owner: UUID | None = None  # only this person's, where one is named
    text: str = ""
    statuses: frozenset[Status] = field(default_factory=frozenset)
    area: str = ""
    profile: str = ""
    ends: tuple[datetime, datetime] | None = None  # from, and before


def inventory(wanted: Wanted) -> QuerySet[Certificate]:
    """The tenant's certificates, filtered; the caller sorts and pages."""
    found = Certificate.objects.with_facts()
    if wanted.owner:
        found = found.filter(owner=wanted.owner)
    if wanted.text:
        found = found.filter(pk__in=matching(wanted.text))
    if wanted.area:
        found = found.filter(profile__area=wanted.area)
    if wanted.profile:
        found = found.filter(profile__slug=wanted.profile)
    if wanted.ends:
        found = found.filter(not_after__gte=wanted.ends[0], not_after__lt=wanted.ends[1])
    if wanted.statuses:
        found = found.filter(_having(wanted.statuses))
    return found


def matching(text: str) -> QuerySet[CertificateKey, UUID]:
    """Certificates whose name or address begins with *text*, or whose serial or fingerprint it is.

    Serials come with or without separators and leading zeros (2.R16).
    """
    plain = text.strip().lower()
    keys = Q(key__begins=plain, kind__in=["name", "email"])
    squeezed = _SEPARATORS.sub("", plain)
    if _HEX.fullmatch(squeezed):
        keys |= Q(key=squeezed.lstrip("0"), kind="serial") | Q(key=squeezed, kind__in=["fingerprint", "spki"])
    return CertificateKey.objects.filter(keys).values_list("certificate_id", flat=True)


def _having(statuses: frozenset[Status]) -> Q:
    now = clock.now()
    revoked = Q(pk__in=Revocation.objects.exclude(certificate=None).values("certificate_id"))
    by_status = {
        Status.REVOKED: revoked,
        Status.EXPIRED: ~revoked & Q(not_after__lte=now),
        Status.ACTIVE: ~revoked & Q(not_after__gt=now),
    }
    chosen = Q()
    for status in statuses:
        chosen |= by_status[status]
    return chosen


def lineage(certificate: Certificate) -> list[Certificate]:
    """The whole family, oldest first: everything reachable over predecessors and successors."""
    family = {certificate.pk: certificate}
    frontier = {certificate.pk}
    while frontier:
        found = Certificate.objects.with_facts().filter(
            Q(predecessor__in=frontier) | Q(pk__in=[family[pk].predecessor_id for pk in frontier])
        )
        fresh = {row.pk: row for row in found if row.pk not in family}
        family |= fresh
        frontier = set(fresh)
    return sorted(family.values(), key=lambda row: (row.issued_at, row.pk))


def key_is_used(spki_sha256: str) -> bool:
    return Certificate.objects.filter(spki_sha256=spki_sha256).exists()
