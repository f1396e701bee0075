"""Lets people ask for looks at the CAA records of names that nobody asked about before."""

from lifecycle.validation import services
from lifecycle.validation.caa import Terms
from portal.foundation.access.models import User
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import Tenant
from tests.bench.checks import NAMES, ZONE

TERMS = Terms(("ca.portal.example",))


def main(run: str, count: str) -> None:
    """`first 600`: ask about names whose last label says *run*."""
    acme, petra = Tenant.objects.get(slug="acme"), User.objects.get(subject="petra@acme.example")
    for start in range(0, int(count), NAMES):
        names = [f"{run}-{number}.{ZONE}" for number in range(start, min(start + NAMES, int(count)))]
        with acting_for(acme.pk, person=petra.pk):
            services.ask(dict.fromkeys(names, TERMS), by=petra.pk, about="bench")
