"""Doors that stay shut for a program: what it is told at each of them, and that nothing happened behind it."""

from collections.abc import Iterable
from typing import Any

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from tests.api.conftest import Program
from tests.rows import everything

Call = tuple[Any, ...]  # method, path and, for some, a body and headers


def refused(program: Program, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str]:
    """What the program is told: status and code."""
    answer = program.call(method, path, {} if body is None and method != "GET" else body, **headers)
    assert answer["Content-Type"] == "application/problem+json", (method, path, answer.status_code, answer.content)
    return answer.status_code, answer.json()["code"]


def stands(owner: Cursor) -> dict[str, list[Any]]:
    """All rows but when tokens were used last."""
    return everything(owner, but={"access_apitoken"})


def shut(owner: Cursor, program: Program, calls: Iterable[Call], told: tuple[int, str]) -> None:
    """Assert that each of *calls* is refused like that, and touches nothing."""
    before = stands(owner)
    for method, path, *more in calls:
        assert refused(program, method, path, *more) == told, (method, path)
    assert stands(owner) == before
