"""Publishing ways: how the portal publishes proofs by itself.  Listed, added, tried, retired; no secret is read."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from lifecycle.validation.models import Domain, PublishingWay
from lifecycle.validation.publishing import services, tasks
from lifecycle.validation.publishing.services import RFC2136
from lifecycle.validation.publishing.words import words_of
from lifecycle.wizards.domain_ledger.way_forms import KINDS, WayFilters, WayForm
from lifecycle.wizards.presentation import Chip, Fact, names_of
from portal.config import config
from portal.foundation.access.permissions import Permission
from portal.foundation.errors import Refusal
from portal.foundation.lists import tables
from portal.foundation.lists.paging import page_of
from portal.foundation.outbox.models import waiting
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.middleware import TenantRequest

OFTEN = 2  # seconds
STOP_POLLING = 286
MOST_EXPORTED = 5000


class _Shown(str):
    """A secret on its one page: what logs a page's context, as Django does at DEBUG, logs this and not the secret."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "…"


@dataclass(frozen=True, slots=True)
class Row:
    way: PublishingWay
    kind: Any
    status: Chip
    domains: int


def publishing_list(request: TenantRequest) -> HttpResponse:
    with acting_for(request.tenant.pk):
        filters = WayFilters(request.GET)
        page = page_of(filters.found(), by="title", descending=filters.sort.startswith("-"), asked=request.GET)
        context = {
            "ways": list(_rows(page.rows)),
            "sort": filters.sort,
            "filters": filters.chips,
            "filter_form": filters,
            "pages": page,
            "searched": bool(filters.chips),
            "may_manage": _may_manage(request),
            "is_set_up": bool(config.publishing_public_key),
        }
        return render(request, "domains/ways.html", context)


def publishing_export(request: TenantRequest) -> HttpResponse:
    """What the list shows, as CSV; never a secret, since nobody has one."""
    with acting_for(request.tenant.pk):
        filters = WayFilters(request.GET)
        sign = "-" if filters.sort.startswith("-") else ""
        found = list(filters.found().order_by(f"{sign}title", f"{sign}pk")[: MOST_EXPORTED + 1])
        rows = list(_rows(found[:MOST_EXPORTED]))
    head = [_("Title"), _("Kind"), _("Address"), _("Zone"), _("State"), _("Domains"), _("Last used")]
    return tables.as_file(
        "publishing-ways.csv",
        head,
        ((*_cells(row), row.way.tried_at.isoformat() if row.way.tried_at else "") for row in rows),
        cut=len(found) > MOST_EXPORTED,
    )


def _rows(ways: Collection[PublishingWay]) -> Iterator[Row]:
    using = Domain.objects.filter(publishing__in=ways, retired_at=None).values_list("publishing")
    domains = dict(using.annotate(total=Count("pk")))
    for way in ways:
        yield Row(way, KINDS[way.kind], chip_of(way), domains.get(way.pk, 0))


def _cells(row: Row) -> tuple[object, ...]:
    return row.way.title, row.kind, row.way.address, row.way.zone, row.status.word, row.domains


def chip_of(way: PublishingWay) -> Chip:
    if way.retired_at is not None:
        return Chip("plain", _("Retired"))
    if way.tried_at is None:
        return Chip("plain", _("Not tried yet"))
    return Chip("bad", _("Failed last")) if way.said else Chip("good", _("Works"))


@sensitive_post_parameters("secret")
@sensitive_variables("form", "added", "context")
def publishing_add(request: TenantRequest) -> HttpResponse:
    """Add a way; a secret that the portal made is shown on the answer to this very request, and never again."""
    form = WayForm(request.POST if request.method == "POST" else None)
    refusal: Refusal | None = None
    status = HTTPStatus.OK
    if form.is_bound:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        if form.is_valid():
            try:
                with acting_for(request.tenant.pk, person=request.person.pk):
                    added = services.add_way(form.wanted(), by=request.person.pk)
            except Refusal as refused:
                refusal, status = refused, refused.status
            else:
                return _added(request, added)
    with acting_for(request.tenant.pk):
        context = {"form": form, "refusal": refusal, "is_set_up": bool(config.publishing_public_key)}
        return render(request, "domains/way_add.html", context, status=status)


