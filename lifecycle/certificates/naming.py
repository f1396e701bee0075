"""What a certificate is called, and what it is found by."""

import re
from collections.abc import Iterator

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from lifecycle.authorities.keys import spki, spki_fingerprint
from lifecycle.certificates.models import FoundBy

LONGEST = 250
"""Characters of a name or of a key that are kept."""

_PARENTS = 5  # of a name with more labels, the nearest to the root: nobody searches by the others
_HOST = re.compile(r"(\*\.)?([a-z0-9_-]{1,63}\.)+[a-z0-9-]{1,63}")


def printable(text: str) -> str:
    """Replace what a page cannot show and a database cannot store: control characters, NUL, direction marks."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


def serial_text(serial: int) -> str:
    """A serial as it is stored and searched: lower-case hexadecimal without leading zeros (2.R16)."""
    return f"{serial:x}"


def common_name(name: x509.Name) -> str:
    """The common name, or the whole distinguished name of somebody who has none; may be empty."""
    common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return printable(str(common[0].value) if common else name.rfc4514_string())


def display_name(certificate: x509.Certificate) -> str:
    """What lists show: the subject, else the first alternative name, else the serial."""
    named = common_name(certificate.subject) or next(iter(alternative_names(certificate)), "")
    return (named or serial_text(certificate.serial_number))[:LONGEST]


def alternative_names(certificate: x509.Certificate) -> list[str]:
    return [printable(_shown(name)) for name in _general_names(certificate)]


def _general_names(certificate: x509.Certificate) -> list[x509.GeneralName]:
    try:
        return list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return []


def _shown(name: x509.GeneralName) -> str:
    value = name.value
    if isinstance(value, bytes):
        return value.hex()
    return value.rfc4514_string() if isinstance(value, x509.Name) else str(value)


def keys_of(certificate: x509.Certificate) -> set[tuple[FoundBy, str]]:
    """Everything that finds this certificate, as it is stored: lower case, no separators."""
    return {(kind, printable(key)[:LONGEST]) for kind, key in _keys(certificate) if key}


def _keys(certificate: x509.Certificate) -> Iterator[tuple[FoundBy, str]]:
    common = common_name(certificate.subject).lower()
    yield FoundBy.NAME, display_name(certificate).lower()
    yield FoundBy.SERIAL, serial_text(certificate.serial_number)
    yield FoundBy.FINGERPRINT, certificate.fingerprint(hashes.SHA256()).hex()
    yield FoundBy.FINGERPRINT, certificate.fingerprint(hashes.SHA1()).hex()  # noqa: S303 - what Windows calls thumbprint
    yield FoundBy.SPKI, spki_fingerprint(spki(certificate.public_key()))
    for mail in certificate.subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS):
        yield FoundBy.EMAIL, str(mail.value).lower()
    for name in _general_names(certificate):
        match name:
            case x509.RFC822Name():
                yield FoundBy.EMAIL, name.value.lower()
            case x509.DNSName():
                yield from ((FoundBy.DOMAIN, domain) for domain in domains_of(name.value))
            case _:
                yield FoundBy.NAME, _shown(name).lower()
    if _HOST.fullmatch(common):
        yield from ((FoundBy.DOMAIN, domain) for domain in domains_of(common))


def domains_of(name: str) -> Iterator[str]:
    """A DNS name and its parents, down to two labels: `www.example.com` is found by `example.com`, not by `com`."""
    host = name.lower().rstrip(".")
    yield host
    labels = host.split(".")
    for count in range(2, min(len(labels), _PARENTS + 2)):
        yield ".".join(labels[-count:])
