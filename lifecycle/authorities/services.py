"""Making authorities and profiles.  What talks to the token stands outside any unit of work."""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from lifecycle.authorities import ceremony, shards
from lifecycle.authorities.addresses import crl_url, issuer_url
from lifecycle.authorities.backends.pkcs11 import key_in
from lifecycle.authorities.models import CertificateAuthority
from lifecycle.authorities.order import last_second
from portal.foundation import clock
from portal.foundation.audit.models import record
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import Tenant

if TYPE_CHECKING:
    from portal.foundation.token import Token


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an authority shall be."""

    slug: str
    name: str
    organization: str
    country: str
    key_type: str
    days: int
    caa_identities: tuple[str, ...] = ()  # issuer domain names by which CAA records permit it


def create_authority(
    tenant: Tenant, plan: Plan, token: "Token", *, by: str, parent: CertificateAuthority | None = None
) -> CertificateAuthority:
    """Make a key in the token and a certificate for it: self-signed, or signed by *parent*'s key in the same token.

    Raises `ceremony.UnfitAuthority` where the certificate would break RFC 5280 or its
    parent's limits.  A key that was made for a certificate that was refused stays in the
    token, unused and without a certificate.
    """
    key_id = secrets.token_bytes(16)
    token.generate(plan.key_type, key_id)
    key = key_in(token, key_id)
    not_before = clock.now().replace(microsecond=0)
    charter = ceremony.Charter(
        subject=_subject(plan),
        not_before=not_before,
        not_after=last_second(not_before, timedelta(days=plan.days)),
        path_length=None if parent is None else 0,
    )
    if parent is None:
        certificate = ceremony.self_signed(charter, key)
    else:
        certificate = ceremony.subordinate(charter, key.public_key(), _superior(tenant, parent, token))
    with acting_for(tenant.pk):
        row = CertificateAuthority(
            slug=plan.slug,
            version=_next_version(plan.slug),
            name=plan.name,
            key_id=key_id.hex(),
            certificate_der=certificate.public_bytes(Encoding.DER),
            caa_identities=list(plan.caa_identities),
            parent=parent,
        )
        row.save(force_insert=True)
        record(actor=by, code="authority:create", subject=row.pk, name=plan.name, key_type=plan.key_type)
    return row


def _subject(plan: Plan) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, plan.country),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, plan.organization),
            x509.NameAttribute(NameOID.COMMON_NAME, plan.name),
        ]
    )


def _superior(tenant: Tenant, parent: CertificateAuthority, token: "Token") -> ceremony.Superior:
    place = shards.next_place(tenant.pk, parent.pk)
    return ceremony.Superior(
        certificate=parent.certificate,
        key=key_in(token, bytes.fromhex(parent.key_id)),
        aia_issuer_url=issuer_url(tenant.slug, parent.slug, parent.version),
        crl_url=crl_url(tenant.slug, parent.slug, parent.version, place.number),
    )


def _next_version(slug: str) -> int:
    newest = CertificateAuthority.objects.filter(slug=slug).order_by("-version").first()
    return newest.version + 1 if newest else 1


def authority_named(tenant_id: UUID, slug: str) -> CertificateAuthority | None:
    """The newest version of an authority."""
    with acting_for(tenant_id):
        return CertificateAuthority.objects.filter(slug=slug).order_by("-version").first()
