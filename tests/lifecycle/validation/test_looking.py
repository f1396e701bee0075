"""Looks at names as people and workers meet them: asked for, looked up outside any transaction, kept, journalled."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection

from lifecycle.requests.looks import FORBIDDING
from lifecycle.validation import evidence, looking, services, tasks
from lifecycle.validation.caa import Answer, LookupFailed, Reason, Record, Terms, climb, permits
from lifecycle.validation.models import CaaCheck
from lifecycle.validation.resolver import MOST_RECORDS
from lifecycle.validation.selectors import FRESH, PAUSE, is_fresh, newest, state_of
from lifecycle.validation.states import UNVERIFIED, CaaState
from lifecycle.validation.words import WORDS, told
from portal.foundation import clock
from portal.foundation.audit.models import AuditEvent
from portal.foundation.outbox.drain import run
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_for, current_unit
from tests.fakes.zone import Unforgiving
from tests.world import serving

pytestmark = pytest.mark.django_db(transaction=True)

OURS = Terms(("ca.acme.example",))
OTHERS = Terms(("ca.other.example",))
PERMITS = (Record(0, "issue", b"ca.acme.example"),)
FORBIDS = (Record(0, "issue", b"ca.elsewhere.example"),)


class Zone(Unforgiving):
    """The DNS as a table: what is not in it has no records.  Notes that nobody asks inside a unit of work."""

    def __init__(self, said=()):
        self.said = dict(said)
        self.asked = []
        self.units = []

    def caa(self, name, _ends):
        self.asked.append(name)
        self.units.append(current_unit())
        found = self.said.get(name, ())
        if isinstance(found, Exception):
            raise found
        return Answer(name, found, 60, "127.0.0.1:53")


def failing(name, reason=Reason.TIMED_OUT):
    return LookupFailed(reason, name, "a detail", "127.0.0.1:53")


def ask(tenant, person, *names, terms=OURS):
    with acting_for(tenant.pk, person=person.pk):
        return services.ask(dict.fromkeys(names, terms), by=person.pk, about="RQ-TEST")


def promised():
    return Errand.objects.filter(task=tasks.look.name, done_at=None)


def work(zone):
    """Do what the validation worker does, with its grants."""
    with serving("validation"):
        for errand in promised():
            looking.answer(errand, errand.args, zone)


def everything(owner):
    """Every look, errand and line of the journal, of every tenant."""
    found = []
    for table in ("validation_caacheck", "outbox_errand", "audit_auditevent"):
        owner.execute(f"SELECT to_jsonb(t)::text FROM {table} t ORDER BY 1")
        found.append(owner.fetchall())
    return found


def rows(tenant):
    with acting_for(tenant.pk):
        return {row.name: row for row in CaaCheck.objects.order_by("asked_at")}


def told_in_journal(tenant):
    with acting_for(tenant.pk):
        return [
            (event.code, event.facts["name"])
            for event in AuditEvent.objects.filter(code__startswith="caa:").order_by("pk")
        ]


@pytest.mark.rule("0.R25")
def test_a_name_that_nobody_looked_at_is_unverified(acme, petra):
    with acting_for(acme.pk, person=petra.pk):
        assert newest({"www.demo.test": OURS}) == {}
        assert state_of(None, clock.now()) == UNVERIFIED


@pytest.mark.rule("0.R26")
def test_verify_has_the_records_looked_at_and_keeps_what_was_seen(acme, petra):
    [opened] = ask(acme, petra, "WWW.demo.test.")
    assert (opened.name, opened.state, opened.asked_by) == ("www.demo.test", CaaState.VERIFYING, str(petra.pk))
    zone = Zone({"demo.test": PERMITS})
    work(zone)
    row = rows(acme)["www.demo.test"]
    assert (row.state, row.reason) == (CaaState.VERIFIED, Reason.NAMED)
    assert zone.asked == row.evidence["asked"] == ["www.demo.test", "demo.test"]
    assert row.evidence["found_at"] == "demo.test"
    assert row.evidence["records"] == [{"flags": 0, "tag": "issue", "value": "ca.acme.example"}]
    assert (row.evidence["resolver"], row.evidence["ttl"]) == ("127.0.0.1:53", 60)
    assert row.evidence["started"] <= row.evidence["finished"]
    assert zone.units == [None, None]
    assert not promised().exists()
    assert told_in_journal(acme) == [("caa:ask", "www.demo.test"), ("caa:permit", "www.demo.test")]


NAMES = [f"{letter}.demo.test" for letter in "abcde"]


@pytest.mark.rule("0.R28")
@pytest.mark.parametrize("bad", range(len(NAMES)))
@pytest.mark.parametrize("how", ["forbids", "fails"])
def test_of_several_names_exactly_the_one_that_forbids_is_refused(acme, petra, bad, how):
    """Let's Encrypt's bug of 2020 looked at one name as often as there were names."""
    wrong = FORBIDS if how == "forbids" else failing(NAMES[bad])
    zone = Zone({**dict.fromkeys(NAMES, PERMITS), NAMES[bad]: wrong})
    ask(acme, petra, *NAMES)
    work(zone)
    assert sorted(zone.asked) == NAMES
    states = {name: row.state for name, row in rows(acme).items()}
    assert states == {name: CaaState.FAILED if name == NAMES[bad] else CaaState.VERIFIED for name in NAMES}


@pytest.mark.rule("0.R28")
def test_a_failed_name_can_be_tried_again_and_the_newest_look_counts(acme, petra):
    ask(acme, petra, "www.demo.test")
    work(Zone({"www.demo.test": failing("www.demo.test")}))
    failed = rows(acme)["www.demo.test"]
    assert (failed.state, failed.reason) == (CaaState.FAILED, Reason.TIMED_OUT)
    assert failed.evidence["asked"] == ["www.demo.test"]
    assert failed.evidence["detail"] == "a detail"

    with clock.frozen(failed.checked_at + PAUSE + timedelta(seconds=1)):
        [again] = ask(acme, petra, "www.demo.test")
    assert again.pk != failed.pk
    work(Zone())
    with acting_for(acme.pk):
        assert CaaCheck.objects.get(pk=failed.pk).state == CaaState.FAILED
        assert newest({"www.demo.test": OURS})["www.demo.test"].state == CaaState.VERIFIED

    with clock.frozen(again.asked_at + timedelta(seconds=1)), acting_for(acme.pk):
        looks, _new = looking.opened({"www.demo.test": OURS}, by="test", about="")
    with acting_for(acme.pk):
        assert newest({"www.demo.test": OURS})["www.demo.test"].pk == looks[0].pk
        assert not is_fresh(looks[0], clock.now())


def test_a_fresh_look_or_one_under_way_is_not_repeated(acme, petra):
    [first] = ask(acme, petra, "www.demo.test")
    [second] = ask(acme, petra, "www.demo.test")
    assert first.pk == second.pk
    assert promised().count() == 1
    work(Zone())
    [third] = ask(acme, petra, "www.demo.test")
    assert (third.pk, third.state) == (first.pk, CaaState.VERIFIED)
    assert not promised().exists()
    assert told_in_journal(acme) == [("caa:ask", "www.demo.test"), ("caa:permit", "www.demo.test")]


def test_a_name_whose_look_failed_is_left_alone_for_a_while_and_others_are_not(acme, petra, owner):
    ask(acme, petra, "www.demo.test")
    work(Zone({"www.demo.test": failing("www.demo.test")}))
    failed = rows(acme)["www.demo.test"]
    before = everything(owner)

    assert [look.pk for look in ask(acme, petra, "www.demo.test", "WWW.demo.test")] == [failed.pk]
    with clock.frozen(failed.checked_at + PAUSE - timedelta(milliseconds=1)):
        assert [look.pk for look in ask(acme, petra, "www.demo.test")] == [failed.pk]

    assert everything(owner) == before
    assert [look.state for look in ask(acme, petra, "www.demo.test", "api.demo.test")] == ["failed", "verifying"]
    [other] = ask(acme, petra, "www.demo.test", terms=OTHERS)
    assert other.state == CaaState.VERIFYING


def test_a_look_that_nobody_answered_is_promised_once_more(acme, petra):
    with clock.frozen(clock.now() - services.FORGOTTEN - timedelta(seconds=1)):
        [first] = ask(acme, petra, "www.demo.test")
    Errand.objects.update(parked_at=clock.now())
    [second] = ask(acme, petra, "www.demo.test")
    assert first.pk == second.pk
    assert promised().filter(parked_at=None).count() == 1


def test_one_name_twice_is_one_look(acme, petra):
    looks = ask(acme, petra, "www.demo.test", "WWW.DEMO.TEST", "www.demo.test.")
    assert len(looks) == 1


def test_two_people_who_verify_at_the_same_moment_share_a_look(acme, petra, dan):
    gate = threading.Barrier(2)

    def press(person):
        try:
            with acting_for(acme.pk, person=person.pk):
                gate.wait()
                return services.ask({"www.demo.test": OURS}, by=person.pk, about="RQ-TEST")[0].pk
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        looks = [each.result() for each in [pool.submit(press, person) for person in (petra, dan)]]
    assert len(set(looks)) == 1
    assert told_in_journal(acme) == [("caa:ask", "www.demo.test")]


def test_what_permits_one_authority_proves_nothing_for_another(acme, petra):
    ask(acme, petra, "www.demo.test")
    work(Zone({"www.demo.test": PERMITS}))
    with acting_for(acme.pk):
        assert newest({"www.demo.test": OTHERS}) == {}
        assert set(newest({"www.demo.test": Terms(("CA.Acme.Example.",))})) == {"www.demo.test"}
    [other] = ask(acme, petra, "www.demo.test", terms=OTHERS)
    work(Zone({"www.demo.test": PERMITS}))
    with acting_for(acme.pk):
        assert CaaCheck.objects.get(pk=other.pk).state == CaaState.FAILED


def test_two_authorities_that_ask_at_the_same_time_have_a_look_each(acme, petra):
    [first] = ask(acme, petra, "www.demo.test")
    [second] = ask(acme, petra, "www.demo.test", terms=OTHERS)
    assert (first.terms, second.terms) == (OURS.spelled(), OTHERS.spelled())
    assert ask(acme, petra, "www.demo.test")[0].pk == first.pk
    assert ask(acme, petra, "www.demo.test", terms=OTHERS)[0].pk == second.pk
    work(Zone({"www.demo.test": PERMITS}))
    with acting_for(acme.pk):
        states = [CaaCheck.objects.get(pk=look.pk).state for look in (first, second)]
    assert states == [CaaState.VERIFIED, CaaState.FAILED]


def test_another_tenant_sees_nothing_and_looks_for_itself(acme, globex, petra, hank):
    ask(acme, petra, "www.demo.test")
    work(Zone())
    with acting_for(globex.pk, person=hank.pk):
        assert newest({"www.demo.test": OURS}) == {}
    assert told_in_journal(globex) == []


@pytest.mark.parametrize(("age", "fresh"), [(timedelta(0), True), (FRESH - timedelta(seconds=1), True), (FRESH, False)])
def test_a_look_is_relied_on_for_seven_hours(acme, petra, age, fresh):
    ask(acme, petra, "www.demo.test")
    work(Zone())
    row = rows(acme)["www.demo.test"]
    now = row.checked_at + age
    assert is_fresh(row, now) is fresh
    assert state_of(row, now) == (CaaState.VERIFIED if fresh else UNVERIFIED)
    assert not is_fresh(row, row.checked_at - timedelta(minutes=2))  # a look of the future proves nothing


def test_a_look_that_is_stored_while_somebody_reads_counts_for_them(acme, petra):
    """A unit of work's clock stands still, and what others commit meanwhile is read all the same."""
    ask(acme, petra, "www.demo.test")
    with acting_for(acme.pk), ThreadPoolExecutor(1) as others:
        before = clock.now()
        others.submit(_work_and_close).result()
        row = newest({"www.demo.test": OURS})["www.demo.test"]
        assert row.checked_at > before
        assert state_of(row, clock.now()) == CaaState.VERIFIED


