"""Doorways for the messages worker: the mail that carries an invitation's link."""

from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string

from portal.config import config
from portal.foundation import clock
from portal.foundation.access.links import address_of
from portal.foundation.access.models import Invitation
from portal.foundation.access.permissions import Role
from portal.foundation.access.words import harmless
from portal.foundation.audit.models import record
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
        "address": address_of(invitation.tenant_id, invitation.pk),
        "origin": config.origin,
    }
    return EmailMessage(
        subject=" ".join(render_to_string("people/mail/invitation-subject.txt", context).split()),
        body=render_to_string("people/mail/invitation.txt", context),
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[invitation.email],
        headers={"Auto-Submitted": "auto-generated"},  # RFC 3834: no out-of-office notes back
    )
