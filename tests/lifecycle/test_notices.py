"""Mails about requests: to a server that really listens, and sometimes does not."""

import socket
from collections.abc import Iterator
from contextlib import closing
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import pytest
from aiosmtpd.controller import Controller
from django.db import connection

from lifecycle.certificates.models import Certificate
from lifecycle.requests.models import CertificateRequest, Notice
from lifecycle.requests.tasks import send_notice
from portal.config import config
from portal.foundation import clock
from portal.foundation.access.models import User
from portal.foundation.audit.models import AuditEvent
from portal.foundation.outbox.drain import run
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_for
from tests.fakes.authority import Killed
from tests.world import carry_out, issued, serving, submitted

pytestmark = pytest.mark.django_db


class MailServer:
    """Keeps what it takes; `answer` is what it says to every mail."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.answer = "250 taken"
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            self.port = free.getsockname()[1]
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port)

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 - aiosmtpd's name
        if self.answer.startswith("250"):
            self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return self.answer


@pytest.fixture
def server(settings) -> Iterator[MailServer]:
    server = MailServer()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    server.controller.start()
    yield server
    if server.controller.server is not None:
        server.controller.stop()


@pytest.fixture
def done(acme, petra) -> CertificateRequest:
    return carry_out(submitted(petra, acme))


def promise_of(request: CertificateRequest) -> Errand:
    return Errand.objects.get(task=send_notice.name, args__1=str(request.pk))


def deliver(promise: Errand) -> Errand:
    with serving("messages"):
        run(promise)
    promise.refresh_from_db()
    return promise


def kept(request: CertificateRequest) -> tuple[list[Any], list[str]]:
    """What is written down about a request's notices: the rows, and the journal's lines."""
    with serving("messages"), acting_for(request.tenant_id):
        return (
            list(Notice.objects.filter(subject=request.pk).values_list("person_id", "occasion")),
            list(AuditEvent.objects.filter(subject=request.pk, code="notice:send").values_list("actor", flat=True)),
        )


@pytest.mark.rule("1.R30")
def test_the_mail_leads_to_the_page_where_the_certificate_is_downloaded(server, acme, petra, done):
    promise = deliver(promise_of(done))
    assert promise.done_at is not None
    [mail] = server.mails
    text = mail.get_content().replace("\r\n", "\n")
    with acting_for(acme.pk):
        certificate = Certificate.objects.get(made_from=done.pk)
    assert f"{config.origin}/t/acme/requests/{done.pk}/\n" in text
    assert certificate.serial in text
    assert mail["To"] == petra.email
    assert mail["Subject"].strip() == f"Your certificate Petra Nováková is ready ({done.number})"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert kept(done) == ([(petra.pk, "request-completed")], ["worker:messages"])


def test_a_failure_is_told_with_its_reason(server, acme, petra, owner):
    request = submitted(petra, acme)
    owner.execute("SET session_replication_role = replica; DELETE FROM policies_agreementacceptance")
    failed = carry_out(request)
    deliver(promise_of(request))
    [mail] = server.mails
    assert failed.state == "failed"
    assert failed.why_failed in mail.get_content()
    assert "could not be issued" in mail["Subject"]
    assert f"{config.origin}/t/acme/requests/{request.pk}/" in mail.get_content()


@pytest.mark.parametrize(
    ("use_case", "said"), [("lost", "goes on working"), ("compromised", "The old certificate is revoked")]
)
def test_the_mail_says_what_becomes_of_the_old_certificate(server, acme, petra, use_case, said):
    source = issued(petra, acme)
    request = carry_out(submitted(petra, acme, source=source, use_case=use_case))
    deliver(promise_of(request))
    assert said in server.mails[-1].get_content()


def test_a_promise_that_comes_twice_is_one_mail(server, done):
    promise = promise_of(done)
    deliver(promise)
    Errand.objects.filter(pk=promise.pk).update(done_at=None)
    again = Errand.objects.get(pk=promise.pk)
    assert deliver(again).done_at is not None
    assert len(server.mails) == 1
    assert len(kept(done)[0]) == 1


def test_a_worker_that_dies_after_the_mail_sends_it_again_under_the_same_name(server, done):
    """Twice and not never; a mail program shows two mails with one Message-ID once."""

    def door(execute: Any, sql: str, *rest: Any) -> Any:
        if 'INTO "requests_notice"' in sql:
            raise Killed
        return execute(sql, *rest)

    promise = promise_of(done)
    with pytest.raises(Killed), connection.execute_wrapper(door):
        deliver(promise)
    assert kept(done) == ([], [])
    deliver(promise)
    assert len(server.mails) == 2
    assert len({mail["Message-ID"] for mail in server.mails}) == 1
    assert len(kept(done)[0]) == 1


def test_a_mail_server_that_is_down_gets_the_mail_when_it_is_back(server, done):
    server.controller.stop()
    promise = deliver(promise_of(done))
    assert promise.done_at is promise.parked_at is promise.leased_until is None
    assert "Connection refused" in promise.last_error
    assert promise.due_at > clock.now()
    assert kept(done) == ([], [])
    server.controller = Controller(server, hostname="127.0.0.1", port=server.port)
    server.controller.start()
    assert deliver(promise).done_at is not None
    assert len(server.mails) == 1


def test_a_mail_server_that_says_no_is_asked_again_later(server, done):
    server.answer = "451 come back later"
    promise = deliver(promise_of(done))
    assert promise.done_at is None
    assert "451" in promise.last_error
    server.answer = "250 taken"
    assert deliver(promise).done_at is not None
    assert len(server.mails) == 1


def test_after_a_day_nobody_waits_for_a_notice_any_more(server, done):
    server.answer = "451 come back later"
    promise = promise_of(done)
    waited = 0.0
    while promise.parked_at is None:
        promise.tries += 1  # as every claim does
        Errand.objects.filter(pk=promise.pk).update(tries=promise.tries)
        asked = clock.now()
        promise = deliver(promise)
        waited += max(0.0, (promise.due_at - asked).total_seconds())
    assert promise.tries == send_notice.tries
    assert 23 * 3600 < waited < 25 * 3600


def test_a_notice_is_its_own_tenants(server, globex, hank, done):
    """The errand names a request of another tenant: it finds none, and is parked for the operator to look at."""
    promise = promise_of(done)
    Errand.objects.filter(pk=promise.pk).update(tenant_id=globex.pk)
    lost = deliver(Errand.objects.get(pk=promise.pk))
    assert lost.parked_at is not None
    assert server.mails == []
    assert UUID(lost.args[0]) == done.requested_by
    assert User.objects.get(pk=hank.pk).email not in lost.last_error
