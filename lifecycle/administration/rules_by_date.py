"""What changes when: the dated tables that the rules are judged by, read as a calendar.

Nothing is dated here.  A row that is added to one of the tables appears by itself, and a table that is not read here
is read nowhere else as a calendar.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from itertools import pairwise

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from lifecycle.policies.rules import LONGEST_LIFE
from lifecycle.validation import reuse
from lifecycle.validation.methods import METHODS
from lifecycle.validation.perspectives import quorum

Text = str | Promise


class Touches(StrEnum):
    """What of a tenant a change reaches."""

    LIFETIMES = "life"
    PROOFS = "proofs"
    METHOD = "method"
    PERSPECTIVES = "perspectives"


@dataclass(frozen=True, slots=True)
class Change:
    """One row of one table."""

    day: date
    touches: Touches
    said: str
    source: str
    trust: str = ""
    method: str = ""
    before: int | None = None
    """Days that were allowed until then; None where nothing was said before."""
    after: int = 0

    @property
    def slug(self) -> str:
        """Its name in addresses, the same as long as its row stands."""
        return "-".join(part for part in (self.touches.value, self.trust or self.method, self.day.isoformat()) if part)

    @property
    def begins(self) -> datetime:
        return datetime(self.day.year, self.day.month, self.day.day, tzinfo=UTC)


CLASSES: dict[str, tuple[Text, str]] = {
    "public-tls": (gettext_lazy("publicly trusted TLS certificates"), "BR 6.3.2"),
    "public-smime": (gettext_lazy("publicly trusted certificates for e-mail"), "S/MIME BR 6.3.2"),
}


def changes() -> list[Change]:
    """Every change there is, in the order of their days; of one day in the order of `Touches`."""
    order = list(Touches)
    found = [*_lifetimes(), *_proofs(), *_methods(), *_perspectives()]
    return sorted(found, key=lambda change: (change.day, order.index(change.touches), change.slug))


def _lifetimes() -> Iterator[Change]:
    for trust, table in LONGEST_LIFE.items():
        title, source = CLASSES[trust]
        before: int | None = None
        for day, days in sorted(table.items()):
            said = ngettext(
                "New {certificates} are valid for at most {days} day.",
                "New {certificates} are valid for at most {days} days.",
                days,
            ).format(certificates=title, days=days)
            yield Change(day, Touches.LIFETIMES, said, source, trust=trust, before=before, after=days)
            before = days


def _proofs() -> Iterator[Change]:
    for earlier, later in pairwise(reuse.DOMAINS):
        said = ngettext(
            "A proof of control of a domain counts for {days} day.",
            "A proof of control of a domain counts for {days} days.",
            later.days,
        ).format(days=later.days)
        yield Change(later.since, Touches.PROOFS, said, "BR 4.2.1", before=earlier.days, after=later.days)


def _methods() -> Iterator[Change]:
    for method in METHODS.values():
        if method.until is not None:
            said = _("Nothing can be proven by “{method}” any more, and proofs by it end.").format(method=method.title)
            source = f"{method.document} {method.number}"
            yield Change(method.until, Touches.METHOD, said, source, method=method.slug)


def _perspectives() -> Iterator[Change]:
    before: int | None = None
    for day, row in sorted(quorum.TABLE.items()):
        said = ngettext(
            "At least {count} remote perspective looks at each domain, and those that agree stand in {regions}.",
            "At least {count} remote perspectives look at each domain, and those that agree stand in {regions}.",
            row.perspectives,
        ).format(count=row.perspectives, regions=_regions(row.regions))
        yield Change(day, Touches.PERSPECTIVES, said, "BR 3.2.2.9", before=before, after=row.perspectives)
        before = row.perspectives


def _regions(count: int) -> str:
    """As the rules have it: the service regions of Regional Internet Registries."""
    return ngettext("{count} region or more", "{count} regions or more", count).format(count=count)


def in_force(day: date) -> set[str]:
    """The slugs of the changes whose row counts on *day*: of each table the newest that has begun."""
    newest: dict[tuple[str, ...], str] = {}
    for change in changes():
        if change.day <= day:
            newest[change.touches, change.trust, change.method] = change.slug
    return set(newest.values())
