"""Waiting for a request to end: a line on stderr that tells how it stands, and pauses that grow."""

import sys
import time
from typing import Any

import click

from portal.ctl import showing
from portal.ctl.asking import Interruptible
from portal.ctl.outcomes import Failure, Outcome
from portal.ctl.session import Session

USUAL_SECONDS = 600
_ISSUED = "completed"
_ENDED = frozenset({"failed", "rejected", "withdrawn"})
_PAUSES = (0.5, 0.5, 1.0, 1.0, 2.0, 3.0, 5.0)
_LONGEST_PAUSE = 10.0


class Progress:
    """One line: rewritten on a terminal, elsewhere written anew whenever it says something else."""

    def __init__(self) -> None:
        self._began, self._said = time.monotonic(), ""
        self._terminal = sys.stderr.isatty()

    def tell(self, text: str) -> None:
        plain = showing.plain(text)
        if self._terminal:
            seconds = f"{time.monotonic() - self._began:.0f} s"
            click.echo(f"\r\x1b[K{plain}  {seconds}", err=True, nl=False)
        elif plain != self._said:
            click.echo(plain, err=True)
        self._said = plain

    def end(self) -> None:
        if self._terminal and self._said:
            click.echo(err=True)


def until_settled(session: Session, request: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Return the request once its certificate is there; raise what became of it otherwise."""
    number = request["number"]
    progress, deadline = Progress(), time.monotonic() + seconds
    with Interruptible(lambda: f"{number} goes on by itself. Look again: portalctl wait {number}"):
        try:
            return _settled(session, request, progress, deadline)
        finally:
            progress.end()


def _settled(session: Session, request: dict[str, Any], progress: Progress, deadline: float) -> dict[str, Any]:
    pauses = iter(_PAUSES)
    while True:
        progress.tell(f"{request['number']}: {_told(request)}")
        if request["state"] == _ISSUED:
            return request
        _refuse_what_does_not_move(request)
        pause = next(pauses, _LONGEST_PAUSE)
        if time.monotonic() + pause > deadline:
            raise Failure(
                Outcome.TIMED_OUT,
                f"{request['number']} is not finished yet: {_told(request)}.",
                f"It goes on by itself. Look again: portalctl wait {request['number']}",
                facts=_facts(request),
            )
        time.sleep(pause)
        request = session.api.look("requests", request["id"])


def _refuse_what_does_not_move(request: dict[str, Any]) -> None:
    number, state = request["number"], request["state"]
    if state in _ENDED:
        raise Failure(Outcome.FAILED, f"{number} was {_past(state)}.", request["why"], facts=_facts(request))
    if state == "draft":
        raise Failure(
            Outcome.REFUSED,
            f"{number} is a draft, so nothing happens with it.",
            f"Go on with it: portalctl submit {number}",
            code="draft",
            facts=_facts(request),
        )


def _past(state: str) -> str:
    return "not carried out: it failed" if state == "failed" else state


def _told(request: dict[str, Any]) -> str:
    approvals = request["approvals"]
    if request["state"] == "in review":
        return f"in review, {approvals['given']} of {approvals['needed']} approvals"
    return str(request["state"])


def _facts(request: dict[str, Any]) -> dict[str, Any]:
    return {"request": request["id"], "number": request["number"], "state": request["state"]}
