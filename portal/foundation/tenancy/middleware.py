"""Names the tenant and judges the guard; opens nothing.

`/t/<slug>/…` names the tenant.  Whether the person belongs there, and whether their
roles hold what the view's guard asks for, is settled here, before the view runs.  A
tenant that the person does not belong to looks like one that does not exist.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import resolve_url
from django.utils.functional import SimpleLazyObject

from portal.foundation.access.guards import MayNot, Open, needs
from portal.foundation.access.models import Membership, User
from portal.foundation.access.permissions import Permission, Role, permissions_of, roles_with
from portal.foundation.errors import Refusal
from portal.foundation.tenancy.context import acting_as
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.models import PLATFORM, Tenant
from portal.foundation.tenancy.role import refuse_unfenced_role


@dataclass(frozen=True, slots=True)
class Seat:
    """A person's place in one tenant: all their roles there, and what these let them do."""

    tenant: Tenant
    roles: frozenset[Role]

    @property
    def permissions(self) -> frozenset[Permission]:
        return permissions_of(self.roles)


class PersonRequest(HttpRequest):
    """A request as a view for signed-in people receives it."""

    id: str
    person: User  # whoever is signed in; the middleware lets nobody else through
    seats: tuple[Seat, ...]


class TenantRequest(PersonRequest):
    """A request as a guarded view inside a tenant receives it."""

    tenant: Tenant
    seat: Seat


def seats_of(request: HttpRequest) -> tuple[Seat, ...]:
    """Every tenant the signed-in person belongs to, by name."""
    if not request.user.is_authenticated:
        return ()
    refuse_unfenced_role()
    with acting_as(request.user.pk):
        rows = list(Membership.of_person())
    roles: dict[Tenant, set[Role]] = {}
    for row in rows:
        roles.setdefault(row.tenant, set()).add(Role(row.role))
    return tuple(Seat(tenant, frozenset(held)) for tenant, held in roles.items())


class TenantMiddleware:
    """Base of the portal's own, which knows how a refusal is shown: what a guard raises here, no view would catch."""

    refuse: Callable[[HttpRequest, Refusal], HttpResponse]

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.tenant = None  # type: ignore[attr-defined]
        request.seat = None  # type: ignore[attr-defined]
        request.seats = SimpleLazyObject(lambda: seats_of(request))  # type: ignore[attr-defined]
        return self._get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], _args: Any, kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        """Let the view run only if its guard is content; answer instead of it otherwise."""
        needed = needs(view)
        if needed is Open.ANYBODY:
            return None
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path(), resolve_url("sign-in"))
        request.person = request.user  # type: ignore[attr-defined]
        if isinstance(needed, Permission):
            try:
                self._enter(request, kwargs.pop("tenant"), needed)
            except Refusal as refusal:
                return self.refuse(request, refusal)
        return None

    @staticmethod
    def _enter(request: HttpRequest, slug: str, needed: Permission) -> None:
        seat = next((seat for seat in request.seats if seat.tenant.slug == slug), None)  # type: ignore[attr-defined]
        if seat is None or seat.tenant.pk == PLATFORM:
            raise NotHere
        request.tenant, request.seat = seat.tenant, seat  # type: ignore[attr-defined]
        if needed not in seat.permissions:
            roles = ", ".join(str(role.label) for role in roles_with(needed))
            raise MayNot(roles=roles, tenant=seat.tenant.name)
