"""Publishing ways: how the portal publishes proofs by itself."""

from pathlib import Path
from typing import Any

import click

from portal.ctl import showing
from portal.ctl.examples import Command, Group
from portal.ctl.outcomes import usage
from portal.ctl.session import Columns, Reach, Session, listing, show_list, signed_in

COLUMNS = Columns(
    ("TITLE", "KIND", "ADDRESS", "ZONE", "DOMAINS", "TROUBLE", "ID"),
    lambda row: (
        row["title"],
        row["kind"],
        row["address"],
        row["zone"],
        row["domains"],
        "retired" if row["retired_at"] else row["trouble"],
        row["id"],
    ),
)


@click.group(cls=Group)
def ways() -> None:
    """See and set up how the portal publishes proofs by itself."""


@ways.command("list", cls=Command, examples=("portalctl ways list", "portalctl ways list --state failed"))
@click.option("--state", type=click.Choice(["used", "failed", "retired"]), help="Only these.")
@click.option("--kind", type=click.Choice(["rfc2136", "webhook"]), help="Only these.")
@listing
@signed_in
def list_(session: Session, reach: Reach, **filters: Any) -> None:
    """List the ways."""
    show_list(session, ("publishing-ways",), COLUMNS, reach, **filters)


@ways.command(
    "add",
    cls=Command,
    examples=("portalctl ways add Hook --kind webhook --address https://hooks.example.com/ --secret-file hook.key",),
)
@click.argument("title")
@click.option("--kind", required=True, type=click.Choice(["rfc2136", "webhook"]))
@click.option("--address", required=True, metavar="ADDRESS", help="Of the zone's primary server, or of the hook.")
@click.option("--zone", metavar="ZONE", help="For DNS updates.")
@click.option("--key-name", metavar="NAME", help="Of the TSIG key.")
@click.option("--algorithm", type=click.Choice(["hmac-sha256", "hmac-sha384", "hmac-sha512"]))
@click.option("--secret-file", required=True, metavar="FILE", help="Holds the secret; an argument would show it.")
@signed_in
def add(session: Session, title: str, secret_file: str, **given: Any) -> None:
    """Add a way called TITLE; try it next."""
    try:
        secret = Path(secret_file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise usage(f"{secret_file} cannot be read: {error}") from None
    body = {"title": title, "secret": secret} | {name: value for name, value in given.items() if value}
    added = session.api.post("publishing-ways", body=body)
    session.show(added, lambda: showing.line(f"{added['title']} is added. Try it: portalctl ways try {added['id']}"))


@ways.command("try", cls=Command, examples=("portalctl ways try 019ab0d4-6f2e-7c3a-9d51-8e4b6a2f1c70",))
@click.argument("way", metavar="WAY")
@signed_in
def try_(session: Session, way: str) -> None:
    """Have something published through a WAY, by its ID, and withdrawn again; `ways show` says how it went."""
    after = session.api.post("publishing-ways", way, "trial", body={})
    session.show(after, lambda: showing.line(f"{after['title']} is being tried: portalctl ways show {way}"))


@ways.command("show", cls=Command, examples=("portalctl ways show 019ab0d4-6f2e-7c3a-9d51-8e4b6a2f1c70",))
@click.argument("way", metavar="WAY")
@signed_in
def show(session: Session, way: str) -> None:
    """Show a WAY by its ID, and what its last use met."""
    found = session.api.get("publishing-ways", way)
    session.show(
        found,
        lambda: showing.facts(
            [
                ("Way", found["title"]),
                ("Kind", found["kind"]),
                ("Address", found["address"]),
                ("Zone", found["zone"]),
                ("Key", found["key_name"]),
                ("Last used", showing.moment(found["tried_at"])),
                ("Being tried", found["trying"] or ""),
                ("Trouble", found["trouble"]),
                ("", found["next_step"]),
                ("Domains", str(found["domains"])),
                ("Retired", showing.moment(found["retired_at"])),
            ]
        ),
    )


@ways.command("retire", cls=Command, examples=("portalctl ways retire 019ab0d4-6f2e-7c3a-9d51-8e4b6a2f1c70",))
@click.argument("way", metavar="WAY")
@signed_in
def retire(session: Session, way: str) -> None:
    """Retire a WAY by its ID: its domains are published by hand from now on."""
    after = session.api.post("publishing-ways", way, "retirement", body={})
    session.show(after, lambda: showing.line(f"{after['title']} is retired."))
