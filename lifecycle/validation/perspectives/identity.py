"""The key by which a perspective, or the worker that asks, is known: one certificate that only its holder can have.

Certificates are their own issuer and can make no others.  Both sides are told the exact
certificate of the other and believe no second one, so that no authority anywhere could make
somebody else into a perspective.
"""

import os
import ssl
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from portal.foundation import clock
from portal.perspectives import certificate_in

IDENTITY = "identity.pem"
"""The file with the key and, behind it, the certificate.  Nobody else may read it."""
CERTIFICATE = "certificate.pem"
"""The file to hand to the other side: the certificate alone."""
ASKER = "portal.pem"
"""The file of a perspective with the certificate of the one who may ask."""

LIFE = timedelta(days=3653)
"""A pinned certificate ends by being taken from the other side's list; its own end only keeps forgotten ones short."""

_EARLIER = timedelta(days=1)  # so that a clock a little behind takes it at once


@dataclass(frozen=True, slots=True)
class Identity:
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    certificate: bytes
    """As DER."""
    file: Path
    """Where both stand, for TLS, whose library reads files."""

    @property
    def name(self) -> str:
        [said] = x509.load_der_x509_certificate(self.certificate).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(said.value)

    def sign(self, text: bytes) -> bytes:
        return self.key.sign(text, ec.ECDSA(hashes.SHA256()))

    @classmethod
    def at(cls, path: Path) -> "Identity":
        """Read the identity in this file, or in `identity.pem` of this folder.  Raises `OSError` and `ValueError`."""
        file = path / IDENTITY if path.is_dir() else path
        pem = file.read_bytes()
        certificate = certificate_in(pem)
        key = load_pem_private_key(pem, None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError("holds no key on P-256")  # noqa: TRY004 - of a file, not of an argument
        if key.public_key() != x509.load_der_x509_certificate(certificate).public_key():
            raise ValueError("holds a key and the certificate of another one")
        return cls(key, certificate, file)


def make_identity(name: str, folder: Path) -> None:
    """Make a key on P-256 and its certificate in *folder*; raise `FileExistsError` rather than replace one."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = clock.now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_ONLY_SIGNS, critical=True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = certificate.public_bytes(Encoding.PEM)
    _write(folder / IDENTITY, private + public, 0o400)
    _write(folder / CERTIFICATE, public, 0o444)


_ONLY_SIGNS = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


def _write(file: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(content)


def context_for(ours: Identity, theirs: bytes, *, serving: bool) -> ssl.SSLContext:
    """Return how to speak TLS 1.3 with the holder of the certificate *theirs*, and with nobody else.

    The certificate's chain is the certificate; `is_pinned` says whether it was that very one.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if serving else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # the certificate is known by heart, whatever name leads to it
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=ssl.DER_cert_to_PEM_cert(theirs))  # as DER, it trips over older complaints
    context.load_cert_chain(ours.file)
    if serving:
        context.num_tickets = 0  # every conversation shows its certificate
    return context


def is_pinned(connection: ssl.SSLSocket, theirs: bytes) -> bool:
    return connection.getpeercert(binary_form=True) == theirs
