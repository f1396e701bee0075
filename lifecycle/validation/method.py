"""What every way to prove control is: its place in the rules, what it tells people, what it asks and how it judges."""

import re
import secrets
from abc import ABC, abstractmethod
from base64 import b32encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

from django.utils.functional import Promise

from lifecycle.validation.questions import Observation, Question

DNS, MAILBOX = "dns", "mailbox"
SEEN = "seen"

VALUE_BYTES = 20
"""Of randomness in a value: 160 bits, where BR 1.6.1 asks for 112."""

EDITIONS = {
    "BR": (
        (date(2026, 3, 31), "2.2.6"),
        (date(2026, 5, 19), "2.2.7"),
        (date(2026, 6, 16), "2.2.8"),
        (date(2026, 8, 6), "2.2.9"),
        (date(2026, 9, 7), "2.3.0"),
    ),
    "S/MIME BR": ((date(2025, 7, 15), "1.0.10"),),
}
"""Of each document, from when which version counts; a proof names the one it was made under (BR 3.2.2.4)."""


_FRESH = re.compile(rf"[a-z2-7]{{{VALUE_BYTES * 8 // 5}}}", re.ASCII)


def is_fresh_value(text: str) -> bool:
    """Whether *text* is one that `fresh_value` could have made."""
    return bool(_FRESH.fullmatch(text))


def fresh_value() -> str:
    """Return what nobody could guess, in letters and digits that every DNS editor leaves alone."""
    return b32encode(secrets.token_bytes(VALUE_BYTES)).decode("ascii").lower()


def rules_on(document: str, day: date) -> str:
    """Document and version in force on *day*, as "BR 2.3.0"."""
    editions = EDITIONS[document]
    version = next((version for since, version in reversed(editions) if since <= day), editions[0][1])
    return f"{document} {version}"


def day_of(moment: datetime) -> date:
    """The day that dated rules go by: the rules name days without a place, and ours begin in UTC."""
    return moment.astimezone(UTC).date()


@dataclass(frozen=True, slots=True)
class Instruction:
    """What somebody has to do, in parts that can be copied."""

    kind: str
    """`txt`, `cname`, `file` or `mail`."""
    owner: str
    """Where: the name of the record, the address of the file, or the mailbox."""
    value: str
    """What stands there; empty for mail."""
    line: str
    """All of it as one copies it: the line of a zone file, or the same as *owner*."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What the answers from one place come to."""

    reason: str
    """`SEEN`, or a code of `lifecycle.validation.diagnosis`."""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def seen(self) -> bool:
        return self.reason == SEEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Method(ABC):
    """One way.  What it covers is said for domains; a mailbox covers itself."""

    slug: str
    title: str | Promise
    number: str
    """Of its section in *document*."""
    document: str = "BR"
    since: date
    until: date | None = None
    """From this day on it may not be used, nor what was proven by it before."""
    kinds: tuple[str, ...] = (DNS,)
    covers_subnames: bool = True
    covers_wildcards: bool = True
    deadline: timedelta = timedelta(days=30)
    """How long a value counts after it was made (C18)."""

    publishes: ClassVar[bool] = False
    """Whether a value is published, rather than sent by mail."""
    automatic: ClassVar[bool] = False
    """Whether the portal can publish it by itself where a tenant lets it."""
    stays: ClassVar[bool] = False
    """Whether what is published goes on proving the domain, so that looking again is proving it again."""
    by_mail: ClassVar[bool] = False
    """Whether somebody has to follow a link that was sent to them."""

    @property
    def label(self) -> str:
        """Its label in CAA records (BR 4.2.2.1.2); empty for mailboxes, which have none."""
        return f"ca-tbr-{self.number.rpartition('.')[2]}" if self.document == "BR" else ""

    def usable_on(self, day: date) -> bool:
        return self.since <= day and (self.until is None or day < self.until)

    def fits(self, kind: str, value: str, host: str) -> bool:  # noqa: ARG002 - not for every method
        """Whether an attempt with *value*, for what is of this *kind*, can have been begun by the portal at *host*.

        Whoever may write rows could otherwise choose a value that stands there anyway.
        """
        return kind in self.kinds

    def new_value(self, *, cname_under: str = "", issuer: str = "") -> str:  # noqa: ARG002 - not for every method
        """Return what is to be published: random, and new every time."""
        return fresh_value()

    @abstractmethod
    def instruction(self, domain: str, value: str, account: str) -> Instruction: ...

    @abstractmethod
    def questions(self, domain: str, value: str) -> tuple[Question, ...]: ...

    def astray(self, domain: str, value: str) -> tuple[Question, ...]:  # noqa: ARG002
        """Further questions, where the first were in vain, that only help to say what went wrong."""
        return ()

    @abstractmethod
    def judge(
        self, observations: Sequence[Observation], domain: str, value: str, account: str, now: datetime
    ) -> Finding:
        """Say what the answers to `questions`, and to `astray` where they were asked, come to.  Looks nothing up."""