def _work_and_close():
    try:
        work(Zone())
    finally:
        connection.close()


def test_a_look_that_failed_or_is_under_way_is_never_fresh(acme, petra):
    [opened] = ask(acme, petra, "www.demo.test")
    assert not is_fresh(opened, clock.now())
    work(Zone({"www.demo.test": FORBIDS}))
    row = rows(acme)["www.demo.test"]
    assert not is_fresh(row, row.checked_at)
    assert state_of(row, row.checked_at) == CaaState.FAILED


def test_a_worker_that_died_half_way_leaves_the_rest_to_the_next_one(acme, petra):
    class Dead(Exception):
        pass

    ask(acme, petra, *NAMES)
    [errand] = promised()
    zone = Zone({NAMES[2]: Dead()})
    with serving("validation"), pytest.raises(Dead):
        looking.answer(errand, errand.args, zone)
    before = rows(acme)
    settled = {name for name, row in before.items() if row.state != CaaState.VERIFYING}
    assert NAMES[2] not in settled
    again = Zone(dict.fromkeys(NAMES, FORBIDS))
    work(again)
    assert sorted(again.asked) == sorted(set(NAMES) - settled)
    after = rows(acme)
    assert all(after[name].evidence == before[name].evidence for name in settled)
    assert {row.state for row in after.values()} <= {CaaState.VERIFIED, CaaState.FAILED}
    assert sorted(told_in_journal(acme)).count(("caa:refuse", NAMES[2])) == 1


