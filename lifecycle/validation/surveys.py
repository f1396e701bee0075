"""Asking for surveys.  The caller is inside `acting_for(tenant)`."""

from datetime import timedelta
from uuid import UUID

from lifecycle.validation import tasks
from lifecycle.validation.caa import canonical
from lifecycle.validation.errors import TooManySurveys
from lifecycle.validation.models import CaaSurvey
from portal.foundation import clock
from portal.foundation.audit.models import record
from portal.foundation.outbox.models import send

PAUSE = timedelta(seconds=10)
"""One survey a name in this time, for the whole tenant: nobody's servers are asked faster through us."""

SPAN, MOST = timedelta(minutes=1), 20
"""So many surveys a person may ask for in that time."""

FORGOTTEN = timedelta(seconds=30)
"""After which one that nobody answered is promised once more: its errand may lie with the operator."""


def ask(name: str, *, by: UUID) -> CaaSurvey:
    """Have every label of *name* looked at; return the survey that counts now, which may be one of a moment ago.

    Raises `TooManySurveys`.
    """
    wanted, now = canonical(name), clock.now()
    newest = CaaSurvey.objects.filter(name=wanted).order_by("-asked_at").first()
    if newest and newest.answered_at and newest.asked_at > now - PAUSE:
        return newest
    if newest is None or newest.answered_at:
        if CaaSurvey.objects.filter(asked_by=by, asked_at__gt=now - SPAN).count() >= MOST:
            raise TooManySurveys(most=MOST, seconds=int(SPAN.total_seconds()))
        return _begun(wanted, by)
    if newest.asked_at < now - FORGOTTEN:
        send(tasks.survey, newest.pk)
    return newest


def _begun(name: str, by: UUID) -> CaaSurvey:
    """A new survey, or the one that somebody else has begun at the same moment."""
    fresh = CaaSurvey(name=name, asked_by=by)
    CaaSurvey.objects.bulk_create([fresh], ignore_conflicts=True)
    begun = CaaSurvey.objects.filter(name=name, answered_at=None).order_by("-asked_at").first()
    if begun is None or begun.pk != fresh.pk:
        return begun or CaaSurvey.objects.filter(name=name).latest("asked_at")  # answered within this very moment
    record(actor=by, code="caa:ask", subject=fresh.pk, name=name, request="adviser")
    send(tasks.survey, fresh.pk)
    return fresh
