"""Where certificates point to: their issuer's certificate, for everybody who has to build a chain."""

from cryptography.hazmat.primitives.serialization import Encoding
from django.http import HttpRequest, HttpResponse

from lifecycle.authorities.models import CertificateAuthority
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.models import Tenant


def issuer_certificate(_request: HttpRequest, tenant_slug: str, authority: str, version: int) -> HttpResponse:
    """One DER certificate, as RFC 5280 4.2.2.1 wants it behind caIssuers; public, since it stands in every chain."""
    tenant = Tenant.objects.filter(slug=tenant_slug).first()
    if tenant is None:
        raise NotHere
    with acting_for(tenant.pk):
        row = CertificateAuthority.objects.filter(slug=authority, version=version).first()
    if row is None:
        raise NotHere
    return HttpResponse(row.certificate.public_bytes(Encoding.DER), content_type="application/pkix-cert")
