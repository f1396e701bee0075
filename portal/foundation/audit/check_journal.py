"""Checks an export of the portal's journal on any machine: Python and the package `cryptography`, nothing else.

    python check_journal.py journal.zip
    python check_journal.py journal.zip --key FINGERPRINT --kept older.zip --kept anchors.jsonl

Every row must say what its digest says, every seal must follow the one before it, and
every checkpoint must be signed by a key of the export.  Whoever made the export could have
put a key of their own into it: compare the fingerprint with one that you have from
elsewhere, or name it with --key.  With --kept, checkpoints of an older export or of an
anchor file are compared too, so that a chain that was cut off or made anew is found; see
then that the export says it was made when you asked for it.

Ends with 0 when all is as written and signed, with 1 when something is not, and with 2
when the export could not be read.
"""

import argparse
import hashlib
import json
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

AS_WRITTEN, CHANGED, UNREADABLE = 0, 1, 2
ROWS, CHECKPOINTS, KEYS, MANIFEST = "rows.jsonl", "checkpoints.jsonl", "keys.jsonl", "manifest.json"
START = "00" * 32
AT_ONCE = timedelta(seconds=5)
"""Of a checkpoint signed in the moment of the export nobody can say which of them saw more rows."""


class Changed(Exception):
    """Something is not as it was written; the sentence names the first such thing."""


class Unreadable(Exception):
    """This is no export, or half of one."""


def canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest_of(content: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(content)).hexdigest()


def demand(fact: object, complaint: str) -> None:
    if not fact:
        raise Changed(complaint)


@dataclass
class Export:
    """One ZIP file, read line by line."""

    path: Path
    digests: dict[str, str] = field(default_factory=dict)

    def manifest(self) -> dict[str, Any]:
        with zipfile.ZipFile(self.path) as archive:
            told: dict[str, Any] = json.loads(archive.read(MANIFEST))
        return told

    def lines(self, name: str) -> Iterator[dict[str, Any]]:
        digest = hashlib.sha256()
        with zipfile.ZipFile(self.path) as archive, archive.open(name) as file:
            for line in file:
                digest.update(line)
                yield json.loads(line)
        self.digests[name] = digest.hexdigest()


@dataclass
class Signed:
    """The checkpoints of an export, by the row they were signed for; all of them are good."""

    heads: dict[int, str]
    statements: dict[int, dict[str, Any]]
    keys: set[str]

    @property
    def until(self) -> int:
        return max(self.heads, default=0)


def read_checkpoints(export: Export, tenant: str, pinned: set[str]) -> Signed:
    """Judge every signature, and that no checkpoint was taken away from between two others."""
    keys = {}
    for key in export.lines(KEYS):
        spki = bytes.fromhex(key["spki"])
        keys[hashlib.sha256(spki).hexdigest()] = spki
    found = Signed({}, {}, set())
    before = 0
    for line in export.lines(CHECKPOINTS):
        statement, row = line["statement"], line["statement"]["sequence"]
        place = f"the checkpoint of row {row}"
        demand(statement["tenant"] == tenant, f"{place} belongs to another tenant")
        demand(statement["key"] in keys, f"{place} is signed by a key that the export does not hold")
        demand(not pinned or statement["key"] in pinned, f"{place} is signed by a key that is not the one you named")
        demand(is_signed(statement, line["signature"], keys[statement["key"]]), f"{place} is not what was signed")
        demand(row > before and statement["previous"] == before, f"a checkpoint before {place} is missing")
        before = row
        found.heads[row], found.statements[row] = statement["head"], statement
        found.keys.add(statement["key"])
    return found


