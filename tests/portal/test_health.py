"""What a balancer and an operator ask: whether this process answers, whether it can work, how the others are."""

from datetime import timedelta

import pytest
from django.db import close_old_connections, connection, connections
from django.db.backends.postgresql.base import DatabaseWrapper

from portal.foundation import clock
from portal.foundation.outbox import heartbeat
from portal.foundation.outbox.heartbeat import Heartbeat, beat
from portal.foundation.tenancy.context import acting_for
from portal.web import health
from tests.world import serving, submitted

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def as_new(monkeypatch):
    """A process that has not asked for migrations yet, nor beaten."""
    monkeypatch.setattr(health, "_migrated", False)
    monkeypatch.setattr(heartbeat, "_last", {})


@pytest.fixture
def all_alive():
    with serving("signing"):
        beat("signing", token="ok")
    with serving("validation"):
        beat("validation")
    with serving("publishing"):
        beat("publishing")
    with serving("messages"):
        beat("messages")
    with serving("relay"):
        beat("relay", broker=True)


@pytest.fixture
def database_away():
    """A database that nobody listens for; the one of the test comes back afterwards."""
    before = connections["default"]
    connections["default"] = DatabaseWrapper({**before.settings_dict, "HOST": "127.0.0.1", "PORT": "1"}, "default")
    yield
    connections["default"] = before


def test_a_process_that_answers_is_alive_whatever_else_is_not(client, database_away):
    shown = client.get("/healthz")
    assert (shown.status_code, shown.json()) == (200, {"status": "ok"})


def test_when_all_is_well_it_says_so_and_since_when_it_knows(client, all_alive):
    shown = client.get("/readyz")
    assert shown.status_code == 200
    told = shown.json()
    assert told["status"] == "ok"
    assert told["database"] == "ok"
    assert {service: said["state"] for service, said in told["services"].items()} == {
        "signing": "ok", "validation": "ok", "publishing": "ok", "messages": "ok", "relay": "ok",
    }  # fmt: skip
    assert told["services"]["signing"]["token"] == "ok"
    assert (told["oldest_due_errand_seconds"], told["parked_errands"]) == (0, False)


def test_services_nobody_ever_heard_of_make_it_degraded_and_keep_it_in_the_balancer(client, db):
    shown = client.get("/readyz")
    assert shown.status_code == 200
    assert shown.json()["status"] == "degraded"
    assert {said["state"] for said in shown.json()["services"].values()} == {"never heard of"}


@pytest.mark.parametrize(
    ("service", "facts", "fact"),
    [
        ("signing", {"token": "The token 'ca-1' refused the PIN."}, "token"),
        ("relay", {"broker": False}, "broker"),
    ],
)
def test_what_ails_a_service_is_told(client, all_alive, monkeypatch, service, facts, fact):
    monkeypatch.setattr(heartbeat, "_last", {})
    with serving(service):
        beat(service, **facts)
    shown = client.get("/readyz")
    assert shown.status_code == 200
    assert shown.json()["status"] == "degraded"
    assert shown.json()["services"][service]["state"] == "ailing"
    assert shown.json()["services"][service][fact] == "trouble"
    assert "ca-1" not in shown.content.decode()  # what it is, is nobody's business who is not an operator


def test_a_service_that_fell_silent_is_told_after_half_a_minute(client, all_alive):
    now = clock.now()
    with clock.frozen(now + timedelta(seconds=29)):
        assert client.get("/readyz").json()["services"]["relay"]["state"] == "ok"
    with clock.frozen(now + timedelta(seconds=31)):
        shown = client.get("/readyz").json()
    assert shown["status"] == "degraded"
    assert {said["state"] for said in shown["services"].values()} == {"silent"}


def test_work_that_waits_is_told_with_its_age(client, all_alive, acme, petra):
    submitted(petra, acme)
    with clock.frozen(clock.now() + timedelta(seconds=20)):
        assert client.get("/readyz").json()["oldest_due_errand_seconds"] == pytest.approx(20, abs=2)


def test_work_that_was_parked_is_told(client, all_alive, acme, petra, owner):
    submitted(petra, acme)
    owner.execute("UPDATE outbox_errand SET parked_at = now()")
    shown = client.get("/readyz").json()
    assert (shown["status"], shown["parked_errands"]) == ("degraded", True)
    owner.execute("UPDATE outbox_errand SET done_at = now()")
    assert client.get("/readyz").json()["status"] == "ok"


def test_without_its_database_it_is_not_ready_and_says_so(client, all_alive, database_away):
    shown = client.get("/readyz")
    assert shown.status_code == 503
    assert shown.json() == {"status": "unavailable", "database": "does not answer"}


def test_it_is_ready_again_when_the_database_is_back(client, all_alive, owner):
    assert client.get("/readyz").status_code == 200
    connection.ensure_connection()
    owner.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.connection.get_backend_pid()])
    assert client.get("/readyz").status_code == 503
    close_old_connections()  # what Django does before every request, except before one of its test client
    assert client.get("/readyz").status_code == 200


def test_a_database_that_lacks_a_migration_is_not_served(client, all_alive, owner):
    newest = "SELECT max(id) FROM django_migrations WHERE app = 'requests'"
    owner.execute(f"DELETE FROM django_migrations WHERE id = ({newest}) RETURNING *")
    row = owner.fetchone()
    shown = client.get("/readyz")
    owner.execute("INSERT INTO django_migrations VALUES (%s, %s, %s, %s)", row)
    assert shown.status_code == 503
    assert shown.json() == {"status": "unavailable", "database": "migrations are missing"}
    assert client.get("/readyz").status_code == 200


def test_a_heartbeat_is_written_at_most_every_five_seconds_and_replaced_by_the_next(monkeypatch, acme):
    with serving("relay"):
        beat("relay", broker=True)
        beat("relay", broker=False)
        assert Heartbeat.objects.get(service="relay").facts == {"broker": True}
        monkeypatch.setattr(heartbeat, "EVERY", 0.0)
        beat("relay", broker=False)
        assert Heartbeat.objects.get(service="relay").facts == {"broker": False}


def test_health_tells_nothing_of_any_tenant(client, all_alive, acme, globex, petra):
    submitted(petra, acme)
    for path in ("/healthz", "/readyz"):
        text = client.get(path).content.decode()
        assert not {word for word in ("acme", "globex", "Acme", str(acme.pk), str(petra.pk)) if word in text}
    with acting_for(acme.pk):
        assert client.get("/healthz").status_code == 200
