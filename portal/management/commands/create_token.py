from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q

from auth2fa.tokens.making import Plan, make
from portal.foundation import clock
from portal.foundation.access.models import Membership, User
from portal.foundation.access.scopes import SCOPES
from portal.foundation.access.tokens import LONGEST, USUAL
from portal.foundation.errors import Refusal
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import PLATFORM, Tenant

ACTOR = "command:create_token"


class Command(BaseCommand):
    help = "Make a token for a program of somebody who has a seat in the tenant, and print its secret, this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", required=True, metavar="SHORT-NAME")
        parser.add_argument("--person", required=True, metavar="USER-NAME", help="or their e-mail address")
        parser.add_argument(
            "--scope", required=True, action="append", dest="scopes", help=f"repeat it; there are {', '.join(SCOPES)}"
        )
        parser.add_argument("--days", type=int, default=USUAL, help=f"1 to {LONGEST}; {USUAL} if you say nothing")
        parser.add_argument("--name", default="create_token", help="what it is for")

    def handle(self, *_args: Any, **options: Any) -> None:
        plan = Plan(options["name"], options["scopes"], options["days"])
        try:
            tenant = _tenant(options["tenant"])
            with acting_for(tenant.pk):
                person = _member(options["person"], tenant)
                made, secret = make(person.pk, plan, by=ACTOR)
        except Refusal as refusal:
            raise CommandError(f"No token was made: {refusal} {refusal.advice}") from refusal
        until = f"{made.expires_at:%Y-%m-%d %H:%M} UTC"
        self.stderr.write(f"For {person.name} in {tenant.name}, until {until}. It is shown this once:")
        self.stdout.write(secret)


def _tenant(slug: str) -> Tenant:
    found = Tenant.objects.filter(slug=slug).exclude(pk=PLATFORM).first()
    if found is None:
        raise CommandError(f"No token was made: there is no tenant with the short name {slug!r}.")
    if found.suspended_at or found.is_closed(clock.now()):
        raise CommandError(f"No token was made: {found.name} is suspended or closed.")
    return found


def _member(name: str, tenant: Tenant) -> User:
    """Somebody with a seat, by their user name or address; raise `CommandError` for nobody, and for several."""
    seated = Membership.objects.filter(suspended_at=None, person__is_active=True).values("person")
    wanted = Q(subject=name.strip().lower()) | Q(email__iexact=name.strip())
    found = list(User.objects.filter(wanted, pk__in=seated)[:2])
    if not found:
        raise CommandError(f"No token was made: {name} has no seat in {tenant.name}. Invite them, or end a suspension.")
    if len(found) > 1:
        raise CommandError(f"No token was made: several people in {tenant.name} are {name}. Take a user name.")
    return found[0]