def test_an_errand_that_comes_twice_does_nothing_the_second_time(acme, petra, owner):
    ask(acme, petra, "www.demo.test")
    [errand] = promised()
    work(Zone())
    before = everything(owner)
    zone = Zone({"www.demo.test": FORBIDS})
    with serving("validation"):
        looking.answer(errand, errand.args, zone)
    assert everything(owner) == before
    assert zone.asked == []


def test_two_workers_with_the_same_errand_answer_once(acme, petra):
    ask(acme, petra, "www.demo.test")
    [errand] = promised()
    gate = threading.Barrier(2)

    class Together(Zone):
        def caa(self, name, ends):
            if name == "www.demo.test":
                gate.wait()
            return super().caa(name, ends)

    def answer():
        try:
            with serving("validation"):
                looking.answer(errand, errand.args, Together())
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(answer) for _ in range(2)]:
            each.result()
    assert told_in_journal(acme) == [("caa:ask", "www.demo.test"), ("caa:permit", "www.demo.test")]


def test_a_dead_name_does_not_hold_up_the_others(acme, petra):
    everybody_else = threading.Event()
    settled = []

    class Slow(Zone):
        def caa(self, name, _ends):
            if name == NAMES[0]:
                assert everybody_else.wait(10)
                raise failing(name)
            settled.append(name)
            if len(settled) == len(NAMES) - 1:
                everybody_else.set()
            return Answer(name, PERMITS, 60)

    ask(acme, petra, *NAMES)
    work(Slow())
    states = {name: row.state for name, row in rows(acme).items()}
    assert states == {name: CaaState.FAILED if name == NAMES[0] else CaaState.VERIFIED for name in NAMES}


