"""Profiles: what certificates there are to ask for; and agreements, which go with them."""

import json
from pathlib import Path
from typing import Any

import click

from portal.ctl import showing
from portal.ctl.examples import Command, Group
from portal.ctl.outcomes import Failure, Outcome, usage
from portal.ctl.session import Columns, Reach, Session, listing, reviewed, show_list, signed_in

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

COLUMNS = Columns(
    ("PROFILE", "VERSION", "TITLE", "TRUST", "DAYS", "KEYS"),
    lambda row: (
        row["slug"],
        row["version"],
        row["content"]["title"],
        row["trust"],
        row["content"]["days"],
        row["content"]["key_types"],
    ),
)
AGREEMENTS = Columns(
    ("AGREEMENT", "LANGUAGE", "VERSION", "TITLE", "WRITTEN"),
    lambda row: (row["agreement"], row["language"], row["version"], row["title"], showing.moment(row["made_at"])),
)


@click.group(cls=Group)
def profiles() -> None:
    """See, make and change profiles: the kinds of certificates there are."""


@profiles.command("list", cls=Command, examples=("portalctl profiles list",))
@listing
@signed_in
def list_(session: Session, reach: Reach) -> None:
    """List the profiles in their newest versions."""
    show_list(session, ("profiles",), COLUMNS, reach)


@profiles.command(
    "show",
    cls=Command,
    examples=("portalctl profiles show tls-server", "portalctl profiles show tls-server --version 1 --json"),
)
@click.argument("slug", metavar="PROFILE")
@click.option("--version", type=click.IntRange(1), help="Another version than the newest.")
@signed_in
def show(session: Session, slug: str, version: int | None) -> None:
    """Show a PROFILE."""
    found = session.api.get("profiles", slug, *(("versions", str(version)) if version else ()))
    session.show(found, lambda: showing.nested(found))


@profiles.command("versions", cls=Command, examples=("portalctl profiles versions tls-server",))
@click.argument("slug", metavar="PROFILE")
@listing
@signed_in
def versions(session: Session, slug: str, reach: Reach) -> None:
    """List the versions of a PROFILE, newest first."""
    show_list(session, ("profiles", slug, "versions"), COLUMNS, reach)


@profiles.command("compare", cls=Command, examples=("portalctl profiles compare tls-server --from 1 --to 3",))
@click.argument("slug", metavar="PROFILE")
@click.option("--from", "older", type=click.IntRange(1), help="The one before the newest, unless another is named.")
@click.option("--to", "newer", type=click.IntRange(1), help="The newest, unless another is named.")
@signed_in
def compare(session: Session, slug: str, older: int | None, newer: int | None) -> None:
    """Show what two versions of a PROFILE have different."""
    found = session.api.get("profiles", slug, "comparison", **{"from": older, "to": newer})

    def for_people() -> None:
        rows = [(one["title"], one["before"], one["after"]) for one in found["changes"]]
        showing.table(("WHAT", f"VERSION {found['older']}", f"VERSION {found['newer']}"), rows)

    session.show(found, for_people)


@profiles.command(
    "change",
    cls=Command,
    examples=(
        "portalctl profiles show tls-server --json | jq '.content | .days = 47' > content.json",
        "portalctl profiles change tls-server --content content.json --seen 3 --dry-run",
    ),
)
@click.argument("slug", metavar="PROFILE")
@click.option("--content", required=True, type=_FILE, help="JSON like `content` of `profiles show --json`, all of it.")
@click.option("--seen", type=click.IntRange(1), metavar="VERSION", help="Only if this is still the newest version.")
@click.option("--dry-run", is_flag=True, help="Say what would change and whom it reaches; save nothing.")
@signed_in
def change(session: Session, slug: str, content: Path, seen: int | None, *, dry_run: bool) -> None:
    """Give a PROFILE its next version.

    Name the version that the content was made from with --seen, so that what somebody changed since is not undone.
    """
    newest = session.api.look("profiles", slug)["version"]
    if seen not in (None, newest):
        raise Failure(
            Outcome.REFUSED,
            f"{slug} has version {newest} by now, so nothing was done.",
            f"See what changed: portalctl profiles compare {slug} --from {seen} --to {newest}",
            code="changed-since",
        )
    body = {"content": _json_in(content), "dry_run": dry_run}
    reviewed(session, session.api.put("profiles", slug, body=body, seen=session.api.etag("profiles", slug)))


@profiles.command(
    "make",
    cls=Command,
    examples=(
        "portalctl profiles choices --json | jq '.starts[0].content' > content.json",
        "portalctl profiles make --trust private --content content.json --dry-run",
    ),
)
@click.option("--trust", required=True, metavar="CLASS", help="private, public-tls or public-smime; stays for good.")
@click.option("--area", metavar="SLUG", help="The product area whose menu shows it; stays for good.")
@click.option("--content", required=True, type=_FILE, help="JSON like `content` of `profiles show --json`.")
@click.option("--dry-run", is_flag=True, help="Say what would be made; save nothing.")
@signed_in
def make(session: Session, trust: str, area: str | None, content: Path, *, dry_run: bool) -> None:
    """Make a profile. Nothing can be done with it before policies allow something."""
    body = {"trust": trust, "content": _json_in(content), "dry_run": dry_run} | ({"area": area} if area else {})
    reviewed(session, session.api.post("profiles", body=body))


