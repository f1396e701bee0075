"""What a certificate shall say, before anybody signs it.

An `Order` is complete: with the issuer's certificate it determines every byte of the
TBSCertificate, so writing it twice, with a throw-away key and with the real one, gives
the same bytes to sign.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509.oid import AuthorityInformationAccessOID

from lifecycle.authorities.keys import PrivateKey, PublicKey, kind_of

KEY_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


class UnusableOrder(ValueError):
    """The order contradicts itself: a programming mistake, not somebody's wish."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Everything a certificate says that its issuer does not."""

    serial: int
    subject: x509.Name
    public_key: bytes  # DER of the SubjectPublicKeyInfo
    not_before: datetime
    not_after: datetime
    longest_life: timedelta
    key_usages: frozenset[str]
    extended_key_usages: tuple[str, ...]  # dotted OIDs
    alternative_names: tuple[x509.GeneralName, ...] = ()
    policies: tuple[str, ...] = ()  # dotted OIDs
    aia_issuer_url: str
    crl_url: str
    public: bool = False  # whether public trust rules bind it: `CertificateProfile.trust`

    def __post_init__(self) -> None:
        for moment in (self.not_before, self.not_after):
            if moment.tzinfo is None or moment.microsecond:
                raise UnusableOrder(f"{moment!r} is not a whole second of a known time zone")  # RFC 5280 4.1.2.5
        if self.not_after < self.not_before:
            raise UnusableOrder("the certificate would end before it begins")
        if unknown := self.key_usages - set(KEY_USAGES):
            raise UnusableOrder(f"no such key usage: {', '.join(sorted(unknown))}")

    @property
    def lifetime(self) -> timedelta:
        """From notBefore through notAfter, inclusive (RFC 5280 4.1.2.5)."""
        return self.not_after - self.not_before + timedelta(seconds=1)


def new_serial() -> int:
    """Return 158 random bits under a set one: positive, unique, and always twenty octets.

    RFC 5280 4.1.2.2 allows twenty octets; CA/B BR 7.1 wants at least 64 bits of a CSPRNG.
    """
    return 1 << 158 | secrets.randbits(158)


def last_second(not_before: datetime, lifetime: timedelta) -> datetime:
    """Return the notAfter that makes a certificate live exactly *lifetime*, both ends counted."""
    return not_before.replace(microsecond=0) + lifetime - timedelta(seconds=1)


def write(order: Order, issuer: x509.Certificate, key: PrivateKey) -> x509.Certificate:
    """Write the certificate as *issuer* would, signed with *key*, whosever that is."""
    public_key = subject_key(order)
    kind = kind_of(key)
    if kind is None:
        raise UnusableOrder("no hash is settled for the issuer's kind of key")
    builder = (
        x509.CertificateBuilder()
        .serial_number(order.serial)
        .issuer_name(issuer.subject)
        .subject_name(order.subject)
        .not_valid_before(order.not_before)
        .not_valid_after(order.not_after)
        .public_key(public_key)
    )
    # RFC 5280 4.2.1.9 and 4.2.1.3: both critical; 4.2.1.1 and 4.2.1.2: neither
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(order.key_usages), critical=True)
    if order.extended_key_usages:
        purposes = [x509.ObjectIdentifier(oid) for oid in order.extended_key_usages]
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    if order.alternative_names:
        # RFC 5280 4.2.1.6: critical when it is the only name there is
        names = x509.SubjectAlternativeName(order.alternative_names)
        builder = builder.add_extension(names, critical=not order.subject.rdns)
    if order.policies:
        policies = [x509.PolicyInformation(x509.ObjectIdentifier(oid), None) for oid in order.policies]
        builder = builder.add_extension(x509.CertificatePolicies(policies), critical=False)
    builder = builder.add_extension(authority_key_identifier(issuer), critical=False)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    for extension in pointers(aia_issuer_url=order.aia_issuer_url, crl_url=order.crl_url):
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, kind.digest())


def subject_key(order: Order) -> PublicKey:
    key = load_der_public_key(order.public_key)
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise UnusableOrder(f"no certificate is written for a {type(key).__name__}")
    return key


def authority_key_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """Point at the issuer's own identifier, as RFC 5280 4.2.1.1 wants it, not at a hash of our own."""
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def pointers(*, aia_issuer_url: str, crl_url: str) -> tuple[x509.ExtensionType, x509.ExtensionType]:
    """Return where the issuer's certificate and its CRL are found; in every certificate from the first one."""
    issuer_at = x509.AccessDescription(
        AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(aia_issuer_url)
    )
    crl_at = x509.DistributionPoint([x509.UniformResourceIdentifier(crl_url)], None, None, None)
    return x509.AuthorityInformationAccess([issuer_at]), x509.CRLDistributionPoints([crl_at])


def _key_usage(usages: frozenset[str]) -> x509.KeyUsage:
    return x509.KeyUsage(**{usage: usage in usages for usage in KEY_USAGES})