def test_looking_at_once_answers_all_and_takes_over_what_is_under_way(acme, petra):
    [under_way] = ask(acme, petra, "www.demo.test")
    with serving("validation"):
        looks = looking.check_now(
            acme.pk, dict.fromkeys(["shop.demo.test", "www.demo.test"], OURS), by="worker", about="RQ-TEST",
            resolver=Zone({"shop.demo.test": FORBIDS}),
        )  # fmt: skip
    assert [(look.name, look.state) for look in looks] == [
        ("shop.demo.test", CaaState.FAILED),
        ("www.demo.test", CaaState.VERIFIED),
    ]
    assert looks[1].pk == under_way.pk
    with serving("validation"):
        [newer] = looking.check_now(acme.pk, {"www.demo.test": OURS}, by="worker", about="", resolver=Zone())
    assert newer.pk != under_way.pk


def test_the_worker_asks_the_resolver_of_its_configuration(acme, petra):
    """Nobody listens there in this test: the look fails with a reason, and the errand is over."""
    ask(acme, petra, "www.demo.test")
    [errand] = promised()
    with serving("validation"):
        run(errand)
    errand.refresh_from_db()
    assert (bool(errand.done_at), errand.last_error) == (True, "")
    row = rows(acme)["www.demo.test"]
    assert (row.state, row.reason) == (CaaState.FAILED, Reason.UNREACHABLE)


