"""What the answers to a method's questions come to: is the value there, and if not, what stands in its place.

Pure.  Each function returns a code of `diagnosis` (or `methods.SEEN`) and the facts that its words need.  Whatever a
stranger wrote comes escaped from the place that saw it, is compared unescaped, and is told cut.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator

from lifecycle.validation.evidence import escaped, unescaped
from lifecycle.validation.grammar import IssueValue, Malformed
from lifecycle.validation.questions import Asked, Observation
from portal.foundation.names import is_public_suffix
from portal.foundation.outbound import Reason as Unfetched

Said = tuple[str, Mapping[str, Any]]

MOST_TOLD = 120
"""Characters of what a stranger wrote that a diagnosis repeats."""

MOST_VALUES = 5
"""Records that a diagnosis repeats."""

MOST_CONTACTS = 10
"""Mailboxes of a domain that are offered."""

_BOM = b"\xef\xbb\xbf"
_QUOTES = b"\"'\xe2\x80\x9c\xe2\x80\x9d\xe2\x80\x9e"
_GONE = {404, 410}
_mailbox = EmailValidator(allowlist=())


def zones_of(domain: str) -> Iterator[str]:
    """*domain* and every parent that somebody can own: the zones that a record for it may stand in."""
    labels = domain.split(".")
    for start in range(len(labels)):
        zone = ".".join(labels[start:])
        if is_public_suffix(zone):
            return
        yield zone


def failure(observations: Sequence[Observation]) -> Said | None:
    """Why the first of them saw nothing, where something went wrong; None where all were answered."""
    return next((_failed(each) for each in observations if each.reason), None)


def told(observations: Sequence[Observation]) -> dict[str, Any]:
    """What is worth remembering of any answer: for how long it holds, and whether it was signed."""
    return _lasting(observations[0]) if observations else {}


def record(observations: Sequence[Observation], owner: str, value: str) -> Said:
    """Judge a record at *owner* that should carry *value*, the first observation being the one that counts."""
    first, *astray = observations
    if first.reason:
        return _failed(first)
    found, wanted = _values(first), value.encode("ascii")
    if wanted in (map(_plain_name, found) if first.question.asked == Asked.CNAME else found):
        return "seen", _lasting(first)
    facts = {"name": owner, "expected": value, "found": _told(found), **_lasting(first)}
    if any(_bare(each) == wanted for each in found):
        return ("altered" if any(each.strip().lower() == wanted for each in found) else "quoted"), facts
    if elsewhere := _elsewhere(astray, owner, wanted):
        reason, where = elsewhere
        return reason, {**facts, **where}
    return ("other-value" if found else "nothing-there"), facts


def _elsewhere(astray: Sequence[Observation], owner: str, wanted: bytes) -> Said | None:
    """Where the value stands instead, or what keeps it from being seen at *owner*."""
    for other in astray:
        if not other.reason and wanted in map(_plain_name, _values(other)):
            name = other.question.name
            return ("missing-dot" if name.startswith(f"{owner}.") else "wrong-name"), {"elsewhere": name}
    for other in astray:
        is_alias = other.question.asked == Asked.CNAME and other.question.name == owner and not other.reason
        if is_alias and (targets := _told(_values(other))):
            return "alias", {"target": targets[0]}
    return None


def file(observations: Sequence[Observation], host: str, value: str) -> Said:
    """Judge a file that should have *value* for its content, and nothing besides a line's end."""
    first, wanted = observations[0], value.encode("ascii")
    body, status = unescaped(str(first.found.get("body", ""))), int(first.found.get("status") or 0)
    facts = {
        "name": host,
        "address": f"http://{host}{first.question.path}",
        "url": str(first.found.get("url", ""))[:MOST_TOLD],
        "status": status,
        "expected": value,
        "found": [_cut(body)] if body else [],
    }
    if first.reason == Unfetched.WRONG_STATUS:
        return ("file-missing" if status in _GONE else "file-status"), facts
    if first.reason == Unfetched.TOO_LARGE:
        return "file-large", facts
    if first.reason:
        return str(first.reason), facts
    if body.rstrip(b"\r\n") == wanted:
        return "seen", {"url": facts["url"]}
    return _instead(body, wanted), facts


