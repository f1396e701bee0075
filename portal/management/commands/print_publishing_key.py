from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.config import config
from portal.foundation.sealed import public_of


class Command(BaseCommand):
    help = "Print the public half of the publishing worker's key, with which the web service seals tenants' secrets."
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        if not config.publishing_key:
            raise CommandError("Run it as the publishing worker: PUBLISHING_KEY_FILE must name its key.")
        self.stdout.write(f"PUBLISHING_PUBLIC_KEY={public_of(config.publishing_key)}")
