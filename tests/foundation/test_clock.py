"""One source of time for every decision, and ids that sort by it."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
import time_machine
from django.db import connection

from portal.foundation import clock, ids
from portal.foundation.ids import uuid7
from portal.foundation.tenancy.context import acting_as, acting_for

LONG_AGO = datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC)


def of_the_database() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        return cursor.fetchone()[0]


def of_this_machine() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the clock itself is in question


@pytest.mark.django_db
def test_inside_a_unit_of_work_it_is_the_databases_moment_and_stands_still(acme, petra):
    for unit in (acting_for(acme.pk), acting_as(petra.pk)):
        with unit:
            first = clock.now()
            assert first == of_the_database()
            time.sleep(0.002)
            assert clock.now() == first
    assert clock.now() > first


@pytest.mark.django_db
def test_a_machine_whose_clock_is_wrong_judges_by_the_databases(acme):
    truth = of_the_database()
    for error in (timedelta(minutes=-5), timedelta(minutes=5), timedelta(days=400)):
        with time_machine.travel(truth + error):
            assert abs(clock.now() - truth - error) < timedelta(seconds=10)
            with acting_for(acme.pk):
                assert abs(clock.now() - truth) < timedelta(seconds=10)


@pytest.mark.django_db
def test_after_a_unit_of_work_however_it_ended_it_is_this_machines_again(acme):
    with pytest.raises(ZeroDivisionError), acting_for(acme.pk):
        raise ZeroDivisionError
    before = of_this_machine()
    assert before <= clock.now() <= of_this_machine()


@pytest.mark.django_db
def test_frozen_it_is_what_a_test_says_inside_and_outside_of_units(acme):
    with clock.frozen(LONG_AGO):
        assert clock.now() == LONG_AGO
        with acting_for(acme.pk):
            assert clock.now() == LONG_AGO
        with clock.frozen(LONG_AGO + timedelta(days=1)):
            assert clock.now() == LONG_AGO + timedelta(days=1)
        assert clock.now() == LONG_AGO
    assert clock.now() > LONG_AGO + timedelta(days=9000)


def test_frozen_time_thaws_after_a_failure():
    with pytest.raises(ZeroDivisionError), clock.frozen(LONG_AGO):
        raise ZeroDivisionError
    assert clock.now() != LONG_AGO


def test_frozen_time_is_this_threads_alone():
    with clock.frozen(LONG_AGO), ThreadPoolExecutor(1) as other:
        assert other.submit(clock.now).result() > LONG_AGO + timedelta(days=9000)


def test_it_always_knows_its_zone():
    assert clock.now().tzinfo is UTC


# --- ids


def test_an_id_is_a_uuid_of_version_7_that_tells_its_millisecond(monkeypatch):
    """RFC 9562 section 5.7."""
    monkeypatch.setattr(ids, "_last", 0)  # an earlier test may have been in the future
    before = time.time_ns() // 1_000_000
    made = uuid7()
    after = time.time_ns() // 1_000_000
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert before <= made.int >> 80 <= after + 1


def test_ids_sort_as_they_were_made_and_none_comes_twice():
    made = [uuid7() for _ in range(20_000)]
    assert all(one < other for one, other in pairwise(made))


def test_ids_made_in_several_threads_at_once_are_all_different():
    with ThreadPoolExecutor(4) as pool:
        made = [each for batch in pool.map(lambda _: [uuid7() for _ in range(2000)], range(4)) for each in batch]
    assert len(set(made)) == 8000


def test_the_order_survives_a_clock_that_steps_back():
    first = uuid7()
    with time_machine.travel(of_this_machine() - timedelta(hours=1)):
        assert uuid7() > first


def test_what_the_time_does_not_say_of_an_id_is_random():
    assert len({uuid7().int & (1 << 62) - 1 for _ in range(1000)}) == 1000
