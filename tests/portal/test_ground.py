"""What every other test stands on: the production's grants, a clean slate, this machine alone, no skips."""

import socket
from contextlib import closing

import pytest
from django.db import ProgrammingError, connection

from auth2fa.models import SignedIn
from portal.demo.child import wait_until
from portal.foundation import clock
from portal.foundation.outbox.bell import ring
from portal.foundation.tenancy.models import PLATFORM
from tests.plugins import verdicts


def who() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        return cursor.fetchone()[0]


@pytest.mark.django_db
def test_a_test_has_the_grants_of_the_web_service_or_of_the_one_it_names(as_service):
    assert who() == "portal_web"
    for service in ("signing", "messages", "relay", "owner"):
        with as_service(service):
            assert who() == f"portal_{service}"
    assert who() == "portal_web"
    with as_service("relay"), pytest.raises(ProgrammingError, match="permission denied"):
        SignedIn.objects.count()


@pytest.mark.django_db
@pytest.mark.parametrize("round_number", [1, 2])
def test_no_row_of_a_test_reaches_the_next_one_and_those_of_migrations_stay(owner, round_number):
    assert not SignedIn.objects.exists()
    SignedIn.objects.create(session_key="left", session_data="", expire_date=clock.now())
    owner.execute("SELECT id FROM tenancy_tenant")
    assert owner.fetchall() == [(PLATFORM,)]


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("2001:db8::1", 443), ("registry.example", 443)])
def test_no_test_speaks_to_another_machine(address):
    with pytest.raises(BlockingIOError, match="only speak to this machine"):
        socket.create_connection(address, timeout=1)


def test_a_test_speaks_to_this_machine():
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        socket.create_connection(("localhost", server.getsockname()[1])).close()


def test_a_skip_is_a_failure():
    skipped = pytest.CollectReport("tests/x.py", "skipped", ("x.py", 1, "Skipped: no browser"), [])
    assert verdicts._no_skip(skipped).failed
    assert skipped.longrepr == "A skipped test is a failure here. Skipped: no browser"


@pytest.mark.django_db
@pytest.mark.parametrize("queue", ["signing", "messages"])
def test_a_real_worker_hears_the_bell_of_its_queue(celery_worker_process, broker, queue):
    worker = celery_worker_process(queue)
    assert ring(queue)
    assert wait_until(lambda: f"drain.{queue}" in worker.log.read_text().split(" ready.")[1], 5.0)


@pytest.mark.django_db
def test_a_bell_that_nobody_hears_stays_in_this_process_own_broker(broker):
    assert ring("signing")
    assert broker.llen("signing") == 1
