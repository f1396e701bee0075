"""Policies: what each profile allows, and changing it as the pages do: reviewed, whole, and as it was read."""

import json
from typing import Any

import click

from portal.ctl import showing
from portal.ctl.examples import Command, Group
from portal.ctl.outcomes import usage
from portal.ctl.session import Columns, Reach, Session, listing, reviewed, show_list, signed_in

COLUMNS = Columns(
    ("PROFILE", "OPERATION", "VERSION", "ALLOWED", "SECOND FACTOR", "APPROVALS", "CONTROL", "CAA", "PERSPECTIVES"),
    lambda row: (row["profile"], row["operation"], row["version"], *_asks(row["asks"])),
)


def _asks(asks: dict[str, Any]) -> tuple[str, ...]:
    return (
        showing.plain(asks["enabled"]),
        asks["factor"] or "none",
        str(asks["approvals"]),
        "proven" if asks["proves_control"] else "no",
        "checked" if asks["checks_caa"] else "no",
        "asked" if asks["corroborates"] else "no",
    )


@click.group(cls=Group)
def policies() -> None:
    """See and change policies: what is allowed, and what it asks for."""


@policies.command("list", cls=Command, examples=("portalctl policies list", "portalctl policies list --of tls-server"))
@click.option("--of", "profile_slug", metavar="PROFILE", help="Only of this profile.")
@click.option("--operation", metavar="NAME", help="Only of this operation, such as rekey.")
@listing
@signed_in
def list_(session: Session, profile_slug: str | None, operation: str | None, reach: Reach) -> None:
    """List the policies that are in force."""
    show_list(session, ("policies",), COLUMNS, reach, profile=profile_slug, operation=operation)


@policies.command("show", cls=Command, examples=("portalctl policies show tls-server --json",))
@click.argument("profile_slug", metavar="PROFILE")
@signed_in
def show(session: Session, profile_slug: str) -> None:
    """Show all that a PROFILE allows."""
    found = session.api.get("policies", profile_slug)

    def for_people() -> None:
        showing.line(f"{found['title']} ({found['profile']}, {found['trust']})")
        click.echo()
        showing.table(COLUMNS.head, [COLUMNS.row(row) for row in found["operations"]])

    session.show(found, for_people)


@policies.command("versions", cls=Command, examples=("portalctl policies versions tls-server",))
@click.argument("profile_slug", metavar="PROFILE")
@listing
@signed_in
def versions(session: Session, profile_slug: str, reach: Reach) -> None:
    """List how the policies of a PROFILE came about, newest first."""
    columns = Columns(
        ("WHEN", "OPERATION", "VERSION", "CHANGED"),
        lambda row: (
            showing.moment(row["made_at"]),
            row["operation"],
            row["version"],
            "; ".join(f"{one['field']}: {one['before']} → {one['after']}" for one in row["changes"]),
        ),
    )
    show_list(session, ("policies", profile_slug, "versions"), columns, reach)


@policies.command(
    "change",
    cls=Command,
    examples=(
        "portalctl policies change tls-server rekey --set approvals=1 --dry-run",
        "portalctl policies change tls-server rekey --set enabled=false",
        "portalctl policies change desktop-signing issue --set factor=totp --set limits.most_names=5",
    ),
)
@click.argument("profile_slug", metavar="PROFILE")
@click.argument("operation")
@click.option("--set", "wishes", multiple=True, required=True, metavar="FIELD=VALUE", help="What changes; repeatable.")
@click.option("--dry-run", is_flag=True, help="Say what would change and whom it reaches; save nothing.")
@signed_in
def change(session: Session, profile_slug: str, operation: str, wishes: tuple[str, ...], *, dry_run: bool) -> None:
    """Change what OPERATION of a PROFILE asks for; whatever is not set stays as it is.

    It is saved only if nobody changed the policies since they were read.
    """
    found = session.api.look("policies", profile_slug)
    rows = {row["operation"]: row for row in found["operations"]}
    if operation not in rows:
        raise usage(f"There is no operation “{operation}”.", f"There are: {', '.join(rows)}")
    asks = dict(rows[operation]["asks"])
    for wish in wishes:
        name, value = _read(wish)
        asks = _with(asks, name.split("."), value)
    body = {"operations": {operation: asks}, "dry_run": dry_run}
    reviewed(
        session, session.api.put("policies", profile_slug, body=body, seen=session.api.etag("policies", profile_slug))
    )


def _read(wish: str) -> tuple[str, Any]:
    name, equals, text = wish.partition("=")
    if not equals or not name:
        raise usage(f"“{wish}” is not FIELD=VALUE.", "Write it like --set approvals=1")
    try:
        return name, json.loads(text)
    except ValueError:
        return name, text


def _with(asks: dict[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    """The same with one field set; a limit that is set to nothing is taken away."""
    name, *rest = path
    if name not in asks and not rest and value in (None, ""):
        return asks
    if rest:
        return {**asks, name: _with(dict(asks.get(name) or {}), rest, value)}
    return {key: each for key, each in {**asks, name: value}.items() if key != name or value is not None}


@click.command(cls=Command, examples=("portalctl rules-by-date",), name="rules-by-date")
@click.option("--all", "everything", is_flag=True, help="Those that are over, too.")
@signed_in
def rules(session: Session, *, everything: bool) -> None:
    """Say what the rules change when, and whom of yours it reaches."""
    found = session.api.get("rules-by-date")
    changes = found["changes"]
    shown = [each for each in changes if everything or not (each["in_force"] or _is_over(each, changes))]

    def for_people() -> None:
        showing.table(
            ("FROM", "WHAT", "SOURCE", "REACHES"),
            [(each["day"], each["sentence"], each["source"], each["reach"]) for each in shown],
        )

    session.show({"changes": shown}, for_people)


def _is_over(change: dict[str, Any], changes: list[dict[str, Any]]) -> bool:
    """Whether a later row of the same table counts already."""
    return any(
        each["in_force"] and each["touches"] == change["touches"] and each["day"] > change["day"] for each in changes
    )
