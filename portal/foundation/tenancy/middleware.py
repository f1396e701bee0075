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

from portal.foundation import clock
from portal.foundation.access.errors import LookReads, TokenMayNot, TokenWanted
from portal.foundation.access.guards import MayNot, Open, needs, takes_token
from portal.foundation.access.models import ApiToken, Look, Membership, User
from portal.foundation.access.permissions import LOOKING, Permission, Role, permissions_of, roles_with
from portal.foundation.access.scopes import permissions_in, scopes_with
from portal.foundation.access.tokens import recognise
from portal.foundation.audit.models import done_through, one_request, record
from portal.foundation.errors import Refusal
from portal.foundation.tenancy.context import acting_as, acting_for
from portal.foundation.tenancy.errors import NotHere, TenantClosed, TenantSuspended
from portal.foundation.tenancy.models import PLATFORM, Tenant
from portal.foundation.tenancy.role import refuse_unfenced_role

_READING = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Seat:
    """A person's place in one tenant: all their roles there, and what these let them do.

    An operator's time-boxed look is a place, too, with its own end and the right to read; a program's is its
    person's, narrowed to what its token was made for.
    """

    tenant: Tenant
    roles: frozenset[Role]
    look: Look | None = None
    token: ApiToken | None = None

    @property
    def of_platform(self) -> bool:
        return self.tenant.pk == PLATFORM

    @property
    def permissions(self) -> frozenset[Permission]:
        if self.look:
            return LOOKING
        held = permissions_of(self.roles)
        return held & permissions_in(self.token.scopes) if self.token else held


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
    roles: dict[Tenant, set[Role]] = {}
    with acting_as(request.user.pk):
        for row in Membership.of_person():
            roles.setdefault(row.tenant, set()).add(Role(row.role))
        operates = any(tenant.pk == PLATFORM for tenant in roles)
        looks = {look.tenant: look for look in Look.of_person(clock.now())} if operates else {}
    own = [Seat(tenant, frozenset(held)) for tenant, held in roles.items()]
    return (*own, *(Seat(tenant, frozenset(), look) for tenant, look in looks.items() if tenant not in roles))


class TenantMiddleware:
    """Base of the portal's own, which knows how a refusal is shown: what a guard raises here, no view would catch."""

    refuse: Callable[[HttpRequest, Refusal], HttpResponse]
    count: Callable[[ApiToken], None]
    """Counts a program's call, by its token and its tenant; raises a refusal where there were too many."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.tenant = None  # type: ignore[attr-defined]
        request.seat = None  # type: ignore[attr-defined]
        request.seats = SimpleLazyObject(lambda: seats_of(request))  # type: ignore[attr-defined]
        with one_request():
            return self._get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], _args: Any, kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        """Let the view run only if its guard is content; answer instead of it otherwise."""
        needed = needs(view, request.method or "GET")
        if needed is Open.ANYBODY:
            return None
        if takes_token(view):
            return self._let_in_by_token(request, kwargs.pop("tenant"), needed)
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path(), resolve_url("sign-in"))
        request.person = request.user  # type: ignore[attr-defined]
        if isinstance(needed, Permission):
            try:
                self._enter(request, kwargs.pop("tenant", None), needed)
            except Refusal as refusal:
                return self.refuse(request, refusal)
        return None

    def _let_in_by_token(self, request: HttpRequest, slug: str, needed: Permission | Open) -> HttpResponseBase | None:
        """The same for a program; whatever session comes with it is not looked at, so there is nothing to forge."""
        try:
            kind, _space, secret = request.headers.get("Authorization", "").partition(" ")
            if kind.lower() != "bearer":
                raise TokenWanted
            tenant, token, roles = recognise(slug, secret.strip())
            request.tenant, request.person = tenant, token.person  # type: ignore[attr-defined]
            self.count(token)
            _refuse_a_tenant_at_rest(tenant)
            request.seat = seat = Seat(tenant, roles, token=token)  # type: ignore[attr-defined]
            done_through(token.prefix)
            if needed not in permissions_of(roles):
                raise _lacking(needed, tenant)
            if needed not in seat.permissions:
                raise TokenMayNot(scopes=", ".join(scopes_with(Permission(needed))))
        except Refusal as refusal:
            return self.refuse(request, refusal)
        return None

    @staticmethod
    def _enter(request: HttpRequest, slug: str | None, needed: Permission) -> None:
        """Give the request its seat; an address that names no tenant is the platform's own, for its operators."""
        seats: tuple[Seat, ...] = request.seats  # type: ignore[attr-defined]
        inside = [seat for seat in seats if not seat.of_platform and seat.tenant.slug == slug]
        seat = next((seat for seat in seats if seat.of_platform) if slug is None else iter(inside), None)
        if seat is None:
            raise NotHere
        if slug is None and needed not in seat.permissions:
            raise NotHere  # whoever does not operate the platform does not learn what it has
        request.tenant = seat.tenant  # type: ignore[attr-defined]
        if not seat.look:
            _refuse_a_tenant_at_rest(seat.tenant)  # before it has a seat, so that its page offers no way further in
        request.seat = seat  # type: ignore[attr-defined]
        if seat.look:
            _note_the_look(request, seat)
            if request.method not in _READING:
                raise LookReads(tenant=seat.tenant.name)
        if needed not in seat.permissions:
            raise _lacking(needed, seat.tenant)


def _lacking(needed: Permission | Open, tenant: Tenant) -> MayNot:
    roles = ", ".join(str(role.label) for role in roles_with(Permission(needed)))
    return MayNot(roles=roles, tenant=tenant.name)


def _refuse_a_tenant_at_rest(tenant: Tenant) -> None:
    if tenant.is_closed(clock.now()):
        raise TenantClosed(tenant=tenant.name, day=f"{tenant.closes_at:%Y-%m-%d}")
    if tenant.suspended_at:
        raise TenantSuspended(tenant=tenant.name, day=f"{tenant.suspended_at:%Y-%m-%d}")


def _note_the_look(request: HttpRequest, seat: Seat) -> None:
    """Write every page that an operator opens in a tenant into the tenant's journal, before it is shown."""
    with acting_for(seat.tenant.pk):
        record(
            actor=request.user.pk,
            code="look:open",
            subject=seat.look.pk if seat.look else "",
            method=request.method,
            path=request.path,
        )
