"""Fixtures for all tests.  The machinery is in `tests/plugins`; `services` starts before Django reads its settings."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import redis
from django.conf import settings as running
from django.db import connection
from django.test import TransactionTestCase
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from portal.demo import records
from portal.demo.child import Child, wait_until
from portal.demo.nameserver import NameServer
from portal.demo.outposts import LIAR, STAND
from portal.demo.places import Unusable
from portal.demo.postgresql import OWNER, SERVICE_ROLES, PostgreSQL
from portal.demo.supervisor import worker_command
from portal.settings import PASSWORD_HASHERS
from tests.plugins.services import ROOT, superuser_url, surroundings
from tests.plugins.slate import slate

pytest_plugins = ["tests.world"]


def pytest_configure() -> None:
    running.PASSWORD_HASHERS = ["tests.fakes.hasher.Light"]


@pytest.fixture
def costly_passwords(settings: Any) -> None:
    """Check passwords with all the work that the product puts into it; people made before keep their cheap ones."""
    settings.PASSWORD_HASHERS = PASSWORD_HASHERS


@pytest.fixture(scope="session")
def django_db_setup() -> None:
    """Take the database that `tests.plugins.services` copied; Django's own test database would be another one."""
    slate()


def _wipe(_test: TransactionTestCase) -> None:
    slate().wipe()


TransactionTestCase._fixture_teardown = _wipe  # Django's `flush` would ask for TRUNCATE, which no service has


@pytest.fixture(autouse=True)
def _empty_mailbox() -> None:
    """Begin without the mails that the workers of an earlier test wrote."""
    folder = Path(surroundings().environment("web")["MAIL_URL"].removeprefix("file://"))
    for mail in folder.glob("*.log"):
        mail.unlink()


@pytest.fixture
def owner() -> Iterator[Cursor]:
    """Look at, or tamper with, the rows of every tenant: a superuser's cursor, each statement its own transaction."""
    with closing(psycopg2.connect(superuser_url())) as opened, opened.cursor() as cursor:
        opened.autocommit = True
        yield cursor


@pytest.fixture
def table_owner() -> Iterator[Cursor]:
    """Be `portal_owner`, whom row-level security and triggers bind like everybody else."""
    database = surroundings().database
    assert isinstance(database, PostgreSQL)
    with closing(psycopg2.connect(database.url(OWNER))) as opened, opened.cursor() as cursor:
        opened.autocommit = True
        yield cursor


@pytest.fixture
def as_service() -> Callable[[str], AbstractContextManager[None]]:
    """Let the default connection have the grants of the service that a `with` block names, inside that block.

    `as_service("owner")` is `portal_owner`, who makes tenants, people and authorities.
    """
    roles = {**SERVICE_ROLES, "owner": OWNER}

    @contextmanager
    def acting(service: str) -> Iterator[None]:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(roles[service])))
        try:
            yield
        finally:
            with connection.cursor() as cursor:
                cursor.execute("RESET ROLE")

    return acting


@dataclass(frozen=True, slots=True)
class Token:
    module: str
    label: str
    pin_file: Path


@pytest.fixture(scope="session")
def token() -> Token:
    """Return the SoftHSM token of this process; SOFTHSM2_CONF points to it already."""
    told = surroundings().token.environment("signing")
    return Token(told["PKCS11_MODULE"], told["PKCS11_TOKEN"], Path(told["PKCS11_PIN_FILE"]))


@pytest.fixture
def broker() -> Iterator[redis.Redis]:
    """Return this process's Redis database; what a test left in its queues is gone afterwards."""
    address = surroundings().broker.environment("web")["REDIS_URL"]
    url = address.replace("redis+socket://", "unix://", 1).replace("virtual_host=", "db=")
    with closing(redis.Redis.from_url(url)) as client:
        yield client
        # Celery declares its bindings once a connection and then relies on them
        if left := [key for key in client.keys("*") if not key.startswith(b"_kombu.binding.")]:
            client.delete(*left)


@pytest.fixture
def service_environment() -> Callable[[str], dict[str, str]]:
    """Return everything a real process of that service is told: its own role, this test's database."""
    return surroundings().environment


@pytest.fixture
def name_server() -> Iterator[None]:
    """Let the demo's own DNS answer for `demo.test` and `unsigned.test`, as it starts; there are no other names."""
    server = surroundings().names
    assert isinstance(server, NameServer)
    server.start()
    server.tell(replace(server.stage, perspectives=tuple(STAND), liar=LIAR))  # their page is there; they are not
    records.put_back(server.stage)  # an earlier test may have changed it
    yield
    server.stop()


@pytest.fixture
def celery_worker_process(tmp_path: Path) -> Iterator[Callable[[str], Child]]:
    """Start real workers, `celery_worker_process("signing")`; they listen when it returns and end with the test."""
    workers: list[Child] = []

    def start(queue: str) -> Child:
        log = tmp_path / f"worker-{queue}-{len(workers)}.log"
        command = worker_command(queue, f"{log.stem}@localhost")
        worker = Child(log.stem, command, surroundings().environment(queue), log, folder=ROOT)
        workers.append(worker)
        worker.start()
        if not wait_until(lambda: not worker.alive or " ready." in log.read_text(), 30.0) or not worker.alive:
            raise Unusable(f"The worker {worker.ending}:\n{worker.last_lines(30)}")
        return worker

    yield start
    for worker in workers:
        worker.stop()
