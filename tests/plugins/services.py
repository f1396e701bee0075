"""Real PostgreSQL, Redis and SoftHSM for a test run; loaded with `-p` before Django reads its settings.

The first process starts the servers and makes one migrated database.  Every process, an xdist worker or the only
one there is, copies it, gets a Redis database and a token of its own, and says so in its environment.  All of it
lies in one temporary folder that goes away with the first process.
"""

import atexit
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Generator
from contextlib import closing
from functools import cache
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql

from portal.demo.child import Child, bare_environment
from portal.demo.embedded import Redis, SoftHsm
from portal.demo.nameserver import NameServer
from portal.demo.places import Places, Unusable
from portal.demo.postgresql import OWNER, SERVICE_ROLES, SUPERUSER, PostgreSQL, make_role
from portal.demo.surroundings import Surroundings

ROOT = Path(__file__).resolve().parent.parent.parent
TESTER = "portal_test"
FOLDER = "PORTAL_TEST_FOLDER"
_PORT = 8000  # nobody listens there; it only stands in addresses


def process() -> str:
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


@cache
def surroundings() -> Surroundings:
    """Return what this process stands on: servers shared by all, database and token of its own."""
    base = Path(os.environ[FOLDER])
    number = 0 if process() == "main" else int(process().removeprefix("gw")) + 1
    own = Places(base / process())
    return Surroundings(
        own,
        _PORT,
        bare_environment(),
        PostgreSQL(Places(base), durable=False, database=f"test_{process()}"),
        Redis(Places(base), durable=False, database=number),
        SoftHsm(own, label=f"portal-{process()}"),
        NameServer(own),
    )


def superuser_url(database: str = "") -> str:
    """Return the way in that row-level security does not see; only tests have it."""
    around = surroundings()
    assert isinstance(around.database, PostgreSQL)
    return around.database.url(SUPERUSER, database)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests() -> Generator[None, None, None]:
    """Start or join the servers before pytest-django, which does its work in this hook, reads the settings."""
    try:
        if FOLDER not in os.environ:
            _open_stage()
        _join_stage()
    except Unusable as fault:
        raise pytest.UsageError(f"The services of the tests did not start. {fault}") from None
    return (yield)


def _open_stage() -> None:
    base = Path(tempfile.mkdtemp(prefix="portal-test-", dir="/tmp" if len(tempfile.gettempdir()) > 40 else None))
    base.chmod(0o711)  # PostgreSQL's account must walk through when root runs the tests
    os.environ[FOLDER] = str(base)
    places = Places(base)
    database, broker = PostgreSQL(places, durable=False), Redis(places, durable=False)

    def close_stage() -> None:
        broker.stop()
        database.stop()
        shutil.rmtree(base, ignore_errors=True)

    atexit.register(close_stage)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that `atexit` has its turn
    database.start()
    broker.start()
    _make_template(places, database, broker)


def _make_template(places: Places, database: PostgreSQL, broker: Redis) -> None:
    """Migrate as the owner and grant, as every installation does; make the role that tests log in with."""
    around = Surroundings(places, _PORT, bare_environment(), database, broker, SoftHsm(places), NameServer(places))
    for arguments in (["migrate", "--verbosity=0"], ["grant_roles", *database.grants()]):
        command = [sys.executable, "manage.py", *arguments]
        step = Child(arguments[0], command, around.environment("migrate"), places.log(arguments[0]), folder=ROOT)
        step.start()
        if not step.wait(120.0):
            raise Unusable(f"`manage.py {arguments[0]}` {step.ending}:\n{step.last_lines(30)}")
    with closing(psycopg2.connect(database.url(SUPERUSER, "postgres"))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        make_role(cursor, TESTER, places.secret(f"postgresql-{TESTER}").read_text(), "NOINHERIT")
        for role in (OWNER, *SERVICE_ROLES.values()):
            cursor.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(TESTER)))
        # from its first statement on, and again after RESET ROLE, a test is the web service and has its grants
        cursor.execute(sql.SQL("ALTER ROLE {} SET role = 'portal_web'").format(sql.Identifier(TESTER)))


def _join_stage() -> None:
    around = surroundings()
    assert isinstance(around.database, PostgreSQL)
    own, template = f"test_{process()}", "portal"
    with closing(psycopg2.connect(superuser_url("postgres"))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        names = [sql.Identifier(name) for name in (own, template, OWNER)]
        cursor.execute("SELECT pg_advisory_lock(1)")  # a template cannot be copied twice at the same moment
        cursor.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(*names))
    around.token.start()
    os.environ.update(around.environment("tool"))
    # the tester's password is a secret of the shared folder, where the first process wrote it
    os.environ["DATABASE_URL"] = around.database.url(TESTER)
    del os.environ["DATABASE_OWNER_URL"]  # a tool with it is the owner, whom no grant binds
