"""How many remote perspectives have to see the same as we do, by the rules in force on a day (BR 3.2.2.9).

Pure: whoever asked the perspectives says which of them corroborate.  One that could not be
asked, or could not look, does not (a missing answer is never consent).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Requirement:
    """What one row of the table asks for."""

    perspectives: int
    """Remote perspectives that are used, at least."""
    regions: int
    """Regional Internet Registries whose service regions the corroborating ones stand in, at least."""


TABLE: Mapping[date, Requirement] = {
    date(2025, 3, 15): Requirement(perspectives=2, regions=1),
    date(2026, 3, 15): Requirement(perspectives=3, regions=2),
    date(2026, 6, 15): Requirement(perspectives=4, regions=2),
    date(2026, 12, 15): Requirement(perspectives=5, regions=2),
}
"""BR 3.2.2.9, "Effective March 15, 2025: ... at least two (2) remote Network Perspectives" and so on, each from its
day on.  Until 2025-09-15 the rules let issuance go on without the quorum; this portal never did."""

NOT_CORROBORATING: Mapping[int, int] = {2: 1, 6: 2}
"""BR 3.2.2.9, "Quorum Requirements": of 2 to 5 perspectives that are used one may disagree, of 6 or more two may."""


class Outcome(StrEnum):
    REACHED = "reached"
    NOT_SEEN_HERE = "not-seen-here"  # the primary perspective says no, so there is nothing to corroborate
    TOO_FEW_ASKED = "too-few-asked"
    TOO_MANY_DISAGREE = "too-many-disagree"
    TOO_FEW_REGIONS = "too-few-regions"


@dataclass(frozen=True, slots=True)
class Remote:
    """A remote perspective that was used, and whether it came to what the primary came to."""

    name: str
    region: str
    ok: bool


@dataclass(frozen=True, slots=True)
class Quorum:
    reached: bool
    reason: Outcome
    agreeing: tuple[str, ...]
    dissenting: tuple[str, ...]
    """Those that saw something else, and those that could not be asked."""


def required(day: date) -> Requirement:
    """Return the row that counts on *day*; before the first one, the first."""
    return TABLE[max((since for since in TABLE if since <= day), default=min(TABLE))]


def may_disagree(used: int) -> int:
    """How many of *used* perspectives need not corroborate."""
    return max((allowed for least, allowed in NOT_CORROBORATING.items() if least <= used), default=0)


def agreed(primary_ok: bool, remotes: Sequence[Remote], day: date) -> Quorum:  # noqa: FBT001 - the question itself
    """Judge whether enough of *remotes* corroborate what the primary perspective came to.

    *remotes* are all that were used, distinct from one another and from the primary: nobody is
    left out because they disagree.
    """
    wanted = required(day)
    agreeing = tuple(each.name for each in remotes if each.ok)
    dissenting = tuple(each.name for each in remotes if not each.ok)
    regions = {each.region for each in remotes if each.ok}
    if not primary_ok:
        outcome = Outcome.NOT_SEEN_HERE
    elif len(remotes) < wanted.perspectives:
        outcome = Outcome.TOO_FEW_ASKED
    elif len(dissenting) > may_disagree(len(remotes)):
        outcome = Outcome.TOO_MANY_DISAGREE
    elif len(regions) < wanted.regions:
        outcome = Outcome.TOO_FEW_REGIONS
    else:
        outcome = Outcome.REACHED
    return Quorum(outcome == Outcome.REACHED, outcome, agreeing, dissenting)
