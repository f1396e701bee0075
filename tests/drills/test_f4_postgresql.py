"""F4: PostgreSQL crashes in the middle of the load and stays away: nothing that was accepted is lost or done twice.

The server is the drill's own, as durable as in production, and everything else on its stage lives through it.
"""

import json
import time
from contextlib import closing

import psycopg2
import pytest
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.states import State
from portal.demo.child import wait_until
from portal.demo.postgresql import SUPERUSER
from portal.foundation.tenancy.context import acting_for
from tests.api.conftest import token_of
from tests.drills.invariants import at_rest, hold
from tests.drills.kills import let_every_lease_be_over
from tests.drills.load import Load, Looks, ordered
from tests.drills.stage import Browser, crash, own_postgresql, stage
from tests.world import build

pytestmark = pytest.mark.django_db

PAGES = ("/t/acme/requests/", "/t/acme/certificates/", "/account/")
LISTED = "/api/v1/t/acme/certificates"
SERVICES = ("web", "signing", "relay")
OUTAGES = {"few": (2.0,), "soak": (0.0, 30.0, 0.0)}
"""Seconds between a crash and the next start."""


@pytest.mark.drill("F4", goal="3 crashes, one for 30 s, during 300 requests: 0 lost, 0 double, 503 but no 500")
def test_postgresql_may_crash_and_come_back(drill, tmp_path):
    count = drill.times(10, soak=300)
    outages = OUTAGES["soak" if drill.soaking else "few"]
    with own_postgresql() as database, stage(tmp_path, database=database, API_CALLS_OF_TOKEN="9999") as ours:
        world = build()
        acme, petra = world.tenants["acme"], world.people["petra"]
        orders = ordered(petra, acme, count)
        ours.start(*SERVICES)
        pids = ours.pids
        browser = Browser.of(petra, ours.around.port)
        load = Load(browser, orders, pause=drill.times(0, soak=1) / 4)
        looks = Looks(browser, PAGES)
        program = Browser(ours.around.port, token=token_of(petra, acme))
        calls = Looks(program, (LISTED,), ("application/json",))
        for begins in (load, looks, calls):
            begins.begin()
        for number, outage in enumerate(outages, start=1):
            due = count * number // (len(outages) + 1)
            assert wait_until(lambda due=due: len(load.accepted) >= due, 120.0), load.statuses
            crash(database)
            time.sleep(outage)
            database.start()
            with closing(psycopg2.connect(database.url(SUPERUSER))) as opened, opened.cursor() as owner:
                opened.autocommit = True
                hold(owner)
        back = time.monotonic()
        load.end()
        with closing(psycopg2.connect(database.url(SUPERUSER))) as opened, opened.cursor() as owner:
            opened.autocommit = True
            if not drill.soaking:
                let_every_lease_be_over(owner)
            assert wait_until(lambda: unfinished(acme) == 0, 300.0, every=0.2), ours.log("signing")[-3000:]
            recovered = time.monotonic() - back
            assert [browser.get(page).status for page in PAGES] == [200] * len(PAGES), "who was signed in is so still"
            assert program.get(LISTED, "application/json").status == 200
            looks.end()
            calls.end()
            assert ours.pids == pids, "a process did not live through it"
            assert "drain.interrupted" in ours.log("signing")
            assert "Traceback" not in ours.log("signing") + ours.log("relay")
            at_rest(owner, list(load.accepted), signed=ours.signed(), trials=ours.trials)
            orphans = count_of(owner, "certificates_revocation")
            assert count_of(owner, "certificates_certificate") == len(load.accepted) == count

    assert_said_so(load, looks, calls)
    drill.measured(
        requests=count,
        crashes=len(outages),
        answers_503=load.statuses[503] + sum(answer.status == 503 for _, answer in looks.answers + calls.answers),
        orphans_on_the_list=orphans,
        seconds_after_the_last_return=round(recovered, 1),
        slowest_answer_seconds=round(load.slowest, 2),
        lost=0,
        double=0,
    )


def assert_said_so(load: Load, *looks: Looks) -> None:
    """Whoever asked meanwhile was told the truth, people and programs alike, and never by an accident."""
    assert load.statuses.keys() <= {302, 503}
    refused = [("text/html", answer) for answer in load.answers if answer.status == 503]
    for each in looks:
        assert {answer.status for _, answer in each.answers} == {200, 503}, "nobody asked while it was away, or worse"
        refused += [(accept, answer) for accept, answer in each.answers if answer.status == 503]
    for accept, answer in refused:
        assert answer.headers["Retry-After"] == "10"
        if accept == "application/json":
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert json.loads(answer.text)["code"] == "come-back-later"
        else:
            assert "Try again in 10 seconds" in answer.text


def count_of(owner: Cursor, table: str) -> int:
    owner.execute(f"SELECT count(*) FROM {table}")
    [(count,)] = owner.fetchall()
    return int(count)


def unfinished(acme) -> int:
    with acting_for(acme.pk):
        return CertificateRequest.objects.exclude(state=State.COMPLETED).count()
