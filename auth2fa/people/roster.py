"""Reading a CSV of people to invite: everything that is wrong with it is told at once, by line.

Nothing is guessed in silence: a file that is not Unicode is read as Windows-1252, and the page says
so.  What a spreadsheet would run as a formula is refused here, not repaired.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.foundation.access.errors import NotAnAddress
from portal.foundation.access.invitations import Invitee, plain_address
from portal.foundation.access.permissions import Role
from portal.foundation.access.words import readable

MOST_ROWS = 1000
LARGEST = 512 * 1024  # bytes: a thousand rows with the longest names and addresses
MOST_FAULTS = 200  # told; with one more, the rows that follow are only counted
MOST_WORDS = 20  # in a cell of roles: more than there are roles
COLUMNS = ("name", "email", "roles")
_SAME = {"e-mail": "email", "mail": "email", "role": "roles"}
_SEPARATORS = (",", ";", "\t")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_BETWEEN_ROLES = re.compile(r"[,;|+/]")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and in which line of the file; line 0 is the file itself."""

    line: int
    sentence: str

    def __str__(self) -> str:
        return _("Line {line}: {fault}").format(line=self.line, fault=self.sentence) if self.line else self.sentence


class NotReadable(Exception):
    """The file as a whole is not one that could be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Roster:
    invitees: tuple[Invitee, ...]
    faults: tuple[Fault, ...]


def decode(content: bytes) -> tuple[str, bool]:
    """Return the text and whether its encoding was guessed; raise `NotReadable` for what is no text."""
    if len(content) > LARGEST:
        raise NotReadable(too_long())
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding, guessed = "utf-16", False
    else:
        encoding, guessed = "utf-8-sig", False
        try:
            content.decode(encoding)
        except UnicodeDecodeError:
            encoding, guessed = "cp1252", True
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        raise NotReadable(_("This file is not text. Save it as CSV (UTF-8) and choose it again.")) from None
    if "\0" in text:
        raise NotReadable(_("This file is not text. Save it as CSV (UTF-8) and choose it again."))
    return text, guessed


def read(text: str, offered: Sequence[Role]) -> Roster:
    """Read people from *text*; raise `NotReadable` where not even the head can be understood, or it is too long."""
    text = text.removeprefix("\ufeff")
    if "\0" in text or not text.strip():
        raise NotReadable(_("There is nothing to read. The first line names the columns: name, email, roles."))
    # the rows of an honest file stand in a line each: what is far beyond the limit is not even parsed
    if text.count("\n") > 2 * MOST_ROWS:
        raise NotReadable(too_long())
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text))
    try:
        columns = _columns(next(rows))
        faults: list[Fault] = []
        seen: dict[str, int] = {}
        invitees: list[Invitee] = []
        count = 0
        for cells in rows:
            if not any(cell.strip() for cell in cells):
                continue
            count += 1
            if count > MOST_ROWS:
                raise NotReadable(too_long())
            if len(faults) > MOST_FAULTS:
                continue  # what is told is full: a hostile file costs no more than that
            invitee, wrong = _row(cells, columns, offered)
            if first := seen.get(invitee.email):
                wrong.append(_("{email} stands in line {line} already.").format(email=invitee.email, line=first))
            seen.setdefault(invitee.email, rows.line_num)
            faults += [Fault(rows.line_num, sentence) for sentence in wrong]
            invitees.append(invitee)
    except csv.Error:
        raise NotReadable(
            _("Line {line} cannot be read as CSV. Look for a quotation mark that is not closed.").format(
                line=rows.line_num
            )
        ) from None
    if not invitees:
        raise NotReadable(_("There is nobody in it but the line that names the columns."))
    return Roster(tuple(invitees), tuple(faults))


def too_long() -> str:
    return ngettext(
        "At most {most} person can be invited at once, and this holds more. Nobody was invited; split it.",
        "At most {most} people can be invited at once, and this holds more. Nobody was invited; split it.",
        MOST_ROWS,
    ).format(most=MOST_ROWS)


def _separator(text: str) -> str:
    head = text.lstrip().partition("\n")[0]
    return max(_SEPARATORS, key=head.count)


def _columns(head: list[str]) -> dict[str, int]:
    names = [cell.strip().strip("'").lower() for cell in head]
    places = {_SAME.get(name, name): place for place, name in enumerate(names)}
    missing = [name for name in COLUMNS if name not in places]
    if missing:
        raise NotReadable(
            _("The first line has to name the columns name, email and roles. Missing: {missing}.").format(
                missing=", ".join(missing)
            )
        )
    return {name: places[name] for name in COLUMNS}


def _row(cells: list[str], columns: dict[str, int], offered: Sequence[Role]) -> tuple[Invitee, list[str]]:
    taken = {name: cells[place].strip() if place < len(cells) else "" for name, place in columns.items()}
    wrong = [
        _("“{cell}” would be run as a formula by a spreadsheet.").format(cell=cell[:40])
        for cell in taken.values()
        if cell.startswith(_FORMULA)
    ]
    name = " ".join(taken["name"].split())
    if not readable(name):
        wrong.append(_("The name is empty, too long, or holds characters that cannot be seen."))
    try:
        email = plain_address(taken["email"])
    except NotAnAddress as fault:
        email = taken["email"].lower()
        wrong.append(str(fault))
    roles = []
    words = _words(taken["roles"])
    if len(words) > MOST_WORDS:
        wrong.append(_("There are too many roles; there are only {known}.").format(known=", ".join(offered)))
        words = []
    elif not words:
        wrong.append(_("A role is missing."))
    for word in words:
        role = _role(word, offered)
        if role is None:
            known = ", ".join(offered)
            wrong.append(_("There is no role “{word}”; there are {known}.").format(word=word[:40], known=known))
        else:
            roles.append(role)
    return Invitee(name, email, tuple(sorted(set(roles)))), wrong


def _words(cell: str) -> list[str]:
    return [word.strip() for word in _BETWEEN_ROLES.split(cell) if word.strip()]


def _role(word: str, offered: Sequence[Role]) -> Role | None:
    plain = "-".join(word.lower().split())
    return next((role for role in offered if plain in (role.value, "-".join(str(role.label).lower().split()))), None)


def told(faults: Sequence[Fault]) -> Iterator[str]:
    """What is wrong, line by line, and whether there is more."""
    yield from map(str, faults[:MOST_FAULTS])
    if len(faults) > MOST_FAULTS:
        yield _("… and there is more: after so many faults the rest was not looked at.")
