"""Which CAA records count for a name, and whether they let us issue (RFC 8659).

`relevant_set` looks and `permits` decides, so that a verdict can be computed again
from what was seen.  A look-up that fails is an exception, never an empty set:
nobody can take it for consent.
"""

import re
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

PATIENCE = 10.0
"""Seconds that one name may take in all, from its first label to the root (BR 3.2.2.8 sets no limit)."""

UNDERSTOOD = frozenset({"issue", "issuewild", "iodef", "issuemail", "issuevmc"})
"""Property tags that may be critical.  The last three say nothing about a name in the DNS
(RFC 8659 4.4, RFC 9495, and the logo certificates' `issuevmc`), so understanding them is ignoring them."""

# Bit 0 of the RFC is the highest one, 128.  People who count from the other end write 1 and mean the same; taking
# theirs for critical as well can only refuse where the RFC would not, and no other bit has a meaning yet.
_CRITICAL = 128 | 1


class Reason(StrEnum):
    """Why a look at a name ended as it did; `words` says it to people."""

    NO_RECORDS = "no-records"
    NOT_RESTRICTED = "not-restricted"
    NAMED = "named"

    OTHERS_NAMED = "others-named"
    NOBODY_NAMED = "nobody-named"
    MALFORMED = "malformed"
    UNKNOWN_CRITICAL = "unknown-critical"

    TIMED_OUT = "timed-out"
    UNREACHABLE = "unreachable"
    SERVER_FAILED = "server-failed"
    REFUSED = "refused"
    BAD_ANSWER = "bad-answer"
    ALIAS_LOOP = "alias-loop"
    TOO_MUCH = "too-much"
    NOT_A_NAME = "not-a-name"


@dataclass(frozen=True, slots=True)
class Record:
    """One CAA record as it came; *value* is whatever a stranger wrote."""

    flags: int
    tag: str
    value: bytes

    @property
    def kind(self) -> str:
        return self.tag.lower()  # RFC 8659 4.1: matching of tags is case insensitive

    @property
    def critical(self) -> bool:
        return bool(self.flags & _CRITICAL)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the DNS says about one label: its records, empty where there are none, and whose they are.

    *owner* is another name than the one asked for where that is an alias.
    """

    owner: str
    records: tuple[Record, ...]
    ttl: int
    resolver: str = ""
    authentic: bool = False  # the resolver found DNSSEC signatures and they hold


@dataclass(frozen=True, slots=True)
class RelevantSet:
    """The records that count for *name*, and on whose label they were found; None and empty where nobody has any."""

    name: str
    found_at: str | None
    answer: Answer
    asked: tuple[str, ...]

    @property
    def records(self) -> tuple[Record, ...]:
        return self.answer.records


class LookupFailed(Exception):
    """The DNS could not be asked, or its answer not be believed.  Never consent."""

    def __init__(self, reason: Reason, asked: str, detail: str = "", resolver: str = "") -> None:
        super().__init__(f"{asked}: {reason}" + (f" ({detail})" if detail else ""))
        self.reason = reason
        self.asked = asked
        self.detail = detail
        self.resolver = resolver


class Resolver(Protocol):
    def caa(self, name: str, ends: float) -> Answer:
        """Ask for the CAA records of *name*, aliases followed, until the monotonic clock shows *ends*.

        Raises `LookupFailed` for whatever is not an answer.
        """
        ...


def canonical(name: str) -> str:
    """The one spelling of a name: lower case, no dot at the end."""
    return name.strip().lower().removesuffix(".")


def climb(name: str) -> Iterator[str]:
    """The labels to ask, from *name* to below the root; a wildcard's star is no label of its own (RFC 8659 3)."""
    labels = canonical(name).removeprefix("*.").split(".")
    for start in range(len(labels)):
        yield ".".join(labels[start:])


def relevant_set(name: str, resolver: Resolver, *, patience: float = PATIENCE) -> RelevantSet:
    """Climb from *name* towards the root until somebody has an opinion (RFC 8659 section 3).

    Where a label is an alias, the set is its target's, and the climb goes on at the label's
    own parent.  The first label that cannot be looked up ends it with `LookupFailed`: what
    stands higher may be overruled by what could not be seen.
    """
    ends = time.monotonic() + patience
    asked: list[str] = []
    for here in climb(name):
        asked.append(here)
        answer = resolver.caa(here, ends)
        if answer.records:
            return RelevantSet(name, here, answer, tuple(asked))
    return RelevantSet(name, None, answer, tuple(asked))


