"""What people read: aligned tables and facts, colour on a terminal alone; and the same as JSON for machines."""

import csv
import json
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

_TONES = {
    **dict.fromkeys(("active", "completed", "verified", "enabled", "yes", "good"), "green"),
    **dict.fromkeys(("expired", "revoked", "failed", "rejected", "suspended", "bad"), "red"),
    **dict.fromkeys(("draft", "in review", "validating", "ready", "executing", "verifying", "unverified"), "yellow"),
}


_STEERING = frozenset({"Cc", "Cf", "Cs"})  # controls, direction marks and what else is not seen, half surrogates


def line(text: str, *, err: bool = False) -> None:
    click.echo(plain(text), err=err)


def json_out(data: Any, *, err: bool = False) -> None:
    """The same data for every program that reads it, and nothing that steers a terminal on which it is looked at."""
    text = json.dumps(data, indent=2, ensure_ascii=False)
    click.echo("".join(json.dumps(sign)[1:-1] if sign != "\n" and _steers(sign) else sign for sign in text), err=err)


def _steers(sign: str) -> bool:
    return unicodedata.category(sign) in _STEERING


def csv_out(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """RFC 4180; a cell that a spreadsheet would take for a formula has an apostrophe before it."""
    writer = csv.writer(sys.stdout)
    writer.writerow(head)
    writer.writerows([[_harmless(plain(cell)) for cell in row] for row in rows])


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell[:1] in {"=", "+", "-", "@", "\t", "\r"} else cell


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Columns as wide as their widest cell; the last one is left as long as it is."""
    cells = [[plain(cell) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(head, *cells, strict=True)]
    click.echo(_line([click.style(word, bold=True) for word in head], head, widths))
    for row in cells:
        click.echo(_line([toned(cell) for cell in row], row, widths))


def _line(styled: Sequence[str], bare: Sequence[str], widths: Sequence[int]) -> str:
    filled = [cell + " " * (width - _width(text)) for cell, text, width in zip(styled, bare, widths, strict=True)]
    return "  ".join(filled).rstrip()


def facts(pairs: Iterable[tuple[str, Any]]) -> None:
    """A name and a value on each line; what has no value is left out, and a list has a line for each."""
    wanted = [(name, value) for name, value in pairs if value not in (None, "", [], ())]
    width = max((len(name) for name, _value in wanted), default=0)
    for name, value in wanted:
        first, *more = [plain(one) for one in value] if isinstance(value, list | tuple) else [plain(value)]
        click.echo(f"{click.style(name.ljust(width), dim=True)}  {toned(first)}")
        for line in more:
            click.echo(f"{' ' * width}  {line}")


def nested(data: Any, indent: str = "") -> None:
    """Plain data whose shape is the portal's to choose, as an outline."""
    if isinstance(data, Mapping):
        for name, value in data.items():
            _branch(str(name).replace("_", " "), value, indent)
    elif isinstance(data, list):
        for value in data:
            _branch("-", value, indent)
    else:
        click.echo(f"{indent}{plain(data)}")


def _branch(name: str, value: Any, indent: str) -> None:
    label = click.style(f"{indent}{name}", dim=True)
    if isinstance(value, Mapping | list) and value:
        click.echo(label)
        nested(value, f"{indent}  ")
    elif value not in (None, "", [], {}):
        click.echo(f"{label}  {plain(value)}")


def toned(text: str) -> str:
    tone = _TONES.get(text.lower())
    return click.style(text, fg=tone) if tone else text


def plain(value: Any) -> str:
    """A value in one line; what would steer the terminal is shown as a question mark."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(plain(one) for one in value)
        case dict():
            return ", ".join(f"{name}={plain(one)}" for name, one in value.items())
    return "".join("?" if _steers(sign) else sign for sign in _single(str(value)))


def _single(text: str) -> str:
    return " ".join(text.split())


def moment(stamp: str | None) -> str:
    """`2026-11-21 15:04 UTC` out of what the API writes, which is always UTC."""
    return f"{stamp[:10]} {stamp[11:16]} UTC" if stamp else ""


def day(stamp: str | None) -> str:
    return stamp[:10] if stamp else ""


def _width(text: str) -> int:
    """How many columns a terminal needs: two for wide letters (Unicode TR 11), none for combining marks."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )
