"""Keys and certificate signing requests, made on this machine; the key is written here and sent nowhere.

It is sealed as PKCS#8 under a passphrase (RFC 5958; PBES2 of RFC 8018 with PBKDF2, HMAC-SHA-256 and AES-256-CBC), with
as many rounds as the portal's pages use; what `cryptography` does by itself is 2,048 of them.
"""

import base64
import hashlib
import os
import re
import secrets
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, padding, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from portal.ctl.outcomes import usage

KINDS = ("ec-p256", "ec-p384", "rsa-2048", "rsa-3072", "rsa-4096")
ROUNDS = 600_000
"""OWASP Password Storage Cheat Sheet, for PBKDF2 with HMAC-SHA-256."""

_LARGEST_CSR = 64 * 1024
_LONGEST_STEM = 60
_CURVES = {"ec-p256": ec.SECP256R1, "ec-p384": ec.SECP384R1}

# DER of object identifiers and of NULL
_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_PBKDF2 = bytes.fromhex("06092a864886f70d01050c")
_HMAC_SHA256 = bytes.fromhex("06082a864886f70d0209") + b"\x05\x00"
_AES_256_CBC = bytes.fromhex("060960864801650304012a")


@dataclass(frozen=True, slots=True)
class Pair:
    """Where a new key lies, and the request that is made with it."""

    key_file: Path
    csr_file: Path
    csr: str


def make(kind: str, stem: str, folder: Path, key_file: Path | None, passphrase: bytes | None) -> Pair:
    """Make a key, write it and its CSR, readable by their owner alone; nothing that exists is written over."""
    where = key_file or _free(folder, stem)
    beside = where.with_suffix(".csr")
    for taken in (where, beside):
        if taken.exists():
            raise usage(
                f"{taken} exists already, and keys are never written over.",
                f"Name another with --key-file, or go on with its request: --csr {where.with_suffix('.csr')}",
            )
    key = _new(kind)
    plain = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    sealed = (
        _pem("PRIVATE KEY", plain) if passphrase is None else _pem("ENCRYPTED PRIVATE KEY", seal(plain, passphrase))
    )
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    text = csr.public_bytes(serialization.Encoding.PEM).decode()
    _write(where, sealed)
    _write(beside, text.encode())
    return Pair(where, beside, text)


def read_csr(file: Path) -> str:
    """A CSR out of a file, as PEM; refuses a file that holds a private key, before anything of it is sent."""
    content = file.read_bytes() if file.stat().st_size <= _LARGEST_CSR else b""
    if b"PRIVATE KEY-----" in content:
        raise usage(f"{file} holds a private key. Nothing of it was sent.", "Name the file of its request (CSR).")
    try:
        read = x509.load_pem_x509_csr if b"-----BEGIN" in content else x509.load_der_x509_csr
        return read(content).public_bytes(serialization.Encoding.PEM).decode()
    except ValueError as fault:
        raise usage(f"{file} holds no certificate signing request in PEM or DER.") from fault


def stem_of(name: str) -> str:
    """A file's name out of a certificate's, in letters that every file system takes."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9@.]+", "-", letters).strip("-.")[:_LONGEST_STEM].rstrip("-.") or "new"


def seal(plain: bytes, passphrase: bytes) -> bytes:
    """EncryptedPrivateKeyInfo of RFC 5958 3."""
    salt, vector = secrets.token_bytes(16), secrets.token_bytes(16)
    secret = hashlib.pbkdf2_hmac("sha256", passphrase, salt, ROUNDS, 32)
    padder = padding.PKCS7(128).padder()
    padded = padder.update(plain) + padder.finalize()
    sealing = Cipher(algorithms.AES(secret), modes.CBC(vector)).encryptor()
    sealed = sealing.update(padded) + sealing.finalize()
    rounds = _der(0x02, ROUNDS.to_bytes(3, "big"))
    derivation = _sequence(_PBKDF2, _sequence(_der(0x04, salt), rounds, _sequence(_HMAC_SHA256)))
    scheme = _sequence(_AES_256_CBC, _der(0x04, vector))
    return _sequence(_sequence(_PBES2, _sequence(derivation, scheme)), _der(0x04, sealed))


def _new(kind: str) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    if kind in _CURVES:
        return ec.generate_private_key(_CURVES[kind]())
    return rsa.generate_private_key(65537, int(kind.removeprefix("rsa-")))


def _free(folder: Path, stem: str) -> Path:
    """`stem.key`, or with the first number behind it that is free: the old key may lie beside the new one."""
    names = (f"{stem}{ending}.key" for ending in ("", *(f"-{number}" for number in range(2, 1000))))
    candidates = (folder / name for name in names)
    return next(path for path in candidates if not path.exists() and not path.with_suffix(".csr").exists())


def _write(path: Path, content: bytes) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # the certificate must not be there when its key is not
    except OSError as fault:
        raise usage(f"{path} cannot be written: {fault.strerror}") from fault


def _pem(label: str, der: bytes) -> bytes:
    lines = re.findall(".{1,64}", base64.b64encode(der).decode())
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode()


def _sequence(*parts: bytes) -> bytes:
    return _der(0x30, b"".join(parts))


def _der(tag: int, content: bytes) -> bytes:
    """Tag, length and content (X.690 8.1)."""
    size = len(content)
    if size < 0x80:  # noqa: PLR2004 - the short form
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content
