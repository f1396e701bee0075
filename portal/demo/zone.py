"""What the demo's own name server says of `demo.test`: a file that the server reads and a page changes."""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ORIGIN = "demo.test"
MOST = 20  # records a name
_RECORD = re.compile(r'(?P<flags>\d{1,3})\s+(?P<tag>[A-Za-z0-9]{1,255})\s+"(?P<value>(?:[^"\\]|\\\d{3}|\\[\\"])*)"')


@dataclass(frozen=True, slots=True)
class Name:
    """One name below `demo.test`."""

    label: str
    caa: tuple[str, ...] = ()
    alias: str = ""
    fault: str = ""  # "silent" or "broken"

    @property
    def full(self) -> str:
        return f"{self.label}.{ORIGIN}"


START = (
    Name("www", caa=('0 issue "ca.acme.example"', '0 issue "ca.globex.example"')),
    Name("shop", caa=('0 issue "ca.acme.example; validationmethods=dns-01"',)),
    Name("forbidden", caa=('0 issue "ca.elsewhere.example"',)),
    Name("nobody", caa=('0 issue ";"',)),
    Name("critical", caa=('128 future "unknown"', '0 issue "ca.acme.example"')),
    Name("typo", caa=('0 issue "ca.acme.example."',)),
    Name("wildcard", caa=('0 issue "ca.acme.example"', '0 issuewild ";"')),
    Name("wild", caa=('0 issue ";"', '0 issuewild "ca.acme.example"')),
    Name("alias", alias="forbidden"),
    Name("plain"),
    Name("broken", fault="broken"),
    Name("silent", fault="silent"),
)
"""How the zone is when nobody has changed it."""


def read(file: Path) -> tuple[Name, ...]:
    """Return the zone as it is now; as it starts where there is no file yet."""
    try:
        kept: dict[str, list[str]] = json.loads(file.read_text())
    except FileNotFoundError:
        kept = {}
    return tuple(
        Name(name.label, tuple(kept[name.label]), name.alias, name.fault) if name.label in kept else name
        for name in START
    )


def replace(file: Path, label: str, caa: tuple[str, ...]) -> None:
    """Let the CAA records of one name be these from now on."""
    kept = {name.label: list(name.caa) for name in read(file)}
    _write(file, {**kept, label: list(caa)})


def put_back(file: Path) -> None:
    """Let the zone be as it started."""
    file.unlink(missing_ok=True)


def _write(file: Path, kept: dict[str, Any]) -> None:
    """Write all of it or nothing: the server may read at any moment."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps(kept, indent=1))
    fresh.replace(file)


def parsed(line: str) -> str | None:
    """One CAA record in the spelling of a zone file, or None for what is none."""
    match = _RECORD.fullmatch(line.strip())
    if match is None or int(match["flags"]) > 255 or not match["value"].isascii():  # noqa: PLR2004 - one byte
        return None
    return f'{int(match["flags"])} {match["tag"]} "{match["value"]}"'
