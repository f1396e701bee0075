"""People: who belongs to the organisation and as what, inviting, suspending, removing."""

from pathlib import Path
from typing import Any
from uuid import UUID

import click

from portal.ctl import showing
from portal.ctl.examples import Command, Group
from portal.ctl.outcomes import Failure, Outcome, usage
from portal.ctl.session import Columns, Reach, Session, listing, show_list, signed_in, told

_ROLES = click.option("--role", "roles", multiple=True, required=True, metavar="ROLE", help="Repeatable.")
_STANDS = "{name} <{email}> is {state}: {roles}."

COLUMNS = Columns(
    ("NAME", "E-MAIL", "STATE", "ROLES"), lambda row: (row["name"], row["email"], row["state"], row["roles"])
)


@click.group(cls=Group)
def people() -> None:
    """See and change who belongs to the organisation."""


@people.command(
    "list",
    cls=Command,
    examples=(
        "portalctl people list",
        "portalctl people list --role reviewer",
        "portalctl people list --state invited",
    ),
)
@click.argument("search", required=False, default="")
@click.option("--role", metavar="ROLE", help="Only with this role.")
@click.option("--state", type=click.Choice(["active", "suspended", "invited"]), help="Only these.")
@listing
@signed_in
def list_(session: Session, search: str, role: str | None, state: str | None, reach: Reach) -> None:
    """List people and invitations; SEARCH is a part of a name or an address."""
    show_list(session, ("people",), COLUMNS, reach, q=search, role=role, state=state)


@people.command("show", cls=Command, examples=("portalctl people show petra@acme.example",))
@click.argument("person")
@signed_in
def show(session: Session, person: str) -> None:
    """Show a PERSON, or an invitation, by e-mail address or ID."""
    found = _found(session, person)
    where = "invitations" if found["kind"] == "invitation" else "people"
    detail = session.api.get(where, found["id"])
    session.show(detail, lambda: showing.nested(detail))


@people.command(
    "invite",
    cls=Command,
    examples=('portalctl people invite jan@acme.example --name "Jan Novák" --role subscriber --role reviewer',),
)
@click.argument("email")
@click.option("--name", required=True, metavar="NAME")
@_ROLES
@signed_in
def invite(session: Session, email: str, name: str, roles: tuple[str, ...]) -> None:
    """Invite somebody by EMAIL; a link goes there, and whoever has the mailbox joins by it."""
    made = session.api.post("invitations", body={"email": email, "name": name, "roles": list(roles)})
    session.show(made, told(made, "{name} <{email}> is invited as {roles}."))


@people.command("import", cls=Command, examples=("portalctl people import people.csv --dry-run",))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say who would be invited; invite nobody.")
@signed_in
def import_(session: Session, file: Path, *, dry_run: bool) -> None:
    """Invite everybody in a CSV FILE with the columns name, email and roles, or nobody if one line is wrong."""
    body = {"rows": file.read_text(encoding="utf-8-sig"), "dry_run": dry_run}
    found = session.api.post("invitations", "import", body=body)

    def for_people() -> None:
        if found["people"]:
            showing.table(
                ("NAME", "E-MAIL", "ROLES"), [(row["name"], row["email"], row["roles"]) for row in found["people"]]
            )
        showing.facts([("Belong here already", found["members"]), ("Invited already", found["invited"])])
        click.echo("They are invited." if found["saved"] else "Nobody was invited.")

    session.show(found, for_people)


@people.command("resend", cls=Command, examples=("portalctl people resend jan@acme.example",))
@click.argument("person")
@signed_in
def resend(session: Session, person: str) -> None:
    """Send the invitation of a PERSON again."""
    _of_invitation(session, person, "resending", "The invitation of {name} <{email}> was sent again.")


@people.command("withdraw", cls=Command, examples=("portalctl people withdraw jan@acme.example",))
@click.argument("person")
@signed_in
def withdraw(session: Session, person: str) -> None:
    """Withdraw the invitation of a PERSON; its link is dead at once."""
    _of_invitation(session, person, "withdrawal", "The invitation of {name} <{email}> is withdrawn.")


@people.command(
    "roles", cls=Command, examples=("portalctl people roles wei@acme.example --role reviewer --role auditor",)
)
@click.argument("person")
@_ROLES
@signed_in
def roles(session: Session, person: str, roles: tuple[str, ...]) -> None:
    """Let a PERSON hold exactly these roles, from their next request on."""
    found = _member(session, person)
    session.api.look("people", found["id"], "roles")
    seen = session.api.etag("people", found["id"], "roles")
    after = session.api.put("people", found["id"], "roles", body={"roles": list(roles)}, seen=seen)
    session.show(after, told(after, _STANDS))


@people.command("suspend", cls=Command, examples=("portalctl people suspend dan@acme.example",))
@click.argument("person")
@signed_in
def suspend(session: Session, person: str) -> None:
    """Suspend a PERSON: they cannot enter; roles, drafts and certificates stay."""
    _of_person(session, person, "suspension")


@people.command("unsuspend", cls=Command, examples=("portalctl people unsuspend dan@acme.example",))
@click.argument("person")
@signed_in
def unsuspend(session: Session, person: str) -> None:
    """End the suspension of a PERSON."""
    _of_person(session, person, "readmission")


@people.command("sign-out", cls=Command, examples=("portalctl people sign-out dan@acme.example",))
@click.argument("person")
@signed_in
def sign_out(session: Session, person: str) -> None:
    """End every session of a PERSON; they are told by e-mail."""
    _of_person(session, person, "sign-out")


@people.command("remove", cls=Command, examples=("portalctl people remove dan@acme.example --yes",))
@click.argument("person")
@click.option("--yes", is_flag=True, help="Do not ask whether that is meant.")
@signed_in
def remove(session: Session, person: str, *, yes: bool) -> None:
    """Remove a PERSON from the organisation; their certificates and what they did stay."""
    found = _member(session, person)
    if not yes:
        if not session.attended:
            raise usage("Nobody is removed unasked.", "Say --yes.")
        click.confirm(showing.plain(f"Remove {found['name']} <{found['email']}>?"), abort=True, err=True)
    session.api.delete("people", found["id"])
    session.show({"removed": found["id"]}, told(found, "{name} <{email}> does not belong here any more."))


def _of_person(session: Session, person: str, deed: str) -> None:
    after = session.api.post("people", _member(session, person)["id"], deed)
    session.show(after, told(after, _STANDS))


def _of_invitation(session: Session, person: str, deed: str, sentence: str) -> None:
    found = _found(session, person)
    if found["kind"] != "invitation":
        raise usage(f"{found['email']} belongs here already; there is no invitation.")
    after = session.api.post("invitations", found["id"], deed)
    session.show(after, told(after, sentence))


def _member(session: Session, person: str) -> dict[str, Any]:
    found = _found(session, person)
    if found["kind"] != "person":
        raise usage(f"{found['email']} is invited and does not belong here yet.")
    return found


def _found(session: Session, person: str) -> dict[str, Any]:
    """The entry of the list that an address or an ID means."""
    text = "" if _is_id(person) else person
    for page in session.api.pages("people", q=text, limit=100):
        for row in page["results"]:
            if person.casefold() in {row["email"].casefold(), row["id"]}:
                return dict(row)
    raise Failure(Outcome.NOT_FOUND, f"“{person}” is nobody here.", "See who there is: portalctl people list")


def _is_id(word: str) -> bool:
    try:
        UUID(word)
    except ValueError:
        return False
    return True
