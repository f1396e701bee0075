"""What changes who belongs to a tenant, and as what.  Everything runs in the tenant's unit of work.

Every change takes the tenant's row first, so that two administrators at the same moment cannot
each remove the other and leave none.
"""

from collections.abc import Iterable
from uuid import UUID

from portal.foundation import clock
from portal.foundation.access import tokens
from portal.foundation.access.errors import LastAdministrator, NotOnesOwn, RolesNotOffered
from portal.foundation.access.invitations import accept, invite, invite_all, offered_roles, resend, withdraw
from portal.foundation.access.models import Membership
from portal.foundation.access.permissions import Role
from portal.foundation.audit.models import record
from portal.foundation.tenancy.context import current_tenant_id
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.models import PLATFORM, Tenant
from portal.foundation.writing import insert

__all__ = [
    "accept",
    "change_roles",
    "invite",
    "invite_all",
    "remove",
    "resend",
    "suspend",
    "unsuspend",
    "withdraw",
]


def change_roles(person_id: UUID, roles: Iterable[Role], *, by: UUID) -> None:
    """Let *person_id* hold exactly *roles* here.

    Raises `NotHere` for somebody who is no member, `RolesNotOffered`, `NotOnesOwn` for a
    role that *by* would give themselves, or `LastAdministrator`.
    """
    wanted, offered = frozenset(roles), offered_roles()
    if not wanted or not wanted <= frozenset(offered):
        raise RolesNotOffered(roles=", ".join(str(role.label) for role in offered))
    rows = _locked(person_id)
    held = {Role(row.role): row for row in rows}
    given, taken = wanted - held.keys(), held.keys() - wanted
    if given and person_id == by:
        raise NotOnesOwn
    if _chief() in taken:
        _keep_an_administrator(rows)
    suspended_at = rows[0].suspended_at
    insert(*(Membership(person_id=person_id, role=role, suspended_at=suspended_at) for role in sorted(given)))
    Membership.objects.filter(person=person_id, role__in=taken).delete()
    for role in sorted(given):
        record(actor=by, code="membership:give", subject=person_id, role=role)
    for role in sorted(taken):
        record(actor=by, code="membership:take", subject=person_id, role=role)


def suspend(person_id: UUID, *, by: UUID) -> None:
    """Give *person_id* no seat here until `unsuspend`; their roles, drafts and account stay as they are.

    Raises `NotHere` or `LastAdministrator`; does nothing to somebody who is suspended already.
    """
    rows = _locked(person_id)
    if all(row.suspended_at for row in rows):
        return
    _keep_an_administrator(rows)
    Membership.objects.filter(person=person_id, suspended_at=None).update(suspended_at=clock.now())
    record(actor=by, code="membership:suspend", subject=person_id)


def unsuspend(person_id: UUID, *, by: UUID) -> None:
    """Give a suspended member their seat back.  Raises `NotHere` or `NotOnesOwn`."""
    rows = _locked(person_id)
    if person_id == by:
        raise NotOnesOwn
    if not any(row.suspended_at for row in rows):
        return
    Membership.objects.filter(person=person_id).update(suspended_at=None)
    record(actor=by, code="membership:unsuspend", subject=person_id)


def remove(person_id: UUID, *, by: UUID) -> None:
    """Take *person_id* out of the tenant, by an administrator or by themselves.

    Their account stays, and so does what they did here; their tokens end for good, so that none works again
    if they come back.  Raises `NotHere` or `LastAdministrator`.
    """
    rows = _locked(person_id)
    _keep_an_administrator(rows)
    tokens.revoke_all_of(person_id, by=by)
    Membership.objects.filter(person=person_id).delete()
    record(actor=by, code="membership:end", subject=person_id, roles=sorted(row.role for row in rows))


def _locked(person_id: UUID) -> list[Membership]:
    """Take the tenant's turn and return the person's rows in it."""
    Tenant.objects.select_for_update(no_key=True).get(pk=current_tenant_id())
    rows = list(Membership.objects.select_related("person").filter(person=person_id).order_by("role"))
    if not rows:
        raise NotHere
    return rows


def _chief() -> Role:
    """Who manages: in the platform's own tenant its operators."""
    return Role.OPERATOR if current_tenant_id() == PLATFORM else Role.ADMINISTRATOR


def _keep_an_administrator(leaving: list[Membership]) -> None:
    """Refuse to take the last active administrator away; *leaving* are one person's rows."""
    if not any(row.role == _chief() and row.suspended_at is None for row in leaving):
        return
    others = Membership.objects.filter(role=_chief(), suspended_at=None, person__is_active=True)
    if not others.exclude(person=leaving[0].person_id).exists():
        raise LastAdministrator(name=leaving[0].person.name)
