"""Keeps one tenant's slow receivers from the others' time (F14).

A worker does one thing after the other, so whoever keeps it waiting keeps everybody
waiting.  What is slow may take a fortieth of a worker's time: after a delivery that took two
seconds nothing is delivered for its tenant for eighty, through whatever way, and what is due
waits without a try being counted.
"""

import time
from uuid import UUID

SHARE = 40
QUICK = 1.0
"""Seconds that need no rest."""


class Resting:
    """Which tenants rest, in the memory of one worker; a new worker has to find out anew."""

    def __init__(self) -> None:
        self._until: dict[UUID, float] = {}

    def seconds_left(self, tenant: UUID) -> float:
        return max(self._until.get(tenant, 0.0) - time.monotonic(), 0.0)

    def took(self, tenant: UUID, seconds: float) -> None:
        now = time.monotonic()
        self._until = {each: until for each, until in self._until.items() if until > now}
        if seconds > QUICK:
            self._until[tenant] = now + SHARE * seconds


resting = Resting()
