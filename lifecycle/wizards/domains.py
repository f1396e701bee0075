"""The page “Domain ownership”: a row for every name in the DNS, and what became of the look at it (0.R25-0.R28)."""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from math import ceil
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lifecycle.requests.looks import FORBIDDING, identities_of
from lifecycle.requests.orders import names_to_check
from lifecycle.validation.models import CaaCheck
from lifecycle.validation.selectors import FRESH, is_fresh, newest, rests_until, state_of
from lifecycle.validation.states import UNVERIFIED, CaaState
from lifecycle.validation.words import told
from lifecycle.wizards.flow import StepForm
from lifecycle.wizards.presentation import Chip
from portal.foundation import clock

POLL_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Publish:
    """A CAA record, taken apart for the forms of DNS providers."""

    line: str
    owner: str
    property: str
    value: str

    @classmethod
    def of(cls, line: str) -> "Publish | None":
        """Take apart what `record_to_publish` wrote."""
        parts = re.fullmatch(r'(?P<owner>\S+)\. CAA (?P<property>\d+ \w+) "(?P<value>[^"]*)"', line)
        return cls(line, parts["owner"], parts["property"], parts["value"]) if parts else None


@dataclass(frozen=True, slots=True)
class DomainRow:
    """One name with its newest look, in words; what comes from the DNS is a stranger's text."""

    name: str
    state: str
    chip: Chip
    said: str
    next_step: str = ""
    publish: Publish | None = None
    seen: tuple[str, ...] = ()
    found_at: str = ""
    resolver: str = ""
    at: datetime | None = None
    ttl: int | None = None
    rests_until: datetime | None = None

    @property
    def is_ready(self) -> bool:
        return self.state == CaaState.VERIFIED

    @property
    def is_moving(self) -> bool:
        return self.state == CaaState.VERIFYING


class DomainsForm(StepForm):
    """Settled once every name has a look that permits and is fresh; asks nothing itself."""

    @cached_property
    def names(self) -> list[str]:
        return names_to_check(self.draft)

    @cached_property
    def rows(self) -> list[DomainRow]:
        looks, now = newest(self.names, identities_of(self.draft)), clock.now()
        return [_row(name, looks.get(name), now) for name in self.names]

    @property
    def ready(self) -> int:
        return sum(row.is_ready for row in self.rows)

    @property
    def is_moving(self) -> bool:
        return any(row.is_moving for row in self.rows)

    @property
    def rests_until(self) -> datetime | None:
        """From when any name can be looked at again, where all that are not verified failed a moment ago; else None."""
        rests = [row.rests_until for row in self.rows if not row.is_ready]
        return min((until for until in rests if until), default=None) if all(rests) else None

    @property
    def poll_seconds(self) -> int | None:
        """Until the page says something else: what a look found, or that a name can be checked again."""
        if self.is_moving:
            return POLL_SECONDS
        opens = min((row.rests_until for row in self.rows if row.rests_until), default=None)
        return None if opens is None else max(1, ceil((opens - clock.now()).total_seconds()))

    @property
    def why_not(self) -> str:
        """Why one cannot go on yet; "" when one can."""
        left = len(self.rows) - self.ready
        if not left:
            return ""
        return ngettext(
            "Opens when all names are verified: {count} name is not, of {total}.",
            "Opens when all names are verified: {count} names are not, of {total}.",
            left,
        ).format(count=left, total=len(self.rows))

    def clean(self) -> dict[str, Any]:
        if self.why_not:
            raise ValidationError(self.why_not)
        return super().clean() or {}

    def plain_answers(self) -> dict[str, Any]:
        return {"names": self.names}


def _row(name: str, look: CaaCheck | None, now: datetime) -> DomainRow:
    state = state_of(look, now)
    if look is None:
        return DomainRow(name, state, _chip(state), _("Nobody has looked at this name yet."))
    if state == CaaState.VERIFYING:
        doing = _("Asking for the CAA records of this name and of the names above it, since {time} UTC.")
        return DomainRow(name, state, _chip(state), doing.format(time=f"{look.asked_at:%H:%M:%S}"))
    if state == UNVERIFIED:
        return DomainRow(name, state, _chip(state), _stale(look, now))
    words, kept = told(look), look.evidence
    return DomainRow(
        name,
        state,
        _chip(state, look.reason),
        f"{words.sentence} {_until(look)}".strip() if is_fresh(look, now) else words.sentence,
        words.next_step,
        Publish.of(words.publish),
        words.records,
        kept.get("found_at") or "",
        kept.get("resolver") or "",
        look.checked_at,
        kept.get("ttl"),
        rests_until(look, now),
    )


def _chip(state: str, reason: str = "") -> Chip:
    match state:
        case CaaState.VERIFYING:
            return Chip("busy", _("Verifying"))
        case CaaState.VERIFIED:
            return Chip("good", _("Verified"))
        case CaaState.FAILED:
            return Chip("bad", _("Failed: forbidden by CAA") if reason in FORBIDDING else _("Failed: not found out"))
    return Chip("plain", _("Unverified"))


def _stale(look: CaaCheck, now: datetime) -> str:
    hours = int((now - (look.checked_at or look.asked_at)).total_seconds() // 3600)
    return ngettext(
        "Checked {hours} hour ago, which is too long to rely on. Verify it again.",
        "Checked {hours} hours ago, which is too long to rely on. Verify it again.",
        hours,
    ).format(hours=hours)


def _until(look: CaaCheck) -> str:
    if look.checked_at is None:
        return ""
    return _("Seen at {seen} UTC; it counts until {until} UTC.").format(
        seen=f"{look.checked_at:%H:%M:%S}", until=f"{look.checked_at + FRESH:%Y-%m-%d %H:%M}"
    )
