"""Reads a certificate signing request and refuses what no certificate may be made from.

The names in it are for showing only: what a certificate says comes from the request in
the portal, never from the CSR.  Everything is parsed and touched in one place, since
the parser raises some of its errors only when a part is looked at.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from badkeys.checks import checkrsa
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from django.utils.translation import gettext_lazy as _

from lifecycle.authorities import errors, keys
from lifecycle.authorities.keys import KEY_KINDS, KeyKind, PublicKey
from lifecycle.authorities.pasted import find_der
from lifecycle.authorities.sightings import UNREADABLE, refuse_for_what_it_is

# RFC 6194 and RFC 6151: collisions are practical, so a signature proves nothing
_FORGEABLE = (hashes.MD5, hashes.SHA1)
_LEAST_RSA = 2048  # NIST SP 800-57 part 1: 112 bits of security
_F4 = 65537

# badkeys' checks that need no download, and what each means; the `blocklist` check would fetch one
_WEAKNESSES: Final = {
    "roca": _("it was made by a chip with the ROCA flaw"),
    "fermat": _("its two primes lie too close together"),
    "smallfactors": _("it has a small factor"),
    "sharedprimes": _("it shares a prime with another known key"),
    "rsapoly": _("its bits follow a pattern"),
    "smalld": _("its private exponent is too small"),
    "rsainvalid": _("its numbers make no RSA key"),
}


@dataclass(frozen=True, slots=True)
class Csr:
    """A request that proved possession of a sound key of an allowed kind."""

    der: bytes
    public_key: bytes  # DER of the SubjectPublicKeyInfo, encoded anew
    key_kind: KeyKind
    subject: str
    common_name: str
    emails: tuple[str, ...]
    alternative_names: tuple[str, ...]

    @property
    def spki_fingerprint(self) -> str:
        return keys.spki_fingerprint(self.public_key)


@dataclass(frozen=True, slots=True)
class _Names:
    subject: str
    common_name: str
    emails: tuple[str, ...]
    alternative_names: tuple[str, ...]


def read_csr(given: bytes | str, *, allowed: Collection[str] = tuple(KEY_KINDS)) -> Csr:
    """Return the CSR in *given*, pasted or uploaded, PEM or DER; raise the refusal of the first check that fails.

    *allowed* are the slugs of `KEY_KINDS` the profile takes.
    """
    der = find_der(given)
    try:
        request = x509.load_der_x509_csr(der)
        names = _names_in(request)
    except UNREADABLE:
        refuse_for_what_it_is(der)
        raise errors.CsrUnreadable from None
    key, kind = _key_of(request, allowed)
    _refuse_forgeable_signature(request)
    _refuse_without_possession(request)
    refuse_weak(key)
    return Csr(
        der=der,
        public_key=keys.spki(key),
        key_kind=kind,
        subject=names.subject,
        common_name=names.common_name,
        emails=names.emails,
        alternative_names=names.alternative_names,
    )


def _key_of(request: x509.CertificateSigningRequest, allowed: Collection[str]) -> tuple[PublicKey, KeyKind]:
    titles = ", ".join(kind.title for slug, kind in KEY_KINDS.items() if slug in allowed)
    try:
        key = request.public_key()
    except UnsupportedAlgorithm as unsupported:
        raise errors.KeyUnsupported(found=_("this"), allowed=titles) from unsupported
    except UNREADABLE as invalid:
        raise errors.KeyInvalid from invalid  # among them an EC point that is not on its curve
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise errors.KeyUnsupported(found=type(key).__name__.removesuffix("PublicKey"), allowed=titles)
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _LEAST_RSA:
        raise errors.KeyTooSmall(bits=key.key_size, least=_LEAST_RSA, allowed=titles)
    kind = keys.kind_of(key)
    if kind is None or kind.slug not in allowed:
        raise errors.KeyNotAllowed(found=_described(key), allowed=titles)
    if keys.spki(key) not in request.tbs_certrequest_bytes:
        raise errors.KeyEncodedOddly  # a compressed point, RSASSA-PSS parameters: the key would be compared wrongly
    return key, kind


def _described(key: PublicKey) -> str:
    return f"EC {key.curve.name}" if isinstance(key, ec.EllipticCurvePublicKey) else f"RSA {key.key_size}"


def _refuse_forgeable_signature(request: x509.CertificateSigningRequest) -> None:
    try:
        used = request.signature_hash_algorithm
    except UNREADABLE as unknown:
        raise errors.CsrSignatureUnsupported from unknown
    if isinstance(used, _FORGEABLE):
        raise errors.CsrSignatureWeak(algorithm=used.name.upper().replace("SHA1", "SHA-1"))


def _refuse_without_possession(request: x509.CertificateSigningRequest) -> None:
    try:
        proved = request.is_signature_valid
    except UNREADABLE as unknown:
        raise errors.CsrSignatureUnsupported from unknown
    if not proved:
        raise errors.CsrSignatureBroken


def refuse_weak(key: PublicKey) -> None:
    """Refuse keys whose private half can be computed.

    CA/B BR 6.1.1.3 names ROCA, Fermat with 100 rounds and small factors.  An EC key of a named
    curve is sound once its point is on the curve, which parsing it has shown (SP 800-56A 5.6.2.3.3).
    """
    if not isinstance(key, rsa.RSAPublicKey):
        return
    numbers = key.public_numbers()
    for check in checkrsa(numbers.n, e=numbers.e, checks=tuple(_WEAKNESSES)):
        raise errors.KeyWeak(why=_WEAKNESSES[check])
    if numbers.e != _F4:
        raise errors.KeyWeak(why=_("its public exponent is not 65537"))


def _names_in(request: x509.CertificateSigningRequest) -> _Names:
    """Touch everything the request says, so that what cannot be read shows here and nowhere later."""
    subject = request.subject
    names = [
        name
        for extension in request.extensions
        if isinstance(extension.value, x509.SubjectAlternativeName)
        for name in extension.value
    ]
    mails = [name.value for name in names if isinstance(name, x509.RFC822Name)]
    mails += [str(mail.value) for mail in subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS)]
    common = [str(name.value) for name in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return _Names(
        subject=_printable(subject.rfc4514_string()),
        common_name=_printable(common[0]) if common else "",
        emails=tuple(dict.fromkeys(map(_printable, mails))),
        alternative_names=tuple(_printable(_shown(name)) for name in names),
    )


def _shown(name: x509.GeneralName) -> str:
    value = name.value
    return value.rfc4514_string() if isinstance(value, x509.Name) else str(value)


def _printable(text: str) -> str:
    """Replace what a page cannot show and a database cannot store: control characters, NUL, direction marks."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
