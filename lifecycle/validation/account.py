"""The account by which CAA records can let one tenant have certificates, and nobody else (RFC 8657 3).

Its form is published, as BR 4.2.2.1.2 wants of whoever's accounts have no ACME address, and is that of RFC 7565: the
tenant's name at the portal's.  No name of a tenant is ever given to another one, so no account is (RFC 8657 5.4).
"""

from portal.config import config
from portal.foundation.tenancy.models import Tenant


def account_uri(tenant: Tenant) -> str:
    """The account URI of *tenant*, as `accounturi` has to say it; compared as it stands, byte for byte."""
    return f"acct:{tenant.slug}@{config.host}"
