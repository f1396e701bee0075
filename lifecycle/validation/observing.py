"""Asking the primary perspective and the remote ones, all at once, and what they saw beside one another.

Outside any unit of work: it takes up to ten seconds.  What the answers are worth, whoever asked
decides, for each place alike; `Views.agreed` counts their verdicts by the rules of the day.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol

from lifecycle.validation.fetcher import Fetcher
from lifecycle.validation.outside import our_fetcher, our_perspectives, our_resolver
from lifecycle.validation.perspectives.client import NotAsked, Why
from lifecycle.validation.perspectives.protocol import Attested
from lifecycle.validation.perspectives.quorum import Quorum, Remote, agreed
from lifecycle.validation.questions import Observation, Question
from lifecycle.validation.witness import Resolver, Witness
from portal.perspectives import Perspective

PATIENCE = 10.0
"""Seconds that one look may take in all, wherever from."""

REMOTE_PATIENCE = 9.0
"""Seconds of them that a perspective has; one that is slower is one that did not answer."""


class RemotePlace(Protocol):
    """A perspective as it is asked; `perspectives.client.RemotePlace`."""

    @property
    def perspective(self) -> Perspective: ...

    def observing(self, questions: Sequence[Question], *, patience: float) -> list[Future[Attested]]: ...


class Primary(Witness):
    """What this worker sees itself, with its own resolvers."""

    def __init__(self, resolver: Resolver | None = None, fetcher: Fetcher | None = None) -> None:
        super().__init__("primary", resolver or our_resolver(), fetcher or our_fetcher())


Verdict = Callable[[list[Observation]], bool]
"""Whether what one place saw is what we want to see."""


@dataclass(frozen=True, slots=True)
class Views:
    """What every place saw of the same questions, or why it has no say."""

    primary: list[Observation]
    remotes: Mapping[str, list[Attested] | NotAsked] = field(default_factory=dict)
    perspectives: tuple[Perspective, ...] = ()
    """Those that were asked."""

    def agreed(self, sees: Verdict, day: date, *, primary: bool | None = None) -> Quorum:
        """Count who comes to what the primary comes to; who could not be asked does not corroborate.

        *primary* is its verdict, where whoever asks knows it already.
        """
        here = sees(self.primary) if primary is None else primary
        return agreed(here, [self._remote(each, sees, here=here) for each in self.perspectives], day)

    def _remote(self, perspective: Perspective, sees: Verdict, *, here: bool) -> Remote:
        seen = self.remotes[perspective.name]
        ok = not isinstance(seen, NotAsked) and sees(list(seen)) == here
        return Remote(perspective.name, perspective.place.region, ok)

    def kept(self, sees: Verdict) -> list[dict[str, Any]]:
        """Return what evidence holds of the remote perspectives: who they were, what they saw, signed, and the verdict.

        That is `ok`.  One that has no say has `failure` and `detail` instead of `observations`.
        """
        return [self._kept(each, sees) for each in self.perspectives]

    def _kept(self, perspective: Perspective, sees: Verdict) -> dict[str, Any]:
        who = {"name": perspective.name, "region": perspective.place.region}
        seen = self.remotes[perspective.name]
        if isinstance(seen, NotAsked):
            return {**who, "ok": False, "failure": str(seen.why), "detail": seen.detail[:200]}
        return {**who, "ok": sees(list(seen)), "observations": [each.kept() for each in seen]}


@dataclass(frozen=True, slots=True)
class Asking:
    """Remote perspectives that are being asked."""

    begun: tuple[tuple[Perspective, list[Future[Attested]]], ...]
    ends: float

    @classmethod
    def begin(
        cls, questions: Sequence[Question], *, places: Sequence[RemotePlace] | None = None, patience: float = PATIENCE
    ) -> "Asking":
        """Begin to ask them all; without *places*, those that the operator named."""
        patience = min(patience, REMOTE_PATIENCE)
        asked = (our_perspectives() if places is None else places) if questions else ()
        begun = tuple((each.perspective, each.observing(questions, patience=patience)) for each in asked)
        return cls(begun, time.monotonic() + patience)

    def beside(self, primary: list[Observation], part: slice = slice(None)) -> Views:
        """Wait for what is still asked, for as long as it has, and put it beside what the *primary* saw.

        *part* are the questions that it is about, by their place in the order.
        """
        remotes = {perspective.name: self._seen(begun[part]) for perspective, begun in self.begun}
        return Views(primary, remotes, tuple(perspective for perspective, _begun in self.begun))

    def _seen(self, begun: Sequence[Future[Attested]]) -> list[Attested] | NotAsked:
        try:
            return [each.result(max(self.ends - time.monotonic(), 0)) for each in begun]
        except NotAsked as failure:
            return failure
        except NotYet:
            return NotAsked(Why.TOO_SLOW)


def everywhere(
    questions: Sequence[Question],
    *,
    corroborated: bool,
    patience: float = PATIENCE,
    primary: Witness | None = None,
    places: Sequence[RemotePlace] | None = None,
) -> Views:
    """Have *questions* answered by the primary perspective and, where it is to be *corroborated*, by the remote ones.

    Takes no longer than *patience*: whoever has not answered by then has no say.
    """
    asking = Asking.begin(questions, places=places if corroborated else (), patience=patience)
    return asking.beside((primary or Primary()).observe(questions, patience=patience))
