"""Secrets that people entrust to the portal, sealed so that the database alone gives none away.

AES-256-GCM (NIST SP 800-38D) under a key derived from the second-factor key by HKDF (RFC 5869);
whose it is and which row it stands in are authenticated with it, so that a sealed secret moved
to another person or another row opens no more.
"""

import secrets
from functools import cache
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from portal.config import config

_VERSION = b"\x01"
_NONCE = 12  # bytes: NIST SP 800-38D 8.2.2, drawn anew for every secret


class SealBroken(Exception):
    """A sealed secret was changed, moved, or sealed under another key: never a person's mistake."""


def seal(secret: bytes, *, person: UUID, row: UUID) -> bytes:
    nonce = secrets.token_bytes(_NONCE)
    return _VERSION + nonce + AESGCM(_key()).encrypt(nonce, secret, _bound_to(person, row))


def unseal(sealed: bytes, *, person: UUID, row: UUID) -> bytes:
    """Return the secret; raise `SealBroken` unless it was sealed for this person and this row."""
    version, nonce, content = sealed[:1], sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
    if version != _VERSION:
        raise SealBroken
    try:
        return AESGCM(_key()).decrypt(nonce, content, _bound_to(person, row))
    except (InvalidTag, ValueError):
        raise SealBroken from None


@cache
def _key() -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"auth2fa enrolment").derive(config.factor_key)


def _bound_to(person: UUID, row: UUID) -> bytes:
    return person.bytes + row.bytes
