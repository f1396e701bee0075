"""What the worker believes of a perspective, and what a perspective does for whoever asks: over TLS, with impostors."""

import json
import time
from concurrent.futures import Future
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lifecycle.validation.caa import Answer, Reason, Record, Terms
from lifecycle.validation.corroborating import corroboration
from lifecycle.validation.fetcher import Fetcher
from lifecycle.validation.observing import Asking, Views, everywhere
from lifecycle.validation.perspectives import client, protocol
from lifecycle.validation.perspectives.client import NotAsked, Why
from lifecycle.validation.perspectives.identity import Identity, make_identity
from lifecycle.validation.perspectives.protocol import BadMessage, again, canonical, holds, read_answer, read_ask
from lifecycle.validation.perspectives.quorum import Outcome
from lifecycle.validation.questions import Asked, Observation, Question
from lifecycle.validation.witness import MOST_FOUND, Witness, relevant_set_of
from portal.demo.embedded import free_port
from portal.foundation import clock
from tests.fakes.perspectives import PLACES, asked_as, certificate_of, identity_of, impostor, perspective_at, says
from tests.fakes.zone import Zone

WWW = Question(Asked.CAA, "www.demo.test")
OTHER = Question(Asked.CAA, "other.demo.test")
ASK = protocol.Ask("ashburn", "ab" * 16, 1000, (WWW, OTHER))
SAYS = Zone({"www.demo.test": ("ca.acme.example",)})
OURS = Terms(("ca.acme.example",), corroborated=True)


def witness(zone=SAYS, name="ashburn"):
    return Witness(name, zone, None)


def lines(ask, zone=SAYS, *, signer="ashburn"):
    """Return what an honest perspective answers, line by line."""
    seen = witness(zone).observe(ask.questions, patience=1.0)
    return [protocol.spelled_answer(ask, n, each, identity_of(signer).sign) for n, each in enumerate(seen)]


def honest(connection, request):
    ask = read_ask(request, "ashburn")
    says(b"".join(lines(ask)))(connection, request)


def changed(line, **fields):
    return canonical(json.loads(line) | fields) + b"\n"


def read(line, ask=ASK, *, at=None):
    return read_answer(line, ask, certificate_of("ashburn"), at or clock.now())


# --- the conversation -----------------------------------------------------------------------------------------------


def test_a_perspective_says_what_it_sees_and_signs_it():
    with impostor(honest) as (place, asked):
        seen = place.observe([WWW, OTHER], patience=5.0)
    assert [each.question for each in seen] == [WWW, OTHER]
    assert relevant_set_of(seen[0]).records[0].value == b"ca.acme.example"
    assert relevant_set_of(seen[1]).records == ()
    said = json.loads(asked[0])
    assert (said["perspective"], len(said["nonce"]), len(asked)) == ("ashburn", 32, 1)


def test_two_requests_have_different_nonces():
    with impostor(honest) as (place, asked):
        for _ in range(2):
            place.observe([WWW], patience=5.0)
    assert len({json.loads(each)["nonce"] for each in asked}) == 2


def test_what_evidence_keeps_can_be_checked_by_itself():
    kept = json.loads(json.dumps(read(lines(ASK)[0])[1].kept()))
    assert holds(again(kept, "ashburn"), certificate_of("ashburn"))
    assert not holds(again(kept, "tokyo"), certificate_of("ashburn"))
    assert not holds(again(kept, "ashburn"), certificate_of("tokyo"))
    for changed_later in (
        {"nonce": "cd" * 16},
        {"at": "2026-01-01T00:00:00.000000+00:00"},
        {"found": EMPTY, "question": {"asked": "caa", "name": "other.demo.test", "path": ""}},
    ):
        assert not holds(again(kept | changed_later, "ashburn"), certificate_of("ashburn"))
    for nonsense in (None, {}, kept | {"question": None}, kept | {"found": None}):
        with pytest.raises(BadMessage):
            again(nonsense, "ashburn")


