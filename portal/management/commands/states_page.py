"""Draws `docs/states.md` from the tables that the code obeys; a test fails while the page says something else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from lifecycle.requests.states import ATTEMPT, LIFE
from lifecycle.validation.states import CONTROL, LOOK
from portal.foundation.states import Machine

MACHINES: tuple[Machine[Any, Any], ...] = (LIFE, ATTEMPT, LOOK, CONTROL)
PAGE = Path(__file__).resolve().parents[3] / "docs" / "states.md"

_HEAD = """\
# States

Drawn by `manage.py states_page` from the tables in the code; the same tables are triggers in the database.
Do not edit this page: change the table, then run the command."""


class Command(BaseCommand):
    help = "Write docs/states.md anew from the state machines."

    def handle(self, *_args: Any, **_options: Any) -> None:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page())
        self.stdout.write(f"{PAGE.name}: {', '.join(machine.thing for machine in MACHINES)}")


def page() -> str:
    return "\n\n".join([_HEAD, *(_section(machine) for machine in MACHINES)]) + "\n"


def _section(machine: Machine[Any, Any]) -> str:
    return "\n".join(
        [f"## {machine.thing[0].upper()}{machine.thing[1:]}", "", *_diagram(machine), "", *_table(machine)]
    )


def _diagram(machine: Machine[Any, Any]) -> Iterator[str]:
    yield "```mermaid"
    yield "stateDiagram-v2"
    for state in _states(machine):
        if _id(state) != state:
            yield f'    state "{state}" as {_id(state)}'
    yield f"    [*] --> {_id(machine.initial)}"
    for source, event, target in machine.arrows:
        yield f"    {_id(source)} --> {_id(target)}: {event}"
    for state in _states(machine):
        if not machine.events_from(state):
            yield f"    {_id(state)} --> [*]"
    yield "```"


def _table(machine: Machine[Any, Any]) -> Iterator[str]:
    yield "| state | what can happen |"
    yield "|---|---|"
    for state in _states(machine):
        leads = (f"{event} → {machine.target(state, event)}" for event in machine.events_from(state))
        yield f"| {state} | {', '.join(leads) or 'nothing any more'} |"


def _states(machine: Machine[Any, Any]) -> list[str]:
    """Every state, in the order in which the table first names it."""
    named = [machine.initial, *(state for source, _event, target in machine.arrows for state in (source, target))]
    return list(dict.fromkeys(named))


def _id(state: str) -> str:
    return state.replace(" ", "_")
