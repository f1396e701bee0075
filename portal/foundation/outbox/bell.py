"""Rings Celery for a queue.  A bell may be lost or heard twice; neither matters."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from celery import current_app
from kombu.exceptions import OperationalError
from structlog import get_logger

log = get_logger()

_held: ContextVar[set[str] | None] = ContextVar("bells_held", default=None)


def ring(queue: str) -> bool:
    """Wake a worker of *queue*; a broker that is away costs a line in the log and at most a second."""
    held = _held.get()
    if held is not None:
        held.add(queue)
        return True
    try:
        current_app.send_task(f"drain.{queue}", retry=False, ignore_result=True)
    except (OperationalError, OSError) as error:
        log.warning("bell.lost", queue=queue, error=str(error))
        return False
    return True


@contextmanager
def held() -> Iterator[None]:
    """Ring each queue once when the block is over, however many commits in it wanted to.

    A bell costs a millisecond, and who hears one works on everything that is due.
    """
    queues: set[str] = set()
    token = _held.set(queues)
    try:
        yield
    finally:
        _held.reset(token)
        for queue in sorted(queues):
            ring(queue)
