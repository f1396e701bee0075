"""What a word on the command line means: a certificate by ID, serial or name, a request by ID or number."""

import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

from portal.ctl.outcomes import Failure, Outcome

if TYPE_CHECKING:
    from portal.ctl.connection import Api

_MOST = 100
_SERIAL = re.compile(r"[0-9a-f]{8,40}")  # RFC 5280 4.1.2.2: 20 octets at most


def certificate(api: "Api", word: str) -> dict[str, Any]:
    """The one that *word* means, in full.

    A name means the newest of its lineage: what was rekeyed since is not meant any more.  Where several are left
    it is refused, since the wrong one could be acted on.
    """
    if _is_id(word):
        return dict(api.get("certificates", word.casefold()))
    digits = _hex(word)
    pages = api.pages("certificates", q=digits if _SERIAL.fullmatch(digits) else word, limit=_MOST)
    rows = [row for page in pages for row in page["results"]]
    meant = [row for row in rows if _is_meant(row, word)]
    if not meant:
        known = sorted({row["name"] for row in rows})[:5]
        raise Failure(
            Outcome.NOT_FOUND,
            f"There is no certificate with the ID, serial or name “{word}”.",
            f"Did you mean: {', '.join(known)}?" if known else "See what there is: portalctl list",
        )
    superseded = {row["predecessor"] for row in meant}
    newest = [row for row in meant if row["id"] not in superseded]
    left = [row for row in newest if row["status"] == "active"] or newest
    if len(left) > 1:
        ids = "; ".join(
            f"{row['id']} ({row['profile'] or row['issuer']}, ends {row['not_after'][:10]})" for row in left
        )
        raise Failure(
            Outcome.USAGE, f"{len(left)} certificates are called “{word}”.", f"Say which one, by its ID: {ids}"
        )
    return dict(api.get("certificates", left[0]["id"]))


def request(api: "Api", word: str) -> dict[str, Any]:
    """The request that *word* means, in full."""
    if _is_id(word):
        return dict(api.get("requests", word.casefold()))
    if found := api.get("requests", number=word[:12])["results"]:
        return dict(api.get("requests", found[0]["id"]))
    raise Failure(
        Outcome.NOT_FOUND,
        f"There is no request “{word}” that you may see.",
        "See what there is: portalctl requests list",
    )


def domain(api: "Api", word: str) -> dict[str, Any]:
    """The domain or mailbox that *word* means, in full."""
    if _is_id(word):
        return dict(api.get("domains", word.casefold()))
    name = _in_the_dns(word.casefold().removeprefix("*.").rstrip("."))
    pages = api.pages("domains", name=name[:255], limit=_MOST)
    found = next((row for page in pages for row in page["results"] if row["name"] == name), None)
    if found is None:
        raise Failure(Outcome.NOT_FOUND, f"“{word}” is not among your domains.", f"Add it: portalctl domain add {word}")
    return dict(api.get("domains", found["id"]))


def _in_the_dns(name: str) -> str:
    """A name as the portal keeps it: A-labels, where this machine can tell them."""
    try:
        return name if "@" in name else name.encode("idna").decode()
    except UnicodeError:
        return name


def _is_meant(row: dict[str, Any], word: str) -> bool:
    return _hex(row["serial"]) == _hex(word) or row["name"].casefold() == word.casefold()


def _is_id(word: str) -> bool:
    """Whether it is written as the portal writes one; 32 digits in a row are a serial."""
    try:
        return str(UUID(word)) == word.casefold()
    except ValueError:
        return False


def _hex(serial: str) -> str:
    return serial.replace(":", "").replace(" ", "").lstrip("0").casefold()
