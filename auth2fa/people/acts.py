"""What an administrator can do to a member: in which words, with which consequences, by which service."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from auth2fa import enrolments, tasks
from auth2fa.errors import GuardsMore, NotOnesOwnReset
from auth2fa.login import sessions
from portal.foundation.access import services
from portal.foundation.access.models import Membership
from portal.foundation.audit.models import record_for_both
from portal.foundation.outbox.models import send
from portal.foundation.tenancy.context import acting_for, current_tenant_id
from portal.foundation.tenancy.errors import NotHere

Text = str | Promise


@dataclass(frozen=True, slots=True)
class Act:
    slug: str
    word: Text
    title: Text
    means: tuple[Text, ...]
    done: Text
    do: Callable[[UUID, UUID, UUID], None]  # tenant, person, by
    leaves: bool = False
    proves: bool = False  # the administrator shows their password first


def _suspend(tenant: UUID, person: UUID, by: UUID) -> None:
    with acting_for(tenant):
        services.suspend(person, by=by)


def _unsuspend(tenant: UUID, person: UUID, by: UUID) -> None:
    with acting_for(tenant):
        services.unsuspend(person, by=by)


def _remove(tenant: UUID, person: UUID, by: UUID) -> None:
    with acting_for(tenant):
        services.remove(person, by=by)


def _end_sessions(tenant: UUID, person: UUID, by: UUID) -> None:
    """End all sessions of a member and tell both journals: sessions are the platform's, the deed is the tenant's."""
    with acting_for(tenant, person=person):
        _demand_a_seat_only_here(person)
        ended = sessions.end_all(person)
        record_for_both(actor=by, code="session:end", subject=person, count=ended, tenant=tenant)
        send(tasks.tell, person, "sessions-ended")


def _reset_factors(tenant: UUID, person: UUID, by: UUID) -> None:
    """Take a member's authenticators away, and tell it to both journals; a factor is the person's own."""
    if person == by:
        raise NotOnesOwnReset
    with acting_for(tenant, person=person):
        _demand_a_seat_only_here(person)
        enrolments.reset(by=by, tenant=tenant)


def seated_only_here(person: UUID) -> bool:
    """Whether the unit of work's person has an active seat in its tenant and none elsewhere.

    Only then what proves them, and what they do, concerns nobody but this tenant.
    """
    seats = Membership.of_person().filter(person=person)
    return {seat.tenant_id for seat in seats} == {current_tenant_id()}


def _demand_a_seat_only_here(person: UUID) -> None:
    if not Membership.objects.filter(person=person).exists():
        raise NotHere
    if not seated_only_here(person):
        raise GuardsMore


ACTS = {
    act.slug: act
    for act in (
        Act(
            "suspend",
            gettext_lazy("Suspend"),
            gettext_lazy("Suspend {name}?"),
            (
                gettext_lazy("They cannot enter this organisation any more, from their next click on."),
                gettext_lazy("Their roles, drafts and certificates stay as they are, and so does their account."),
                gettext_lazy("Requests they have submitted already go on and are finished."),
            ),
            gettext_lazy("{name} is suspended."),
            _suspend,
        ),
        Act(
            "unsuspend",
            gettext_lazy("End suspension"),
            gettext_lazy("End the suspension of {name}?"),
            (gettext_lazy("They can enter again at once, with the roles they had. Their drafts are still there."),),
            gettext_lazy("{name} is active again."),
            _unsuspend,
        ),
        Act(
            "end-sessions",
            gettext_lazy("End sessions"),
            gettext_lazy("End every session of {name}?"),
            (
                gettext_lazy("They have to sign in again everywhere."),
                gettext_lazy("They are told by e-mail. What they had not sent from an open page is lost."),
            ),
            gettext_lazy("Every session of {name} is ended."),
            _end_sessions,
        ),
        Act(
            "reset-factors",
            gettext_lazy("Reset authenticators"),
            gettext_lazy("Remove every authenticator of {name}?"),
            (
                gettext_lazy("For somebody who lost their telephone. Old codes confirm nothing any more, at once."),
                gettext_lazy(
                    "They are told by e-mail, and set up a new one in “My account” with their password and a code"
                    " that is sent to them."
                ),
            ),
            gettext_lazy("{name} has no authenticator any more."),
            _reset_factors,
            proves=True,
        ),
        Act(
            "remove",
            gettext_lazy("Remove"),
            gettext_lazy("Remove {name} from this organisation?"),
            (
                gettext_lazy("They cannot enter any more, from their next click on, and lose all roles here."),
                gettext_lazy("Their certificates and what they did stay. Requests already submitted are finished."),
                gettext_lazy("To come back, they have to be invited and accept again."),
            ),
            gettext_lazy("{name} is removed."),
            _remove,
            leaves=True,
        ),
    )
}


def possible(
    *, suspended: bool, only_here: bool, in_session: bool, enrolled: bool, own: bool
) -> Iterator[dict[str, Any]]:
    """Every act with, where it makes no sense now, the reason."""
    refusals = {
        "end-sessions": "" if in_session else _("No session is open."),
        "reset-factors": "" if enrolled else _("There is none."),
        "unsuspend": _("Another administrator has to do it.") if own else "",
    }
    if own:
        refusals["reset-factors"] = str(NotOnesOwnReset.next_step)
    if not only_here:  # said alike whatever there is, since it is not this tenant's to know
        refusals["end-sessions"] = refusals["reset-factors"] = _("Ends with a suspension, or the operator can do it.")
    for slug, act in ACTS.items():
        if slug != ("suspend" if suspended else "unsuspend"):
            yield {"slug": slug, "word": act.word, "refusal": refusals.get(slug, "")}