HOSTILE = {
    "markup": b"<script>alert(1)</script>",
    "control characters": bytes(range(32)) + b"\x7f\x1b[2J",
    "a zero byte": b"ca.acme.example\x00",
    "other bytes": bytes(range(128, 256)),
    "quotes": b'"; DROP TABLE validation_caacheck; --\\',
    "long": b"x" * 16_000 + b"%",
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
def test_whatever_a_stranger_writes_into_the_dns_is_kept_as_plain_text_and_permits_nobody(acme, petra, value):
    ask(acme, petra, "www.demo.test")
    work(Zone({"www.demo.test": (Record(0, "issue", value),) * 2 + (Record(0, "x", value),)}))
    row = rows(acme)["www.demo.test"]
    assert (row.state, row.reason) == (CaaState.FAILED, Reason.MALFORMED)
    assert json.dumps(row.evidence).isascii()
    again = evidence.seen(row.name, row.evidence)
    assert again.records[0].value == value
    assert permits(again, OURS).reason == Reason.MALFORMED
    shown = told(row)
    lines = (*shown.records, shown.sentence, shown.next_step, shown.publish)
    assert all(line.isprintable() and len(line) < 1000 for line in lines)


PROVEN = Terms(("ca.acme.example",), account="acct:acme@portal.example", methods=("ca-tbr-7",))
NOT_FOUND_OUT = {
    Reason.TIMED_OUT, Reason.UNREACHABLE, Reason.SERVER_FAILED, Reason.BOGUS, Reason.REFUSED, Reason.BAD_ANSWER,
    Reason.ALIAS_LOOP, Reason.TOO_MUCH, Reason.NOT_A_NAME,
}  # fmt: skip
ELSEWHERE = {Reason.EXCUSED, Reason.NOT_CORROBORATED, Reason.TOO_FEW_PERSPECTIVES}
"""What needs more than a table of records: a resolver that forgives, and perspectives."""


def test_every_reason_has_words_and_the_words_name_only_what_is_known(acme, petra):
    assert set(WORDS) == set(Reason)
    long = (
        *(Record(0, "issue", b"ca%d.example" % number) for number in range(MOST_RECORDS - 1)),
        Record(0, "issue", b"x" * 16_000),
    )
    said = {
        "permitted.demo.test": PERMITS,
        "free.demo.test": (),
        "iodef.demo.test": (Record(0, "iodef", b"mailto:a@b"),),
        "others.demo.test": long,
        "nobody.demo.test": (Record(0, "issue", b";"),),
        "typo.demo.test": (Record(0, "issue", b"ca.acme.example."),),
        "critical.demo.test": (Record(128, "future", b"x"),),
        "account.demo.test": (Record(0, "issue", b"ca.acme.example; accounturi=acct:globex@portal.example"),),
        "method.demo.test": (Record(0, "issue", b"ca.acme.example; validationmethods=ca-tbr-18"),),
        "twice.demo.test": (Record(0, "issue", b"ca.acme.example; accounturi=a:b; accounturi=a:b"),),
        **{f"{reason}.demo.test": failing(f"{reason}.demo.test", reason) for reason in NOT_FOUND_OUT},
    }
    ask(acme, petra, *said, terms=PROVEN)
    said["unproven.demo.test"] = said["method.demo.test"]
    ask(acme, petra, "unproven.demo.test")
    work(Zone(said))
    found = rows(acme)
    assert {row.reason for row in found.values()} == set(Reason) - ELSEWHERE
    for name, row in found.items():
        if row.reason not in NOT_FOUND_OUT:
            again = permits(evidence.seen(name, row.evidence), Terms.from_json(row.terms))
            assert (again.reason, again.clause) == (row.reason, row.evidence["clause"])
        words = told(row)
        assert name in words.sentence or row.reason == Reason.UNREACHABLE or row.reason in {
            Reason.NOT_RESTRICTED, Reason.MALFORMED,
        }, words  # fmt: skip
        assert bool(words.next_step) == (row.state == CaaState.FAILED)
        assert "{" not in words.sentence + words.next_step
        assert bool(words.publish) == (row.reason in FORBIDDING - {Reason.UNKNOWN_CRITICAL})
    assert "ca0.example, ca1.example" in told(found["others.demo.test"]).sentence
    assert "95 others" in told(found["others.demo.test"]).sentence
    narrow = 'method.demo.test. CAA 0 issue "ca.acme.example; validationmethods=ca-tbr-7"'
    assert told(found["method.demo.test"]).publish == narrow
    assert told(found["unproven.demo.test"]).publish == 'unproven.demo.test. CAA 0 issue "ca.acme.example"'
    assert told(found["nobody.demo.test"]).publish == 'nobody.demo.test. CAA 0 issue "ca.acme.example"'
    assert told(found["critical.demo.test"]).publish == ""
    assert told(found["permitted.demo.test"]).publish == ""
    assert [*climb("free.demo.test")] == found["free.demo.test"].evidence["asked"]
