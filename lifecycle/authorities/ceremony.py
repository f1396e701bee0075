"""Making an authority: its certificate, self-signed or signed by another one.

Pure functions; `manage.py create_authority` makes the key, asks here for the
certificate and stores it.  Rehearsed and linted before the token signs, like every
other certificate.
"""

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from lifecycle.authorities import standards
from lifecycle.authorities.keys import PrivateKey, PublicKey, kind_of
from lifecycle.authorities.order import UnusableOrder, authority_key_identifier, new_serial, pointers


class UnfitAuthority(Exception):
    """The authority's certificate would break a standard; nothing was signed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charter:
    """What an authority's certificate shall say.

    `path_length` is how many authorities may follow below it.
    """

    subject: x509.Name
    not_before: datetime
    not_after: datetime
    path_length: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Superior:
    """Who signs a subordinate authority, and where its own certificate and its CRL are found."""

    certificate: x509.Certificate
    key: PrivateKey
    aia_issuer_url: str
    crl_url: str


def self_signed(charter: Charter, key: PrivateKey) -> x509.Certificate:
    """Return a root: issuer and subject are one, and it points nowhere (RFC 5280 6.1: it is trusted as it is)."""
    public_key = key.public_key()
    identifier = x509.SubjectKeyIdentifier.from_public_key(public_key)
    builder = _charter(charter, public_key).issuer_name(charter.subject)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
    )
    return _sign_rehearsed(builder, key)


def subordinate(charter: Charter, public_key: PublicKey, superior: Superior) -> x509.Certificate:
    """Return an issuing authority's certificate, no longer and no wider than its superior's."""
    above = superior.certificate
    constraints = above.extensions.get_extension_for_class(x509.BasicConstraints).value
    if not constraints.ca or constraints.path_length == 0:
        raise UnfitAuthority("The superior's certificate allows no authority below it.")
    if charter.not_after > above.not_valid_after_utc or charter.not_before < above.not_valid_before_utc:
        raise UnfitAuthority(f"Its superior's life ends on {above.not_valid_after_utc:%Y-%m-%d}; it cannot outlive it.")
    if constraints.path_length is not None and (
        charter.path_length is None or charter.path_length >= constraints.path_length
    ):
        raise UnfitAuthority(f"Its path length must be below its superior's, {constraints.path_length}.")
    builder = _charter(charter, public_key).issuer_name(above.subject)
    builder = builder.add_extension(authority_key_identifier(above), critical=False)
    for extension in pointers(aia_issuer_url=superior.aia_issuer_url, crl_url=superior.crl_url):
        builder = builder.add_extension(extension, critical=False)
    return _sign_rehearsed(builder, superior.key)


def _charter(charter: Charter, public_key: PublicKey) -> x509.CertificateBuilder:
    if not charter.subject.rdns:
        raise UnfitAuthority("It has no name, and what it signs would have no issuer (RFC 5280 4.1.2.4).")
    signs_certificates_and_lists = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .serial_number(new_serial())
        .subject_name(charter.subject)
        .not_valid_before(charter.not_before)
        .not_valid_after(charter.not_after)
        .public_key(public_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=charter.path_length), critical=True)
        .add_extension(signs_certificates_and_lists, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _sign_rehearsed(builder: x509.CertificateBuilder, key: PrivateKey) -> x509.Certificate:
    kind = kind_of(key)
    if kind is None:
        raise UnusableOrder("no hash is settled for this kind of key")
    rehearsed = builder.sign(kind.make(), kind.digest())
    if complaint := standards.complain("pkix", rehearsed.public_bytes(Encoding.DER)):
        raise UnfitAuthority(f"The certificate would break RFC 5280: {complaint}.")
    signed = builder.sign(key, kind.digest())
    if signed.tbs_certificate_bytes != rehearsed.tbs_certificate_bytes:
        raise UnfitAuthority("The key signed something else than was rehearsed.")
    return signed
