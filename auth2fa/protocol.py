"""What every second factor looks like from outside.

A factor is a stateless object with three methods.  It never touches the session,
the request or the database: the challenge it is handed carries its own private
notes, the person brings what they enrolled, `verify` returns what is to be remembered,
and `auth2fa.challenges` does all the loading, storing, counting, expiring and
journalling, once, for all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable
from uuid import UUID

from django.utils.functional import Promise


@dataclass(frozen=True, slots=True)
class Memory:
    """What an answer used up, to be refused if it comes again; a code that was sent leaves nothing.

    *counter* only ever grows in one enrolment: a time step, a signature count.
    """

    enrolment: UUID | None = None
    counter: int = 0


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A factor that the person owns; the *secret* is sealed for them and for the row with this *id*."""

    id: UUID
    factor: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Person:
    """Who is asked.  Their language is the request's: whoever is asked is the one who waits at the keyboard.

    What they *enrolled* and confirmed is brought in by `challenges` before a factor sees them.
    """

    id: UUID
    name: str
    email: str
    enrolled: tuple[Enrolled, ...] = ()


@dataclass(frozen=True, slots=True)
class AskForCode:
    """The prompt of a code: how many digits it has, and where it went with most of the address hidden.

    *masked* is empty where nothing was sent, since the person has it.
    """

    digits: int
    masked: str = ""


Prompt = AskForCode


@dataclass(frozen=True)
class Limits:
    """What `challenges` obeys for every factor (0.R37): seconds and counts.

    Refuses, with `ValueError`, what would make a proof worthless (ASVS 5.0 6.5.5, 6.6.3).
    """

    lifetime: int = 300
    tries: int = 5
    cool_down: int = 60
    sends_per_hour: int = 5

    def __post_init__(self) -> None:
        self._between("lifetime", 30, 600)
        self._between("tries", 1, 10)
        self._between("cool_down", 0, 3600)
        self._between("sends_per_hour", 1, 60)

    def _between(self, name: str, least: int, most: int) -> None:
        value = getattr(self, name)
        if not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"{name} must be a whole number from {least} to {most}, not {value!r}")


class Rejected(Exception):
    """An answer that proves nothing: `why` is for the journal, `sentence` for the person."""

    def __init__(self, why: str, sentence: str | Promise) -> None:
        super().__init__(why)
        self.why = why
        self.sentence = sentence


class SecondFactor(Protocol):
    slug: ClassVar[str]
    label: ClassVar[str | Promise]

    @property
    def limits(self) -> Limits:
        """How long, how often and how fast it may be tried."""

    def suits(self, person: Person) -> bool:
        """Whether *person* could answer at all (has an address, enrolled a key, ...)."""

    def begin(self, person: Person, notes: dict[str, Any], about: str) -> Prompt:
        """Start; put into *notes* whatever `verify` needs.  *about* says what is being confirmed.

        *notes* holds the id of the challenge already, so that a proof can be tied to it.
        Raises `CourierFailed` if the person could not be reached.
        """

    def verify(self, person: Person, notes: Mapping[str, Any], answer: Mapping[str, str]) -> Memory:
        """Return what to remember if *answer* proves presence; raise `Rejected` otherwise.

        *notes* hold, beside what `begin` left there, the challenge's id and the moment `at` which it was answered.
        """


@runtime_checkable
class Addressed(Protocol):
    """What a factor that sends something can say beforehand, beside the three methods."""

    def masked(self, person: Person) -> str:
        """Where it would send to, with most of it hidden."""
