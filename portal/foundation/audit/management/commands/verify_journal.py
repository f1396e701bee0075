from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.foundation.audit.verify import verify
from portal.foundation.tenancy.models import Tenant


class Command(BaseCommand):
    help = "Verify the journal of one tenant, or of all: every row as written, every row sealed, no gap."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant", nargs="*", help="slugs; all tenants and the platform where none is given")

    def handle(self, *_args: Any, **options: Any) -> None:
        tenants = Tenant.objects.order_by("slug")
        if options["tenant"]:
            tenants = tenants.filter(slug__in=options["tenant"])
            unknown = set(options["tenant"]) - {tenant.slug for tenant in tenants}
            if unknown:
                raise CommandError(f"There is no tenant {', '.join(sorted(unknown))}.")
        bad = 0
        for tenant in tenants:
            verdict = verify(tenant.pk)
            self.stdout.write(f"{tenant.slug}: {verdict.finding or f'{verdict.rows} rows, all as written'}")
            bad += verdict.finding is not None
        if bad:
            raise CommandError(f"The journal of {bad} tenant(s) is not as it was written; the first bad row is above.")
