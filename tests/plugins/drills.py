"""Drills: faults provoked a few times in `make test`, and as often as the product promises in `make soak`.

A test marked `@pytest.mark.drill("F1", goal="…")` takes the fixture `drill`, asks it how often to do what it does, and
says what it measured.  The run's last lines are the table; with `--soak` it is also written to `var/soak.json`, from
which `docs/reliability.md` is made.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

KEPT = Path("var/soak.json")


@dataclass
class Drill:
    """One fault, and what came of it: figures by name, in the order in which they were measured."""

    fault: str
    goal: str
    soaking: bool
    figures: dict[str, str] = field(default_factory=dict)

    def times(self, few: int, *, soak: int) -> int:
        """How often: *few* in every run of the tests, *soak* in a soak."""
        return soak if self.soaking else few

    def measured(self, **figures: object) -> None:
        """Keep figures for the table; what must hold is asserted by the test itself."""
        self.figures.update({name.replace("_", " "): str(value) for name, value in figures.items()})


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run every drill as often as docs/reliability.md promises")


@pytest.fixture
def drill(request: pytest.FixtureRequest) -> Drill:
    mark = request.node.get_closest_marker("drill")
    assert mark is not None, "a test that takes `drill` is marked with the fault it provokes"
    made = Drill(mark.args[0], mark.kwargs["goal"], request.config.getoption("--soak"))
    request.node.user_properties.append(("drill", (made.fault, made.goal, made.figures)))
    return made


class Table:
    """Collects what drills measured, wherever they ran."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        found = [value for name, value in report.user_properties if name == "drill"]
        if found and (report.when == "call" or report.failed):
            fault, goal, figures = found[0]
            name = report.nodeid.rpartition("::")[2]
            row = {"fault": fault, "drill": name, "goal": goal, "figures": figures, "outcome": report.outcome}
            self.rows.append(row | {"seconds": round(report.duration, 1)})


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "drill(fault, goal): the fault of the reliability table that this test provokes")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Table(), "drills-table")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    table = config.pluginmanager.get_plugin("drills-table")
    if not isinstance(table, Table) or not config.getoption("--soak") or not table.rows:
        return
    terminalreporter.section("drills")
    for row in table.rows:
        figures = "; ".join(f"{name} {value}" for name, value in row["figures"].items())
        terminalreporter.line(f"{row['fault']:4} {row['outcome']:6} {row['drill']}: {figures} (goal: {row['goal']})")
    KEPT.parent.mkdir(exist_ok=True)
    kept = {row["drill"]: row for row in json.loads(KEPT.read_text())} if KEPT.exists() else {}
    kept |= {row["drill"]: row for row in table.rows}  # a drill that is run again replaces what it measured before
    KEPT.write_text(json.dumps(list(kept.values()), indent=1) + "\n")
