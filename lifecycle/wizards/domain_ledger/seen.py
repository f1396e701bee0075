"""What a look for a proof saw, place by place, against what was expected; from what `proving` keeps of it.

Everything here is a stranger's text, kept escaped and bounded; pages escape it like any other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lifecycle.validation import diagnosis
from lifecycle.validation.diagnosis import Told
from lifecycle.validation.methods import SEEN
from lifecycle.validation.models import ControlLook
from lifecycle.wizards.domain_ledger.wording import agreement_of
from lifecycle.wizards.presentation import Chip

MOST_VALUES = 5
MOST_SHOWN = 300

_GOOD = frozenset({SEEN, "not-corroborated", "contact-found"})
"""What a look came to where this portal itself saw what it wanted."""

_NO_SAY: dict[str, str | Promise] = {
    "too-slow": gettext_lazy("It did not answer in time."),
    "unreachable": gettext_lazy("It could not be reached."),
}
"""Of a perspective that could not be asked; every other code is its operator's to read."""


@dataclass(frozen=True, slots=True)
class Place:
    """One perspective's row in the table."""

    title: str | Promise
    region: str
    status: Chip
    saw: list[str] = field(default_factory=list)
    remark: str | Promise = ""


@dataclass(frozen=True, slots=True)
class Look:
    """One look as a page shows it."""

    at: datetime
    status: Chip
    told: Told
    places: list[Place]
    agreement: str


def shown(look: ControlLook) -> Look:
    """Say what one look saw."""
    status = Chip("good", _("Seen")) if look.reason == SEEN else Chip("bad", _("Not seen"))
    if look.reason in {"contact-found", "choose-contact"}:
        status = Chip("wait", _("Contact found"))
    return Look(look.at, status, diagnosis.told(look), places_of(look), agreement_of(look.evidence.get("quorum")))


def places_of(look: ControlLook) -> list[Place]:
    """Every place that was asked, ours first; none where nobody had to be asked."""
    kept = look.evidence
    ours = kept.get("primary") or []
    if not ours:
        return []
    here = _place(_("This portal"), "", ours, ours[0]["name"], ok=look.reason in _GOOD)
    return [here, *(_remote(each, ours[0]["name"]) for each in kept.get("perspectives") or [])]


def _remote(kept: Mapping[str, Any], name: str) -> Place:
    if "observations" in kept:
        return _place(kept["name"], kept["region"], kept["observations"], name, ok=bool(kept["ok"]))
    remark = _NO_SAY.get(str(kept.get("failure")), _("It could not be asked."))
    return Place(kept["name"], kept["region"], Chip("bad", _("No answer")), [], remark)


def _place(
    title: str | Promise, region: str, observations: Sequence[Mapping[str, Any]], name: str, *, ok: bool
) -> Place:
    saw = [value for each in observations for value in _values(each.get("found") or {})]
    reason = next((str(each["reason"]) for each in observations if each.get("reason")), "")
    if reason and not saw:
        remark = diagnosis.said(reason, {"name": name}).sentence
        return Place(title, region, Chip("bad", _("No answer")), [], remark)
    missed = _("Something else") if saw else _("Nothing there")
    status = Chip("good", _("As expected")) if ok else Chip("bad", missed)
    return Place(title, region, status, [_cut(value) for value in saw[:MOST_VALUES]])


def _values(found: Mapping[str, Any]) -> list[str]:
    """What stood there: values of records, or a file with its status."""
    if "values" in found:
        return [str(value) for value in found["values"]]
    if "records" in found:
        return [f'{each["flags"]} {each["tag"]} "{each["value"]}"' for each in found["records"]]
    if found.get("status"):
        return [_("Status {status}: {body}").format(status=found["status"], body=found.get("body", ""))]
    return []


def _cut(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"
