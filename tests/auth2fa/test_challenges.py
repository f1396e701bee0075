"""Asking, answering, spending: what a second factor promises whatever the factor is."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import ProgrammingError, connection
from psycopg2.errors import CheckViolation, NotNullViolation

from auth2fa import challenges
from auth2fa.errors import (
    CannotBeAsked,
    ChallengeOver,
    CodeSentAMomentAgo,
    NoSuchFactor,
    TooManyCodes,
    WrongAnswer,
)
from auth2fa.models import Challenge
from auth2fa.protocol import Person
from portal.foundation import clock
from portal.foundation.tenancy.context import acting_as, acting_for
from portal.foundation.tenancy.errors import NoTenant
from portal.foundation.tenancy.models import PLATFORM

pytestmark = pytest.mark.django_db(transaction=True)

DEED = {"purpose": "request:rekey", "payload": "request A as it is"}


@pytest.fixture
def ask(ada, acme, mailbox):
    def asking(**changes):
        wanted = {"person": ada, "tenant": acme, "about": "Rekey the certificate mail.example", **DEED, **changes}
        return challenges.ask("email-code", **wanted)

    return asking


@pytest.fixture
def answered(ask, ada, mailbox):
    def answering(**changes):
        challenge = ask(**changes)
        challenges.answer(challenge.pk, ada, {"code": mailbox.code()})
        return challenge

    return answering


def stored(owner, challenge):
    owner.execute(
        "SELECT tries, answered_at IS NOT NULL, spent_at IS NOT NULL, notes FROM auth2fa_challenge WHERE id = %s",
        [str(challenge.pk)],
    )
    return owner.fetchone()


def later(seconds):
    return clock.frozen(clock.now() + timedelta(seconds=seconds))


def spend(tenant, challenge, person, **changes):
    with acting_for(tenant, person=person.id):
        challenges.spend(challenge.pk, person=person.id, **{**DEED, **changes})


@pytest.mark.rule("0.R33")
def test_the_right_code_answers_and_is_spent_once_for_its_deed(answered, ada, acme, owner, journal):
    challenge = answered()

    spend(acme, challenge, ada)

    assert stored(owner, challenge) == (1, True, True, {})
    assert [code for code, _actor, _facts in journal(acme)] == ["factor:ask", "factor:accept", "factor:spend"]
    assert {actor for _code, actor, _facts in journal(acme)} == {str(ada.id)}
    with pytest.raises(ChallengeOver):
        spend(acme, challenge, ada)


@pytest.mark.rule("0.R37")
def test_twenty_wrong_codes_leave_five_counted_tries_five_lines_and_a_dead_challenge(
    ask, ada, acme, mailbox, owner, journal
):
    challenge = ask()
    left, over = [], 0
    for _ in range(20):
        try:
            challenges.answer(challenge.pk, ada, {"code": mailbox.wrong_code()})
        except WrongAnswer as wrong:
            left.append(wrong.left)
        except ChallengeOver:
            over += 1

    assert (left, over) == ([4, 3, 2, 1, 0], 15)
    rejected = [facts for code, _actor, facts in journal(acme) if code == "factor:reject"]
    assert [facts["left"] for facts in rejected] == [4, 3, 2, 1, 0]
    with pytest.raises(ChallengeOver):
        challenges.answer(challenge.pk, ada, {"code": mailbox.code()})
    assert stored(owner, challenge)[:3] == (5, False, False)


@pytest.mark.rule("0.R37")
def test_racing_answers_buy_no_extra_tries(ask, ada, mailbox, owner, journal, acme, at_once):
    challenge = ask()
    wrong = mailbox.wrong_code()

    ends = at_once(12, lambda: challenges.answer(challenge.pk, ada, {"code": wrong}))

    assert sorted(type(end).__name__ for end in ends) == ["ChallengeOver"] * 7 + ["WrongAnswer"] * 5
    assert sorted(end.left for end in ends if isinstance(end, WrongAnswer)) == [0, 1, 2, 3, 4]
    assert stored(owner, challenge)[0] == 5
    assert [code for code, _actor, _facts in journal(acme)].count("factor:reject") == 5


@pytest.mark.rule("0.R30")
def test_the_right_code_given_twice_at_once_is_accepted_once(ask, ada, mailbox, acme, journal, at_once):
    challenge = ask()
    code = mailbox.code()

    ends = at_once(4, lambda: challenges.answer(challenge.pk, ada, {"code": code}))

    assert sorted(str(type(end).__name__) for end in ends) == ["ChallengeOver"] * 3 + ["NoneType"]
    assert [code for code, _actor, _facts in journal(acme)].count("factor:accept") == 1


@pytest.mark.rule("0.R35")
@pytest.mark.parametrize(
    "changes",
    [
        {"payload": "request B"},
        {"payload": "request A as it is, edited"},
        {"purpose": "request:revoke"},
        {"purpose": "request:rekeyr", "payload": "equest A as it is"},
    ],
    ids=["another request", "the same one edited", "another operation", "the boundary moved"],
)
def test_a_code_for_one_deed_releases_no_other(answered, ada, acme, owner, changes):
    challenge = answered()
    wanted = {**DEED, **changes}

    with pytest.raises(ChallengeOver):
        spend(acme, challenge, ada, **wanted)

    assert stored(owner, challenge)[2] is False
    spend(acme, challenge, ada)  # and for its own deed it is still good


@pytest.mark.rule("0.R35")
def test_an_answer_given_in_one_tenant_is_not_spent_in_another(answered, ada, globex, owner):
    challenge = answered()

    with pytest.raises(ChallengeOver):
        spend(globex, challenge, ada)

    assert stored(owner, challenge)[2] is False


@pytest.mark.rule("0.R35")
def test_nobody_else_spends_it_even_if_they_name_its_owner(answered, ada, bob, acme, owner):
    challenge = answered()

    with pytest.raises(ChallengeOver):
        spend(acme, challenge, bob)
    with pytest.raises(ChallengeOver), acting_for(acme, person=bob.id):
        challenges.spend(challenge.pk, person=ada.id, **DEED)

    assert stored(owner, challenge)[2] is False


@pytest.mark.rule("0.R33")
def test_what_is_not_answered_is_not_spent(ask, ada, acme, owner):
    challenge = ask()

    with pytest.raises(ChallengeOver):
        spend(acme, challenge, ada)
    with pytest.raises(ChallengeOver), acting_for(acme, person=ada.id):
        challenges.spend(None, person=ada.id, **DEED)

    assert stored(owner, challenge)[2] is False


@pytest.mark.rule("0.R35")
def test_two_deeds_at_the_same_moment_spend_one_answer_once(answered, ada, acme, at_once, journal):
    challenge = answered()

    ends = at_once(4, lambda: spend(acme, challenge, ada))

    assert sorted(type(end).__name__ for end in ends) == ["ChallengeOver"] * 3 + ["NoneType"]
    assert [code for code, _actor, _facts in journal(acme)].count("factor:spend") == 1


def test_a_deed_that_fails_after_spending_keeps_the_answer(answered, ada, acme, owner):
    challenge = answered()

    def fail():
        with acting_for(acme, person=ada.id):
            challenges.spend(challenge.pk, person=ada.id, **DEED)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert stored(owner, challenge)[2] is False
    spend(acme, challenge, ada)


def test_spending_needs_a_person(acme, ada):
    with pytest.raises(NoTenant), acting_for(acme):
        challenges.spend(uuid4(), person=ada.id, **DEED)


@pytest.mark.rule("0.R35")
def test_an_answer_waits_five_minutes_for_its_deed(answered, ada, acme, owner):
    challenge = answered()

    with later(301), pytest.raises(ChallengeOver):
        spend(acme, challenge, ada)
    assert stored(owner, challenge)[2] is False
    with later(290):
        spend(acme, challenge, ada)


@pytest.mark.rule("0.R35")
def test_a_code_lapses(ask, ada, mailbox, owner):
    challenge = ask()

    with later(301), pytest.raises(ChallengeOver):
        challenges.answer(challenge.pk, ada, {"code": mailbox.code()})
    assert stored(owner, challenge)[0] == 0  # it was not even judged
    with later(290):
        challenges.answer(challenge.pk, ada, {"code": mailbox.code()})


def test_unknown_and_foreign_challenges_are_told_like_lapsed_ones(ask, ada, bob, mailbox, owner):
    challenge = ask()
    told = set()
    for person, pk in [(ada, uuid4()), (bob, challenge.pk)]:
        with pytest.raises(ChallengeOver) as over:
            challenges.answer(pk, person, {"code": mailbox.code()})
        told.add(str(over.value))
        with pytest.raises(ChallengeOver):
            challenges.resend(pk, person)
        with pytest.raises(ChallengeOver):
            challenges.shown(pk, person, deed="Rekey", number="RQ-1")
    with later(301), pytest.raises(ChallengeOver) as over:
        challenges.answer(challenge.pk, ada, {"code": mailbox.code()})

    assert told == {str(over.value)}
    assert stored(owner, challenge)[0] == 0
    assert len(mailbox.mails) == 1


def test_a_question_that_stands_is_not_put_again(ask, ada, mailbox):
    first = ask()
    assert ask() == first
    challenges.answer(first.pk, ada, {"code": mailbox.code()})

    again = ask()

    assert again == first
    assert again.answered_at is not None
    assert len(mailbox.mails) == 1


def test_another_deed_is_another_question(ask, mailbox):
    first = ask()
    second = ask(payload="request A as it is, edited")

    assert second.pk != first.pk
    assert len(mailbox.mails) == 2


@pytest.mark.rule("0.R37")
def test_a_new_code_voids_the_old_one_and_gives_no_try_back(ask, ada, mailbox, owner):
    challenge = ask()
    old = mailbox.code()
    with pytest.raises(WrongAnswer):
        challenges.answer(challenge.pk, ada, {"code": mailbox.wrong_code()})
    with later(61):
        challenges.resend(challenge.pk, ada)
        assert mailbox.code() != old
        with pytest.raises(WrongAnswer) as wrong:
            challenges.answer(challenge.pk, ada, {"code": old})
        assert wrong.value.left == 3
    with later(61 + 290):  # counted from the new code
        challenges.answer(challenge.pk, ada, {"code": mailbox.code()})
    assert stored(owner, challenge)[:2] == (3, True)


@pytest.mark.rule("0.R37")
def test_a_new_code_has_to_be_waited_for(ask, ada, mailbox):
    challenge = ask()

    with later(50), pytest.raises(CodeSentAMomentAgo) as refusal:
        challenges.resend(challenge.pk, ada)

    assert 9 <= refusal.value.seconds <= 10
    assert len(mailbox.mails) == 1
    challenges.answer(challenge.pk, ada, {"code": mailbox.code()})  # the first one is as good as before


@pytest.mark.rule("0.R37")
def test_a_question_tried_to_death_is_not_put_again_at_once(ask, ada, mailbox):
    challenge = ask()
    for _ in range(5):
        with pytest.raises(WrongAnswer):
            challenges.answer(challenge.pk, ada, {"code": mailbox.wrong_code()})

    with pytest.raises(CodeSentAMomentAgo):
        ask()
    with pytest.raises(ChallengeOver):
        challenges.resend(challenge.pk, ada)
    assert len(mailbox.mails) == 1
    with later(61):
        assert ask().pk != challenge.pk


@pytest.mark.rule("0.R37")
def test_five_codes_an_hour_whatever_they_are_for(ask, ada, mailbox, globex):
    challenge = ask()
    with later(61):
        challenges.resend(challenge.pk, ada)
    for number in range(3):
        ask(payload=f"request {number}", tenant=globex)

    with later(100), pytest.raises(TooManyCodes) as refusal:
        ask(payload="one more")
    with later(122), pytest.raises(TooManyCodes):
        challenges.resend(challenge.pk, ada)

    assert len(mailbox.mails) == 5
    assert "5 times" in str(refusal.value)
    assert "minutes" in refusal.value.advice
    with later(3600 + 62):
        ask(payload="one more")


@pytest.mark.rule("0.R37")
def test_a_race_sends_no_more_than_the_pace_allows(ask, mailbox, at_once):
    numbers = iter(range(10))

    ends = at_once(8, lambda: ask(payload=f"request {next(numbers)}"))

    assert sum(isinstance(end, Challenge) for end in ends) == 5
    assert sum(isinstance(end, TooManyCodes) for end in ends) == 3
    assert len(mailbox.mails) == 5


def test_two_clicks_at_once_send_one_code(ask, mailbox, at_once):
    ends = at_once(3, ask)

    assert len(mailbox.mails) == 1
    assert {type(end).__name__ for end in ends} <= {"Challenge", "CodeSentAMomentAgo"}


@pytest.mark.rule("0.R37")
@pytest.mark.parametrize(
    ("chosen", "times_wrong", "lapses"),
    [({"digits": 8, "tries": 2, "lifetime": 60, "cool_down": 0}, 2, 61), ({"digits": 10, "tries": 7}, 7, 301)],
)
def test_settings_are_honoured(ask, ada, mailbox, owner, chosen, times_wrong, lapses):
    challenge = ask(settings=chosen)
    assert len(mailbox.code()) == chosen["digits"]
    with later(lapses), pytest.raises(ChallengeOver):
        challenges.answer(challenge.pk, ada, {"code": mailbox.code()})
    for _ in range(times_wrong):
        with pytest.raises(WrongAnswer):
            challenges.answer(challenge.pk, ada, {"code": mailbox.wrong_code()})
    with pytest.raises(ChallengeOver):
        challenges.answer(challenge.pk, ada, {"code": mailbox.code()})
    assert stored(owner, challenge)[0] == times_wrong


@pytest.mark.rule("0.R37")
def test_cool_down_and_hourly_limit_are_settings(ask, ada, mailbox):
    challenge = ask(settings={"cool_down": 0, "sends_per_hour": 2})
    challenges.resend(challenge.pk, ada)
    with pytest.raises(TooManyCodes):
        challenges.resend(challenge.pk, ada)
    assert len(mailbox.mails) == 2


@pytest.mark.parametrize(
    "chosen", [{"digits": 5}, {"tries": 0}, {"tries": 11}, {"lifetime": 601}, {"lifetime": "300"}, {"cool_down": -1}]
)
def test_settings_that_would_make_a_code_worthless_are_refused(ask, mailbox, owner, chosen):
    with pytest.raises(ValueError, match="must be a whole number"):
        ask(settings=chosen)
    assert mailbox.mails == []


def test_a_factor_that_is_not_there_is_a_mistake(ada, acme):
    with pytest.raises(NoSuchFactor, match="email-code"):
        challenges.ask("tarot", person=ada, tenant=acme, about="x", **DEED)


def test_somebody_without_an_address_cannot_be_asked(ask, ada, owner):
    with pytest.raises(CannotBeAsked):
        ask(person=Person(id=ada.id, name="Ada", email=""))
    owner.execute("SELECT count(*) FROM auth2fa_challenge")
    assert owner.fetchone() == (0,)


def test_without_a_tenant_the_platforms_journal_tells_it(ask, ada, mailbox, journal, acme):
    challenge = ask(tenant=None)
    with pytest.raises(WrongAnswer):
        challenges.answer(challenge.pk, ada, {"code": mailbox.wrong_code()})
    challenges.answer(challenge.pk, ada, {"code": mailbox.code()})
    with acting_as(ada.id):
        challenges.spend(challenge.pk, person=ada.id, **DEED)

    told = [code for code, _actor, _facts in journal(PLATFORM)]
    assert told == ["factor:ask", "factor:reject", "factor:accept", "factor:spend"]
    assert journal(acme) == []


def test_the_window_shows_what_is_needed_and_no_more(ask, ada, mailbox):
    challenge = ask()

    window = challenges.shown(challenge.pk, ada, deed="Rekey mail.example", number="RQ-1")

    assert (window.masked, window.digits, window.tries_left) == ("a•••@example.test", 6, 5)
    assert window.resend_at - window.sent_at == timedelta(seconds=60)
    assert timedelta(seconds=299) < window.lapses_at - window.sent_at < timedelta(seconds=310)
    assert challenges.masked_address("email-code", ada) == "a•••@example.test"


def test_other_peoples_challenges_do_not_exist(ask, bob, acme):
    challenge = ask()
    with acting_for(acme, person=bob.id), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM auth2fa_challenge")
        assert cursor.fetchone() == (0,)
        cursor.execute("UPDATE auth2fa_challenge SET answered_at = now(), tries = 1 WHERE id = %s", [challenge.pk])
        assert cursor.rowcount == 0


@pytest.fixture
def cheating(table_owner, ada):
    """Return a way to tamper with ada's rows, as the tables' owner."""

    def cheat(sql, *values):
        table_owner.execute("SELECT set_config('portal.person', %s, false)", [str(ada.id)])
        table_owner.execute(sql, [str(value) for value in values])

    return cheat


@pytest.mark.rule("0.R35")
@pytest.mark.parametrize(
    "change",
    [
        "answered_at = NULL, spent_at = NULL",
        "spent_at = NULL",
        "spent_at = spent_at + interval '1 minute'",
        "answered_at = answered_at - interval '1 minute'",
        "tries = 0",
        "tries = 2",
        "deed = repeat('0', 64)",
        "settings = '{}'",
        "purpose = 'other'",
        "tenant_id = NULL",
        "sent_at = sent_at - interval '1 day'",
    ],
)
def test_what_happened_to_a_challenge_stays(answered, ada, acme, cheating, owner, change):
    challenge = answered()
    spend(acme, challenge, ada)
    with pytest.raises(CheckViolation):
        cheating(f"UPDATE auth2fa_challenge SET {change} WHERE id = %s", challenge.pk)
    assert stored(owner, challenge) == (1, True, True, {})


@pytest.mark.rule("0.R33")
@pytest.mark.parametrize("change", ["spent_at = now()", "answered_at = now()", "tries = 6", "notes = NULL"])
def test_steps_are_not_left_out(ask, cheating, change, owner):
    challenge = ask()
    with pytest.raises((CheckViolation, NotNullViolation)):
        cheating(f"UPDATE auth2fa_challenge SET {change} WHERE id = %s", challenge.pk)
    assert stored(owner, challenge)[:3] == (0, False, False)


def test_a_challenge_is_not_born_answered(ask, cheating, owner):
    challenge = ask()
    columns = "person_id, factor, settings, purpose, about, deed, notes, prompt, sends, asked_at, sent_at, expires_at"
    born = (
        f"INSERT INTO auth2fa_challenge (id, {columns}, tries, answered_at)"
        f" SELECT gen_random_uuid(), {columns}, %s, %s FROM auth2fa_challenge WHERE id = %s"
    )
    with pytest.raises(CheckViolation, match="starts untried and unanswered"):
        cheating(born, 1, "2026-11-21T12:00:00Z", challenge.pk)
    owner.execute("SELECT count(*) FROM auth2fa_challenge")
    assert owner.fetchone() == (1,)


def test_a_challenge_is_not_deleted(ask, ada, acme, cheating, owner):
    challenge = ask()
    with pytest.raises(CheckViolation, match="never change"):
        cheating("DELETE FROM auth2fa_challenge WHERE id = %s", challenge.pk)
    with pytest.raises(ProgrammingError, match="permission denied"), acting_for(acme, person=ada.id):
        Challenge.objects.all().delete()
    assert stored(owner, challenge)[:3] == (0, False, False)
