"""Reads a tenant's chain in order, 2,000 rows a query, however long it is."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from portal.foundation.audit.models import AuditCheckpoint, AuditEvent, AuditSeal
from portal.foundation.tenancy.context import current_tenant_id

PAGE = 2000

# by place and id, since whoever owns the tables can take away the key that makes places unique
_READ = """
SELECT s.sequence, s.id, s.event_id, s.previous, s.digest,
       e.id, e.tenant_id, e.at, e.actor, e.code, e.subject, e.facts, e.digest
  FROM audit_auditseal s LEFT JOIN audit_auditevent e ON e.tenant_id = s.tenant_id AND e.id = s.event_id
 WHERE s.tenant_id = %s AND (s.sequence, s.id) > (%s, %s) AND s.sequence <= %s
 ORDER BY s.sequence, s.id LIMIT %s
"""
_LAST_ID = UUID(int=2**128 - 1)
FOREVER = 2**63 - 1
_START = (-FOREVER, UUID(int=0))


@dataclass(frozen=True, slots=True)
class Link:
    """A seal and the event it seals; None where there is no such event."""

    seal: AuditSeal
    event: AuditEvent | None


def page(*, after: int, seal: UUID | None = None, until: int = FOREVER) -> list[Link]:
    """Return the rows behind the one numbered *after*, up to *until*; empty at the end.  Inside a unit of work.

    *seal* tells that row from a forged one with the same number.
    """
    place = (after, seal or _LAST_ID) if after else _START
    tenant = current_tenant_id()
    with connection.cursor() as cursor:
        cursor.execute(_READ, [str(tenant), place[0], str(place[1]), until, PAGE])
        return [_link(tenant, row) for row in cursor.fetchall()]


def head() -> AuditSeal | None:
    """Return the newest seal of the unit of work's tenant."""
    return AuditSeal.objects.order_by("-sequence").first()


def newest_checkpoint() -> AuditCheckpoint | None:
    return AuditCheckpoint.objects.order_by("-sequence").first()


def _link(tenant: UUID, row: tuple[Any, ...]) -> Link:
    seal = AuditSeal(id=row[1], tenant_id=tenant, sequence=row[0], event_id=row[2], previous=row[3], digest=row[4])
    if row[5] is None:
        return Link(seal, None)
    names = ("id", "tenant_id", "at", "actor", "code", "subject", "facts", "digest")
    told = dict(zip(names, row[5:], strict=True))
    return Link(seal, AuditEvent(**{**told, "facts": json.loads(told["facts"])}))
