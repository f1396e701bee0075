"""Proving by mail: whom the DNS names, the mail with its link, and what the page behind the link does.

The link is signed and names the row and its nonce, which is new for each attempt (BR 3.2.2.4.4: unique in each mail).
"""

from datetime import timedelta
from math import ceil
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.core.mail import EmailMessage
from django.db.models import Q, QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _

from lifecycle.validation.attempts import ROBOT, advance, give_up
from lifecycle.validation.errors import ApprovalOver, TooManyMails
from lifecycle.validation.models import ControlLook, Domain, DomainControl
from lifecycle.validation.observing import everywhere
from lifecycle.validation.proving import Ask, aim_of, look, prove
from lifecycle.validation.states import ControlEvent, ControlState
from lifecycle.validation.warning import REFUSED, tell_people
from portal.config import config
from portal.foundation import clock
from portal.foundation.access.words import harmless
from portal.foundation.audit.models import record, rehearse
from portal.foundation.outbox.drain import TryLater
from portal.foundation.outbox.models import Errand, send
from portal.foundation.outbox.registry import errand
from portal.foundation.tenancy.context import acting_for
from portal.foundation.writing import change, insert

MESSAGES = "worker:messages"
ADDRESSEE = "link:approval"
"""Who acted through a link of a mail: somebody who reads that mailbox, and of whom no more is known."""

FOUND = "contact-found"

MOST_A_DAY = 5
"""Mails of one tenant about one domain, and to one mailbox, within a day."""

MOST_IN_ALL = 100
"""Mails of one tenant within a day, so that nobody can send to strangers through the portal as they like."""

_SALT = "domain-approval"
_DAY = timedelta(days=1)


def judge_pace(domain: Domain, address: str) -> None:
    """Raise `TooManyMails` where another one would be more than strangers have to bear."""
    now = clock.now()
    recent = DomainControl.objects.filter(asked_at__gt=now - _DAY).exclude(sent_to="")
    if recent.count() >= MOST_IN_ALL:
        oldest = recent.order_by("-asked_at").values_list("asked_at", flat=True)[MOST_IN_ALL - 1]
        seconds = max(1, ceil((oldest + _DAY - now).total_seconds()))
        raise TooManyMails(most=MOST_IN_ALL, name=_("all your domains together"), seconds=seconds)
    for about in (Q(domain=domain), Q(sent_to=address)):
        newest = recent.filter(about).order_by("-asked_at").values_list("asked_at", flat=True)[:MOST_A_DAY]
        if len(newest) == MOST_A_DAY:
            seconds = max(1, ceil((newest[MOST_A_DAY - 1] + _DAY - now).total_seconds()))
            name = domain.name if about == Q(domain=domain) else address
            raise TooManyMails(most=MOST_A_DAY, name=name, seconds=seconds)


@errand(queue="validation", rests=True)
def find_contacts(promised: Errand) -> None:
    """Find out whether the DNS names the mailbox that was chosen, and have the mail sent if it does."""
    find(promised)


def find(promised: Errand, ask: Ask = everywhere) -> None:
    with acting_for(promised.tenant_id):
        waiting = DomainControl.objects.select_related("domain", "tenant").filter(
            pk=UUID(promised.args[0]), state=ControlState.PENDING, ends_at__gt=clock.now()
        )
        control = waiting.first()
        if control is None:
            promised.finish()
            return
        aim = aim_of(control)
    sight = look(aim, ask)
    reason = sight.finding.reason
    if sight.finding.seen:
        reason = FOUND
    elif reason == "no-such-contact" and not control.sent_to and sight.finding.facts["contacts"]:
        reason = "choose-contact"
    with acting_for(promised.tenant_id):
        current = DomainControl.objects.select_for_update().get(pk=control.pk)
        if current.state == ControlState.PENDING:
            insert(ControlLook(control=current, reason=reason, evidence=dict(sight.evidence)))
            change(DomainControl, where={"id": current.pk}, to={"reason": reason})
            record(actor=ROBOT, code="control:contact", subject=current.pk, domain=current.domain_id, reason=reason)
            if sight.finding.seen:
                send(send_approval, current.pk)
        promised.finish()


