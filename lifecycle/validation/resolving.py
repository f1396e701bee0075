"""Telling the operator what is wrong with the resolvers: the worker says it, anybody above reads it.

A resolver that does not check signatures answers like one that does, only that nobody
notices a forgery.  What gives it away is that it never says that signatures hold.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from structlog import get_logger

from lifecycle.validation.caa import LookupFailed
from lifecycle.validation.outside import our_resolver
from lifecycle.validation.resolver import DnsResolver
from portal.foundation.outbox.heartbeat import Heartbeat
from portal.foundation.outbox.registry import vital

log = get_logger()

EVERY = 60.0
"""Seconds between two trials of the same resolver: it does not change its configuration often."""

PATIENCE = 1.0
"""Seconds that a trial may take, while errands wait."""

WORDS: Mapping[str, str | Promise] = {
    "not-validating": _("These resolvers do not check DNSSEC, so a forged answer would be believed: {names}."),
    "away": _("These resolvers do not answer: {names}."),
}

_tried: dict[str, tuple[float, str]] = {}  # when each was tried, and what came of it


@vital("validation")
def resolver_state() -> dict[str, Any]:
    """Whether every resolver answers and validates; for the heartbeat.  Logs what is new of it."""
    faults: dict[str, list[str]] = {}
    for server in our_resolver().servers:
        name = str(server)
        at, before = _tried.get(name, (-EVERY, ""))
        fault = before
        if time.monotonic() - at >= EVERY:
            fault = tried(DnsResolver([server]))
            _tried[name] = (time.monotonic(), fault)
        if fault and fault != before:
            log.warning("resolver.fault", resolver=name, code=fault)
        if fault:
            faults.setdefault(fault, []).append(name)
    told = [{"code": code, "names": names} for code, names in sorted(faults.items())]
    return {"resolvers": {"state": "open", "faults": told} if told else "ok"}


def tried(resolver: DnsResolver) -> str:
    """Return what is wrong with *resolver*, a key of `WORDS`; "" where nothing is."""
    try:
        return "" if resolver.validates(time.monotonic() + PATIENCE) else "not-validating"
    except LookupFailed:
        return "away"


def faults_of_resolvers(heartbeats: Iterable[Heartbeat]) -> list[str]:
    """Say in words what validation workers told of their resolvers, each fault once."""
    told = [heartbeat.facts.get("resolvers") for heartbeat in heartbeats]
    faults = [fault for fact in told if isinstance(fact, dict) for fault in fact.get("faults", ())]
    return list(dict.fromkeys(_said(fault) for fault in faults if fault["code"] in WORDS))


def _said(fault: Mapping[str, Any]) -> str:
    return str(WORDS[fault["code"]]).format(names=", ".join(fault["names"]))
