"""Doorways for the messages worker: the mail that carries an invitation's link, and the news of an operator's look."""

from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse

from portal.config import config
from portal.foundation import clock
from portal.foundation.access.links import address_of
from portal.foundation.access.models import Invitation, Look, Membership, User
from portal.foundation.access.permissions import Role
from portal.foundation.access.words import harmless
from portal.foundation.audit.models import record, rehearse
from portal.foundation.outbox.drain import TryLater
from portal.foundation.outbox.models import Errand
from portal.foundation.outbox.registry import errand
from portal.foundation.tenancy.context import acting_for

ROBOT = "worker:messages"


@errand(queue="messages", tries=150)  # ten minutes apart: a day, then nobody waits for it any more
def send_invitation(promised: Errand) -> None:
    """Send the link, unless the invitation is over meanwhile.  A mail may come twice, never not at all."""
    invitation_id = UUID(promised.args[0])
    with acting_for(promised.tenant_id):
        invitation = (
            Invitation.objects.select_related("tenant")
            .filter(pk=invitation_id, taken_at=None, withdrawn_at=None, expires_at__gt=clock.now())
            .first()
        )
        if invitation is None:
            promised.finish()
            return
        mail = _compose(invitation)
        rehearse(actor=ROBOT, code="invitation:send", subject=invitation_id)
    try:
        mail.send()
    except OSError as error:  # smtplib's errors are OSErrors
        raise TryLater(f"mail: {type(error).__name__}") from error
    with acting_for(promised.tenant_id):
        record(actor=ROBOT, code="invitation:send", subject=invitation_id)
        promised.finish()


def _compose(invitation: Invitation) -> EmailMessage:
    context = {
        "name": harmless(invitation.name),
        "tenant": harmless(invitation.tenant.name),
        "roles": ", ".join(str(Role(role).label) for role in invitation.roles),
        "expires_at": invitation.expires_at,
        "address": address_of(invitation.tenant.pk, invitation.pk),
        "origin": config.origin,
    }
    return EmailMessage(
        subject=" ".join(render_to_string("people/mail/invitation-subject.txt", context).split()),
        body=render_to_string("people/mail/invitation.txt", context),
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[invitation.email],
        headers={"Auto-Submitted": "auto-generated"},  # RFC 3834: no out-of-office notes back
    )


@errand(queue="messages", tries=150)  # ten minutes apart: a day; it stands in the journal in any case
def tell_of_look(promised: Errand) -> None:
    """Tell an administrator that an operator looks inside.  A mail may come twice, never not at all."""
    look_id, person_id = (UUID(arg) for arg in promised.args)
    with acting_for(promised.tenant_id):
        look = Look.objects.select_related("tenant", "person").filter(pk=look_id).first()
        administrator = _administrator(person_id)
        if look is None or administrator is None:
            promised.finish()
            return
        mail = _news_of(look, administrator)
        rehearse(actor=ROBOT, code="look:tell", subject=look_id)
    try:
        mail.send()
    except OSError as error:  # smtplib's errors are OSErrors
        raise TryLater(f"mail: {type(error).__name__}") from error
    with acting_for(promised.tenant_id):
        record(actor=ROBOT, code="look:tell", subject=look_id, person=person_id)
        promised.finish()


def _administrator(person_id: UUID) -> User | None:
    """Whoever administers the unit's tenant no more, or never did, has no business with who looks into it."""
    seats = Membership.objects.select_related("person").filter(role=Role.ADMINISTRATOR, suspended_at=None)
    seat = seats.filter(person=person_id, person__is_active=True).first()
    return seat.person if seat else None


def _news_of(look: Look, administrator: User) -> EmailMessage:
    context = {
        "name": harmless(administrator.name),
        "operator": harmless(look.person.name),
        "tenant": harmless(look.tenant.name),
        "reason": " ".join(look.reason.split()),
        "until": look.until,
        "journal": f"{config.origin}{reverse('journal', kwargs={'tenant': look.tenant.slug})}",
    }
    return EmailMessage(
        subject=" ".join(render_to_string("platform/mail/look-subject.txt", context).split()),
        body=render_to_string("platform/mail/look.txt", context),
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[administrator.email],
        headers={"Auto-Submitted": "auto-generated"},
    )