EMPTY = json.loads(lines(ASK)[1])["found"]


# --- what is no answer ----------------------------------------------------------------------------------------------

FOUND = json.loads(lines(ASK)[0])["found"]
STRANGE = {
    "another number": {"number": 1},
    "no number": {"number": True},
    "a number beyond": {"number": 2},
    "another question": {"question": {"asked": "caa", "name": "other.demo.test", "path": ""}},
    "another reason": {"reason": "timed-out"},
    "other records": {"found": FOUND | {"records": []}},
    "a record more": {"found": FOUND | {"records": [*FOUND["records"], {"flags": 0, "tag": "issue", "value": ";"}]}},
    "another time": {"at": "2026-11-21T00:00:00.000000+00:00"},
    "no time": {"at": 5},
    "a signature less": {"signature": ""},
    "no signature at all": {"signature": None},
    "a signature of something else": {"signature": "AAAA"},
    "a field more": {"verdict": True},
}


@pytest.mark.parametrize("fields", STRANGE.values(), ids=STRANGE)
def test_an_altered_answer_is_none(fields):
    line = lines(ASK)[0]
    read(line)
    with pytest.raises(BadMessage):
        read(changed(line, **fields))


def test_an_answer_that_another_perspective_signed_is_none():
    with pytest.raises(BadMessage, match="signature"):
        read(lines(ASK, signer="tokyo")[0])


def test_an_answer_to_an_earlier_question_is_none():
    """The same question in the same second: only the nonce differs."""
    replayed = lines(replace(ASK, nonce="cd" * 16))[0]
    with pytest.raises(BadMessage, match="signature"):
        read(replayed)


@pytest.mark.parametrize(("late", "fresh"), [(59, True), (61, False), (-59, True), (-61, False)])
def test_an_observation_is_of_this_minute(late, fresh):
    line = lines(ASK)[0]
    now = clock.now() + timedelta(seconds=late)
    if fresh:
        assert read(line, at=now)
    else:
        with pytest.raises(BadMessage, match="time"):
            read(line, at=now)


def signed(found, question=WWW, reason=""):
    """Return a line that a perspective which was taken over would sign."""
    ask = replace(ASK, questions=(question,))
    observation = Observation(question, clock.now(), reason, found)
    return protocol.spelled_answer(ask, 0, observation, identity_of("ashburn").sign), ask


TXT = {"owner": "a.test", "values": ["x"], "ttl": 1, "resolver": "192.0.2.1:53", "authentic": True}
FAILED = {"asked": ["www.demo.test"], "detail": "", "resolver": ""}
SHAPELESS = {
    "nothing": (WWW, "", None),
    "a list": (WWW, "", []),
    "fields missing": (WWW, "", {"asked": ["www.demo.test"]}),
    "a field more": (WWW, "", FOUND | {"more": 1}),
    "a gap in the climb": (WWW, "", FOUND | {"asked": ["www.demo.test", "test"], "found_at": "test"}),
    "another name's labels": (WWW, "", FOUND | {"asked": ["other.demo.test"], "found_at": "other.demo.test"}),
    "records from nowhere": (WWW, "", FOUND | {"found_at": None}),
    "no records half-way": (WWW, "", FOUND | {"records": [], "found_at": None}),
    "flags of another size": (WWW, "", FOUND | {"records": [{"flags": 256, "tag": "issue", "value": ""}]}),
    "flags that are true": (WWW, "", FOUND | {"records": [{"flags": True, "tag": "issue", "value": ""}]}),
    "a tag of blanks": (WWW, "", FOUND | {"records": [{"flags": 0, "tag": " ", "value": ""}]}),
    "a value that is not escaped": (WWW, "", FOUND | {"records": [{"flags": 0, "tag": "issue", "value": '"'}]}),
    "a value escaped in vain": (WWW, "", FOUND | {"records": [{"flags": 0, "tag": "issue", "value": r"\097"}]}),
    "a value beyond bytes": (WWW, "", FOUND | {"records": [{"flags": 0, "tag": "issue", "value": r"\999"}]}),
    "a value of other letters": (WWW, "", FOUND | {"records": [{"flags": 0, "tag": "issue", "value": "ä"}]}),
    "too many records": (WWW, "", FOUND | {"records": FOUND["records"] * 201}),
    "a time to live below nought": (WWW, "", FOUND | {"ttl": -1}),
    "a resolver of any length": (WWW, "", FOUND | {"resolver": "x" * 65}),
    "a line break": (WWW, "", FOUND | {"owner": "a\nb"}),
    "a reason nobody knows": (WWW, "because", FAILED),
    "a reason of markup": (WWW, "<b>", FAILED),
    "a failure somewhere else": (WWW, "timed-out", FAILED | {"asked": ["elsewhere.test"]}),
    "a failure nowhere": (WWW, "timed-out", FAILED | {"asked": []}),
    "a failure with records": (WWW, "timed-out", FOUND),
    "text that is no text": (Question(Asked.TXT, "a.test"), "", TXT | {"values": [1]}),
    "an object in a text": (Question(Asked.TXT, "a.test"), "", TXT | {"values": [{}]}),
    "a flag that is a number": (Question(Asked.TXT, "a.test"), "", TXT | {"authentic": 1}),
    "a file without a status": (Question(Asked.FILE, "a.test", "/x"), "", {"body": "x"}),
}  # fmt: skip


