"""What is particular to a code: what it looks like, where it is, and where it is not."""

import logging
import re
from socket import create_server
from threading import Thread
from time import monotonic
from uuid import UUID

import pytest
from django.utils import translation

from auth2fa import challenges
from auth2fa.couriers import Message, SmtpCourier
from auth2fa.errors import ChallengeOver, CodeSentAMomentAgo, CourierFailed, WrongAnswer
from auth2fa.factors.codes import CodeSettings, EmailCode
from auth2fa.protocol import AskForCode, Memory, Person, Rejected
from auth2fa.registry import FACTORS

pytestmark = pytest.mark.django_db(transaction=True)

DEED = {"purpose": "request:rekey", "payload": "request A", "about": "Rekey the certificate mail.example"}


class Pigeon:
    """A courier that keeps what it was given, and in which language it was asked."""

    def __init__(self):
        self.flights = []

    def deliver(self, address, message):
        self.flights.append((address, message, translation.get_language()))

    def codes(self):
        return [re.search(r"^ {4}(\d+)$", message.body, re.MULTILINE)[1] for _to, message, _language in self.flights]


@pytest.fixture
def ask(ada, acme):
    return lambda **changes: challenges.ask("email-code", person=ada, tenant=acme, **{**DEED, **changes})


def everything_stored(owner) -> str:
    """All rows of all tables as text."""
    owner.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')")
    found = []
    for (table,) in owner.fetchall():
        owner.execute(f'SELECT t::text FROM "{table}" t')
        found += [row for (row,) in owner.fetchall()]
    return "\n".join(found)


@pytest.mark.rule("0.R37")
def test_the_code_is_nowhere_but_in_the_mail(ask, ada, mailbox, owner, caplog):
    caplog.set_level(logging.DEBUG)
    caplog.handler.setLevel(logging.DEBUG)
    challenge = ask(settings={"digits": 10})  # ten digits do not turn up by chance in a time or a digest
    code, wrong = mailbox.code(), mailbox.wrong_code()
    with pytest.raises(WrongAnswer) as refusal:
        challenges.answer(challenge.pk, ada, {"code": wrong})
    while_open = everything_stored(owner)
    challenges.answer(challenge.pk, ada, {"code": code})

    logged = [record.getMessage() for record in caplog.records if record.name != "mail.log"]  # the mail server's own
    told = "\n".join([while_open, everything_stored(owner), *logged, str(refusal.value), refusal.value.advice])
    assert DEED["about"] in while_open  # the scan does see this challenge
    assert "factor:reject" in while_open
    assert code not in told
    assert wrong not in told
    assert re.fullmatch(r"\d{10}", code)


@pytest.mark.rule("0.R37")
def test_a_hash_is_worth_nothing_in_another_challenge(ask, ada, mailbox, owner):
    first = ask()
    code = mailbox.code()
    second = ask(payload="request B")
    owner.execute(
        "UPDATE auth2fa_challenge SET notes = (SELECT notes FROM auth2fa_challenge WHERE id = %s) WHERE id = %s",
        [str(first.pk), str(second.pk)],
    )
    with pytest.raises(WrongAnswer):
        challenges.answer(second.pk, ada, {"code": code})


def test_the_hash_is_over_the_challenge_as_well(ada):
    pigeon = Pigeon()
    factor = EmailCode(pigeon, CodeSettings())
    notes = {"challenge": "c"}
    factor.begin(ada, notes, "x")
    [code] = pigeon.codes()

    assert factor.verify(ada, notes, {"code": code}) == Memory()
    with pytest.raises(Rejected, match="wrong code"):
        factor.verify(ada, notes | {"challenge": "d"}, {"code": code})


@pytest.mark.parametrize("way", ["{a} {b}", " {a}-{b} ", "{a}\u00a0{b}\u202f", "{a}\u2013{b}", "{a}\u200b{b}\r\n"])
def test_spaces_and_hyphens_do_no_harm(ask, ada, mailbox, owner, way):
    challenge = ask()
    code = mailbox.code()
    challenges.answer(challenge.pk, ada, {"code": way.format(a=code[:3], b=code[3:])})


def test_digits_of_a_wide_keyboard_are_digits(ask, ada, mailbox):
    challenge = ask()
    wide = mailbox.code().translate({ord("0") + n: 0xFF10 + n for n in range(10)})
    challenges.answer(challenge.pk, ada, {"code": wide})


@pytest.mark.parametrize("answer", ["", "\x00", "١٢٣٤٥٦", "1" * 100_000, "\ud800", "{code}{code}", "{code}0", "²" * 6])
def test_nonsense_is_a_counted_wrong_answer_and_never_an_accident(ask, ada, mailbox, answer):
    challenge = ask()
    with pytest.raises(WrongAnswer) as wrong:
        challenges.answer(challenge.pk, ada, {"code": answer.format(code=mailbox.code())})
    assert wrong.value.left == 4
    with pytest.raises(WrongAnswer):
        challenges.answer(challenge.pk, ada, {})


def test_the_mail_names_the_deed_and_says_what_to_do_without_having_asked(ask, ada, mailbox):
    ask(about="Rekey the certificate\r\nBcc: everybody@example.test")

    [mail] = mailbox.mails
    text = mail.get_content()
    assert mail["To"] == "ada@example.test"
    assert mail["Bcc"] is None
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Subject"] == "Your code to confirm: Rekey the certificate Bcc: everybody@example.test"
    assert mailbox.code() not in mail["Subject"]
    assert "Hello Ada," in text
    assert "Rekey the certificate" in text
    assert "good for 5 minutes" in text
    assert "If you did not ask for this, do not enter the code" in text
    assert "&" not in text


