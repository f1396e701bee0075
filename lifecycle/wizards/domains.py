"""The page “Domain ownership”: for every name, whether it is proven, and its CAA records (0.R25-0.R28, 1.R20)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from math import ceil
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lifecycle.requests.controls import lowered, names_to_prove, needs_proofs, proofs_of
from lifecycle.requests.looks import FORBIDDING, caa_terms, needs_looks
from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.orders import alternative_names_of, name_asked, names_to_check
from lifecycle.validation.models import CaaCheck, DomainControl
from lifecycle.validation.selectors import FRESH, is_fresh, newest, rests_until, state_of
from lifecycle.validation.states import UNVERIFIED, CaaState
from lifecycle.validation.words import told
from lifecycle.wizards.flow import StepForm
from lifecycle.wizards.leaving import why_kept
from lifecycle.wizards.ownership import Control, controls_of
from lifecycle.wizards.presentation import Chip
from lifecycle.wizards.seeing import Agreement, agreement_in
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
class Look:
    """The newest look at a name's CAA records, in words; what comes from the DNS is a stranger's text."""

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
    agreement: Agreement | None = None
    is_early: bool = False
    """Control comes first: records may name the ways of proving it that they permit (RFC 8657 4)."""

    @property
    def is_ready(self) -> bool:
        return self.state == CaaState.VERIFIED

    @property
    def is_moving(self) -> bool:
        return self.state == CaaState.VERIFYING


@dataclass(frozen=True, slots=True)
class DomainRow:
    """One name with what has to be known of it; where the policy does not ask for one of the two, that is None."""

    name: str
    title: str
    control: Control | None
    look: Look | None
    why_kept: str
    """Why it cannot be left out; "" where it can."""

    @property
    def is_ready(self) -> bool:
        return (self.control is None or self.control.is_proven) and (self.look is None or self.look.is_ready)

    @property
    def is_moving(self) -> bool:
        return self.look is not None and self.look.is_moving

    @property
    def fails(self) -> bool:
        """Whether somebody has to do something about it, and could go on without it instead."""
        unproven = self.control is not None and not self.control.is_proven
        return unproven or (self.look is not None and self.look.state == CaaState.FAILED)

    @property
    def tone(self) -> str:
        """What is worst about it."""
        tones = [fact.chip.tone for fact in (self.control, self.look) if fact is not None]
        return next((tone for tone in ("bad", "watch", "busy", "plain") if tone in tones), "good")


class DomainsForm(StepForm):
    """Settled once control of every name is proven and a fresh look permits it, as far as policy wants each of them."""

    def __init__(self, *args: Any, draft: CertificateRequest, **kwargs: Any) -> None:
        super().__init__(*args, draft=draft, **kwargs)
        if needs_proofs(draft):
            self.lead = _(
                "Two things have to be known of every name: that it is under your organisation's control, which is "
                "proven once and then counts for a while, and that its owner's CAA records permit our authority."
            )

    @classmethod
    def stands(cls, draft: CertificateRequest, answer: Mapping[str, Any]) -> bool:
        """Whether it was answered for the names that the draft has now."""
        return answer.get("names") == names_to_check(draft)

    @cached_property
    def names(self) -> list[str]:
        return names_to_check(self.draft)

    @cached_property
    def rows(self) -> list[DomainRow]:
        return list(_rows(self.draft))

    @property
    def ready(self) -> int:
        return sum(row.is_ready for row in self.rows)

    @property
    def is_moving(self) -> bool:
        return any(row.is_moving for row in self.rows)

    @property
    def to_verify(self) -> list[DomainRow]:
        """The names whose records have to be looked at, and can be as far as control of them goes."""
        return [row for row in self.rows if row.look and not row.look.is_ready and not row.look.is_early]

    @property
    def rests_until(self) -> datetime | None:
        """From when any name can be looked at again, where all that are not verified failed a moment ago; else None."""
        rests = [row.look.rests_until for row in self.to_verify if row.look]
        return min((until for until in rests if until), default=None) if all(rests) else None

    @property
    def poll_seconds(self) -> int | None:
        """Until the page says something else: what a look found, or that a name can be checked again."""
        if self.is_moving:
            return POLL_SECONDS
        opens = min((row.look.rests_until for row in self.rows if row.look and row.look.rests_until), default=None)
        return None if opens is None else max(1, ceil((opens - clock.now()).total_seconds()))

    @property
    def why_not(self) -> str:
        """Why one cannot go on yet; "" when one can."""
        left = len(self.rows) - self.ready
        if not left:
            return ""
        if not needs_proofs(self.draft):
            said = ngettext(
                "Opens when all names are verified: {count} name is not, of {total}.",
                "Opens when all names are verified: {count} names are not, of {total}.",
                left,
            )
        else:
            said = ngettext(
                "Opens when every name is proven and permitted: {count} is not, of {total}.",
                "Opens when every name is proven and permitted: {count} are not, of {total}.",
                left,
            )
        return said.format(count=left, total=len(self.rows))

    def clean(self) -> dict[str, Any]:
        if self.why_not:
            raise ValidationError(self.why_not)
        return super().clean() or {}

    def plain_answers(self) -> dict[str, Any]:
        return {"names": self.names}


def _rows(draft: CertificateRequest) -> Iterator[DomainRow]:
    """A row for every host; and for mailboxes one each where they are proven, one for each domain of theirs."""
    proofs, now = proofs_of(draft), clock.now()
    controls = controls_of(draft, names_to_prove(draft), proofs)
    looks = _looks(draft, proofs, now) if needs_looks(draft) else {}
    for name in sorted({*controls, *looks}, key=_in_order):
        yield DomainRow(name, _title(name), controls.get(name), looks.get(name), why_kept(draft, name))


def _in_order(name: str) -> tuple[str, str]:
    """Hosts by their name; a domain of mailboxes, and after it what is in it."""
    local, at, domain = name.rpartition("@")
    return (f"{at}{domain}", local)


def _title(name: str) -> str:
    return _("Mail of {domain}").format(domain=name[1:]) if name.startswith("@") else name


def _looks(draft: CertificateRequest, proofs: Mapping[str, DomainControl], now: datetime) -> dict[str, Look]:
    terms = caa_terms(draft, proofs)
    found, early = newest(terms), unproven_among(draft, proofs)
    return {name: _early() if name in early else _look(found.get(name), now) for name in terms}


def unproven_among(draft: CertificateRequest, proofs: Mapping[str, DomainControl]) -> set[str]:
    """The names to be asked about in the DNS, of which control is to be proven first."""
    if not needs_proofs(draft):
        return set()
    return {name_asked(name) for name in alternative_names_of(draft) if lowered(str(name.value)) not in proofs}


def _early() -> Look:
    said = _("Its CAA records are looked at once control is proven: they may say in which ways it has to be.")
    return Look(UNVERIFIED, _chip(UNVERIFIED), said, is_early=True)


def _look(look: CaaCheck | None, now: datetime) -> Look:
    state = state_of(look, now)
    if look is None:
        return Look(state, _chip(state), _("Nobody has looked at this name yet."))
    if state == CaaState.VERIFYING:
        doing = _("Asking for the CAA records of this name and of the names above it, since {time} UTC.")
        return Look(state, _chip(state), doing.format(time=f"{look.asked_at:%H:%M:%S}"))
    if state == UNVERIFIED:
        return Look(state, _chip(state), _stale(look, now))
    words, kept = told(look), look.evidence
    return Look(
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
        agreement_in(kept),
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