@pytest.mark.parametrize(("question", "reason", "found"), SHAPELESS.values(), ids=SHAPELESS)
def test_an_answer_of_another_shape_is_none_whoever_signed_it(question, reason, found):
    line, ask = signed(found, question, reason)
    with pytest.raises(BadMessage):
        read(line, ask)


def test_the_shapes_of_honest_answers_are_let_through():
    for question, reason, found in [
        (WWW, "", FOUND),
        (WWW, "bogus", FAILED),
        (Question(Asked.CAA, "*.demo.test"), "timed-out", FAILED | {"asked": ["demo.test", "test"]}),
        (Question(Asked.CAA, "@demo.test"), "timed-out", FAILED | {"asked": ["demo.test"]}),
        (Question(Asked.TXT, "a.test"), "", TXT),
        (Question(Asked.TXT, "a.test"), "", TXT | {"values": [r"\000\255\\".replace("\\\\", r"\092"), ""]}),
        (Question(Asked.CNAME, "a.test"), "refused", FAILED | {"asked": ["a.test"]}),
    ]:
        line, ask = signed(found, question, reason)
        assert read(line, ask)[1].found == found


# --- impostors ------------------------------------------------------------------------------------------------------


def endless(connection, _request):
    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while True:
        connection.sendall(b"x" * 65536)


def endless_head(connection, _request):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-More: " + b"x" * 1000 + b"\r\n")


def drop_by_drop(connection, _request):
    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while True:
        connection.sendall(b"{")
        time.sleep(0.1)


def silent(connection, _request):
    connection.recv(1)  # until the other side gives up


def half(connection, request):
    says(lines(read_ask(request, "ashburn"))[0])(connection, request)


def twice(connection, request):
    says(lines(read_ask(request, "ashburn"))[0] * 2)(connection, request)


IMPOSTORS = {
    "garbage": (says(b"\x00\xff" * 100 + b"\n"), Why.BAD_ANSWER),
    "no HTTP": (lambda connection, _request: connection.sendall(b"220 ready\r\n"), Why.BAD_ANSWER),
    "a page": (says(b"<html>", "404 Not Found"), Why.REFUSES),
    "a way elsewhere": (says(b"", "307 Temporary Redirect\r\nLocation: https://127.0.0.1/"), Why.REFUSES),
    "nothing": (says(b""), Why.BAD_ANSWER),
    "nested JSON": (says(b"[" * 60_000 + b"\n"), Why.BAD_ANSWER),
    "one answer for two": (half, Why.BAD_ANSWER),
    "one answer twice": (twice, Why.BAD_ANSWER),
    "an endless body": (endless, Why.BAD_ANSWER),
    "an endless head": (endless_head, Why.BAD_ANSWER),
    "drops": (drop_by_drop, Why.TOO_SLOW),
    "silence": (silent, Why.TOO_SLOW),
}


