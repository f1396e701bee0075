"""The operations page tells every alarm that the code can raise, and raises none of its own."""

import ast
import re
from pathlib import Path

import pytest

from portal.foundation.outbox.registry import QUEUES
from portal.web import health
from tests.portal.composed import OPERATIONS, ROOT

LOUD = {"warning", "error", "exception", "critical"}


def loud_events() -> dict[str, Path]:
    """Return every event that our code logs at WARNING or above, and where."""
    found = {}
    for package in ("portal", "lifecycle", "auth2fa"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                called = node.func if isinstance(node, ast.Call) else None
                if isinstance(called, ast.Attribute) and called.attr in LOUD and ast.unparse(called.value) == "log":
                    [event] = [arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)]
                    found[event] = path
    return found


def alarms() -> list[tuple[str, str, str]]:
    section = OPERATIONS.read_text().split("\n## Health, logs and alarms\n", 1)[1].split("\n## ", 1)[0]
    table = section.split("\n| alarm |", 1)[1]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:] if line.startswith("|")]
    return [(alarm, means, first) for alarm, means, first in rows]


def test_every_loud_line_of_the_log_is_in_the_table_and_no_other():
    told = {name for alarm, _means, _first in alarms() for name in re.findall(r"`([^`]+)`", alarm)}
    loud = set(loud_events())
    assert len(loud) > 8
    assert loud <= told
    assert {name for name in told if "." in name} <= loud


def test_every_alarm_says_what_it_means_and_what_to_do_first():
    for alarm, means, first in alarms():
        assert len(means) > 15, alarm
        assert len(first) > 3, alarm


@pytest.mark.parametrize(
    "word",
    ["does not answer", "migrations are missing", "silent", "ailing", "never heard of", "parked_errands",
     "oldest_due_errand_seconds"],
)  # fmt: skip
def test_every_word_of_readyz_that_is_no_praise_is_in_the_table(word):
    assert word in Path(health.__file__).read_text()
    assert any(f"`{word}`" in alarm for alarm, _means, _first in alarms())


def test_the_page_names_every_service_that_readyz_does():
    section = OPERATIONS.read_text().split("\n## Health, logs and alarms\n", 1)[1].split("\n## ", 1)[0]
    assert all(f"`{service}`" in section for service in (*QUEUES, "relay"))
