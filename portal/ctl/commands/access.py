"""Signing in and out, and who one is."""

import sys
from collections.abc import Iterable
from pathlib import Path

import click

from portal.ctl import places, showing
from portal.ctl.examples import Command
from portal.ctl.outcomes import usage
from portal.ctl.places import Place
from portal.ctl.session import Session, connected, from_environment, signed_in

_MARK = "cpt_"


@click.command(
    cls=Command,
    examples=(
        "portalctl login https://portal.example.com acme",
        "portalctl login https://portal.example.com acme --profile reviewer < token.txt",
    ),
)
@click.argument("url")
@click.argument("tenant")
@click.option(
    "--profile",
    envvar="PORTALCTL_PROFILE",
    default=places.USUAL,
    show_default=True,
    metavar="NAME",
    help="Under which name to keep it.",
)
@click.option(
    "--ca-file",
    envvar="PORTALCTL_CA_FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="PEM of the authorities that the portal's TLS certificate is checked with.",
)
@click.option(
    "--from-environment", "token", envvar="PORTALCTL_TOKEN", hidden=True, default="", callback=from_environment
)
@click.option("--json", "as_json", is_flag=True, help="Answer with JSON, for programs.")
def login(url: str, tenant: str, profile: str, ca_file: Path | None, token: str, *, as_json: bool) -> None:
    """Sign in to TENANT of the portal at URL, with a token that one of its pages or commands made.

    The token is asked for without being shown, read from standard input, or taken from PORTALCTL_TOKEN. It is tried
    out, and then kept in ~/.config/portalctl/config.toml, which only you can read.
    """
    click.get_current_context().obj.as_json = as_json
    secret = token.strip() or _asked()
    if not secret.startswith(_MARK):
        raise usage(f"This is no token: they begin with {_MARK}.", "Make one on the page “Tokens” of the portal.")
    place = Place(places.origin_of(url), tenant, secret, str(ca_file.resolve()) if ca_file else "")
    session = Session(profile, place, as_json=as_json)
    found = connected(place, session.say).get("token")
    places.keep(profile, place)
    session.show({"profile": profile, **found}, lambda: _welcome(found, profile))


def _asked() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Token", hide_input=True, err=True)).strip()
    return sys.stdin.readline().strip()


def _welcome(found: dict[str, object], profile: str) -> None:
    showing.facts(_who(found))
    name = "" if profile == places.USUAL else f" --profile {profile}"
    click.echo(f"\nSigned in. Try: portalctl list{name}")


def _who(found: dict[str, object]) -> Iterable[tuple[str, object]]:
    tenant, person = found["tenant"], found["person"]
    return (
        ("Organisation", tenant["name"]),  # type: ignore[index]
        ("Person", f"{person['name']} <{person['email']}>"),  # type: ignore[index]
        ("Token", f"{found['prefix']}… ({found['name']})"),
        ("Good for", found["scopes"]),
        ("Until", showing.moment(str(found["expires_at"]))),
    )


@click.command(cls=Command, examples=("portalctl logout", "portalctl logout --profile reviewer"))
@click.option(
    "--profile",
    envvar="PORTALCTL_PROFILE",
    default=places.USUAL,
    show_default=True,
    metavar="NAME",
    help="Which sign-in to forget.",
)
def logout(profile: str) -> None:
    """Forget a token on this machine. It stays valid: revoke it on the page “Tokens” of the portal."""
    if not places.forget(profile):
        raise usage(f"Nobody is signed in under the profile “{profile}”.")
    click.echo(f"The token of “{profile}” is forgotten here. To end it everywhere, revoke it on the page “Tokens”.")


@click.command(cls=Command, examples=("portalctl whoami", "portalctl whoami --json"))
@signed_in
def whoami(session: Session) -> None:
    """Say who the token is, and what it is good for."""
    found = session.api.get("token")

    def for_people() -> None:
        showing.facts([("Portal", session.place.url), *_who(found)])

    session.show(found, for_people)
