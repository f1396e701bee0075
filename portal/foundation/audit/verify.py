"""Walks a tenant's chain and names the first row that is not as it was written.

What a chain alone cannot show is that its end was cut off, or that it was computed anew
by somebody who may write everything: signed checkpoints show it, and where the newest of
those were taken away as well, copies of them that were kept elsewhere (`Witness`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal.foundation import clock
from portal.foundation.audit import chain
from portal.foundation.audit.chain import Link
from portal.foundation.audit.models import AuditCheckpoint, AuditEvent, AuditSeal, JournalKey
from portal.foundation.audit.sealer import START
from portal.foundation.audit.signatures import fingerprint_of, is_signed
from portal.foundation.tenancy.context import acting_for

SEALED_WITHIN = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, and with which row."""

    sequence: int | None
    event: UUID | None
    complaint: str | Promise

    def __str__(self) -> str:
        place = "unsealed" if self.sequence is None else f"row {self.sequence}"
        event = f", event {self.event}" if self.event else ""
        return f"{place}{event}: {self.complaint}"


@dataclass(frozen=True, slots=True)
class Witness:
    """A checkpoint as somebody kept it outside the database: an anchor, or an export of earlier."""

    sequence: int
    statement: bytes
    head: bytes


@dataclass(frozen=True, slots=True)
class Verdict:
    """How far the chain was walked, what was found, and up to which row a checkpoint vouches for it."""

    rows: int
    finding: Finding | None
    head: bytes = START
    checkpoints: int = 0
    signed_to: int = 0


def verify(
    tenant_id: UUID, *, witnesses: Collection[Witness] = (), only_keys: Collection[str] | None = None
) -> Verdict:
    """Read the whole chain in one unit of work; stop at the first bad row.

    With *only_keys* a checkpoint by any other key is a finding: whoever owns the database
    can enter a key of their own there.
    """
    with acting_for(tenant_id):
        walk = Walk.behind(0, witnesses={each.sequence: each for each in witnesses}, only_keys=only_keys)
        while walk.step():
            pass
        return walk.verdict()


