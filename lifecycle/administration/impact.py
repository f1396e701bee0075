"""Whom a change of the rules reaches.  The caller is inside `acting_for(tenant)`.

Counts stop at `MANY`, so that a page costs the same in a tenant with a million certificates.
"""

from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lifecycle.administration.wording import OPERATIONS
from lifecycle.certificates.models import Certificate, Status
from lifecycle.certificates.selectors import Wanted, inventory
from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.states import UNDER_WAY, State
from lifecycle.validation.models import Domain
from portal.foundation.access.models import Membership
from portal.foundation.access.permissions import Permission, roles_with

MANY = 1000
NAMED = 5
"""So many requests are named; of the rest it is said how many there are."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """A request that is named on the page."""

    pk: UUID
    number: str


@dataclass(frozen=True, slots=True)
class Reached:
    """A sentence about what is reached, and some of it by name."""

    sentence: str
    requests: list[Numbered] = field(default_factory=list)


def certificates_of(profile: str) -> QuerySet[Certificate]:
    return inventory(Wanted(profile=profile, statuses=frozenset({Status.ACTIVE})))


def requests_of(profile: str, operation: str = "") -> QuerySet[CertificateRequest]:
    found = CertificateRequest.objects.filter(profile__slug=profile)
    return found.filter(kind=operation) if operation else found


def counted(
    rows: "QuerySet[Certificate] | QuerySet[CertificateRequest] | QuerySet[Domain]",
) -> tuple[int, str]:
    """How many rows there are, at most `MANY`, and the number as people read it."""
    count = rows.order_by()[: MANY + 1].count()
    return count, _("more than {many}").format(many=MANY) if count > MANY else str(count)


def of_certificates(profile: str) -> Reached:
    count, word = counted(certificates_of(profile))
    if not count:
        return Reached(_("No valid certificate follows this profile."))
    said = ngettext(
        "{count} valid certificate follows this profile.", "{count} valid certificates follow this profile.", count
    )
    return Reached(said.format(count=word))


def of_operation(profile: str, operation: str, *, switched_off: bool) -> list[Reached]:
    """The requests of one operation that a change of its policy reaches, and how."""
    title = OPERATIONS[operation].title
    drafts = requests_of(profile, operation).filter(state=State.DRAFT)
    sent = requests_of(profile, operation).filter(state__in=UNDER_WAY)
    reached = []
    if count := counted(drafts)[0]:
        if switched_off:
            said = ngettext(
                "{operation}: {count} draft can no longer be submitted.",
                "{operation}: {count} drafts can no longer be submitted.",
                count,
            )
        else:
            said = ngettext(
                "{operation}: {count} draft is asked the new questions before it can be submitted.",
                "{operation}: {count} drafts are asked the new questions before they can be submitted.",
                count,
            )
        reached.append(Reached(said.format(operation=title, count=counted(drafts)[1]), _named(drafts)))
    if count := counted(sent)[0]:
        said = ngettext(
            "{operation}: {count} request that was submitted goes on under the rules it was submitted under.",
            "{operation}: {count} requests that were submitted go on under the rules they were submitted under.",
            count,
        )
        reached.append(Reached(said.format(operation=title, count=counted(sent)[1]), _named(sent)))
    if switched_off:
        people = makers()
        said = ngettext(
            "{operation}: {count} person who can make requests loses this action.",
            "{operation}: {count} people who can make requests lose this action.",
            people,
        )
        reached.append(Reached(said.format(operation=title, count=people)))
    return reached


def of_control() -> Reached:
    """What is proven already, for whoever wants control proven from now on."""
    proven, word = counted(Domain.objects.filter(proved_at__isnull=False, retired_at=None))
    if not proven:
        return Reached(_("No domain is proven yet: every name has to be, before a request with it can be submitted."))
    said = ngettext(
        "{count} domain is proven; names that it does not cover have to be proven before they are asked for.",
        "{count} domains are proven; names that they do not cover have to be proven before they are asked for.",
        proven,
    )
    return Reached(said.format(count=word))


def makers() -> int:
    """How many people of the tenant can make requests."""
    rows = Membership.objects.filter(
        role__in=roles_with(Permission.REQUEST_MAKE), suspended_at=None, person__is_active=True
    )
    return rows.values("person_id").distinct().count()


def of_profile(profile: str) -> list[Reached]:
    """What a new version of a profile reaches: drafts go over to it, everything else keeps its own."""
    drafts = requests_of(profile).filter(state=State.DRAFT)
    reached = [of_certificates(profile), Reached(_("Every certificate keeps the version that it was issued under."))]
    if count := counted(drafts)[0]:
        said = ngettext(
            "{count} draft goes over to the new version; answers that it does not take are asked again.",
            "{count} drafts go over to the new version; answers that it does not take are asked again.",
            count,
        )
        reached.append(Reached(said.format(count=counted(drafts)[1]), _named(drafts)))
    return reached


def of_agreement(profiles_and_operations: set[tuple[str, str]]) -> list[Reached]:
    """Who must agree anew: every draft that had agreed, and everybody who asks from now on."""
    drafts = CertificateRequest.objects.filter(
        state=State.DRAFT, profile__slug__in={profile for profile, _operation in profiles_and_operations}
    )
    ids = [
        row.pk
        for row in drafts.select_related("profile").order_by("-pk")[:MANY]
        if (row.profile.slug, row.kind) in profiles_and_operations and row.answers.get("confirm")
    ]
    reached = [Reached(_("Whoever submits a request from now on agrees to the new version."))]
    if ids:
        said = ngettext(
            "{count} draft whose owner had agreed to the old version asks for consent again.",
            "{count} drafts whose owners had agreed to the old version ask for consent again.",
            len(ids),
        )
        found = CertificateRequest.objects.filter(pk__in=ids)
        reached.append(Reached(said.format(count=len(ids)), _named(found)))
    return reached


def _named(requests: QuerySet[CertificateRequest]) -> list[Numbered]:
    return [Numbered(row.pk, row.number) for row in requests.order_by("-pk")[:NAMED]]
