"""What the demo's own web server shows: small files, a folder for each name.  Knows no web framework."""

import re
from dataclasses import dataclass
from pathlib import Path

from portal.demo import zone

PREFIX = "/.well-known/pki-validation/"
"""Where files that prove control are looked for (BR 3.2.2.4.18)."""

MOST_TEXT = 4000
MOST = 50
"""Characters of a file, and files in all."""

_FILE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Document:
    host: str
    file: str
    text: str

    @property
    def address(self) -> str:
        return f"http://{self.host}{PREFIX}{self.file}"


def usable(host: str, file: str) -> bool:
    """Tell whether a file of that name can be shown for that host."""
    return bool(zone.zone_of(host) and "*" not in host and _FILE.fullmatch(file))


def every(folder: Path) -> list[Document]:
    return [
        Document(path.parent.name, path.name, path.read_text(errors="replace"))
        for path in sorted(folder.glob("*/*"))
        if usable(path.parent.name, path.name)
    ]


def put(folder: Path, document: Document) -> None:
    (folder / document.host).mkdir(parents=True, exist_ok=True)
    (folder / document.host / document.file).write_text(document.text)


def remove(folder: Path, document: Document) -> None:
    (folder / document.host / document.file).unlink(missing_ok=True)


def at(folder: Path, host: str, path: str) -> bytes | None:
    """What is shown there; None for what is not."""
    file = path.removeprefix(PREFIX)
    if file == path or not usable(host, file):
        return None
    there = folder / host / file
    return there.read_bytes() if there.is_file() and not there.is_symlink() else None
