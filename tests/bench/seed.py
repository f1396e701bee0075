"""Makes what the bench issues from: the world of the tests, and requests that are ready.

All of it goes through the services that people use.  The policies ask for no second
factor: its answer is looked at in the same query whether there is one or not.
"""

from lifecycle.certificates.models import Certificate
from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.states import UNDER_WAY
from portal.foundation.access.models import User
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import Tenant
from tests import world

PROFILE = "secure-email"  # the profile with the more rules to check


def main(what: str, count: str = "0") -> None:
    """`world`, `issue 600` or `rekey 600`."""
    if what == "world":
        world.build()
        return
    acme, petra = Tenant.objects.get(slug="acme"), User.objects.get(subject="petra@acme.example")
    sources = _rekeyable(acme, int(count)) if what == "rekey" else [None] * int(count)
    for number, source in enumerate(sources):
        world.submitted(petra, acme, profile=PROFILE, source=source, name=f"Petra Nováková {number}")


def _rekeyable(tenant: Tenant, count: int) -> list[Certificate]:
    with acting_for(tenant.pk):
        busy = CertificateRequest.objects.filter(state__in=UNDER_WAY, predecessor__isnull=False).values("predecessor")
        found = list(Certificate.objects.exclude(pk__in=busy).order_by("-pk")[:count])
    if len(found) < count:
        raise SystemExit(f"There are {len(found)} certificates to rekey; issue {count} first.")
    return found
