"""F3: Redis away in the middle of the load, and empty when it is back: no request notices but by the time it takes."""

import time
from contextlib import closing

import pytest
import redis

from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.states import State
from portal.demo.child import wait_until
from portal.demo.embedded import Redis
from portal.foundation.tenancy.context import acting_for
from tests.api.conftest import token_of
from tests.drills.invariants import at_rest
from tests.drills.load import Load, Looks, ordered
from tests.drills.stage import Browser, own_redis, stage

pytestmark = pytest.mark.django_db

CALLS = 10
"""Of the API a minute with one token: while Redis is away, each web process counts for itself, and there is one."""

AT_ONCE = 10.0
"""Seconds: a page or a POST that finds no Redis is answered within them."""


def flush_everything(server: Redis) -> None:
    url = server.url().replace("redis+socket://", "unix://", 1).replace("virtual_host=", "db=")
    with closing(redis.Redis.from_url(url)) as client:
        client.flushall()


@pytest.mark.drill("F3", goal="500 requests reach their end within 5 minutes of the return; POST succeeds, pages load")
def test_redis_may_go_and_come_back_empty(drill, acme, petra, owner, tmp_path):
    count, outage = drill.times(10, soak=500), drill.times(3, soak=60)
    orders = ordered(petra, acme, count)
    with own_redis() as broker, stage(tmp_path, broker=broker, API_CALLS_OF_TOKEN=str(CALLS)) as ours:
        ours.start("web", "signing", "relay")
        browser = Browser.of(petra, ours.around.port)
        load = Load(browser, orders[:-1], pause=drill.times(0, soak=1) / 4)
        looks = Looks(browser, ("/t/acme/requests/", "/t/acme/certificates/", "/account/"))
        load.begin()
        looks.begin()
        assert wait_until(lambda: len(load.accepted) >= count // 4, 60.0), load.statuses

        broker.stop()
        gone, before = time.monotonic(), len(load.accepted)
        assert_calls_are_counted_all_the_same(Browser(ours.around.port, token=token_of(petra, acme)))
        assert wait_until(lambda: time.monotonic() - gone > outage, outage + 5.0)
        meanwhile = len(load.accepted) - before
        broker.start()
        flush_everything(broker)
        back = time.monotonic()
        load.end()
        assert wait_until(lambda: unfinished(acme) == 1, 300.0, every=0.2), ours.log("signing")[-3000:]
        recovered = time.monotonic() - max(back, *load.accepted.values())

        flush_everything(broker)  # once more: everybody has made their queues again, and believes that they are there
        last = Load(browser, orders[-1:])
        last.begin()
        last.end()
        assert wait_until(lambda: unfinished(acme) == 0, 10.0), ours.log("signing")[-3000:]
        pids = ours.pids
        looks.end()
        signed, trials = ours.signed(), ours.trials

    assert meanwhile > 0, "nobody sent anything while Redis was away"
    assert load.statuses == {302: count - 1}
    assert {answer.status for accept, answer in looks.answers if accept == "text/html"} == {200}
    assert max(load.slowest, *(answer.seconds for _, answer in looks.answers)) < AT_ONCE
    assert set(pids) == {"web", "signing", "relay"}
    at_rest(owner, [order.pk for order in orders], signed=signed, trials=trials)
    drill.measured(
        requests=count,
        sent_while_away=meanwhile,
        final=count,
        seconds_after_the_return=round(recovered, 1),
        slowest_answer_seconds=round(load.slowest, 2),
        lost=0,
    )


def assert_calls_are_counted_all_the_same(program: Browser) -> None:
    """Programs are let in, and still none can take everything."""
    answers = [program.get("/api/v1/t/acme/certificates", "application/json") for _ in range(CALLS + 1)]
    assert [answer.status for answer in answers] == [200] * CALLS + [429], answers[-1].text
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60


def unfinished(tenant) -> int:
    with acting_for(tenant.pk):
        return CertificateRequest.objects.exclude(state=State.COMPLETED).count()
