"""A CA whose key lives in a PKCS#11 token.

The token hides behind the ordinary `cryptography` key classes: `cryptography` builds
certificates and revocation lists as usual, and only the last step, one signature over
bytes, crosses into the token.  The bytes are hashed here: some tokens know no mechanism
that hashes, and what crosses is then always short.

A signature is checked before anybody sees it.  A wrong one is the token's fault and not
the request's, so the request waits, and the key has to prove itself again.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import NoDigestInfo, Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key

from lifecycle.authorities.backends.base import AuthorityNotReached, AuthorityRefused, OutcomeUnknown
from lifecycle.authorities.issuance import Linted
from lifecycle.authorities.keys import PrivateKey, PublicKey, kind_of
from lifecycle.authorities.lints import Lint
from lifecycle.authorities.order import write
from portal.foundation import token as tokens

if TYPE_CHECKING:
    from portal.foundation.token import Token

Bytes = bytes | bytearray | memoryview

# RFC 8017 9.2, note 1: the DER that stands before the digest in a DigestInfo
_DIGEST_INFO = {
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}


def _digest(data: Bytes, algorithm: object) -> tuple[str, bytes]:
    if not isinstance(algorithm, hashes.SHA256 | hashes.SHA384 | hashes.SHA512):
        raise UnsupportedAlgorithm("a key in the token signs with SHA-256, SHA-384 or SHA-512 only")
    return algorithm.name, hashlib.new(algorithm.name, data).digest()


def _nobodys_text() -> bytes:
    """Return what a key signs to prove itself: no certificate, no list, and never the same again."""
    return b"A key proves that it signs; this is nothing else. " + secrets.token_bytes(32)


def _stays_inside(*_: object, **__: object) -> NoReturn:
    raise TypeError("the private key does not leave the token")


def _digest_of(public: PublicKey) -> hashes.HashAlgorithm:
    kind = kind_of(public)
    if kind is None:
        raise UnsupportedAlgorithm("no hash is settled for this kind of key")
    return kind.digest()


def _verifies(verify: Callable[[bytes], None], signature: bytes) -> bool:
    try:
        verify(signature)
    except InvalidSignature:
        return False
    return True


class EcTokenKey(ec.EllipticCurvePrivateKey):
    """An EC key that signs and shows its public half, and nothing more."""

    def __init__(self, token: "Token", key_id: bytes, public: ec.EllipticCurvePublicKey) -> None:
        self._token = token
        self._key_id = key_id
        self._public = public

    def sign(self, data: Bytes, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        _, digest = _digest(data, signature_algorithm.algorithm)
        raw = self._token.sign(self._key_id, digest, tokens.SIGN_DIGEST_EC)
        half = len(raw) // 2
        return encode_dss_signature(int.from_bytes(raw[:half]), int.from_bytes(raw[half:]))

    def prove(self) -> bool:
        """Sign something that matters to nobody; whether the signature fits the public half that is known here."""
        text, algorithm = _nobodys_text(), ec.ECDSA(_digest_of(self._public))
        return _verifies(lambda signature: self._public.verify(signature, text, algorithm), self.sign(text, algorithm))

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._public

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._public.curve

    @property
    def key_size(self) -> int:
        return self._public.key_size

    exchange = private_numbers = private_bytes = __copy__ = __deepcopy__ = _stays_inside


class RsaTokenKey(rsa.RSAPrivateKey):
    """An RSA key that signs with PKCS#1 v1.5 and shows its public half, and nothing more."""

    def __init__(self, token: "Token", key_id: bytes, public: rsa.RSAPublicKey) -> None:
        self._token = token
        self._key_id = key_id
        self._public = public

    def sign(
        self,
        data: Bytes,
        padding: padding.AsymmetricPadding,
        algorithm: Prehashed | hashes.HashAlgorithm | NoDigestInfo,
    ) -> bytes:
        if padding.name != "EMSA-PKCS1-v1_5":
            raise UnsupportedAlgorithm("this key signs with PKCS#1 v1.5 padding only")
        name, digest = _digest(data, algorithm)
        return self._token.sign(self._key_id, _DIGEST_INFO[name] + digest, tokens.SIGN_DIGESTINFO_RSA)

    def prove(self) -> bool:
        """Sign something that matters to nobody; whether the signature fits the public half that is known here."""
        text, how = _nobodys_text(), (padding.PKCS1v15(), _digest_of(self._public))
        return _verifies(lambda signature: self._public.verify(signature, text, *how), self.sign(text, *how))

    def public_key(self) -> rsa.RSAPublicKey:
        return self._public

    @property
    def key_size(self) -> int:
        return self._public.key_size

    decrypt = private_numbers = private_bytes = __copy__ = __deepcopy__ = _stays_inside


TokenKey = EcTokenKey | RsaTokenKey

_KEY_CLASSES: dict[type, Callable[["Token", bytes, Any], TokenKey]] = {
    ec.EllipticCurvePublicKey: EcTokenKey,
    rsa.RSAPublicKey: RsaTokenKey,
}


def key_in(token: "Token", key_id: bytes, public: object = None) -> TokenKey:
    """Return the private key named *key_id*; its public half is read from the token unless given."""
    public = public or load_der_public_key(token.public_key(key_id))
    for kind, make in _KEY_CLASSES.items():
        if isinstance(public, kind):
            return make(token, key_id, public)
    raise UnsupportedAlgorithm(f"a {type(public).__name__} in a token is none this portal signs with")


@dataclass(frozen=True)
class TokenAuthority:
    """A certificate, and the token key that signs under it."""

    certificate: x509.Certificate
    token: "Token"
    key_id: bytes
    lints: tuple[Lint, ...] = ()

    def reach(self) -> None:
        try:
            self.token.reach(self.key_id, self._key.prove)
        except tokens.TokenNotReached as trouble:
            raise AuthorityNotReached(str(trouble)) from trouble

    def issue(self, linted: Linted) -> bytes:
        try:
            signed = write(linted.order, self.certificate, cast(PrivateKey, self._key))
        except tokens.TokenNotReached as trouble:
            raise AuthorityNotReached(str(trouble)) from trouble
        except tokens.TokenRefused as refusal:
            self._refuse(refusal)
        except tokens.TokenFellSilent as silence:
            raise OutcomeUnknown(str(silence)) from silence
        try:
            signed.verify_directly_issued_by(self.certificate)
        except InvalidSignature as wrong:
            raise OutcomeUnknown(self.token.distrust(self.key_id)) from wrong
        return signed.public_bytes(Encoding.DER)

    def _refuse(self, refusal: tokens.TokenRefused) -> NoReturn:
        """A token that refuses everything is out of order, and orders wait; one that signs all else judged this one."""
        try:
            self.token.try_out(self.key_id, self._key.prove)
        except tokens.TokenNotReached as trouble:
            raise AuthorityNotReached(str(trouble)) from refusal
        raise AuthorityRefused(str(refusal)) from refusal

    @cached_property
    def _key(self) -> TokenKey:
        """The public half comes from the certificate: what signs is then checked against what is published."""
        return key_in(self.token, self.key_id, self.certificate.public_key())