def test_the_mail_is_in_the_language_of_the_one_who_waits(ada, mailbox):
    pigeon = Pigeon()
    with translation.override("de"):
        EmailCode(pigeon, CodeSettings()).begin(ada, {"challenge": "c"}, "x")
    [(_address, _message, language)] = pigeon.flights
    assert language == "de"


@pytest.mark.parametrize(
    ("email", "masked"),
    [("ada@example.test", "a•••@example.test"), ("x@y.test", "x•••@y.test"), ('"a@b"@c.test', '"•••@c.test')],
)
def test_most_of_an_address_is_hidden(ada, email, masked):
    factor = EmailCode(Pigeon(), CodeSettings())
    assert factor.masked(Person(id=ada.id, name="Ada", email=email)) == masked


@pytest.mark.rule("0.R33")
def test_a_mail_server_that_is_down_is_told_at_once_and_leaves_nothing_to_answer(
    ask, ada, settings, owner, journal, acme
):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "127.0.0.1"
    with create_server(("127.0.0.1", 0)) as nobody:
        settings.EMAIL_PORT = nobody.getsockname()[1]

    with pytest.raises(CourierFailed) as refusal:
        ask()

    owner.execute("SELECT id, notes, prompt, answered_at, expires_at <= sent_at FROM auth2fa_challenge")
    [(pk, notes, prompt, answered_at, has_lapsed)] = owner.fetchall()
    assert (notes, prompt, answered_at, has_lapsed) == ({}, {}, None, True)
    assert [code for code, _actor, _facts in journal(acme)] == ["factor:ask", "factor:fail"]
    assert refusal.value.status == 503
    assert "Nothing is lost" in refusal.value.advice
    with pytest.raises(ChallengeOver):
        challenges.answer(pk, ada, {"code": "000000"})
    with pytest.raises(CodeSentAMomentAgo):  # it counts: whether a mail got out is not known
        ask()


def test_a_new_code_that_cannot_be_sent_ends_the_old_one_too(ask, ada, mailbox, settings):
    challenge = ask(settings={"cool_down": 0})
    code = mailbox.code()
    with create_server(("127.0.0.1", 0)) as nobody:
        settings.EMAIL_PORT = nobody.getsockname()[1]
    with pytest.raises(CourierFailed):
        challenges.resend(challenge.pk, ada)
    with pytest.raises(ChallengeOver):
        challenges.answer(challenge.pk, ada, {"code": code})


def test_an_address_that_no_server_takes_is_a_courier_that_failed(ask, ada, acme, mailbox):
    broken = Person(id=ada.id, name="Ada", email="not an address\n@")
    with pytest.raises(CourierFailed):
        challenges.ask("email-code", person=broken, tenant=acme, **DEED)
    assert mailbox.mails == []


def test_a_server_that_answers_drop_by_drop_does_not_hold_the_person(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "127.0.0.1"
    with create_server(("127.0.0.1", 0)) as listening:
        settings.EMAIL_PORT = listening.getsockname()[1]
        visitors = []

        def drip():
            visitor, _ = listening.accept()
            visitors.append(visitor)
            visitor.sendall(b"220-patience\r\n")

        dripping = Thread(target=drip)
        dripping.start()
        started = monotonic()
        with pytest.raises(CourierFailed):
            SmtpCourier(longest=0.3).deliver("ada@example.test", Message("x", "y"))
        took = monotonic() - started
        dripping.join()
        visitors[0].close()
    assert 0.3 <= took < 1.5


def test_the_prompt_shows_where_to_look_and_nothing_else(ada):
    pigeon = Pigeon()
    prompt = EmailCode(pigeon, CodeSettings(digits=8)).begin(ada, {"challenge": "c"}, "x")

    assert pigeon.flights[0][0] == "ada@example.test"
    assert len(pigeon.codes()[0]) == 8
    assert prompt == AskForCode(digits=8, masked="a•••@example.test")


def test_codes_use_all_digits_and_keep_leading_noughts(ada):
    pigeon = Pigeon()
    factor = EmailCode(pigeon, CodeSettings())
    for _ in range(300):
        factor.begin(ada, {"challenge": "c"}, "x")
    codes = pigeon.codes()
    assert {len(code) for code in codes} == {6}
    assert {code[0] for code in codes} == set("0123456789")
    assert len(set(codes)) > 290


@pytest.mark.rule("0.R37")
def test_an_answer_that_a_newer_code_overtakes_is_over(ada, acme, mailbox, monkeypatch, owner):
    class Overtaken(EmailCode):
        def verify(self, person, notes, answer):
            challenges.resend(UUID(notes["challenge"]), person)  # no unit of work is open here: the factor may be slow
            return super().verify(person, notes, answer)

    monkeypatch.setitem(FACTORS, "overtaken", lambda **settings: Overtaken(SmtpCourier(), CodeSettings(**settings)))
    challenge = challenges.ask("overtaken", person=ada, tenant=acme, settings={"cool_down": 0}, **DEED)

    with pytest.raises(ChallengeOver):
        challenges.answer(challenge.pk, ada, {"code": mailbox.code()})

    assert len(mailbox.mails) == 2
    owner.execute("SELECT tries, answered_at FROM auth2fa_challenge")
    assert owner.fetchall() == [(1, None)]
