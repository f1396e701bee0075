"""The files a certificate can be downloaded as: name, media type and bytes.

Each format is a row.  `chain` is what stands above the certificate, its issuer first and
the root last; formats without a chain leave it out.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import NameOID
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from lifecycle.authorities.pasted import sequences_in
from lifecycle.certificates.models import Certificate

Writer = Callable[[x509.Certificate, Sequence[x509.Certificate]], bytes]

_LONGEST_NAME = 80
_RESERVED = re.compile(r"con|prn|aux|nul|com\d|lpt\d", re.IGNORECASE)  # device names on Windows


@dataclass(frozen=True, slots=True)
class Format:
    slug: str
    title: Promise
    media_type: str
    ending: str
    with_chain: bool
    write: Writer


def _der(certificate: x509.Certificate, _chain: Sequence[x509.Certificate]) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _base64(certificate: x509.Certificate, _chain: Sequence[x509.Certificate]) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _pem_chain(certificate: x509.Certificate, chain: Sequence[x509.Certificate]) -> bytes:
    """Sender's certificate first, each next one certifying the one before (RFC 8446 4.4.2)."""
    return b"".join(each.public_bytes(Encoding.PEM) for each in (certificate, *chain))


def _p7b(certificate: x509.Certificate, chain: Sequence[x509.Certificate]) -> bytes:
    """Certificates only, nothing signed (RFC 5652 5.1, the degenerate case)."""
    return pkcs7.serialize_certificates([certificate, *chain], Encoding.DER)


FORMATS = {
    kind.slug: kind
    for kind in (
        # RFC 2585 4.1 names the media type of one DER certificate; no RFC names one for Base64
        Format("der", _("X.509, DER (.cer)"), "application/pkix-cert", ".cer", with_chain=False, write=_der),
        Format("base64", _("X.509, Base64 (.cer)"), "application/x-x509-user-cert", "-base64.cer", False, _base64),
        # RFC 8555 9.1
        Format("pem", _("PEM with chain (.pem)"), "application/pem-certificate-chain", ".pem", True, _pem_chain),
        Format("p7b", _("PKCS#7 with chain (.p7b)"), "application/x-pkcs7-certificates", ".p7b", True, _p7b),
    )
}


def chain_of(certificate: Certificate) -> list[x509.Certificate]:
    """What stands above it: of one that was issued here all, of an uploaded one what came with it, maybe nothing."""
    if certificate.authority is not None:
        return certificate.authority.chain()
    return [x509.load_der_x509_certificate(der) for der in sequences_in(bytes(certificate.chain))]


def file_name(certificate: x509.Certificate, form: Format) -> str:
    """Return a name every file system and every HTTP header takes, made from the common name."""
    common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    plain = unicodedata.normalize("NFKD", str(common[0].value)) if common else ""
    letters = plain.encode("ascii", "ignore").decode()
    stem = re.sub(r"[^A-Za-z0-9@.]+", "-", letters).strip("-.")[:_LONGEST_NAME].rstrip("-.")
    if not stem or _RESERVED.fullmatch(stem.partition(".")[0]):
        stem = f"certificate-{certificate.serial_number:x}"[:_LONGEST_NAME]
    return stem + form.ending
