"""Judges who signed a checkpoint, with public keys alone."""

import hashlib

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

_WIDE = 384  # bits: NIST SP 800-57 part 1, 5.6.1 pairs P-384 with SHA-384
_PADDING = padding.PKCS1v15()


def digest_for(public: object) -> hashes.HashAlgorithm:
    """Return what a key of this kind hashes with: SHA-384 for P-384, else SHA-256."""
    wide = isinstance(public, ec.EllipticCurvePublicKey) and public.curve.key_size >= _WIDE
    return hashes.SHA384() if wide else hashes.SHA256()


def fingerprint_of(spki: bytes) -> str:
    """Return the SHA-256 of a SubjectPublicKeyInfo in hexadecimal."""
    return hashlib.sha256(spki).hexdigest()


def is_signed(statement: bytes, signature: bytes, spki: bytes) -> bool:
    """Whether the holder of *spki* signed *statement*; false as well for a key or a signature that is none."""
    try:
        public = load_der_public_key(spki)
        if isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(signature, statement, ec.ECDSA(digest_for(public)))
        elif isinstance(public, rsa.RSAPublicKey):
            public.verify(signature, statement, _PADDING, digest_for(public))
        else:
            return False
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True
