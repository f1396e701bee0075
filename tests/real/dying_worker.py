"""The signing worker as it is, but that it ends itself with SIGKILL at the point that DYING_AT names.

    DYING_AT=after_sign celery -A tests.real.dying_worker worker …

The points are doors between real functions; none of them knows that it is watched.
"""

import functools
import os
import signal
from collections.abc import Callable
from importlib import import_module
from typing import Any

from celery import signals

from portal.celery import app as app  # noqa: PLC0414 - what `celery -A` looks for

Door = Callable[..., Any]


def _die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _before(function: Door) -> Door:
    return functools.wraps(function)(_die)


def _after(function: Door) -> Door:
    @functools.wraps(function)
    def dying(*args: Any, **kwargs: Any) -> None:
        if function(*args, **kwargs) != 0:  # a worker that found nothing to drain lives on
            _die()

    return dying


def _second(arm: Callable[[Door], Door]) -> Callable[[Door], Door]:
    """Spare the first signature of a process: it is its key's trial and nobody's certificate."""

    def door(function: Door) -> Door:
        mortal, calls = arm(function), []

        @functools.wraps(function)
        def spared(*args: Any, **kwargs: Any) -> Any:
            calls.append(args)
            return (mortal if len(calls) > 1 else function)(*args, **kwargs)

        return spared

    return door


def _before_messages(ring: Door) -> Door:
    return lambda queue: _die() if queue == "messages" else ring(queue)


EXECUTION, TOKEN = "lifecycle.requests.execution", "portal.foundation.token"
POINTS = {
    "before_reserve": (EXECUTION, "open_attempt", _before),
    "after_reserve": ("lifecycle.authorities.backends.pkcs11", "TokenAuthority.issue", _before),
    "before_sign": (TOKEN, "Token.sign", _second(_before)),
    "after_sign": (TOKEN, "Token.sign", _second(_after)),
    "before_store": (EXECUTION, "store", _before),
    "after_store": (EXECUTION, "execute", _after),
    "before_notify": ("portal.foundation.outbox.bell", "ring", _before_messages),
    "before_ack": ("portal.foundation.outbox.drain", "drain", _after),
}


@signals.worker_ready.connect  # type: ignore[untyped-decorator]
def _arm(**_: Any) -> None:
    module, path, mortal = POINTS[os.environ["DYING_AT"]]
    *above, name = path.split(".")
    owner: Any = functools.reduce(getattr, above, import_module(module))
    setattr(owner, name, mortal(getattr(owner, name)))
