"""Copies of checkpoints outside the database: one file a tenant, one JSON object a line, only ever appended to.

Whoever owns the database can cut the end off a chain and take away the checkpoints that
would show it.  These files show it still, so they belong where that person cannot write.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from portal.foundation.audit.models import AuditCheckpoint, canonical
from portal.foundation.audit.verify import Witness

_LONGEST_LINE = 4096  # bytes; a checkpoint by an RSA key of 4096 bits takes about 1,500


class Unreadable(Exception):
    """A line of an anchor file is none that this portal wrote; the message says where."""


def line_of(checkpoint: AuditCheckpoint) -> bytes:
    signature = bytes(checkpoint.signature).hex()
    return canonical({"statement": checkpoint.content(), "signature": signature}) + b"\n"


def file_of(folder: Path, tenant_id: UUID) -> Path:
    return folder / f"{tenant_id}.jsonl"


def last_anchored(folder: Path, tenant_id: UUID) -> int:
    """Return the sequence of the newest checkpoint in the file; 0 where there is none."""
    newest = newest_in(folder, tenant_id)
    return newest.sequence if newest else 0


def newest_in(folder: Path, tenant_id: UUID) -> Witness | None:
    """Return the newest checkpoint in the file, whole lines alone; None where there is none."""
    path = file_of(folder, tenant_id)
    if not path.exists():
        return None
    with path.open("rb") as file:
        line = _last(file)
    return _witness(line, f"the last line of {path}") if line else None


def page(path: Path, *, after: int, most: int) -> tuple[list[Witness], int]:
    """Read up to *most* checkpoints behind the byte *after*; return them, and behind which byte the next ones are.

    An empty list is the end: half a line, left by a process that died, is none.
    """
    if not path.exists():
        return [], after
    with path.open("rb") as file:
        file.seek(after)
        lines = [line for line in islice(file, most) if line.endswith(b"\n")]
    where = f"a line behind byte {after} of {path}"
    return [_witness(line, where) for line in lines], after + sum(map(len, lines))


def append(folder: Path, tenant_id: UUID, checkpoints: Iterable[AuditCheckpoint]) -> None:
    """Add those that are newer than the file's last one, and return when the disk has them.

    Half a line, left by a process that died while it wrote, is cut off first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(file_of(folder, tenant_id), os.O_RDWR | os.O_CREAT, 0o640), "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        last = _last(file)
        newest = _witness(last, "the last line").sequence if last else 0
        file.truncate(_end(file))
        file.seek(0, os.SEEK_END)
        for checkpoint in checkpoints:
            if checkpoint.sequence > newest:
                file.write(line_of(checkpoint))
        file.flush()
        os.fsync(file.fileno())


def witnesses_in(path: Path) -> Iterator[Witness]:
    """Read an anchor file, or the checkpoints of an export; raise `Unreadable` for a line that is none of ours."""
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        yield _witness(line, f"line {number} of {path}")


def _witness(line: bytes, where: str) -> Witness:
    try:
        statement = json.loads(line)["statement"]
        return Witness(int(statement["sequence"]), canonical(statement), bytes.fromhex(statement["head"]))
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable(f"{where} is no checkpoint") from error


def _end(file: BinaryIO) -> int:
    """Return where the file's last whole line ends."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - _LONGEST_LINE, 0))
    tail = file.read()
    return size - len(tail) + tail.rfind(b"\n") + 1


def _last(file: BinaryIO) -> bytes:
    """Return the file's last whole line; nothing where there is none."""
    end = _end(file)
    file.seek(max(end - _LONGEST_LINE, 0))
    lines = file.read(end - file.tell()).splitlines()
    return lines[-1] if lines else b""
