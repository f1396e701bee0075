"""Walks a tenant's chain and names the first row that is not as it was written."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from portal.foundation import clock
from portal.foundation.audit.models import AuditEvent, AuditSeal
from portal.foundation.audit.sealer import START
from portal.foundation.tenancy.context import acting_for

SEALED_WITHIN = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, and with which row."""

    sequence: int | None
    event: UUID | None
    complaint: str

    def __str__(self) -> str:
        place = "unsealed" if self.sequence is None else f"row {self.sequence}"
        return f"{place}, event {self.event}: {self.complaint}"


@dataclass(frozen=True, slots=True)
class Verdict:
    rows: int
    finding: Finding | None


def verify(tenant_id: UUID) -> Verdict:
    """Read the whole chain in one unit of work; stop at the first bad row."""
    with acting_for(tenant_id):
        rows = 0
        for rows, finding in enumerate(_walk(), start=1):
            if finding:
                return Verdict(rows, finding)
        return Verdict(rows, _left_out())


def _walk() -> Iterator[Finding | None]:
    """Yield one verdict a row, in the order of the chain."""
    expected, previous = 1, START
    for seal in AuditSeal.objects.order_by("sequence").iterator(chunk_size=2000):
        if seal.sequence != expected:
            yield Finding(expected, None, "is missing from the chain")
        event = AuditEvent.objects.filter(pk=seal.event_id).first()
        yield _judge(seal, event, previous)
        expected, previous = seal.sequence + 1, bytes(seal.digest)


def _judge(seal: AuditSeal, event: AuditEvent | None, previous: bytes) -> Finding | None:
    if event is None:
        return Finding(seal.sequence, seal.event_id, "the event is gone")
    complaints = (
        (seal.pk != event.pk, "the seal is not the one that was set"),
        (bytes(event.digest) != event.computed_digest(), "the event does not say what was written"),
        (bytes(seal.previous) != previous, "the seal does not follow the one before it"),
        (bytes(seal.digest) != seal.computed_digest(bytes(event.digest)), "the seal does not fit its event"),
    )
    return next((Finding(seal.sequence, event.pk, words) for broken, words in complaints if broken), None)


def _left_out() -> Finding | None:
    sealed = AuditSeal.objects.values("event_id")
    late = AuditEvent.objects.filter(at__lt=clock.now() - SEALED_WITHIN).exclude(pk__in=sealed).order_by("pk").first()
    return Finding(None, late.pk, "was never sealed") if late else None