@profiles.command("choices", cls=Command, examples=("portalctl profiles choices --json",))
@signed_in
def choices(session: Session) -> None:
    """Show what a new profile can begin with, and which authorities there are."""
    found = session.api.get("profile-choices")
    session.show(found, lambda: showing.nested(found))


@click.group(cls=Group)
def agreements() -> None:
    """See and write agreements: what subscribers consent to, and who did."""


@agreements.command("list", cls=Command, examples=("portalctl agreements list",))
@listing
@signed_in
def list_agreements(session: Session, reach: Reach) -> None:
    """List the agreements in every language."""
    show_list(session, ("agreements",), AGREEMENTS, reach)


@agreements.command(
    "show",
    cls=Command,
    examples=("portalctl agreements show subscriber", "portalctl agreements show subscriber --version 1"),
)
@click.argument("agreement")
@click.option("--language", default="en", show_default=True, metavar="CODE")
@click.option("--version", type=click.IntRange(1), help="Another version than the newest.")
@signed_in
def show_agreement(session: Session, agreement: str, language: str, version: int | None) -> None:
    """Show the text of an AGREEMENT."""
    past = ("versions", str(version)) if version else ()
    found = session.api.get("agreements", agreement, language, *past)

    def for_people() -> None:
        click.echo(f"{click.style(showing.plain(found['title']), bold=True)}, version {found['version']}\n")
        for line in found["text"].splitlines():
            click.echo(showing.plain(line))

    session.show(found, for_people)


@agreements.command("uses", cls=Command, examples=("portalctl agreements uses subscriber",))
@click.argument("agreement")
@signed_in
def uses(session: Session, agreement: str) -> None:
    """Show which policies ask for an AGREEMENT, and in which languages it is written."""
    found = session.api.get("agreements", agreement)
    session.show(found, lambda: showing.nested(found))


@agreements.command("versions", cls=Command, examples=("portalctl agreements versions subscriber",))
@click.argument("agreement")
@click.option("--language", default="en", show_default=True, metavar="CODE")
@listing
@signed_in
def agreement_versions(session: Session, agreement: str, language: str, reach: Reach) -> None:
    """List the versions of an AGREEMENT in one language, newest first."""
    show_list(session, ("agreements", agreement, language, "versions"), AGREEMENTS, reach)


@agreements.command("acceptances", cls=Command, examples=("portalctl agreements acceptances subscriber 1 --all --csv",))
@click.argument("agreement")
@click.argument("version", type=click.IntRange(1))
@click.option("--language", default="en", show_default=True, metavar="CODE")
@click.option("--search", metavar="TEXT", help="A request's number, or a part of a person's name.")
@listing
@signed_in
def acceptances(
    session: Session, agreement: str, version: int, language: str, search: str | None, reach: Reach
) -> None:
    """List who accepted a VERSION of an AGREEMENT."""
    columns = Columns(
        ("WHEN", "PERSON", "REQUEST"), lambda row: (showing.moment(row["at"]), row["person"], row["request"])
    )
    where = ("agreements", agreement, language, "versions", str(version), "acceptances")
    show_list(session, where, columns, reach, q=search)


@agreements.command(
    "write",
    cls=Command,
    examples=(
        'portalctl agreements write subscriber --title "Subscriber agreement" --text agreement.txt --dry-run',
        'portalctl agreements write --title "For servers" --text servers.txt',
    ),
)
@click.argument("agreement", required=False)
@click.option("--language", default="en", show_default=True, metavar="CODE")
@click.option("--title", required=True, metavar="TEXT")
@click.option("--text", required=True, type=_FILE, help="UTF-8; an empty line begins a new paragraph.")
@click.option("--dry-run", is_flag=True, help="Say what would change and whom it reaches; save nothing.")
@signed_in
def write(session: Session, agreement: str | None, language: str, title: str, text: Path, *, dry_run: bool) -> None:
    """Write the next version of an AGREEMENT, or a new one in English where none is named."""
    body = {"title": title, "text": text.read_text(encoding="utf-8"), "dry_run": dry_run}
    if agreement is None:
        return reviewed(session, session.api.post("agreements", body=body))
    seen = ""
    known = session.api.get("agreements", agreement)
    if any(one["language"] == language for one in known["texts"]):
        session.api.look("agreements", agreement, language)
        seen = session.api.etag("agreements", agreement, language)
    return reviewed(session, session.api.put("agreements", agreement, language, body=body, seen=seen))


def _json_in(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as fault:
        raise usage(f"{file} holds no JSON: {fault}") from fault
    if not isinstance(content, dict):
        raise usage(f"{file} holds no JSON object.")
    return content
