"""Ends a process whose call to the outside hangs.

`--pool=solo` ignores Celery's time limits, and a PKCS#11 module cannot be cancelled
from Python.  So when a watched call passes its time the whole process ends; the
supervisor starts another one, and the lease in the database lets that one take over.
"""

import logging
import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

TEMPORARY_FAILURE = 75  # EX_TEMPFAIL of sysexits.h: start me again

logger = logging.getLogger(__name__)


class Watchdog:
    """One thread that sleeps until the earliest deadline of the calls under way.

    Watching a call costs some microseconds: the thread is woken only by a call that ends
    before it meant to look again.
    """

    def __init__(self) -> None:
        self._begin()
        os.register_at_fork(after_in_child=self._begin)  # a fork copies no threads, and perhaps a locked lock

    def _begin(self) -> None:
        self._changed = threading.Condition()
        self._calls: dict[int, tuple[float, float, str]] = {}
        self._asleep_until = math.inf
        self._thread: threading.Thread | None = None

    @contextmanager
    def watching(self, call: str, *, seconds: float) -> Iterator[None]:
        """End this process, loudly, if the block takes longer than *seconds*."""
        deadline = time.monotonic() + seconds
        with self._changed:
            self._calls[threading.get_ident()] = (deadline, seconds, call)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
                self._thread.start()
            elif deadline < self._asleep_until:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                del self._calls[threading.get_ident()]

    def _watch(self) -> None:
        with self._changed:
            while True:
                deadline, seconds, call = min(self._calls.values(), default=(math.inf, 0.0, ""))
                left = deadline - time.monotonic()
                if left <= 0:
                    _end_process(call, seconds)
                self._asleep_until = deadline
                self._changed.wait(None if math.isinf(left) else left)


def _end_process(call: str, seconds: float) -> NoReturn:
    logger.critical("%s took longer than %g seconds; this process ends so that another can take over", call, seconds)
    logging.shutdown()
    sys.stderr.flush()
    os._exit(TEMPORARY_FAILURE)


watchdog = Watchdog()
