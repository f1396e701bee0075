"""F14: receivers of webhooks are silent, fail, redirect, or lead inside; other tenants' deliveries do not notice.

One worker's loop in a thread of its own, with the publishing worker's grants, and real
receivers over TLS.  What is told of others is told by the receiver that they have.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Event, Thread

import pytest
from django.db import connection

from lifecycle.validation import control
from lifecycle.validation.models import Domain, DomainControl
from lifecycle.validation.publishing import carrying, sealing, services, tasks
from lifecycle.validation.publishing.reaching import Reach
from lifecycle.validation.publishing.resting import Resting
from lifecycle.validation.publishing.services import Wanted
from portal.config import config
from portal.demo.child import wait_until
from portal.foundation.outbox.drain import claim, run
from portal.foundation.outbox.models import Errand, send
from portal.foundation.tenancy.context import acting_for
from tests.fakes.web_server import Names, answer, certificate, listening_in, saying, web_server
from tests.plugins.services import surroundings
from tests.world import serving

pytestmark = pytest.mark.django_db

WAYS = {"failing": "203.0.113.82", "redirecting": "203.0.113.83", "inside": "10.0.0.1", "silent": "203.0.113.81"}
"""Where they are.  The silent one comes last, since its tenant rests after it."""

HOSTS = {way: f"{way}.globex.example" for way in WAYS}
OURS, OUR_ADDRESS = "hooks.acme.example", "203.0.113.80"
SILENCE = 1.2
"""Seconds that a delivery may take here; five elsewhere."""


class Receiver:
    """When each delivery arrived, by its promise's id."""

    def __init__(self) -> None:
        self.arrived: dict[str, float] = {}

    def say(self, theirs, request) -> None:
        self.arrived.setdefault(json.loads(request.partition(b"\r\n\r\n")[2])["id"], time.monotonic())
        theirs.sendall(answer(204))


@contextmanager
def working() -> Iterator[None]:
    over = Event()

    def work() -> None:
        with serving("publishing"):
            while not over.is_set():
                for errand in claim("publishing"):
                    run(errand)
                over.wait(0.01)
        connection.close()

    thread = Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def begun(tenant, person, host: str, name: str) -> DomainControl:
    with acting_for(tenant.pk, person=person.pk):
        way = services.add_way(Wanted(title=host, kind="webhook", address=f"https://{host}/"), by=person.pk).way
        domain = control.add(name, kind="dns", method="dns-change", by=person.pk)
        control.publish_by(domain, way, by=person.pk)
        return control.begin(Domain.objects.get(pk=domain.pk), method="dns-change", by=person.pk)


def p95_of(attempt: DomainControl, receiver: Receiver, *, count: int, every: float) -> float:
    """Promise *count* deliveries, one *every* so many seconds; return the 95th percentile of their delays."""
    sent = {}
    for _each in range(count):
        with acting_for(attempt.tenant_id):
            sent[str(send(tasks.publish, attempt.pk).pk)] = time.monotonic()
        time.sleep(every)
    assert wait_until(lambda: sent.keys() <= receiver.arrived.keys(), 30.0)
    delays = sorted(receiver.arrived[promise] - at for promise, at in sent.items())
    return delays[int(len(delays) * 0.95)]


@pytest.mark.drill("F14", goal="0 calls inside, 0 redirects followed; others' p95 changes by 10 % at most")
def test_receivers_that_fail_cost_others_nothing(drill, acme, globex, ada, mina, tmp_path, monkeypatch):
    pem = certificate(tmp_path, OURS, *HOSTS.values())
    receiver = Receiver()
    private = surroundings().places.secret("publishing-key").read_text()
    monkeypatch.setattr(sealing, "config", replace(config, publishing_key=private))
    monkeypatch.setattr(carrying, "resting", Resting())
    away = answer(307, b"", "Location: https://169.254.169.254/")
    with (
        web_server(receiver.say, pem) as ours,
        web_server(lambda theirs, _request: theirs.recv(1) and None, pem) as silent,
        web_server(saying(answer(500)), pem) as failing,
        web_server(saying(away), pem) as redirecting,
        listening_in() as dialled,
    ):
        servers = {"silent": silent, "failing": failing, "redirecting": redirecting}
        routes = {(WAYS[way], 443): ("127.0.0.1", server.port) for way, server in servers.items()}
        names = Names({OURS: [[OUR_ADDRESS]], **{HOSTS[way]: [[WAYS[way]]] for way in WAYS}})
        at = Reach(names, {**routes, (OUR_ADDRESS, 443): ("127.0.0.1", ours.port)}, str(pem), SILENCE)
        monkeypatch.setattr(carrying, "our_reach", lambda: at)
        attempt = begun(acme, ada, OURS, "www.acme.example")
        with working():
            count, every = drill.times(10, soak=300), 0.5 if drill.soaking else 0.02
            alone = p95_of(attempt, receiver, count=count, every=every)
            noisy = [
                begun(globex, mina, host, f"n{number}.{way}.globex.example")
                for number in range(drill.times(2, soak=10))
                for way, host in HOSTS.items()
            ]
            beside = p95_of(attempt, receiver, count=count, every=every)
            assert wait_until(lambda: all(server.requests for server in servers.values()), 10.0)
    assert {host for host, _port in dialled} <= {"127.0.0.1"}
    assert not Errand.objects.filter(queue="publishing", parked_at__isnull=False).exists()
    change = beside / alone - 1
    if drill.soaking:
        assert change <= 0.1, (alone, beside)
    drill.measured(
        deliveries=2 * count,
        promises_to_receivers_that_fail=len(noisy),
        calls_of_the_silent_one=len(silent.requests),
        p95_alone=f"{alone * 1000:.0f} ms",
        p95_beside_them=f"{beside * 1000:.0f} ms",
    )
