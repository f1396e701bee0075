"""A journal sealed and signed as in production: the relay's sealer, the signing worker's grants, the real token."""

from pathlib import Path
from uuid import UUID

from portal.config import config
from portal.foundation.audit.models import AuditCheckpoint, JournalKey, record
from portal.foundation.audit.sealer import seal_everything
from portal.foundation.tenancy.context import acting_for
from portal.foundation.token import Token, token_at
from portal.notary.keys import make_key
from portal.notary.signing import Signer, copy_to, sign_head
from tests.world import serving


def the_token() -> Token:
    return token_at(config.pkcs11_module, config.pkcs11_token, config.pkcs11_pin_file)


def entered_key(key_id: str = config.journal_key_id, kind: str = "ec-p256") -> JournalKey:
    """Enter the journal's key; its private half is in the token since the first test that asked."""
    with serving("owner"):
        return make_key(the_token(), bytes.fromhex(key_id), kind, by="test")


def tell(tenant_id: UUID, count: int, *, code: str = "test:deed", actor: object = "test") -> list[UUID]:
    with acting_for(tenant_id):
        return [record(actor=actor, code=code, subject=number, count=number).pk for number in range(count)]


def seal() -> None:
    with serving("relay"):
        seal_everything()


def sign(tenant_id: UUID, key: JournalKey, anchors: Path | None = None) -> AuditCheckpoint | None:
    seal()
    with serving("signing"):
        made = sign_head(tenant_id, Signer(key, the_token()))
        if anchors:
            copy_to(anchors, tenant_id)
    return made
