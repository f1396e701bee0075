"""The embedded servers, started for real: what they keep, whom they let in, and that nothing of them is left."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from portal.demo.child import wait_until
from portal.demo.embedded import Redis, SoftHsm
from portal.demo.external import OwnPostgreSQL, OwnRedis, OwnToken
from portal.demo.places import OURS, Account, Places, Unusable
from portal.demo.postgresql import OWNER, SERVICE_ROLES, SUPERUSER, PostgreSQL
from portal.demo.surroundings import Surroundings
from tests.portal.processes import is_running

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def var() -> Iterator[Path]:
    """Return a folder that PostgreSQL's account can walk to: pytest's own are closed to it."""
    folder = Path(tempfile.mkdtemp(prefix="portal-embedded-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


def rows(url: str, statement: str) -> list[tuple[object, ...]]:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_a_second_start_keeps_the_data(var):
    first = PostgreSQL(Places(var))
    first.start()
    rows(first.url(OWNER), "CREATE TABLE kept AS SELECT 42 AS answer")
    first.stop()
    assert not first.healthy()

    second = PostgreSQL(Places(var))
    second.start()
    try:
        assert rows(second.url(OWNER), "SELECT answer FROM kept") == [(42,)]
        assert rows(second.url(OWNER), "SELECT current_setting('fsync'), current_setting('synchronous_commit')") == [
            ("on", "on")
        ]
    finally:
        second.stop()


@pytest.mark.parametrize("major", ["16", "18"])
def test_no_service_role_sees_past_row_level_security(var, major):
    server = PostgreSQL(Places(var), durable=False, major=major)
    server.start()
    try:
        assert rows(server.url(SUPERUSER), "SHOW server_version_num")[0][0].startswith(major)
        privileged = "SELECT rolname FROM pg_roles WHERE rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb"
        assert rows(server.url(SUPERUSER), privileged) == [(SUPERUSER,)]
        for role in (OWNER, *SERVICE_ROLES.values()):
            assert rows(server.url(role), "SELECT current_user") == [(role,)]
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            psycopg2.connect(server.url("portal_web").replace("portal_web", OWNER, 1))
    finally:
        server.stop()


def test_data_of_another_postgresql_is_refused_with_what_to_do(var):
    server = PostgreSQL(Places(var), durable=False, major="16")
    server.start()
    server.stop()
    with pytest.raises(Unusable, match="was made by PostgreSQL 16, this is 18: `make demo-reset` begins anew"):
        PostgreSQL(Places(var), durable=False).start()


def test_two_stand_side_by_side(var):
    servers = [Redis(Places(var / name)) for name in ("one", "two")]
    try:
        for server in servers:
            server.start()
        assert all(server.healthy() for server in servers)
        servers[0].stop()
        assert [server.healthy() for server in servers] == [False, True]
    finally:
        for server in servers:
            server.stop()


def test_a_folder_too_deep_for_a_socket_gets_a_private_one_that_goes_away(var):
    places = Places(var / ("deep" * 25))
    redis = Redis(places)
    redis.start()
    try:
        folder = places.sockets()
        assert redis.healthy()
        assert var not in folder.parents
        assert folder.stat().st_mode & 0o077 == 0
    finally:
        redis.stop()
        places.forget_sockets()
    assert not folder.exists()


def test_a_token_is_made_once_and_its_pin_is_ours_alone(var):
    for _ in range(2):
        token = SoftHsm(Places(var), label="trial")
        token.start()
    told = token.environment("signing")
    assert Path(told["PKCS11_PIN_FILE"]).stat().st_mode & 0o777 == 0o600
    listed = subprocess.run(
        ["softhsm2-util", "--show-slots"], env=os.environ | told, capture_output=True, text=True, check=True
    )
    assert listed.stdout.count("trial") == 1


def test_nothing_survives_a_parent_that_was_killed(var):
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from portal.demo.embedded import Redis\n"
        "from portal.demo.places import Places\n"
        "from portal.demo.postgresql import PostgreSQL\n"
        "places = Places(Path(sys.argv[1]))\n"
        "servers = [PostgreSQL(places, durable=False), Redis(places)]\n"
        "[server.start() for server in servers]\n"
        "print(*(server.child.pid for server in servers), flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, var], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        parent.send_signal(signal.SIGKILL)
    assert len(pids) == 2
    assert wait_until(lambda: not any(is_running(pid) for pid in pids), 10.0)


def test_each_service_is_told_its_own_secrets_and_no_other(var):
    around = Surroundings.chosen(Places(var), 8000, {"PATH": os.environ["PATH"], "AWS_SECRET": "somebody's"})
    told = {service: around.environment(service) for service in SERVICE_ROLES}
    for service, environment in told.items():
        assert environment["DATABASE_URL"].startswith(f"postgresql://portal_{service}:")
        assert "DATABASE_OWNER_URL" not in environment
        assert "AWS_SECRET" not in environment
        assert any(name.startswith(("PKCS11", "SOFTHSM2")) for name in environment) == (service == "signing")
    names = ("PORTAL_SECRET_KEY_FILE", "PORTAL_FACTOR_KEY_FILE")
    # the messages worker writes links that the web service reads (ADR 20); nothing else is known to two
    shared = {("messages", "PORTAL_SECRET_KEY_FILE")}
    assert told["messages"]["PORTAL_SECRET_KEY_FILE"] == told["web"]["PORTAL_SECRET_KEY_FILE"]
    keys = [told[service][name] for service in told for name in names if (service, name) not in shared]
    assert len({Path(key).read_text() for key in keys}) == len(keys)


@pytest.mark.parametrize(
    ("half", "missing"),
    [
        ({"DATABASE_URL": "postgresql://web@db/portal"}, "DATABASE_OWNER_URL"),
        ({"PKCS11_MODULE": "/usr/lib/vendor.so", "PKCS11_TOKEN": "ca"}, "PKCS11_PIN_FILE"),
    ],
)
def test_half_a_service_of_the_operator_is_refused(var, half, missing):
    with pytest.raises(Unusable, match=f"belong together; {missing} is not set"):
        Surroundings.chosen(Places(var), 8000, half)


def test_the_operators_own_services_take_the_place_of_the_embedded_ones(var, tmp_path):
    theirs = PostgreSQL(Places(var / "theirs"), durable=False), Redis(Places(var / "theirs"))
    pin, module = tmp_path / "pin", tmp_path / "vendor.so"
    pin.write_text("0000")
    module.touch()
    for server in theirs:
        server.start()
    try:
        source = {
            "DATABASE_URL": theirs[0].url("portal_web"),
            "DATABASE_OWNER_URL": theirs[0].url(OWNER),
            "REDIS_URL": theirs[1].url(),
            "PKCS11_MODULE": str(module),
            "PKCS11_TOKEN": "ca",
            "PKCS11_PIN_FILE": str(pin),
            "VENDOR_CONFIGURATION": "/etc/vendor.conf",
        }
        around = Surroundings.chosen(Places(var / "ours"), 8000, source)
        for service in (around.database, around.broker, around.token):
            service.start()
            service.stop()
        assert all(server.healthy() for server in theirs)
        assert around.database.grants() == ["all=portal_web"]
        signing, web = around.environment("signing"), around.environment("web")
        assert {name: signing.get(name) for name in source if name != "DATABASE_OWNER_URL"} == {
            name: value for name, value in source.items() if name != "DATABASE_OWNER_URL"
        }
        assert not {"PKCS11_MODULE", "VENDOR_CONFIGURATION"} & set(web)
        assert not (var / "ours" / "postgres").exists()
    finally:
        for server in theirs:
            server.stop()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"REDIS_URL": "redis://127.0.0.1:1"}, "The Redis of REDIS_URL does not answer"),
        (
            {"DATABASE_URL": "postgresql://a@127.0.0.1:1/b", "DATABASE_OWNER_URL": "postgresql://a@127.0.0.1:1/b"},
            "The database of DATABASE_URL does not let us in",
        ),
        (
            {"PKCS11_MODULE": "/nowhere.so", "PKCS11_TOKEN": "ca", "PKCS11_PIN_FILE": "/nowhere"},
            "PKCS11_MODULE names /nowhere.so, where there is no file",
        ),
    ],
)
def test_an_operators_service_that_is_away_is_named(var, wrong, said):
    around = Surroundings.chosen(Places(var), 8000, wrong)
    theirs = next(
        service
        for service in (around.token, around.broker, around.database)
        if isinstance(service, OwnToken | OwnRedis | OwnPostgreSQL)
    )
    with pytest.raises(Unusable, match=said):
        theirs.start()


def test_a_reset_deletes_what_is_ours_and_nothing_else(var):
    places = Places(var)
    for name in OURS:
        (places.make(name) / "something").touch()
    (var / "photographs").touch()
    places.delete_everything()
    assert [path.name for path in var.iterdir()] == ["photographs"]


def test_an_account_reaches_what_every_folder_above_lets_it(var):
    stranger = Account("stranger", uid=54321, gid=54321)
    inside = var / "a" / "b"
    inside.mkdir(parents=True)
    assert stranger.reaches(inside)
    (var / "a").chmod(0o700)
    assert not stranger.reaches(inside)