def _instead(body: bytes, wanted: bytes) -> str:
    """What stands in a file instead of the value."""
    if not body.strip():
        return "file-empty"
    if body.startswith(_BOM):
        return "file-bom"
    if body.lstrip().startswith(b"<"):
        return "file-html"
    return "file-more" if wanted in body else "file-other"


def persistent(observations: Sequence[Observation], owner: str, issuer: str, account: str, now: datetime) -> Said:
    """Judge TXT records that may permit *account* at *issuer* (BR 3.2.2.4.22); one that does is enough."""
    first = observations[0]
    if first.reason:
        return _failed(first)
    found = _values(first)
    facts = {"name": owner, "issuer": issuer, "account": account, "found": _told(found), **_lasting(first)}
    verdicts = [_persistence(each, issuer, account, now) for each in found]
    if "seen" in verdicts:
        return "seen", _lasting(first)
    for reason in ("persist-narrow", "persist-ended", "persist-other-account", "persist-malformed"):
        if reason in verdicts:
            return reason, facts
    return ("persist-other-issuer" if found else "nothing-there"), facts


def _persistence(text: bytes, issuer: str, account: str, now: datetime) -> str:
    """How near one record comes, with a parameter given twice counting as none."""
    try:
        said = IssueValue.parsed(text)
    except Malformed:
        return "persist-malformed"
    if said.issuer != issuer.lower() or not issuer:
        return "persist-other-issuer"
    if said.given("accounturi") != [account] or not account:
        return "persist-other-account"
    until = said.given("persistuntil")
    if until and (len(until) > 1 or not _decimal(until[0])):
        return "persist-malformed"
    if until and now.timestamp() > int(until[0]):
        return "persist-ended"
    return "seen" if [each.lower() for each in said.given("policy")] == ["wildcard"] else "persist-narrow"


def caa_contacts(observations: Sequence[Observation]) -> tuple[str, ...]:
    """The mailboxes that `contactemail` properties of the relevant set name (BR appendix A.1.1)."""
    if not observations or observations[0].reason:
        return ()
    records = observations[0].found.get("records", ())
    return _mailboxes(unescaped(each["value"]) for each in records if each["tag"].lower() == "contactemail")


def txt_contacts(observations: Sequence[Observation], owner: str) -> tuple[str, ...]:  # noqa: ARG001 - as the question
    """The mailboxes that TXT records are, each as a whole (BR appendix A.2.1)."""
    if not observations or observations[0].reason:
        return ()
    return _mailboxes(iter(_values(observations[0])))


def _mailboxes(texts: Iterator[bytes]) -> tuple[str, ...]:
    """Those of *texts* that are a mailbox and nothing else; one that is more than that is none."""
    found: list[str] = []
    for text in texts:
        try:
            address = text.decode("ascii").strip()
            _mailbox(address)
        except (UnicodeDecodeError, ValidationError):
            continue
        local, _at, host = address.rpartition("@")
        if (plain := f"{local}@{host.lower()}") not in found:
            found.append(plain)
    return tuple(found[:MOST_CONTACTS])


def _failed(observation: Observation) -> Said:
    facts = {"name": observation.question.name, "detail": _cut(str(observation.found.get("detail", "")).encode())}
    return observation.reason, facts


def _values(observation: Observation) -> list[bytes]:
    return [unescaped(str(each)) for each in observation.found.get("values", ())]


def _plain_name(value: bytes) -> bytes:
    return value.lower().removesuffix(b".")


def _bare(value: bytes) -> bytes:
    """Without quotation marks of any make around it: a DNS editor that adds its own takes typed ones for content."""
    return value.strip(_QUOTES + b" \\").lower()


def _lasting(observation: Observation) -> dict[str, Any]:
    """Whether the answer was signed, and until when a resolver on the way may go on telling it."""
    kept: dict[str, Any] = {"authentic": bool(observation.found.get("authentic"))}
    if seconds := min(int(observation.found.get("ttl") or 0), 7 * 24 * 3600):
        kept["cached_until"] = (observation.at.astimezone(UTC) + timedelta(seconds=seconds)).isoformat()
    return kept


def _told(values: Sequence[bytes]) -> list[str]:
    return [_cut(each) for each in values[:MOST_VALUES]]


def _cut(value: bytes) -> str:
    text = escaped(value[: MOST_TOLD + 1])
    return text if len(text) <= MOST_TOLD else f"{text[:MOST_TOLD]}…"


def _decimal(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= len("253402300799")  # the last second of year 9999
