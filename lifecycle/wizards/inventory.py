"""The certificate pages: list, detail, download, and the action screen.

A reading view does its queries and its rendering in one unit of work.  A certificate
of somebody else, of another tenant, or of nobody looks the same from here: 404.
"""

import calendar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lifecycle.authorities.models import CertificateProfile
from lifecycle.certificates import exports, selectors
from lifecycle.certificates.models import Certificate, Reason, Status
from lifecycle.certificates.selectors import Wanted
from lifecycle.policies.models import Policy
from lifecycle.policies.rules import broken_by
from lifecycle.requests import proposals
from lifecycle.requests.kinds import MEANING, Kind
from lifecycle.requests.models import CertificateRequest
from lifecycle.wizards import presentation as shown
from lifecycle.wizards import tables
from lifecycle.wizards.entering import begin_from
from lifecycle.wizards.forms import ActionForm
from lifecycle.wizards.paging import page_of
from lifecycle.wizards.sight import certificates_visible_to as visible
from lifecycle.wizards.sight import requests_visible_to
from portal.foundation.access.permissions import Permission, roles_with
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.middleware import TenantRequest

MOST_EXPORTED = 10_000
SORTS = {"expires": "not_after", "name": "name", "issued": "issued_at"}

STATUS_WORDS = {
    Status.ACTIVE: gettext_lazy("Active"),
    Status.EXPIRED: gettext_lazy("Expired"),
    Status.REVOKED: gettext_lazy("Revoked"),
}


class StatusFilter(forms.Form):
    status = forms.ChoiceField(
        label=gettext_lazy("Status"),
        required=False,
        choices=[("", gettext_lazy("Any")), *((status.value, word) for status, word in STATUS_WORDS.items())],
    )


def certificate_list(request: TenantRequest, area: str = "") -> HttpResponse:
    """All certificates the person may see, or those of one product area; filtered, sorted, paged (0.R9)."""
    wanted = _wanted(request, area)
    if numbered := _request_numbered(request, wanted.text):
        return redirect("request-page", tenant=request.tenant.slug, pk=numbered)
    sort = request.GET.get("sort", "")
    by = SORTS.get(sort.removeprefix("-"), "issued_at")
    descending = sort.startswith("-") if sort.removeprefix("-") in SORTS else True
    with acting_for(request.tenant.pk):
        if area and area not in dict(_areas()):
            raise NotHere
        found = proposals.with_request_under_way(selectors.inventory(wanted))
        page = page_of(found, by=by, descending=descending, asked=request.GET)
        offers = Offers.read(request)
        context = {
            "title": dict(_areas()).get(area) or _("Issued certificates"),
            "tabs": _tabs(request, area),
            "certificates": [shown.Row(row, [act for act in offers.acts(row) if not act.refusal]) for row in page.rows],
            "sort": sort,
            "filters": _chosen(wanted),
            "filter_form": StatusFilter(request.GET or None),
            "pages": page,
            "export_url": reverse(
                "certificate-export-area" if area else "certificate-export",
                kwargs={"tenant": request.tenant.slug, **({"area": area} if area else {})},
            ),
            "searched": bool(wanted.text or wanted.statuses or wanted.ends),
            "may_request": Permission.REQUEST_MAKE in request.seat.permissions,
        }
        return render(request, "certificates/list.html", context)


def _wanted(request: TenantRequest, area: str) -> Wanted:
    return Wanted(
        owner=visible(request),
        text=request.GET.get("q", "").replace("\0", "").strip()[:250],
        statuses=frozenset(Status(s) for s in [request.GET.get("status", "")] if s in STATUS_WORDS),
        area=area,
        ends=_month(request.GET.get("expires", "")),
    )


def _request_numbered(request: TenantRequest, text: str) -> UUID | None:
    """The request somebody searches by its number, if they may see it."""
    if not text.upper().startswith("RQ-"):
        return None
    with acting_for(request.tenant.pk):
        found = CertificateRequest.objects.filter(number=text.upper(), **requests_visible_to(request)).first()
    return found.pk if found else None


