from contextlib import suppress
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.foundation.access.errors import AlreadyInvited
from portal.foundation.access.invitations import invite
from portal.foundation.access.permissions import Role
from portal.foundation.errors import Refusal
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import PLATFORM
from portal.management.printing import opened_once


class Command(BaseCommand):
    help = "Invite somebody to operate the platform: how the first one gets in.  Again, it prints the same address."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", required=True)
        parser.add_argument("--email", required=True)

    def handle(self, *_args: Any, **options: Any) -> None:
        email, name = options["email"], options["name"]
        try:
            with suppress(AlreadyInvited), acting_for(PLATFORM):  # who lost the link has nobody to ask for another
                invite(email=email, name=name, roles=[Role.OPERATOR], by="command:create_operator")
        except Refusal as refusal:
            raise CommandError(f"Nobody was invited: {refusal} {refusal.advice}") from refusal
        self.stdout.write(opened_once(PLATFORM, email))
