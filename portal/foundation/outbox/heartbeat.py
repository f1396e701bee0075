"""How the services say that they live, and what ails them; `/readyz` and the operator read it."""

import time
from datetime import timedelta
from typing import Any

from django.db import models

from portal.foundation import clock

STALE = timedelta(seconds=30)
EVERY = 5.0  # seconds

_last: dict[str, float] = {}


class Heartbeat(models.Model):
    """One row a service; a platform table.  A replica that lives overwrites what a dead one said."""

    service = models.CharField(primary_key=True, max_length=20)
    at = models.DateTimeField()
    facts = models.JSONField(default=dict)

    class Meta:
        app_label = "outbox"

    @property
    def stale(self) -> bool:
        return self.at < clock.now() - STALE


def beat(service: str, **facts: Any) -> None:
    """Say that *service* lives, at most every five seconds."""
    if time.monotonic() - _last.get(service, 0) < EVERY:
        return
    _last[service] = time.monotonic()
    Heartbeat.objects.bulk_create(
        [Heartbeat(service=service, at=clock.now(), facts=facts)],
        update_conflicts=True,
        unique_fields=["service"],
        update_fields=["at", "facts"],
    )
