"""The journal: its lines, how it stands, its verification and its export."""

from pathlib import Path
from typing import Any

import click

from portal.ctl import showing
from portal.ctl.commands.certificates import write
from portal.ctl.examples import Command, Group
from portal.ctl.outcomes import Failure, Outcome
from portal.ctl.session import Columns, Reach, Session, listing, show_list, signed_in

COLUMNS = Columns(
    ("WHEN", "WHO", "WHAT", "ID"),
    lambda row: (f"{row['at'][:10]} {row['at'][11:19]}", row["actor_name"], row["said"], row["id"]),
)


@click.group(cls=Group)
def journal() -> None:
    """Read, verify and export the journal."""


def _filters(command: Any) -> Any:
    for option in (
        click.option("--words", metavar="TEXT", help="Looked for in the details of the newest 20,000 lines that fit."),
        click.option("--about", metavar="THING", help="A request's number, a serial, an address or an ID."),
        click.option("--deed", metavar="CODE", help="What happened, such as request:submit."),
        click.option("--who", metavar="PERSON", help="A name, an address, or portal for what it did by itself."),
        click.option("--until", metavar="YYYY-MM-DD", help="Up to this day."),
        click.option("--since", metavar="YYYY-MM-DD", help="From this day."),
    ):
        command = option(command)
    return command


@journal.command(
    "list",
    cls=Command,
    examples=(
        "portalctl journal list",
        "portalctl journal list --who petra@acme.example --since 2026-11-01 --all --csv",
    ),
)
@_filters
@click.option("--oldest", is_flag=True, help="Oldest first.")
@listing
@signed_in
def list_(session: Session, reach: Reach, *, oldest: bool, **filters: Any) -> None:
    """List the lines of the journal, newest first."""
    show_list(session, ("journal",), COLUMNS, reach, sort="oldest" if oldest else "", **filters)


@journal.command("show", cls=Command, examples=("portalctl journal show 01a1fedc-be97-7856-aa56-1d059e0e3697",))
@click.argument("line")
@signed_in
def show(session: Session, line: str) -> None:
    """Show a LINE by its ID: facts, seal, and the checkpoint that covers it."""
    found = session.api.get("journal", line)
    session.show(found, lambda: showing.nested(found))


@journal.command("standing", cls=Command, examples=("portalctl journal standing",))
@signed_in
def standing(session: Session) -> None:
    """Show how long the journal is, up to where it is signed, and what was found last."""
    found = session.api.get("journal", "standing")
    session.show(found, lambda: showing.nested(found))


@journal.command("verify", cls=Command, examples=("portalctl journal verify",))
@signed_in
def verify(session: Session) -> None:
    """Verify the journal; with exit code 6 when a line was changed, taken out or put in."""
    found = session.api.post("journal", "verifications")
    session.show(found, lambda: showing.nested(found))
    if found.get("intact") is False:
        raise Failure(Outcome.FAILED, "The journal is not as it was written.", str(found["finding"]), code="broken")
    if "intact" not in found:
        session.say("It is long, so a worker verifies it. See what was found: portalctl journal standing")


@journal.command("export", cls=Command, examples=("portalctl journal export --out journal.zip",))
@_filters
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path), help="Otherwise the portal's name.")
@click.option("--force", is_flag=True, help="Write over a file that exists.")
@signed_in
def export(session: Session, out: Path | None, *, force: bool, **filters: str | None) -> None:
    """Export the journal, or what the filters leave, as a signed file that can be checked without the portal."""
    noted = session.api.post("journal", "exports", body={name: text for name, text in filters.items() if text})
    file = session.api.file_at(noted["file"])
    where = out or Path(file.name)
    write(where, file.content, force=force)
    session.show({**noted, "file": str(where)}, lambda: click.echo(f"The export is in {where}"))
