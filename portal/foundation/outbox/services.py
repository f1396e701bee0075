"""What an operator does with work that was parked, and with work that rested with its tenant.

The first stands in the journal of the tenant whose work it is, and in the platform's.
"""

from contextlib import suppress
from functools import partial
from uuid import UUID

from django.db import transaction

from portal.foundation import clock
from portal.foundation.audit.models import record_for_both
from portal.foundation.outbox.bell import held, ring
from portal.foundation.outbox.models import Errand
from portal.foundation.outbox.registry import QUEUES
from portal.foundation.states import ChangedMeanwhile
from portal.foundation.tenancy.context import acting_for, current_tenant_id

MOST_AT_ONCE = 200
"""Errands tried again with one press: each is a unit of work of its tenant, and somebody waits for the page."""


def try_again(errand: Errand, *, by: UUID) -> None:
    """Let a parked errand be due now, with all its tries; raise `ChangedMeanwhile` if it is parked no more."""
    _change(errand, "errand:again", by, {"parked_at": None, "tries": 0, "due_at": clock.now(), "away_since": None})
    ring(errand.queue)


def try_all_again(task: str, *, by: UUID) -> int:
    """Do it for everything parked of one task, the oldest first, up to `MOST_AT_ONCE`; return how many there were."""
    parked = Errand.objects.filter(task=task, done_at=None, parked_at__isnull=False).order_by("parked_at")
    count = 0
    with held():
        for errand in parked[:MOST_AT_ONCE]:
            with suppress(ChangedMeanwhile):
                try_again(errand, by=by)
                count += 1
    return count


def give_up(errand: Errand, reason: str, *, by: UUID) -> None:
    """Let a parked errand rest for ever; only for work that nobody waits for, which the caller judges."""
    _change(errand, "errand:give-up", by, {"done_at": clock.now()}, reason=reason)


def wake() -> None:
    """Let everything that waited because the unit of work's tenant rested be due now."""
    mine = Errand.objects.filter(tenant_id=current_tenant_id(), done_at=None, parked_at=None)
    mine.filter(away_since__isnull=False).update(due_at=clock.now(), away_since=None)
    for queue in QUEUES:
        transaction.on_commit(partial(ring, queue), robust=True)


def _change(errand: Errand, code: str, by: UUID, to: dict[str, object], **facts: object) -> None:
    with acting_for(errand.tenant_id):
        if not Errand.objects.filter(pk=errand.pk, done_at=None, parked_at__isnull=False).update(**to):
            raise ChangedMeanwhile(thing="errand")
        record_for_both(actor=by, code=code, subject=errand.pk, task=errand.task, **facts)
