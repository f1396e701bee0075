"""Work that must happen after a commit, written down before it.

`transaction.on_commit` alone loses the message when the process dies between
COMMIT and the broker.  The row is the promise; `on_commit` is only the fast path,
and the relay rings again for whatever is still due.
"""

from datetime import timedelta
from uuid import UUID

from django.db import models, transaction
from django.db.models import Q

from portal.foundation import clock
from portal.foundation.ids import uuid7
from portal.foundation.outbox.bell import ring
from portal.foundation.outbox.heartbeat import Heartbeat
from portal.foundation.outbox.registry import Task
from portal.foundation.tenancy.context import current_unit
from portal.foundation.tenancy.models import PLATFORM
from portal.foundation.writing import change, insert

__all__ = ["Errand", "Heartbeat", "send", "waiting"]


class Errand(models.Model):
    """A promised piece of work: ids only, never data.

    A platform table: workers claim fairly over all tenants and learn from the row
    whose unit of work to open.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant_id = models.UUIDField()
    queue = models.CharField(max_length=20)
    task = models.CharField(max_length=80)
    args = models.JSONField(default=list)
    due_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    away_since = models.DateTimeField(null=True)  # since when what it needs has been away
    last_error = models.TextField(default="")
    parked_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["queue", "tenant_id", "due_at"],
                name="errand_open",
                condition=Q(done_at=None, parked_at=None),
            ),
            models.Index(
                fields=["parked_at"], name="errand_parked", condition=Q(done_at=None, parked_at__isnull=False)
            ),
            models.Index(fields=["done_at"], name="errand_done", condition=Q(done_at__isnull=False)),
        ]

    def finish(self) -> None:
        """Mark as done, in the unit of work that has the effect."""
        self.done_at = clock.now()
        change(Errand, where={"id": self.pk, "done_at": None}, to={"done_at": self.done_at, "leased_until": None})

    def postpone(self, by: timedelta) -> None:
        """Let it become due later; in the unit of work that sent it."""
        self.due_at += by
        Errand.objects.filter(pk=self.pk).update(due_at=self.due_at)


def send(task: Task, *args: object) -> Errand:
    """Promise to run *task* once this unit of work is committed."""
    unit = current_unit()
    errand = Errand(
        tenant_id=(unit.tenant if unit else None) or PLATFORM,
        queue=task.queue,
        task=task.name,
        args=[str(arg) for arg in args],
        due_at=clock.now(),
    )
    insert(errand)
    transaction.on_commit(lambda: ring(task.queue), robust=True)  # best effort: the relay finds what this misses
    return errand


def waiting(tenant_id: UUID, task: Task, *args: object) -> models.QuerySet[Errand]:
    """Open errands of this task with these arguments."""
    return Errand.objects.filter(
        tenant_id=tenant_id, queue=task.queue, task=task.name, args=[str(a) for a in args], done_at=None
    )
