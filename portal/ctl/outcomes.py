"""How a command ends: one table of exit codes, and the failures that end with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import click

from portal.ctl import showing


class Outcome(IntEnum):
    """What a script may decide by; a code keeps its meaning."""

    DONE = 0
    UNFORESEEN = 1
    USAGE = 2
    REFUSED = 3
    NOT_FOUND = 4
    NOT_ALLOWED = 5
    FAILED = 6
    TIMED_OUT = 7
    UNREACHABLE = 8
    CODE_WANTED = 9
    INTERRUPTED = 130


MEANINGS: dict[Outcome, str] = {
    Outcome.DONE: "Done.",
    Outcome.UNFORESEEN: "A fault of the portal or of portalctl; the request ID helps to find it.",
    Outcome.USAGE: "The command line is not as it is asked for, or a file is in the way; nothing was done.",
    Outcome.REFUSED: "A rule forbids it, or something sent is wrong; the message says which.",
    Outcome.NOT_FOUND: "There is no such thing, or it is somebody else's.",
    Outcome.NOT_ALLOWED: "Not signed in, the token is over, or neither it nor its person may do this.",
    Outcome.FAILED: "What was waited for failed: a certificate (failed, rejected, withdrawn), a proof, a journal.",
    Outcome.TIMED_OUT: "The wait was longer than --timeout; what was begun goes on by itself.",
    Outcome.UNREACHABLE: "The portal could not be reached, or had no time, in several tries.",
    Outcome.CODE_WANTED: "A second factor is wanted and nobody is there to type it; the message says how to go on.",
    Outcome.INTERRUPTED: "Interrupted by Ctrl-C; the message says how to go on.",
}


class Failure(click.ClickException):
    """Ends the command with *outcome*, a sentence, and what to do next."""

    def __init__(
        self, outcome: Outcome, title: str, advice: str = "", *, code: str = "", facts: dict[str, Any] | None = None
    ) -> None:
        super().__init__(title)
        self.outcome, self.advice, self.code = outcome, advice, code or outcome.name.lower().replace("_", "-")
        self.facts = facts or {}
        self.next_command = ""

    @property
    def lines(self) -> Sequence[str]:
        return [line for line in (self.message, self.advice, self.next_command) if line]

    @property
    def plain(self) -> dict[str, Any]:
        """The same for machines."""
        said = {"exit_code": int(self.outcome), "code": self.code, "title": self.message, "detail": self.advice}
        return said | self.facts

    def tell(self, *, as_json: bool) -> None:
        if as_json:
            showing.json_out({"error": self.plain}, err=True)
            return
        first, *rest = [showing.plain(part) for line in self.lines for part in line.splitlines()]
        click.echo(f"{click.style('Error:', fg='red', bold=True)} {first}", err=True)
        for line in rest:
            click.echo(f"  {line}", err=True)


TOO_MANY_CODES = frozenset({"code-sent-a-moment-ago", "too-many-codes", "too-many-approval-mails"})
"""429 as well, but of the person and not of the program: to ask again by itself would not be what is wanted."""


STILL_UNDER_WAY = "still-under-way"
"""The same POST as ours is being answered, or its process died: a 409 that is no rule's, and goes by."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One place that the portal complains of: a pointer into what was sent, and a sentence."""

    pointer: str
    message: str


class Refused(Failure):
    """What the portal answered as a problem document (RFC 9457)."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(
            _outcome_of(status, str(problem.get("code"))),
            str(problem.get("title") or f"The portal answered {status} without a reason."),
            str(problem.get("detail") or ""),
            code=str(problem.get("code") or f"http-{status}"),
        )
        self.status = status
        self.request_id = str(problem.get("request_id") or "")
        self.faults = [
            Fault(str(one.get("pointer", "")), str(one.get("message", "")))
            for one in problem.get("errors") or []
            if isinstance(one, dict)
        ]

    @property
    def lines(self) -> Sequence[str]:
        faults = [f"{fault.pointer.lstrip('/') or 'in all'}: {fault.message}" for fault in self.faults]
        ending = [f"Request ID: {self.request_id}"] if self.request_id else []
        return [*super().lines, *faults, *ending]

    @property
    def plain(self) -> dict[str, Any]:
        faults = [{"pointer": fault.pointer, "message": fault.message} for fault in self.faults]
        return {**super().plain, "status": self.status, "errors": faults, "request_id": self.request_id}


def _outcome_of(status: int, code: str) -> Outcome:
    if code in TOO_MANY_CODES:
        return Outcome.REFUSED
    if code == STILL_UNDER_WAY:
        return Outcome.UNREACHABLE
    match status:
        case 401 | 403:
            return Outcome.NOT_ALLOWED
        case 404 | 410:
            return Outcome.NOT_FOUND
        case 429 | 502 | 503 | 504:
            return Outcome.UNREACHABLE
    return Outcome.REFUSED if 400 <= status < 500 else Outcome.UNFORESEEN  # noqa: PLR2004 - RFC 9110 15.5, 15.6


def usage(title: str, advice: str = "") -> Failure:
    return Failure(Outcome.USAGE, title, advice)
