from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from lifecycle.authorities.ceremony import UnfitAuthority
from lifecycle.authorities.keys import KEY_KINDS
from lifecycle.authorities.services import Plan, authority_named, create_authority
from portal.config import config
from portal.foundation.tenancy.models import Tenant
from portal.foundation.token import TokenFellSilent, TokenNotReached, TokenRefused, token_at


class Command(BaseCommand):
    help = "Make an authority: a key in the token, and its certificate, self-signed or signed by another authority."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", required=True, help="the tenant's slug")
        parser.add_argument("--slug", required=True, help="short name, part of addresses in certificates")
        parser.add_argument("--name", required=True, help="common name of the authority")
        parser.add_argument("--organization", required=True)
        parser.add_argument("--country", required=True, help="two letters")
        parser.add_argument("--key-type", default="ec-p256", choices=sorted(KEY_KINDS))
        parser.add_argument("--days", type=int, help="7300 for one that signs itself, else 3650")
        parser.add_argument(
            "--caa-identity",
            action="append",
            default=[],
            dest="caa_identities",
            metavar="DOMAIN",
            help="a name by which CAA records permit it; may be given again",
        )
        parser.add_argument("--parent", help="slug of the authority that signs it; without one it signs itself")

    def handle(self, *_args: Any, **options: Any) -> None:
        if not config.holds_token:
            raise CommandError("PKCS11_MODULE, PKCS11_TOKEN and PKCS11_PIN_FILE must name the token.")
        tenant = Tenant.objects.filter(slug=options["tenant"]).first()
        if tenant is None:
            raise CommandError(f"There is no tenant {options['tenant']!r}.")
        parent = authority_named(tenant.pk, options["parent"]) if options["parent"] else None
        if options["parent"] and parent is None:
            raise CommandError(f"{tenant.slug} has no authority {options['parent']!r}.")
        options["days"] = options["days"] or (3650 if parent else 7300)
        options["caa_identities"] = tuple(options["caa_identities"])
        plan = Plan(**{name: options[name] for name in Plan.__slots__})
        token = token_at(config.pkcs11_module, config.pkcs11_token, config.pkcs11_pin_file)
        try:
            row = create_authority(tenant, plan, token, by="command:create_authority", parent=parent)
        except (UnfitAuthority, TokenNotReached, TokenRefused, TokenFellSilent) as refusal:
            raise CommandError(f"No authority was made: {refusal}") from refusal
        self.stdout.write(f"{row.name}: {row.slug} version {row.version}, key {row.key_id}")
