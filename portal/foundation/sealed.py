"""Secrets that one service writes down for another and can never read again.

HPKE in its base mode (RFC 9180): X25519, HKDF-SHA256, AES-256-GCM.  What a secret belongs to
goes into the key, so that it opens in no other row, tenant or use than the one it was sealed for.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_VERSION = b"\x01"
"""Of the suite, before everything else: another one can be told from this one."""

_WHAT = b"certificate-portal sealed 1|"


class CannotOpen(Exception):
    """It was sealed for another key or another purpose, or somebody changed it."""


def public_of(private: str) -> str:
    """The public half of *private*, both as 64 hexadecimal digits."""
    return _private(private).public_key().public_bytes_raw().hex()


def seal(secret: bytes, public: str, *, bound_to: str) -> bytes:
    """Seal *secret* so that only whoever has the private half, and says *bound_to*, reads it."""
    key = X25519PublicKey.from_public_bytes(bytes.fromhex(public))
    return _VERSION + _SUITE.encrypt(secret, key, _WHAT + bound_to.encode())


def unseal(sealed: bytes, private: str, *, bound_to: str) -> bytes:
    """Open what `seal` made; raise `CannotOpen` for everything else."""
    if sealed[:1] != _VERSION:
        raise CannotOpen
    try:
        return _SUITE.decrypt(sealed[1:], _private(private), _WHAT + bound_to.encode())
    except (InvalidTag, ValueError):
        raise CannotOpen from None


def _private(private: str) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(bytes.fromhex(private))
