"""Which CAA records count for a name, and whether they let us issue (RFC 8659, 8657, 9495).

`relevant_set` looks and `permits` decides, so that a verdict can be computed again
from what was seen.  A look-up that fails is an exception, never an empty set:
nobody can take it for consent.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol

from lifecycle.validation.grammar import LABELS, URI, IssueValue, Malformed

PATIENCE = 10.0
"""Seconds that one name may take in all, from its first label to the root (BR 3.2.2.8 sets no limit)."""

UNDERSTOOD = frozenset({"issue", "issuewild", "iodef", "issuemail", "issuevmc"})
"""Property tags that may be critical.  Understanding one that does not govern is ignoring it: `iodef` never does
(RFC 8659 4.4), nor does `issuevmc` of the logo certificates, and `issuemail` does for mailboxes alone (RFC 9495 4)."""

# Bit 0 of the RFC is the highest one, 128.  People who count from the other end write 1 and mean the same; taking
# theirs for critical as well can only refuse where the RFC would not, and no other bit has a meaning yet.
_CRITICAL = 128 | 1


@dataclass(frozen=True, slots=True)
class Terms:
    """Who asks to issue for a name, and on what grounds: what its records are judged by, a look is bound to."""

    identities: tuple[str, ...]
    """Issuer domain names by which records permit the authority (RFC 8659 4.2)."""
    account: str = ""
    """The tenant's account URI (RFC 8657 3)."""
    methods: tuple[str, ...] = ()
    """Labels of the methods by which control of the name was proven (RFC 8657 4, BR 4.2.2.1.2)."""
    mail: bool = False
    """Whether it is for mailboxes, so that `issuemail` counts and `issue` does not (RFC 9495 4)."""
    corroborated: bool = False
    """Whether remote perspectives have to agree (BR 3.2.2.9)."""

    def spelled(self) -> dict[str, Any]:
        """As a row keeps them; authorities that answer to the same names, in any order and case, share a look."""
        return {
            "identities": sorted({canonical(identity) for identity in self.identities}),
            "account": self.account,
            "methods": sorted(self.methods),
            "mail": self.mail,
            "corroborated": self.corroborated,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Terms":
        return cls(
            tuple(kept["identities"]), kept["account"], tuple(kept["methods"]), kept["mail"], kept["corroborated"]
        )


class Reason(StrEnum):
    """Why a look at a name ended as it did; `words` says it to people."""

    NO_RECORDS = "no-records"
    EXCUSED = "excused"  # it could not be found out, and the rules allow to go on
    NOT_RESTRICTED = "not-restricted"
    NAMED = "named"

    UNPROVEN = "unproven"
    OTHER_METHOD = "other-method"
    OTHER_ACCOUNT = "other-account"
    UNSATISFIABLE = "unsatisfiable"
    OTHERS_NAMED = "others-named"
    NOBODY_NAMED = "nobody-named"
    MALFORMED = "malformed"
    UNKNOWN_CRITICAL = "unknown-critical"

    TIMED_OUT = "timed-out"
    UNREACHABLE = "unreachable"
    SERVER_FAILED = "server-failed"
    BOGUS = "bogus"  # signatures do not hold, or are gone
    REFUSED = "refused"
    BAD_ANSWER = "bad-answer"
    ALIAS_LOOP = "alias-loop"
    TOO_MUCH = "too-much"
    NOT_A_NAME = "not-a-name"

    NOT_CORROBORATED = "not-corroborated"  # we see that it permits, and others see something else (BR 3.2.2.9)
    TOO_FEW_PERSPECTIVES = "too-few-perspectives"


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
    excused: tuple[str, ...] = ()
    """Labels of *asked* that could not be looked up, twice, in a zone proven to be unsigned (BR 3.2.2.8)."""

    @property
    def records(self) -> tuple[Record, ...]:
        return self.answer.records


class LookupFailed(Exception):
    """The DNS could not be asked, or its answer not be believed.  Never consent."""

    def __init__(self, reason: Reason, asked: str, detail: str = "", resolver: str = "", *, ours: bool = False) -> None:
        super().__init__(f"{asked}: {reason}" + (f" ({detail})" if detail else ""))
        self.reason = reason
        self.asked = asked
        self.detail = detail
        self.resolver = resolver
        self.ours = ours  # nobody else is to blame, as far as is known
        self.at = time.monotonic()


class Resolver(Protocol):
    def caa(self, name: str, ends: float) -> Answer:
        """Ask for the CAA records of *name*, aliases followed, until the monotonic clock shows *ends*.

        Raises `LookupFailed` for whatever is not an answer.
        """
        ...

    def caa_again(self, failure: LookupFailed, ends: float) -> Answer:
        """Look up once more what *failure* is about, not merely read again how it failed."""
        ...

    def forgives(self, failure: LookupFailed, ends: float) -> bool:
        """Whether *failure*, once it was tried again, may count as "no record" (BR 3.2.2.8).

        It has to be outside of our infrastructure, and the zone proven to be unsigned.
        """
        ...


def canonical(name: str) -> str:
    """The one spelling of a name: lower case, no dot at the end.

    A wildcard keeps its star; a name whose mailboxes are meant begins with an at sign, as in `@example.test`.
    """
    return name.strip().lower().removesuffix(".")


def host_of(name: str) -> str:
    """Return the name in the DNS that a wildcard or a domain of mailboxes is about."""
    return canonical(name).removeprefix("*.").removeprefix("@")


def climb(name: str) -> Iterator[str]:
    """The labels to ask, from *name* to below the root; neither star nor at sign is a label of its own (RFC 8659 3)."""
    labels = host_of(name).split(".")
    for start in range(len(labels)):
        yield ".".join(labels[start:])


def relevant_set(name: str, resolver: Resolver, *, patience: float = PATIENCE) -> RelevantSet:
    """Climb from *name* towards the root until somebody has an opinion (RFC 8659 section 3).

    Where a label is an alias, the set is its target's, and the climb goes on at the label's
    own parent.  The first label that cannot be looked up ends it with `LookupFailed`: what
    stands higher may be overruled by what could not be seen.  What the resolver forgives is
    tried again in the end, and counts as none if it fails once more.
    """
    ends = time.monotonic() + patience
    asked: list[str] = []
    failures: list[LookupFailed] = []
    found_at, answer, authentic = None, Answer(host_of(name), (), 0), True
    for here in climb(name):
        asked.append(here)
        try:
            answer = resolver.caa(here, ends)
        except LookupFailed as failure:
            if not resolver.forgives(failure, ends):
                raise
            failures.append(failure)
            continue
        authentic = authentic and answer.authentic
        if answer.records:
            found_at = here
            break
    answer = replace(answer, authentic=authentic and not failures)  # that nobody below has a record counts as well
    return _tried_again(RelevantSet(name, found_at, answer, tuple(asked)), failures, resolver, ends)


def _tried_again(found: RelevantSet, failures: list[LookupFailed], resolver: Resolver, ends: float) -> RelevantSet:
    """Return what counts after another look at what failed, the closest label first."""
    excused: list[str] = []
    for failure in failures:
        try:
            answer = resolver.caa_again(failure, ends)
        except LookupFailed as again:
            if not resolver.forgives(again, ends):
                raise
            excused.append(again.asked)
            continue
        if answer.records:
            return RelevantSet(found.name, failure.asked, answer, found.asked, tuple(excused))
    return replace(found, excused=tuple(excused))


@dataclass(frozen=True, slots=True)
class Decision:
    permitted: bool
    reason: Reason
    clause: str
    """Where the rule stands."""
    governing: str = "issue"
    """The property that counts: `issuemail` for mailboxes, `issuewild` for a wildcard whose set has one, or `issue`."""
    issuers: tuple[str, ...] = ()
    """Whom a set names that forbids."""
    record: Record | None = field(default=None, repr=False)
    """The record that forbids by itself, or that comes nearest to permitting."""


def permits(found: RelevantSet, terms: Terms) -> Decision:
    """Judge the records: may an authority issue on these *terms* for this name?  Looks nothing up.

    One property that is satisfied is enough, whatever the others say (RFC 8659 4.2); where none is, the decision is
    about the one that comes nearest.
    """
    governing, clause = _governing(found, terms)
    if not found.records and found.excused:
        return Decision(permitted=True, reason=Reason.EXCUSED, clause="BR 3.2.2.8", governing=governing)
    if not found.records:
        return Decision(permitted=True, reason=Reason.NO_RECORDS, clause="RFC 8659 3", governing=governing)
    for record in found.records:
        if record.critical and record.kind not in UNDERSTOOD:
            return Decision(False, Reason.UNKNOWN_CRITICAL, "RFC 8659 4.5", governing, record=record)
    properties = [record for record in found.records if record.kind == governing]
    if not properties:
        silence = clause if terms.mail else "RFC 8659 3"
        return Decision(permitted=True, reason=Reason.NOT_RESTRICTED, clause=silence, governing=governing)
    standings = [(*_stands(record, terms), record) for record in properties]
    reason, told, nearest = min(standings, key=lambda standing: _NEAREST.index(standing[0]))
    if reason is Reason.NAMED:
        return Decision(permitted=True, reason=reason, clause=clause, governing=governing)
    others = [record for kind, _told, record in standings if kind is Reason.OTHERS_NAMED]
    issuers = tuple(IssueValue.parsed(record.value).issuer for record in others)
    return Decision(False, reason, told or clause, governing, issuers, nearest)


_NEAREST = (
    Reason.NAMED,
    Reason.UNPROVEN,
    Reason.OTHER_METHOD,
    Reason.OTHER_ACCOUNT,
    Reason.UNSATISFIABLE,
    Reason.OTHERS_NAMED,
    Reason.MALFORMED,
    Reason.NOBODY_NAMED,
)
"""What one property may come to, from the satisfied one on: what is said of a set is what helps its owner most."""


def _governing(found: RelevantSet, terms: Terms) -> tuple[str, str]:
    """Return the property that counts, and where that stands.

    For a wildcard, and for nothing else, `issuewild` takes the place of every `issue` (RFC 8659 4.3).
    """
    if terms.mail:
        return "issuemail", "RFC 9495 4"
    if found.name.startswith("*.") and any(record.kind == "issuewild" for record in found.records):
        return "issuewild", "RFC 8659 4.3"
    return "issue", "RFC 8659 4.2"


def _stands(record: Record, terms: Terms) -> tuple[Reason, str]:
    """Return what one property comes to on these *terms*, and the clause where that is not the property's own."""
    try:
        said = IssueValue.parsed(record.value)
    except Malformed:
        return Reason.MALFORMED, ""
    if not said.issuer:
        return Reason.NOBODY_NAMED, ""
    if said.issuer not in map(canonical, terms.identities):
        return Reason.OTHERS_NAMED, ""
    return _satisfied(said, terms)


def _satisfied(said: IssueValue, terms: Terms) -> tuple[Reason, str]:
    """Return what the parameters of a property that names us come to.

    They are the issuer's to define (RFC 8659 4.2): those of RFC 8657 restrict, in `issuemail` as well, and others mean
    nothing here.
    """
    accounts, methods = said.given("accounturi"), said.given("validationmethods")
    if len(accounts) > 1 or not all(map(URI.fullmatch, accounts)):
        return Reason.UNSATISFIABLE, "RFC 8657 3"
    if len(methods) > 1 or not all(map(LABELS.fullmatch, methods)):
        return Reason.UNSATISFIABLE, "RFC 8657 4"
    if accounts and accounts != [terms.account]:
        return Reason.OTHER_ACCOUNT, "RFC 8657 3"
    if methods and not terms.methods:
        return Reason.UNPROVEN, "RFC 8657 4"
    if methods and set(terms.methods).isdisjoint(methods[0].split(",")):
        return Reason.OTHER_METHOD, "RFC 8657 4"
    return Reason.NAMED, ""
