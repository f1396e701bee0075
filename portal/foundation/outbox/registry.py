"""Which function an errand's name stands for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from portal.foundation.outbox.models import Errand

QUEUES = ("signing", "validation", "messages")

_tasks: dict[str, "Task"] = {}
_vitals: dict[str, Callable[[], dict[str, str]]] = {}


@dataclass(frozen=True, slots=True)
class Task:
    name: str
    queue: str
    run: Callable[["Errand"], None]
    tries: int


def errand(*, queue: str, tries: int = 20) -> Callable[[Callable[["Errand"], None]], Task]:
    """Make a function of a `tasks.py` the doorway for an errand on *queue*.

    The function may be called twice for the same errand and may die anywhere: it takes
    its certainty from the state it finds, and finishes the errand in the unit of work
    that has the effect.  After *tries*, twenty of which take two hours, it is parked for
    the operator.
    """
    if queue not in QUEUES:
        raise ValueError(f"there is no queue {queue!r}")

    def register(run: Callable[["Errand"], None]) -> Task:
        name = f"{run.__module__}.{run.__qualname__}"
        return _tasks.setdefault(name, Task(name, queue, run, tries))

    return register


def task_named(name: str) -> Task:
    return _tasks[name]


def vital(queue: str) -> Callable[[Callable[[], dict[str, str]]], Callable[[], dict[str, str]]]:
    """Let a function say how the workers of *queue* are, for their heartbeat."""

    def register(tell: Callable[[], dict[str, str]]) -> Callable[[], dict[str, str]]:
        _vitals[queue] = tell
        return tell

    return register


def vitals_of(queue: str) -> dict[str, str]:
    tell = _vitals.get(queue)
    return tell() if tell else {}
