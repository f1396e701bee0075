"""Signs the head of one chain: read, sign, store, and keep a copy elsewhere, in four steps that may each be the last.

A worker that dies leaves a checkpoint without its copy at worst, and the next one adds
it.  Of two workers one makes the checkpoint, since only one can follow the one before.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import load_der_public_key
from structlog import get_logger

from lifecycle.authorities.backends.pkcs11 import EcTokenKey, key_in
from portal.foundation import clock
from portal.foundation.audit import chain
from portal.foundation.audit.models import AuditCheckpoint, AuditSeal, JournalKey
from portal.foundation.audit.signatures import digest_for, is_signed
from portal.foundation.audit.verify import Witness
from portal.foundation.tenancy.context import acting_for
from portal.foundation.token import TokenFellSilent
from portal.notary import anchors

if TYPE_CHECKING:
    from portal.foundation.token import Token

log = get_logger()


class ChainBroken(Exception):
    """The chain does not hold what its newest checkpoint says: nothing is signed, an operator has to look."""


@dataclass(frozen=True, slots=True)
class Signer:
    """A journal key, and the token that holds its private half."""

    key: JournalKey
    token: "Token"

    def sign(self, statement: bytes) -> bytes:
        """Return a signature that was checked; raise what the token raises, also for one that is wrong."""
        key_id = bytes.fromhex(self.key.key_id)
        public = load_der_public_key(bytes(self.key.spki))
        key = key_in(self.token, key_id, public)
        digest = digest_for(public)
        if isinstance(key, EcTokenKey):
            signature = key.sign(statement, ec.ECDSA(digest))
        else:
            signature = key.sign(statement, padding.PKCS1v15(), digest)
        if not is_signed(statement, signature, bytes(self.key.spki)):
            raise TokenFellSilent(f"The token's signature does not fit the journal's key {self.key.key_id}.")
        return signature


def sign_head(tenant_id: UUID, signer: Signer, *, anchored: Witness | None = None) -> AuditCheckpoint | None:
    """Make the next checkpoint of a chain; None where the newest row has one already.

    Raises `ChainBroken` where the row that was signed last, or the newest one of which there
    is a copy elsewhere (*anchored*), is not there as it was.
    """
    with acting_for(tenant_id):
        if anchored is not None:
            _hold_against(anchored.sequence, anchored.head, "the copy of a checkpoint that was kept elsewhere")
        checkpoint = _next(signer.key)
    if checkpoint is None:
        return None
    checkpoint.signature = signer.sign(checkpoint.statement())
    with acting_for(tenant_id):
        AuditCheckpoint.objects.bulk_create([checkpoint], ignore_conflicts=True)
        if not AuditCheckpoint.objects.filter(pk=checkpoint.pk).exists():
            return None  # another worker was first
    log.info("journal.checkpoint", **checkpoint.content(), signature=checkpoint.signature.hex())
    return checkpoint


def copy_to(folder: Path, tenant_id: UUID) -> None:
    """Add to the tenant's anchor file every checkpoint that it does not hold."""
    since = anchors.last_anchored(folder, tenant_id)
    with acting_for(tenant_id):
        missing = list(AuditCheckpoint.objects.filter(sequence__gt=since).order_by("sequence"))
    anchors.append(folder, tenant_id, missing)


def _next(key: JournalKey) -> AuditCheckpoint | None:
    head, last = chain.head(), chain.newest_checkpoint()
    if last is not None:
        _hold_against(last.sequence, bytes(last.head), f"its checkpoint {last.pk}")
    if head is None or (last and last.sequence == head.sequence):
        return None
    return AuditCheckpoint(
        sequence=head.sequence,
        head=bytes(head.digest),
        at=clock.now(),
        key=key.fingerprint,
        previous=last.sequence if last else 0,
    )


def _hold_against(row: int, head: bytes, said: str) -> None:
    """Raise `ChainBroken` unless the row that was signed is still there as it was."""
    signed = AuditSeal.objects.filter(sequence=row).first()
    if signed is None or bytes(signed.digest) != head:
        raise ChainBroken(f"Row {row} of the journal is not the one that {said} signed.")
