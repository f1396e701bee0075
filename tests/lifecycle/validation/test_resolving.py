"""What a validation worker says of its resolvers, and what an operator reads of it."""

import dns.flags
import pytest

from lifecycle.validation import resolving
from lifecycle.validation.resolver import DnsResolver
from portal.foundation import clock
from portal.foundation.outbox.heartbeat import Heartbeat
from portal.foundation.outbox.registry import vitals_of
from tests.fakes.faulty_dns import code, faulty, nobody_listens, saying, silence

ROOT = ". SOA ns. admin. 1 1 1 1 1"
SIGNED = saying(ROOT, flags=dns.flags.RA | dns.flags.AD)
UNSIGNED = saying(ROOT)
NOTHING = saying(flags=dns.flags.RA | dns.flags.AD)


@pytest.fixture
def alarms(monkeypatch):
    """Forget what was tried before, and collect what is logged."""
    said = []
    monkeypatch.setattr(resolving, "_tried", {})
    monkeypatch.setattr(resolving.log, "warning", lambda event, **facts: said.append((event, facts["code"])))
    return said


def told(monkeypatch, *servers):
    monkeypatch.setattr(resolving, "our_resolver", lambda: DnsResolver(servers))
    return resolving.resolver_state()["resolvers"]


@pytest.mark.parametrize(
    ("fault", "wrong"),
    [(SIGNED, ""), (UNSIGNED, "not-validating"), (NOTHING, "not-validating"), (silence, "away"),
     (code("SERVFAIL"), "away"), (code("REFUSED"), "away")],
)  # fmt: skip
def test_a_resolver_has_to_answer_and_to_say_that_the_roots_signatures_hold(fault, wrong):
    with faulty(fault) as server:
        assert resolving.tried(DnsResolver([server.server])) == wrong


def test_one_resolver_that_is_wrong_is_named_beside_one_that_is_not(monkeypatch, alarms):
    with faulty(SIGNED) as good, faulty(UNSIGNED) as bad:
        assert told(monkeypatch, good.server) == "ok"
        said = told(monkeypatch, good.server, bad.server, nobody_listens())
    assert said["state"] == "open"
    assert [fault["code"] for fault in said["faults"]] == ["away", "not-validating"]
    assert said["faults"][1]["names"] == [str(bad.server)]
    assert alarms == [("resolver.fault", "not-validating"), ("resolver.fault", "away")]


def test_it_is_tried_once_a_minute_and_told_once(monkeypatch, alarms):
    with faulty(UNSIGNED) as server:
        for _beat in range(3):
            assert told(monkeypatch, server.server)["state"] == "open"
        assert (len(server.asked), len(alarms)) == (1, 1)
        name = str(server.server)
        at, fault = resolving._tried[name]
        resolving._tried[name] = (at - resolving.EVERY, fault)
        assert told(monkeypatch, server.server)["state"] == "open"
        assert (len(server.asked), len(alarms)) == (2, 1)


def test_the_worker_tells_it_with_its_heartbeat_and_the_operator_reads_it_in_words(monkeypatch, alarms):
    monkeypatch.setattr(resolving, "our_resolver", lambda: DnsResolver([nobody_listens()]))
    beat = Heartbeat(worker="w", service="validation", at=clock.now(), facts=vitals_of("validation"))
    assert not beat.well
    [sentence] = resolving.faults_of_resolvers([beat, beat])
    assert sentence.startswith("These resolvers do not answer: 127.0.0.1:")
    assert resolving.faults_of_resolvers([Heartbeat(facts={"resolvers": "ok"}), Heartbeat(facts={})]) == []
