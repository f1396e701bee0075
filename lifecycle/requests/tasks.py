"""Doorways for the workers: they find out what an errand means and call it.  No decisions here."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID

from lifecycle.authorities.backends.base import AuthorityNotReached
from lifecycle.authorities.registry import authority_of
from lifecycle.requests import execution, rechecking
from lifecycle.requests.notices import send_notice
from portal.config import config
from portal.foundation.outbox.drain import WorldAway
from portal.foundation.outbox.models import Errand
from portal.foundation.outbox.registry import errand, vital
from portal.foundation.token import TokenNotReached, token_at
from portal.foundation.token.circuit import State

if TYPE_CHECKING:
    from portal.foundation.token import Token

__all__ = ["execute_request", "look_again", "revoke_compromised", "send_notice"]


def _token() -> "Token":
    return token_at(config.pkcs11_module, config.pkcs11_token, config.pkcs11_pin_file)


@vital("signing")
def token_state() -> dict[str, Any]:
    """How the token is, for the heartbeat, which asks every five seconds: this is what finds out that it is back."""
    with suppress(TokenNotReached):
        _token().wake()
    return {"token": _token().told()}


def _token_may_be_asked() -> bool:
    return _token().circuit.state != State.OPEN


@errand(queue="signing", ready=_token_may_be_asked, rests=True)
def execute_request(promised: Errand) -> None:
    request, person, authority_id = (UUID(arg) for arg in promised.args)
    authority = authority_of(promised.tenant_id, authority_id)
    try:
        execution.execute(promised, request, person=person, authority_id=authority_id, authority=authority)
    except AuthorityNotReached as error:
        raise WorldAway(str(error)) from error


@errand(queue="signing")  # whatever became of its tenant: others trust the certificate, and somebody may hold its key
def revoke_compromised(promised: Errand) -> None:
    request, person = (UUID(arg) for arg in promised.args)
    execution.revoke_compromised(promised, request, person=person)


# what is wrong with us and not with a name comes on top of the tries
@errand(queue="validation", tries=rechecking.PATIENCE + 5, rests=True)
def look_again(promised: Errand) -> None:
    [request] = promised.args
    rechecking.look_again(promised, UUID(request))
