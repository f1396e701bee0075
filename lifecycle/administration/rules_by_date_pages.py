"""“Rules by date”: what the rules change when, and whom of the tenant each change reaches, with the lists."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lifecycle.administration import rules_by_date
from lifecycle.administration.reach import Reach, reach_of
from lifecycle.administration.rules_by_date import Change, Touches
from lifecycle.authorities.models import CertificateProfile
from lifecycle.certificates.models import Certificate
from lifecycle.validation.methods import day_of
from lifecycle.validation.models import Domain
from portal.foundation import clock
from portal.foundation.lists.paging import page_of
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.middleware import TenantRequest


@dataclass(frozen=True, slots=True)
class Row:
    said: str
    source: str
    reach: str = ""
    url: str = ""
    counts_now: bool = False


@dataclass(frozen=True, slots=True)
class Day:
    at: datetime
    rows: list[Row]
    away: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A certificate that lives longer than whatever replaces it will."""

    name: str
    url: str
    profile: str
    not_after: datetime
    days: str


def rules_by_date_page(request: TenantRequest) -> HttpResponse:
    """What is in force, what comes, and what was; only what comes is counted."""
    today = day_of(clock.now())
    counting = rules_by_date.in_force(today)
    with acting_for(request.tenant.pk):
        profiles = CertificateProfile.objects.all_in_force()
        ahead = [each for each in rules_by_date.changes() if each.day > today]
        behind = [each for each in rules_by_date.changes() if each.day <= today]
        context = {
            "today": clock.now(),
            "ahead": list(_days(ahead, today, lambda change: _counted(request, change, profiles))),
            "now": [Row(each.said, each.source) for each in behind if each.slug in counting],
            "behind": list(
                _days(behind, today, lambda each: Row(each.said, each.source, "", "", each.slug in counting))
            ),
        }
        return render(request, "administration/rules_by_date.html", context)


def _days(changes: Iterable[Change], today: date, row: Any) -> Iterator[Day]:
    for at, of_day in groupby(changes, key=lambda change: change.begins):
        yield Day(at, [row(change) for change in of_day], _away(at.date(), today))


def _away(day: date, today: date) -> str:
    count = (day - today).days
    return ngettext("in {count} day", "in {count} days", count).format(count=count) if count > 0 else ""


def _counted(request: TenantRequest, change: Change, profiles: list[CertificateProfile]) -> Row:
    said = reach_of(change, profiles).said
    where = {"tenant": request.tenant.slug, "change": change.slug}
    url = reverse("rules-by-date-change", kwargs=where) if said else ""
    return Row(change.said, change.source, said or _("It reaches nothing of yours."), url)


def rules_by_date_change(request: TenantRequest, change: str) -> HttpResponse:
    """The list behind one number: profiles, and the certificates or domains, page by page."""
    asked = next((each for each in rules_by_date.changes() if each.slug == change), None)
    if asked is None:
        raise NotHere
    with acting_for(request.tenant.pk):
        reach = reach_of(asked, CertificateProfile.objects.all_in_force())
        context = {
            "change": asked,
            "away": _away(asked.day, day_of(clock.now())),
            "reach": reach.said or _("It reaches nothing of yours."),
            "advice": ADVICE[asked.touches](),
            "profiles": [(each, _valid_for(each.terms.days)) for each in reach.profiles],
            **_listed(request, asked, reach),
        }
        return render(request, "administration/rules_by_date_change.html", context)


ADVICE = {
    Touches.LIFETIMES: lambda: _(
        "Lower the validity of these profiles before that day: what asks for more is refused from then on. "
        "Certificates that are there keep their lifetime; plan that they are replaced more often."
    ),
    Touches.PROOFS: lambda: _(
        "These domains have to be proven again on that day or before. Let the portal publish the proof by itself, "
        "and it happens without you."
    ),
    Touches.METHOD: lambda: _("Choose another way to prove these domains before that day."),
    Touches.PERSPECTIVES: lambda: _("There is nothing to do: the operator of this portal provides the perspectives."),
}


def _listed(request: TenantRequest, change: Change, reach: Reach) -> dict[str, Any]:
    if reach.certificates is not None:
        found = reach.certificates.select_related("profile").defer("der", "chain")
        page = page_of(found, by="not_after", descending=False, asked=request.GET)
        return {"certificates": [_line(request, each) for each in page.rows], "pages": page}
    if reach.domains is not None:
        by = "proved_at" if change.touches is Touches.PROOFS else "added_at"
        domains = page_of(reach.domains, by=by, descending=False, asked=request.GET)
        return {"domains": [(each, _ends(each, change)) for each in domains.rows], "pages": domains}
    return {}


def _line(request: TenantRequest, certificate: Certificate) -> Line:
    url = reverse("certificate-detail", kwargs={"tenant": request.tenant.slug, "pk": certificate.pk})
    days = -(-(certificate.not_after - certificate.not_before) // timedelta(days=1))  # BR 6.3.2: any fraction counts
    title = certificate.profile.title if certificate.profile else ""
    return Line(certificate.name, url, title, certificate.not_after, _valid_for(days))


def _ends(domain: Domain, change: Change) -> datetime | None:
    """When its proof would end by the limit until then."""
    if domain.proved_at is None or change.before is None:
        return None
    return domain.proved_at + timedelta(days=change.before)


def _valid_for(days: int) -> str:
    return ngettext("{days} day", "{days} days", days).format(days=days)
