"""F5: a token that fails in each of its ways, many times over (`security.md` 3).

No request lost, nothing unverified stored, no serial burnt that need not be, no PIN burnt.  The device stands between
our code and a real SoftHSM and fails as hardware does; `tests/real/test_token_faults.py` has what SoftHSM does itself.
"""

import os
from dataclasses import dataclass

import pytest

from lifecycle.certificates.models import Certificate
from lifecycle.requests.states import State
from portal.config import config
from portal.demo.child import Child, wait_until
from portal.foundation.tenancy.context import acting_for
from portal.foundation.token import circuit
from portal.foundation.token.circuit import Why
from portal.foundation.token.report import token_reports
from tests.drills.invariants import at_rest
from tests.drills.shift import MINUTE, SECOND, assert_sound, attempts_of, on_the_list, ring_for, state_of
from tests.world import errand_of, submitted

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Fault:
    """What a mode may cost: logins in three minutes, and serials of which nobody knows whether they were signed."""

    mode: str
    why: Why
    logins: int
    orphans: int = 0
    new_pin: bool = False


FAULTS = (
    Fault("no session", Why.SESSION_LOST, logins=9),  # once more at first, and once a trial: they rest up to 30 s
    Fault("removed", Why.NOT_THERE, logins=7),
    Fault("PIN locked", Why.PIN_LOCKED, logins=1, new_pin=True),
    Fault("PIN wrong", Why.PIN_REFUSED, logins=1, new_pin=True),
    Fault("garbage", Why.WRONG_SIGNATURE, logins=0, orphans=1),
    Fault("silent", Why.FELL_SILENT, logins=9, orphans=1),
    Fault("refuses", Why.REFUSES, logins=0),
)


GOAL = "50 times each way: 0 unverified stored, 1 serial burnt at most, 1 login a minute at most with a bad PIN"


@pytest.mark.drill("F5", goal=GOAL)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.mode)
def test_a_token_that_fails_loses_no_request_and_burns_neither_serials_nor_its_pin(
    drill, acme, petra, owner, device, shift, signing, fault
):
    rounds, most_logins, asked = drill.times(1, soak=50), 0, []
    with shift.now():
        proven = submitted(petra, acme)
    shift.passes(5 * SECOND)
    assert_sound(proven, orphans=0)
    known = on_the_list(proven)
    for _round in range(rounds):
        with shift.now():
            requests = [submitted(petra, acme) for _ in range(3)]
        asked += requests
        logins = device.count("login")
        device.be(fault.mode)
        shift.passes(3 * MINUTE)

        most_logins = max(most_logins, device.count("login") - logins)
        assert most_logins <= fault.logins
        burnt = [attempt for request in requests for attempt in attempts_of(request)]
        assert {state_of(request) for request in requests} <= {State.READY, State.EXECUTING}
        assert len(burnt) <= 1, "the first failure may cost a serial; while the circuit is open none is handed out"
        with acting_for(acme.pk):
            assert not Certificate.objects.filter(made_from__in=[request.pk for request in requests]).exists()
        assert all(errand_of(request).parked_at is None for request in requests)
        assert all(errand_of(request).tries <= 2 for request in requests)
        with shift.now():
            [report] = token_reports()
        assert (report.well, report.why) == (False, fault.why)
        assert report.next_try is None if fault.new_pin else report.next_try > shift.at - MINUTE

        device.be("well")
        if fault.new_pin:
            os.utime(config.pkcs11_pin_file)
        shift.passes(MINUTE)
        assert_sound(*requests, orphans=fault.orphans)
        with shift.now():
            assert [report.well for report in token_reports()] == [True]
        shift.at += circuit.CALM  # so that every round begins anew
    assert len(on_the_list(proven) - known) == rounds * fault.orphans
    assert len(device.digests()) == len(set(device.digests())), "the same bytes were given to the token twice"
    with shift.now():
        at_rest(owner, [request.pk for request in asked])
    drill.measured(
        rounds=rounds,
        requests=len(asked),
        unverified=0,
        most_logins_in_three_minutes=most_logins,
        serials_burnt=len(on_the_list(proven) - known),
    )


@pytest.mark.drill("F5", goal="50 times: the worker ends itself, one serial burnt, the request completed by the next")
def test_a_token_too_slow_to_wait_for_ends_the_worker_and_costs_one_serial(drill, acme, petra, owner, workers):
    """A worker whose key is proven hangs over a certificate; one that is new hangs over its trial, and burns none."""
    rounds, trials = drill.times(1, soak=50), drill.times(1, soak=5)
    requests = [submitted(petra, acme)]
    workers.device.be("well")
    worker = workers.start()
    ring_for(requests[0], owner)
    assert wait_until(lambda: state_of(requests[0]) == State.COMPLETED, 30.0), worker.last_lines(30)
    for number in range(rounds):
        requests.append(request := submitted(petra, acme))
        workers.device.be("slow")
        ring_for(request, owner)
        assert_ends_itself(worker)
        assert [attempt.outcome for attempt in attempts_of(request)] == ["open"]
        if number < trials:
            worker = workers.start()
            ring_for(request, owner)
            assert_ends_itself(worker)
            assert len(attempts_of(request)) == 1

        workers.device.be("well")
        worker = workers.start()
        ring_for(request, owner)
        assert wait_until(lambda request=request: state_of(request) == State.COMPLETED, 30.0), worker.last_lines(30)
        assert_sound(request, orphans=1)
    at_rest(owner, [request.pk for request in requests])
    burnt = len(on_the_list(requests[0]))
    assert burnt == rounds
    drill.measured(rounds=rounds, workers_ended=rounds + trials, requests=len(requests), serials_burnt=burnt)


def assert_ends_itself(worker: Child) -> None:
    assert wait_until(lambda: not worker.alive, 30.0), worker.last_lines(30)
    assert "75" in worker.ending, worker.ending
