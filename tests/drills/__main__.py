"""Writes the table of `docs/reliability.md` from what the last soak measured: `python -m tests.drills`."""

import ast
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reliability.md"
KEPT = ROOT / "var" / "soak.json"
BEGIN, END = "<!-- written by python -m tests.drills -->", "<!-- end of what it writes -->"
NOT_YET = "not measured yet"
NAMES = {"redis": "Redis", "postgresql": "PostgreSQL", "pin": "PIN", "dns": "DNS", "databases": "database's"}
"""Words that a function's name cannot spell."""


@dataclass(frozen=True, slots=True)
class Promise:
    """A drill as the code has it: the fault, what its test shows, and the goal."""

    fault: str
    test: str
    goal: str

    @property
    def shows(self) -> str:
        words = [NAMES.get(word, word) for word in self.test.removeprefix("test_").split("_")]
        return " ".join([words[0][:1].upper() + words[0][1:], *words[1:]])


def promises(folders: tuple[str, ...] = ("tests/drills", "tests/stateful", "tests/api")) -> list[Promise]:
    """Return every drill of the suite, by fault."""
    files = sorted(file for folder in folders for file in (ROOT / folder).rglob("test_*.py"))
    found = [promise for file in files for promise in _in(file)]
    return sorted(
        dict.fromkeys(found), key=lambda promise: int(promise.fault[1:]) if promise.fault[1:].isdigit() else 99
    )


def _in(file: Path) -> Iterator[Promise]:
    tree = ast.parse(file.read_text())
    named = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    for node in ast.walk(tree):
        for mark in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.drill":
                goal = next(word.value for word in mark.keywords if word.arg == "goal")
                goal = named[goal.id] if isinstance(goal, ast.Name) else goal
                yield Promise(ast.literal_eval(mark.args[0]), node.name, ast.literal_eval(goal))


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Return the table's lines: each drill of the suite once, with what its runs in *rows* measured."""
    lines = ["| fault | what is shown | goal | measured |", "|---|---|---|---|"]
    for promise in promises():
        runs = [row for row in rows if row["drill"].partition("[")[0] == promise.test]
        lines.append(f"| {promise.fault} | {promise.shows} | {promise.goal} | {measured(runs)} |")
    return lines


def measured(runs: list[dict[str, Any]]) -> str:
    """Sum up the runs of one drill: how many passed where there are several, what was measured, how long it took."""
    if not runs:
        return NOT_YET
    passed = sum(run["outcome"] == "passed" for run in runs)
    said = [f"{passed} of {len(runs)} right"] if len(runs) > 1 else [] if passed else ["**failed**"]
    figures = [[f"{name} {value}" for name, value in run["figures"].items()] for run in runs]
    same = len({tuple(each) for each in figures}) == 1
    said += figures[0] if same else [", ".join(each) for each in figures if each]
    seconds = sum(run["seconds"] for run in runs)
    return "; ".join([*said, f"{seconds:.0f} s"]).replace("|", "/")


def written(page: str, lines: list[str]) -> str:
    """Return *page* with these lines between the markers."""
    around = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    if not around.search(page):
        raise SystemExit(f"{PAGE} has no place for the table: {BEGIN} … {END}")
    return around.sub(lambda _: "\n".join([BEGIN, "", *lines, "", END]), page)


def main() -> None:
    if not KEPT.exists():
        sys.exit(f"There is no {KEPT.relative_to(ROOT)}: run `make soak` first.")
    PAGE.write_text(written(PAGE.read_text(), table(json.loads(KEPT.read_text()))))


if __name__ == "__main__":
    main()
