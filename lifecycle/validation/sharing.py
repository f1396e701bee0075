"""Looking a label up once for all names of an errand that climb over it: a hundred hosts have the same parents."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from threading import Lock

from lifecycle.validation.caa import Answer, LookupFailed, Reason, Resolver


class Shared:
    """*resolver*, which is asked about each label once; for the few seconds of one errand, by many threads at once.

    A failure is shared by those who were waiting for it, and by nobody later.
    """

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._asked: dict[tuple[str, bool], Future[Answer]] = {}
        self._lock = Lock()

    def caa(self, name: str, ends: float) -> Answer:
        return self._once((name, False), ends, lambda: self._resolver.caa(name, ends))

    def caa_again(self, failure: LookupFailed, ends: float) -> Answer:
        return self._once((failure.asked, True), ends, lambda: self._resolver.caa_again(failure, ends))

    def forgives(self, failure: LookupFailed, ends: float) -> bool:
        return self._resolver.forgives(failure, ends)

    def _once(self, label: tuple[str, bool], ends: float, look_up: Callable[[], Answer]) -> Answer:
        with self._lock:
            asked = self._asked.get(label)
            if mine := asked is None:
                asked = self._asked[label] = Future()
        if not mine:
            try:
                return asked.result(max(ends - time.monotonic(), 0))
            except NotYet:
                raise LookupFailed(Reason.TIMED_OUT, label[0]) from None
        try:
            asked.set_result(look_up())
        except BaseException as failure:
            with self._lock:
                del self._asked[label]
            asked.set_exception(failure)
            raise
        return asked.result()