@dataclass(slots=True)
class Walk:
    """A verification under way: up to which row, and what the next row must follow.  Inside a unit of work."""

    row: int
    previous: bytes
    checkpoint: int
    witnesses: Mapping[int, Witness] = field(default_factory=dict)
    only_keys: Collection[str] | None = None
    checkpoints: int = 0
    finding: Finding | None = None
    _seal: UUID | None = None
    _keys: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def behind(
        cls,
        row: int,
        *,
        witnesses: Mapping[int, Witness] | None = None,
        only_keys: Collection[str] | None = None,
    ) -> "Walk":
        """Begin behind a row that was found as written before; 0 for the start."""
        seal = AuditSeal.objects.filter(sequence=row).order_by("pk").first() if row else None
        before = AuditCheckpoint.objects.filter(sequence__lte=row).order_by("-sequence").first() if row else None
        walk = cls(
            row, bytes(seal.digest) if seal else START, before.sequence if before else 0, witnesses or {}, only_keys
        )
        walk._seal = seal.pk if seal else None
        walk._keys = {key.fingerprint: bytes(key.spki) for key in JournalKey.objects.all()}
        walk.checkpoints = AuditCheckpoint.objects.filter(sequence__lte=row).count() if row else 0
        return walk

    def step(self) -> bool:
        """Judge the next page of rows; return whether there may be another."""
        links = chain.page(after=self.row, seal=self._seal)
        if not links:
            return self._at_the_end()
        until = max(link.seal.sequence for link in links)
        signed = {
            each.sequence: each
            for each in AuditCheckpoint.objects.filter(sequence__gt=self.row or -1, sequence__lte=until)
        }
        for link in links:
            self.finding = self._missing_before(link, signed) or self._judge(link, signed.get(link.seal.sequence))
            if self.finding:
                return False
            self.row, self.previous, self._seal = link.seal.sequence, bytes(link.seal.digest), link.seal.pk
        return True

    def verdict(self) -> Verdict:
        """Sum up; what was never sealed is looked for when the whole chain is as written."""
        rows = self.row + (self.finding is not None)
        return Verdict(rows, self.finding or _left_out(), self.previous, self.checkpoints, self.checkpoint)

    def _missing_before(self, link: Link, signed: Mapping[int, AuditCheckpoint]) -> Finding | None:
        if self.row == 0 and 0 in signed:
            return Finding(0, None, _("a checkpoint names a row that there never is"))
        if link.seal.sequence != self.row + 1:
            return Finding(self.row + 1, None, _("is missing from the chain"))
        return None

    def _judge(self, link: Link, signed: AuditCheckpoint | None) -> Finding | None:
        seal, event = link.seal, link.event
        if event is None:
            return Finding(seal.sequence, seal.event_id, _("the event is gone"))
        digest = event.computed_digest()
        complaints = (
            (seal.pk != event.pk, _("the seal is not the one that was set")),
            (bytes(event.digest) != digest, _("the event does not say what was written")),
            (bytes(seal.previous) != self.previous, _("the seal does not follow the one before it")),
            (bytes(seal.digest) != seal.computed_digest(digest), _("the seal does not fit its event")),
        )
        complaint: Promise | None = next((words for broken, words in complaints if broken), None)
        complaint = complaint or self._judge_checkpoint(seal, signed) or self._judge_witness(seal, signed)
        return Finding(seal.sequence, event.pk, complaint) if complaint else None

    def _judge_checkpoint(self, seal: AuditSeal, signed: AuditCheckpoint | None) -> Promise | None:
        if signed is None:
            return None
        spki = self._keys.get(signed.key, b"")
        complaints = (
            (fingerprint_of(spki) != signed.key, _("its checkpoint is signed by a key that the portal does not have")),
            (
                self.only_keys is not None and signed.key not in self.only_keys,
                _("its checkpoint is signed by a key that is not the one you named"),
            ),
            (
                not is_signed(signed.statement(), bytes(signed.signature), spki),
                _("its checkpoint is not what was signed"),
            ),
            (
                bytes(signed.head) != bytes(seal.digest),
                _("its checkpoint was signed when the chain was another one"),
            ),
            (signed.previous != self.checkpoint, _("a checkpoint before its own is missing")),
        )
        self.checkpoint, self.checkpoints = signed.sequence, self.checkpoints + 1
        return next((words for broken, words in complaints if broken), None)

    def _judge_witness(self, seal: AuditSeal, signed: AuditCheckpoint | None) -> Promise | None:
        witness = self.witnesses.get(seal.sequence)
        if witness is None:
            return None
        if witness.head != bytes(seal.digest):
            return _("a checkpoint that was kept elsewhere was signed when the chain was another one")
        if signed is None or signed.statement() != witness.statement:
            return _("its checkpoint is not the one that was kept elsewhere")
        return None

    def _at_the_end(self) -> bool:
        """Whether the chain goes on after all; if not, whether a checkpoint knows of more rows."""
        signed = AuditCheckpoint.objects.filter(sequence__gt=self.row).order_by("-sequence").first()
        known = max([signed.sequence if signed else 0, *self.witnesses])
        if known > self.row:
            if AuditSeal.objects.filter(sequence__gt=self.row).exists():
                return True  # sealed and signed since the last page was read
            words = _("is cut off: a checkpoint was signed for rows up to %(row)d")
            self.finding = Finding(self.row + 1, None, _filled(words, row=known))
        return False


def _filled(words: Promise, **facts: int) -> str:
    return str(words) % facts


def _left_out() -> Finding | None:
    """Events without a seal that are old enough to have one, or older than they can be."""
    now = clock.now()
    ours = Q(at__gte=now - SEALED_WITHIN) & Q(at__lte=now + SEALED_WITHIN)
    sealed = AuditSeal.objects.values("event_id")
    late = AuditEvent.objects.exclude(ours).exclude(pk__in=sealed).order_by("pk").first()
    return Finding(None, late.pk, _("was never sealed")) if late else None
