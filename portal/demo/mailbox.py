"""Every mail of the demo, for everybody to read.  This address exists in the demo only."""

import email
import email.policy
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from portal.config import config
from portal.foundation.tenancy.errors import NotHere

_SEPARATOR = b"-" * 79 + b"\n"  # what Django's file backend writes behind every mail
MOST = 100


@dataclass(frozen=True, slots=True)
class Mail:
    name: str
    to: str
    sender: str
    subject: str
    at: datetime
    body: str

    @property
    def url(self) -> str:
        return reverse("demo-mail", kwargs={"name": self.name})


def _delivered() -> list[Mail]:
    folder = Path(config.mail.folder)
    files = sorted(folder.glob("*.log"), key=lambda file: file.stat().st_mtime, reverse=True)[:MOST]
    found = [_read(content) for file in files for content in file.read_bytes().split(_SEPARATOR) if content.strip()]
    return sorted(found, key=lambda mail: mail.at, reverse=True)[:MOST]


def _read(content: bytes) -> Mail:
    message = email.message_from_bytes(content.lstrip(), policy=email.policy.default)
    body = message.get_body(("plain",)) if isinstance(message, EmailMessage) else None
    at = parsedate_to_datetime(message["Date"]) if message["Date"] else datetime.fromtimestamp(0, UTC)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)  # Django writes -0000, which is UTC without saying so
    return Mail(
        name=hashlib.sha256(content).hexdigest()[:20],
        to=str(message["To"] or ""),
        sender=str(message["From"] or ""),
        subject=str(message["Subject"] or ""),
        at=at,
        body=body.get_content() if body else "",
    )


def mails(request: HttpRequest) -> HttpResponse:
    return render(request, "demo/mailbox.html", {"mails": _delivered()})


def mail(request: HttpRequest, name: str) -> HttpResponse:
    wanted = next((each for each in _delivered() if each.name == name), None)
    if wanted is None:
        raise NotHere
    return render(request, "demo/message.html", {"mail": wanted, "mailbox_url": reverse("demo-mailbox")})
