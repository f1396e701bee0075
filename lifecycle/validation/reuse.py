"""How long a proof of control may be used: a table by date (BR 4.2.1, S/MIME BR 4.2.1).  Pure.

What counts is the day on which a certificate is issued, not the day of the proof: a proof that was good for 200 days
when it was made may end earlier, on the day from which a shorter limit holds.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from lifecycle.validation.methods import MAILBOX, Method


@dataclass(frozen=True, slots=True)
class Period:
    """From *since* on, a proof may be at most *days* old when a certificate is issued."""

    since: date
    days: int

    @property
    def begins(self) -> datetime:
        return datetime(self.since.year, self.since.month, self.since.day, tzinfo=UTC)


DOMAINS = (
    Period(date.min, 398),
    Period(date(2026, 3, 15), 200),
    Period(date(2027, 3, 15), 100),
    Period(date(2029, 3, 15), 10),
)
"""BR 4.2.1, table of domain names.  Private authorities go by it too: no other number is better founded."""

DOMAINS_OF_MAILBOXES = (Period(date.min, 398),)
"""S/MIME BR 4.2.1: control of the domain behind a mailbox, whatever the TLS rules say."""

MAILBOXES = (Period(date.min, 30),)
"""S/MIME BR 4.2.1: control of the mailbox itself."""

MOST_OF_METHOD = {"dns-persist": 10}
"""Days, where a method's own section sets a shorter limit (BR 3.2.2.4.22)."""

PUBLIC_SMIME = "public-smime"


def table_for(method: Method, trust: str) -> tuple[Period, ...]:
    """The limits by date for proofs by *method* that stand behind a certificate of the class *trust*."""
    if MAILBOX in method.kinds:
        return MAILBOXES
    table = DOMAINS_OF_MAILBOXES if trust == PUBLIC_SMIME else DOMAINS
    most = MOST_OF_METHOD.get(method.slug)
    return tuple(Period(period.since, min(period.days, most or period.days)) for period in table)


def usable_until(proved_at: datetime, method: Method, trust: str) -> datetime:
    """Return the first moment at which a proof counts no more: by its age, a shorter limit, or its method's end.

    A proof of exactly the limit's age would still be good by the rules; it is not by ours, so that no clock can
    make the difference.
    """
    ends = _by_age(proved_at, table_for(method, trust))
    if method.until is None:
        return ends
    return min(ends, Period(method.until, 0).begins)  # "prior validations … MUST NOT be used": BR 3.2.2.4.4, .13, .14


def _by_age(proved_at: datetime, table: tuple[Period, ...]) -> datetime:
    for period, following in pairwise(table):
        ends = max(proved_at + timedelta(days=period.days), period.begins if period.since > date.min else proved_at)
        if ends <= following.begins:
            return ends
    last = table[-1]
    begins = last.begins if last.since > date.min else proved_at
    return max(proved_at + timedelta(days=last.days), begins)


def counts_on(proved_at: datetime, method: Method, trust: str, moment: datetime) -> bool:
    """Whether a proof made at *proved_at* may stand behind a certificate that is issued at *moment*."""
    return proved_at <= moment < usable_until(proved_at, method, trust)
