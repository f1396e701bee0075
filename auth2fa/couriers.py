"""How a code reaches a person: handed over while they wait, once, and never kept.

A code that arrives late is a code that does not work, so nothing is queued or tried
again: either the message is handed over within five seconds or the person is told at
once.  The only module here that speaks SMTP.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from django.conf import settings
from django.core.mail import EmailMessage
from structlog import get_logger

from auth2fa.errors import CourierFailed

LONGEST = 5.0
"""Seconds that a person waits for the mail server, over all its answers together."""

log = get_logger()


@dataclass(frozen=True, slots=True)
class Message:
    subject: str
    body: str


class Courier(Protocol):
    def deliver(self, address: str, message: Message) -> None:
        """Hand *message* over; raise `CourierFailed` if that did not work or is not known to have worked."""


class SmtpCourier:
    """Django's mail, with one limit over the whole conversation.

    Socket time-outs alone begin anew with every answer; a server that answers slowly,
    line by line, would hold the person for minutes.  So the conversation runs in a
    thread of a small pool: what has not begun when the time is over never begins, and
    what has begun is left to the socket's own time-out.
    """

    _threads = ThreadPoolExecutor(8, thread_name_prefix="courier")

    def __init__(self, longest: float = LONGEST) -> None:
        self._longest = longest

    def deliver(self, address: str, message: Message) -> None:
        mail = EmailMessage(
            message.subject,
            message.body,
            settings.DEFAULT_FROM_EMAIL,
            [address],
            headers={"Auto-Submitted": "auto-generated"},  # RFC 3834: no out-of-office notes back
        )
        sending = self._threads.submit(mail.send)
        try:
            sending.result(self._longest)
        except (OSError, ValueError) as error:  # smtplib's errors are OSErrors; an impossible address is a ValueError
            sending.cancel()
            # the kind of failure and nothing else: server replies and addresses are not for the log
            log.warning("courier.failed", courier="smtp", error=type(error).__name__)
            raise CourierFailed from error
