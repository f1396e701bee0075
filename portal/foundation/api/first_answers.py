"""A POST that is sent again gets the answer that it got first, and is carried out once.

As in the draft of the IETF's HTTPAPI group, a key belongs to one token and one deed.  What was refused changed
nothing, so nothing of it is kept: sent again, it is judged anew.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet

from portal.foundation import clock
from portal.foundation.access.models import ApiToken
from portal.foundation.api.errors import KeyUsedOtherwise, KeyWanted, StillUnderWay
from portal.foundation.api.models import FirstAnswer

REMEMBERED = timedelta(hours=24)
SLOWEST = timedelta(seconds=60)
"""After that long nobody is working on an answer any more: the process that did is gone."""

LONGEST_PATH = 250
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_SWEPT = 50


@dataclass(frozen=True, slots=True)
class Deed:
    """What a key stands for: this token, this address, this body."""

    token: ApiToken
    key: str
    path: str
    body_sha256: str  # over the address, too

    @classmethod
    def of(cls, token: ApiToken, key: str | None, path: str, body: bytes) -> "Deed":
        """Raise `KeyWanted` for a key that is missing or is none."""
        if key is None or not _KEY.fullmatch(key):
            raise KeyWanted
        # the address is digested whole and kept as far as it fits; lengths stand before the parts
        parts = (path.encode(), body)
        digest = hashlib.sha256(b"".join(len(part).to_bytes(8) + part for part in parts)).hexdigest()
        return cls(token, key, path[:LONGEST_PATH], digest)


def claim(deed: Deed) -> FirstAnswer:
    """Begin a deed, or find what it was answered; in the caller's unit of work.

    A row with a status is the first answer.  One without is the caller's to fill: of two that come at the same
    moment the second waits here until the first is committed.  Raises `KeyUsedOtherwise`, or `StillUnderWay` for
    a deed whose beginning was committed before its end.
    """
    now = clock.now()
    _sweep(now)
    row = FirstAnswer(token=deed.token, key=deed.key, path=deed.path, body_sha256=deed.body_sha256, made_at=now)
    found = _made_or_found(row)
    if found.pk == row.pk:
        return found
    if (found.path, found.body_sha256) != (deed.path, deed.body_sha256):
        raise KeyUsedOtherwise
    if found.status is None:
        if now - found.made_at < SLOWEST:
            raise StillUnderWay(seconds=5)
        found.made_at = now
        found.save(update_fields=["made_at"])
    return found


def _made_or_found(row: FirstAnswer) -> FirstAnswer:
    """Insert *row*, or lock the one with its key; that one may be given back or swept between the two."""
    while True:
        FirstAnswer.objects.bulk_create([row], ignore_conflicts=True)
        found = FirstAnswer.objects.select_for_update(of=("self",)).filter(token=row.token, key=row.key).first()
        if found and found.made_at < row.made_at - REMEMBERED:
            found.delete()  # nobody swept it yet
        elif found:
            return found


def keep(row: FirstAnswer, *, status: int, body: Any, location: str) -> None:
    """Keep the answer of a deed that was claimed; in the caller's unit of work."""
    _claimed(row).update(status=status, body=body, location=location)


def forget(row: FirstAnswer) -> None:
    """Give a key back whose deed was refused; in the caller's unit of work."""
    _claimed(row).delete()


def _claimed(row: FirstAnswer) -> QuerySet[FirstAnswer]:
    """The row while it is the caller's: whoever was slower than `SLOWEST` has lost it to the next one."""
    return FirstAnswer.objects.filter(pk=row.pk, status=None, made_at=row.made_at)


def _sweep(now: Any) -> None:
    old = FirstAnswer.objects.select_for_update(skip_locked=True).filter(made_at__lt=now - REMEMBERED)
    FirstAnswer.objects.filter(pk__in=list(old.order_by("made_at").values_list("pk", flat=True)[:_SWEPT])).delete()
