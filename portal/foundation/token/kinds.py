"""The kinds of key that a token makes, and what crosses into it to be signed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pkcs11
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from pkcs11 import Attribute, KeyType, MechanismFlag
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters
from pkcs11.util.rsa import encode_rsa_public_key

TokenObject = Any  # python-pkcs11 gives an object its abilities (sign, key_type) at run time

SIGN_DIGEST_EC = pkcs11.Mechanism.ECDSA  # a digest in, r and s side by side out
SIGN_DIGESTINFO_RSA = pkcs11.Mechanism.RSA_PKCS  # a DigestInfo in, padded by the token


@dataclass(frozen=True, slots=True)
class KeyKind:
    """How a token makes one kind of key pair."""

    key_type: KeyType
    bits: int | None = None
    curve: str | None = None


KEY_KINDS = {
    "ec-p256": KeyKind(KeyType.EC, curve="secp256r1"),
    "ec-p384": KeyKind(KeyType.EC, curve="secp384r1"),
    "rsa-2048": KeyKind(KeyType.RSA, bits=2048),
    "rsa-3072": KeyKind(KeyType.RSA, bits=3072),
    "rsa-4096": KeyKind(KeyType.RSA, bits=4096),
}

_ENCODERS: dict[KeyType, Callable[[Any], bytes]] = {
    KeyType.EC: encode_ec_public_key,
    KeyType.RSA: encode_rsa_public_key,
}


def make_pair(writing: pkcs11.Session, kind: KeyKind, key_id: bytes) -> TokenObject:
    """Make a key pair through a session that may write; return its public half.  The private half stays inside."""
    common: dict[str, Any] = {
        "id": key_id,
        "label": key_id.hex(),
        "store": True,
        "capabilities": MechanismFlag.SIGN | MechanismFlag.VERIFY,
        "private_template": {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.PRIVATE: True},
    }
    if kind.curve is None:
        public, _ = writing.generate_keypair(kind.key_type, kind.bits, **common)
    else:
        parameters = {Attribute.EC_PARAMS: encode_named_curve_parameters(kind.curve)}
        domain = writing.create_domain_parameters(kind.key_type, parameters, local=True)
        public, _ = domain.generate_keypair(**common)
    return public


def encoded(public: TokenObject) -> bytes:
    """Return the DER of a public key's SubjectPublicKeyInfo."""
    key = load_der_public_key(_ENCODERS[public.key_type](public))
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
