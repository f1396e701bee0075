"""Who is in a tenant, and who is invited: one list of two tables, page by page.

Both are read behind the same place in the same order and merged, so a page costs two short reads
however many people there are.  The order is that of code points, in PostgreSQL and here alike.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core import signing
from django.db.models import Model, Q, QuerySet
from django.db.models.functions import Collate, Lower
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from auth2fa.people.words import labels
from portal.foundation import clock
from portal.foundation.access.models import Invitation, Membership, User
from portal.foundation.access.permissions import Role

SIZE = 25
MOST_EXPORTED = 5000
SORTS = ("name", "email")
STATES: dict[str, str | Promise] = {
    "active": gettext_lazy("Active"),
    "suspended": gettext_lazy("Suspended"),
    "invited": gettext_lazy("Invited"),
}
_LONGEST_SEARCH = 100
_SALT = "people"


@dataclass(frozen=True, slots=True)
class Chip:
    tone: str
    icon: str
    word: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the list: a member, or somebody who was invited."""

    pk: UUID
    key: str  # what it is sorted by
    name: str
    email: str
    roles: tuple[str, ...]
    state: str
    lapsed: bool = False

    @property
    def invited(self) -> bool:
        return self.state == "invited"

    @property
    def role_words(self) -> str:
        return labels(self.roles)

    @property
    def status(self) -> Chip:
        if self.lapsed:
            return Chip("plain", "off", _("Invitation lapsed"))
        return {
            "active": Chip("good", "good", _("Active")),
            "suspended": Chip("watch", "watch", _("Suspended")),
            "invited": Chip("wait", "wait", _("Invited")),
        }[self.state]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the list is narrowed to; anything a form of ours would not send is ignored."""

    role: str = ""
    state: str = ""
    text: str = ""
    sort: str = "name"

    @classmethod
    def read(cls, asked: Mapping[str, str]) -> "Wanted":
        role, state, text = asked.get("role", ""), asked.get("state", ""), asked.get("q", "")
        sort = asked.get("sort", "name")
        return cls(
            role=role if role in Role.values else "",
            state=state if state in STATES else "",
            text=" ".join(text.replace("\0", "").encode(errors="ignore").decode().split())[:_LONGEST_SEARCH],
            sort=sort if sort.removeprefix("-") in SORTS else "name",
        )

    @property
    def narrowed(self) -> bool:
        return bool(self.role or self.state or self.text)

    def chosen(self) -> list[dict[str, Any]]:
        """The filters in force, as chips."""
        found: list[dict[str, Any]] = []
        if self.text:
            found.append({"param": "q", "label": _("Search"), "value": self.text})
        if self.role:
            found.append({"param": "role", "label": _("Role"), "value": Role(self.role).label})
        if self.state:
            found.append({"param": "state", "label": _("State"), "value": STATES[self.state]})
        return found


@dataclass(frozen=True, slots=True)
class Page:
    rows: list[Entry]
    before: str | None
    after: str | None

    @property
    def said(self) -> str:
        if self.before or self.after:
            return ngettext("{count} on this page", "{count} on this page", len(self.rows)).format(count=len(self.rows))
        return ngettext("{count} in all", "{count} in all", len(self.rows)).format(count=len(self.rows))


def is_cursor(text: str) -> bool:
    """Whether `page` would begin at *text*."""
    return _read(text) is not None


def page(wanted: Wanted, asked: Mapping[str, str], *, size: int = SIZE) -> Page:
    """Return the page behind the cursor `after`, or before `before`; a cursor nobody made starts at the beginning."""
    backwards = "before" in asked
    place = _read(asked.get("before" if backwards else "after", ""))
    falling = wanted.sort.startswith("-") != backwards
    found = _entries(wanted, place, falling=falling, most=size + 1)
    more, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
    has_before, has_after = (more, bool(place)) if backwards else (bool(place), more)
    return Page(
        found,
        _write(found[0]) if has_before and found else None,
        _write(found[-1]) if has_after and found else None,
    )


def all_of(wanted: Wanted) -> list[Entry]:
    """Return up to one more than `MOST_EXPORTED`, so that whoever exports sees that there are more."""
    return _entries(wanted, None, falling=wanted.sort.startswith("-"), most=MOST_EXPORTED + 1)


def _entries(wanted: Wanted, place: tuple[str, UUID] | None, *, falling: bool, most: int) -> list[Entry]:
    members = _behind(_members(wanted), wanted, place, falling=falling)[:most] if wanted.state != "invited" else []
    invited = (
        _behind(_invited(wanted), wanted, place, falling=falling)[:most] if wanted.state in {"", "invited"} else []
    )
    entries = [*_of_members(list(members)), *(_of_invitation(row) for row in invited)]
    return sorted(entries, key=lambda entry: (entry.key, entry.pk), reverse=falling)[:most]


def _members(wanted: Wanted) -> QuerySet[User]:
    seats = Membership.objects.all()
    if wanted.role:
        seats = seats.filter(role=wanted.role)
    if wanted.state:
        seats = seats.filter(suspended_at__isnull=wanted.state == "active")
    return User.objects.filter(pk__in=seats.values("person"))


def _invited(wanted: Wanted) -> QuerySet[Invitation]:
    waiting = Invitation.objects.filter(taken_at=None, withdrawn_at=None)
    return waiting.filter(roles__contains=[wanted.role]) if wanted.role else waiting


def _behind(rows: QuerySet[Any], wanted: Wanted, place: tuple[str, UUID] | None, *, falling: bool) -> QuerySet[Any]:
    rows = rows.annotate(key=Collate(Lower(wanted.sort.removeprefix("-")), "C"))
    if wanted.text:
        rows = rows.filter(Q(name__icontains=wanted.text) | Q(email__icontains=wanted.text))
    if place:
        key, pk = place
        way = "lt" if falling else "gt"
        rows = rows.filter(Q(**{f"key__{way}": key}) | Q(**{"key": key, f"pk__{way}": pk}))
    sign = "-" if falling else ""
    return rows.order_by(f"{sign}key", f"{sign}pk")


def _of_members(people: list[User]) -> Iterable[Entry]:
    roles: dict[UUID, list[Membership]] = {}
    for row in Membership.objects.filter(person__in=[person.pk for person in people]):
        roles.setdefault(row.person_id, []).append(row)
    for person in people:
        held = roles.get(person.pk, [])
        yield Entry(
            pk=person.pk,
            key=_key(person),
            name=person.name,
            email=person.email,
            roles=tuple(sorted(row.role for row in held)),
            state="suspended" if any(row.suspended_at for row in held) else "active",
        )


def _of_invitation(row: Invitation) -> Entry:
    return Entry(
        pk=row.pk,
        key=_key(row),
        name=row.name,
        email=row.email,
        roles=tuple(row.roles),
        state="invited",
        lapsed=row.expires_at <= clock.now(),
    )


def _key(row: Model) -> str:
    return str(row.key)  # type: ignore[attr-defined]  # `_behind` annotates it


def _write(entry: Entry) -> str:
    return signing.dumps([entry.key, str(entry.pk)], salt=_SALT)


def _read(cursor: str) -> tuple[str, UUID] | None:
    try:
        key, pk = signing.loads(cursor, salt=_SALT)
        return str(key), UUID(pk)
    except (signing.BadSignature, ValueError, TypeError):
        return None
