"""Requests: the list, one of them, waiting for its end, and what its owner and its reviewers do."""

from typing import Any

import click

from portal.ctl import drafting, finding, showing, waiting
from portal.ctl.examples import Command, Group
from portal.ctl.session import Columns, Reach, Session, listing, show_list, signed_in

_STATES = [
    *("draft", "validating", "in review", "ready", "executing", "completed", "failed", "rejected", "withdrawn"),
]

COLUMNS = Columns(
    ("NUMBER", "STATE", "KIND", "TITLE", "ASKED", "ID"),
    lambda row: (
        row["number"],
        row["state"],
        row["kind"],
        row["title"],
        showing.moment(row["made_at"]),
        row["id"],
    ),
)


@click.group(cls=Group)
def requests() -> None:
    """See requests: what is open, what waits for a review, what became of one."""


@requests.command(
    "list",
    cls=Command,
    examples=(
        "portalctl requests list",
        'portalctl requests list --state "in review"',
        "portalctl requests list --all --csv",
    ),
)
@click.option("--state", type=click.Choice(_STATES), help="Only these.")
@click.option("--kind", type=click.Choice(["issue", "rekey"]), help="Only these.")
@click.option("--person", metavar="EMAIL", help="Only this person's, where you may see all.")
@click.option("--sort", type=click.Choice(["asked", "-asked"]), help="The order.")
@listing
@signed_in
def list_(session: Session, reach: Reach, **filters: Any) -> None:
    """List the requests that you may see."""
    show_list(session, ("requests",), COLUMNS, reach, **filters)


@requests.command("show", cls=Command, examples=("portalctl requests show RQ-7K2M-9PQX",))
@click.argument("request")
@signed_in
def show(session: Session, request: str) -> None:
    """Show a REQUEST by its number or ID: where it stands, what it waits for, what you may do."""
    found = finding.request(session.api, request)
    session.show(found, lambda: showing.facts(facts_of(found)))


def facts_of(found: dict[str, Any]) -> list[tuple[str, Any]]:
    approvals = found["approvals"]
    return [
        ("Request", found["number"]),
        ("About", found["title"]),
        ("State", found["state"]),
        ("", found["said"]),
        ("Why", found["why"]),
        ("Profile", found["profile"]),
        ("Asked", showing.moment(found["made_at"])),
        ("Submitted", showing.moment(found["submitted_at"])),
        ("Approvals", f"{approvals['given']} of {approvals['needed']}" if approvals["needed"] else ""),
        ("Steps", [f"{step['title']}: {step['status']}" for step in found["steps"]]),
        ("Second factor", found["factor"] if found["state"] == "draft" else ""),
        ("You may", [f"{deed['deed']}: {deed['why_not'] or 'yes'}" for deed in found["may"]]),
        ("Starts from", found["predecessor"]),
        ("Certificate", found["certificate"]),
        ("ID", found["id"]),
    ]


@click.command(
    cls=Command, examples=("portalctl wait RQ-7K2M-9PQX", "portalctl wait RQ-7K2M-9PQX --timeout 3600 --json")
)
@click.argument("request")
@click.option(
    "--timeout",
    default=waiting.USUAL_SECONDS,
    show_default=True,
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="Seconds.",
)
@signed_in
def wait(session: Session, request: str, timeout: float) -> None:
    """Wait until a REQUEST ends: with exit code 0 for a certificate, 6 without, 7 when it takes too long."""
    found = waiting.until_settled(session, finding.request(session.api, request), timeout)
    session.show(found, lambda: showing.line(f"Download it: portalctl download {found['certificate']}"))


@click.command(cls=Command, examples=("portalctl withdraw RQ-7K2M-9PQX",))
@click.argument("request")
@signed_in
def withdraw(session: Session, request: str) -> None:
    """Give a REQUEST of yours up, as long as the authority has not begun with it."""
    _do(session, request, "withdrawal", {})


@click.command(cls=Command, examples=('portalctl approve RQ-7K2M-9PQX --comment "Checked with Petra"',))
@click.argument("request")
@click.option("--comment", default="", metavar="TEXT", help="Kept with the request.")
@signed_in
def approve(session: Session, request: str, comment: str) -> None:
    """Approve a REQUEST as a reviewer; never one's own."""
    _do(session, request, "reviews", {"verdict": "approve", "comment": comment})


@click.command(cls=Command, examples=('portalctl reject RQ-7K2M-9PQX --comment "The department no longer exists"',))
@click.argument("request")
@click.option("--comment", required=True, metavar="TEXT", help="Why; whoever asked reads it.")
@signed_in
def reject(session: Session, request: str, comment: str) -> None:
    """Reject a REQUEST as a reviewer, and say why."""
    _do(session, request, "reviews", {"verdict": "reject", "comment": comment})


def _do(session: Session, request: str, deed: str, body: dict[str, Any]) -> None:
    found = finding.request(session.api, request)
    after = session.api.post("requests", found["id"], deed, body=body)
    session.show(after, lambda: showing.line(f"{after['number']} ({after['title']}): {after['said']}"))


@click.command(cls=Command, examples=("portalctl domains RQ-7K2M-9PQX", "portalctl domains RQ-7K2M-9PQX --check"))
@click.argument("request")
@click.option("--check", is_flag=True, help="Have the names looked up again first.")
@click.option("--leave-out", multiple=True, metavar="NAME", help="Go on without this name; repeatable.")
@signed_in
def domains(session: Session, request: str, leave_out: tuple[str, ...], *, check: bool) -> None:
    """Show what is known of the names of a draft REQUEST: whether they are proven, and what the DNS says of them.

    With --leave-out the request goes on without a name; what is known of the others stays.
    With --check it ends with exit code 3 while a name is not ready.
    """
    found = finding.request(session.api, request)
    if leave_out:
        session.api.put("requests", found["id"], "steps", "domains", body={"leave_out": list(leave_out)})
    if check:
        names = drafting.looked_up(session, found)
    else:
        names = session.api.get("requests", found["id"], "steps", "domains")["domains"]
    session.show({"domains": names}, lambda: _told(names))
    if check and (left := [name for name in names if not name["ready"]]):
        raise drafting.not_permitted(found, left)


def _told(names: list[dict[str, Any]]) -> None:
    for name in names:
        click.echo(
            f"{click.style(showing.plain(name['name']), bold=True)}  {showing.toned(showing.plain(name['state']))}"
        )
        control = name["control"]["said"] if name["control"] else ""
        for line in (control, *drafting.ways_to_prove(name), name["said"], name["next_step"], name["publish"]):
            if line:
                click.echo(f"  {showing.plain(line)}")
