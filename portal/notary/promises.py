"""Promises of the notary, each made once however often it is asked for: a checkpoint, a verification, a comparison."""

from datetime import datetime
from uuid import UUID

from portal.foundation.audit import chain
from portal.foundation.audit.models import AuditEvent
from portal.foundation.outbox.models import Errand, send
from portal.foundation.outbox.registry import Task
from portal.foundation.tenancy.context import acting_for, current_tenant_id
from portal.notary.tasks import compare_chain, sign_chain, verify_chain

NIGHTLY = "relay:nightly"


def promise_checkpoint(tenant_id: UUID) -> bool:
    """Promise to sign the head of a chain that moved since its newest checkpoint, unless that is promised already."""
    with acting_for(tenant_id):
        return ask_for_checkpoint()


def ask_for_checkpoint() -> bool:
    """Do the same in the unit of work that is open."""
    head, last = chain.head(), chain.newest_checkpoint()
    if head is None or (last and last.sequence >= head.sequence) or open_errand(sign_chain):
        return False
    send(sign_chain)
    return True


def promise_nightly_verification(tenant_id: UUID, *, since: datetime) -> bool:
    """Promise to verify a chain, unless that was done after *since* or is promised already."""
    with acting_for(tenant_id):
        return not _done_since(since, "journal:verify") and ask_for_verification(by=NIGHTLY)


def promise_nightly_comparison(tenant_id: UUID, *, since: datetime) -> bool:
    """Promise to hold a chain against the anchors and the token's keys, under the same conditions."""
    with acting_for(tenant_id):
        if _done_since(since, "journal:compare") or open_errand(compare_chain):
            return False
        send(compare_chain, NIGHTLY, 0, 0)
        return True


def ask_for_verification(*, by: object) -> bool:
    """Promise, in the unit of work that is open, to walk the whole chain piece by piece."""
    if open_errand(verify_chain):
        return False
    send(verify_chain, by, 0)
    return True


def _done_since(since: datetime, code: str) -> bool:
    nightly = AuditEvent.objects.filter(subject=str(current_tenant_id()), code=code, actor=NIGHTLY)
    return nightly.filter(at__gte=since).exists()


def open_errand(task: Task) -> Errand | None:
    """Return the tenant's open errand of this kind, one that is parked included."""
    mine = Errand.objects.filter(tenant_id=current_tenant_id(), queue=task.queue, task=task.name, done_at=None)
    return mine.order_by("pk").first()