@pytest.mark.parametrize(("behaviour", "why"), IMPOSTORS.values(), ids=IMPOSTORS)
def test_what_is_no_answer_ends_in_time_and_is_none(behaviour, why):
    began = time.monotonic()
    with impostor(behaviour) as (place, _asked), pytest.raises(NotAsked) as failure:
        place.observe([WWW, OTHER], patience=1.5)
    assert failure.value.why == why
    assert time.monotonic() - began < 3.0


def test_what_came_before_the_fault_stands():
    with impostor(half) as (place, _asked):
        first, second = place.observing([WWW, OTHER], patience=2.0)
        assert first.result().question == WWW
        assert second.exception().why == Why.BAD_ANSWER


def test_another_perspectives_key_at_its_address_is_not_it():
    with impostor(honest, identity=identity_of("tokyo")) as (place, asked), pytest.raises(NotAsked) as failure:
        place.observe([WWW], patience=2.0)
    assert failure.value.why == Why.NOT_ITSELF
    assert asked == []  # it did not even learn what was asked


def test_a_new_certificate_of_the_same_key_is_another_one(tmp_path):
    """What is known by heart is the certificate: nobody who has a key for a moment can stay by making another."""
    make_identity("ashburn", tmp_path)
    other = Identity.at(tmp_path)
    with impostor(honest, identity=other) as (place, asked), pytest.raises(NotAsked) as failure:
        place.observe([WWW], patience=2.0)
    assert (failure.value.why, asked) == (Why.NOT_ITSELF, [])


def test_what_a_perspectives_key_certifies_is_not_it(tmp_path):
    """Nor can its key make more of it: it is known by heart, and no authority."""
    ashburn, key = identity_of("ashburn"), ec.generate_private_key(ec.SECP256R1())
    known, now = x509.load_der_x509_certificate(ashburn.certificate), clock.now()
    made = (
        x509.CertificateBuilder()
        .subject_name(known.subject)
        .issuer_name(known.subject)
        .public_key(key.public_key())
        .serial_number(5)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(ashburn.key, hashes.SHA256())
    )
    file = tmp_path / "identity.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain = [each.public_bytes(Encoding.PEM) for each in (made, known)]
    file.write_bytes(b"".join([private, *chain]))
    issued = Identity(key, made.public_bytes(Encoding.DER), file)
    with impostor(honest, identity=issued) as (place, asked), pytest.raises(NotAsked) as failure:
        place.observe([WWW], patience=2.0)
    assert (failure.value.why, asked) == (Why.NOT_ITSELF, [])


def test_a_place_where_nobody_listens_is_not_waited_for():
    began = time.monotonic()
    with pytest.raises(NotAsked) as failure:
        asked_as("worker", perspective_at("ashburn", free_port())).observe([WWW], patience=5.0)
    assert failure.value.why == Why.UNREACHABLE
    assert time.monotonic() - began < 2.0


# --- what a perspective lets itself be asked ------------------------------------------------------------------------

