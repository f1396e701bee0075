"""The journal as one file for an auditor: rows, seals, checkpoints, keys, and the program that checks them.

It is written while it is read, page by page, each in a unit of work of its own, so that
neither memory nor a transaction grows with the chain.  Nothing is judged here: what
somebody changed is exported as it is, and the checker says so.

An extract shows some rows whole and of the others only their digests.  So the chain can
be followed through it to the signed heads, and no word of the other rows is in it.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from django.db.models import QuerySet

from portal.foundation import clock
from portal.foundation.audit import chain, check_journal
from portal.foundation.audit.chain import Link
from portal.foundation.audit.models import AuditCheckpoint, AuditEvent, JournalKey, canonical
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import Tenant

Narrow = Callable[[QuerySet[AuditEvent]], QuerySet[AuditEvent]]

FORMAT = "journal export 1"
_README = """\
This is an export of the journal of a certificate portal.

rows.jsonl          one row a line, in the order of the chain; in an extract most have digests only
checkpoints.jsonl   signed statements about the head of the chain at some moment
keys.jsonl          the public keys that signed them
manifest.json       what is in here, how much of it, and the SHA-256 of each file
check_journal.py    checks all of it; needs Python 3.11 and the package cryptography

    python check_journal.py journal.zip --key FINGERPRINT

Take the fingerprint from the portal's operator, not from this file, and the program from
where the portal's source is published if you do not trust who gave you this file.
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """What is exported: a chain up to a row, and which of its events are shown; all where *narrow* is None."""

    tenant: Tenant
    until: int
    taken_at: datetime  # when *until* was the end of the chain
    told: Mapping[str, Any]  # who asked, and the filters, in words for the manifest
    narrow: Narrow | None = None


class _Outlet:
    """A file that keeps what was written until it is taken away."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """There is nothing to close."""

    def take(self) -> bytes:
        taken, self._written = b"".join(self._written), []
        return taken


def stream(scope: Scope) -> Iterator[bytes]:
    """Yield the ZIP file, piece by piece; call it outside of any unit of work."""
    outlet, counts = _Outlet(), {"all": 0, "shown": 0, "signed": 0}
    parts: dict[str, Iterator[bytes]] = {
        "README.txt": iter([_README.encode()]),
        "check_journal.py": iter([Path(check_journal.__file__).read_bytes()]),
        check_journal.KEYS: _keys(),
        check_journal.CHECKPOINTS: _checkpoints(scope, counts),
        check_journal.ROWS: _rows(scope, counts),
    }
    digests = {}
    with ZipFile(outlet, "w", ZIP_DEFLATED) as archive:
        for name, pieces in parts.items():
            digest = hashlib.sha256()
            with archive.open(_entry(name), "w", force_zip64=True) as file:
                for piece in pieces:
                    digest.update(piece)
                    file.write(piece)
                    yield outlet.take()
            digests[name] = digest.hexdigest()
        archive.writestr(_entry(check_journal.MANIFEST), _manifest(scope, counts, digests))
    yield outlet.take()


def _entry(name: str) -> ZipInfo:
    at = clock.now()
    entry = ZipInfo(name, (at.year, at.month, at.day, at.hour, at.minute, at.second))
    entry.compress_type = ZIP_DEFLATED
    return entry


def _keys() -> Iterator[bytes]:
    for key in JournalKey.objects.order_by("since"):
        told = {"fingerprint": key.fingerprint, "spki": bytes(key.spki).hex(), "since": key.since.isoformat()}
        yield canonical(told) + b"\n"


def _checkpoints(scope: Scope, counts: dict[str, int]) -> Iterator[bytes]:
    while True:
        with acting_for(scope.tenant.pk):
            found = AuditCheckpoint.objects.filter(sequence__gt=counts["signed"], sequence__lte=scope.until)
            page = list(found.order_by("sequence")[: chain.PAGE])
        if not page:
            return
        counts["signed"] = page[-1].sequence
        lines = ({"statement": each.content(), "signature": bytes(each.signature).hex()} for each in page)
        yield b"".join(canonical(line) + b"\n" for line in lines)


def _rows(scope: Scope, counts: dict[str, int]) -> Iterator[bytes]:
    after, seal = 0, None
    while True:
        with acting_for(scope.tenant.pk):
            page = chain.page(after=after, seal=seal, until=scope.until)
            shown = _shown(scope, page)
        if not page:
            return
        after, seal = page[-1].seal.sequence, page[-1].seal.pk
        counts["all"] += len(page)
        counts["shown"] += len(shown)
        yield b"".join(canonical(_line(link, link.seal.event_id in shown)) + b"\n" for link in page)


def _shown(scope: Scope, page: list[Link]) -> set[UUID]:
    there = {link.event.pk for link in page if link.event}
    if scope.narrow is None:
        return there
    return set(scope.narrow(AuditEvent.objects.filter(pk__in=there)).values_list("pk", flat=True))


def _line(link: Link, shown: bool) -> dict[str, Any]:  # noqa: FBT001 - it is the line's one question
    seal, event = link.seal, link.event
    line: dict[str, Any] = {
        "sequence": seal.sequence,
        "previous": bytes(seal.previous).hex(),
        "event_digest": bytes(event.digest).hex() if event else None,
        "digest": bytes(seal.digest).hex(),
    }
    if event and shown:
        line |= {"id": str(seal.pk), "event": event.content()}
    return line


def _manifest(scope: Scope, counts: Mapping[str, int], digests: Mapping[str, str]) -> str:
    content = {
        "format": FORMAT,
        "tenant": {"id": str(scope.tenant.pk), "slug": scope.tenant.slug, "name": scope.tenant.name},
        "scope": "whole" if scope.narrow is None else "extract",
        "proves": "every row"
        if scope.narrow is None
        else "that each row shown is in the chain; not that no other row fits the filters",
        "rows": counts,
        "files": digests,
        "taken_at": scope.taken_at.isoformat(),
        **scope.told,
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
