"""Reading what is known of names."""

from collections.abc import Collection
from datetime import datetime, timedelta

from lifecycle.validation.caa import canonical
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


def newest(names: Collection[str], identities: Collection[str]) -> dict[str, CaaCheck]:
    """The newest look at each of *names* for an authority with these *identities*; a name without one is missing.

    The newest counts, whatever an older one said.  Keys are canonical names.
    """
    wanted = {canonical(name) for name in names}
    rows = CaaCheck.objects.filter(name__in=wanted, identities=spelled(identities), perspective="primary")
    return {row.name: row for row in rows.order_by("name", "-asked_at", "-id").distinct("name")}


def spelled(identities: Collection[str]) -> list[str]:
    """Issuer domain names as a row keeps them: two authorities that answer to the same ones share a look."""
    return sorted({canonical(identity) for identity in identities})
