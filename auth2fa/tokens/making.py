"""Making and ending tokens as people do it: after the password and a code, and told by mail."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from uuid import UUID

from django.contrib.sessions.backends.base import SessionBase
from django.utils.translation import gettext as _

from auth2fa import stepping_up, tasks
from auth2fa.protocol import Person
from auth2fa.stepping_up import Deed
from portal.foundation.access import tokens
from portal.foundation.access.models import ApiToken
from portal.foundation.outbox.models import send
from portal.foundation.tenancy.models import Tenant

MAKE = "token:make"
WARNED = timedelta(days=7)
"""How long before its end the person is told."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the code is to stand for."""

    name: str
    scopes: Sequence[str]
    days: int


def deed_of(plan: Plan, tenant: Tenant) -> Deed:
    """The making of a token as what the password was shown for, and the code will be."""
    title = _("Make the token “{name}”").format(name=plan.name)
    scopes = _("In {tenant}: {scopes}; for {days} days").format(
        tenant=tenant.name, scopes=", ".join(plan.scopes), days=plan.days
    )
    return Deed(MAKE, json.dumps(asdict(plan), sort_keys=True), plan.name, title, scopes, tenant=str(tenant.pk))


def kept(session: SessionBase, tenant: Tenant) -> Deed | None:
    """Return the token of this tenant that waits for its code in this session, if any."""
    deed = stepping_up.kept(session, "token")
    return deed if deed and deed.tenant == str(tenant.pk) else None


def plan_of(deed: Deed) -> Plan:
    return Plan(**json.loads(deed.subject))


def carry_out(session: SessionBase, person: Person, deed: Deed) -> tuple[ApiToken, str]:
    """Make the token that was confirmed, in the unit of work in which its code is spent; return its secret, too.

    Raises `ChallengeOver`, and what `tokens.make` raises.
    """
    plan = plan_of(deed)
    with stepping_up.unit_of(deed, person):
        stepping_up.spend(session, person, deed)
        made, secret = make(person.id, plan, by=person.id)
    stepping_up.done(session, deed)
    return made, secret


def make(person_id: UUID, plan: Plan, *, by: object) -> tuple[ApiToken, str]:
    """Make it, tell its person, and promise to tell them before it ends; in the unit's tenant.

    Raises what `tokens.make` raises.
    """
    made, secret = tokens.make(person_id, name=plan.name, scopes=plan.scopes, days=plan.days, by=by)
    send(tasks.tell, person_id, "token-made")
    if plan.days > WARNED.days:
        send(tasks.warn_of_end, made.pk).postpone(made.expires_at - WARNED - made.made_at)
    return made, secret


def revoke(token_id: UUID, *, by: UUID, may_all: bool) -> ApiToken:
    """End a token at once, and tell its person where somebody else did it.  Raises `NotHere`."""
    worked = ApiToken.objects.filter(pk=token_id, revoked_at=None).exists()
    ended = tokens.revoke(token_id, by=by, may_all=may_all)
    if worked and ended.person_id != by:
        send(tasks.tell, ended.person_id, "token-revoked")
    return ended
