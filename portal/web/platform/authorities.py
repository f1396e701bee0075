"""Every tenant's authorities, the soonest to end first, and how the tokens are that hold their keys."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from lifecycle.authorities.keys import KEY_KINDS, kind_of
from lifecycle.authorities.models import CertificateAuthority, CertificateProfile
from lifecycle.wizards.presentation import Chip
from portal.foundation import clock
from portal.foundation.lists.paging import page_of
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.middleware import TenantRequest
from portal.foundation.tenancy.models import PLATFORM, Tenant
from portal.foundation.token.report import token_reports

COMMAND = (
    "manage.py create_authority --tenant SHORT-NAME --slug issuing --name 'NAME Issuing CA' --organization NAME "
    "--country CZ --key-type ec-p256 --caa-identity ca.NAME.example --parent root"
)

TENANTS = 10
"""On a page: the rows of each are read in a unit of work of its own, which takes 4 ms."""

ENDS_SOON = timedelta(days=365)
"""An authority that ends within a year already shortens the certificates it can issue."""


@dataclass(frozen=True, slots=True)
class Shown:
    tenant: Tenant
    name: str
    place: str  # slug and version, as in its addresses
    key_id: str
    key: str
    ends: datetime
    identities: tuple[str, ...]
    profiles: int
    status: Chip


def authority_list(request: TenantRequest) -> HttpResponse:
    """A page of tenants with their authorities; one unit of work a tenant, since their rows exist in none other."""
    with acting_for(PLATFORM):
        tenants = Tenant.objects.exclude(pk=PLATFORM)
        page = page_of(tenants, by="name", descending=False, asked=request.GET, size=TENANTS)
        reports = token_reports()
    authorities = [shown for tenant in page.rows for shown in _of(tenant)]
    with acting_for(PLATFORM):
        context = {
            "authorities": sorted(authorities, key=lambda shown: shown.ends),
            "reports": reports,
            "pages": page,
            "command": COMMAND,
        }
        return render(request, "platform/authorities.html", context)


def _of(tenant: Tenant) -> list[Shown]:
    with acting_for(tenant.pk):
        used = [profile.authority_id for profile in CertificateProfile.objects.all_in_force()]
        return [
            _shown(tenant, row, used.count(row.pk)) for row in CertificateAuthority.objects.order_by("slug", "-version")
        ]


def _shown(tenant: Tenant, row: CertificateAuthority, profiles: int) -> Shown:
    certificate = row.certificate
    kind, ends, now = kind_of(certificate.public_key()), certificate.not_valid_after_utc, clock.now()
    status = Chip("good", _("Valid"))
    if ends <= now:
        status = Chip("bad", _("Ended"))
    elif ends <= now + ENDS_SOON:
        status = Chip("watch", _("Ends soon"))
    return Shown(
        tenant=tenant,
        name=row.name,
        place=f"{row.slug}-{row.version}",
        key_id=row.key_id,
        key=KEY_KINDS[kind.slug].title if kind else "?",
        ends=ends,
        identities=tuple(row.caa_identities),
        profiles=profiles,
        status=status,
    )
