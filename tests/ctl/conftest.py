"""A running portal, a wire to it, and people with tokens who sit at terminals."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lifecycle.certificates.models import Certificate
from portal.foundation.access import tokens
from portal.foundation.access.models import User
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import Tenant
from tests.ctl.terminal import Terminal
from tests.ctl.wire import Wire
from tests.journeys.live import Portal
from tests.world import issued

SUBSCRIBING = ("certificates:read", "requests:make")


@pytest.fixture(scope="package")
def _running(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    portal = Portal(tmp_path_factory.mktemp("portal"))
    try:
        portal.start()
        yield portal
    finally:
        portal.stop()


@pytest.fixture
def portal(_running: Portal, db: None) -> Portal:
    """The portal with an empty mailbox; `db` wipes behind the test."""
    _running.forget_mails()
    return _running


@pytest.fixture
def wire(portal: Portal) -> Iterator[Wire]:
    made = Wire(portal.port)
    made.open()
    yield made
    made.close()


def token_of(person: User, tenant: Tenant, *scopes: str) -> str:
    with acting_for(tenant.pk, person=person.pk):
        _row, secret = tokens.make(person.pk, name="portalctl", scopes=scopes, days=7, by=person.pk)
    return secret


SignIn = Callable[..., Terminal]


@pytest.fixture
def sits(wire: Wire, tmp_path: Path) -> SignIn:
    """Return a terminal at which somebody is signed in, `sits(petra, acme)`, with a token for *scopes*."""

    def start(person: User, tenant: Tenant, *scopes: str) -> Terminal:
        home = tmp_path / person.email
        home.mkdir()
        terminal = Terminal(home)
        secret = token_of(person, tenant, *(scopes or SUBSCRIBING))
        done = terminal.run("login", wire.origin, tenant.slug, stdin=f"{secret}\n")
        assert done.code == 0, done.err
        wire.sent.clear()
        return terminal

    return start


@pytest.fixture
def server(portal: Portal, petra: User, acme: Tenant) -> Certificate:
    """Petra's certificate for a name whose owner restricts nobody."""
    with portal.nobody_signs():
        return issued(petra, acme, profile="tls-server", dns="plain.demo.test")


@pytest.fixture
def paper(portal: Portal, petra: User, acme: Tenant) -> Certificate:
    """Petra's certificate for signing documents."""
    with portal.nobody_signs():
        return issued(petra, acme, name="Petra Nováková")
