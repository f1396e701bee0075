"""Telling the operator what is wrong with the remote perspectives: the worker says it, anybody above reads it."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from structlog import get_logger

from lifecycle.validation.perspectives.standing import Fault, faults_of
from portal.config import config
from portal.foundation import clock
from portal.foundation.outbox.heartbeat import Heartbeat
from portal.foundation.outbox.registry import vital

log = get_logger()

_told: list[Fault] = []

WORDS: Mapping[str, str | Promise] = {
    "too-close": _("Perspectives stand nearer than 500 km to another one or to this portal, so they are not asked:"
                   " {names}."),
    "too-few": _("The rules for public trust ask for {wanted} remote perspectives today, and {there} count."),
    "too-few-regions": _("The rules for public trust ask for perspectives in {wanted} registries' regions, and all"
                         " of these stand in {there}."),
    "ending": _("The certificates of these perspectives end within 30 days or have ended: {names}."),
}  # fmt: skip


@vital("validation")
def perspectives_state() -> dict[str, Any]:
    """Whether the perspectives, where there are any, will do today; for the heartbeat.  Logs what is new of it."""
    if not config.perspectives.remote:
        return {}
    faults = faults_of(config.perspectives, clock.now())
    for fault in faults:
        if fault not in _told:
            log.warning("perspectives.fault", **asdict(fault))
    _told[:] = faults
    return {"perspectives": {"state": "open", "faults": [asdict(fault) for fault in faults]} if faults else "ok"}


def faults_told_by(heartbeats: Iterable[Heartbeat]) -> list[str]:
    """Say in words what validation workers told of their perspectives, each fault once."""
    told = [heartbeat.facts.get("perspectives") for heartbeat in heartbeats]
    faults = [fault for fact in told if isinstance(fact, dict) for fault in fact.get("faults", ())]
    return list(dict.fromkeys(_said(fault) for fault in faults if fault["code"] in WORDS))


def _said(fault: Mapping[str, Any]) -> str:
    return str(WORDS[fault["code"]]).format(
        names=", ".join(fault["names"]), wanted=fault["wanted"], there=fault["there"]
    )
