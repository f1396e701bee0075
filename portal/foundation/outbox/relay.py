"""Rings for errands whose bell was lost or whose worker died."""

from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now

from portal.foundation import clock
from portal.foundation.outbox.bell import ring
from portal.foundation.outbox.models import Errand
from portal.foundation.outbox.registry import QUEUES

REMEMBERED = timedelta(days=30)


def ring_for_what_is_due() -> list[str]:
    """Ring once for every queue that has an errand nobody works on; return the queues."""
    now = Now()  # the database's, as for whoever claims
    due = Errand.objects.filter(
        Q(leased_until=None) | Q(leased_until__lte=now), done_at=None, parked_at=None, due_at__lte=now
    )
    queues = list(due.order_by().values_list("queue", flat=True).distinct())
    for queue in queues:
        ring(queue)
    return queues


def forget_what_is_done() -> int:
    """Delete errands that were done a month ago; what they did is in the journal.  At most a thousand at a time."""
    old = Errand.objects.filter(done_at__lt=clock.now() - REMEMBERED).order_by("done_at").values("pk")[:1000]
    return Errand.objects.filter(pk__in=list(old.values_list("pk", flat=True))).delete()[0]


def wake_everybody() -> bool:
    """Ring every queue, so that idle workers say how they are; return whether the broker took it."""
    return {ring(queue) for queue in QUEUES} == {True}  # every bell is rung, also behind one that was lost
