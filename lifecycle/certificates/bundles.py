"""Reads certificates that other authorities issued, from whatever file people have of them.

PEM or DER, one or many, PKCS#7 in either writing.  What comes out has been looked at in
every part, since the parser raises some of its errors only when a part is touched; a
signature is judged where the file holds the issuer, too.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from lifecycle.authorities import pasted, sightings
from lifecycle.authorities.errors import CsrCutOff, CsrUnreadable
from lifecycle.authorities.keys import spki
from lifecycle.certificates import errors
from lifecycle.certificates.naming import alternative_names, common_name, display_name

LARGEST_FILE = 1024 * 1024
LARGEST_CERTIFICATE = 64 * 1024
MOST = 500
_KILO = 1024
_LONGEST_SERIAL = 160  # bits: RFC 5280 4.1.2.2, 20 octets
_MOST_ISSUERS = 3  # of one name that are tried, so that a hostile file cannot keep us busy
_DEEPEST = 10
_LARGEST_RSA, _LARGEST_EXPONENT = 4096, 32  # bits of issuers' keys: others take too long to verify with


@dataclass(frozen=True, slots=True)
class Found:
    """A certificate somebody may want to keep, and those above it, its issuer first, as far as the file has them."""

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]

    @property
    def fingerprint(self) -> str:
        return self.certificate.fingerprint(hashes.SHA256()).hex()


@dataclass(frozen=True, slots=True)
class Bundle:
    found: tuple[Found, ...]
    left_out: int  # certificates of authorities that stand above none of them

    @property
    def pem(self) -> str:
        """All of it once more, as text: what a page carries from its check to its confirmation."""
        every = {each.public_bytes(Encoding.PEM) for one in self.found for each in one.chain}
        own = [one.certificate.public_bytes(Encoding.PEM) for one in self.found]
        return b"".join([*own, *sorted(every - set(own))]).decode()


def read_bundle(given: bytes | str) -> Bundle:
    """Return the certificates in *given*; raise the refusal that says what else it is, or what is wrong with it."""
    raw = given.encode("utf-8", "replace") if isinstance(given, str) else given
    refuse_too_large(len(raw))
    if not raw.strip(b"\x00 \t\r\n"):
        raise errors.NothingGiven
    every: dict[bytes, x509.Certificate] = {}
    for der in _pieces(raw):
        for certificate in _certificates_in(der):
            every[certificate.public_bytes(Encoding.DER)] = certificate
        if len(every) > MOST:
            raise errors.TooManyCertificates(count=f"{len(every)}+", limit=MOST)
    if not every:
        raise errors.CertificateUnreadable
    return _sorted_out(list(every.values()))


def refuse_too_large(size: int) -> None:
    """Ask before reading a file."""
    if size > LARGEST_FILE:
        raise errors.UploadTooLarge(kilobytes=-(-size // _KILO), limit=LARGEST_FILE // _KILO)


def _pieces(raw: bytes) -> Iterator[bytes]:
    if sequences := pasted.sequences_in(raw):
        yield from sequences
        return
    blocks = pasted.blocks_in(raw)
    for what, appearance in sightings.TEXTS:
        if any(appearance.search(body) or "PGP" in label for label, body in blocks):
            raise errors.NotACertificate(what=what)
    # before anything is looked at more closely, and wherever it stands
    if any("PRIVATE KEY" in " ".join((label + body).upper().split()) for label, body in blocks):
        raise errors.SecretGiven(what=sightings.PRIVATE_KEY)
    for _label, body in blocks:
        try:
            yield pasted.der_of(body)
        except CsrCutOff:
            raise errors.CertificateCutOff from None
        except CsrUnreadable:
            raise errors.CertificateUnreadable from None


def _certificates_in(der: bytes) -> list[x509.Certificate]:
    if len(der) > LARGEST_CERTIFICATE and not sightings.is_collection(der):
        raise errors.CertificateTooLarge(kilobytes=-(-len(der) // _KILO), limit=LARGEST_CERTIFICATE // _KILO)
    try:
        if sightings.is_collection(der):
            return [_looked_at(each) for each in pkcs7.load_der_pkcs7_certificates(der)]
        found = _looked_at(x509.load_der_x509_certificate(der))
        if found.public_bytes(Encoding.DER) == der:
            return [found]
    except sightings.UNREADABLE:
        if secret := sightings.secret_in(der):
            raise errors.SecretGiven(what=secret) from None
        what = None if sightings.is_collection(der) else sightings.sighted(der)
        if what and not _is_certificate(der):
            raise errors.NotACertificate(what=what) from None
    raise errors.CertificateUnreadable


def _is_certificate(der: bytes) -> bool:
    try:
        x509.load_der_x509_certificate(der)
    except sightings.UNREADABLE:
        return False
    return True


def _looked_at(certificate: x509.Certificate) -> x509.Certificate:
    """Touch every part that is shown or stored, so that what cannot be read shows here and nowhere later."""
    if len(certificate.public_bytes(Encoding.DER)) > LARGEST_CERTIFICATE:
        raise ValueError("longer than any certificate that is read")
    if not 0 < certificate.serial_number < 1 << _LONGEST_SERIAL:
        raise ValueError("a serial is positive and has at most 20 octets")
    if certificate.not_valid_before_utc > certificate.not_valid_after_utc:
        raise ValueError("it ends before it begins")
    try:
        spki(certificate.public_key())
    except UnsupportedAlgorithm as unknown:
        raise errors.CertificateKeyUnknown from unknown
    for text in (certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string(), display_name(certificate)):
        text.encode()
    for extension in certificate.extensions:
        hash(extension)
    alternative_names(certificate)
    return certificate


# --- who issued whom -------------------------------------------------------------------------------------------------


class _Verdict(Enum):
    FITS = "fits"
    BROKEN = "broken"
    UNKNOWN = "unknown"  # signed in a way, or with a key, that is not judged here


def _sorted_out(every: Sequence[x509.Certificate]) -> Bundle:
    """Tell those that people have from those that stand above them."""
    issuer_of = _issuers(every)
    above = set(issuer_of.values())
    lowest = [number for number in range(len(every)) if number not in above]
    # a file of authorities alone is a file of what somebody wants to keep
    wanted = [number for number in lowest if not _is_authority(every[number])] or lowest or [0]
    found = tuple(Found(every[number], tuple(every[up] for up in _path(number, issuer_of))) for number in wanted)
    used = {id(each) for one in found for each in (one.certificate, *one.chain)}
    return Bundle(found, sum(id(each) not in used for each in every))


def _issuers(every: Sequence[x509.Certificate]) -> dict[int, int]:
    by_subject: dict[bytes, list[int]] = {}
    for number, certificate in enumerate(every):
        by_subject.setdefault(certificate.subject.public_bytes(), []).append(number)
    issuers = {}
    for number, certificate in enumerate(every):
        named = by_subject.get(certificate.issuer.public_bytes(), [])
        own = [number] if number in named and _says_it_signed_itself(certificate) else []
        candidates = [*own, *(one for one in named if one != number)][:_MOST_ISSUERS]
        verdicts = {one: _verdict(certificate, every[one]) for one in candidates}
        fitting = [one for one, verdict in verdicts.items() if verdict is _Verdict.FITS]
        all_tried = len(candidates) >= len(named) - 1
        if verdicts and all_tried and not fitting and _Verdict.UNKNOWN not in verdicts.values():
            raise errors.SignatureBroken(
                name=display_name(certificate), issuer=common_name(certificate.issuer) or display_name(certificate)
            )
        if others := [one for one in fitting if one != number]:
            issuers[number] = others[0]
    return issuers


def _path(start: int, issuer_of: dict[int, int]) -> list[int]:
    path: list[int] = []
    here = issuer_of.get(start)
    while here is not None and here not in {start, *path} and len(path) < _DEEPEST:
        path.append(here)
        here = issuer_of.get(here)
    return path


def _verdict(certificate: x509.Certificate, issuer: x509.Certificate) -> _Verdict:
    if not _is_quick(issuer.public_key()):
        return _Verdict.UNKNOWN
    try:
        certificate.verify_directly_issued_by(issuer)
    except InvalidSignature:
        return _Verdict.BROKEN
    except sightings.UNREADABLE:
        return _Verdict.UNKNOWN
    return _Verdict.FITS


def _is_quick(key: object) -> bool:
    if not isinstance(key, rsa.RSAPublicKey):
        return True
    return key.key_size <= _LARGEST_RSA and key.public_numbers().e.bit_length() <= _LARGEST_EXPONENT


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except x509.ExtensionNotFound:
        return False


def _says_it_signed_itself(certificate: x509.Certificate) -> bool:
    """Tell whether its own key is the one it names; one that names none is taken at its word (RFC 5280 4.2.1.1)."""
    try:
        own = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        signer = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        return True
    return signer is None or own == signer
