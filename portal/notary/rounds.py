"""When the relay promises checkpoints, verifications and comparisons.

What it remembers is only which chains moved; at its start and every hour it looks at all
of them, so that nothing depends on its memory.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID

from portal.foundation import clock
from portal.foundation.tenancy.models import Tenant
from portal.notary import promises

SIGN_EVERY = 300.0  # seconds, security.md F10
SIGN_AFTER = 1000  # rows
LOOK_AROUND_EVERY = 3600.0  # seconds
VERIFY_AT = timedelta(hours=2)  # after midnight UTC


@dataclass(slots=True)
class _Moved:
    since: float
    rows: int = 0


@dataclass(slots=True)
class Rounds:
    """The memory of one relay."""

    moved: dict[UUID, _Moved] = field(default_factory=dict)
    looked: float | None = None
    verified: date | None = None

    def go(self, sealed: Mapping[UUID, int]) -> None:
        """Note how many rows of which chains were *sealed* just now, and promise what has become due."""
        now = time.monotonic()
        for tenant_id, rows in sealed.items():
            self.moved.setdefault(tenant_id, _Moved(now)).rows += rows
        if self.looked is None or now - self.looked >= LOOK_AROUND_EVERY:
            self.looked = now
            self._promise(_everybody())
        self._promise([tenant_id for tenant_id, moved in self.moved.items() if _is_due(moved, now)])
        self._verify_nightly()

    def _promise(self, tenants: Iterable[UUID]) -> None:
        for tenant_id in tenants:
            promises.promise_checkpoint(tenant_id)
            self.moved.pop(tenant_id, None)

    def _verify_nightly(self) -> None:
        now = clock.now()
        night = now.replace(hour=0, minute=0, second=0, microsecond=0) + VERIFY_AT
        if now < night or self.verified == now.date():
            return
        for tenant_id in _everybody():
            promises.promise_nightly_verification(tenant_id, since=night)
            promises.promise_nightly_comparison(tenant_id, since=night)
        self.verified = now.date()


def _is_due(moved: _Moved, now: float) -> bool:
    return moved.rows >= SIGN_AFTER or now - moved.since >= SIGN_EVERY


def _everybody() -> list[UUID]:
    return list(Tenant.objects.order_by("pk").values_list("pk", flat=True))
