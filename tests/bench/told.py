"""What the bench says in the end: one table of goals, what was measured, and what the machine could do at most."""

# ruff: noqa: T201 - it talks to a terminal

from collections.abc import Iterable
from dataclasses import dataclass

HEAD = ("", "goal", "measured", "median", "CPU", "limit of this run")


@dataclass(frozen=True, slots=True)
class Line:
    """One figure.  A *goal* is the most that it may be, or with *at_least* the least; times are in milliseconds."""

    what: str
    measured: float
    goal: float | None = None
    at_least: bool = False
    median: float | None = None
    cpu: float | None = None
    limit: str = ""

    @property
    def is_met(self) -> bool:
        return self.goal is None or (self.measured >= self.goal if self.at_least else self.measured <= self.goal)


def show(title: str, lines: Iterable[Line]) -> bool:
    """Print the table; return whether every goal is met."""
    print(f"\n{title}")
    print(_row(*HEAD))
    every = list(lines)
    for line in every:
        goal = "" if line.goal is None else f"{'≥' if line.at_least else '≤'} {line.goal:g}"
        told = _row(line.what, goal, _figure(line.measured), _figure(line.median), _figure(line.cpu), line.limit)
        print(told if line.is_met else f"{told}  MISSED")
    missed = sum(not line.is_met for line in every)
    print(f"{len(every)} figures, {missed} of them miss their goal.")
    return missed == 0


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _row(what: str, goal: str, measured: str, median: str, cpu: str, limit: str) -> str:
    return f"{what:58}{goal:>8}{measured:>10}{median:>9}{cpu:>8}  {limit}".rstrip()
