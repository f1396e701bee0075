"""State machines as tables of arrows.

One table per machine, read by four: `advance` obeys it, a PostgreSQL trigger
repeats it (`tenancy.rls.enforce_machine`), pages and the API ask it what can
happen next, and `docs/states.md` is drawn from it.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Generic, TypeVar

from django.utils.translation import gettext_lazy as _

from portal.foundation.errors import Conflict

S = TypeVar("S", bound=StrEnum)
E = TypeVar("E", bound=StrEnum)


class NoSuchArrow(Conflict):
    code = "no-such-arrow"
    message = _("This {thing} is “{state}” now, so “{event}” is not possible any more.")
    next_step = _("Reload the page to see what can be done with it now.")


class ChangedMeanwhile(Conflict):
    code = "changed-meanwhile"
    message = _("Somebody else changed this {thing} a moment ago; nothing was done.")
    next_step = _("Reload the page, look at what changed, and try again if it still makes sense.")


class Machine(Generic[S, E]):
    """Where a thing starts and which event leads from which state to which."""

    def __init__(self, thing: str, initial: S, arrows: Iterable[tuple[E, Sequence[S], S]]) -> None:
        self.thing = thing
        self.initial = initial
        self._targets: dict[tuple[S, E], S] = {}
        for event, sources, target in arrows:
            for source in sources:
                if (source, event) in self._targets:
                    raise ValueError(f"{thing}: two arrows leave {source} on {event}")
                self._targets[source, event] = target

    def target(self, source: S, event: E) -> S:
        """Return where *event* leads from *source*; raise `NoSuchArrow` if it leads nowhere."""
        try:
            return self._targets[source, event]
        except KeyError:
            raise NoSuchArrow(thing=self.thing, state=source, event=event) from None

    def events_from(self, source: S) -> tuple[E, ...]:
        return tuple(event for state, event in self._targets if state == source)

    @property
    def arrows(self) -> tuple[tuple[S, E, S], ...]:
        return tuple((source, event, target) for (source, event), target in self._targets.items())

    @property
    def pairs(self) -> frozenset[tuple[str, str]]:
        """(source, target) without the events: what the database can see of the machine."""
        return frozenset((str(source), str(target)) for source, _event, target in self.arrows)
