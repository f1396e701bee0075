"""What the CAA adviser says: of a name as it stands in the DNS, and of records that somebody only thinks of.

Pure.  It judges by `caa.permits` and speaks by `words`, like every look, so that what is advised is what will happen.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from lifecycle.validation import evidence
from lifecycle.validation.caa import (
    Answer,
    Decision,
    LookupFailed,
    Record,
    RelevantSet,
    Terms,
    climb,
    host_of,
    permits,
)
from lifecycle.validation.errors import UnreadableLine
from lifecycle.validation.lines import line_of
from lifecycle.validation.words import Told, told_of

MOST_LINES, LONGEST_LINE = 100, 2_000
TAGS = ("issue", "issuewild", "issuemail")

Standing = Mapping[str, tuple[Record, ...]]
"""Records by the label they stand on."""


@dataclass(frozen=True, slots=True)
class Advice:
    """The verdict on one name for one authority, in words."""

    permitted: bool
    clause: str
    """Where the rule stands that decided; "" where nothing could be found out."""
    told: Told


def advise(name: str, found: RelevantSet | LookupFailed, terms: Terms) -> Advice:
    """Say what a look that found this comes to."""
    if isinstance(found, LookupFailed):
        kept = evidence.of_found(name, found, None, terms)
        return Advice(permitted=False, clause="", told=told_of(name, found.reason, kept))
    decision = permits(found, terms)
    kept = evidence.of_found(name, found, decision, terms)
    return Advice(decision.permitted, decision.clause, told_of(name, decision.reason, kept))


def only_ours(name: str, terms: Terms) -> tuple[str, ...]:
    """The records that let the authority of *terms* issue for *name*, and nobody else: for hosts, wildcards, mailboxes.

    They name the account, and the methods where any are known; none where the authority answers to no name in CAA
    records.
    """
    if not terms.identities:
        return ()
    return tuple(line_of(host_of(name), tag, terms, account=True, methods=True) for tag in TAGS)


def what_if(name: str, text: str, terms: Terms, *, stands: Standing | None = None) -> Decision:
    """Judge the records that *text* has, in place of those that stand on their labels.  Raises `UnreadableLine`."""
    return permits(imagined(name, text, stands=stands), terms)


def imagined(name: str, text: str, *, stands: Standing | None = None) -> RelevantSet:
    """Return what a look would find were the records of *text* published; where there are none, what *stands* there.

    Raises `UnreadableLine`.
    """
    typed = {**(stands or {}), **read(name, text)}
    asked: list[str] = []
    for label in climb(name):
        asked.append(label)
        if records := typed.get(label):
            return RelevantSet(name, label, Answer(label, records, 0), tuple(asked))
    return RelevantSet(name, None, Answer(asked[-1], (), 0), tuple(asked))


def read(name: str, text: str) -> dict[str, tuple[Record, ...]]:
    """Read lines of a zone file; one without an owner is about *name* itself.

    Raises `UnreadableLine` for the first that is no CAA record, or is about a name that is not asked on the way up.
    """
    found: dict[str, tuple[Record, ...]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if number > MOST_LINES:
            raise UnreadableLine(number, _("there are more than {most} lines"), most=MOST_LINES)
        tokens = [*_tokens(number, line)]
        if tokens:
            owner, record = _record(number, name, tokens)
            found[owner] = (*found.get(owner, ()), record)
    return found


# RFC 1035 5.1: words, words in quotation marks, and a comment from a semicolon on
_TOKEN = re.compile(r'[ \t]*+(?:;(?P<comment>.*)|"(?P<quoted>(?:[^"\\]|\\.)*+)"|(?P<bare>(?:[^ \t";\\]|\\.)++))[ \t]*+')
_NUMBER = re.compile(r"[0-9]{1,3}", re.ASCII)
_TTL = re.compile(r"[0-9]+[smhdw]?", re.ASCII | re.IGNORECASE)
_TAG = re.compile(r"[A-Za-z0-9]{1,255}", re.ASCII)  # RFC 8659 4.1
_ESCAPED = re.compile(r"\\([0-9]{3}|.)", re.ASCII)


def _tokens(number: int, line: str) -> Iterator[str]:
    if len(line) > LONGEST_LINE:
        raise UnreadableLine(number, _("it is longer than {most} characters"), most=LONGEST_LINE)
    place = 0
    while place < len(line):
        token = _TOKEN.match(line, place)
        if token is None:
            if not line[place:].strip():
                return
            raise UnreadableLine(number, _("a quotation mark is missing"))
        if token["comment"] is not None:
            if place and "=" in token["comment"]:
                raise UnreadableLine(
                    number,
                    _("its parameters stand outside the quotation marks, where name servers take them for a comment"),
                )
            return
        yield token["bare"] if token["quoted"] is None else token["quoted"]
        place = token.end()


def _record(number: int, name: str, tokens: list[str]) -> tuple[str, Record]:
    """Return whose record the line is, and the record."""
    kinds = [place for place, token in enumerate(tokens[:4]) if token.upper() == "CAA"]
    if not kinds:
        raise UnreadableLine(number, _("it is no CAA record"))
    before, after = tokens[: kinds[0]], tokens[kinds[0] + 1 :]
    owners = [token for token in before if token.upper() != "IN" and not _TTL.fullmatch(token)]
    if len(owners) > 1 or (owners and owners[0] is not before[0]):
        raise UnreadableLine(number, _("before the word CAA belong only the name, a time and the word IN"))
    if len(after) != len(("flags", "tag", "value")):
        raise UnreadableLine(
            number, _("behind the word CAA belong three things: a number, a tag, and a value in quotation marks")
        )
    flags, tag, value = after
    if not _NUMBER.fullmatch(flags) or int(flags) > 0xFF:  # noqa: PLR2004 - one octet
        raise UnreadableLine(number, _("behind the word CAA belongs a number from 0 to 255"))
    if not _TAG.fullmatch(tag):
        raise UnreadableLine(number, _("“{tag}” is no tag: those are letters and digits"), tag=tag)
    return _owner(number, name, owners), Record(int(flags), tag, _octets(number, value))


def _owner(number: int, name: str, owners: list[str]) -> str:
    host = host_of(name)
    owner = host if owners in ([], ["@"]) else owners[0].lower().removesuffix(".")
    if owner not in climb(name):
        raise UnreadableLine(
            number, _("it is about {owner}, and only {name} and the names above it are asked"), owner=owner, name=host
        )
    return owner


def _octets(number: int, value: str) -> bytes:
    found, place = b"", 0
    for escape in _ESCAPED.finditer(value):
        said = escape[1]
        if said.isdigit() and len(said) > 1 and int(said) > 0xFF:  # noqa: PLR2004 - one octet
            raise UnreadableLine(number, _("\\{digits} stands for no octet"), digits=said)
        octet = bytes([int(said)]) if len(said) > 1 else said.encode()
        found, place = found + value[place : escape.start()].encode() + octet, escape.end()
    return found + value[place:].encode()