@errand(queue="messages", tries=150, rests=True)  # ten minutes apart: a day, then the attempt is begun anew
def send_approval(promised: Errand) -> None:
    """Send the link, unless the attempt is over meanwhile.  A mail may come twice, never not at all."""
    pk = UUID(promised.args[0])
    with acting_for(promised.tenant_id):
        control = _open().filter(pk=pk).exclude(sent_to="").first()
        if control is None:
            promised.finish()
            return
        mail = _compose(control)
        rehearse(actor=MESSAGES, code="control:send", subject=pk)
    try:
        mail.send()
    except OSError as error:  # smtplib's errors are OSErrors
        raise TryLater(f"mail: {type(error).__name__}") from error
    with acting_for(promised.tenant_id):
        record(actor=MESSAGES, code="control:send", subject=pk, domain=control.domain_id)
        promised.finish()


def address_of(control: DomainControl) -> str:
    """Return the whole address that approves; whoever has it reads the mailbox it was sent to."""
    link = signing.dumps([str(control.tenant_id), str(control.pk), control.nonce], salt=_SALT)
    return f"{config.origin}{reverse('domain-approval')}?link={link}"


def read_link(link: str) -> tuple[UUID, UUID, str]:
    """Return tenant, attempt and nonce of a link that we wrote; raise `ApprovalOver` for any other text."""
    try:
        tenant, control, nonce = signing.loads(link, salt=_SALT)
        return UUID(tenant), UUID(control), str(nonce)
    except (signing.BadSignature, ValueError, TypeError, AttributeError):
        raise ApprovalOver from None


def standing(pk: UUID, nonce: str) -> DomainControl:
    """Return an attempt that could be approved now; raise `ApprovalOver` otherwise."""
    control = _open().filter(pk=pk, nonce=nonce).exclude(nonce="").first()
    if control is None or control.tenant.rests(clock.now()):
        raise ApprovalOver
    return control


def approve(pk: UUID, nonce: str) -> DomainControl:
    """Take the link's word for it, once; the validation worker looks at what else there is to see, and proves.

    Raises `ApprovalOver`.
    """
    control = standing(pk, nonce)
    advance(control, ControlEvent.LOOK)
    record(actor=ADDRESSEE, code="control:approve", subject=control.pk, domain=control.domain_id)
    send(prove, control.pk)
    return control


def refuse(pk: UUID, nonce: str) -> DomainControl:
    """End the attempt: whoever reads the mailbox knows nothing of it, or does not want it.  Raises `ApprovalOver`."""
    control = standing(pk, nonce)
    give_up(control, by=ADDRESSEE, reason="refused-by-mail")
    send(tell_people, control.pk, REFUSED)
    return control


def _open() -> QuerySet[DomainControl]:
    waiting = DomainControl.objects.select_related("domain", "tenant")
    return waiting.filter(state=ControlState.PENDING, ends_at__gt=clock.now(), domain__retired_at=None)


def _compose(control: DomainControl) -> EmailMessage:
    context = {
        "tenant": harmless(control.tenant.name),
        "domain": control.domain.name,
        "is_mailbox": control.domain.kind == "mailbox",
        "expires_at": control.ends_at,
        "address": address_of(control),
        "origin": config.origin,
    }
    return EmailMessage(
        subject=" ".join(render_to_string("domains/mail/approval-subject.txt", context).split()),
        body=render_to_string("domains/mail/approval.txt", context),
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[control.sent_to],
        headers={
            "Auto-Submitted": "auto-generated",  # RFC 3834: no out-of-office notes back
            "Message-ID": f"<approval.{control.pk}@{config.host}>",  # should it come twice, it is one mail
        },
    )
