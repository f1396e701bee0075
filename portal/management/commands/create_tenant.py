from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.foundation.access.invitations import Invitee
from portal.foundation.access.permissions import Role
from portal.foundation.errors import Refusal
from portal.foundation.tenancy.services import create_tenant
from portal.management.printing import opened_once


class Command(BaseCommand):
    help = "Make a tenant and invite who administers it first; the page /platform/tenants/new/ does the same."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--slug", required=True, help="short name, part of every address; it can never be changed")
        parser.add_argument("--name", required=True)
        parser.add_argument("--administrator", required=True, help="the first administrator's name")
        parser.add_argument("--email", required=True, help="the first administrator's address")

    def handle(self, *_args: Any, **options: Any) -> None:
        first = Invitee(options["administrator"], options["email"], (Role.ADMINISTRATOR,))
        try:
            tenant = create_tenant(options["slug"], options["name"], by="command:create_tenant", administrator=first)
        except Refusal as refusal:
            raise CommandError(f"No tenant was made: {refusal} {refusal.advice}") from refusal
        self.stdout.write(f"{tenant.name}: {tenant.slug}\n{opened_once(tenant.pk, first.email)}")