def certificate_export(request: TenantRequest, area: str = "") -> HttpResponse:
    """What the list shows, filtered alike, as CSV; at most `MOST_EXPORTED` rows, and the last line says so."""
    with acting_for(request.tenant.pk):
        found = selectors.inventory(_wanted(request, area)).order_by("-issued_at", "-pk")
        rows = list(found[: MOST_EXPORTED + 1])
    content = tables.as_csv(
        [_("Name"), _("Status"), _("Profile"), _("Serial"), _("Valid from"), _("Valid to"), _("Key"), "SHA-256"],
        [
            [
                row.name,
                shown.chip_of(row).word,
                row.profile.title,
                shown.colons(row.serial),
                row.not_before.isoformat(),
                row.not_after.isoformat(),
                shown.key_word(row.key_type),
                row.fingerprint,
            ]
            for row in rows[:MOST_EXPORTED]
        ],
        cut=len(rows) > MOST_EXPORTED,
    )
    return HttpResponse(
        content,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="certificates.csv"', "Cache-Control": "private"},
    )


def _month(text: str) -> tuple[datetime, datetime] | None:
    """Read `2026-11` as the month's beginning and end; None for anything else."""
    try:
        first = datetime.strptime(f"{text}+0000", "%Y-%m%z")
        return first, first + timedelta(days=calendar.monthrange(first.year, first.month)[1])
    except (ValueError, OverflowError):
        return None


def _areas() -> list[tuple[str, str]]:
    """Product areas, by title; a profile names its area, and its title is the area's."""
    return [(profile.area, profile.title) for profile in CertificateProfile.objects.all_in_force()]


def _tabs(request: TenantRequest, area: str) -> list[dict[str, Any]]:
    tenant = request.tenant.slug
    tabs = [{"label": _("All"), "url": reverse("certificate-list", kwargs={"tenant": tenant}), "current": not area}]
    return tabs + [
        {
            "label": title,
            "url": reverse("certificate-list-area", kwargs={"tenant": tenant, "area": slug}),
            "current": slug == area,
        }
        for slug, title in _areas()
    ]


def _chosen(wanted: Wanted) -> list[dict[str, Any]]:
    chosen = [{"param": "q", "label": _("Search"), "value": wanted.text}] if wanted.text else []
    if wanted.ends:
        chosen.append({"param": "expires", "label": _("Expires in"), "value": f"{wanted.ends[0]:%Y-%m}"})
    return chosen + [
        {"param": "status", "label": _("Status"), "value": STATUS_WORDS[status]} for status in wanted.statuses
    ]


@dataclass(frozen=True, slots=True)
class Offers:
    """What a person may begin with certificates of a tenant; read once for a whole page."""

    may: bool
    person: UUID
    policies: dict[tuple[str, str], Policy]

    @classmethod
    def read(cls, request: TenantRequest) -> "Offers":
        newest = Policy.objects.order_by("profile", "operation", "-version").distinct("profile", "operation")
        return cls(
            Permission.REQUEST_MAKE in request.seat.permissions,
            request.person.pk,
            {(policy.profile, policy.operation): policy for policy in newest},
        )

    def acts(self, certificate: Certificate) -> list[shown.Act]:
        """Every operation that starts from a certificate.

        One that is switched off is left out (0.R11); any other that is not possible now says why.
        """
        acts = []
        for kind, meaning in MEANING.items():
            policy = self.policies.get((certificate.profile.slug, kind.value))
            if not meaning.starts_from_certificate or policy is None or not policy.enabled:
                continue
            broken = broken_by(proposals.of_certificate(certificate, kind, policy))
            refusal = " ".join(str(each) for each in broken) or self._not_theirs(certificate)
            acts.append(shown.Act(kind.value, meaning.title, meaning.promise, refusal))
        return acts

    def _not_theirs(self, certificate: Certificate) -> str:
        if not self.may:
            roles = ", ".join(str(role.label) for role in roles_with(Permission.REQUEST_MAKE))
            return _("This needs the role {roles}.").format(roles=roles)
        if certificate.owner != self.person:
            return _("Only the person who asked for this certificate can do this.")
        return ""


def certificate_of(request: TenantRequest, pk: UUID) -> Certificate:
    """The certificate, if the person may see it; the caller is inside the unit of work."""
    found = proposals.with_request_under_way(selectors.inventory(Wanted(owner=visible(request))))
    certificate = found.filter(pk=pk).first()
    if certificate is None:
        raise NotHere
    return certificate


