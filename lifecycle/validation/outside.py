"""What the validation worker asks the world with, as its operator configured it."""

from functools import cache
from pathlib import Path

from lifecycle.validation.fetcher import Fetcher
from lifecycle.validation.perspectives.client import RemotePlace
from lifecycle.validation.perspectives.identity import Identity
from lifecycle.validation.perspectives.standing import distinct
from lifecycle.validation.resolver import DnsResolver
from portal.config import config


def our_resolver() -> DnsResolver:
    """The resolvers that the operator named; without any, every look fails."""
    return DnsResolver(config.dns_resolvers)


def our_fetcher() -> Fetcher:
    return Fetcher(our_resolver(), config.outbound_routes)


@cache
def our_perspectives() -> tuple[RemotePlace, ...]:
    """The remote perspectives that count, by where they stand; without any, nothing is corroborated."""
    if not config.perspectives.remote:
        return ()
    identity = Identity.at(Path(config.perspective_identity))
    return tuple(RemotePlace(each, identity) for each in distinct(config.perspectives))
