"""Doorways for the workers: they find out what an errand means and call it.  No decisions here."""

from uuid import UUID

from lifecycle.authorities.backends.base import AuthorityNotReached
from lifecycle.authorities.registry import authority_of
from lifecycle.requests import execution
from lifecycle.requests.notices import send_notice
from portal.config import config
from portal.foundation.outbox.drain import TryLater
from portal.foundation.outbox.models import Errand
from portal.foundation.outbox.registry import errand, vital
from portal.foundation.token import TokenNotReached, token_at

__all__ = ["execute_request", "revoke_compromised", "send_notice"]


@vital("signing")
def token_state() -> dict[str, str]:
    """Whether the token answers, for the heartbeat; it is asked at most every five seconds."""
    try:
        token_at(config.pkcs11_module, config.pkcs11_token, config.pkcs11_pin_file).wake()
    except TokenNotReached as trouble:
        return {"token": str(trouble)}
    return {"token": "ok"}


@errand(queue="signing")
def execute_request(promised: Errand) -> None:
    request, person, authority_id = (UUID(arg) for arg in promised.args)
    authority = authority_of(promised.tenant_id, authority_id)
    try:
        execution.execute(promised, request, person=person, authority_id=authority_id, authority=authority)
    except AuthorityNotReached as error:
        raise TryLater(str(error)) from error


@errand(queue="signing")
def revoke_compromised(promised: Errand) -> None:
    request, person = (UUID(arg) for arg in promised.args)
    execution.revoke_compromised(promised, request, person=person)
