"""How often programs may call: so many times a minute with one token, and with all tokens of one tenant together.

Counted in Redis, for all web processes together.  While Redis is away each process counts for itself: programs are
let in, and none of them can take everything.
"""

from urllib.parse import parse_qs, urlsplit

import redis
from django.utils.translation import gettext as _
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from structlog import get_logger

from portal.config import config
from portal.foundation import clock
from portal.foundation.access.errors import TooManyCalls
from portal.foundation.access.models import ApiToken

_LONGEST = 60  # seconds until the window has passed
_PATIENCE = 0.5  # seconds: counting must not take longer than what is counted
log = get_logger()


def _storage_address(url: str) -> str:
    """The broker's address as `limits` writes it; Celery has a scheme of its own for sockets."""
    parts = urlsplit(url)
    if parts.scheme != "redis+socket":
        return url
    database = parse_qs(parts.query).get("virtual_host", ["0"])[0]
    who = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    return f"redis+unix://{who}{parts.path}?db={database}"


def limiter_at(address: str) -> SlidingWindowCounterRateLimiter:
    """Count in the Redis at *address*; whether it is there shows with the first call."""
    storage = RedisStorage(address, key_prefix="calls", socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE)
    return SlidingWindowCounterRateLimiter(storage)


_shared = limiter_at(_storage_address(config.redis_url))
_own = SlidingWindowCounterRateLimiter(MemoryStorage())


def count(token: ApiToken) -> None:
    """Count one call; raise `TooManyCalls` where it is one too many.

    A token beyond its own limit takes nothing of its tenant's.
    """
    tenant = str(token.tenant_id)
    _count(config.calls_of_token, (tenant, str(token.pk)), _("token"))
    _count(config.calls_of_tenant, (tenant,), _("organisation"))


def _count(most: int, whose: tuple[str, ...], word: str) -> None:
    item = RateLimitItemPerMinute(most)
    try:
        wait = _hit(_shared, item, whose)
    except redis.RedisError as error:
        log.warning("calls counted by one process alone", why=type(error).__name__)
        wait = _hit(_own, item, whose)
    if wait:
        raise TooManyCalls(seconds=wait, most=most, whose=word)


def _hit(limiter: SlidingWindowCounterRateLimiter, item: RateLimitItemPerMinute, whose: tuple[str, ...]) -> int:
    """Count, and return the seconds to wait: 0 where it may go on."""
    if limiter.hit(item, *whose):
        return 0
    try:
        over = limiter.get_window_stats(item, *whose).reset_time - clock.now().timestamp()
    except redis.RedisError:
        return _LONGEST
    return max(1, min(_LONGEST, round(over)))
