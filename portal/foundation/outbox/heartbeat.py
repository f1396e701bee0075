"""How the services say that they live, and what ails them; `/readyz` and the operator read it."""

import os
import socket
import time
from datetime import timedelta
from typing import Any

from django.db import models

from portal.foundation import clock

STALE = timedelta(seconds=30)
FORGOTTEN = timedelta(days=1)
EVERY = 5.0  # seconds

_last: dict[str, float] = {}


class Heartbeat(models.Model):
    """One row a process; a platform table.  So a replica that is well does not hide one that ails."""

    worker = models.CharField(primary_key=True, max_length=120)
    service = models.CharField(max_length=20)
    at = models.DateTimeField()
    facts = models.JSONField(default=dict)

    class Meta:
        app_label = "outbox"

    @property
    def stale(self) -> bool:
        return self.at < clock.now() - STALE

    @property
    def well(self) -> bool:
        """Whether it is heard and nothing ails it."""
        return not self.stale and all(map(is_well, self.facts.values()))


def is_well(fact: Any) -> bool:
    """Whether one fact of a heartbeat is good news: a word, a yes, or the state of a circuit."""
    return fact in ("ok", True) or (isinstance(fact, dict) and fact.get("state") == "closed")


def is_due(service: str) -> bool:
    """Whether it is time again to say how *service* is; asking a token costs something."""
    return time.monotonic() - _last.get(service, 0) >= EVERY


def beat(service: str, **facts: Any) -> None:
    """Say that this process of *service* lives, at most every five seconds."""
    if not is_due(service):
        return
    _last[service] = time.monotonic()
    worker = f"{service}@{socket.gethostname()}:{os.getpid()}"
    Heartbeat.objects.bulk_create(
        [Heartbeat(worker=worker, service=service, at=clock.now(), facts=facts)],
        update_conflicts=True,
        unique_fields=["worker"],
        update_fields=["at", "facts"],
    )


def heard_from(service: str) -> list[Heartbeat]:
    """Return the processes of *service* that live; where none does, the one that was heard last; or nobody."""
    latest_first = list(Heartbeat.objects.filter(service=service).order_by("-at")[:100])
    return [heartbeat for heartbeat in latest_first if not heartbeat.stale] or latest_first[:1]


def forget_the_dead() -> int:
    """Delete what processes said that were silent for a day, but for the last word of each service."""
    later = Heartbeat.objects.filter(service=models.OuterRef("service"), at__gt=models.OuterRef("at"))
    return Heartbeat.objects.filter(models.Exists(later), at__lt=clock.now() - FORGOTTEN).delete()[0]
