"""Ways by which the portal publishes proofs for a tenant by itself.  The caller is inside `acting_for(tenant)`.

A way's secret is sealed for the publishing worker as it comes in; neither a page, nor the
web service, nor whoever reads the database sees it again.
"""

import base64
import binascii
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from lifecycle.validation.models import Domain, PublishingWay
from lifecycle.validation.publishing import tasks
from lifecycle.validation.publishing.errors import (
    KindNotOffered,
    NotADnsServer,
    NotAHook,
    NotAHookSecret,
    NotATsigKey,
    NotAZone,
    PublishingNotSetUp,
    TitleNotReadable,
    WayRetired,
)
from lifecycle.validation.publishing.promises import RFC2136, WEBHOOK
from lifecycle.validation.publishing.sealing import sealed
from portal.config import config
from portal.foundation import clock
from portal.foundation.audit.models import record
from portal.foundation.outbound import NotFetched
from portal.foundation.outbound.urls import target_of
from portal.foundation.outbox.models import send, waiting
from portal.foundation.tenancy.context import current_tenant_id
from portal.foundation.writing import change, insert
from portal.servers import is_address

__all__ = ["ALGORITHMS", "MOST_TITLE", "RFC2136", "WEBHOOK", "Added", "Wanted", "add_way", "retire_way", "try_way"]

ALGORITHMS = ("hmac-sha256", "hmac-sha384", "hmac-sha512")
"""Of TSIG (RFC 8945 6); those that it no longer recommends are not offered."""

MOST_TITLE = 80
SHORTEST_KEY = 16  # bytes: 128 bits
SECRET_OF_HOOK = "whsec_"  # noqa: S105 - the prefix that Standard Webhooks gives every such secret
_HOOK_BYTES = range(24, 65)  # Standard Webhooks 1.0

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_DNS_PORT = "53"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A way as somebody writes it down."""

    title: str
    kind: str
    """`rfc2136` or `webhook`."""
    address: str
    """The zone's primary server, a name or an address; or the hook's https address."""
    zone: str = ""
    key_name: str = ""
    algorithm: str = ""
    secret: str = field(default="", repr=False)
    """Base64 of the TSIG key; or the hook's secret, made by the portal where it is empty."""


@dataclass(frozen=True, slots=True)
class Added:
    way: PublishingWay
    shown_once: str = field(repr=False)
    """The hook's secret where the portal made it, for whoever sets the receiver up; else empty."""


def add_way(wanted: Wanted, *, by: object) -> Added:
    """Keep a way to publish; nothing is published through it before a domain names it.

    Refuses what could not work as it stands (`errors`), and everything while the portal has no
    key to seal secrets with.  Contacts nobody: `try_way` does.
    """
    if not config.publishing_public_key:
        raise PublishingNotSetUp
    title = " ".join(wanted.title.split())
    if not title or len(title) > MOST_TITLE or not title.isprintable():
        raise TitleNotReadable(most=MOST_TITLE)
    if wanted.kind not in _READ:
        raise KindNotOffered(kind=wanted.kind[:20], kinds=", ".join(_READ))
    way, secret, shown_once = _READ[wanted.kind](wanted)
    way.title, way.made_by = title, str(by)
    way.sealed_secret = sealed(secret, way)
    insert(way)
    host = urlsplit(way.address).hostname or way.address  # a hook's whole address may be a secret by itself
    record(actor=by, code="publishing:add", subject=way.pk, title=title, kind=way.kind, host=host)
    return Added(way, shown_once)


def retire_way(way: PublishingWay, *, by: object) -> None:
    """Publish nothing through *way* any more; the domains that named it are published by hand from now on."""
    change(
        PublishingWay,
        where={"id": way.pk, "retired_at": None},
        to={"retired_at": clock.now()},
        otherwise=WayRetired(title=way.title),
    )
    domains = Domain.objects.filter(publishing=way.pk).update(publishing=None)
    record(actor=by, code="publishing:retire", subject=way.pk, title=way.title, domains=domains)


def try_way(way: PublishingWay, *, by: object) -> None:
    """Have a value published through *way* and withdrawn again; `way.said` tells afterwards how it went.

    Does nothing while a try is under way, so that nobody makes the portal call somebody again and again at once.
    """
    if way.retired_at is not None:
        raise WayRetired(title=way.title)
    if waiting(current_tenant_id(), tasks.try_way, way.pk).exists():
        return
    send(tasks.try_way, way.pk)
    record(actor=by, code="publishing:try", subject=way.pk, title=way.title)


def _updates(wanted: Wanted) -> tuple[PublishingWay, bytes, str]:
    zone, key_name = (_canonical(text) for text in (wanted.zone, wanted.key_name))
    if not _NAME.fullmatch(zone):
        raise NotAZone(zone=wanted.zone)
    refused = NotATsigKey(algorithms=", ".join(ALGORITHMS))
    secret = _decoded(wanted.secret)
    if wanted.algorithm not in ALGORITHMS or not _NAME.fullmatch(key_name) or len(secret) < SHORTEST_KEY:
        raise refused
    address = _server(wanted.address)
    way = PublishingWay(kind=RFC2136, address=address, zone=zone, key_name=key_name, algorithm=wanted.algorithm)
    return way, secret, ""


def _hook(wanted: Wanted) -> tuple[PublishingWay, bytes, str]:
    address = wanted.address.strip()
    try:
        target = target_of(address)
    except NotFetched:
        raise NotAHook(address=wanted.address) from None
    if target.scheme != "https" or target.port != 443 or len(address) > 300:  # noqa: PLR2004 - https, and the column
        raise NotAHook(address=wanted.address)
    way = PublishingWay(kind=WEBHOOK, address=target.url)
    given = wanted.secret.strip()
    if not given:
        made = secrets.token_bytes(32)
        return way, made, SECRET_OF_HOOK + base64.b64encode(made).decode()
    secret = _decoded(given.removeprefix(SECRET_OF_HOOK))
    if not given.startswith(SECRET_OF_HOOK) or len(secret) not in _HOOK_BYTES:
        raise NotAHookSecret
    return way, secret, ""


_READ: dict[str, Callable[[Wanted], tuple[PublishingWay, bytes, str]]] = {RFC2136: _updates, WEBHOOK: _hook}


def _server(text: str) -> str:
    """Return `host:53`.  No other port: through this, a tenant could make the portal knock at any door."""
    text = text.strip()
    host = text if is_address(text.strip("[]")) else text.removesuffix(f":{_DNS_PORT}")
    host = _canonical(host.strip("[]"))
    if not is_address(host) and (not _NAME.fullmatch(host) or host.rpartition(".")[2].isdigit()):
        raise NotADnsServer(address=text)
    return f"[{host}]:{_DNS_PORT}" if ":" in host else f"{host}:{_DNS_PORT}"


def _canonical(text: str) -> str:
    return text.strip().lower().removesuffix(".")


def _decoded(text: str) -> bytes:
    """Return what base64 says; nothing where it says nothing."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return b""
