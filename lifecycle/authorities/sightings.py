"""Recognises what somebody gave instead of a certificate signing request, to tell them."""

import re
from collections.abc import Callable

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from lifecycle.authorities.errors import CsrUnreadable, NotACsr, PrivateKeyGiven

# What `cryptography` raises over malformed input, some of it only when a part is touched.
UNREADABLE = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
    Warning,  # where warnings are errors, as in tests: of a serial that is not positive, among others
)

PRIVATE_KEY = _("a private key")
_PFX = _("a PKCS#12 (PFX) file, which holds a private key")

TEXTS: tuple[tuple[Promise, re.Pattern[str]], ...] = (
    (_("an SSH public key"), re.compile(r"^\s{0,10}(ssh-(rsa|dss|ed25519)|ecdsa-sha2-\S{1,40}) AAAA", re.MULTILINE)),
    (_("a PGP message or key"), re.compile(r"BEGIN PGP ")),
    (_("an SSH public key"), re.compile(r"BEGIN SSH2 PUBLIC KEY")),
)

_PKCS12 = re.compile(rb"\x30(?:[\x00-\x7f]|\x80|\x81.|\x82..|\x83...)\x02\x01\x03\x30", re.DOTALL)
_PKCS7 = re.compile(
    rb"\x30(?:[\x00-\x7f]|\x80|\x81.|\x82..|\x83...)\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07", re.DOTALL
)


def _reads(load: Callable[[bytes], object]) -> Callable[[bytes], bool]:
    def sees(der: bytes) -> bool:
        try:
            load(der)
        except UNREADABLE:
            return False
        return True

    return sees


def _is_private_key(der: bytes) -> bool:
    try:
        serialization.load_der_private_key(der, password=None, unsafe_skip_rsa_key_validation=True)
    except TypeError:
        return True  # an encrypted one: cryptography asks for its password
    except UNREADABLE:
        return False
    return True


_SECRETS: tuple[tuple[Promise, Callable[[bytes], bool]], ...] = (
    (_PFX, lambda der: _PKCS12.match(der) is not None),
    (PRIVATE_KEY, _is_private_key),
)
_OTHERS: tuple[tuple[Promise, Callable[[bytes], bool]], ...] = (
    (_("a certificate"), _reads(x509.load_der_x509_certificate)),
    (_("a revocation list"), _reads(x509.load_der_x509_crl)),
    (_("a collection of certificates (PKCS#7)"), lambda der: _PKCS7.match(der) is not None),
    (_("a bare public key"), _reads(serialization.load_der_public_key)),
)
_REQUEST = _("a certificate signing request (CSR)")
_is_request = _reads(x509.load_der_x509_csr)


def secret_in(der: bytes) -> Promise | None:
    """Return what secret this is; None if it is none."""
    return next((what for what, sees in _SECRETS if sees(der)), None)


def sighted(der: bytes) -> Promise | None:
    """Return what this is, of the things people mix up with each other; None if it is none of them."""
    return next((what for what, sees in (*_OTHERS, (_REQUEST, _is_request)) if sees(der)), None)


def is_collection(der: bytes) -> bool:
    """Tell whether this begins like PKCS#7 (RFC 5652 3, with the content types of RFC 2315 14)."""
    return _PKCS7.match(der) is not None


def refuse_for_what_it_is(der: bytes) -> None:
    """Raise the refusal that fits DER which is no certificate signing request."""
    if secret := secret_in(der):
        raise PrivateKeyGiven(what=secret)
    if what := sighted(der):
        raise NotACsr(what=what)
    raise CsrUnreadable
