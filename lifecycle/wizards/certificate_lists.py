"""The list of certificates: narrowed, sorted, paged, and written out as it is shown."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lifecycle.authorities.keys import KEY_KINDS
from lifecycle.authorities.models import CertificateProfile
from lifecycle.certificates import selectors
from lifecycle.certificates.models import Certificate, Source, Status
from lifecycle.certificates.selectors import Wanted
from lifecycle.requests import proposals
from lifecycle.requests.models import CertificateRequest
from lifecycle.wizards import presentation as shown
from lifecycle.wizards.inventory import Offers
from lifecycle.wizards.sight import certificates_visible_to as visible
from lifecycle.wizards.sight import requests_visible_to
from portal.foundation import clock
from portal.foundation.access.permissions import Permission
from portal.foundation.lists import narrowing, tables
from portal.foundation.lists.paging import page_of
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.middleware import TenantRequest

MOST_EXPORTED = 10_000
MOST_ISSUERS = 100
COLUMNS = {"expires": "not_after", "name": "name", "issued": "issued_at"}

STATUS_WORDS = {
    Status.ACTIVE: gettext_lazy("Active"),
    Status.EXPIRED: gettext_lazy("Expired"),
    Status.REVOKED: gettext_lazy("Revoked"),
}
SPANS = {
    "7": gettext_lazy("In 7 days"),
    "30": gettext_lazy("In 30 days"),
    "90": gettext_lazy("In 90 days"),
}

# a list need not carry what only the certificate's own page reads
HEAVY = ("der", "chain", "authority__certificate_der", "authority__caa_identities")


class CertificateFilters(narrowing.Filters):
    status = forms.ChoiceField(
        label=gettext_lazy("Status"), required=False, choices=[narrowing.ANY, *STATUS_WORDS.items()]
    )
    source = forms.ChoiceField(label=gettext_lazy("Source"), required=False, choices=[narrowing.ANY, *Source.choices])
    profile = forms.ChoiceField(label=gettext_lazy("Profile"), required=False)
    key = forms.ChoiceField(
        label=gettext_lazy("Key"),
        required=False,
        choices=[
            narrowing.ANY,
            *((slug, kind.title) for slug, kind in KEY_KINDS.items()),
            ("other", gettext_lazy("Other")),
        ],
    )
    issuer = forms.ChoiceField(label=gettext_lazy("Issuer"), required=False)
    owner = narrowing.PersonField(label=gettext_lazy("Owner"))
    ends = forms.ChoiceField(label=gettext_lazy("Expires"), required=False, choices=[narrowing.ANY, *SPANS.items()])
    expires = narrowing.MonthField(label=gettext_lazy("Expires in the month"))
    ends_from = narrowing.DayField(label=gettext_lazy("Expires from"))
    ends_until = narrowing.DayField(label=gettext_lazy("Expires until"))

    SORTS = (
        ("-issued", gettext_lazy("Newest first")),
        ("issued", gettext_lazy("Oldest first")),
        ("name", gettext_lazy("Name, A to Z")),
        ("-name", gettext_lazy("Name, Z to A")),
        ("expires", gettext_lazy("Expires first")),
        ("-expires", gettext_lazy("Expires last")),
    )
    DEFAULT_SORT = "-issued"
    BESIDES = {"q": "A name, e-mail address, domain, serial number or fingerprint, or the beginning of one."}

    def __init__(self, request: TenantRequest, area: str, profiles: Sequence[CertificateProfile]) -> None:
        super().__init__(request.GET)
        self._viewer, self._area = visible(request), area
        self.fields["profile"].choices = [narrowing.ANY, *((one.slug, one.title) for one in profiles)]  # type: ignore[attr-defined]
        named = [(name, name) for name in selectors.issuers(most=MOST_ISSUERS)]
        self.fields["issuer"].choices = [narrowing.ANY, *named]  # type: ignore[attr-defined]
        if area:
            del self.fields["profile"]
        if self._viewer:
            del self.fields["owner"]

    @property
    def sort(self) -> str:
        """Whoever asks for what ends sees it in that order, unless they choose another one."""
        if self.chosen("sort"):
            return str(self.chosen("sort"))
        if self.chosen("status") == Status.EXPIRED:
            return "-expires"
        return "expires" if any(since or before for since, before in self._ends()) else self.DEFAULT_SORT

    @property
    def text(self) -> str:
        """What is searched for: the one filter that has its field in the frame of the page."""
        return str(self.data.get("q", "")).strip()

    @property
    def chips(self) -> list[dict[str, Any]]:
        searched = [{"param": "q", "label": _("Search"), "value": self.text}] if self.text else []
        return searched + super().chips

    def wanted(self) -> Wanted:
        owner = self._viewer
        if owner is None and self.chosen("owner"):
            owner = narrowing.person_with(self.chosen("owner"))
        ends = list(self._ends())
        return Wanted(
            owner=owner,
            text=self.text,
            statuses=frozenset({Status(self.chosen("status"))} if self.chosen("status") else ()),
            source=self.chosen("source"),
            area=self._area,
            profile=self.chosen("profile"),
            key_type=self.chosen("key"),
            issuer=self.chosen("issuer"),
            ends_from=max((since for since, _before in ends if since), default=None),
            ends_before=min((before for _since, before in ends if before), default=None),
        )

    def _ends(self) -> Iterator[tuple[datetime | None, datetime | None]]:
        """The spans in which the certificates must end, all of them: from, and before."""
        now = clock.now()
        if span := self.chosen("ends"):
            yield now, now + timedelta(days=int(span))
        if month := self.chosen("expires"):
            yield narrowing.beginning(month), narrowing.beginning(narrowing.month_after(month))
        if first := self.chosen("ends_from"):
            yield narrowing.beginning(first), None
        if last := self.chosen("ends_until"):
            yield None, narrowing.beginning(narrowing.day_after(last))


def certificate_list(request: TenantRequest, area: str = "") -> HttpResponse:
    """All certificates the person may see, or those of one product area; filtered, sorted, paged (0.R9)."""
    if numbered := _request_numbered(request):
        return redirect("request-page", tenant=request.tenant.slug, pk=numbered)
    with acting_for(request.tenant.pk):
        profiles = profiles_of(area)
        filters = CertificateFilters(request, area, profiles)
        found = proposals.with_request_under_way(selectors.inventory(filters.wanted())).defer(*HEAVY)
        by, descending = order_of(filters)
        page = page_of(found, by=by, descending=descending, asked=request.GET)
        offers = Offers.read(request)
        may = request.seat.permissions
        context = {
            "title": {one.area: one.title for one in profiles}.get(area) or _("Issued certificates"),
            "tabs": _tabs(request, area, profiles),
            "certificates": [shown.Row(row, [act for act in offers.acts(row) if not act.refusal]) for row in page.rows],
            "sort": filters.sort,
            "filters": filters.chips,
            "filter_form": filters,
            "pages": page,
            "export_url": _address(request, "certificate-export", area),
            "searched": bool(filters.chips),
            "may_request": Permission.REQUEST_MAKE in may,
            "may_upload": Permission.CERTIFICATE_UPLOAD in may,
        }
        return render(request, "certificates/list.html", context)


def certificate_export(request: TenantRequest, area: str = "") -> HttpResponse:
    """What the list shows, filtered and sorted alike, as CSV; where rows are left out, the last line says so."""
    with acting_for(request.tenant.pk):
        filters = CertificateFilters(request, area, profiles_of(area))
        by, descending = order_of(filters)
        sign = "-" if descending else ""
        found = selectors.inventory(filters.wanted()).defer(*HEAVY).order_by(f"{sign}{by}", f"{sign}pk")
        rows = list(found[: MOST_EXPORTED + 1])
        owners = shown.names_of(row.owner for row in rows)
        head = [_("Name"), _("Status"), _("Source"), _("Profile"), _("Issuer"), _("Owner"), _("Serial")]
        head += [_("Valid from"), _("Valid to"), _("Key"), "SHA-256"]
        return tables.as_file(
            "certificates.csv",
            head,
            (_cells(row, owners.get(str(row.owner), "")) for row in rows[:MOST_EXPORTED]),
            cut=len(rows) > MOST_EXPORTED,
        )


def _cells(row: Certificate, owner: str) -> list[object]:
    return [
        row.name,
        shown.chip_of(row).word,
        Source(row.source).label,
        row.profile.title if row.profile else "",
        row.issuer,
        owner,
        shown.colons(row.serial),
        row.not_before.isoformat(),
        row.not_after.isoformat(),
        shown.key_word(row.key_type),
        row.fingerprint,
    ]


def order_of(filters: CertificateFilters) -> tuple[str, bool]:
    return COLUMNS[filters.sort.removeprefix("-")], filters.sort.startswith("-")


def _request_numbered(request: TenantRequest) -> UUID | None:
    """The request somebody searches by its number, if they may see it."""
    text = request.GET.get("q", "").replace("\0", "").strip().upper()
    if not text.startswith("RQ-"):
        return None
    with acting_for(request.tenant.pk):
        found = CertificateRequest.objects.filter(number=text, **requests_visible_to(request)).first()
    return found.pk if found else None


def profiles_of(area: str) -> list[CertificateProfile]:
    """The newest version of every profile; raises `NotHere` for an area that none of them is of."""
    profiles = CertificateProfile.objects.all_in_force()
    if area and area not in {one.area for one in profiles}:
        raise NotHere
    return profiles


def _tabs(request: TenantRequest, area: str, profiles: Sequence[CertificateProfile]) -> list[dict[str, Any]]:
    every = {"label": _("All"), "url": _address(request, "certificate-list", ""), "current": not area}
    areas = {one.area: one.title for one in profiles}
    return [every] + [
        {"label": title, "url": _address(request, "certificate-list", slug), "current": slug == area}
        for slug, title in areas.items()
    ]


def _address(request: TenantRequest, name: str, area: str) -> str:
    tenant = request.tenant.slug
    if area:
        return reverse(f"{name}-area", kwargs={"tenant": tenant, "area": area})
    return reverse(name, kwargs={"tenant": tenant})
