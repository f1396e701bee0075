"""From a row to something that signs: the only place that knows the kinds of authority there are."""

from collections.abc import Callable
from uuid import UUID

from lifecycle.authorities.backends.base import Authority
from lifecycle.authorities.backends.pkcs11 import TokenAuthority
from lifecycle.authorities.models import CertificateAuthority
from portal.config import config
from portal.foundation.tenancy.context import acting_for
from portal.foundation.token import token_at


def _in_token(row: CertificateAuthority) -> Authority:
    token = token_at(config.pkcs11_module, config.pkcs11_token, config.pkcs11_pin_file)
    return TokenAuthority(row.certificate, token, bytes.fromhex(row.key_id))


BACKENDS: dict[str, Callable[[CertificateAuthority], Authority]] = {"pkcs11": _in_token}

_known: dict[UUID, Authority] = {}


def authority_of(tenant_id: UUID, authority_id: UUID) -> Authority:
    """Return what signs for an authority's row; rows never change, so it is kept for the process's life."""
    if authority_id not in _known:
        with acting_for(tenant_id):
            row = CertificateAuthority.objects.get(pk=authority_id)
        _known[authority_id] = BACKENDS[row.backend](row)
    return _known[authority_id]
