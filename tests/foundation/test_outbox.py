"""Work promised with a commit, done at least once, fairly, and never lost."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg2
import pytest
from celery import Celery
from django.db import DatabaseError, InterfaceError, OperationalError, ProgrammingError, connection, transaction

from portal.demo.child import wait_until
from portal.foundation import clock
from portal.foundation.audit.models import AuditEvent, record
from portal.foundation.errors import Refusal
from portal.foundation.outbox import bell, drain, heartbeat
from portal.foundation.outbox.drain import BATCH, LEASE, LONGEST_ABSENCE, TryLater, WorldAway, claim, run
from portal.foundation.outbox.models import Errand, Heartbeat, send, waiting
from portal.foundation.outbox.registry import Task, errand, task_named
from portal.foundation.outbox.relay import forget_what_is_done, ring_for_what_is_due, wake_everybody
from portal.foundation.states import ChangedMeanwhile
from portal.foundation.tenancy.context import acting_as, acting_for
from portal.foundation.tenancy.models import PLATFORM
from tests.plugins.services import superuser_url
from tests.world import carry_out, serving, submitted

pytestmark = pytest.mark.django_db


class Tired(Refusal):
    code = "test-tired"
    message = "Not today."
    next_step = "Come back."


def note(promised: Errand) -> None:
    record(actor="test", code="test:done", subject=promised.args[0] if promised.args else "x")


@errand(queue="messages")
def does_it(promised: Errand) -> None:
    with acting_for(promised.tenant_id):
        note(promised)
        promised.finish()


@errand(queue="messages")
def finds_nothing_to_do(_promised: Errand) -> None:
    """Return without a word: the queue ends such an errand itself."""


@errand(queue="messages")
def comes_too_early(promised: Errand) -> None:
    with acting_for(promised.tenant_id):
        note(promised)
        raise TryLater("the token is away")


@errand(queue="messages", tries=2)
def finds_the_world_away(promised: Errand) -> None:
    with acting_for(promised.tenant_id):
        note(promised)
        raise WorldAway("the token is away")


world = {"ready": True}


@errand(queue="messages", ready=lambda: world["ready"])
def needs_the_world(promised: Errand) -> None:
    does_it.run(promised)


@errand(queue="messages", tries=3)
def gives_up_early(_promised: Errand) -> None:
    raise TryLater("no")


@errand(queue="messages")
def is_overtaken(promised: Errand) -> None:
    with acting_for(promised.tenant_id):
        note(promised)
        raise ChangedMeanwhile(thing="request")


@errand(queue="messages")
def has_a_bug(promised: Errand) -> None:
    with acting_for(promised.tenant_id):
        note(promised)
        raise ZeroDivisionError("a bug")


@errand(queue="messages")
def refuses(promised: Errand) -> None:
    with acting_for(promised.tenant_id):
        note(promised)
        raise Tired


@errand(queue="messages")
def finishes_and_then_fails(promised: Errand) -> None:
    with acting_for(promised.tenant_id):
        note(promised)
        promised.finish()
        raise TryLater("the commit did not come")


@errand(queue="messages")
def loses_its_connection(promised: Errand) -> None:
    with acting_for(promised.tenant_id):
        note(promised)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")


@pytest.fixture
def promise(acme):
    """Promise something as acme; return the errand."""

    def promising(task: Task = does_it, *args: object, tenant: UUID = acme.pk) -> Errand:
        with acting_for(tenant):
            return send(task, *args)

    return promising


@pytest.fixture(autouse=True)
def nothing_before(monkeypatch, broker):
    """Begin without a bell that an earlier test rang, and without a heartbeat of the last five seconds."""
    broker.delete("messages", "signing")
    monkeypatch.setattr(heartbeat, "_last", {})


def bells(broker, queue="messages") -> int:
    return int(broker.llen(queue))


def effects(tenant_id) -> list[str]:
    with acting_for(tenant_id):
        return [event.subject for event in AuditEvent.objects.filter(code="test:done").order_by("pk")]


def claimed(queue="messages") -> list[Errand]:
    with serving(queue):
        return claim(queue)


def worked(promised: Errand) -> Errand:
    """Claim what is due and run it, as the worker would; return *promised* as it is then."""
    for each in claimed():
        with serving("messages"):
            run(each)
    promised.refresh_from_db()
    return promised


# --- promised


def test_an_errand_is_promised_with_its_commit_and_rung_for_after_it(acme, broker):
    with acting_for(acme.pk):
        send(does_it, "one", UUID(int=7))
        assert bells(broker) == 0
    [promised] = Errand.objects.all()
    assert (promised.tenant_id, promised.queue, promised.task) == (acme.pk, "messages", does_it.name)
    assert promised.args == ["one", "00000000-0000-0000-0000-000000000007"]
    assert (promised.tries, promised.leased_until, promised.done_at, promised.parked_at) == (0, None, None, None)
    assert bells(broker) == 1


def test_what_is_rolled_back_was_never_promised(acme, broker):
    def half_a_deed():
        with acting_for(acme.pk):
            send(does_it)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half_a_deed()
    with acting_for(acme.pk):
        send(does_it)
        transaction.set_rollback(True)
    assert not Errand.objects.exists()
    assert bells(broker) == 0


def test_what_belongs_to_no_tenant_is_the_platforms(petra):
    with acting_as(petra.pk):
        assert send(does_it).tenant_id == PLATFORM


def test_an_errand_can_be_put_off_in_the_unit_that_promises_it(acme):
    with acting_for(acme.pk):
        promised = send(does_it)
        promised.postpone(timedelta(hours=12))
    assert claimed() == []
    promised.refresh_from_db()
    assert promised.due_at - clock.now() > timedelta(hours=11)


def test_a_lost_bell_costs_nothing_because_the_relay_rings(promise, broker, monkeypatch, caplog):
    nowhere = Celery("nowhere", broker="redis://127.0.0.1:1/0", set_as_current=False)
    nowhere.conf.broker_transport_options = {"socket_connect_timeout": 1, "max_retries": 0}
    with monkeypatch.context() as away:
        away.setattr(bell, "current_app", nowhere)
        promised = promise()  # the promise is kept although nobody could be rung for
        assert "bell.lost" in caplog.text
    assert bells(broker) == 0
    with serving("relay"):
        assert ring_for_what_is_due() == ["messages"]
    assert bells(broker) == 1
    assert worked(promised).done_at


def test_a_broker_that_lost_its_memory_costs_nothing_either(promise, broker):
    promise()
    broker.flushdb()
    with serving("relay"):
        ring_for_what_is_due()
    assert bells(broker) == 1


@pytest.mark.parametrize(
    ("change", "rung"),
    [
        ("due_at = now()", True),
        ("leased_until = now() - interval '1 second'", True),
        ("leased_until = now() + interval '10 seconds'", False),
        ("due_at = now() + interval '10 seconds'", False),
        ("done_at = now()", False),
        ("parked_at = now()", False),
    ],
)
def test_the_relay_rings_for_what_is_due_and_nobody_works_on(promise, owner, broker, change, rung):
    promise()
    broker.flushdb()
    owner.execute(f"UPDATE outbox_errand SET {change}")
    with serving("relay"):
        assert ring_for_what_is_due() == (["messages"] if rung else [])
    assert bells(broker) == rung
    assert bool(claimed()) is rung


def test_the_relay_can_wake_idle_workers_of_every_queue(db, broker):
    assert wake_everybody() is True
    assert (bells(broker, "signing"), bells(broker)) == (1, 1)


def test_errands_that_wait_are_found_by_what_they_are_about(promise, acme, globex):
    promised = promise(does_it, "one")
    assert list(waiting(acme.pk, does_it, "one")) == [promised]
    assert not waiting(acme.pk, does_it, "two")
    assert not waiting(globex.pk, does_it, "one")
    worked(promised)
    assert not waiting(acme.pk, does_it, "one")


def test_there_are_only_the_queues_that_somebody_works_on():
    with pytest.raises(ValueError, match="there is no queue 'recovery'"):
        errand(queue="recovery")


# --- claimed


def test_what_is_claimed_is_leased_and_counted(promise):
    promised = promise()
    before = clock.now()
    [mine] = claimed()
    assert mine.pk == promised.pk
    assert mine.tries == 1
    assert abs(mine.leased_until - (before + LEASE)) < timedelta(seconds=5)
    assert claimed() == []


def test_of_many_workers_that_claim_at_once_each_errand_goes_to_one(promise):
    wanted = {promise(does_it, number).pk for number in range(40)}
    together = threading.Barrier(4)

    def worker(_number: int) -> list[UUID]:
        try:
            mine: list[UUID] = []
            together.wait(10)
            while batch := claimed():
                mine += [each.pk for each in batch]
            return mine
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        hauls = list(pool.map(worker, range(4)))
    got = [pk for haul in hauls for pk in haul]
    assert len(got) == len(set(got)) == 40
    assert set(got) == wanted
    assert set(Errand.objects.values_list("tries", flat=True)) == {1}


def test_a_row_that_somebody_has_locked_is_passed_over_and_not_waited_for(promise):
    locked, free = promise(does_it, 1), promise(does_it, 2)
    with closing(psycopg2.connect(superuser_url())) as other, other.cursor() as cursor:
        cursor.execute("SELECT 1 FROM outbox_errand WHERE id = %s FOR UPDATE", [str(locked.pk)])
        with connection.cursor() as mine:
            mine.execute("SET lock_timeout = '2s'")
        assert [each.pk for each in claimed()] == [free.pk]
        other.rollback()
    assert [each.pk for each in claimed()] == [locked.pk]


def test_when_a_lease_is_over_somebody_else_claims(promise, owner):
    promise()
    [first] = claimed()
    owner.execute("UPDATE outbox_errand SET leased_until = now() - interval '1 millisecond'")
    [again] = claimed()
    assert (again.pk, again.tries) == (first.pk, 2)


def test_whoever_came_too_late_does_not_put_back_what_somebody_else_claimed_since(promise, owner):
    promised = promise(comes_too_early)
    [slow] = claimed()
    owner.execute("UPDATE outbox_errand SET leased_until = now() - interval '1 millisecond'")
    [fresh] = claimed()
    with serving("messages"):
        run(slow)
    promised.refresh_from_db()
    assert promised.leased_until == fresh.leased_until
    assert (promised.tries, promised.last_error) == (2, "")


def test_the_oldest_of_a_tenant_comes_first(promise, owner):
    late, early = promise(does_it, "late"), promise(does_it, "early")
    owner.execute("UPDATE outbox_errand SET due_at = due_at - interval '1 minute' WHERE id = %s", [str(early.pk)])
    assert [each.pk for each in claimed()] == [early.pk, late.pk]


def heap(owner, tenant_id, count: int) -> None:
    """Promise a great many errands in one go, all due for a minute."""
    owner.execute(
        "INSERT INTO outbox_errand (id, tenant_id, queue, task, args, due_at, tries, last_error)"
        " SELECT gen_random_uuid(), %s, 'messages', %s, '[]', now() - interval '1 minute', 0, ''"
        " FROM generate_series(1, %s)",
        [str(tenant_id), does_it.name, count],
    )


def test_ten_thousand_errands_of_one_tenant_do_not_delay_the_one_of_another(promise, owner, acme, globex):
    for big, small in ((acme, globex), (globex, acme)):  # whichever of the two sorts first
        owner.execute("DELETE FROM outbox_errand")
        heap(owner, big.pk, 10_000)
        claimed()
        mine = promise(tenant=small.pk)
        assert mine.pk in {each.pk for each in claimed()}


def test_of_many_tenants_each_has_its_turn_before_the_first_has_a_second(owner, world):
    tenants = sorted(uuid4() for _ in range(3 * BATCH))
    for tenant in tenants:
        heap(owner, tenant, 50)
    served: list[UUID] = []
    after = None
    for _ in range(3):
        with serving("messages"):
            batch = claim("messages", after)
        served += [each.tenant_id for each in batch]
        after = max(each.tenant_id for each in batch)
    assert sorted(served) == tenants


def test_tenants_whose_errands_are_all_being_worked_on_do_not_stand_in_the_way_of_the_next(owner, world):
    busy, idle = sorted(uuid4() for _ in range(BATCH)), UUID(int=2**128 - 1)
    for tenant in busy:
        heap(owner, tenant, 1)
    assert {each.tenant_id for each in claimed()} == set(busy)
    heap(owner, idle, 1)
    assert [each.tenant_id for each in claimed()] == [idle]


def test_a_claim_looks_at_no_more_rows_however_long_the_queue_is(owner, acme, globex):
    heap(owner, acme.pk, 10_000)
    heap(owner, globex.pk, 10)
    owner.execute("ANALYZE outbox_errand")
    asked = {"queue": "messages", "after": None, "batch": BATCH, "lease": LEASE, "not_ready": []}
    with serving("messages"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {drain._CLAIM}", asked)
        [plan] = cursor.fetchone()[0]
    looks = list(scans(plan["Plan"]))
    assert "Seq Scan" not in {look["Node Type"] for look in looks}
    read = sum((look["Actual Rows"] + look.get("Rows Removed by Filter", 0)) * look["Actual Loops"] for look in looks)
    assert read < 100


def scans(node):
    if node.get("Relation Name") == "outbox_errand" and node["Node Type"] != "ModifyTable":
        yield node
    for below in node.get("Plans", []):
        yield from scans(below)


# --- done, or not


def test_an_errand_is_marked_done_in_the_unit_that_has_the_effect(promise, acme):
    promised = worked(promise(does_it, "one"))
    assert promised.done_at
    assert promised.leased_until is None
    assert effects(acme.pk) == ["one"]
    assert claimed() == []


def test_an_errand_delivered_twice_is_the_tasks_to_recognise_and_ends_either_way(promise):
    promised = worked(promise(finds_nothing_to_do))
    assert promised.done_at
    assert promised.last_error == ""


def test_a_task_that_fails_after_it_said_it_was_done_is_not_done(promise, acme):
    promised = worked(promise(finishes_and_then_fails))
    assert promised.done_at is None
    assert promised.last_error == "TryLater: the commit did not come"
    assert effects(acme.pk) == []


@pytest.mark.parametrize("task", [comes_too_early, is_overtaken])
def test_what_may_succeed_later_is_tried_later_and_left_no_half_effect(promise, acme, task):
    promised = worked(promise(task))
    assert promised.done_at is None
    assert promised.parked_at is None
    assert promised.leased_until is None
    assert timedelta(seconds=3) < promised.due_at - clock.now() <= timedelta(seconds=5)
    assert promised.last_error.partition(":")[0] in {"TryLater", "ChangedMeanwhile"}
    assert effects(acme.pk) == []
    assert claimed() == []


def test_the_wait_doubles_from_five_seconds_to_ten_minutes_and_after_twenty_tries_it_is_parked(promise, owner):
    promised = promise(comes_too_early)
    waits = []
    for _ in range(20):
        owner.execute("UPDATE outbox_errand SET due_at = now() - interval '1 second'")
        worked(promised)
        waits.append(round((promised.due_at - clock.now()).total_seconds()))
    assert waits[:-1] == pytest.approx([5, 10, 20, 40, 80, 160, 320, *[600] * 12], abs=2)
    assert promised.tries == 20
    assert promised.parked_at
    assert promised.last_error == "TryLater: the token is away"
    assert claimed() == []


def test_a_world_that_is_away_costs_no_try_and_is_asked_for_twice_a_minute(promise, acme, owner):
    promised = promise(finds_the_world_away)
    for _ in range(30):
        owner.execute("UPDATE outbox_errand SET due_at = now() - interval '1 second'")
        worked(promised)
        assert timedelta(seconds=3) < promised.due_at - clock.now() <= timedelta(seconds=30)
    assert (promised.tries, promised.parked_at, promised.done_at, promised.leased_until) == (0, None, None, None)
    assert promised.last_error == "WorldAway: the token is away"
    assert effects(acme.pk) == []
    owner.execute("UPDATE outbox_errand SET due_at = now(), away_since = now() - interval '1 day'")
    worked(promised)
    assert promised.due_at - clock.now() == pytest.approx(timedelta(seconds=30), abs=timedelta(seconds=2))


def test_an_errand_that_finds_the_world_away_for_a_week_is_parked_for_somebody_to_look(promise, owner):
    promised = promise(finds_the_world_away)
    worked(promised)
    owner.execute("UPDATE outbox_errand SET due_at = now(), away_since = now() - %s", [LONGEST_ABSENCE])
    worked(promised)
    assert promised.parked_at
    assert promised.away_since is None  # whoever takes it up again begins a new week


def test_any_other_failure_ends_the_absence_and_costs_its_try(promise, owner):
    """An errand that is away now and then, and fails in between, is not spared for ever."""
    promised = promise(comes_too_early)
    owner.execute("UPDATE outbox_errand SET away_since = now() - interval '6 days', tries = 19")
    worked(promised)
    assert (promised.tries, promised.away_since) == (20, None)
    assert promised.parked_at


def test_what_this_worker_cannot_do_now_is_not_claimed_and_stops_nobody_else(promise, acme, globex, monkeypatch):
    away, other = promise(needs_the_world, "away"), promise(does_it, "other")
    theirs = promise(needs_the_world, "theirs", tenant=globex.pk)
    monkeypatch.setitem(world, "ready", False)
    before = Errand.objects.filter(pk__in=[away.pk, theirs.pk]).values().order_by("pk")
    seen = list(before)
    with serving("messages"):
        assert drain.drain("messages") == 1
    assert list(before.all()) == seen  # no try, no lease, no word
    assert effects(acme.pk) == ["other"]
    monkeypatch.setitem(world, "ready", True)
    with serving("messages"):
        assert drain.drain("messages") == 2
    assert effects(acme.pk) == ["other", "away"]
    assert effects(globex.pk) == ["theirs"]
    other.refresh_from_db()
    assert other.done_at


def test_whoever_came_too_late_changes_nothing_even_if_the_tries_are_the_same(promise, owner):
    """An absence gives its try back, so tries do not tell one claim from the next; the lease does."""
    promised = promise(comes_too_early)
    [slow] = claimed()
    owner.execute("UPDATE outbox_errand SET leased_until = now() - interval '1 millisecond', tries = 0")
    [fresh] = claimed()
    assert fresh.tries == slow.tries
    with serving("messages"):
        run(slow)
    promised.refresh_from_db()
    assert (promised.leased_until, promised.last_error) == (fresh.leased_until, "")


def test_a_task_may_have_fewer_tries(promise, owner):
    promised = promise(gives_up_early)
    for _ in range(3):
        assert promised.parked_at is None
        owner.execute("UPDATE outbox_errand SET due_at = now() - interval '1 second'")
        worked(promised)
    assert promised.parked_at
    assert task_named(gives_up_early.name).tries == 3


@pytest.mark.parametrize(("task", "told"), [(has_a_bug, "ZeroDivisionError: a bug"), (refuses, "Tired: Not today.")])
def test_a_bug_is_parked_at_once_with_its_error_and_left_no_half_effect(promise, acme, caplog, task, told):
    promised = worked(promise(task))
    assert promised.parked_at
    assert promised.done_at is None
    assert promised.tries == 1
    assert promised.last_error == told
    assert "errand.parked" in caplog.text
    assert effects(acme.pk) == []
    assert claimed() == []


def test_an_errand_whose_task_no_longer_exists_is_parked_and_stops_nobody_else(promise, acme):
    lost = promise(Task("no.such.task", "messages", lambda _errand: None, 20))
    other = promise(does_it, "other")
    worked(other)
    lost.refresh_from_db()
    assert lost.parked_at
    assert "no.such.task" in lost.last_error
    assert effects(acme.pk) == ["other"]


def test_a_connection_that_is_lost_while_working_is_an_errand_to_be_tried_again(promise, acme):
    promised, other = promise(loses_its_connection), promise(does_it, "other")
    batch = claimed()
    assert len(batch) == 2
    for each in batch:
        run(each)
    promised.refresh_from_db()
    other.refresh_from_db()
    assert promised.done_at is None
    assert promised.parked_at is None
    assert promised.last_error
    assert promised.due_at > clock.now()
    assert effects(acme.pk) == ["other"]
    assert other.done_at


def test_draining_works_until_nothing_is_due_and_tells_how_it_goes(promise, acme, globex):
    for number in range(20):
        promise(does_it, number)
    promise(does_it, "theirs", tenant=globex.pk)
    with serving("messages"):
        assert drain.drain("messages") == 21
    assert set(effects(acme.pk)) == {str(number) for number in range(20)}
    assert effects(globex.pk) == ["theirs"]
    assert Heartbeat.objects.get(service="messages").at
    assert not Errand.objects.filter(done_at=None)


def test_a_shift_that_is_over_rings_for_the_next(promise, broker):
    promised = promise()
    broker.delete("messages")
    with serving("messages"):
        assert drain.drain("messages", shift=0.0) == 0
    assert bells(broker) == 1
    assert worked(promised).done_at


def test_a_batch_rings_once_however_many_commits_wanted_to(acme, broker):
    with bell.held():
        for _ in range(5):
            with acting_for(acme.pk):
                send(does_it)
        assert bells(broker) == 0
    assert bells(broker) == 1


def test_a_service_drains_its_own_queue_and_no_other(promise):
    promised = promise()
    with serving("signing"):
        assert claim("signing") == []
    promised.refresh_from_db()
    assert promised.tries == 0


def test_no_service_but_the_relay_can_delete_an_errand(promise):
    promise()
    for service in ("web", "signing", "messages"):
        with serving(service), pytest.raises(DatabaseError, match="permission denied"):
            Errand.objects.all()._raw_delete("default")
    assert Errand.objects.count() == 1


# --- with a real broker and a real worker


def test_a_real_worker_does_what_a_commit_promised_and_what_only_the_relay_knew_of(
    acme, petra, broker, celery_worker_process, owner
):
    def done() -> bool:
        return not Errand.objects.filter(queue="messages", done_at=None).exists()

    celery_worker_process("messages")
    carry_out(submitted(petra, acme))  # its commit promises a notice, and rings
    assert wait_until(done, 20.0), list(Errand.objects.values("task", "last_error"))
    owner.execute("UPDATE outbox_errand SET done_at = NULL, due_at = now() WHERE queue = 'messages'")
    assert bells(broker) == 0
    with serving("relay"):
        assert ring_for_what_is_due() == ["messages"]
    assert wait_until(done, 20.0)
    owner.execute("SELECT count(*) FROM requests_notice")
    assert owner.fetchone() == (1,)  # delivered twice, sent once
    assert wait_until(lambda: Heartbeat.objects.filter(service="messages").exists(), 5.0)


def test_what_was_done_a_month_ago_is_forgotten_and_nothing_else(db, acme):
    now = clock.now()
    old, fresh, parked = (
        Errand(tenant_id=acme.pk, queue="messages", task="a", due_at=now - timedelta(days=90)) for _ in range(3)
    )
    old.done_at, fresh.done_at, parked.parked_at = now - timedelta(days=31), now - timedelta(days=29), old.due_at
    Errand.objects.bulk_create([old, fresh, parked])
    with serving("relay"):
        assert forget_what_is_done() == 1
    assert set(Errand.objects.values_list("pk", flat=True)) == {fresh.pk, parked.pk}


@pytest.mark.parametrize("error", [OperationalError, InterfaceError, DatabaseError])
def test_a_database_that_goes_away_ends_the_shift_and_nothing_else(promise, monkeypatch, error):
    promised = promise(does_it)

    def gone(*_args: object) -> None:
        raise error("server closed the connection unexpectedly")

    with monkeypatch.context() as outage, serving("messages"):
        outage.setattr(drain, "claim", gone)
        assert drain.drain("messages") == 0
    assert worked(promised).done_at is not None


def test_a_statement_that_is_wrong_is_no_outage(monkeypatch):
    def wrong(*_args: object) -> None:
        raise ProgrammingError("no such column")

    monkeypatch.setattr(drain, "claim", wrong)
    with serving("messages"), pytest.raises(ProgrammingError):
        drain.drain("messages")


@errand(queue="messages")
def takes_its_time(promised: Errand) -> None:
    drained.append(promised.tenant_id)
    with acting_for(promised.tenant_id):
        promised.finish()
    if promised.args:
        time.sleep(0.3)


drained: list[UUID] = []


def test_a_tenant_whose_work_is_slow_holds_the_others_up_for_one_errand(acme, globex, promise, monkeypatch):
    monkeypatch.setattr(drain, "LEASE", timedelta(seconds=0.4))
    monkeypatch.setattr(drain, "_served", {})
    drained.clear()
    for _ in range(6):
        promise(takes_its_time, "slowly")
    theirs = promise(takes_its_time, tenant=globex.pk)  # the last to be promised
    for _ in range(8):
        with serving("messages"):
            drain.drain("messages", shift=0.2)  # a shift ends with the slow errand, as it does after ten real seconds
    assert drained.index(globex.pk) <= 1
    theirs.refresh_from_db()
    assert theirs.tries == 1, "waiting for somebody else cost it a try"
    assert drained.count(acme.pk) == 6
    assert set(Errand.objects.filter(tenant_id=acme.pk).values_list("tries", flat=True)) == {1}
