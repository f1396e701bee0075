"""What the ledger of domains is narrowed to, as PostgreSQL can ask for it.

How a domain stands is derived (`proofs.standings_of`); here the same is said of columns, so that a list can be narrowed
before it is paged.  A test holds the two against each other.
"""

from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any

from django import forms
from django.db.models import OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy

from lifecycle.validation import reuse
from lifecycle.validation.methods import METHODS, Method
from lifecycle.validation.models import Domain, DomainControl
from lifecycle.validation.proofs import PUBLIC_TLS, SOON, State
from lifecycle.validation.states import ControlState
from lifecycle.wizards.domain_ledger.wording import KINDS, STATES
from portal.foundation import clock
from portal.foundation.lists import narrowing
from portal.foundation.tenancy.middleware import TenantRequest

COLUMNS = {"name": "name", "added": "added_at", "proved": "proved_at"}

ATTENTION = "attention"
_OPEN = Q(newest_state__in=[ControlState.PENDING, ControlState.VERIFYING])


class DomainFilters(narrowing.Filters):
    name = forms.CharField(
        label=gettext_lazy("Name"), required=False, max_length=255, help_text=gettext_lazy("A part of it is enough.")
    )
    state = forms.ChoiceField(
        label=gettext_lazy("State"),
        required=False,
        choices=[
            narrowing.ANY,
            (ATTENTION, gettext_lazy("Needs somebody")),
            *((state.value, word) for state, (_tone, word) in STATES.items()),
        ],
    )
    method = forms.ChoiceField(
        label=gettext_lazy("Method"),
        required=False,
        choices=[narrowing.ANY, *((slug, method.title) for slug, method in METHODS.items())],
    )
    kind = forms.ChoiceField(label=gettext_lazy("Kind"), required=False, choices=[narrowing.ANY, *KINDS.items()])
    ends = narrowing.MonthField(label=gettext_lazy("Ends in the month"))
    ends_before = narrowing.DayField(label=gettext_lazy("Ends before"))

    SORTS = (
        ("name", gettext_lazy("Name, A to Z")),
        ("-name", gettext_lazy("Name, Z to A")),
        ("-added", gettext_lazy("Added last")),
        ("added", gettext_lazy("Added first")),
        ("proved", gettext_lazy("Proven longest ago (those that are)")),
        ("-proved", gettext_lazy("Proven last (those that are)")),
    )
    DEFAULT_SORT = "name"

    def __init__(self, request: TenantRequest) -> None:
        super().__init__(request.GET)

    @property
    def order(self) -> tuple[str, bool]:
        """The column, and whether it falls."""
        return COLUMNS[self.sort.removeprefix("-")], self.sort.startswith("-")

    def found(self) -> QuerySet[Domain]:
        """The domains that are meant; the caller sorts and pages."""
        rows, now = Domain.objects.all(), clock.now()
        if text := self.chosen("name"):
            rows = rows.filter(name__contains=str(text).strip().lower())
        for column in ("method", "kind"):
            if chosen := self.chosen(column):
                rows = rows.filter(**{column: chosen})
        if chosen := self.chosen("state"):
            rows = with_newest(rows).filter(_states(now)[chosen])
        if month := self.chosen("ends"):
            rows = ending(rows, narrowing.beginning(month), narrowing.beginning(narrowing.month_after(month)))
        if before := self.chosen("ends_before"):
            rows = ending(rows, now, narrowing.beginning(before))
        if self.order[0] == "proved_at":
            rows = rows.filter(proved_at__isnull=False)
        return rows


def with_newest(rows: QuerySet[Domain]) -> QuerySet[Domain]:
    """With what a standing is derived from: the newest proof, and the newest attempt of all."""
    controls = DomainControl.objects.filter(domain=OuterRef("pk"))
    proof = controls.filter(state=ControlState.PROVED).order_by("-proved_at", "-id")
    newest = controls.order_by("-asked_at", "-id")
    columns: dict[str, Any] = {
        "proof_method": Subquery(proof.values("method")[:1]),
        "proof_at": Subquery(proof.values("proved_at")[:1]),
        # never NULL, so that `~` means the opposite
        "newest_state": Coalesce(Subquery(newest.values("state")[:1]), Value("")),
        "newest_reason": Coalesce(Subquery(newest.values("reason")[:1]), Value("")),
        "newest_ends_at": Subquery(newest.values("ends_at")[:1]),
    }
    return rows.annotate(**columns)


def ending(rows: QuerySet[Domain], since: datetime, before: datetime) -> QuerySet[Domain]:
    """Those in use whose proof counts at *since* and no more at *before*."""
    return with_newest(rows).filter(counting(since) & ~counting(before), retired_at=None)


def counting(moment: datetime) -> Q:
    """That the newest proof counts at *moment*, as `reuse.counts_on` has it; of rows `with_newest`."""
    by_method = []
    for slug, method in METHODS.items():
        since = oldest_at(method, moment)
        if since is not None:
            by_method.append(Q(proof_method=slug, proof_at__gt=since))
    # never NULL, so that what does not count can be asked for by `~`
    return Q(proof_at__isnull=False) & reduce(or_, by_method, Q(pk__in=[]))


def oldest_at(method: Method, moment: datetime) -> datetime | None:
    """A proof counts at *moment* if it is younger than this; None where none counts by this method any more.

    Limits only become shorter, so the one in force at *moment* is the one that binds.
    """
    if method.until is not None and moment >= narrowing.beginning(method.until):
        return None
    table = reuse.table_for(method, PUBLIC_TLS)
    current = [period for period in table if period.since <= moment.date()][-1]
    return moment - timedelta(days=current.days)


def _states(now: datetime) -> dict[str, Q]:
    """Every state of the list as a condition on rows `with_newest`."""
    used, counts, soon = Q(retired_at=None), counting(now), ~counting(now + SOON)
    waits = _OPEN & Q(newest_ends_at__gt=now)
    rest = used & ~counts & ~waits
    proven_once = Q(proof_at__isnull=False)
    tried = ~Q(newest_state="") & ~Q(newest_reason="retired")
    states: dict[str, Q] = {
        State.RETIRED: Q(retired_at__isnull=False),
        State.PROVED: used & counts & ~soon,
        State.ENDS_SOON: used & counts & soon,
        State.VERIFYING: used & ~counts & waits & Q(newest_state=ControlState.VERIFYING),
        State.PENDING: used & ~counts & waits & ~Q(newest_state=ControlState.VERIFYING),
        State.LAPSED: rest & proven_once,
        State.FAILED: rest & ~proven_once & tried,
        State.NEW: rest & ~proven_once & ~tried,
    }
    return {
        **states,
        ATTENTION: states[State.ENDS_SOON] | states[State.PENDING] | states[State.LAPSED] | states[State.FAILED],
    }
