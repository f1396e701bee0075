"""From an order to a certificate that says exactly what was ordered.

    rehearse        write the certificate with a throw-away key and lint it
    Authority.issue have it signed; takes only what `rehearse` made
    check_delivery  compare what came back with the rehearsal, byte by byte

The unsafe call cannot be expressed: nothing else makes a `Linted`, and no authority
takes anything else.
"""

from collections.abc import Iterable
from functools import cache
from typing import Final, NoReturn

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from django.utils.translation import gettext_lazy as _

from lifecycle.authorities import lints as rules
from lifecycle.authorities.keys import KEY_KINDS, PrivateKey, kind_of
from lifecycle.authorities.lints import Candidate, Complaint, Lint
from lifecycle.authorities.order import Order, UnusableOrder, write
from portal.foundation.errors import Refusal

_SEAL: Final = object()


class FailedLint(Refusal):
    """The certificate would break rules; every broken one is named, and no token was asked."""

    code = "failed-lint"
    message = _("This certificate cannot be issued: {complaints}.")
    next_step = _("Ask your administrator to correct the certificate profile, then begin a new request.")

    def __init__(self, complaints: tuple[Complaint, ...]) -> None:
        self.complaints = complaints
        super().__init__(complaints="; ".join(map(str, complaints)))


class NotWhatWeOrdered(Exception):
    """The authority delivered something else than what was rehearsed; it must not be stored as a certificate."""


class Linted:
    """An order whose rehearsal passed every lint.  Only `rehearse` makes one."""

    __slots__ = ("order", "rehearsal")

    order: Order
    rehearsal: bytes

    def __init__(self, order: Order, rehearsal: bytes, *, seal: object) -> None:
        if seal is not _SEAL:
            raise TypeError("only rehearse() makes a Linted")
        object.__setattr__(self, "order", order)
        object.__setattr__(self, "rehearsal", rehearsal)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise TypeError("a Linted does not change")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Linted is not carried from one process to another")


def rehearse(order: Order, issuer: x509.Certificate, lints: Iterable[Lint]) -> Linted:
    """Write the certificate with a throw-away key of the issuer's kind and lint it.

    Raise `FailedLint` with every complaint.  `Linted.rehearsal` is what is stored before
    the token is asked: after a crash it says which serial may exist and what it says.
    """
    rehearsed = write(order, issuer, _throw_away_key(_kind_slug(issuer)))
    der = rehearsed.public_bytes(Encoding.DER)
    candidate = Candidate(order, issuer, rehearsed, der)
    complaints = rules.complaints_about(candidate, (*rules.ALWAYS, *lints))
    if complaints:
        raise FailedLint(complaints)
    return Linted(order, der, seal=_SEAL)


def check_delivery(linted: Linted, der: bytes, issuer: x509.Certificate) -> x509.Certificate:
    """Return the delivered certificate if it is the rehearsed one, truly signed by *issuer*; raise otherwise."""
    try:
        delivered = x509.load_der_x509_certificate(der)
        if not is_rehearsal_of(linted.rehearsal, delivered):
            raise NotWhatWeOrdered("The authority changed what was to be signed.")
        delivered.verify_directly_issued_by(issuer)
    except InvalidSignature as wrong:
        raise NotWhatWeOrdered("The authority's signature does not verify.") from wrong
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as wrong:
        raise NotWhatWeOrdered("The authority delivered something that is no certificate of its own.") from wrong
    return delivered


def is_rehearsal_of(rehearsal: bytes, certificate: x509.Certificate) -> bool:
    """Whether a stored rehearsal and *certificate* say the same: everything but the signature is byte-identical."""
    rehearsed = x509.load_der_x509_certificate(rehearsal)
    return rehearsed.tbs_certificate_bytes == certificate.tbs_certificate_bytes


def warm(issuer: x509.Certificate | None = None) -> None:
    """Pay at a worker's start for what the first rehearsal would: pkilint, and a throw-away key for *issuer*."""
    rules.warm()
    if issuer is not None:
        _throw_away_key(_kind_slug(issuer))


def _kind_slug(issuer: x509.Certificate) -> str:
    kind = kind_of(issuer.public_key())
    if kind is None:
        raise UnusableOrder("the issuer's kind of key is none of those this portal signs with")
    return kind.slug


@cache
def _throw_away_key(slug: str) -> PrivateKey:
    """One per process and kind: making an RSA key costs up to 370 ms."""
    return KEY_KINDS[slug].make()
