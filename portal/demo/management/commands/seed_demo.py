from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.foundation.audit.models import AuditEvent
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import PLATFORM, Tenant

DONE = "demo:seeded"


class Command(BaseCommand):
    help = "Tell the demo's story: two tenants, their people, authorities and some forty certificates."

    def handle(self, *_args: Any, **_options: Any) -> None:
        with acting_for(PLATFORM):
            if AuditEvent.objects.filter(code=DONE).exists():
                self.stdout.write("The story is told already.")
                return
        if Tenant.objects.exclude(pk=PLATFORM).exists():
            raise CommandError("The demo's data was left half made. Begin anew: make demo-reset")
        from portal.demo import story  # noqa: PLC0415 - it loads the signing core, which an old demo need not wait for

        story.tell()