def is_signed(statement: dict[str, Any], signature: str, spki: bytes) -> bool:
    public = load_der_public_key(spki)
    try:
        if isinstance(public, ec.EllipticCurvePublicKey):
            wide = public.curve.key_size >= 384  # noqa: PLR2004 - P-384 hashes with SHA-384
            digest: hashes.HashAlgorithm = hashes.SHA384() if wide else hashes.SHA256()
            public.verify(bytes.fromhex(signature), canonical(statement), ec.ECDSA(digest))
        elif isinstance(public, rsa.RSAPublicKey):
            public.verify(bytes.fromhex(signature), canonical(statement), padding.PKCS1v15(), hashes.SHA256())
        else:
            return False
    except (InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


@dataclass
class Counted:
    rows: int = 0
    shown: int = 0


def walk(export: Export, tenant: str, heads: dict[int, str]) -> Counted:
    """Judge every row, and at each row that was signed the head of the chain."""
    counted, previous = Counted(), START
    for row in export.lines(ROWS):
        counted.rows += 1
        number = counted.rows
        demand(row["sequence"] == number, f"row {number} is missing from the chain")
        demand(row["event_digest"] is not None, f"row {number}: the event is gone")
        if "event" in row:
            judge_event(row, tenant)
            counted.shown += 1
        demand(row["previous"] == previous, f"row {number}: the seal does not follow the one before it")
        sealed = number.to_bytes(8, "big") + bytes.fromhex(previous) + bytes.fromhex(row["event_digest"])
        demand(hashlib.sha256(sealed).hexdigest() == row["digest"], f"row {number}: the seal does not fit its event")
        previous = row["digest"]
        demand(
            heads.get(number, previous) == previous, f"row {number}: a checkpoint was signed when the chain was another"
        )
    signed = max(heads, default=0)
    demand(signed <= counted.rows, f"row {counted.rows + 1} is cut off: a checkpoint was signed for row {signed}")
    return counted


def judge_event(row: dict[str, Any], tenant: str) -> None:
    place, event = f"row {row['sequence']}", row["event"]
    demand(event["tenant"] == tenant, f"{place}: the event belongs to another tenant")
    demand(event["id"] == row["id"], f"{place}: the seal is not the one that was set")
    demand(digest_of(event) == row["event_digest"], f"{place}: the event does not say what was written")


def kept_elsewhere(paths: list[Path], manifest: dict[str, Any]) -> tuple[dict[int, str], int]:
    """Read the heads that other exports or anchor files know of, and count those that are newer than this export."""
    tenant, rows = manifest["tenant"]["id"], manifest["rows"]["all"]
    taken = datetime.fromisoformat(manifest["taken_at"]) - AT_ONCE
    heads, newer = {}, 0
    for path in paths:
        lines = Export(path).lines(CHECKPOINTS) if zipfile.is_zipfile(path) else map(json.loads, path.open())
        for line in lines:
            statement = line["statement"]
            if statement["tenant"] != tenant:
                raise Unreadable(f"{path} is of another tenant")
            if datetime.fromisoformat(statement["at"]) > taken:
                newer += 1
                continue
            demand(
                statement["sequence"] <= rows,
                f"row {rows + 1} is cut off: {path} holds a checkpoint of row {statement['sequence']}",
            )
            heads[statement["sequence"]] = statement["head"]
    return heads, newer


def check(path: Path, pinned: set[str], kept: list[Path]) -> list[str]:
    """Return what was found, in sentences; raise `Changed` for the first thing that is not as it was written."""
    export = Export(path)
    manifest = export.manifest()
    tenant = manifest["tenant"]["id"]
    signed = read_checkpoints(export, tenant, pinned)
    others, newer = kept_elsewhere(kept, manifest)
    for row, head in others.items():
        demand(
            signed.heads.get(row) == head, f"row {row}: a checkpoint that was kept elsewhere is another one, or missing"
        )
    counted = walk(export, tenant, signed.heads)
    for name, told in manifest["files"].items():
        if name in export.digests:
            demand(export.digests[name] == told, f"{name} is not the file that the manifest describes")
    demand(
        manifest["rows"] == {"all": counted.rows, "shown": counted.shown, "signed": signed.until},
        "the manifest counts other rows than there are",
    )
    demand(counted.rows == 0 or signed.until, "no checkpoint vouches for any of these rows")
    told = told_of(manifest, counted, signed)
    if others:
        told.append(f"{len(others)} checkpoints that were kept elsewhere agree.")
    if newer:
        told.append(f"{newer} that were kept elsewhere were signed as the export was made, or later: not compared.")
    return told


def told_of(manifest: dict[str, Any], counted: Counted, signed: Signed) -> list[str]:
    name = manifest["tenant"]["slug"]
    told = [
        f"{name}: {counted.rows} rows in one chain, {counted.shown} of them shown, all as written.",
        f"The export says that it was made at {manifest['taken_at']}.",
    ]
    if signed.until:
        told.append(f"Signed up to row {signed.until}, in {len(signed.heads)} checkpoints.")
        told += [f"Signed by the key with the fingerprint {key}." for key in sorted(signed.keys)]
    if counted.rows > signed.until:
        told.append(f"Rows {signed.until + 1} to {counted.rows} are newer than the newest checkpoint: not signed yet.")
    if counted.shown < counted.rows:
        told.append("An extract: that each row shown is in the chain is proven, that no other row fits it is not.")
    return told


def main() -> int:
    parser = argparse.ArgumentParser(description="Check an export of the portal's journal.")
    parser.add_argument("export", type=Path)
    parser.add_argument("--key", action="append", default=[], help="fingerprint of the key that must have signed")
    parser.add_argument(
        "--kept", action="append", default=[], type=Path, help="an older export or an anchor file to compare with"
    )
    asked = parser.parse_args()
    try:
        told = check(asked.export, {key.replace(":", "").lower() for key in asked.key}, asked.kept)
    except Changed as complaint:
        sys.stdout.write(f"NOT AS WRITTEN: {complaint}.\n")
        return CHANGED
    except (Unreadable, OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError, AttributeError) as trouble:
        sys.stderr.write(f"This cannot be read as an export of the journal: {type(trouble).__name__}: {trouble}\n")
        return UNREADABLE
    sys.stdout.write("\n".join(told) + "\n")
    return AS_WRITTEN


if __name__ == "__main__":
    sys.exit(main())
