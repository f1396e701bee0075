"""The kinds of public key a certificate may carry or be signed by, and nothing about private ones.

A kind is named by a slug (`ec-p256`, `rsa-2048`) in profiles, in requests and in
`portal.foundation.token.KEY_KINDS`; this table is where the rest of the portal learns
what the slug means.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_F4 = 65537


class _Encodable(Protocol):
    def public_bytes(self, encoding: Encoding, format: PublicFormat) -> bytes:  # noqa: A002 - cryptography's name
        """Return the key, encoded."""


@dataclass(frozen=True, slots=True)
class KeyKind:
    """One kind of key; `make` makes a throw-away pair of it, `digest` is what its owner signs with.

    The hash follows the key's strength: FIPS 186-5 6.1.1 wants a digest no weaker than the curve.
    """

    slug: str
    title: str
    digest: type[hashes.SHA256 | hashes.SHA384]
    make: Callable[[], PrivateKey]

    @property
    def family(self) -> str:
        """Return `ec` or `rsa`: what the key can be used for hangs on this, not on its size."""
        return self.slug.partition("-")[0]


def _rsa(bits: int) -> KeyKind:
    return KeyKind(f"rsa-{bits}", f"RSA {bits}", hashes.SHA256, lambda: rsa.generate_private_key(_F4, bits))


KEY_KINDS = {
    kind.slug: kind
    for kind in (
        KeyKind("ec-p256", "EC P-256", hashes.SHA256, lambda: ec.generate_private_key(ec.SECP256R1())),
        KeyKind("ec-p384", "EC P-384", hashes.SHA384, lambda: ec.generate_private_key(ec.SECP384R1())),
        _rsa(2048),
        _rsa(3072),
        _rsa(4096),
    )
}

FAMILIES = {slug: slug.split("-", 1)[0] for slug in KEY_KINDS}
"""What decides which key usages make sense: "ec" or "rsa"."""

_CURVES = {"secp256r1": "ec-p256", "secp384r1": "ec-p384"}


def kind_of(key: object) -> KeyKind | None:
    """Return the kind of *key*, public or private; None if the table has no row for it."""
    match key:
        case ec.EllipticCurvePublicKey() | ec.EllipticCurvePrivateKey():
            return KEY_KINDS.get(_CURVES.get(key.curve.name, ""))
        case rsa.RSAPublicKey() | rsa.RSAPrivateKey():
            return KEY_KINDS.get(f"rsa-{key.key_size}")
        case _:
            return None


def spki(key: _Encodable) -> bytes:
    """Return the DER of the SubjectPublicKeyInfo: how two keys are compared (0.R4)."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def spki_fingerprint(spki_der: bytes) -> str:
    """Return the SHA-256 of a SubjectPublicKeyInfo, in hexadecimal: a key's name in every table of keys."""
    return hashlib.sha256(spki_der).hexdigest()
