from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from auth2fa import enrolments
from portal.foundation.access.models import LOCAL, User
from portal.foundation.tenancy.context import acting_as
from portal.foundation.tenancy.models import PLATFORM


class Command(BaseCommand):
    help = (
        "Remove every authenticator of somebody with seats in several tenants, whom no single administrator may reset."
        "  Make sure who asks: they are told by mail, and set a new one up with their password and a code by e-mail."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--username", required=True)

    def handle(self, *_args: Any, **options: Any) -> None:
        name = options["username"].strip().lower()
        person = User.objects.filter(issuer=LOCAL, subject=name).first()
        if person is None:
            raise CommandError(f"Nothing was reset: nobody signs in here as {name}. Check the name on the page People.")
        with acting_as(person.pk):
            count = enrolments.reset(by="command:reset_authenticators", tenant=PLATFORM)
        self.stdout.write(f"{count} removed of {person.name}, who is told by mail.")
