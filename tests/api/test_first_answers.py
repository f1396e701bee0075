"""A POST is carried out once, however often it is sent; what was refused is judged anew."""

import threading
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.core import mail
from django.db import connection

from portal.foundation import clock
from portal.foundation.access import services
from portal.foundation.access.permissions import Role
from portal.foundation.api import first_answers
from portal.foundation.api.first_answers import Deed
from portal.foundation.tenancy.context import acting_for
from tests.api.conftest import Program
from tests.rows import everything
from tests.world import ask_for_codes, at_once, filled, token_of

pytestmark = pytest.mark.django_db

BEGIN = {"kind": "issue", "profile": "desktop-signing"}
KEY = {"Idempotency-Key": "a-key"}


@pytest.fixture
def program(petra, acme) -> Program:
    return Program("acme", token_of(petra, acme)[1])


def count(owner, table: str = "requests_certificaterequest") -> int:
    return len(everything(owner)[table])


def test_the_same_again_gets_the_same_and_is_done_once(program, owner):
    first = program.call("POST", "requests", BEGIN, **KEY)
    before = everything(owner, but={"access_apitoken"})
    again = program.call("POST", "requests", BEGIN, **KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert first["Location"] == again["Location"]
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert everything(owner, but={"access_apitoken"}) == before


def test_the_first_answer_stays_when_the_thing_changes(program):
    first = program.call("POST", "requests", BEGIN, **KEY).json()
    program.post(f"requests/{first['id']}/withdrawal")
    assert program.get(f"requests/{first['id']}")["state"] == "withdrawn"
    assert program.call("POST", "requests", BEGIN, **KEY).json() == first


@pytest.mark.parametrize("key", [None, "", " ", "a b", "é", "x" * 256, "a\tb"])
def test_without_a_key_that_is_one_nothing_is_done(petra, acme, program, owner, key):
    before = everything(owner, but={"access_apitoken"})
    headers = {"Authorization": f"Bearer {program.secret}"} | ({} if key is None else {"Idempotency-Key": key})
    answer = program.client.post("/api/v1/t/acme/requests", BEGIN, "application/json", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency-key-wanted")
    assert everything(owner, but={"access_apitoken"}) == before


def test_another_body_and_another_address_under_the_same_key_are_refused(program, owner):
    made = program.call("POST", "requests", BEGIN, **KEY).json()
    before = everything(owner, but={"access_apitoken"})
    for path, body in (
        ("requests", {**BEGIN, "profile": "secure-email"}),
        (f"requests/{made['id']}/withdrawal", {}),
        (f"requests/{made['id']}/withdrawal", BEGIN),
    ):
        answer = program.call("POST", path, body, **KEY)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-used")
    assert everything(owner, but={"access_apitoken"}) == before


def test_an_address_of_any_length_is_refused_and_not_an_accident(program):
    answer = program.call("POST", f"requests/01a1fed7-1482-7cd0-9c46-f3f279d6b0db/{'x' * 5000}", {}, **KEY)
    assert answer.status_code == 404


def test_addresses_that_begin_alike_are_told_apart(petra, acme):
    token = token_of(petra, acme)[0]
    long = "/api/v1/" + "x" * 300
    deeds = [
        Deed.of(token, "k", path, body)
        for path, body in ((long, b"a"), (f"{long}a", b""), (long, b""), (f"{long}b", b""))
    ]
    assert len({deed.body_sha256 for deed in deeds}) == 4
    assert max(len(deed.path) for deed in deeds) == 250


def test_another_token_has_keys_of_its_own(petra, acme, program, owner):
    other = Program("acme", token_of(petra, acme)[1])
    first, second = (each.call("POST", "requests", BEGIN, **KEY).json()["id"] for each in (program, other))
    assert first != second
    assert count(owner) == 2


def test_what_was_refused_keeps_nothing_and_is_judged_anew(program, owner):
    refused = program.call("POST", "requests", {"kind": "issue", "profile": "no-such-profile"}, **KEY)
    assert refused.status_code in {404, 422}
    assert count(owner, "api_firstanswer") == 0
    assert program.call("POST", "requests", BEGIN, **KEY).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_of_many_at_the_same_moment_one_is_carried_out_and_all_get_its_answer(program, owner):
    outcomes = at_once(6, lambda: Program("acme", program.secret).call("POST", "requests", BEGIN, **KEY))
    assert {outcome.status_code for outcome in outcomes} == {201}
    assert len({outcome.json()["id"] for outcome in outcomes}) == 1
    assert sum("Idempotency-Replayed" not in outcome for outcome in outcomes) == 1
    assert count(owner) == 1


def waiting_for_code(petra, acme) -> str:
    ask_for_codes(acme)
    draft = filled(petra, acme)
    mail.outbox.clear()
    return f"requests/{draft.pk}/confirmation"


def test_one_that_talks_to_the_outside_is_done_once_too(petra, acme, program):
    path = waiting_for_code(petra, acme)
    answers = [program.call("POST", path, {}, **KEY) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201] * 3
    assert len(mail.outbox) == 1


def test_a_worker_that_died_is_waited_for_and_then_replaced(petra, acme):
    row, secret = token_of(petra, acme)
    program = Program("acme", secret)
    path = waiting_for_code(petra, acme)
    with acting_for(acme.pk):  # and then its process is gone
        first_answers.claim(Deed.of(row, "a-key", f"/api/v1/t/acme/{path}", b"{}"))
    early = program.call("POST", path, {}, **KEY)
    assert (early.status_code, early.json()["code"], early["Retry-After"]) == (409, "still-under-way", "5")
    assert mail.outbox == []
    with clock.frozen(clock.now() + timedelta(seconds=61)):
        assert program.call("POST", path, {}, **KEY).status_code == 201
        assert program.call("POST", path, {}, **KEY)["Idempotency-Replayed"] == "true"
    assert len(mail.outbox) == 1


def test_whoever_was_slower_than_that_neither_keeps_nor_gives_back_what_is_anothers_now(petra, acme):
    token = token_of(petra, acme)[0]
    deed = Deed.of(token, "k", "/x", b"")

    def claimed():
        with acting_for(acme.pk):
            return first_answers.claim(deed)

    slow = claimed()
    with clock.frozen(clock.now() + timedelta(seconds=61)):
        next_one = claimed()
        with acting_for(acme.pk):
            first_answers.keep(slow, status=200, body={"of": "the slow one"}, location="")
            first_answers.forget(slow)
            first_answers.keep(next_one, status=201, body={"of": "the next"}, location="/y")
        found = claimed()
    assert (found.status, found.body, found.location) == (201, {"of": "the next"}, "/y")


def test_one_that_talks_to_the_outside_and_is_refused_gives_its_key_back(petra, acme, program, owner):
    draft = filled(petra, acme)  # its policy asks for no code
    answer = program.call("POST", f"requests/{draft.pk}/confirmation", {}, **KEY)
    assert 400 <= answer.status_code < 500
    assert count(owner, "api_firstanswer") == 0


def test_after_a_day_answers_are_swept_a_few_at_a_time_and_keys_are_new(petra, acme, program, owner):
    old = clock.now() - timedelta(hours=24, seconds=1)
    with clock.frozen(old):
        first = program.call("POST", "requests", BEGIN, **KEY).json()["id"]
    kept = program.call("POST", "requests", BEGIN, **{"Idempotency-Key": "another"})
    assert kept.status_code == 201
    assert count(owner, "api_firstanswer") == 1
    assert program.call("POST", "requests", BEGIN, **KEY).json()["id"] != first


def test_just_before_a_day_has_passed_they_still_count(petra, acme, program):
    with clock.frozen(clock.now() - timedelta(hours=23, minutes=59)):
        first = program.call("POST", "requests", BEGIN, **KEY).json()["id"]
    assert program.call("POST", "requests", BEGIN, **KEY).json()["id"] == first


@pytest.mark.django_db(transaction=True)
def test_a_key_that_is_given_back_while_another_waits_for_it_is_that_ones(petra, acme):
    token = token_of(petra, acme)[0]
    deed = Deed.of(token, "k", "/x", b"")
    with acting_for(acme.pk):
        row = first_answers.claim(deed)
    found = SimpleNamespace(row=None)

    def claim_it() -> None:
        try:
            with clock.frozen(clock.now() + timedelta(seconds=61)), acting_for(acme.pk):
                found.row = first_answers.claim(deed)
        finally:
            connection.close()

    with acting_for(acme.pk):
        first_answers.forget(row)
        waiting = threading.Thread(target=claim_it)
        waiting.start()
        waiting.join(0.3)  # it waits for the row's lock, or for nothing; either way it must end well
    waiting.join(10)
    assert found.row is not None
    assert found.row.status is None


def test_nothing_is_answered_again_to_a_token_that_may_not_any_more(petra, ada, acme, program):
    program.call("POST", "requests", BEGIN, **KEY)
    with acting_for(acme.pk):
        services.change_roles(petra.pk, [Role.AUDITOR], by=ada.pk)
    assert program.call("POST", "requests", BEGIN, **KEY).status_code == 403
