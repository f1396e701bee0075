"""Doorways for the workers: sign a chain, walk a chain."""

from pathlib import Path
from typing import Any
from uuid import UUID

from structlog import get_logger

from portal.config import config
from portal.foundation import clock
from portal.foundation.audit.verify import Verdict, Walk
from portal.foundation.outbox.drain import TryLater
from portal.foundation.outbox.models import Errand, send
from portal.foundation.outbox.registry import errand, vital
from portal.foundation.tenancy.context import acting_for
from portal.foundation.token import TokenFellSilent, TokenNotReached, TokenRefused, token_at
from portal.notary import services, signing
from portal.notary.keys import journal_key

__all__ = ["sign_chain", "verify_chain"]

PAGES = 5
"""Of `chain.PAGE` rows each, what one errand walks within its lease, before it promises the rest."""

log = get_logger()


class NotAsWritten(Exception):
    """A chain was found changed: the errand is parked with this, where operators find it."""


@vital("signing")
def key_state() -> dict[str, Any]:
    """Whether this worker can sign checkpoints, for its heartbeat."""
    if not config.journal_key_id:
        return {"journal_key": "JOURNAL_KEY_ID is not set, so no checkpoint of the journal is signed."}
    if journal_key() is None:
        return {"journal_key": f"No key {config.journal_key_id} was entered: run manage.py create_journal_key."}
    return {"journal_key": "ok"}


@errand(queue="signing", tries=1000)
def sign_chain(promised: Errand) -> None:
    key = journal_key()
    if key is None:
        log.warning("journal.not_signed", tenant=str(promised.tenant_id))
        return
    token = token_at(config.pkcs11_module, config.pkcs11_token, config.pkcs11_pin_file)
    try:
        signing.sign_head(promised.tenant_id, signing.Signer(key, token))
    except (TokenNotReached, TokenRefused, TokenFellSilent) as error:
        raise TryLater(str(error)) from error
    if config.journal_anchors:
        try:
            signing.copy_to(Path(config.journal_anchors), promised.tenant_id)
        except OSError as error:
            raise TryLater(f"The anchor of a checkpoint was not written: {error}") from error


@errand(queue="messages")
def verify_chain(promised: Errand) -> None:
    """Walk a piece of the chain; promise the next one, or write down what was found."""
    by, after = promised.args[0], int(promised.args[1])
    first = UUID(promised.args[2]) if promised.args[2:] else promised.pk
    with acting_for(promised.tenant_id):
        walk = Walk.behind(after)
        for _page in range(PAGES):
            if not walk.step():
                break
        else:
            send(verify_chain, by, walk.row, first)
            promised.finish()
            return
        verdict = walk.verdict()
        began = Errand.objects.filter(pk=first).values_list("due_at", flat=True).first() or clock.now()
        services.note_verification(verdict, by=by, seconds=max((clock.now() - began).total_seconds(), 0.0))
        if verdict.finding is None:
            promised.finish()
    if verdict.finding is not None:
        _alarm(promised.tenant_id, verdict)


def _alarm(tenant_id: UUID, verdict: Verdict) -> None:
    log.error("journal.not_as_written", tenant=str(tenant_id), finding=str(verdict.finding))
    raise NotAsWritten(f"The journal of tenant {tenant_id} is not as it was written. {verdict.finding}")
