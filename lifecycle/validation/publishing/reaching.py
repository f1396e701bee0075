"""Whom the publishing worker may reach, and what it is told when it cannot."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lifecycle.validation.caa import LookupFailed
from lifecycle.validation.outside import our_resolver
from lifecycle.validation.publishing.troubles import Trouble
from portal.config import config
from portal.foundation.outbound import Addresses, NotFetched, Reason, Routes

SECONDS = 5.0
"""For one delivery: half of what a proof may take, since others wait behind it."""

_PASSING = frozenset({
    Reason.NO_ADDRESS, Reason.NOT_CONNECTED, Reason.TOO_SLOW, Reason.TLS_FAILED, Reason.NOT_HTTP,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reach:
    """How names are looked up and where connections go; every address is judged (`portal.foundation.outbound`)."""

    names: Addresses
    routes: Routes = field(default_factory=dict)
    authorities: str = ""
    seconds: float = SECONDS


def our_reach() -> Reach:
    """As the operator configured it."""
    return Reach(our_resolver(), config.outbound_routes, config.outbound_authorities)


@contextmanager
def told() -> Iterator[None]:
    """Make a `Trouble` of what nobody could reach."""
    try:
        yield
    except LookupFailed as failure:
        raise Trouble(f"name-{failure.reason}", failure.asked, lasting=False) from None
    except NotFetched as failure:
        raise Trouble(failure.reason, failure.detail, lasting=failure.reason not in _PASSING) from None
