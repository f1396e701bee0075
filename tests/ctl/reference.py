"""`python -m tests.ctl.reference` writes the tables of docs/portalctl.md out of the program itself."""

import re
import sys
from collections.abc import Iterator

import click

from portal.ctl.main import cli
from portal.ctl.outcomes import MEANINGS
from tests.plugins.services import ROOT

PAGE = ROOT / "docs" / "portalctl.md"


def commands(group: click.Group = cli, before: str = "portalctl") -> Iterator[tuple[str, click.Command]]:
    """Every command with the words that call it."""
    for name, command in sorted(group.commands.items()):
        called = f"{before} {name}"
        if isinstance(command, click.Group):
            yield from commands(command, called)
        else:
            yield called, command


def written(page: str) -> str:
    """The page with its tables as they have to be now."""
    page = _replaced(page, "exit codes", ["| code | means |", "|---|---|", *_codes()])
    return _replaced(page, "commands", ["| command | what it does |", "|---|---|", *_rows()])


def _codes() -> Iterator[str]:
    return (f"| {code.value} | {meaning} |" for code, meaning in MEANINGS.items())


def _rows() -> Iterator[str]:
    for called, command in commands():
        arguments = [
            f"[{each.make_metavar(click.Context(command))}]".replace("[[", "[").replace("]]", "]")
            if not each.required
            else each.make_metavar(click.Context(command))
            for each in command.params
            if isinstance(each, click.Argument)
        ]
        about = re.sub(r"\s+", " ", (command.help or "").split("\n\n")[0]).strip()
        yield f"| `{' '.join([called, *arguments])}` | {about} |"


def _replaced(page: str, what: str, lines: list[str]) -> str:
    begins, ends = f"<!-- {what}: written by `python -m tests.ctl.reference` -->", f"<!-- end of {what} -->"
    before, rest = page.split(begins)
    return "\n".join([f"{before}{begins}", *lines, f"{ends}{rest.split(ends)[1]}"])


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
    sys.stdout.write(f"{PAGE} is up to date\n")
