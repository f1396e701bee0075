"""Mails about a request: promised in the unit of work that has the news, sent by the messages worker, once."""

from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import IntegrityError
from django.template.loader import render_to_string
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from lifecycle.certificates.models import Certificate
from lifecycle.requests.kinds import UseCase
from lifecycle.requests.models import CertificateRequest, Notice, request_of
from lifecycle.requests.orders import common_name_of
from portal.config import config
from portal.foundation.access.models import User
from portal.foundation.audit.models import record, rehearse
from portal.foundation.outbox.drain import TryLater
from portal.foundation.outbox.models import Errand
from portal.foundation.outbox.registry import errand
from portal.foundation.tenancy.context import acting_for

ROBOT = "worker:messages"

SUBJECTS: dict[str, str | Promise] = {
    "request-completed": _("Your certificate {name} is ready ({number})"),
    "request-failed": _("Your certificate {name} could not be issued ({number})"),
    "request-rejected": _("Your request for {name} was rejected ({number})"),
}


@errand(queue="messages", tries=150)  # ten minutes apart: a day, then nobody waits for it any more
def send_notice(promised: Errand) -> None:
    person, request, occasion = promised.args
    deliver(promised, UUID(person), UUID(request), occasion)


def deliver(promised: Errand, person: UUID, request_id: UUID, occasion: str) -> None:
    """Send one notice to whoever asked for the request, and to nobody else.

    Its row is written after the mail server took it: a mail may come twice, never not at all.
    """
    with acting_for(promised.tenant_id):
        request = request_of(request_id)
        sent = Notice.objects.filter(person_id=person, subject=request.pk, occasion=occasion)
        if request.requested_by != person or sent.exists():
            promised.finish()
            return
        certificate = Certificate.objects.filter(made_from=request.pk).first()
        to = User.objects.get(pk=person)
        mail = _compose(request, certificate, to, occasion)
        rehearse(actor=ROBOT, code="notice:send", subject=request.pk)
    try:
        mail.send()
    except OSError as error:  # smtplib's errors are OSErrors
        raise TryLater(f"mail: {error}") from error
    try:
        with acting_for(promised.tenant_id):
            Notice(person_id=person, subject=request.pk, occasion=occasion).save(force_insert=True)
            record(actor=ROBOT, code="notice:send", subject=request.pk, person=person, occasion=occasion)
            promised.finish()
    except IntegrityError:  # another worker sent it at the same moment and has written it down
        promised.finish()


def _compose(request: CertificateRequest, certificate: Certificate | None, to: User, occasion: str) -> EmailMessage:
    name = certificate.name if certificate else name_of(request)
    context = {
        "person": to,
        "request": request,
        "certificate": certificate,
        "name": name,
        "rejected_for": rejection.comment if (rejection := request.approvals.filter(approves=False).first()) else "",
        "revokes": request.use_case == UseCase.COMPROMISED,
        "url": f"{config.origin}/t/{request.tenant.slug}/requests/{request.pk}/",
    }
    return EmailMessage(
        subject=str(SUBJECTS[occasion]).format(name=name, number=request.number),
        body=render_to_string(f"requests/mail/{occasion}.txt", context),
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[to.email],
        headers={
            "Auto-Submitted": "auto-generated",  # RFC 3834: no out-of-office notes back
            "Message-ID": f"<{occasion}.{request.pk}.{to.pk}@{config.host}>",  # should it come twice, it is one mail
        },
    )


def name_of(request: CertificateRequest) -> str:
    """What the request is about, before there is a certificate."""
    if request.predecessor is not None:
        return request.predecessor.name
    return common_name_of(request) or request.number
