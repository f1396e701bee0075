"""Proving again in time what the portal can prove by itself, and ending what took too long; once a day.

What it cannot prove by itself, `warning` tells people about.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from lifecycle.validation import control as controls
from lifecycle.validation.attempts import OPEN, ROBOT, give_up
from lifecycle.validation.errors import MethodNotUsable
from lifecycle.validation.models import Domain, DomainControl
from lifecycle.validation.proofs import longest_proofs, renews_alone, until_of
from lifecycle.validation.states import ControlState
from lifecycle.validation.warning import warn
from portal.foundation import clock
from portal.foundation.outbox.models import Errand, send
from portal.foundation.outbox.registry import Task, errand
from portal.foundation.states import ChangedMeanwhile
from portal.foundation.tenancy.context import acting_for, current_tenant_id
from portal.foundation.tenancy.models import Tenant

AT_ONCE = 100
"""Domains that one errand proves again; the next one follows it."""

LEAST_LEAD = timedelta(days=7)

DAILY_AT = timedelta(hours=4)  # after midnight UTC


@dataclass(slots=True)
class Days:
    """The memory of one relay: for which day everything is promised already."""

    promised: date | None = None

    def go(self) -> None:
        """Promise the day's work of every tenant, once, whatever other relays did and however often this one starts."""
        now = clock.now()
        begins = now.replace(hour=0, minute=0, second=0, microsecond=0) + DAILY_AT
        if now < begins or self.promised == now.date():
            return
        for tenant_id in Tenant.objects.order_by("pk").values_list("pk", flat=True):
            promise_day(tenant_id, since=begins)
        self.promised = now.date()


def promise_day(tenant_id: UUID, *, since: datetime) -> None:
    """Promise one tenant's work of the day that began at *since*, unless that was done."""
    with acting_for(tenant_id):
        for task in (renew, warn):
            if not _promised(task, since):
                send(task)


def _promised(task: Task, since: datetime) -> bool:
    mine = Errand.objects.filter(tenant_id=current_tenant_id(), queue=task.queue, task=task.name)
    return mine.filter(due_at__gte=since).exists() or mine.filter(done_at=None).exists()


@errand(queue="validation", rests=True)
def renew(promised: Errand) -> None:
    """End attempts whose time ran out, and begin anew for proofs that are to be renewed without anybody's help."""
    with acting_for(promised.tenant_id):
        _end_late_ones()
        due = due_for_renewal(clock.now())
        for domain in due[:AT_ONCE]:
            _begin(domain)
        if len(due) > AT_ONCE:
            send(renew)
        promised.finish()


def due_for_renewal(now: datetime) -> list[Domain]:
    """The domains that can prove themselves, whose proof comes to its end, and for which nothing is under way."""
    mine = Domain.objects.filter(retired_at=None, proved_at__isnull=False)
    busy = DomainControl.objects.filter(state__in=OPEN).values("domain")
    able = [domain for domain in mine.exclude(pk__in=busy) if renews_alone(domain)]
    proofs = longest_proofs(DomainControl.objects.filter(domain__in=able))
    return [domain for domain in able if domain.pk in proofs and is_due(proofs[domain.pk], now)]


def is_due(proof: DomainControl, now: datetime) -> bool:
    """A third of its time before a proof ends, and seven days at least."""
    until, proved_at = until_of(proof), proof.proved_at or proof.asked_at
    return now >= until - max((until - proved_at) / 3, LEAST_LEAD)


def _begin(domain: Domain) -> None:
    before = DomainControl.objects.filter(domain=domain, method=domain.method).order_by("-asked_at").first()
    try:
        begun = controls.begin(domain, method=domain.method, by=ROBOT, issuer=before.value if before else "")
    except MethodNotUsable:  # its dates are over: people are warned of the end like of any other
        return
    if not begun.automatic:
        controls.look_now(begun, by=ROBOT)


def _end_late_ones() -> None:
    late = DomainControl.objects.filter(state=ControlState.PENDING, ends_at__lte=clock.now())
    for control in late.select_for_update(skip_locked=True)[: 10 * AT_ONCE]:
        try:
            give_up(control, by=ROBOT, reason="too-late")
        except ChangedMeanwhile:
            continue