GOOD = json.loads(protocol.spelled_ask(ASK))
CAA = {"asked": "caa", "name": "a.test", "path": ""}
REFUSED = {
    "another version": {"version": 2},
    "another perspective": {"perspective": "tokyo"},
    "no nonce": {"nonce": ""},
    "a nonce of another form": {"nonce": "AB" * 16},
    "no patience": {"patience": 0},
    "patience without end": {"patience": 10_001},
    "patience in fractions": {"patience": 0.5},
    "patience that is true": {"patience": True},
    "no questions": {"questions": []},
    "too many questions": {"questions": [CAA] * 201},
    "questions of another kind": {"questions": {"a": 1}},
    "a question of another kind": {"questions": [CAA | {"asked": "any"}]},
    "a kind that is a list": {"questions": [CAA | {"asked": []}]},
    "an address": {"questions": [CAA | {"name": "[::1]"}]},
    "a name with a port": {"questions": [CAA | {"name": "a.test:22"}]},
    "an address of a page": {"questions": [CAA | {"name": "http://a.test/"}]},
    "a name in capitals": {"questions": [CAA | {"name": "A.test"}]},
    "a name too long": {"questions": [CAA | {"name": "a." * 127 + "test"}]},
    "no name": {"questions": [CAA | {"name": ""}]},
    "a path for the DNS": {"questions": [CAA | {"path": "/x"}]},
    "a file without a path": {"questions": [CAA | {"asked": "file"}]},
    "a path with a line break": {"questions": [CAA | {"asked": "file", "path": "/x\r\nHost: y"}]},
    "a field more": {"more": 1},
}


@pytest.mark.parametrize("fields", REFUSED.values(), ids=REFUSED)
def test_a_perspective_refuses_whatever_else_it_is_asked(fields):
    read_ask(canonical(GOOD), "ashburn")
    with pytest.raises(BadMessage):
        read_ask(json.dumps(GOOD | fields).encode(), "ashburn")


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"\xff", b"[" * 100_000, b" " * 131_073, b'{"version":1}'])
def test_a_perspective_refuses_what_is_no_request(body):
    with pytest.raises(BadMessage):
        read_ask(body, "ashburn")


def test_a_file_is_fetched_from_one_folder_alone():
    """Whoever has the asker's key still cannot have anything else fetched."""
    question = Question(Asked.FILE, "www.demo.test", "/latest/meta-data/")
    [seen] = Witness("ashburn", SAYS, Fetcher(SAYS)).observe([question], patience=1.0)
    assert (seen.reason, seen.found) == ("bad-address", {})


def test_a_flood_of_records_is_told_as_too_much():
    class Flood(Zone):
        def caa(self, name, _ends):
            return Answer(name, (Record(0, "issue", b"\xff" * 16_000),), 60)

    [seen] = witness(Flood()).observe([Question(Asked.CAA, "*.demo.test")], patience=1.0)
    assert (seen.reason, seen.found["asked"]) == (Reason.TOO_MUCH, ["demo.test"])
    line, ask = signed(seen.found, seen.question, seen.reason)
    assert read(line, ask)
    assert MOST_FOUND < protocol.MOST_ANSWERED


# --- all of them together -------------------------------------------------------------------------------------------


class Placed:
    """A perspective in this process that sees *zone*, or cannot be asked."""

    def __init__(self, name, zone=SAYS, failure=None):
        self.perspective = perspective_at(name, 1)
        self._zone, self._failure = zone, failure

    def observing(self, questions, *, patience):
        ask = protocol.Ask(self.perspective.name, "ab" * 16, 1000, tuple(questions))
        begun = [Future() for _ in questions]
        for n, (each, future) in enumerate(
            zip(witness(self._zone, self.perspective.name).observe(questions, patience=patience), begun, strict=True)
        ):
            line = protocol.spelled_answer(ask, n, each, identity_of(self.perspective.name).sign)
            if self._failure:
                future.set_exception(self._failure)
            else:
                future.set_result(read_answer(line, ask, certificate_of(self.perspective.name), clock.now())[1])
        return begun


FORBIDS = Zone({"www.demo.test": ("ca.elsewhere.example",)})
BROKEN = Zone({"www.demo.test": Reason.TIMED_OUT})


def placed(*zones):
    return [Placed(name, zone) for name, zone in zip(PLACES, zones, strict=False)]


def seen_by(*zones, primary=SAYS):
    return everywhere([WWW], corroborated=True, primary=Witness("primary", primary, None), places=placed(*zones))


