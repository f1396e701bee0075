"""The circuit as a table, and what an operator is told of it; the token itself is in `tests/real`."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from django.utils import translation

from portal.foundation import clock
from portal.foundation.outbox import heartbeat
from portal.foundation.outbox.heartbeat import Heartbeat, beat, forget_the_dead
from portal.foundation.token import TokenNotReached, report
from portal.foundation.token.circuit import NEXT, RESTS, Circuit, Event, State, Why, stamp_of
from portal.foundation.token.report import STATE_WORDS, WORDS, token_reports
from tests.world import serving

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def admitted(mine: Circuit, at: datetime, pin_file: str = "") -> bool:
    with clock.frozen(at):
        try:
            mine.admit(pin_file)
        except TokenNotReached:
            return False
    return True


def broken(why: Why, at: datetime = NOON) -> Circuit:
    mine = Circuit()
    with clock.frozen(at):
        mine.trouble(why, "It failed.")
    return mine


def test_every_event_in_every_state_is_settled():
    for state, event in product(State, Event):
        assert NEXT.get((state, event), state) in State
    assert NEXT.get((State.OPEN, Event.SUCCESS)) is None  # what was under way when the trouble came proves nothing
    assert set(RESTS) == set(WORDS) == set(Why)
    assert set(STATE_WORDS) == set(State)


def test_a_closed_one_lets_everybody_pass_and_an_open_one_nobody_before_it_rested():
    assert admitted(Circuit(), NOON)
    mine = broken(Why.NOT_THERE)
    assert [admitted(mine, NOON + wait * SECOND) for wait in (0, 1, 4)] == [False] * 3
    assert mine.state == State.OPEN
    assert admitted(mine, NOON + 5 * SECOND)
    assert mine.state == State.TRIAL


def test_rests_double_to_half_a_minute_while_trials_fail():
    mine, rests = broken(Why.NOT_THERE), []
    for _ in range(5):
        with clock.frozen(mine.next_try):
            mine.admit()
            mine.trouble(Why.NOT_THERE, "It failed.")
            rests.append((mine.next_try - clock.now()).seconds)
    assert rests == [10, 20, 30, 30, 30]
    assert mine.since == NOON  # through all the trials


@pytest.mark.parametrize(("well_for", "rest"), [(timedelta(minutes=9), 10), (timedelta(minutes=11), 5)])
def test_what_fails_soon_after_its_trial_rests_longer_than_what_worked_for_ten_minutes(well_for, rest):
    mine = broken(Why.FELL_SILENT)
    healed = mine.next_try
    with clock.frozen(healed):
        mine.admit()
        mine.success()
    assert (mine.state, mine.why, mine.since) == (State.CLOSED, None, None)
    with clock.frozen(healed + well_for):
        mine.trouble(Why.FELL_SILENT, "It failed.")
        assert (mine.next_try - clock.now()).seconds == rest


@pytest.mark.parametrize("why", [Why.PIN_REFUSED, Why.PIN_LOCKED])
def test_a_refused_pin_is_offered_again_only_when_its_file_is_written_anew(tmp_path, why):
    pin = tmp_path / "pin"
    pin.write_text("1111")
    mine = Circuit()
    with clock.frozen(NOON):
        mine.trouble(why, "It refused.", pin=stamp_of(str(pin)))
    assert not admitted(mine, NOON + timedelta(days=30), str(pin))
    assert mine.told()["next_try"] == ""  # nobody can say when: somebody has to do something
    pin.write_text("22222")
    assert not admitted(mine, NOON + 59 * SECOND, str(pin))
    assert admitted(mine, NOON + 60 * SECOND, str(pin))


@pytest.mark.parametrize("why", sorted(set(Why) - {Why.PIN_REFUSED, Why.PIN_LOCKED}))
def test_all_other_trouble_heals_by_itself_within_a_minute(why):
    mine, at = broken(why), NOON
    for _ in range(5):
        with clock.frozen(mine.next_try):
            mine.admit()
            mine.trouble(why, "It failed.")
            at = clock.now()
    assert mine.next_try - at <= timedelta(seconds=30)


@pytest.mark.parametrize("why", list(Why))
def test_every_trouble_has_words_that_say_what_to_do(why):
    told = report.TokenReport("w", "ca", State.OPEN, NOON, silent=False, since=NOON, next_try=None, why=why, keys=0)
    assert told.happened.endswith(".")
    assert "{" not in told.next_step
    assert len(told.next_step) > 40
    assert told.title == "Does not work"
    with translation.override("en"):
        assert told.next_step


# --- what the workers say


FACTS = {"label": "ca", "state": "closed", "why": "", "since": "", "next_try": "", "keys": 0}


def said(worker: str, at: datetime, **facts: object) -> None:
    with serving("signing"):
        Heartbeat.objects.create(worker=worker, service="signing", at=at, facts={"token": {**FACTS, **facts}})


@pytest.mark.django_db
def test_a_worker_that_is_well_does_not_hide_one_that_is_not(client):
    now = clock.now()
    said("signing@a:1", now)
    said(
        "signing@b:1",
        now - SECOND,
        state="open",
        why="pin-locked",
        since=(now - timedelta(hours=1)).isoformat(),
    )
    said("signing@c:1", now - timedelta(minutes=5), state="open", why="not-there")
    bad, good = token_reports()
    assert (bad.worker, bad.why, bad.well, good.worker, good.well) == (
        "signing@b:1", Why.PIN_LOCKED, False, "signing@a:1", True,
    )  # fmt: skip
    assert bad.since == now - timedelta(hours=1)
    assert (good.happened, good.next_step) == ("", "")
    told = client.get("/readyz").json()["services"]["signing"]
    assert (told["state"], told["token"]) == ("ailing", "trouble")
    assert "pin" not in client.get("/readyz").content.decode()


@pytest.mark.django_db
def test_a_worker_that_fell_silent_is_told_by_its_last_word(client):
    said("signing@a:1", clock.now() - timedelta(minutes=5))
    [told] = token_reports()
    assert (told.silent, told.well, told.title) == (True, False, "Is not heard from")
    assert told.happened
    assert told.next_step
    assert client.get("/readyz").json()["services"]["signing"]["state"] == "silent"


@pytest.mark.django_db
def test_nobody_heard_of_is_nobody():
    assert list(token_reports()) == []


@pytest.mark.django_db
def test_the_dead_are_forgotten_after_a_day_but_for_the_last_word_of_a_service(monkeypatch):
    now = clock.now()
    said("signing@a:1", now - timedelta(days=3))
    said("signing@b:1", now - timedelta(days=2))
    with serving("relay"):
        assert forget_the_dead() == 1
        assert list(Heartbeat.objects.values_list("worker", flat=True)) == ["signing@b:1"]
    monkeypatch.setattr(heartbeat, "_last", {})
    with serving("signing"):
        beat("signing", token=FACTS)
    with serving("relay"):
        assert forget_the_dead() == 1
        [left] = Heartbeat.objects.all()
    assert left.worker.startswith("signing@")
    assert left.well
