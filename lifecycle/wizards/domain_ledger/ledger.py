"""The ledger: a tenant's domains and mailboxes, narrowed, sorted, paged, written out, and by the month they end in."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import Any
from uuid import UUID

from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from lifecycle.validation.methods import SEEN
from lifecycle.validation.models import ControlLook, Domain
from lifecycle.validation.proofs import Standing, standings_of
from lifecycle.wizards.domain_ledger import filters as narrowed
from lifecycle.wizards.domain_ledger import wording
from lifecycle.wizards.domain_ledger.filters import DomainFilters
from lifecycle.wizards.presentation import Chip
from portal.foundation import clock
from portal.foundation.access.permissions import Permission
from portal.foundation.lists import narrowing, tables
from portal.foundation.lists.paging import page_of
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.middleware import TenantRequest

MOST_EXPORTED = 10_000
MONTHS, NAMED = 12, 5


@dataclass(frozen=True, slots=True)
class Row:
    """One domain of the list."""

    pk: UUID
    name: str
    kind: Any
    method: Any
    status: Chip
    perspectives: str
    dnssec: Any
    until: datetime | None
    counts: bool
    next_step: Any
    added_at: datetime
    proved_at: datetime | None


@dataclass(frozen=True, slots=True)
class Month:
    begins: datetime
    count: int
    height: str
    named: list[Domain]
    more: int
    url: str
    current: bool


def domain_list(request: TenantRequest) -> HttpResponse:
    with acting_for(request.tenant.pk):
        filters = DomainFilters(request)
        by, descending = filters.order
        page = page_of(filters.found(), by=by, descending=descending, asked=request.GET)
        context = {
            "domains": list(rows_of(page.rows)),
            "sort": filters.sort,
            "filters": filters.chips,
            "filter_form": filters,
            "pages": page,
            "searched": bool(filters.chips) or by == "proved_at",
            "may_manage": Permission.DOMAIN_MANAGE in request.seat.permissions,
        }
        return render(request, "domains/list.html", context)


def domain_export(request: TenantRequest) -> HttpResponse:
    """What the list shows, filtered and sorted alike, as CSV; where rows are left out, the last line says so."""
    with acting_for(request.tenant.pk):
        filters = DomainFilters(request)
        by, descending = filters.order
        sign = "-" if descending else ""
        found = list(filters.found().order_by(f"{sign}{by}", f"{sign}pk")[: MOST_EXPORTED + 1])
        rows = list(rows_of(found[:MOST_EXPORTED]))
    head = [_("Name"), _("Kind"), _("Method"), _("State"), _("Perspectives"), _("DNSSEC"), _("Proven")]
    head += [_("Usable until"), _("Added")]
    return tables.as_file(
        "domains.csv",
        head,
        (_cells(row) for row in rows),
        cut=len(found) > MOST_EXPORTED,
    )


def _cells(row: Row) -> list[object]:
    moments = [at.isoformat() if at else "" for at in (row.proved_at, row.until, row.added_at)]
    return [row.name, row.kind, row.method, row.status.word, row.perspectives, row.dnssec, *moments]


def rows_of(domains: Collection[Domain]) -> Iterator[Row]:
    """Every domain with how it stands; three queries whatever their number."""
    now = clock.now()
    standings = standings_of(domains, now)
    agreed = quorums_of(standings.values())
    for domain in domains:
        standing = standings[domain]
        proof = standing.proof
        yield Row(
            pk=domain.pk,
            name=domain.name,
            kind=wording.KINDS[domain.kind],
            method=standing.method.title,
            status=wording.chip_of(standing),
            perspectives=wording.agreement_of(agreed.get(proof.pk)) if proof else "",
            dnssec=wording.DNSSEC.get(proof.dnssec, "") if proof else "",
            until=standing.usable_until,
            counts=standing.usable_until is not None and now < standing.usable_until and domain.retired_at is None,
            next_step=wording.next_step_in_lists(standing),
            added_at=domain.added_at,
            proved_at=domain.proved_at,
        )


def quorums_of(standings: Collection[Standing]) -> dict[UUID, Mapping[str, Any]]:
    """What the perspectives came to when they saw each proof, by the proof's id; without those that asked nobody."""
    proofs = [standing.proof.pk for standing in standings if standing.proof]
    looks = ControlLook.objects.filter(control__in=proofs, reason=SEEN).order_by("control", "-at")
    found = looks.distinct("control").values_list("control_id", "evidence__quorum")
    return {control: quorum for control, quorum in found if quorum}


def domain_calendar(request: TenantRequest) -> HttpResponse:
    """What ends in each of the next twelve months."""
    with acting_for(request.tenant.pk):
        context = {"months": _months(request), "may_manage": Permission.DOMAIN_MANAGE in request.seat.permissions}
        return render(request, "domains/calendar.html", context)


def _months(request: TenantRequest) -> list[Month]:
    now = clock.now()
    firsts = [date(now.year, now.month, 1)]
    while len(firsts) <= MONTHS:
        firsts.append(narrowing.month_after(firsts[-1]))
    begins = [narrowing.beginning(first) for first in firsts]
    spans = [(max(since, now), before) for since, before in pairwise(begins)]
    counts = _counts(spans)
    tallest = max(counts, default=0)
    listed = reverse("domain-list", kwargs={"tenant": request.tenant.slug})
    return [
        Month(
            begins=since,
            count=count,
            height=f"{count * 100 / tallest:.1f}%" if tallest else "0%",
            named=named,
            more=count - len(named),
            url=f"{listed}?ends={since:%Y-%m}&sort=proved",
            current=since.month == now.month and since.year == now.year,
        )
        for since, (span, count) in zip(begins, zip(spans, counts, strict=True), strict=False)
        for named in [_named(*span) if count else []]
    ]


def _counts(spans: list[tuple[datetime, datetime]]) -> list[int]:
    """How many proofs end in each span; one statement."""
    rows = narrowed.with_newest(Domain.objects.filter(retired_at=None, proved_at__isnull=False))
    wanted = {
        f"month_{number}": Count("pk", filter=narrowed.counting(since) & ~narrowed.counting(before))
        for number, (since, before) in enumerate(spans)
    }
    found = rows.aggregate(**wanted)
    return [found[name] for name in wanted]


def _named(since: datetime, before: datetime) -> list[Domain]:
    return list(narrowed.ending(Domain.objects.all(), since, before).order_by("proved_at", "pk")[:NAMED])
