"""Which CRL shard a serial belongs to; fixed when the serial is handed out.

Places are reserved fifty at a time for this process, in a unit of work of their own:
a counter that every issuance updates would make two workers wait for each other's
commits.  A process that dies leaves its unused places empty, never overfull.
"""

from dataclasses import dataclass
from threading import Lock
from uuid import UUID

from django.db import IntegrityError

from lifecycle.authorities.models import CrlShard
from portal.foundation.tenancy.context import acting_for

BLOCK = 50


@dataclass(frozen=True, slots=True)
class Place:
    shard: UUID
    number: int


@dataclass(slots=True)
class _Reserved:
    place: Place
    left: int


_reserved: dict[UUID, _Reserved] = {}
_lock = Lock()


def next_place(tenant_id: UUID, authority_id: UUID) -> Place:
    """Hand out one place; call it outside any unit of work."""
    with _lock:
        block = _reserved.get(authority_id)
        if block is None or not block.left:
            block = _reserved[authority_id] = _Reserved(_reserve(tenant_id, authority_id), BLOCK)
        block.left -= 1
        return block.place


def _reserve(tenant_id: UUID, authority_id: UUID) -> Place:
    while True:
        try:
            with acting_for(tenant_id):
                return _take(authority_id)
        except IntegrityError as error:
            if "shard_number_once" not in str(error):
                raise
            # another worker opened the next shard at the same moment; it is there now


def _take(authority_id: UUID) -> Place:
    newest = CrlShard.objects.select_for_update().filter(authority=authority_id).order_by("-number").first()
    if newest is None or newest.handed_out + BLOCK > CrlShard.FULL:
        number = newest.number + 1 if newest else 1
        newest = CrlShard(authority_id=authority_id, number=number, handed_out=BLOCK)
        newest.save(force_insert=True)
    else:
        newest.handed_out += BLOCK
        newest.save(update_fields=["handed_out"])
    return Place(newest.pk, newest.number)
