"""What the frame around every page needs: places, tenants, theme, person.

It reads what the middleware has settled about the request.  What may ask the database is
looked up only when the page shows it, so that the plain error page stands without one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise, SimpleLazyObject
from django.utils.translation import gettext_lazy as _

from lifecycle.authorities.models import CertificateProfile
from portal.foundation.access.permissions import Permission
from portal.foundation.tenancy.context import current_unit
from portal.foundation.tenancy.middleware import Seat

THEMES = ("light", "dark")


@dataclass(frozen=True, slots=True)
class Place:
    """A row of the navigation: where it leads, who sees it, and which pages count as being there."""

    label: str | Promise
    icon: str
    url_name: str
    needs: Permission
    covers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """Places under one heading; the platform's own are not those of a tenant."""

    title: str | Promise
    places: tuple[Place, ...]
    of_platform: bool = False


@dataclass(frozen=True, slots=True)
class NavigationLink:
    label: str
    icon: str
    url: str
    current: bool
    count: int | None = None


@dataclass(frozen=True, slots=True)
class NavigationSection:
    title: str
    links: tuple[NavigationLink, ...]


@dataclass(frozen=True, slots=True)
class TenantChoice:
    name: str
    slug: str
    roles_label: str


SECTIONS = (
    Section("", (Place(_("Home"), "home", "tenant-home", Permission.TENANT_ENTER),)),
    Section(
        _("Certificate Center"),
        (
            Place(
                _("Issued certificates"),
                "certificate",
                "certificate-list",
                Permission.CERTIFICATE_READ,
                ("certificate-",),
            ),
            Place(_("Requests"), "request", "request-list", Permission.REQUEST_READ, ("request-",)),
            Place(_("Domains"), "domain", "domain-list", Permission.DOMAIN_READ, ("domain-",)),
            Place(_("CAA adviser"), "review", "caa-adviser", Permission.DOMAIN_READ, ("caa-",)),
        ),
    ),
    # what the role adds: Policies, Profiles, Agreements, Rules by date, Publishing, People, Journal
    Section(
        _("Your duties"),
        (
            Place(_("Policies"), "policy", "policy-list", Permission.RULES_READ, ("policy-",)),
            Place(_("Profiles"), "certificate", "profile-list", Permission.RULES_READ, ("profile-",)),
            Place(_("Agreements"), "request", "agreement-list", Permission.RULES_READ, ("agreement-",)),
            Place(_("Rules by date"), "calendar", "rules-by-date", Permission.RULES_READ, ("rules-by-date-",)),
            Place(_("Publishing ways"), "publish", "publishing-list", Permission.RULES_READ, ("publishing-",)),
            Place(_("People"), "people", "people-list", Permission.PEOPLE_READ, ("people-", "person", "invitation-")),
            Place(_("Journal"), "audit", "journal", Permission.JOURNAL_READ, ("journal-",)),
            Place(_("Tokens"), "key", "token-list", Permission.TENANT_ENTER, ("token-",)),
        ),
    ),
    Section(
        _("Platform"),
        (
            Place(_("Overview"), "home", "platform-overview", Permission.PLATFORM_OPERATE),
            Place(_("Tenants"), "people", "platform-tenants", Permission.PLATFORM_OPERATE, ("platform-tenant",)),
            Place(_("Authorities and tokens"), "certificate", "platform-authorities", Permission.PLATFORM_OPERATE),
            Place(_("Errands"), "request", "platform-errands", Permission.PLATFORM_OPERATE, ("platform-errand-",)),
            Place(_("Journal"), "audit", "platform-journal", Permission.PLATFORM_OPERATE, ("platform-journal-",)),
        ),
        of_platform=True,
    ),
)


def frame(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `nav`, `tenants`, `seat`, `theme`."""
    seat: Seat | None = getattr(request, "seat", None)
    theme = request.COOKIES.get("theme", "")
    return {
        "seat": seat,
        "nav": _navigation(request, seat) if seat else (),
        "areas": _areas(request, seat) if seat else (),
        "tenants": SimpleLazyObject(lambda: _choices(request)),
        "operates": SimpleLazyObject(lambda: any(seat.of_platform for seat in getattr(request, "seats", ()))),
        "theme": theme if theme in THEMES else "",
    }


def _navigation(request: HttpRequest, seat: Seat) -> tuple[NavigationSection, ...]:
    found = (
        NavigationSection(str(section.title), tuple(_links(request, seat, section)))
        for section in SECTIONS
        if section.of_platform is seat.of_platform
    )
    return tuple(section for section in found if section.links)


def _links(request: HttpRequest, seat: Seat, section: Section) -> Iterator[NavigationLink]:
    here = (request.resolver_match.url_name if request.resolver_match else "") or ""
    where = {} if section.of_platform else {"tenant": seat.tenant.slug}
    for place in section.places:
        if place.needs in seat.permissions:
            inside = here == place.url_name or (bool(place.covers) and here.startswith(place.covers))
            yield NavigationLink(
                label=str(place.label),
                icon=place.icon,
                url=reverse(place.url_name, kwargs=where),
                current=inside and not here.endswith("-area"),
            )


@dataclass(frozen=True, slots=True)
class Area:
    """A product area's own menu (0.R7, 0.R9)."""

    title: str
    links: tuple[NavigationLink, ...]


def _areas(request: HttpRequest, seat: Seat) -> tuple[Area, ...]:
    """The menus of the tenant's product areas; none where a page is shown outside its unit of work."""
    unit = current_unit()
    if unit is None or unit.tenant != seat.tenant.pk or Permission.CERTIFICATE_READ not in seat.permissions:
        return ()
    return tuple(
        Area(profile.title, tuple(_area_links(request, seat, profile.area)))
        for profile in CertificateProfile.objects.all_in_force()
    )


def _area_links(request: HttpRequest, seat: Seat, area: str) -> Iterator[NavigationLink]:
    here = {"tenant": seat.tenant.slug, "area": area}
    for label, icon, url in (
        (_("Issued certificates"), "certificate", reverse("certificate-list-area", kwargs=here)),
        (_("Rekey requests"), "request", reverse("request-list-area", kwargs={**here, "kind": "rekey"})),
    ):
        yield NavigationLink(str(label), icon, url, current=request.path == url)


def _choices(request: HttpRequest) -> list[TenantChoice]:
    seats: tuple[Seat, ...] = getattr(request, "seats", ())
    return [
        TenantChoice(
            name=seat.tenant.name,
            slug=seat.tenant.slug,
            roles_label=", ".join(sorted(str(role.label) for role in seat.roles)),
        )
        for seat in seats
        if not seat.of_platform
    ]
