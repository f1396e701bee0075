"""Orders, names and certificate signing requests for tests; every one a good one until a test spoils it."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lifecycle.authorities.ceremony import Charter, self_signed
from lifecycle.authorities.keys import KEY_KINDS, PrivateKey, kind_of, spki
from lifecycle.authorities.order import Order, last_second, new_serial

BEGINNING = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
EMAIL_PROTECTION = ExtendedKeyUsageOID.EMAIL_PROTECTION.dotted_string
DOCUMENT_SIGNING = "1.3.6.1.5.5.7.3.36"  # RFC 9336
EXAMPLE_POLICY = "1.3.6.1.4.1.32473.1.2"  # RFC 5612: an enterprise number for documentation


@cache
def _key(_whose: str, kind: str) -> PrivateKey:
    return KEY_KINDS[kind].make()


def subscriber_key(kind: str = "ec-p256") -> PrivateKey:
    return _key("subscriber", kind)


def name(common_name: str, organisation: str = "Acme Ltd") -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "GB"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def order(*, days: int = 90, **changes: Any) -> Order:
    content: dict[str, Any] = {
        "serial": new_serial(),
        "subject": name("Ada Lovelace"),
        "public_key": spki(subscriber_key().public_key()),
        "not_before": BEGINNING,
        "not_after": last_second(BEGINNING, timedelta(days=days)),
        "longest_life": timedelta(days=90),
        "key_usages": frozenset({"digital_signature", "content_commitment"}),
        "extended_key_usages": (DOCUMENT_SIGNING,),
        "alternative_names": (x509.RFC822Name("ada@acme.example"),),
        "policies": (EXAMPLE_POLICY,),
        "aia_issuer_url": "http://pki.acme.example/authorities/1.cer",
        "crl_url": "http://pki.acme.example/crl/1-1.crl",
    }
    return Order(**{**content, **changes})


def email_order(**changes: Any) -> Order:
    return order(
        **{
            "extended_key_usages": (EMAIL_PROTECTION,),
            "key_usages": frozenset({"digital_signature"}),
            **changes,
        }
    )


def charter(common_name: str = "Acme Issuing CA", *, path_length: int | None = 0, **changes: Any) -> Charter:
    content: dict[str, Any] = {
        "subject": name(common_name),
        "not_before": BEGINNING - timedelta(days=30),
        "not_after": BEGINNING + timedelta(days=3650),
        "path_length": path_length,
    }
    return Charter(**{**content, **changes})


@cache
def _self_signed(kind: str) -> x509.Certificate:
    return self_signed(charter(), _key("issuer", kind))


def issuer(kind: str = "ec-p256") -> tuple[x509.Certificate, PrivateKey]:
    """Return a self-signed authority and its key, one for every kind and process."""
    return _self_signed(kind), _key("issuer", kind)


def csr(
    key: PrivateKey | None = None,
    *,
    subject: x509.Name | None = None,
    names: tuple[x509.GeneralName, ...] = (x509.RFC822Name("ada@acme.example"), x509.DNSName("ada.acme.example")),
) -> x509.CertificateSigningRequest:
    key = key or subscriber_key()
    kind = kind_of(key)
    builder = x509.CertificateSigningRequestBuilder().subject_name(name("Ada Lovelace") if subject is None else subject)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, kind.digest() if kind else KEY_KINDS["ec-p256"].digest())


def csr_der(*args: Any, **kwargs: Any) -> bytes:
    return csr(*args, **kwargs).public_bytes(Encoding.DER)


def in_pem(der: bytes) -> str:
    return x509.load_der_x509_csr(der).public_bytes(Encoding.PEM).decode()