def certificate_detail(request: TenantRequest, pk: UUID) -> HttpResponse:
    with acting_for(request.tenant.pk):
        certificate = certificate_of(request, pk)
        acts = Offers.read(request).acts(certificate)
        family = selectors.lineage(certificate)
        owner = visible(request)
        row = shown.Row(certificate, acts)
        context = {
            "certificate": row,
            "lead": _lead(certificate),
            "notice": _notice(request.tenant.slug, certificate, family, owner),
            "primary": next((act for act in acts if not act.refusal), None),
            "acts": acts,
            "open_request": _open_request(certificate, request.person.pk),
            "facts": shown.facts_of(row, shown.names_of([certificate.owner]).get(str(certificate.owner), "")),
            "lineage": shown.family_tree(
                request.tenant.slug,
                family,
                certificate.pk,
                {member.pk for member in family if owner in (None, member.owner)},
            ),
            "events": shown.happenings([certificate.pk, certificate.made_from, *_requests_about(certificate)]),
        }
        return render(request, "certificates/detail.html", context)


def _lead(certificate: Certificate) -> str:
    names = shown.alternative_names(certificate.x509)
    if names:
        return _("{profile} for {names}.").format(profile=certificate.profile.title, names=", ".join(names))
    return _("{profile} certificate.").format(profile=certificate.profile.title)


def _notice(
    tenant: str, certificate: Certificate, family: list[Certificate], owner: UUID | None
) -> dict[str, Any] | None:
    """What a reader must know before anything else: that it is revoked, or that a newer one exists."""
    if certificate.status is Status.REVOKED:
        text = _("It was revoked on {day}. Reason: {reason}.").format(
            day=f"{certificate.revoked_at:%Y-%m-%d %H:%M}",  # type: ignore[attr-defined]
            reason=Reason(certificate.revoked_for).label,  # type: ignore[attr-defined]
        )
        return {"tone": "watch", "icon": "watch", "title": _("Do not trust this certificate"), "text": text}
    newer = [each for each in family if each.predecessor_id == certificate.pk and owner in (None, each.owner)]
    if not newer:
        return None
    return {
        "tone": "plain",
        "icon": "info",
        "title": _("There is a newer certificate"),
        "text": _("It was rekeyed on {day}.").format(day=f"{newer[-1].issued_at:%Y-%m-%d}"),
        "url": reverse("certificate-detail", kwargs={"tenant": tenant, "pk": newer[-1].pk}),
        "word": _("Open the newer one"),
    }


def _open_request(certificate: Certificate, person: UUID) -> dict[str, Any] | None:
    if certificate.under_way_pk is None:  # type: ignore[attr-defined]
        return None
    wanted = CertificateRequest.objects.get(pk=certificate.under_way_pk)  # type: ignore[attr-defined]
    return {
        "pk": wanted.pk,
        "number": wanted.number,
        "word": _("Open request {number}").format(number=wanted.number),
        "mine": wanted.requested_by == person,
    }


def _requests_about(certificate: Certificate) -> QuerySet[CertificateRequest, UUID]:
    return CertificateRequest.objects.filter(predecessor=certificate).values_list("pk", flat=True)


def certificate_download(request: TenantRequest, pk: UUID, form: str) -> HttpResponse:
    """The certificate in one of the forms of `exports.FORMATS` (1.R30, 2.R18)."""
    chosen = exports.FORMATS.get(form)
    if chosen is None:
        raise NotHere
    with acting_for(request.tenant.pk):
        certificate = certificate_of(request, pk)
        chain = certificate.authority.chain()
    content = chosen.write(certificate.x509, chain)
    name = exports.file_name(certificate.x509, chosen)
    return HttpResponse(
        content,
        content_type=chosen.media_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private"},
    )


def certificate_action(request: TenantRequest, pk: UUID) -> HttpResponse:
    """Choose an action, confirm, and open its request (0.R16, 0.R17)."""
    with acting_for(request.tenant.pk):
        certificate = certificate_of(request, pk)
        acts = Offers.read(request).acts(certificate)
        choices = [(act.kind, MEANING[Kind(act.kind)].action) for act in acts if not act.refusal]
        form = ActionForm(request.POST or None, choices=choices)
        if request.method != "POST" or not form.is_valid():
            context = {
                "certificate": shown.Row(certificate, acts),
                "form": form,
                "refused": [{"word": act.word, "reason": act.refusal} for act in acts if act.refusal],
            }
            return render(request, "certificates/action.html", context, status=422 if form.is_bound else 200)
    return redirect(begin_from(request, Kind(form.cleaned_data["action"]), certificate=pk))