@sensitive_variables("added", "context")
def _added(request: TenantRequest, added: services.Added) -> HttpResponse:
    if not added.shown_once:
        messages.success(
            request, _("“{title}” is there. Try it before a domain relies on it.").format(title=added.way.title)
        )
        return redirect(_address(request, added.way.pk))
    with acting_for(request.tenant.pk):
        context = {"way": added.way, "secret": _Shown(added.shown_once)}
        response = render(request, "domains/way_made.html", context)
    response["Cache-Control"] = "no-store"
    return response


def way_of(pk: UUID) -> PublishingWay:
    found = PublishingWay.objects.filter(pk=pk).first()
    if found is None:
        raise NotHere
    return found


def publishing_page(request: TenantRequest, pk: UUID) -> HttpResponse:
    with acting_for(request.tenant.pk):
        return _page(request, way_of(pk))


def _page(request: TenantRequest, way: PublishingWay, refusal: Refusal | None = None) -> HttpResponse:
    using = Domain.objects.filter(publishing=way, retired_at=None).order_by("name")
    context = {
        **_now(request, way),
        "facts": _facts(way),
        "domains": list(using[:21]),
        "refusal": refusal,
    }
    return render(request, "domains/way.html", context, status=refusal.status if refusal else HTTPStatus.OK)


def publishing_standing(request: TenantRequest, pk: UUID) -> HttpResponse:
    """The part of the page that changes by itself; 286 once no try is under way."""
    with acting_for(request.tenant.pk):
        context = {**_now(request, way_of(pk)), "fragment": True}
        status = STOP_POLLING if context["poll_seconds"] is None else HTTPStatus.OK
        return render(request, "domains/_way_now.html", context, status=status)


def _now(request: TenantRequest, way: PublishingWay) -> dict[str, Any]:
    trying = waiting(request.tenant.pk, tasks.try_way, way.pk).filter(parked_at=None).exists()
    return {
        "way": way,
        "kind": KINDS[way.kind],
        "status": Chip("busy", _("Being tried")) if trying else chip_of(way),
        "met": words_of(way),
        "trying": trying,
        "may_manage": _may_manage(request) and way.retired_at is None,
        "poll_seconds": OFTEN if trying else None,
        "fragment": False,
    }


def _facts(way: PublishingWay) -> list[Fact]:
    facts = [Fact(_("Kind"), KINDS[way.kind]), Fact(_("Address"), way.address, code=True)]
    if way.kind == RFC2136:
        facts += [
            Fact(_("Zone"), way.zone, code=True),
            Fact(_("TSIG key"), way.key_name, note=way.algorithm),
        ]
    facts.append(Fact(_("Secret"), _("Sealed; nobody can read it again")))
    facts.append(Fact(_("Added"), way.made_at, moment="short-day", note=names_of([way.made_by]).get(way.made_by, "")))
    return facts


def publishing_try(request: TenantRequest, pk: UUID) -> HttpResponse:
    """Have something published through it and withdrawn again."""
    return _deed(request, pk, services.try_way)


def publishing_retire(request: TenantRequest, pk: UUID) -> HttpResponse:
    """Say what follows, then retire it."""
    if request.method == "POST":
        return _deed(request, pk, services.retire_way)
    with acting_for(request.tenant.pk):
        way = way_of(pk)
        context = {"way": way, "domains": Domain.objects.filter(publishing=way, retired_at=None).count()}
        return render(request, "domains/way_retire.html", context)


def _deed(request: TenantRequest, pk: UUID, deed: Any) -> HttpResponse:
    try:
        with acting_for(request.tenant.pk, person=request.person.pk):
            deed(way_of(pk), by=request.person.pk)
    except Refusal as refused:
        with acting_for(request.tenant.pk):
            return _page(request, way_of(pk), refused)
    return redirect(_address(request, pk))


def _address(request: TenantRequest, pk: UUID) -> str:
    return reverse("publishing-page", kwargs={"tenant": request.tenant.slug, "pk": pk})


def _may_manage(request: TenantRequest) -> bool:
    return Permission.PUBLISHING_MANAGE in request.seat.permissions
