"""Home: the choice of a tenant, and in it the answer to "does anything need me?"."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lifecycle.certificates.models import Certificate, Status
from lifecycle.certificates.selectors import Wanted, ends_by_month, inventory
from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.reviewing import waiting_for
from lifecycle.requests.states import UNDER_WAY, State
from lifecycle.wizards import presentation as shown
from lifecycle.wizards.sight import certificates_visible_to, requests_visible_to
from portal.foundation import clock
from portal.foundation.access.permissions import Permission
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.middleware import PersonRequest, TenantRequest

MOST = 8
MONTHS = 12
NEWS = timedelta(days=7)


def home(request: PersonRequest) -> HttpResponse:
    """Straight into the only tenant there is, or the choice between several."""
    seats = [seat for seat in request.seats if not seat.of_platform]
    operates = any(seat.of_platform for seat in request.seats)
    if operates and not seats:
        return redirect("platform-overview")
    if len(seats) == 1 and not operates:
        return redirect("tenant-home", tenant=seats[0].tenant.slug)
    return render(request, "account/tenants.html")


def tenant_home(request: TenantRequest) -> HttpResponse:
    with acting_for(request.tenant.pk):
        reads = Permission.CERTIFICATE_READ in request.seat.permissions
        attention = [*_reviews(request), *_attention(request)] if reads else []
        heading = (
            ngettext("{count} thing needs you", "{count} things need you", len(attention)).format(count=len(attention))
            if attention
            else _("Nothing needs you")
        )
        context = {
            "heading": heading,
            "lead": "",
            "may_request": Permission.REQUEST_MAKE in request.seat.permissions,
            "attention": attention,
            "running": _running(request) if reads else [],
            "events": _events(request) if reads else [],
            "expiry": _expiry(request) if reads else [],
        }
        return render(request, "home.html", context)


def _mine(request: TenantRequest) -> QuerySet[CertificateRequest]:
    requests = CertificateRequest.objects.filter(requested_by=request.person.pk)
    return requests.select_related("profile", "predecessor").order_by("-made_at", "-pk")


def _reviews(request: TenantRequest) -> list[dict[str, Any]]:
    """How many requests wait for this reviewer; the list shows which."""
    if Permission.REQUEST_APPROVE not in request.seat.permissions:
        return []
    waiting = waiting_for(request.person.pk).order_by("changed_at")
    oldest = waiting.first()
    if oldest is None:
        return []
    count = waiting.count()
    address = reverse("request-list", kwargs={"tenant": request.tenant.slug})
    return [
        {
            "tone": "wait",
            "icon": "wait",
            "what": ngettext(
                "{count} request waits for your review", "{count} requests wait for your review", count
            ).format(count=count),
            "url": f"{address}?{urlencode({'state': State.IN_REVIEW})}",
            "when": _("Since {day}").format(day=f"{oldest.changed_at:%Y-%m-%d}"),
            "why": _("Whoever asked waits for it."),
            "word": _("Review"),
        }
    ]


def _attention(request: TenantRequest) -> list[dict[str, Any]]:
    """Failed requests, drafts left behind, and certificates that end soon; most urgent first."""
    tenant, now = request.tenant.slug, clock.now()
    rows = [
        {
            "tone": "bad",
            "icon": "bad",
            "what": shown.title_of(failed),
            "url": reverse("request-page", kwargs={"tenant": tenant, "pk": failed.pk}),
            "when": _("Failed on {day}").format(day=f"{failed.changed_at:%Y-%m-%d}"),
            "why": failed.why_failed,
            "word": _("Open"),
        }
        for failed in _mine(request).filter(state=State.FAILED, changed_at__gt=now - NEWS)[:MOST]
    ]
    soon = Wanted(
        owner=certificates_visible_to(request), statuses=frozenset({Status.ACTIVE}), ends_before=now + shown.SOON
    )
    replaced = Certificate.objects.filter(predecessor=OuterRef("pk"))
    ending = inventory(soon).defer("der", "chain").exclude(Exists(replaced))
    for certificate in ending.order_by("not_after")[:MOST]:
        days = (certificate.not_after - now).days
        rows.append(
            {
                "tone": "watch",
                "icon": "watch",
                "what": certificate.name,
                "url": reverse("certificate-detail", kwargs={"tenant": tenant, "pk": certificate.pk}),
                "when": ngettext("Expires in {days} day", "Expires in {days} days", days).format(days=days),
                "why": shown.kind_word(certificate),
                "word": _("Open"),
            }
        )
    rows += [
        {
            "tone": "plain",
            "icon": "request",
            "what": shown.title_of(draft),
            "url": reverse("request-page", kwargs={"tenant": tenant, "pk": draft.pk}),
            "when": _("Draft since {day}").format(day=f"{draft.made_at:%Y-%m-%d}"),
            "why": _("Nothing was asked for yet."),
            "word": _("Go on"),
        }
        for draft in _mine(request).filter(state=State.DRAFT)[:MOST]
    ]
    return rows[:MOST]


def _running(request: TenantRequest) -> list[dict[str, Any]]:
    under_way = CertificateRequest.objects.filter(state__in=UNDER_WAY, **requests_visible_to(request))
    return [
        {
            "title": shown.title_of(job),
            "url": reverse("request-page", kwargs={"tenant": request.tenant.slug, "pk": job.pk}),
            "note": shown.chip_of_request(job).word,
            "moving": job.state != State.IN_REVIEW,
        }
        for job in under_way.select_related("profile", "predecessor").order_by("-made_at", "-pk")[:MOST]
    ]


def _events(request: TenantRequest) -> list[shown.Happening]:
    mine = CertificateRequest.objects.filter(**requests_visible_to(request)).order_by("-made_at", "-pk")
    return shown.happenings(mine.values_list("pk", flat=True)[:MOST])[:MOST]


def _expiry(request: TenantRequest) -> list[dict[str, Any]]:
    """How many certificates end in each of the next twelve months."""
    now = clock.now()
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    months = [_later(first, number) for number in range(MONTHS + 1)]
    wanted = Wanted(
        owner=certificates_visible_to(request),
        statuses=frozenset({Status.ACTIVE}),
        ends_from=first,
        ends_before=months[-1],
    )
    found = ends_by_month(wanted)
    most = max(found.values(), default=0)
    address = reverse("certificate-list", kwargs={"tenant": request.tenant.slug})
    return [_month(month, found.get(month, 0), most, address, index) for index, month in enumerate(months[:-1])]


def _month(month: datetime, total: int, most: int, address: str, index: int) -> dict[str, Any]:
    height = round(100 * total / most) if most else 0
    return {
        "label": formats.date_format(month, "F Y"),
        "short": formats.date_format(month, "M"),
        "year": str(month.year) if index == 0 or month.month == 1 else "",
        "url": f"{address}?expires={month:%Y-%m}",
        "total": total,
        "current": index == 0,
        "y": str(100 - height),
        "height": str(height),
    }


def _later(first: datetime, months: int) -> datetime:
    year, month = divmod(first.month - 1 + months, 12)
    return first.replace(year=first.year + year, month=month + 1)
