"""The journal: what happened, by whom, to what.  Append-only by grant and by trigger.

`record` writes in the caller's unit of work, without any lock, so that no effect
exists without its row; the sealer numbers and chains the rows afterwards.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import models, transaction

from portal.foundation import clock
from portal.foundation.ids import uuid7
from portal.foundation.tenancy.context import current_unit
from portal.foundation.tenancy.errors import NoTenant
from portal.foundation.tenancy.models import PLATFORM, TenantKey, TenantModel
from portal.foundation.writing import insert


class AuditEvent(TenantModel):
    """One line of the journal, with a digest over all it says."""

    at = models.DateTimeField()
    actor = models.CharField(max_length=60)  # a person's id, or who acted in nobody's name: "policy:auto"
    code = models.CharField(max_length=60)  # thing:deed
    subject = models.CharField(max_length=60)
    facts = models.JSONField(default=dict)
    digest = models.BinaryField(max_length=32)

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "subject"], name="audit_by_subject"),
            models.Index(fields=["tenant", "at", "id"], name="audit_by_time"),
            models.Index(fields=["tenant", "actor", "at", "id"], name="audit_by_actor"),
            models.Index(fields=["tenant", "code", "at", "id"], name="audit_by_code"),
        ]

    def content(self) -> dict[str, Any]:
        """Everything that the line says, as it is digested and as an export shows it."""
        return {
            "id": str(self.pk),
            "tenant": str(self.tenant_id),
            "at": _exactly(self.at),
            "actor": self.actor,
            "code": self.code,
            "subject": self.subject,
            "facts": self.facts,
        }

    def computed_digest(self) -> bytes:
        """What `digest` must be; the two differ once somebody changed the row."""
        return hashlib.sha256(canonical(self.content())).digest()


class AuditSeal(TenantModel):
    """An event's place in its tenant's chain: sequence, and a digest over it and everything before.

    Its id is the event's, so that no column of it can be changed unnoticed.
    """

    sequence = models.PositiveBigIntegerField()
    event = TenantKey(AuditEvent, related_name="+")
    previous = models.BinaryField(max_length=32)
    digest = models.BinaryField(max_length=32)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "sequence"], name="seal_numbers_once"),
            models.UniqueConstraint(fields=["tenant", "event"], name="seal_seals_once"),
        ]

    def computed_digest(self, event_digest: bytes) -> bytes:
        return hashlib.sha256(self.sequence.to_bytes(8) + bytes(self.previous) + event_digest).digest()


class JournalKey(models.Model):
    """A public key that signs checkpoints, by its fingerprint.  A platform table: one key signs for every tenant."""

    fingerprint = models.CharField(primary_key=True, max_length=64)  # SHA-256 of the SubjectPublicKeyInfo
    spki = models.BinaryField()
    key_id = models.CharField(max_length=64)  # CKA_ID in the token, hexadecimal
    since = models.DateTimeField()


class AuditCheckpoint(TenantModel):
    """A signed statement: at this moment the chain of this tenant had so many rows and this head (F10).

    It names the checkpoint before it, so that none can be taken away from between two others, and of
    two workers only one can follow the same one.
    """

    sequence = models.PositiveBigIntegerField()
    head = models.BinaryField(max_length=32)  # the digest of the seal with that sequence
    at = models.DateTimeField()
    key = models.CharField(max_length=64)  # the fingerprint of the JournalKey
    signature = models.BinaryField()
    previous = models.PositiveBigIntegerField()  # the sequence of the checkpoint before it; 0 for the first

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "sequence"], name="checkpoint_once_a_row"),
            models.UniqueConstraint(fields=["tenant", "previous"], name="checkpoint_follows_one"),
        ]

    def content(self) -> dict[str, Any]:
        """What is signed: every column but the signature."""
        return {
            "what": "journal checkpoint",
            "id": str(self.pk),
            "tenant": str(self.tenant_id),
            "sequence": self.sequence,
            "previous": self.previous,
            "head": bytes(self.head).hex(),
            "at": _exactly(self.at),
            "key": self.key,
        }

    def statement(self) -> bytes:
        return canonical(self.content())


class Unsealed(models.Model):
    """An event that waits for the sealer.

    Written by a trigger.  A platform table, so that the sealer finds the tenants that have
    something to seal; it holds ids and nothing else.
    """

    event_id = models.UUIDField(primary_key=True)
    tenant_id = models.UUIDField()

    class Meta:
        indexes = [models.Index(fields=["tenant_id"], name="unsealed_by_tenant")]


_token: ContextVar[str] = ContextVar("journal_token", default="")


@contextmanager
def one_request() -> Iterator[None]:
    """What `done_through` says holds until the end of this block and never for the next request."""
    before = _token.set("")
    try:
        yield
    finally:
        _token.reset(before)


def done_through(prefix: str) -> None:
    """Let every line that is written from here on tell through which token it was done."""
    _token.set(prefix)


def record(*, actor: object, code: str, subject: object, **facts: object) -> AuditEvent:
    """Write one line into the journal of the unit of work's tenant, or of the platform where there is none.

    Facts are ids, names and counts; never a secret and never a key.
    """
    unit = current_unit()
    if unit is None:
        raise NoTenant("the journal is written inside the unit of work whose effect it tells")
    return _write(unit.tenant or PLATFORM, actor, code, subject, facts)


def rehearse(*, actor: object, code: str, subject: object) -> None:
    """Write the line of what is about to be done outside the database, and take it back.

    A mail that went out cannot be rolled back with its line: while the journal takes none,
    it must not be begun.  Raises what `record` would raise, in the caller's unit of work.
    """
    with transaction.atomic():
        record(actor=actor, code=code, subject=subject)
        transaction.set_rollback(True)


def record_for_both(*, actor: object, code: str, subject: object, **facts: object) -> None:
    """Write the same line into the tenant's journal and into the platform's, in the tenant's unit of work.

    What an operator does to a tenant stands in both, or in neither.
    """
    written = record(actor=actor, code=code, subject=subject, **facts)
    if written.tenant_id != PLATFORM:
        _write(PLATFORM, actor, code, subject, facts)


def _write(tenant: UUID, actor: object, code: str, subject: object, facts: Mapping[str, object]) -> AuditEvent:
    event = AuditEvent(
        id=uuid7(),
        tenant_id=tenant,
        at=clock.now(),
        actor=str(actor),
        code=code,
        subject=str(subject),
        facts=plain({**facts, "through_token": _token.get()} if _token.get() else facts),
    )
    event.digest = event.computed_digest()
    insert(event)
    return event


def canonical(content: Mapping[str, Any]) -> bytes:
    """The one way to write *content* as bytes: JSON with sorted names, without spaces, in UTF-8."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def plain(facts: Mapping[str, object]) -> dict[str, Any]:
    """Facts as JSON can hold them, so that what is digested now is what is read later."""
    return {name: _plain(value) for name, value in facts.items()}


def _plain(value: object) -> Any:
    match value:
        case None | bool() | int():
            return value
        case str():
            return str(value)
        case datetime():
            return _exactly(value)
        case UUID():
            return str(value)
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return str(value)


def _exactly(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")
