"""What an operator does to tenants: create, suspend, resume, close after a waiting period, take closing back.

Each deed is one unit of work and stands in two journals: the platform's, and the tenant's own, so that
its administrators read who did what to them.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from django.db import IntegrityError, transaction

from portal.foundation import clock
from portal.foundation.access.invitations import Invitee, invite_all
from portal.foundation.access.words import LONGEST_NAME, readable
from portal.foundation.audit.models import record_for_both
from portal.foundation.outbox.services import wake
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import (
    NotHere,
    SlugTaken,
    SlugUnusable,
    TenantChangedMeanwhile,
    TenantNameNotReadable,
    WaitingTooShort,
)
from portal.foundation.tenancy.models import PLATFORM, Tenant

RESERVED = frozenset({"platform", "api", "static", "pki", "demo", "admin", "www", "new", "account"})
"""Slugs that an address of the portal's own has or may get."""

SHORTEST_WAIT, USUAL_WAIT, LONGEST_WAIT = 7, 30, 90
"""Days between closing a tenant and the moment when nobody enters any more."""

_SLUG = re.compile(r"[a-z](?:[a-z0-9]|-(?=[a-z0-9])){1,38}[a-z0-9]")


def create_tenant(slug: str, name: str, *, by: object, administrator: Invitee | None = None) -> Tenant:
    """Make an organisation and invite who administers it first, both or neither.

    Raises `SlugUnusable`, `SlugTaken`, `TenantNameNotReadable`, or what `invite_all` raises.
    """
    if not _SLUG.fullmatch(slug) or slug in RESERVED:
        raise SlugUnusable(slug=slug)
    tenant = Tenant(slug=slug, name=_plain(name))
    with acting_for(tenant.pk):
        tenant.created_at = clock.now()
        try:
            with transaction.atomic():
                tenant.save(force_insert=True)
        except IntegrityError:
            raise SlugTaken(slug=slug) from None
        record_for_both(actor=by, code="tenant:create", subject=tenant.pk, slug=slug, name=tenant.name)
        if administrator:
            invite_all([administrator], by=by)
    return tenant


def rename_tenant(tenant: Tenant, name: str, *, by: UUID) -> None:
    """Give it another name; its slug stands in certificates and stays.  Raises `TenantNameNotReadable`."""
    name = _plain(name)
    _change(tenant, "tenant:rename", by, {}, {"name": name}, name=name, before=tenant.name)


def suspend_tenant(tenant: Tenant, reason: str, *, by: UUID) -> None:
    """Let nobody in and have nothing signed until `resume_tenant`; what is under way waits."""
    _change(tenant, "tenant:suspend", by, {"suspended_at": None}, {"suspended_at": clock.now()}, reason=reason)


def resume_tenant(tenant: Tenant, *, by: UUID) -> None:
    """Let everybody in again; what rested meanwhile is due at once."""
    _change(tenant, "tenant:resume", by, {"suspended_at__isnull": False}, {"suspended_at": None}, then=wake)


def close_tenant(tenant: Tenant, days: int, reason: str, *, by: UUID) -> None:
    """Close after a waiting period of *days*, in which `keep_tenant` takes it back."""
    if not SHORTEST_WAIT <= days <= LONGEST_WAIT:
        raise WaitingTooShort(least=SHORTEST_WAIT, most=LONGEST_WAIT)
    ends = clock.now() + timedelta(days=days)
    _change(tenant, "tenant:close", by, {"closes_at": None}, {"closes_at": ends}, reason=reason, closes_at=ends)


def keep_tenant(tenant: Tenant, *, by: UUID) -> None:
    """Take closing back while the waiting period lasts; afterwards there is nothing to take back."""
    _change(tenant, "tenant:keep", by, {"closes_at__gt": clock.now()}, {"closes_at": None})


def _plain(name: str) -> str:
    plain = " ".join(name.split())
    if not readable(plain):
        raise TenantNameNotReadable(most=LONGEST_NAME)
    return plain


def _change(
    tenant: Tenant,
    code: str,
    by: UUID,
    only_if: dict[str, object],
    to: dict[str, object],
    *,
    then: Callable[[], None] = lambda: None,
    **facts: object,
) -> None:
    """Compare before swapping, so that of two operators the second is told what the first one did."""
    if tenant.pk == PLATFORM:
        raise NotHere
    with acting_for(tenant.pk):
        if not Tenant.objects.filter(pk=tenant.pk, **only_if).update(**to):
            raise TenantChangedMeanwhile(tenant=tenant.name)
        then()
        record_for_both(actor=by, code=code, subject=tenant.pk, **facts)
