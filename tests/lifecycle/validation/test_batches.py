"""Looks are stored as they come, those of one moment together; a slow one delays nobody, and a death loses nothing."""

import threading
import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lifecycle.validation import looking, services, tasks
from lifecycle.validation.caa import PATIENCE, Answer, LookupFailed, Reason, Terms
from lifecycle.validation.models import CaaCheck
from lifecycle.validation.sharing import Shared
from lifecycle.validation.states import CaaState
from portal.foundation.audit.models import AuditEvent
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_for
from tests.fakes.zone import Unforgiving
from tests.world import serving

pytestmark = pytest.mark.django_db(transaction=True)

OURS = Terms(("ca.acme.example",))
NAMES = [f"host{number}.demo.test" for number in range(100)]


class Far(Unforgiving):
    """A resolver 20 ms away that has no records, and counts; *dead* names wait for *gate*."""

    def __init__(self, dead=(), gate=None):
        self.dead, self.gate, self.asked = set(dead), gate, []

    def caa(self, name, ends):
        self.asked.append(name)
        if name in self.dead:
            self.gate.wait(ends - time.monotonic())
            raise LookupFailed(Reason.TIMED_OUT, name, resolver="127.0.0.1:53")
        time.sleep(0.02)
        return Answer(name, (), 60, "127.0.0.1:53")


def ask(tenant, person, names=NAMES):
    with acting_for(tenant.pk, person=person.pk):
        services.ask(dict.fromkeys(names, OURS), by=person.pk, about="RQ-TEST")
    return Errand.objects.get(task=tasks.look.name, done_at=None)


def answered(errand, checks, far):
    """Do what another worker does, with a connection of its own."""
    try:
        with serving("validation"):
            looking.answer(errand, checks, far)
    finally:
        connection.close()


def stored(tenant, state=CaaState.VERIFIED):
    with acting_for(tenant.pk):
        return set(CaaCheck.objects.filter(state=state).values_list("name", flat=True))


def journalled(tenant):
    with acting_for(tenant.pk):
        told = AuditEvent.objects.filter(code__in=["caa:permit", "caa:refuse"])
        return sorted(event.facts["name"] for event in told)


@pytest.mark.rule("0.R26")
def test_a_hundred_names_are_answered_within_three_seconds_by_a_resolver_20_ms_away(acme, petra):
    errand, began = ask(acme, petra), time.monotonic()
    with serving("validation"):
        looking.answer(errand, errand.args, Far())
    assert time.monotonic() - began < 3
    assert stored(acme) == set(NAMES)
    assert journalled(acme) == sorted(NAMES)


def test_ninety_nine_are_stored_before_the_one_whose_name_server_is_dead(acme, petra):
    """Nobody opens the gate before the others were seen in the database."""
    errand, gate = ask(acme, petra), threading.Event()
    dead = NAMES[40]

    worker = threading.Thread(target=answered, args=(errand, errand.args, Far([dead], gate)))
    worker.start()
    try:
        ends = time.monotonic() + PATIENCE / 2
        while len(stored(acme)) < len(NAMES) - 1 and time.monotonic() < ends:
            time.sleep(0.02)
        assert stored(acme) == set(NAMES) - {dead}
        assert worker.is_alive()
    finally:
        gate.set()
        worker.join()
    assert stored(acme, CaaState.FAILED) == {dead}


def test_what_one_moment_brings_is_one_unit_of_work(acme, petra):
    errand = ask(acme, petra)
    with serving("validation"), CaptureQueriesContext(connection) as said:
        looking.answer(errand, errand.args, Far())
    commits = [query["sql"] for query in said if query["sql"].startswith("COMMIT")]
    assert len(commits) < len(NAMES) / 3


def test_a_worker_that_dies_while_it_stores_leaves_nothing_half(acme, petra, monkeypatch):
    class Killed(BaseException):
        pass

    errand, done, settle = ask(acme, petra), [], looking.settle

    def dying(check, sight):
        settle(check, sight)
        done.append(check.name)
        if len(done) == 30:
            raise Killed

    with monkeypatch.context() as patch, serving("validation"):
        patch.setattr(looking, "settle", dying)
        with pytest.raises(Killed):
            looking.answer(errand, errand.args, Far())
    before = stored(acme)
    assert journalled(acme) == sorted(before)
    assert len(before) < 30
    again = Far()
    with serving("validation"):
        looking.answer(errand, errand.args, again)
    assert set(again.asked) & set(NAMES) == set(NAMES) - before
    assert (stored(acme), journalled(acme)) == (set(NAMES), sorted(NAMES))


def test_one_that_another_worker_answered_meanwhile_does_not_undo_its_neighbours(acme, petra):
    errand = ask(acme, petra)
    with acting_for(acme.pk):
        theirs = list(CaaCheck.objects.filter(name__in=NAMES[:3]))

    class Overtaken(Far):
        def caa(self, name, ends):
            if name == NAMES[0]:
                answered(errand, [check.pk for check in theirs], Far())
            return super().caa(name, ends)

    with serving("validation"):
        looking.answer(errand, errand.args, Overtaken())
    assert (stored(acme), journalled(acme)) == (set(NAMES), sorted(NAMES))


# --- parents that a hundred names have in common ----------------------------------------------------------------


def test_a_label_is_asked_about_once_for_all_names_below_it(acme, petra):
    errand, far = ask(acme, petra), Far()
    with serving("validation"):
        looking.answer(errand, errand.args, far)
    assert sorted(far.asked) == sorted([*NAMES, "demo.test", "test"])


def failing(shared, seconds):
    with pytest.raises(LookupFailed) as failed:
        shared.caa("demo.test", time.monotonic() + seconds)
    return failed.value.reason


def test_a_failure_is_shared_by_those_who_wait_for_it_and_by_nobody_later():
    gate = threading.Event()
    far = Far(["demo.test"], gate)
    shared, failures = Shared(far), []

    threads = [threading.Thread(target=lambda: failures.append(failing(shared, 5))) for _ in range(5)]
    for thread in threads:
        thread.start()
    while not far.asked:
        time.sleep(0.01)
    time.sleep(0.1)  # so that the others wait, too; one that comes too late asks anew, which is right as well
    gate.set()
    for thread in threads:
        thread.join()
    assert failures == [Reason.TIMED_OUT] * 5
    assert 1 <= len(far.asked) < 5
    before = len(far.asked)
    failing(shared, 5)
    assert len(far.asked) == before + 1


def test_who_has_less_time_does_not_wait_for_who_has_more():
    gate = threading.Event()
    shared = Shared(Far(["demo.test"], gate))
    patient = threading.Thread(target=failing, args=(shared, 5))
    patient.start()
    time.sleep(0.1)
    began = time.monotonic()
    assert failing(shared, 0.2) == Reason.TIMED_OUT
    assert time.monotonic() - began < 1
    gate.set()
    patient.join()
