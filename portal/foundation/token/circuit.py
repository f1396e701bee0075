"""Whether something that failed may be asked again, and when.

    closed      it works, as far as anybody knows
    open        it failed; nobody asks before it has rested
    half-open   it has rested, or is new: the next call is a trial

Two tables say everything: `NEXT`, where an event leads, and `RESTS`, how long each kind
of trouble rests.  Rests double from the first to the longest while trial after trial
fails, and while what passes its trials soon fails again.  A PIN that was refused is
another matter: tokens count, and lock themselves for good, so the same PIN is never
offered again before its file was written anew.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from portal.foundation import clock
from portal.foundation.token.errors import TokenNotReached


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    TRIAL = "half-open"


class Event(StrEnum):
    TROUBLE = "trouble"
    RESTED = "rested"
    SUCCESS = "success"


NEXT = {
    (State.CLOSED, Event.TROUBLE): State.OPEN,
    (State.OPEN, Event.RESTED): State.TRIAL,
    (State.TRIAL, Event.TROUBLE): State.OPEN,
    (State.TRIAL, Event.SUCCESS): State.CLOSED,
}
"""Every other event leaves the state as it is: a success that was under way when the trouble came proves nothing."""


class Why(StrEnum):
    """What the trouble is; `portal.foundation.token.report` has the words and what to do."""

    NOT_THERE = "not-there"
    NOT_OPENED = "not-opened"
    PIN_REFUSED = "pin-refused"
    PIN_LOCKED = "pin-locked"
    PIN_FILE = "pin-file"
    SESSION_LOST = "session-lost"
    FELL_SILENT = "fell-silent"
    REFUSES = "refuses"
    KEY_MISSING = "key-missing"
    WRONG_SIGNATURE = "wrong-signature"


@dataclass(frozen=True, slots=True)
class Rest:
    first: timedelta
    longest: timedelta
    until_new_pin: bool = False


CALM = timedelta(minutes=10)
"""How long it must have worked for the next trouble to count as the first."""

_SHORT = Rest(timedelta(seconds=5), timedelta(seconds=30))
_PIN = Rest(timedelta(minutes=1), timedelta(minutes=1), until_new_pin=True)

RESTS = dict.fromkeys(Why, _SHORT) | {Why.PIN_REFUSED: _PIN, Why.PIN_LOCKED: _PIN}

Stamp = tuple[int, int, int]
"""Inode, time of writing and size of a PIN file: enough to see that somebody touched it."""


def stamp_of(pin_file: str) -> Stamp | None:
    """Tell one writing of a file from the next; None where it cannot be seen."""
    try:
        seen = Path(pin_file).stat()
    except OSError:
        return None
    return seen.st_ino, seen.st_mtime_ns, seen.st_size


@dataclass(slots=True)
class Circuit:
    """One thing's memory of its failures; `since` is when it last worked no more, through all trials."""

    state: State = State.CLOSED
    why: Why | None = None
    sentence: str = ""
    since: datetime | None = None
    next_try: datetime | None = None
    _rest: timedelta = timedelta(0)
    _well_since: datetime | None = None
    _refused: Stamp | None = None

    def admit(self, pin_file: str = "") -> None:
        """Let the caller pass, or raise `TokenNotReached` with what happened and when it is tried again."""
        if self.state != State.OPEN:
            return
        if self.next_try is not None and clock.now() < self.next_try:
            raise TokenNotReached(f"{self.sentence} It is not tried again before {self.next_try:%H:%M:%S} UTC.")
        if self._waits_for_a_pin and stamp_of(pin_file) == self._refused:
            raise TokenNotReached(f"{self.sentence} It is not tried again before that file is written anew.")
        self._happen(Event.RESTED)

    def trouble(self, why: Why, sentence: str, *, pin: Stamp | None = None) -> None:
        """Open, or stay open for longer; *pin* is the writing of the PIN file that was refused."""
        rest, now = RESTS[why], clock.now()
        if self.state == State.CLOSED and (self._well_since is None or now - self._well_since > CALM):
            self._rest = timedelta(0)
        self._rest = min(max(self._rest * 2, rest.first), rest.longest)
        self.since = self.since or now
        self.why, self.sentence, self._refused = why, sentence, pin
        self.next_try = now + self._rest
        self._happen(Event.TROUBLE)

    def success(self) -> None:
        """Close again if this was the trial."""
        if self.state == State.TRIAL:
            self.why, self.sentence, self.since, self.next_try, self._refused = None, "", None, None, None
            self._well_since = clock.now()
        self._happen(Event.SUCCESS)

    def told(self) -> dict[str, Any]:
        """What a heartbeat says of it; `next_try` is empty where somebody has to do something first."""
        by_itself = self.state == State.OPEN and self.next_try is not None and not self._waits_for_a_pin
        return {
            "state": str(self.state),
            "why": str(self.why or ""),
            "since": _written(self.since),
            "next_try": _written(self.next_try) if by_itself else "",
        }

    @property
    def _waits_for_a_pin(self) -> bool:
        return self.why is not None and RESTS[self.why].until_new_pin

    def _happen(self, event: Event) -> None:
        self.state = NEXT.get((self.state, event), self.state)


def _written(at: datetime | None) -> str:
    return at.isoformat(timespec="seconds") if at else ""
