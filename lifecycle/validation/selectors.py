"""Reading what is known of names."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from lifecycle.validation.caa import Terms, canonical
from lifecycle.validation.models import CaaCheck
from lifecycle.validation.states import UNVERIFIED, CaaState

FRESH = timedelta(hours=7)
"""How long a look that permitted may be relied on.

BR 3.2.2.8 allows the records' TTL or 8 hours, whichever is greater; the hour between is for
what happens after the judgement.  The TTL is not used: it is a stranger's, and could only
make this longer.
"""

PAUSE = timedelta(seconds=10)
"""After a look that failed, before the next one at the same name: nobody's servers are asked faster through us."""

MEANWHILE = timedelta(minutes=1)
"""A unit of work's clock stands still at its beginning, and it still reads looks that were stored after that."""


def is_fresh(check: CaaCheck | None, now: datetime) -> bool:
    """Whether *check* permits issuance at *now* (0.R27, C17)."""
    if check is None or check.state != CaaState.VERIFIED or check.checked_at is None:
        return False
    return now - FRESH < check.checked_at <= now + MEANWHILE


def rests_until(check: CaaCheck | None, now: datetime) -> datetime | None:
    """From when the name can be looked at again, where its look failed a moment ago; else None.

    A whole second, the next one after `PAUSE`, so that what people read is what counts.
    """
    if check is None or check.state != CaaState.FAILED or check.checked_at is None:
        return None
    until = (check.checked_at + PAUSE + timedelta(microseconds=999_999)).replace(microsecond=0)
    return until if now < until else None


def state_of(check: CaaCheck | None, now: datetime) -> str:
    """What people read of a name: a look that permitted and grew old counts as none (0.R25)."""
    if check is None or (check.state == CaaState.VERIFIED and not is_fresh(check, now)):
        return UNVERIFIED
    return str(check.state)


def newest(wanted: Mapping[str, Terms], *, settled: bool = False) -> dict[str, CaaCheck]:
    """The newest look at each name of *wanted* on its terms; a name without one is missing.

    The newest counts, whatever an older one said; with *settled*, of those that came to an end.  Keys are canonical.
    """
    terms = {canonical(name): theirs.spelled() for name, theirs in wanted.items()}
    rows = CaaCheck.objects.filter(name__in=terms)
    if settled:
        rows = rows.exclude(state=CaaState.VERIFYING)
    latest = rows.order_by("name", "terms", "-asked_at", "-id").distinct("name", "terms")
    return {row.name: row for row in latest if row.terms == terms[row.name]}
