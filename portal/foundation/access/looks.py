"""An operator's look inside a tenant: asked for with a reason, for a time, and over at its end by itself.

Beginning and ending stand in the platform's journal and the tenant's; every page that is opened
meanwhile stands in the tenant's (the middleware writes it before the page is shown).  The tenant's
administrators are told by mail at the beginning.
"""

from datetime import timedelta
from uuid import UUID

from django.db import IntegrityError, transaction

from portal.foundation import clock
from portal.foundation.access import tasks
from portal.foundation.access.errors import LookIsOn, LookLasts, SeatedAlready
from portal.foundation.access.models import Look, Membership
from portal.foundation.access.permissions import Role
from portal.foundation.audit.models import record_for_both
from portal.foundation.outbox.models import send
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.models import PLATFORM, Tenant

SHORTEST, LONGEST = 15, 240
"""Minutes."""


def begin_look(tenant: Tenant, *, person: UUID, reason: str, minutes: int) -> Look:
    """Let an operator read in *tenant* for *minutes*, and tell its administrators.

    Raises `LookLasts`, `LookIsOn` where one is on already, or `SeatedAlready` for a member, who enters as that.
    """
    if tenant.pk == PLATFORM:
        raise NotHere
    if not SHORTEST <= minutes <= LONGEST:
        raise LookLasts(least=SHORTEST, most=LONGEST)
    with acting_for(tenant.pk, person=person):
        if Membership.objects.filter(person=person, suspended_at=None).exists():
            raise SeatedAlready(tenant=tenant.name)
        now = clock.now()
        Look.objects.filter(person=person, ended_at=None, until__lte=now).update(ended_at=now)
        look = Look(person_id=person, reason=reason, began_at=now, until=now + timedelta(minutes=minutes))
        try:
            with transaction.atomic():
                look.save(force_insert=True)
        except IntegrityError:
            raise LookIsOn(tenant=tenant.name) from None
        record_for_both(actor=person, code="look:begin", subject=look.pk, reason=reason, until=look.until)
        chiefs = Membership.objects.filter(role=Role.ADMINISTRATOR, suspended_at=None, person__is_active=True)
        for chief in chiefs.values_list("person", flat=True):
            send(tasks.tell_of_look, look.pk, chief)
    return look


def end_look(tenant: UUID, *, person: UUID) -> None:
    """End the look before its time; nothing happens if it is over already."""
    with acting_for(tenant, person=person):
        for look in Look.objects.select_for_update().filter(person=person, ended_at=None):
            look.ended_at = clock.now()
            look.save(update_fields=["ended_at"])
            record_for_both(actor=person, code="look:end", subject=look.pk)
