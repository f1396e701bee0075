"""Lets hypothesis walk over the request machine."""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from tests.stateful.machine import RequestMachine
from tests.stateful.stage import Counts, Stage

STEPS = 50
"""Of one walk: enough for a request to be asked for, reviewed, signed, lost, found and revoked."""


def walked(owner: Cursor, counts: Counts, *, walks: int, **more: Any) -> None:
    """Walk that many times, and count in *counts* what all walks together do; raise what hypothesis found."""

    def begin() -> RequestMachine:
        return RequestMachine(Stage(owner, counts))

    run_state_machine_as_test(
        begin,  # type: ignore[arg-type]
        settings=settings(
            max_examples=walks,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            **more,
        ),
    )
