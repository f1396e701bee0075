"""Which function an errand's name stands for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from portal.foundation.outbox.models import Errand

QUEUES = ("signing", "validation", "publishing", "messages")

_tasks: dict[str, "Task"] = {}
_vitals: dict[str, list[Callable[[], dict[str, Any]]]] = {}


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Task:
    name: str
    queue: str
    run: Callable[["Errand"], None]
    tries: int
    ready: Callable[[], bool] = _always
    rests: bool = False


def errand(
    *, queue: str, tries: int = 20, ready: Callable[[], bool] = _always, rests: bool = False
) -> Callable[[Callable[["Errand"], None]], Task]:
    """Make a function of a `tasks.py` the doorway for an errand on *queue*.

    The function may be called twice for the same errand and may die anywhere: it takes
    its certainty from the state it finds, and finishes the errand in the unit of work
    that has the effect.  After *tries*, twenty of which take two hours, it is parked for
    the operator.  While *ready* says no, no errand of this kind is claimed: it stays due,
    and costs neither a try nor a lease.  With *rests* it waits, likewise at no cost, while
    its tenant is suspended, and is over without an effect once its tenant is closed for good.
    """
    if queue not in QUEUES:
        raise ValueError(f"there is no queue {queue!r}")

    def register(run: Callable[["Errand"], None]) -> Task:
        name = f"{run.__module__}.{run.__qualname__}"
        return _tasks.setdefault(name, Task(name, queue, run, tries, ready, rests))

    return register


def task_named(name: str) -> Task:
    return _tasks[name]


def not_ready(queue: str) -> list[str]:
    """Return the names of the tasks of *queue* that this process cannot do anything for now."""
    return [task.name for task in _tasks.values() if task.queue == queue and not task.ready()]


def vital(queue: str) -> Callable[[Callable[[], dict[str, Any]]], Callable[[], dict[str, Any]]]:
    """Let a function say how the workers of *queue* are, for their heartbeat."""

    def register(tell: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
        _vitals.setdefault(queue, []).append(tell)
        return tell

    return register


def vitals_of(queue: str) -> dict[str, Any]:
    return {name: value for tell in _vitals.get(queue, ()) for name, value in tell().items()}
