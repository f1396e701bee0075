"""What an operator sees first: what needs them, and how everything is."""

from dataclasses import dataclass
from datetime import datetime

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from lifecycle.validation.resolving import faults_of_resolvers
from lifecycle.validation.standing_report import faults_told_by
from lifecycle.wizards.presentation import Chip
from portal.foundation import clock
from portal.foundation.outbox.heartbeat import heard_from
from portal.foundation.outbox.models import Errand
from portal.foundation.outbox.registry import QUEUES
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.middleware import TenantRequest
from portal.foundation.tenancy.models import PLATFORM, Tenant
from portal.foundation.token.report import token_reports

TITLES = {
    "signing": gettext_lazy("Signing"),
    "validation": gettext_lazy("Validation"),
    "publishing": gettext_lazy("Publishing"),
    "messages": gettext_lazy("Messages"),
    "relay": gettext_lazy("Relay"),
}
"""What each service is called; a service without a row is shown by its own name."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service: whether it is heard, since when, how long its oldest work waits, and what to do."""

    title: str | Promise
    status: Chip
    processes: int
    heard: datetime | None
    oldest: datetime | None
    next_step: str


def overview(request: TenantRequest) -> HttpResponse:
    with acting_for(PLATFORM):
        now = clock.now()
        services = [service_of(name) for name in (*QUEUES, "relay")]
        parked = Errand.objects.filter(done_at=None, parked_at__isnull=False)[:1000].count()
        suspended = Tenant.objects.filter(suspended_at__isnull=False, closes_at=None).order_by("name")[:20]
        closing = Tenant.objects.filter(closes_at__gt=now).order_by("closes_at")[:20]
        tokens = [report for report in token_reports() if not report.well]
        ailing = [service for service in services if service.status.tone != "good"]
        count = len(ailing) + len(tokens) + bool(parked)
        context = {
            "heading": ngettext("{count} thing needs you", "{count} things need you", count).format(count=count)
            if count
            else _("Everything works"),
            "services": services,
            "tokens": tokens,
            "parked": parked,
            "suspended": suspended,
            "closing": closing,
        }
        return render(request, "platform/overview.html", context)


def service_of(name: str) -> Service:
    heard = heard_from(name)
    alive = [heartbeat for heartbeat in heard if not heartbeat.stale]
    due = Errand.objects.filter(queue=name, done_at=None, parked_at=None, due_at__lte=clock.now())
    oldest = due.order_by("due_at").values_list("due_at", flat=True).first()
    step = ""
    if not heard:
        status, step = Chip("plain", _("Never heard of")), _("Start it; the operations page says how.")
    elif not alive:
        status, step = Chip("bad", _("Silent")), _("Start it again and look at the end of its log.")
    elif not all(heartbeat.well for heartbeat in alive):
        status, step = Chip("watch", _("Ailing")), _("What ails it stands below, or in its log.")
        step = " ".join([*faults_of_resolvers(alive), *faults_told_by(alive)]) or step
    else:
        status = Chip("good", _("Works"))
    return Service(TITLES.get(name, name), status, len(alive), heard[0].at if heard else None, oldest, step)
