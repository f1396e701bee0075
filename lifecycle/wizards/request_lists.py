"""The lists of requests: everybody's or one's own, of all kinds or one product area's of one kind (0.R7, 0.R8)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lifecycle.authorities.models import CertificateProfile
from lifecycle.requests.kinds import MEANING, Kind
from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.states import WORDS
from lifecycle.wizards import presentation as shown
from lifecycle.wizards.sight import requests_visible_to
from portal.foundation.access.permissions import Permission
from portal.foundation.lists import narrowing, tables
from portal.foundation.lists.paging import page_of
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.middleware import TenantRequest

MOST_EXPORTED = 10_000

# a list need not carry what only the request's own page reads
HEAVY = ("predecessor__der", "predecessor__chain", "why_failed")


class RequestFilters(narrowing.Filters):
    state = forms.ChoiceField(
        label=gettext_lazy("Status"),
        required=False,
        choices=[narrowing.ANY, *((state.value, word) for state, (_tone, word) in WORDS.items())],
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"),
        required=False,
        choices=[narrowing.ANY, *((kind.value, meaning.title) for kind, meaning in MEANING.items())],
    )
    person = narrowing.PersonField(label=gettext_lazy("Asked by"))
    number = forms.CharField(
        label=gettext_lazy("Request number"), required=False, max_length=12, help_text=gettext_lazy("RQ-….")
    )

    SORTS = (("-asked", gettext_lazy("Newest first")), ("asked", gettext_lazy("Oldest first")))
    DEFAULT_SORT = "-asked"

    def __init__(self, request: TenantRequest, area: str, kind: str) -> None:
        super().__init__(request.GET)
        self._visible, self._area, self._kind = requests_visible_to(request), area, kind
        if kind:
            del self.fields["kind"]
        if self._visible:
            del self.fields["person"]

    def found(self) -> QuerySet[CertificateRequest]:
        """The requests that are meant; the caller sorts and pages."""
        asked: dict[str, Any] = {"state": self.chosen("state"), "kind": self._kind or self.chosen("kind")}
        asked["number"] = self.chosen("number").strip().upper()
        if self.chosen("person"):
            asked["requested_by"] = narrowing.person_with(self.chosen("person"))
        if self._area:
            versions = CertificateProfile.objects.filter(area=self._area)
            asked["profile__in"] = list(versions.values_list("pk", flat=True))
        narrowed = {name: value for name, value in asked.items() if value}
        requests = CertificateRequest.objects.filter(**narrowed, **self._visible)
        return requests.select_related("profile", "predecessor").defer(*HEAVY)


@dataclass(frozen=True, slots=True)
class RequestRow:
    pk: UUID
    number: str
    title: str
    status: shown.Chip
    kind_word: str | Promise
    asked_by: str
    asked_at: datetime


def request_list(request: TenantRequest, area: str = "", kind: str = "") -> HttpResponse:
    """All requests the person may see; or one product area's of one kind, such as its rekey requests (0.R7, 0.R8)."""
    with acting_for(request.tenant.pk):
        areas = _areas(area, kind)
        filters = RequestFilters(request, area, kind)
        page = page_of(filters.found(), by="made_at", descending=filters.sort == "-asked", asked=request.GET)
        context = {
            "title": _title(areas.get(area, ""), kind),
            "tabs": _tabs(request, areas, area, kind),
            "requests": _rows(page.rows),
            "sort": filters.chosen("sort"),
            "filters": filters.chips,
            "filter_form": filters,
            "pages": page,
            "export_url": _address(request, "request-export", area, kind),
            "searched": bool(area or kind or filters.chips),
            "may_request": Permission.REQUEST_MAKE in request.seat.permissions,
        }
        return render(request, "requests/list.html", context)


def request_export(request: TenantRequest, area: str = "", kind: str = "") -> HttpResponse:
    """What the list shows, as CSV; at most `MOST_EXPORTED` rows, and the last line says so."""
    with acting_for(request.tenant.pk):
        _areas(area, kind)
        filters = RequestFilters(request, area, kind)
        sign = filters.sort.removesuffix("asked")
        found = list(filters.found().order_by(f"{sign}made_at", f"{sign}pk")[: MOST_EXPORTED + 1])
        rows = _rows(found[:MOST_EXPORTED])
        return tables.as_file(
            "requests.csv",
            [_("Request"), _("About"), _("Status"), _("Kind"), _("Asked by"), _("Asked")],
            (
                [row.number, row.title, row.status.word, row.kind_word, row.asked_by, row.asked_at.isoformat()]
                for row in rows
            ),
            cut=len(found) > MOST_EXPORTED,
        )


def _rows(requests: Iterable[CertificateRequest]) -> list[RequestRow]:
    found = list(requests)
    names = shown.names_of(row.requested_by for row in found)
    return [
        RequestRow(
            row.pk,
            row.number,
            shown.title_of(row),
            shown.chip_of_request(row),
            row.meaning.title,
            names.get(str(row.requested_by), ""),
            row.submitted_at or row.made_at,
        )
        for row in found
    ]


def _areas(area: str, kind: str) -> dict[str, str]:
    """Product areas by their slugs; raises `NotHere` if *area* is none of them, or *kind* no kind."""
    areas = {profile.area: profile.title for profile in CertificateProfile.objects.all_in_force()}
    if (area and area not in areas) or (kind and kind not in MEANING):
        raise NotHere
    return areas


def _title(area: str, kind: str) -> str:
    word = {Kind.REKEY.value: _("Rekey requests"), Kind.ISSUE.value: _("First requests")}.get(kind, _("Requests"))
    return f"{word}: {area}" if area else word


def _tabs(request: TenantRequest, areas: Mapping[str, str], area: str, kind: str) -> list[dict[str, Any]]:
    tabs = [{"label": _("All"), "url": _address(request, "request-list", "", ""), "current": not area}]
    for slug, title in areas.items():
        url = _address(request, "request-list", slug, Kind.REKEY.value)
        label = _("Rekey requests: {area}").format(area=title)
        tabs.append({"label": label, "url": url, "current": slug == area and kind == Kind.REKEY.value})
    return tabs


def _address(request: TenantRequest, name: str, area: str, kind: str) -> str:
    tenant = request.tenant.slug
    if area:
        return reverse(f"{name}-area", kwargs={"tenant": tenant, "area": area, "kind": kind})
    return reverse(name, kwargs={"tenant": tenant})
