"""Numbers and chains what `record` wrote.

The chain is not made in the deed's own transaction: every deed of a tenant would
then wait for the one before, and two workers would be no faster than one.
"""

from uuid import UUID

from django.db import connection

from portal.foundation.audit.models import AuditEvent, AuditSeal, Unsealed
from portal.foundation.tenancy.context import acting_for

BATCH = 1000
START = bytes(32)


def seal_everything() -> dict[UUID, int]:
    """Seal what waits, tenant by tenant; return how many rows of each."""
    waiting = Unsealed.objects.values_list("tenant_id", flat=True).order_by("tenant_id").distinct()
    return {tenant_id: seal(tenant_id) for tenant_id in list(waiting)}


def seal(tenant_id: UUID) -> int:
    """Append up to `BATCH` waiting events of one tenant to its chain.

    Two sealers may run: whoever comes second finds the tenant locked and leaves it.
    """
    with acting_for(tenant_id):
        if not _lock(tenant_id):
            return 0
        waiting = list(
            Unsealed.objects.filter(tenant_id=tenant_id).order_by("event_id").values_list("event_id", flat=True)[:BATCH]
        )
        events = AuditEvent.objects.filter(pk__in=waiting).order_by("pk").only("pk", "digest")
        last = AuditSeal.objects.order_by("-sequence").first()
        sequence, previous = (last.sequence, bytes(last.digest)) if last else (0, START)
        seals = []
        for event in events:
            sequence += 1
            fresh = AuditSeal(id=event.pk, sequence=sequence, event=event, previous=previous)
            fresh.digest = previous = fresh.computed_digest(bytes(event.digest))
            seals.append(fresh)
        AuditSeal.objects.bulk_create(seals)
        Unsealed.objects.filter(event_id__in=waiting).delete()
        return len(seals)


def _lock(tenant_id: UUID) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext('journal'), hashtext(%s))", [str(tenant_id)])
        return bool(cursor.fetchone()[0])
