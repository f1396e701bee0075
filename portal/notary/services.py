"""Promises of the notary, each once: a checkpoint, a verification; and what a verification found, written down."""

from datetime import datetime
from uuid import UUID

from portal.foundation.audit import chain
from portal.foundation.audit.models import AuditEvent, record
from portal.foundation.audit.verify import Verdict
from portal.foundation.outbox.models import Errand, send
from portal.foundation.outbox.registry import Task, task_named
from portal.foundation.tenancy.context import acting_for, current_tenant_id

SIGN, VERIFY = "portal.notary.tasks.sign_chain", "portal.notary.tasks.verify_chain"
NIGHTLY = "relay:nightly"


def promise_checkpoint(tenant_id: UUID) -> bool:
    """Promise to sign the head of a chain that moved since its newest checkpoint, unless that is promised already."""
    with acting_for(tenant_id):
        return ask_for_checkpoint()


def ask_for_checkpoint() -> bool:
    """Do the same in a unit of work that is open."""
    head, last = chain.head(), chain.newest_checkpoint()
    if head is None or (last and last.sequence >= head.sequence) or open_errand(SIGN):
        return False
    send(task(SIGN))
    return True


def promise_nightly_verification(tenant_id: UUID, *, since: datetime) -> bool:
    """Promise to verify a chain, unless that was done after *since* or is promised already."""
    with acting_for(tenant_id):
        done = AuditEvent.objects.filter(
            subject=str(tenant_id), code="journal:verify", actor=NIGHTLY, at__gte=since
        ).exists()
        if done or open_errand(VERIFY):
            return False
        ask_for_verification(by=NIGHTLY)
        return True


def ask_for_verification(*, by: object) -> None:
    """Promise to walk the whole chain, piece by piece, in the unit of work that is open."""
    send(task(VERIFY), by, 0)


def note_verification(verdict: Verdict, *, by: object, seconds: float) -> AuditEvent:
    """Write into the journal that it was verified, and what was found."""
    finding = verdict.finding
    return record(
        actor=by,
        code="journal:verify",
        subject=current_tenant_id(),
        intact=finding is None,
        rows=verdict.rows,
        head=verdict.head.hex(),
        checkpoints=verdict.checkpoints,
        signed_to=verdict.signed_to,
        milliseconds=round(seconds * 1000),
        **({"row": finding.sequence, "event": finding.event, "complaint": str(finding.complaint)} if finding else {}),
    )


def open_errand(name: str) -> Errand | None:
    """Return the tenant's open errand of one of the notary's kinds, parked ones included."""
    here = Errand.objects.filter(tenant_id=current_tenant_id(), queue=task(name).queue, task=name, done_at=None)
    return here.order_by("pk").first()


def task(name: str) -> Task:
    """Return one of the notary's tasks; they are registered by then, wherever errands are sent or run."""
    return task_named(name)
