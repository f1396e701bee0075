"""Identifiers that sort by the time they were made."""

import secrets
import threading
import time
from uuid import UUID

_lock = threading.Lock()
_last = 0


def uuid7() -> UUID:
    """A UUID of version 7 (RFC 9562 section 5.7): 48 bits of milliseconds, 12 of their fraction, 62 of randomness.

    The fraction is method 3 of its section 6.2: what one process makes in one millisecond sorts as it was made, so
    that a journal read by id tells things in the order in which they happened.
    """
    global _last  # noqa: PLW0603 - the clock may stand still or step back; the order may not
    ticks = (time.time_ns() << 12) // 1_000_000
    with _lock:
        _last = ticks = max(ticks, _last + 1)
    value = ticks >> 12 << 80 | 0x7 << 76 | (ticks & 0xFFF) << 64 | 0b10 << 62 | secrets.randbits(62)
    return UUID(int=value)
