"""What time it is: the only caller of `datetime.now`.

Inside a unit of work it is the database's clock, read once when the unit opened,
so that a web server and a worker whose clocks differ judge alike.  Outside one it
is this machine's.  Tests freeze it with `frozen`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from datetime import UTC, datetime

_unit: ContextVar[datetime | None] = ContextVar("clock_unit", default=None)
_frozen: ContextVar[datetime | None] = ContextVar("clock_frozen", default=None)


def now() -> datetime:
    return _frozen.get() or _unit.get() or datetime.now(UTC)  # noqa: TID251 - the one place


def start_unit(at: datetime) -> Token[datetime | None]:
    """Let *at*, the database's time, count until `end_unit`."""
    return _unit.set(at)


def end_unit(token: Token[datetime | None]) -> None:
    _unit.reset(token)


@contextmanager
def frozen(at: datetime) -> Iterator[None]:
    """Let it be *at*, in this thread or task; for tests and rehearsals of dated rules."""
    token = _frozen.set(at)
    try:
        yield
    finally:
        _frozen.reset(token)
