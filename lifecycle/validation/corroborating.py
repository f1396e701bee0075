"""Whether the remote perspectives corroborate a look at CAA records, and what evidence keeps of what they saw."""

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from lifecycle.validation.caa import LookupFailed, Reason, Terms, permits
from lifecycle.validation.observing import Views
from lifecycle.validation.perspectives.quorum import Outcome, Quorum
from lifecycle.validation.questions import Observation
from lifecycle.validation.witness import relevant_set_of


@dataclass(frozen=True, slots=True)
class Corroboration:
    quorum: Quorum
    evidence: dict[str, Any]
    """`perspectives`, a row each (`observing.Views.kept`) with the `reason` that its records came to; and `quorum`."""

    @property
    def objection(self) -> Reason | None:
        """Why a look that permitted comes to nothing; None where it stands, or never permitted."""
        match self.quorum.reason:
            case Outcome.REACHED | Outcome.NOT_SEEN_HERE:
                return None
            case Outcome.TOO_FEW_ASKED:
                return Reason.TOO_FEW_PERSPECTIVES
            case _ if not self.quorum.dissenting:  # they all agree, and stand in one region
                return Reason.TOO_FEW_PERSPECTIVES
            case _:
                return Reason.NOT_CORROBORATED


def corroboration(views: Views, terms: Terms, *, permitted: bool, day: date) -> Corroboration:
    """Judge what each perspective saw of one name by the same *terms* as the primary, which came to *permitted*."""

    def sees(observations: list[Observation]) -> bool:
        return _verdict(observations[0], terms)[0]

    rows = views.kept(sees)
    for row in rows:
        seen = views.remotes[row["name"]]
        if isinstance(seen, list):
            row["reason"] = str(_verdict(seen[0], terms)[1])
    quorum = views.agreed(sees, day, primary=permitted)
    counted = {**asdict(quorum), "reason": str(quorum.reason), "day": day.isoformat()}
    return Corroboration(quorum, {"perspectives": rows, "quorum": counted})


def _verdict(observation: Observation, terms: Terms) -> tuple[bool, Reason]:
    found = relevant_set_of(observation)
    if isinstance(found, LookupFailed):
        return False, found.reason
    decision = permits(found, terms)
    return decision.permitted, decision.reason
