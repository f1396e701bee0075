"""Where one is signed in: named profiles in one file that only its owner can read.

The token is in the file because programs need it unattended; nothing else of it goes anywhere.
"""

import ipaddress
import json
import os
import re
import stat
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import click

from portal.ctl.outcomes import Failure, Outcome, usage

USUAL = "default"
_CLOSED = 0o077
_NETLOC = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s@:\[\]]+)(:[0-9]*)?")


@dataclass(frozen=True, slots=True)
class Place:
    """One organisation of one portal, and the token that lets in there."""

    url: str
    tenant: str
    token: str
    ca_file: str = ""


def file() -> Path:
    """`~/.config/portalctl/config.toml`, or where XDG_CONFIG_HOME says."""
    return Path(click.get_app_dir("portalctl")) / "config.toml"


def known() -> dict[str, Place]:
    """Every profile; refuses a file that others can read, as its tokens may be known then."""
    path = file()
    try:
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    if stat.S_IMODE(path.stat().st_mode) & _CLOSED:
        raise usage(f"Others can read {path}, and it holds tokens.", f"Close it: chmod 600 {path}")
    try:
        profiles = tomllib.loads(content).get("profiles", {})
        return {str(name): Place(**{key: str(value) for key, value in one.items()}) for name, one in profiles.items()}
    except (tomllib.TOMLDecodeError, TypeError, AttributeError) as fault:
        raise usage(f"{path} cannot be read: {fault}", "Mend or delete it, and sign in: portalctl login") from fault


def named(name: str) -> Place:
    places = known()
    if name in places:
        return places[name]
    others = f" There are: {', '.join(sorted(places))}." if places else ""
    raise Failure(
        Outcome.NOT_ALLOWED,
        f"Nobody is signed in under the profile “{name}”.{others}",
        "Sign in: portalctl login URL TENANT",
        code="not-signed-in",
    )


def keep(name: str, place: Place) -> None:
    _write({**known(), name: place})


def forget(name: str) -> bool:
    """Forget a profile; say whether there was one."""
    places = known()
    found = places.pop(name, None)
    if found:
        _write(places)
    return found is not None


def _write(places: dict[str, Place]) -> None:
    """Write all of it or nothing, readable by its owner alone from the first moment."""
    path = file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as written:
        written.write("\n".join(_section(name, place) for name, place in sorted(places.items())))
    fresh.replace(path)


def _section(name: str, place: Place) -> str:
    # a JSON string without escaped surrogates is a basic string of TOML 1.0
    fields = [f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in asdict(place).items() if value]
    return f"[profiles.{json.dumps(name, ensure_ascii=False)}]\n{''.join(fields)}"


def origin_of(url: str) -> str:
    """The portal's address without a path; refuses what would send the token in the clear to another machine."""
    parts = _parts_of(url if "://" in url else f"https://{url}")
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise usage(f"“{url}” is not the address of a portal.", "Write it like https://portal.example.com")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise usage(
            f"A token is not sent to {parts.hostname} over http, where anybody on the way could read it.",
            f"Use https://{parts.hostname}, with --ca-file if its certificate is one of your own.",
        )
    return f"{parts.scheme}://{parts.netloc}"


def _parts_of(url: str) -> SplitResult | None:
    """The parts of an address that can be one; nobody's name or password is part of a portal's."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # read only now, and refused beyond 65535
    except ValueError:
        return None
    return parts if _NETLOC.fullmatch(parts.netloc) else None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
