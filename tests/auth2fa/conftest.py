"""Two people, two tenants and a mail server that really listens."""

import re
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from uuid import UUID, uuid4

import pytest
from aiosmtpd.controller import Controller
from django.contrib.auth.hashers import make_password

from auth2fa.protocol import Person
from portal.foundation.access.models import User
from tests import world


class Mailbox:
    """What the mail server took, in order."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 - aiosmtpd's name
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 taken"

    def code(self) -> str:
        """The code in the newest mail."""
        [code] = re.findall(r"^ {4}(\d+)\r?$", self.mails[-1].get_content(), re.MULTILINE)
        return code

    def wrong_code(self) -> str:
        return f"{(int(self.code()) + 1) % 10 ** len(self.code()):0{len(self.code())}}"


class _OnAnyPort(Controller):
    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture(scope="session")
def mail_server() -> Iterator[tuple[Mailbox, Controller]]:
    mailbox = Mailbox()
    controller = _OnAnyPort(mailbox, hostname="127.0.0.1", port=0)
    controller.start()
    yield mailbox, controller
    controller.stop()


@pytest.fixture
def mailbox(mail_server, settings) -> Mailbox:
    """Every mail of this test goes through SMTP into it."""
    box, controller = mail_server
    box.mails.clear()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = controller.hostname, controller.port
    return box


@pytest.fixture
def make_person(db, owner) -> Callable[..., User]:
    def make(subject: str, *, password: str | None = None, is_active: bool = True, issuer: str = "local") -> User:
        pk = uuid4()
        owner.execute(
            "INSERT INTO access_user (id, issuer, subject, email, name, password, is_active, created_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, now())",
            [str(pk), issuer, subject, f"{subject}@example.test", subject.title(), make_password(password), is_active],
        )
        return User.objects.get(pk=pk)

    return make


@pytest.fixture
def ada(make_person) -> Person:
    user = make_person("ada")
    return Person(id=user.pk, name=user.name, email=user.email)


@pytest.fixture
def bob(make_person) -> Person:
    user = make_person("bob")
    return Person(id=user.pk, name=user.name, email=user.email)


@pytest.fixture
def make_tenant(db, owner) -> Callable[[str], UUID]:
    def make(slug: str) -> UUID:
        pk = uuid4()
        owner.execute(
            "INSERT INTO tenancy_tenant (id, slug, name, created_at) VALUES (%s, %s, %s, now())",
            [str(pk), slug, slug.title()],
        )
        return pk

    return make


@pytest.fixture
def acme(make_tenant) -> UUID:
    return make_tenant("acme")


@pytest.fixture
def globex(make_tenant) -> UUID:
    return make_tenant("globex")


@pytest.fixture
def journal(owner) -> Callable[[UUID], list[tuple[str, str, dict]]]:
    """Return a tenant's lines, oldest first: code, actor, facts."""

    def read(tenant: UUID) -> list[tuple[str, str, dict]]:
        owner.execute("SELECT code, actor, facts FROM audit_auditevent WHERE tenant_id = %s ORDER BY id", [str(tenant)])
        return owner.fetchall()

    return read


@pytest.fixture
def at_once() -> Callable[[int, Callable[[], object]], list[object]]:
    """Run something several times at the same moment; return what each run returned or raised."""
    return world.at_once
