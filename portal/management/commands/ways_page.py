"""Draws `docs/ways.md`: what leads from state to state, for people, programs and the command line."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.urls import URLPattern, URLResolver, get_resolver

from portal.management.ways import Way, rows

PAGE = Path(__file__).resolve().parents[3] / "docs" / "ways.md"

_HEAD = """\
# Ways

What can be done with a request, kind by kind and transition by transition: on which page, by which operation of the
API, by which command of [portalctl](portalctl.md). Where there is none, the row says why.

Drawn by `manage.py ways_page` from `portal/management/ways.py`; tests hold every cell against what there is.
Do not edit this page: change the table, then run the command.

| kind | transition | page | API | command line |
|---|---|---|---|---|"""


class Command(BaseCommand):
    help = "Write docs/ways.md anew from the table of ways."

    def handle(self, *_args: Any, **_options: Any) -> None:
        PAGE.write_text(page())
        self.stdout.write(PAGE.name)


def page() -> str:
    addresses = _addresses()
    lines = [f"| {kind} | {deed} | {_cells(way, addresses)} |" for kind, deed, way in rows()]
    return "\n".join([_HEAD, *lines]) + "\n"


def _cells(way: Way, addresses: dict[str, str]) -> str:
    if way.why_not:
        return f"none: {way.why_not} | none | none"
    return f"`{addresses[way.page]}` | `{way.operation}` | `portalctl {way.command}`"


def _addresses() -> dict[str, str]:
    """Every route's address by its name, with the names of its parts."""
    found: dict[str, str] = {}

    def walk(resolver: URLResolver, prefix: str) -> None:
        for entry in resolver.url_patterns:
            address = prefix + str(entry.pattern)
            if isinstance(entry, URLResolver):
                walk(entry, address)
            elif isinstance(entry, URLPattern) and entry.name:
                found.setdefault(entry.name, address)

    walk(get_resolver(), "/")
    return {name: address.replace("<slug:", "<").replace("<uuid:", "<") for name, address in found.items()}
