"""From a request to an order: what the certificate will say."""

import base64
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID

from lifecycle.authorities.addresses import crl_url, issuer_url
from lifecycle.authorities.keys import FAMILIES
from lifecycle.authorities.models import Trust
from lifecycle.authorities.names import LONGEST_COMMON_NAME, NAME_KINDS
from lifecycle.authorities.order import Order, last_second
from lifecycle.policies.rules import limit_of
from lifecycle.requests.kinds import Names, Validity
from lifecycle.requests.models import CertificateRequest

SUBJECT_FIELDS = {
    "country": NameOID.COUNTRY_NAME,
    "organization": NameOID.ORGANIZATION_NAME,
    "organizational_unit": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "common_name": NameOID.COMMON_NAME,
}
"""In the order in which they stand in a name (X.501: from the general to the particular)."""


def order_of(request: CertificateRequest, *, serial: int, shard: int, now: datetime) -> Order:
    """Compose the order; the request was judged before, so nothing is refused here."""
    terms = request.profile.terms
    key = request.answers["key"]
    authority = request.profile.authority
    not_before = now.replace(microsecond=0)
    return Order(
        serial=serial,
        subject=subject_of(request),
        public_key=base64.b64decode(key["public_key"]),
        not_before=not_before,
        not_after=not_after_of(request, not_before),
        longest_life=terms.lifetime,
        public=request.profile.trust != Trust.PRIVATE,
        key_usages=frozenset(terms.key_usage[FAMILIES[key["key_type"]]]),
        extended_key_usages=terms.extended_key_usages,
        alternative_names=alternative_names_of(request),
        aia_issuer_url=issuer_url(request.tenant.slug, authority.slug, authority.version),
        crl_url=crl_url(request.tenant.slug, authority.slug, authority.version, shard),
    )


def not_after_of(request: CertificateRequest, not_before: datetime) -> datetime:
    if request.meaning.validity is Validity.SAME_END and request.predecessor:
        return request.predecessor.not_after  # 0.R3: a rekey never extends
    return last_second(not_before, timedelta(days=days_of(request)))


def days_of(request: CertificateRequest) -> int:
    """How long a fresh certificate lives: what was asked for, or all that profile and policy allow."""
    asked, longest = request.answers.get("validity", {}).get("days"), longest_days(request)
    return min(asked, longest) if isinstance(asked, int) and asked > 0 else longest


def longest_days(request: CertificateRequest) -> int:
    days, limit = request.profile.terms.days, limit_of("longest_days", request.policy.limits)
    return days if limit is None else min(days, limit)


def subject_of(request: CertificateRequest) -> x509.Name:
    if request.meaning.names is Names.LOCKED and request.predecessor:
        return request.predecessor.x509.subject  # 0.R2: byte for byte
    given = {**request.profile.terms.fixed_subject, **request.answers.get("subject", {})}
    given["common_name"] = common_name_of(request)
    return x509.Name([x509.NameAttribute(oid, given[name]) for name, oid in SUBJECT_FIELDS.items() if given.get(name)])


def alternative_names_of(request: CertificateRequest) -> tuple[x509.GeneralName, ...]:
    if request.meaning.names is Names.LOCKED and request.predecessor:
        return names_in(request.predecessor.x509)  # 0.R6
    asked = request.answers.get("names", {})
    kinds = [NAME_KINDS[slug] for slug in request.profile.terms.alternative_names]
    return tuple(kind.general_name(name) for kind in kinds for name in _listed(asked.get(kind.slug)))


def may_have_names(request: CertificateRequest) -> bool:
    """Whether the certificate could name hosts or mailboxes: by its profile, or as the one before did."""
    if request.meaning.names is Names.LOCKED and request.predecessor:
        return bool(names_in(request.predecessor.x509))
    return bool(request.profile.terms.alternative_names)


def names_to_check(request: CertificateRequest) -> list[str]:
    """The names whose owners are asked in the DNS (0.R28, C15): wildcards with their star, mailboxes as their domain.

    All mailboxes of one domain have the same owner there, and are one name: `@example.test` (RFC 9495 4).
    """
    return sorted({name_asked(name) for name in alternative_names_of(request)} - {""})


def name_asked(name: x509.GeneralName) -> str:
    """Return what is asked in the DNS for one alternative name; "" where nobody can be asked."""
    match name:
        case x509.DNSName(value=host):
            return host.lower()
        case x509.RFC822Name(value=mailbox):
            return f"@{mailbox.rpartition('@')[2].lower()}"
    return ""


def common_name_of(request: CertificateRequest) -> str:
    """The common name of a first certificate, "" while nobody knows it.

    Where nobody is asked for one it is an alternative name: CA/B BR 7.1.4.3 wants one of those, or none.
    """
    if asked := request.answers.get("subject", {}).get("common_name"):
        return str(asked)
    names = _listed(request.answers.get("names", {}).get(request.profile.terms.common_name_from))
    return next((name for name in names if len(name) <= LONGEST_COMMON_NAME), "")


def names_in(certificate: x509.Certificate) -> tuple[x509.GeneralName, ...]:
    try:
        return tuple(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return ()


def _listed(value: Any) -> list[str]:
    return list(value) if isinstance(value, list) else [value] if value else []
