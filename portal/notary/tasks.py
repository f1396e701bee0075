"""Doorways for the workers: sign a chain, walk a chain, hold it against what is kept elsewhere."""

from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from structlog import get_logger

from portal.config import config
from portal.foundation import clock
from portal.foundation.audit.verify import Finding, Walk
from portal.foundation.outbox.drain import TryLater, WorldAway
from portal.foundation.outbox.models import Errand, send
from portal.foundation.outbox.registry import errand, vital
from portal.foundation.tenancy.context import acting_for
from portal.foundation.token import TokenFellSilent, TokenNotReached, TokenRefused, token_at
from portal.foundation.token.circuit import State
from portal.notary import anchors, comparing, services, signing
from portal.notary.keys import journal_key

if TYPE_CHECKING:
    from portal.foundation.token import Token

__all__ = ["compare_chain", "sign_chain", "verify_chain"]

PAGES = 5
"""Of `chain.PAGE` rows each, what one errand walks within its lease, before it promises the rest."""

ANCHORS = 1000
"""Checkpoints that one errand compares, so that nobody's certificate waits for longer than a moment."""

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


def _token_may_be_asked() -> bool:
    return _token().circuit.state != State.OPEN


@errand(queue="signing", ready=_token_may_be_asked)
def sign_chain(promised: Errand) -> None:
    key = journal_key()
    if key is None:
        log.warning("journal.not_signed", tenant=str(promised.tenant_id))
        return
    folder = _anchors()
    try:
        anchored = anchors.newest_in(folder, promised.tenant_id) if folder else None
        signing.sign_head(promised.tenant_id, signing.Signer(key, _token()), anchored=anchored)
    except TokenNotReached as error:
        raise WorldAway(str(error)) from error
    except (TokenRefused, TokenFellSilent) as error:
        raise TryLater(str(error)) from error
    except OSError as error:
        raise WorldAway(f"The anchors were not read: {error}") from error
    if folder:
        try:
            signing.copy_to(folder, promised.tenant_id)
        except OSError as error:
            raise WorldAway(f"The anchor of a checkpoint was not written: {error}") from error


@errand(queue="signing", ready=_token_may_be_asked)
def compare_chain(promised: Errand) -> None:
    """Hold a piece of the anchors, then the keys, against the chain; promise the next piece, or write down the result.

    On the signing worker, which alone sees the anchors and the token.
    """
    by, offset, rows = promised.args[0], int(promised.args[1]), int(promised.args[2])
    folder = _anchors()
    try:
        path = anchors.file_of(folder, promised.tenant_id) if folder else None
        witnesses, behind = anchors.page(path, after=offset, most=ANCHORS) if path else ([], offset)
    except OSError as error:
        raise WorldAway(f"The anchors were not read: {error}") from error
    seen = rows + len(witnesses)
    with acting_for(promised.tenant_id):
        finding = comparing.judge(witnesses)
        if witnesses and finding is None:
            send(compare_chain, by, behind, seen, witnesses[-1].sequence)
            promised.finish()
            return
        last = int(promised.args[3]) if promised.args[3:] else 0
        keys = comparing.keys_behind(last)
    try:
        finding = finding or comparing.judge_keys(keys, _token())
    except TokenNotReached as error:
        raise WorldAway(str(error)) from error
    except (TokenRefused, TokenFellSilent) as error:
        raise TryLater(str(error)) from error
    with acting_for(promised.tenant_id):
        services.note_comparison(finding, by=by, anchors=seen)
        if finding is None:
            promised.finish()
    if finding is not None:
        _alarm(promised.tenant_id, finding)


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
        _alarm(promised.tenant_id, verdict.finding)


def _anchors() -> Path | None:
    return Path(config.journal_anchors) if config.journal_anchors else None


def _token() -> "Token":
    return token_at(config.pkcs11_module, config.pkcs11_token, config.pkcs11_pin_file)


def _alarm(tenant_id: UUID, finding: Finding) -> None:
    log.error("journal.not_as_written", tenant=str(tenant_id), finding=str(finding))
    raise NotAsWritten(f"The journal of tenant {tenant_id} is not as it was written. {finding}")
