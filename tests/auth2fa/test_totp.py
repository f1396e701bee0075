"""Codes from an authenticator app: RFC 6238, one step to either side, never twice, sealed."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection

from auth2fa import challenges, enrolments
from auth2fa.errors import (
    CannotBeAsked,
    ChallengeOver,
    EnrolmentOver,
    TooManyEnrolments,
    WrongAnswer,
    WrongFirstCode,
)
from auth2fa.factors.totp import TotpLimits, base32, key_uri, step_of
from auth2fa.models import Enrolment
from auth2fa.sealing import SealBroken, seal, unseal
from portal.foundation import clock
from portal.foundation.tenancy.context import acting_as, acting_for
from portal.foundation.tenancy.models import PLATFORM
from tests.world import code_at

pytestmark = pytest.mark.django_db(transaction=True)

DEED = {"purpose": "request:rekey", "payload": "request A as it is"}


def enrol(person, label="Telephone"):
    """Set an authenticator up, with the code of a minute ago."""
    with acting_as(person.id):
        begun = enrolments.begin_totp(label)
        secret = enrolments.secret_of(begun)
    with clock.frozen(clock.now() - timedelta(minutes=2)), acting_as(person.id):
        enrolments.confirm(begun.pk, code_at(secret))
    return begun, secret


@pytest.fixture
def ask(ada, acme):
    def asking(**changes):
        wanted = {"person": ada, "tenant": acme, "about": "Rekey mail.example", **DEED, **changes}
        return challenges.ask("totp", **wanted)

    return asking


def wrong(secret):
    """A code that neither this step nor a neighbour shows."""
    near = {code_at(secret, steps=steps) for steps in (-1, 0, 1)}
    return next(code for code in (f"{n:06}" for n in range(10)) if code not in near)


# --- the algorithm -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("second", "code"),
    [(59, "94287082"), (1111111109, "07081804"), (1234567890, "89005924"), (20000000000, "65353130")],
)
def test_it_is_the_algorithm_of_rfc_6238(second, code):
    """Appendix B, SHA-1, of which six digits are the last ones."""
    with clock.frozen(datetime.fromtimestamp(second, UTC)):
        assert step_of(b"12345678901234567890", code[-6:], at=clock.now()) == second // 30


@pytest.mark.parametrize(("steps", "counts"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_one_step_to_either_side_is_forgiven_and_no_more(steps, counts):
    secret = b"12345678901234567890"
    with clock.frozen(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)):
        assert (step_of(secret, code_at(secret, steps=steps), at=clock.now()) is not None) is counts


def test_the_app_is_told_everything_by_the_uri():
    uri = key_uri(b"12345678901234567890", account="ada@acme.example", issuer="Portal: a & b")
    assert uri == (
        "otpauth://totp/Portal%3A%20a%20%26%20b:ada%40acme.example"
        "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Portal%3A%20a%20%26%20b&digits=6&period=30"
    )
    assert base32(b"12345") == "GEZDGNBV"


# --- challenges ------------------------------------------------------------------------------------------------------


@pytest.mark.rule("0.R33")
def test_the_right_code_answers_and_is_spent_once_for_its_deed(ask, ada, acme, journal):
    _begun, secret = enrol(ada)
    challenge = ask()
    challenges.answer(challenge.pk, ada, {"code": code_at(secret)})

    with acting_for(acme, person=ada.id):
        challenges.spend(challenge.pk, person=ada.id, **DEED)

    assert [code for code, _actor, _facts in journal(acme)] == ["factor:ask", "factor:accept", "factor:spend"]
    with pytest.raises(ChallengeOver), acting_for(acme, person=ada.id):
        challenges.spend(challenge.pk, person=ada.id, **DEED)


def test_a_code_never_counts_twice_whatever_it_is_for(ask, ada, acme, journal):
    _begun, secret = enrol(ada)
    code = code_at(secret)
    challenges.answer(ask().pk, ada, {"code": code})

    other = ask(payload="request B")
    with pytest.raises(WrongAnswer, match="used already") as refused:
        challenges.answer(other.pk, ada, {"code": code})

    assert refused.value.left == 4
    assert journal(acme)[-1][0::2] == ("factor:reject", {"factor": "totp", "why": "code used before", "left": 4})
    with pytest.raises(WrongAnswer):  # nor does one from before it
        challenges.answer(other.pk, ada, {"code": code_at(secret, steps=-1)})
    challenges.answer(other.pk, ada, {"code": code_at(secret, steps=1)})


def test_of_two_challenges_at_the_same_moment_a_code_answers_one(ask, ada, acme, journal, at_once):
    _begun, secret = enrol(ada)
    code, waiting = code_at(secret), iter([ask().pk, ask(payload="request B").pk])

    ends = at_once(2, lambda: challenges.answer(next(waiting), ada, {"code": code}))

    assert sorted(type(end).__name__ for end in ends) == ["NoneType", "WrongAnswer"]
    codes = [code for code, _actor, _facts in journal(acme)]
    assert (codes.count("factor:accept"), codes.count("factor:reject")) == (1, 1)


@pytest.mark.rule("0.R37")
def test_twenty_wrong_codes_leave_five_counted_tries_five_lines_and_a_dead_challenge(ask, ada, acme, owner, journal):
    _begun, secret = enrol(ada)
    challenge = ask()
    left, over = [], 0
    for _ in range(20):
        try:
            challenges.answer(challenge.pk, ada, {"code": wrong(secret)})
        except WrongAnswer as refused:
            left.append(refused.left)
        except ChallengeOver:
            over += 1

    assert (left, over) == ([4, 3, 2, 1, 0], 15)
    assert [code for code, _actor, _facts in journal(acme)].count("factor:reject") == 5
    with pytest.raises(ChallengeOver):
        challenges.answer(challenge.pk, ada, {"code": code_at(secret)})
    owner.execute("SELECT tries, answered_at FROM auth2fa_challenge WHERE id = %s", [str(challenge.pk)])
    assert owner.fetchone() == (5, None)


@pytest.mark.parametrize("given", ["", "\x00", "1" * 100_000, "\ud800", "١٢٣", "²" * 6, "-00001"])
def test_nonsense_is_a_counted_wrong_answer_and_never_an_accident(ask, ada, given):
    enrol(ada)
    with pytest.raises(WrongAnswer) as refused:
        challenges.answer(ask().pk, ada, {"code": given})
    assert refused.value.left == 4


def test_spaces_and_wide_digits_do_no_harm(ask, ada):
    _begun, secret = enrol(ada)
    code = code_at(secret)
    wide = code.translate({ord("0") + n: 0xFF10 + n for n in range(10)})
    challenges.answer(ask().pk, ada, {"code": f" {wide[:3]} {wide[3:]} "})


def test_either_of_two_authenticators_answers_and_each_keeps_its_own_steps(ask, ada):
    (_one, first), (_two, second) = enrol(ada, "Telephone"), enrol(ada, "Spare")
    challenges.answer(ask().pk, ada, {"code": code_at(first)})
    challenges.answer(ask(payload="request B").pk, ada, {"code": code_at(second)})


def test_who_has_none_cannot_be_asked_and_nothing_is_left_behind(ask, ada, bob, owner):
    enrol(bob)
    with acting_as(ada.id):
        enrolments.begin_totp("Never confirmed")
    with pytest.raises(CannotBeAsked):
        ask()
    owner.execute("SELECT count(*) FROM auth2fa_challenge")
    assert owner.fetchone() == (0,)
    with acting_as(ada.id):
        assert challenges.lacking("totp", ada) is not None
        assert challenges.lacking("email-code", ada) is None


def test_one_that_is_removed_or_reset_answers_nothing_any_more(ask, ada, acme):
    begun, secret = enrol(ada)
    challenge = ask()
    with acting_as(ada.id):
        enrolments.remove(begun.pk)
    with pytest.raises(WrongAnswer):
        challenges.answer(challenge.pk, ada, {"code": code_at(secret)})
    _other, secret = enrol(ada)
    with acting_as(ada.id):
        assert enrolments.reset(by=uuid4(), tenant=acme) == 1
    with pytest.raises(CannotBeAsked):
        ask(payload="request B")


@pytest.mark.rule("0.R37")
def test_the_limits_are_the_policys():
    assert (TotpLimits().tries, TotpLimits().lifetime, TotpLimits().cool_down) == (5, 300, 0)
    with pytest.raises(ValueError, match="tries"):
        TotpLimits(tries=100)


# --- enrolment -------------------------------------------------------------------------------------------------------


def test_it_counts_only_once_its_first_code_came_and_that_code_is_used_up(ask, ada, journal):
    with acting_as(ada.id):
        begun = enrolments.begin_totp("  Tele\u202ephone ")
        secret = enrolments.secret_of(begun)
    with pytest.raises(WrongFirstCode), acting_as(ada.id):
        enrolments.confirm(begun.pk, wrong(secret))
    code = code_at(secret)
    with acting_as(ada.id):
        enrolments.confirm(begun.pk, code)
        assert [row.label for row in enrolments.confirmed()] == ["Telephone"]
    with pytest.raises(EnrolmentOver), acting_as(ada.id):
        enrolments.secret_of(Enrolment.objects.get(pk=begun.pk))  # it is shown once, and never again
    with pytest.raises(WrongAnswer, match="used already"):
        challenges.answer(ask().pk, ada, {"code": code})
    assert [code for code, _actor, _facts in journal(PLATFORM)] == ["enrolment:confirm"]


def test_five_wrong_first_codes_end_it(ada):
    with acting_as(ada.id):
        begun = enrolments.begin_totp("Telephone")
    for _ in range(5):
        with acting_as(ada.id):
            enrolments.count_a_try(begun.pk)
    with pytest.raises(EnrolmentOver), acting_as(ada.id):
        enrolments.count_a_try(begun.pk)


def test_beginning_again_ends_what_was_begun_and_there_is_a_most(ada):
    with acting_as(ada.id):
        first = enrolments.begin_totp("Telephone")
    with acting_as(ada.id):
        enrolments.begin_totp("Telephone")
    with pytest.raises(EnrolmentOver), acting_as(ada.id):
        enrolments.confirm(first.pk, "000000")
    for number in range(enrolments.MOST):
        enrol(ada, str(number))
    with pytest.raises(TooManyEnrolments), acting_as(ada.id):
        enrolments.begin_totp("One more")


def test_an_authenticator_is_its_owners_alone(ada, bob, owner):
    begun, _secret = enrol(ada)
    with acting_as(bob.id):
        assert not Enrolment.objects.exists()
        with pytest.raises(EnrolmentOver):
            enrolments.remove(begun.pk)
    with acting_as(bob.id), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM auth2fa_enrolment")
        assert cursor.fetchone() == (0,)
    owner.execute("SELECT removed_at FROM auth2fa_enrolment")
    assert owner.fetchall() == [(None,)]


# --- sealing ---------------------------------------------------------------------------------------------------------


def test_the_database_does_not_hold_the_secret(ada, owner):
    _begun, secret = enrol(ada)
    owner.execute("SELECT secret, to_jsonb(e)::text FROM auth2fa_enrolment e")
    [(sealed, row)] = owner.fetchall()
    assert secret not in bytes(sealed)
    assert secret.hex() not in row
    assert base32(secret) not in row


def test_a_seal_opens_for_its_person_and_row_alone_and_breaks_when_touched():
    person, row = uuid4(), uuid4()
    sealed = seal(b"secret", person=person, row=row)
    assert unseal(sealed, person=person, row=row) == b"secret"
    assert seal(b"secret", person=person, row=row) != sealed
    for other in ({"person": uuid4(), "row": row}, {"person": person, "row": uuid4()}, {"person": row, "row": person}):
        with pytest.raises(SealBroken):
            unseal(sealed, **other)
    for place in range(len(sealed)):
        broken = bytearray(sealed)
        broken[place] ^= 1
        with pytest.raises(SealBroken):
            unseal(bytes(broken), person=person, row=row)
    for short in (b"", sealed[:1], sealed[:13]):
        with pytest.raises(SealBroken):
            unseal(short, person=person, row=row)