@pytest.mark.parametrize(
    ("lied_to", "reason"),
    [(0, None), (1, None), (2, Reason.NOT_CORROBORATED), (3, Reason.NOT_CORROBORATED), (5, Reason.NOT_CORROBORATED)],
)
@pytest.mark.parametrize("lie", [FORBIDS, BROKEN], ids=["other records", "no answer"])
def test_one_of_five_may_see_something_else(lied_to, reason, lie):
    views = seen_by(*[lie] * lied_to, *[SAYS] * (5 - lied_to))
    found = corroboration(views, OURS, permitted=True, day=clock.now().date())
    assert found.objection == reason
    assert found.quorum.dissenting == tuple(PLACES)[:lied_to]
    assert [row["ok"] for row in found.evidence["perspectives"]] == [n >= lied_to for n in range(5)]
    said = {row["reason"] for row in found.evidence["perspectives"] if not row["ok"]}
    assert said <= {str(Reason.OTHERS_NAMED), str(Reason.TIMED_OUT)}


def test_one_that_cannot_be_asked_counts_against():
    places = [*placed(FORBIDS, SAYS, SAYS, SAYS), Placed("sao-paulo", failure=NotAsked(Why.NOT_ITSELF, "another"))]
    views = everywhere([WWW], corroborated=True, primary=Witness("primary", SAYS, None), places=places)
    found = corroboration(views, OURS, permitted=True, day=clock.now().date())
    assert found.objection == Reason.NOT_CORROBORATED
    assert found.evidence["perspectives"][-1] == {
        "name": "sao-paulo", "region": "LACNIC", "ok": False, "failure": "not-itself", "detail": "another",
    }  # fmt: skip


def test_too_few_perspectives_are_the_operators_fault():
    found = corroboration(seen_by(SAYS, SAYS, SAYS), OURS, permitted=True, day=clock.now().date())
    assert (found.objection, found.quorum.reason) == (Reason.TOO_FEW_PERSPECTIVES, Outcome.TOO_FEW_ASKED)
    none = corroboration(Views([]), OURS, permitted=True, day=clock.now().date())
    assert (none.objection, none.evidence["perspectives"]) == (Reason.TOO_FEW_PERSPECTIVES, [])


def test_what_the_primary_does_not_permit_needs_no_second_opinion():
    found = corroboration(seen_by(*[SAYS] * 5, primary=FORBIDS), OURS, permitted=False, day=clock.now().date())
    assert (found.objection, found.quorum.reached) == (None, False)
    assert found.quorum.dissenting == tuple(PLACES)  # they see another thing than we do
    same = corroboration(seen_by(*[FORBIDS] * 5, primary=FORBIDS), OURS, permitted=False, day=clock.now().date())
    assert (same.objection, same.quorum.reached, same.quorum.agreeing) == (None, False, tuple(PLACES))
    assert [row["ok"] for row in same.evidence["perspectives"]] == [False] * 5


def test_nobody_is_asked_where_nothing_has_to_be_corroborated():
    class Never(Placed):
        def observing(self, *_questions, **_patience):
            raise AssertionError

    views = everywhere([WWW], corroborated=False, primary=Witness("primary", SAYS, None), places=[Never("ashburn")])
    assert (views.remotes, views.perspectives) == ({}, ())


def test_a_slow_one_is_waited_for_until_its_time_is_over(monkeypatch):
    monkeypatch.setattr("lifecycle.validation.observing.REMOTE_PATIENCE", 2.0)
    monkeypatch.setattr(client, "WAY", 0.5)
    with impostor(silent) as (slow, _asked):
        began = time.monotonic()
        asking = Asking.begin([WWW], places=[slow, *placed(SAYS, SAYS, SAYS, SAYS, SAYS)[1:]])
        views = asking.beside(Witness("primary", SAYS, None).observe([WWW], patience=1.0))
        assert time.monotonic() - began < 3.0
    assert views.remotes["ashburn"].why == Why.TOO_SLOW
    assert corroboration(views, OURS, permitted=True, day=clock.now().date()).objection is None
