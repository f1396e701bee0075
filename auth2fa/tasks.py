"""Doorways for the messages worker: mails to a person about their own account, all in the platform's unit of work."""

from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from auth2fa.login.links import LIFETIME, link_for
from portal.config import config
from portal.foundation import clock
from portal.foundation.access.models import LOCAL, ApiToken, User
from portal.foundation.access.words import harmless
from portal.foundation.audit.models import record, rehearse
from portal.foundation.outbox.drain import TryLater
from portal.foundation.outbox.models import Errand
from portal.foundation.outbox.registry import errand
from portal.foundation.tenancy.context import acting_for

ROBOT = "worker:messages"

NEWS: dict[str, str | Promise] = {
    "password-changed": _(
        "Your password was changed, and every other session of yours was ended. Tokens for programs go on working: if"
        " you do not know one that the page “Tokens” shows, revoke it."
    ),
    "factor-added": _("An authenticator app was added to your account. From now on it can confirm what you do."),
    "factor-removed": _("An authenticator app was removed from your account."),
    "factors-reset": _("An administrator removed every authenticator app from your account."),
    "sessions-ended": _("An administrator ended every session of yours. You can sign in again at once."),
    "token-made": _(
        "A token was made with which a program can act in your name. The page “Tokens” shows it. If you did not make"
        " it, revoke it there: a new password alone does not end it."
    ),
    "token-revoked": _("An administrator revoked a token of yours. The program that used it can do nothing any more."),
    "token-ends": _(
        "A token of yours comes to its end within a week. The page “Tokens” shows which; if its program still needs"
        " one, make a new one there and give it to the program before."
    ),
}
"""What is told of one's account, by occasion."""


@errand(queue="messages", tries=150)  # ten minutes apart: a day, then nobody waits for it any more
def tell(promised: Errand) -> None:
    """Tell somebody what happened to their account.  A mail may come twice, never not at all."""
    person_id, occasion = promised.args
    with acting_for(promised.tenant_id):
        person = User.objects.filter(pk=UUID(person_id)).first()
        if person is None:
            promised.finish()
            return
    context: dict[str, object] = {"what": NEWS[occasion], "account": f"{config.origin}{reverse('account')}"}
    _deliver(promised, person, "news", context, occasion)


@errand(queue="messages", tries=150)
def warn_of_end(promised: Errand) -> None:
    """Tell somebody that a token of theirs ends soon, unless it was revoked or they left meanwhile."""
    with acting_for(promised.tenant_id):
        token = ApiToken.objects.select_related("person").filter(pk=UUID(promised.args[0])).first()
        if token is None or token.is_over(clock.now()) or not token.person.is_active:
            promised.finish()
            return
    context: dict[str, object] = {"what": NEWS["token-ends"], "account": f"{config.origin}{reverse('account')}"}
    _deliver(promised, token.person, "news", context, "token-ends")


@errand(queue="messages", tries=4)  # half a minute in all: the link is made when it is sent, and somebody waits for it
def send_reset(promised: Errand) -> None:
    """Send the link that sets a new password, if there is somebody with this id who has one here.

    The errand exists for names that are unknown, too, so that asking takes the same time for both.
    """
    with acting_for(promised.tenant_id):
        person = User.objects.filter(pk=UUID(promised.args[0]), issuer=LOCAL, is_active=True).first()
        if person is None:
            promised.finish()
            return
        link = link_for(person)  # in here, so that it is as old as the database says, wherever it is judged
    address = f"{config.origin}{reverse('password-new')}?link={link}"
    _deliver(promised, person, "reset", {"address": address, "minutes": LIFETIME // 60}, "password-reset")


def _deliver(promised: Errand, person: User, wording: str, context: dict[str, object], occasion: str) -> None:
    told = {"name": harmless(person.name), "origin": config.origin, **context}
    mail = EmailMessage(
        subject=" ".join(render_to_string(f"auth2fa/mail/{wording}-subject.txt", told).split()),
        body=render_to_string(f"auth2fa/mail/{wording}.txt", told),
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[person.email],
        headers={"Auto-Submitted": "auto-generated"},  # RFC 3834: no out-of-office notes back
    )
    with acting_for(promised.tenant_id):
        rehearse(actor=ROBOT, code="account:tell", subject=person.pk)
    try:
        mail.send()
    except OSError as error:  # smtplib's errors are OSErrors
        raise TryLater(f"mail: {type(error).__name__}") from error
    with acting_for(promised.tenant_id):
        record(actor=ROBOT, code="account:tell", subject=person.pk, occasion=occasion)
        promised.finish()
