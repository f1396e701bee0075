"""What only a person knows: a passphrase, a consent, a code; and how programs say it instead."""

import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from portal.ctl import showing
from portal.ctl.outcomes import Failure, Outcome, Refused, usage
from portal.ctl.session import Session

SHORTEST = 12
"""Characters of a passphrase; whoever finds the file may try as long as they like."""

_COMMAND_SECONDS = 300
_OVER = "challenge-over"
_WRONG = "wrong-answer"
_SENT_A_MOMENT_AGO = "code-sent-a-moment-ago"

Detail = dict[str, Any]


def passphrase(session: Session, file: Path | None, *, none_wanted: bool) -> bytes | None:
    """What seals the new key: out of the first line of a file, typed twice, or None where none is wanted."""
    if none_wanted:
        session.say("Warning: the private key is written without a passphrase; whoever reads the file has the key.")
        return None
    if file is not None:
        lines = file.read_text(encoding="utf-8").splitlines()
        text = lines[0] if lines else ""
    elif session.attended:
        text = click.prompt(
            "Passphrase for the new private key", hide_input=True, confirmation_prompt="The same again", err=True
        )
    else:
        raise usage(
            "A new private key needs a passphrase, and nobody is there to type it.",
            "Name a file that holds it: --passphrase-file FILE. Or write the key unsealed: --no-passphrase",
        )
    if len(text) < SHORTEST:
        raise usage(f"A passphrase has {SHORTEST} characters or more. Nothing was made.")
    return str(text).encode()


def consent(session: Session, step: Detail, *, given: bool) -> None:
    """Show what will happen and what is agreed to, and have it agreed to."""
    if given:
        return
    if not session.attended:
        raise usage(
            "Nothing is done without your consent, and nobody is there to give it.",
            "Say --agree, which consents to the operation and to the subscriber agreement.",
        )
    click.echo(err=True)
    for change in step["changes"]:
        session.say(f"{change['label']}: {change['before']} → {change['after']}")
    agreement = step["agreement"]
    if agreement:
        click.echo(err=True)
        session.say(f"{agreement['title']}, version {agreement['version']}")
        for paragraph in agreement["paragraphs"]:
            click.echo(f"\n{click.wrap_text(showing.plain(paragraph), 80)}", err=True)
    [label] = [field["label"] for field in step["fields"] if field["name"] == "consent"] or ["Do you agree?"]
    if not click.confirm(f"\n{showing.plain(label)}", err=True):
        raise Failure(Outcome.REFUSED, "Nothing was done: you did not agree.")


def question(session: Session, field: Detail, option: str) -> Any:
    """An answer to a field that must have one and was not given on the command line."""
    if not session.attended:
        raise usage(f"“{field['label'] or field['name']}” is needed.", f"Say {option}")
    for choice in field["choices"]:
        session.say(f"  {choice['value']}: {choice['label']} {choice['hint']}".rstrip())
    kind = click.Choice([choice["value"] for choice in field["choices"]]) if field["choices"] else None
    return click.prompt(showing.plain(field["label"] or field["name"]), type=kind, err=True)


@dataclass(frozen=True, slots=True)
class Codes:
    """Where the code of a second factor comes from, if not from somebody at the terminal."""

    code: str = ""
    command: str = ""

    def say(self) -> str:
        """Run the command, without a shell, and return what it prints."""
        try:
            done = subprocess.run(  # noqa: S603 - it is the caller's own
                shlex.split(self.command), stdout=subprocess.PIPE, timeout=_COMMAND_SECONDS, check=False, text=True
            )
        except (OSError, ValueError, subprocess.TimeoutExpired) as fault:
            raise usage(f"The command for the code failed: {fault}") from fault
        if done.returncode or not done.stdout.strip():
            raise usage(f"The command for the code ended with {done.returncode} and said no code.")
        return done.stdout.strip().splitlines()[-1].strip()


def submit(session: Session, detail: Detail, codes: Codes) -> Detail:
    """Submit a draft whose steps are all settled, with the second factor that its policy asks for."""
    if not detail["factor"]:
        return _submission(session, detail, {})
    if detail["confirmation"] is None or not codes.code:
        detail = _asked(session, detail, codes)
    code = codes.code or _code(session, detail, codes)
    while True:
        try:
            return _submission(session, detail, {"code": code})
        except Refused as refusal:
            if refusal.code not in {_WRONG, _OVER} or codes.command or not session.attended:
                raise _resumable(refusal, detail) from refusal
            session.say(" ".join(refusal.lines[:2]))
            if refusal.code == _OVER:
                detail = _asked(session, detail, codes)
        code = _code(session, detail, codes)


def _asked(session: Session, detail: Detail, codes: Codes) -> Detail:
    """Have the question put, or a new code sent; one that went out a moment ago still counts."""
    standing = detail["confirmation"]
    try:
        detail = session.api.post("requests", detail["id"], "confirmation")
    except Refused as refusal:
        if refusal.code != _SENT_A_MOMENT_AGO or standing is None:
            raise _resumable(refusal, detail) from refusal
        session.say(f"{refusal.message} {refusal.advice}")
        return detail
    if codes.code and detail["confirmation"]["sent_to"]:
        raise _wanted(detail, "The code that was given is none: no code had been sent before.")
    return detail


def _code(session: Session, detail: Detail, codes: Codes) -> str:
    asked = detail["confirmation"]
    if codes.command:
        return codes.say()
    if not session.attended:
        raise _wanted(detail, "")
    where = f"sent to {showing.plain(asked['sent_to'])}" if asked["sent_to"] else "from your authenticator"
    while not (
        code := click.prompt(f"Code {where} (Enter alone: a new one)", default="", show_default=False, err=True)
    ):
        _asked(session, detail, codes)
    return str(code)


def _submission(session: Session, detail: Detail, body: dict[str, Any]) -> Detail:
    return dict(session.api.post("requests", detail["id"], "submission", body=body))


def _wanted(detail: Detail, before: str) -> Failure:
    asked = detail["confirmation"]
    where = f"A code was sent to {asked['sent_to']}." if asked["sent_to"] else "A code of your authenticator is wanted."
    return Failure(
        Outcome.CODE_WANTED,
        f"{before} {where}".strip(),
        f"Go on with it: portalctl submit {detail['number']} --code CODE",
        facts={"request": detail["id"], "number": detail["number"]},
    )


def _resumable(refusal: Refused, detail: Detail) -> Refused:
    refusal.facts |= {"request": detail["id"], "number": detail["number"]}
    refusal.next_command = f"Go on with the request: portalctl submit {detail['number']}"
    return refusal


@dataclass(frozen=True, slots=True)
class Interruptible:
    """Ctrl-C inside a `with` of it ends the command and says how to go on; *how* is asked at that moment."""

    how: Callable[[], str]

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: object, fault: BaseException | None, _trace: object) -> None:
        if isinstance(fault, KeyboardInterrupt | click.Abort):
            raise Failure(Outcome.INTERRUPTED, "Interrupted.", self.how()) from fault
