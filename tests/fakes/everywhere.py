"""The Internet as a table: what stands at a name or an address, as seen from here and from five places elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lifecycle.validation.evidence import escaped
from lifecycle.validation.observing import Views
from lifecycle.validation.perspectives.client import NotAsked, Why
from lifecycle.validation.questions import Asked, Observation, Question
from portal.foundation import clock
from portal.foundation.tenancy.context import current_unit
from portal.perspectives import Perspective, Place

RESOLVER = "192.0.2.53:53"
PLACES = (("ashburn", "ARIN"), ("frankfurt", "RIPE"), ("tokyo", "APNIC"), ("saopaulo", "LACNIC"), ("lagos", "AFRINIC"))

Held = Mapping[tuple[Asked, str], Sequence[bytes] | str]
"""Values by kind and name (for a file: host and path), or why nothing can be seen there."""


@dataclass
class Everywhere:
    """Answers like `observing.everywhere`; `here` is what we see, `there` what single places see instead."""

    here: dict[tuple[Asked, str], Sequence[bytes] | str] = field(default_factory=dict)
    there: dict[str, Held | None] = field(default_factory=dict)
    """By the place's name; None where it cannot be asked."""
    places: tuple[tuple[str, str], ...] = ()
    ttl: int = 300
    authentic: bool = True
    asked: list[Question] = field(default_factory=list)
    units: list[object] = field(default_factory=list)

    def __call__(self, questions: Sequence[Question], *, corroborated: bool) -> Views:
        self.asked += questions
        self.units.append(current_unit())
        primary = [self._seen(question, self.here) for question in questions]
        if not corroborated or not self.places:
            return Views(primary)
        remotes = {name: self._from(name, questions) for name, _region in self.places}
        perspectives = tuple(
            Perspective(name, Place(region, 0.0, 0.0), f"{name}.example", 443, name.encode())
            for name, region in self.places
        )
        return Views(primary, remotes, perspectives)

    def _from(self, name, questions):
        held = self.there.get(name, self.here)
        if held is None:
            return NotAsked(Why.TOO_SLOW)
        return [_Signed(self._seen(question, held)) for question in questions]

    def _seen(self, question: Question, held: Held) -> Observation:
        key = (question.asked, question.name + question.path)
        said = held.get(key, ())
        if isinstance(said, str):
            return Observation(question, clock.now(), said, {"detail": "", "resolver": RESOLVER})
        if question.asked is Asked.FILE:
            return self._file(question, said)
        found = {"owner": question.name, "ttl": self.ttl, "resolver": RESOLVER, "authentic": self.authentic}
        if question.asked is Asked.CAA:
            records = [{"flags": 0, "tag": tag, "value": escaped(value)} for tag, value in said]
            return Observation(question, clock.now(), "", {**found, "asked": [question.name], "records": records})
        return Observation(question, clock.now(), "", {**found, "values": [escaped(value) for value in said]})

    def _file(self, question: Question, said: Sequence[bytes]) -> Observation:
        url = f"http://{question.name}{question.path}"
        if not said:
            found = {"status": 404, "url": url, "address": "203.0.113.80", "hops": [], "body": ""}
            return Observation(question, clock.now(), "wrong-status", found)
        found = {"status": 200, "url": url, "address": "203.0.113.80", "hops": [], "body": escaped(said[0])}
        return Observation(question, clock.now(), "", found)


class _Signed(Observation):
    """What a perspective sent, as evidence keeps it."""

    def __init__(self, seen: Observation) -> None:
        super().__init__(seen.question, seen.at, seen.reason, seen.found)

    def kept(self):
        return {"at": self.at.isoformat(), "reason": self.reason, "found": dict(self.found)}
