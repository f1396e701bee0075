"""What must be true of a certificate before a token is asked to sign it.

A lint is a sentence with a source.  It looks at a rehearsal: the certificate as it
would be, signed with a throw-away key.  It returns a complaint or None and never
changes anything.  What the standards say at large is pkilint's business
(`lifecycle.authorities.standards`); here stands what this portal adds.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lifecycle.authorities import standards
from lifecycle.authorities.keys import kind_of, spki
from lifecycle.authorities.order import Order
from portal.foundation.names import UnusableName, dns_name, is_under_public_suffix

SERVER_AUTH = ExtendedKeyUsageOID.SERVER_AUTH.dotted_string
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Candidate:
    """A rehearsed certificate with what it was made from."""

    order: Order
    issuer: x509.Certificate
    certificate: x509.Certificate
    der: bytes

    @cached_property
    def extensions(self) -> x509.Extensions:
        return self.certificate.extensions


@dataclass(frozen=True, slots=True)
class Lint:
    slug: str
    source: str
    check: Callable[[Candidate], str | None]


@dataclass(frozen=True, slots=True)
class Complaint:
    lint: Lint
    sentence: str

    def __str__(self) -> str:
        return f"{self.sentence} ({self.lint.source})"


def complaints_about(candidate: Candidate, lints: Iterable[Lint]) -> tuple[Complaint, ...]:
    """Ask every lint, so that nobody has to mend them one by one."""
    return tuple(Complaint(lint, said) for lint in lints if (said := lint.check(candidate)))


def _says_what_was_ordered(candidate: Candidate) -> str | None:
    order, certificate = candidate.order, candidate.certificate
    same = (
        certificate.serial_number == order.serial,
        certificate.subject == order.subject,
        spki(certificate.public_key()) == order.public_key,
        certificate.not_valid_before_utc == order.not_before,
        certificate.not_valid_after_utc == order.not_after,
    )
    return None if all(same) else "it does not say what was ordered"


def _names_its_issuer(candidate: Candidate) -> str | None:
    if candidate.certificate.issuer.public_bytes() != candidate.issuer.subject.public_bytes():
        return "its issuer's name is not the issuer's own"
    return None


def _is_no_authority(candidate: Candidate) -> str | None:
    constraints = candidate.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = candidate.extensions.get_extension_for_class(x509.KeyUsage).value
    if constraints.value.ca or not constraints.critical or usage.key_cert_sign or usage.crl_sign:
        return "it would let its holder sign certificates or revocation lists"
    return None


def _lives_too_long(candidate: Candidate) -> str | None:
    order = candidate.order
    if order.lifetime <= order.longest_life:
        return None
    whole, rest = divmod(order.lifetime, _DAY)
    lived = f"{whole} days" + (f" and {rest}" if rest else "")
    return f"it lives {lived}, more than {order.longest_life.days} days"


def _outlives_its_issuer(candidate: Candidate) -> str | None:
    order, issuer = candidate.order, candidate.issuer
    if issuer.not_valid_before_utc <= order.not_before and order.not_after <= issuer.not_valid_after_utc:
        return None
    return f"it is valid outside its issuer's life, which ends on {issuer.not_valid_after_utc:%Y-%m-%d}"


def _serial_is_weak(candidate: Candidate) -> str | None:
    bits = candidate.certificate.serial_number.bit_length()
    return None if 64 <= bits <= 159 else f"its serial number has {bits} bits"  # noqa: PLR2004 - the sources' numbers


def _hash_is_off(candidate: Candidate) -> str | None:
    kind = kind_of(candidate.issuer.public_key())
    used = candidate.certificate.signature_hash_algorithm
    if kind is None or not isinstance(used, kind.digest):
        return "its hash does not suit the issuer's key"
    return None


def _key_is_its_issuers(candidate: Candidate) -> str | None:
    if spki(candidate.issuer.public_key()) == candidate.order.public_key:
        return "it certifies its issuer's own key"
    return None


def _cannot_be_checked(candidate: Candidate) -> str | None:
    access = candidate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    points = candidate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    places = [description.access_location for description in access]
    places += [name for point in points for name in point.full_name or ()]
    if all(isinstance(place, x509.UniformResourceIdentifier) and place.value.startswith("http://") for place in places):
        return None
    return "the address of its issuer or of its revocation list does not begin with http://"


def _names_no_server(candidate: Candidate) -> str | None:
    order = candidate.order
    if SERVER_AUTH not in order.extended_key_usages:
        return None
    names = [name.value for name in order.alternative_names if isinstance(name, x509.DNSName)]
    if len(names) != len(order.alternative_names) or not names:
        return "it is for servers and has not DNS names alone"
    for name in names:
        if not _is_usable(name, public=order.public):
            return f"its DNS name {name!r} is none that a server can have"
    common = {str(attribute.value) for attribute in order.subject.get_attributes_for_oid(NameOID.COMMON_NAME)}
    if order.public and not common <= set(names):
        return "its common name is not one of its alternative names"
    return None


def _is_usable(name: str, *, public: bool) -> bool:
    try:
        return dns_name(name) == name and (not public or is_under_public_suffix(name))
    except UnusableName:
        return False


def _breaks_standards(candidate: Candidate) -> str | None:
    return standards.complain(standards.rules_for(candidate.order.extended_key_usages), candidate.der)


# Run on every certificate, whatever its profile says: what nobody can forget to name.
ALWAYS = (
    Lint("as-ordered", "this portal: no certificate but the one asked for", _says_what_was_ordered),
    Lint("issuer", "RFC 5280 4.1.2.4", _names_its_issuer),
    Lint("end-entity", "RFC 5280 4.2.1.9", _is_no_authority),
    Lint("lifetime", "its profile; counted as in RFC 5280 4.1.2.5", _lives_too_long),
    Lint("nested", "RFC 5280 6.1.3 (a) (2)", _outlives_its_issuer),
    Lint("serial", "RFC 5280 4.1.2.2, CA/B BR 7.1", _serial_is_weak),
    Lint("hash", "FIPS 186-5 6.1.1", _hash_is_off),
    Lint("own-key", "this portal: an authority's key is nobody else's", _key_is_its_issuers),
    Lint("pointers", "RFC 5280 4.2.1.13, 4.2.2.1", _cannot_be_checked),
    Lint("server-names", "RFC 5280 4.2.1.6, CA/B BR 4.2.2 and 7.1.4.3", _names_no_server),
    Lint("standards", "RFC 5280, for mail also the S/MIME BR; judged by pkilint", _breaks_standards),
)


def warm() -> None:
    """Pay now, at a worker's start, for what the first signing would: pkilint's import, the list of public suffixes."""
    standards.warm()
    is_under_public_suffix("example.com")
