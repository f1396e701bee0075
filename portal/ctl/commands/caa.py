"""The CAA adviser: what the DNS says about a name for each profile, and what other records would mean."""

import sys
import time
from pathlib import Path
from typing import Any

import click

from portal.ctl import showing
from portal.ctl.examples import Command, Group
from portal.ctl.outcomes import Failure, Outcome, usage
from portal.ctl.session import Session, signed_in
from portal.ctl.waiting import Progress

_PAUSE, _LONGEST = 1.0, 60.0


@click.group(cls=Group)
def caa() -> None:
    """Ask what CAA records say about a name."""


@caa.command(
    "advise", cls=Command, examples=("portalctl caa advise www.example.com", "portalctl caa advise @example.com")
)
@click.argument("name")
@signed_in
def advise(session: Session, name: str) -> None:
    """Look a NAME's CAA records up, and say for each profile whether they let it issue."""
    found = _survey(session, name)

    def for_people() -> None:
        for level in found["levels"]:
            mark = " <- counts" if level["decides"] else ""
            showing.line(f"{level['label']}{mark}")
            for record in level["records"] or [level["remark"] or "no records"]:
                click.echo(f"  {showing.plain(record)}")
        _verdicts(found["verdicts"])
        for ours in found["only_ours"]:
            showing.line(f"Records that let only {ours['authority']} issue, for your account {found['account']}:")
            for record in ours["records"]:
                click.echo(f"  {showing.plain(record)}")

    session.show(found, for_people)


@caa.command(
    "what-if",
    cls=Command,
    examples=(
        'portalctl caa what-if www.example.com "CAA 0 issue \\"ca.acme.example\\""',
        "portalctl caa what-if x.test -",
    ),
)
@click.argument("name")
@click.argument("records")
@signed_in
def what_if(session: Session, name: str, records: str) -> None:
    """Say what RECORDS, lines of a zone file or @FILE or - for standard input, would mean for a NAME."""
    text = _text(records)
    said = session.api.post("caa-surveys", _survey(session, name)["id"], "thoughts", body={"records": text})
    session.show(said, lambda: _verdicts(said["verdicts"]))


def _text(records: str) -> str:
    if records == "-":
        return sys.stdin.read()
    if not records.startswith("@"):
        return records
    try:
        return Path(records[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise usage(f"{records[1:]} cannot be read: {error}") from None


def _survey(session: Session, name: str) -> dict[str, Any]:
    found: dict[str, Any] = session.api.post("caa-surveys", body={"name": name})
    progress, ends = Progress(), time.monotonic() + _LONGEST
    try:
        while found["answered_at"] is None:
            if time.monotonic() > ends:
                raise Failure(Outcome.TIMED_OUT, f"Nobody has looked {name} up yet.", "Ask again in a minute.")
            progress.tell(f"{name}: looking")
            time.sleep(_PAUSE)
            found = session.api.look("caa-surveys", found["id"])
    finally:
        progress.end()
    return found


def _verdicts(verdicts: list[dict[str, Any]]) -> None:
    rows = [("yes" if each["permitted"] else "no", each["profile"], each["sentence"]) for each in verdicts]
    if rows:
        showing.table(("MAY", "PROFILE", "WHY"), rows)
    for each in verdicts:
        for line in (each["next_step"], each["publish"]):
            if line and not each["permitted"]:
                showing.line(line)
