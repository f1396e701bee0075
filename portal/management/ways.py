"""What people, programs and the command line can do with a request, transition by transition.

Every event of the request's machine has a row; where a cell is empty its row says why.  Tests hold the cells against
the addresses, the operations and the commands that there are.
"""

from dataclasses import dataclass

from lifecycle.requests.kinds import MEANING, Kind, Names
from lifecycle.requests.states import Event


@dataclass(frozen=True, slots=True)
class Way:
    """The page's route, the API's operation and the command, each by its name."""

    page: str = ""
    operation: str = ""
    command: str = ""
    why_not: str = ""


BEGIN, ANSWER, LOOK, ASK = "begin", "answer a step", "have names looked up", "ask for a code"
LEAVE = "leave a name out"

_WORKERS = "done by a worker, when its turn comes; nobody can do it by hand"
_LOCKED = "a request of this kind keeps the names of its certificate"
_POLICY = "done by the policy itself, once what had to be looked up was judged"

WAYS: dict[str | Event, Way] = {
    BEGIN: Way("request-start", "requests_begin", "{kind}"),
    ANSWER: Way("request-step", "steps_answer", "{kind}"),
    LOOK: Way("request-verify", "domain_checks_ask", "domains"),
    LEAVE: Way("request-leave-out", "steps_answer", "domains"),
    ASK: Way("request-code", "confirmation_ask", "submit"),
    Event.SUBMIT: Way("request-step", "requests_submit", "submit"),
    Event.WITHDRAW: Way("request-discard", "requests_withdraw", "withdraw"),
    Event.APPROVE: Way("request-review", "requests_review", "approve"),
    Event.REJECT: Way("request-review", "requests_review", "reject"),
    Event.PASS_VALIDATION: Way(why_not=_POLICY),
    Event.RECHECK: Way(why_not=_WORKERS),
    Event.EXECUTE: Way(why_not=_WORKERS),
    Event.COMPLETE: Way(why_not=_WORKERS),
    Event.FAIL: Way(why_not=_WORKERS),
}

COMMANDS: dict[Kind, str] = {Kind.ISSUE: "request", Kind.REKEY: "rekey"}
"""The command that begins each kind, and answers its steps as it goes."""


def rows() -> list[tuple[Kind, str, Way]]:
    """One row for each kind and transition."""
    return [(kind, str(deed), _of(kind, deed, way)) for kind in MEANING for deed, way in WAYS.items()]


def _of(kind: Kind, deed: str | Event, way: Way) -> Way:
    if deed == LEAVE and MEANING[kind].names is Names.LOCKED:
        return Way(why_not=_LOCKED)
    return Way(way.page, way.operation, way.command.format(kind=COMMANDS[kind]), way.why_not)
