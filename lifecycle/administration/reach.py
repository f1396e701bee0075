"""Whom a change of the dated rules reaches in a tenant.  The caller is inside `acting_for(tenant)`.

Each count is one statement that stops at `impact.MANY` rows, so that a page costs the same with a million certificates:
only versions of profiles that allow more than the new limit are looked at, and nearly all of their certificates count.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from operator import or_
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lifecycle.administration.impact import counted
from lifecycle.administration.rules_by_date import Change, Touches
from lifecycle.authorities.models import CertificateProfile, Trust
from lifecycle.certificates.models import Certificate, Revocation
from lifecycle.policies import selectors
from lifecycle.validation import reuse
from lifecycle.validation.methods import METHODS, Method
from lifecycle.validation.models import Domain
from lifecycle.validation.proofs import PUBLIC_TLS
from lifecycle.wizards.domain_ledger.filters import with_newest


@dataclass(frozen=True, slots=True)
class Reach:
    """What is reached, and a sentence with the numbers."""

    profiles: list[CertificateProfile]
    certificates: QuerySet[Certificate] | None = None
    domains: QuerySet[Domain] | None = None

    @property
    def said(self) -> str:
        """Counts again whenever it is read; read it once."""
        parts = [_profiles(len(self.profiles))] if self.profiles else []
        if self.certificates is not None:
            count, word = counted(self.certificates)
            parts += (
                [ngettext("{count} certificate", "{count} certificates", count).format(count=word)] if count else []
            )
        if self.domains is not None:
            count, word = counted(self.domains)
            parts += [ngettext("{count} domain", "{count} domains", count).format(count=word)] if count else []
        if not parts:
            return ""
        what = _("{these} and {those}").format(these=parts[0], those=parts[1]) if len(parts) > 1 else parts[0]
        return _("It reaches {what}.").format(what=what)


def _profiles(count: int) -> str:
    return ngettext("{count} of your profiles", "{count} of your profiles", count).format(count=count)


def reach_of(change: Change, profiles: list[CertificateProfile]) -> Reach:
    """Whom *change* reaches; *profiles* are those in force, read once for all changes."""
    match change.touches:
        case Touches.LIFETIMES:
            bound = [each for each in profiles if each.trust == change.trust and each.terms.days > change.after]
            return Reach(bound, certificates=_living_longer(change))
        case Touches.PROOFS:
            return Reach([], domains=_ending_at(change))
        case Touches.METHOD:
            return Reach([], domains=Domain.objects.filter(method=change.method, retired_at=None))
        case Touches.PERSPECTIVES:
            return Reach(_corroborated(profiles))


def _living_longer(change: Change) -> QuerySet[Certificate]:
    """Certificates in force on that day that live longer than whatever replaces them from then on."""
    revoked = Revocation.objects.filter(certificate=OuterRef("pk"))
    return Certificate.objects.filter(
        ~Exists(revoked),
        profile__in=_versions_beyond(change),
        not_after__gte=change.begins,
        not_after__gt=F("not_before") + timedelta(days=change.after),
    )


def _versions_beyond(change: Change) -> list[UUID]:
    """Versions of profiles that let certificates live longer; named one by one, so that their index is used."""
    versions = CertificateProfile.objects.filter(trust=change.trust, content__days__gt=change.after)
    return list(versions.values_list("pk", flat=True))


def _ending_at(change: Change) -> QuerySet[Domain]:
    """Domains whose proof would have counted beyond that day and, by the shorter limit, does not.

    A method with a shorter limit of its own, or one that is for mailboxes, is not touched.
    """
    cut = [_cut(method, change) for method in METHODS.values() if _is_cut(method, change)]
    return with_newest(Domain.objects.filter(retired_at=None)).filter(reduce(or_, cut, Q(pk__in=[])))


def _is_cut(method: Method, change: Change) -> bool:
    before, after = _limits(method, change)
    return after < before and (method.until is None or method.until > change.day)


def _cut(method: Method, change: Change) -> Q:
    before, after = _limits(method, change)
    return Q(
        proof_method=method.slug,
        proof_at__gt=change.begins - timedelta(days=before),
        proof_at__lte=change.begins - timedelta(days=after),
    )


def _limits(method: Method, change: Change) -> tuple[int, int]:
    """For how many days a proof by *method* counts before that day, and from it on."""
    table = reuse.table_for(method, PUBLIC_TLS)
    before = [period.days for period in table if period.since < change.day][-1]
    return before, [period.days for period in table if period.since <= change.day][-1]


def _corroborated(profiles: list[CertificateProfile]) -> list[CertificateProfile]:
    """Profiles whose names are looked at from several places: public ones always, others where a policy says so."""
    asked = {slug for (slug, _operation), policy in selectors.all_in_force().items() if policy.corroborates}
    return [each for each in profiles if each.slug in asked or each.trust != Trust.PRIVATE]
