"""How often programs may call: so many times a minute with one token, and with all tokens of one tenant together.

Counted in Redis, for all web processes together.  While Redis is away each process counts for itself: programs are
let in, and none of them can take everything.
"""

from urllib.parse import parse_qs, urlsplit
from uuid import UUID

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

_PATIENCE = 0.5  # seconds: counting must not take longer than what is counted
log = get_logger()


def _storage_address(url: str) -> str:
    """The broker's address as `limits` writes it; Celery has a scheme of its own for sockets."""
    parts = urlsplit(url)
    if parts.scheme != "redis+socket":
        return url
    database = parse_qs(parts.query).get("virtual_host", ["0"])[0]
    return f"redis+unix://{parts.path}?db={database}"


_shared = SlidingWindowCounterRateLimiter(
    RedisStorage(
        _storage_address(config.redis_url),
        key_prefix="calls",
        socket_timeout=_PATIENCE,
        socket_connect_timeout=_PATIENCE,
    )
)
_own = SlidingWindowCounterRateLimiter(MemoryStorage())


def count(token: ApiToken) -> None:
    """Count one call; raise `TooManyCalls` where it is one too many."""
    _count(config.calls_of_token, token.pk, _("token"))
    _count(config.calls_of_tenant, token.tenant_id, _("organisation"))


def _count(most: int, whose: UUID | None, word: str) -> None:
    item = RateLimitItemPerMinute(most)
    limiter = _shared
    try:
        allowed = limiter.hit(item, str(whose))
    except redis.RedisError as error:
        log.warning("calls counted by one process alone", why=type(error).__name__)
        limiter = _own
        allowed = limiter.hit(item, str(whose))
    if not allowed:
        over = limiter.get_window_stats(item, str(whose)).reset_time - clock.now().timestamp()
        raise TooManyCalls(seconds=max(1, min(60, round(over))), most=most, whose=word)
