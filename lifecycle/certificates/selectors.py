"""Asking about certificates.  The caller is inside `acting_for(tenant)`."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from django.db import connection
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import TruncMonth

from lifecycle.authorities.models import CertificateProfile
from lifecycle.certificates.models import Certificate, CertificateKey, FoundBy, Revocation, Status
from portal.foundation import clock
from portal.foundation.tenancy.context import current_tenant_id

_PREFIX = re.compile(r"0x|sha-?(1|256)[:=]")
_SEPARATORS = re.compile(r"[\s:.-]")
_HEX = re.compile(r"[0-9a-f]+")

FEW = 1000
"""Keys that match a search and are still looked up one by one."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which certificates a list shows."""

    owner: UUID | None = None  # only this person's, where one is named
    text: str = ""
    statuses: frozenset[Status] = field(default_factory=frozenset)
    source: str = ""
    area: str = ""
    profile: str = ""
    key_type: str = ""
    issuer: str = ""
    ends_from: datetime | None = None
    ends_before: datetime | None = None

    def columns(self) -> dict[str, object]:
        """What is asked of single columns."""
        asked = {
            "owner": self.owner,
            "source": self.source,
            "key_type": self.key_type,
            "issuer": self.issuer,
            "not_after__gte": self.ends_from,
            "not_after__lt": self.ends_before,
        }
        return {name: value for name, value in asked.items() if value}


def inventory(wanted: Wanted) -> QuerySet[Certificate]:
    """The tenant's certificates, filtered; the caller sorts and pages."""
    found = Certificate.objects.with_facts().filter(**wanted.columns())
    if wanted.text:
        found = found.filter(_searched(wanted.text))
    if wanted.area or wanted.profile:
        found = found.filter(profile__in=_versions(wanted))
    if wanted.statuses:
        found = found.filter(_having(wanted.statuses))
    return found


def ends_by_month(wanted: Wanted) -> dict[datetime, int]:
    """How many of these certificates end in each month, by the month's first moment; all of them are counted.

    PostgreSQL reads an index and no rows: 50,000 ends take 20 ms, so whoever asks names a span.
    """
    months = inventory(wanted).order_by().values(month=TruncMonth("not_after", tzinfo=UTC))
    return dict(months.annotate(total=Count("pk")).values_list("month", "total"))


def _searched(text: str) -> Q:
    """Begin with the keys where few match, and with the order of the list where many do.

    PostgreSQL guesses how many begin with a text, and a wrong guess costs a walk through all of the tenant's keys.
    """
    keys = matching(text)
    few = list(keys.values_list("certificate_id", flat=True)[: FEW + 1])
    return Q(pk__in=set(few)) if len(few) <= FEW else Q(Exists(keys.filter(certificate=OuterRef("pk"))))


def _versions(wanted: Wanted) -> list[UUID]:
    """Every version of the profiles that are meant; named one by one, so that their certificates' index is used."""
    named = {"area": wanted.area, "slug": wanted.profile}
    versions = CertificateProfile.objects.filter(**{name: value for name, value in named.items() if value})
    return list(versions.values_list("pk", flat=True))


def matching(text: str) -> QuerySet[CertificateKey]:
    """Keys that begin with *text* as a name, an address or a domain, or are it as a serial or a fingerprint.

    A domain is among the keys of every name below it.  Serials and fingerprints come with
    or without separators, leading zeros and `0x` (2.R16).
    """
    plain = text.strip().lower()
    keys = Q(key__begins=plain, kind__in=[FoundBy.NAME, FoundBy.EMAIL, FoundBy.DOMAIN])
    squeezed = _SEPARATORS.sub("", _PREFIX.sub("", plain, count=1))
    if _HEX.fullmatch(squeezed):
        keys |= Q(key=squeezed.lstrip("0") or "0", kind=FoundBy.SERIAL)
        keys |= Q(key=squeezed, kind__in=[FoundBy.FINGERPRINT, FoundBy.SPKI])
    return CertificateKey.objects.filter(keys)


def _having(statuses: frozenset[Status]) -> Q:
    now = clock.now()
    revoked = Q(Exists(Revocation.objects.filter(certificate=OuterRef("pk"))))
    by_status = {
        Status.REVOKED: revoked,
        Status.EXPIRED: ~revoked & Q(not_after__lte=now),
        Status.ACTIVE: ~revoked & Q(not_after__gt=now),
    }
    chosen = Q()
    for status in statuses:
        chosen |= by_status[status]
    return chosen


def already_here(fingerprints: Collection[str]) -> dict[str, Certificate]:
    """Which of these SHA-256 fingerprints the tenant has certificates of, issued or uploaded, whoever owns them."""
    keys = CertificateKey.objects.filter(kind=FoundBy.FINGERPRINT, key__in=list(fingerprints))
    found = Certificate.objects.filter(pk__in=keys.values("certificate_id"))
    return {certificate.fingerprint: certificate for certificate in found}


# each next issuer is looked up behind the one before: a list of ten costs ten look-ups and not a hundred thousand rows
_ISSUERS = """
WITH RECURSIVE step AS (
    (SELECT issuer, 1 AS number FROM certificates_certificate
      WHERE tenant_id = %(tenant)s ORDER BY issuer LIMIT 1)
    UNION ALL
    SELECT (SELECT c.issuer FROM certificates_certificate c
             WHERE c.tenant_id = %(tenant)s AND c.issuer > step.issuer ORDER BY c.issuer LIMIT 1), step.number + 1
      FROM step WHERE step.issuer IS NOT NULL AND step.number <= %(most)s
)
SELECT issuer FROM step WHERE issuer <> '' LIMIT %(most)s
"""


def issuers(*, most: int) -> list[str]:
    """Everybody who issued a certificate of the tenant, by name; the first *most*."""
    with connection.cursor() as cursor:
        cursor.execute(_ISSUERS, {"tenant": current_tenant_id(), "most": most})
        return [issuer for (issuer,) in cursor.fetchall()]


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