@dataclass(frozen=True, slots=True)
class Decision:
    permitted: bool
    reason: Reason
    clause: str
    """Where the rule stands."""
    governing: str = "issue"
    """The property that counts: `issuewild` for a wildcard whose set has one, `issue` else."""
    issuers: tuple[str, ...] = ()
    """Whom a set names that forbids."""
    record: Record | None = field(default=None, repr=False)
    """The record that forbids by itself, or that nobody can read."""


def permits(found: RelevantSet, our_identities: Collection[str]) -> Decision:
    """Judge the records: may an authority that answers to *our_identities* issue for this name?  Looks nothing up."""
    if not found.records:
        return Decision(permitted=True, reason=Reason.NO_RECORDS, clause="RFC 8659 3")
    for record in found.records:
        if record.critical and record.kind not in UNDERSTOOD:
            return Decision(permitted=False, reason=Reason.UNKNOWN_CRITICAL, clause="RFC 8659 4.5", record=record)
    governing, clause = _governing(found)
    properties = [record for record in found.records if record.kind == governing]
    if not properties:
        return Decision(permitted=True, reason=Reason.NOT_RESTRICTED, clause="RFC 8659 3")
    issuers = [_issuer_or_none(record) for record in properties]
    ours = {canonical(identity) for identity in our_identities} - {""}
    if any(issuer in ours for issuer in issuers):
        return Decision(permitted=True, reason=Reason.NAMED, clause=clause, governing=governing)
    others = tuple(issuer for issuer in issuers if issuer)
    malformed = next((record for record, issuer in zip(properties, issuers, strict=True) if issuer is None), None)
    reason = Reason.OTHERS_NAMED if others else Reason.MALFORMED if malformed else Reason.NOBODY_NAMED
    return Decision(
        permitted=False, reason=reason, clause=clause, governing=governing, issuers=others, record=malformed
    )


def _issuer_or_none(record: Record) -> str | None:
    try:
        return issuer_of(record.value)
    except Malformed:
        return None


def _governing(found: RelevantSet) -> tuple[str, str]:
    """RFC 8659 4.3: for a wildcard, and for nothing else, `issuewild` takes the place of every `issue`."""
    if found.name.startswith("*.") and any(record.kind == "issuewild" for record in found.records):
        return "issuewild", "RFC 8659 4.3"
    return "issue", "RFC 8659 4.2"


class Malformed(ValueError):
    """A value outside the grammar.  It counts as one that names nobody, so a slip forbids and never permits."""


# RFC 8659 4.2.  Possessive where blanks meet blanks, since a stranger writes what is matched here.
_BLANK = rb"[ \t]*+"
_WORD = rb"[A-Za-z0-9](?:-*+[A-Za-z0-9])*+"
_PARAMETER = _WORD + _BLANK + rb"=" + _BLANK + rb"[\x21-\x3a\x3c-\x7e]*+"
_ISSUE_VALUE = re.compile(
    _BLANK + rb"(?P<issuer>" + _WORD + rb"(?:\." + _WORD + rb")*+)?" + _BLANK
    + rb"(?:;" + _BLANK + rb"(?:" + _PARAMETER + _BLANK + rb"(?:;" + _BLANK + _PARAMETER + _BLANK + rb")*+)?)?"
)  # fmt: skip


def issuer_of(value: bytes) -> str:
    """The issuer domain name in the value of an `issue` or `issuewild` property, lower case; "" where it names nobody.

    Raises `Malformed` for what the grammar of RFC 8659 4.2 does not let through, a dot at the
    end of the name or a semicolon behind the last parameter among them.  Parameters are read
    and have no effect.
    """
    match = _ISSUE_VALUE.fullmatch(value)
    if match is None:
        raise Malformed
    return (match["issuer"] or b"").decode("ascii").lower()


def record_to_publish(found: RelevantSet, decision: Decision, our_identities: Collection[str]) -> str:
    """The line of a zone file that would permit us, to stand beside what is there; "" where no line would help."""
    if decision.reason == Reason.UNKNOWN_CRITICAL or not our_identities:
        return ""
    owner = canonical(found.answer.owner if found.found_at else found.name).removeprefix("*.")
    return f'{owner}. CAA 0 {decision.governing} "{canonical(min(our_identities))}"'
