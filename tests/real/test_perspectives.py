"""Five perspectives as real programs, each with a resolver and a view of the DNS of its own; some are lied to."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from lifecycle.validation import looking, services, tasks
from lifecycle.validation.caa import Reason, Terms, permits
from lifecycle.validation.models import CaaCheck
from lifecycle.validation.observing import PATIENCE, Asking, everywhere
from lifecycle.validation.perspectives.client import NotAsked, Why
from lifecycle.validation.perspectives.identity import context_for
from lifecycle.validation.perspectives.protocol import MOST_ASKED, Ask, again, holds, spelled_ask
from lifecycle.validation.perspectives.quorum import Remote, agreed
from lifecycle.validation.perspectives.service import MOST_AT_ONCE
from lifecycle.validation.questions import Asked, Question
from lifecycle.validation.resolver import DnsResolver
from lifecycle.validation.states import CaaState
from lifecycle.validation.witness import Witness, relevant_set_of
from portal.demo.child import wait_until
from portal.foundation import clock
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_for
from portal.servers import Server
from tests.fakes.faulty_dns import faulty, saying
from tests.fakes.knot import Knot
from tests.fakes.perspectives import PLACES, Outpost, asked_as, certificate_of, identity_of, pem_of, perspective_at
from tests.fakes.unbound import Unbound
from tests.world import serving

OURS = Terms(("ca.acme.example",), corroborated=True)
NAMES = [f"lied-{count}.demo.test" for count in range(4)]

ROOT = """\
$ORIGIN .
$TTL 300
@ SOA ns.test. admin.test. 1 3600 600 86400 60
@ NS ns.test.
ns.test. A 127.0.0.1
"""


def zone(place):
    """What the DNS says where *place* looks: `lied-3.demo.test` is lied about to the first three."""
    said = ["acme" if place >= count else "evil" for count in range(4)]
    records = "\n".join(f'lied-{count} CAA 0 issue "ca.{who}.example"' for count, who in enumerate(said))
    return (
        "$ORIGIN demo.test.\n$TTL 300\n@ SOA ns.test. admin.test. 1 3600 600 86400 60\n@ NS ns.test.\n"
        f'{records}\n_portal-validation TXT "seen-by-{place}"\n'
        "www A 203.0.113.80\nmetadata A 169.254.169.254\nloopback A 127.0.0.1\nboth A 203.0.113.80\nboth A 10.0.0.1\n"
    )


@pytest.fixture(scope="module")
def files():
    """A web server that has the file of a proof, and counts who comes."""
    came = []

    def answering(listener):
        with suppress(OSError):
            while True:
                plain, _address = listener.accept()
                with plain:
                    came.append(plain.recv(4096))
                    plain.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nthe-value")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answering, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1], came


@pytest.fixture(scope="module")
def five(tmp_path_factory, files):
    """Return the five programs, and what the primary asks."""
    base = tmp_path_factory.mktemp("world")
    with ExitStack() as stack:

        def begun(server):
            stack.callback(server.stop)
            server.start()
            return server

        def resolver(name, place):
            (base / name).mkdir()
            (base / f"{name}-knot").mkdir()
            knot = begun(Knot(base / f"{name}-knot", {".": ROOT, "demo.test.": zone(place)}))
            stubs = {".": knot.server, "demo.test.": knot.server}
            return begun(Unbound(base / name, stubs, more=['local-zone: "test." nodefault'])).server

        routes = f"203.0.113.80:80=127.0.0.1:{files[0]}"
        outposts = [
            begun(Outpost(name, base / f"{name}-key", [resolver(name, place)], routes))
            for place, name in enumerate(PLACES)
        ]
        primary = Witness("primary", DnsResolver([resolver("primary", len(PLACES))]), None)
        for each in outposts:
            each.wait()
        yield outposts, primary


@pytest.fixture
def outposts(five):
    return five[0]


@pytest.fixture
def primary(five):
    return five[1]


@pytest.mark.parametrize("count", range(4))
def test_who_is_lied_to_says_so_and_one_of_five_is_outvoted(outposts, primary, count):
    question = Question(Asked.CAA, NAMES[count])
    views = everywhere([question], corroborated=True, primary=primary, places=[each.place for each in outposts])

    def sees(observations):
        return permits(relevant_set_of(observations[0]), OURS).permitted

    quorum = views.agreed(sees, clock.now().date())
    assert quorum.dissenting == tuple(PLACES)[:count]
    assert quorum.reached == (count <= 1)
    for outpost in outposts:
        [attested] = views.remotes[outpost.name]
        assert attested.found["resolver"] == str(outpost.resolvers[0])  # its own, and nobody else's
        assert holds(attested, certificate_of(outpost.name))


def test_every_place_answers_for_itself_about_text_and_files(outposts, files):
    before = len(files[1])
    questions = [
        Question(Asked.TXT, "_portal-validation.demo.test"),
        Question(Asked.CNAME, "www.demo.test"),
        Question(Asked.FILE, "www.demo.test", "/.well-known/pki-validation/abc.txt"),
    ]
    for place, outpost in enumerate(outposts):
        text, alias, file = outpost.place.observe(questions, patience=5.0)
        assert text.found["values"] == [f"seen-by-{place}"]
        assert (alias.reason, alias.found["values"]) == ("", [])
        assert (file.reason, file.found["body"], file.found["address"]) == ("", "the-value", "203.0.113.80")
    assert len(files[1]) - before == len(PLACES)


@pytest.fixture(scope="module")
def trusting(five, tmp_path_factory):
    """A perspective whose resolver lets private addresses through, which Unbound would not: it has to see to itself."""
    base = tmp_path_factory.mktemp("trusting")
    knot = Knot(base, {".": ROOT, "demo.test.": zone(0)})
    knot.start()
    outpost = Outpost("ashburn", base / "key", [knot.server], five[0][0].routes)
    outpost.start()
    outpost.wait()
    yield outpost
    outpost.stop()
    knot.stop()


@pytest.mark.parametrize("name", ["metadata", "loopback", "both"])
def test_whoever_stole_the_askers_key_cannot_have_it_look_inside(trusting, files, name):
    """The questions are in order; what is refused is where they lead."""
    before = len(files[1])
    question = Question(Asked.FILE, f"{name}.demo.test", "/.well-known/pki-validation/abc.txt")
    [seen] = trusting.place.observe([question], patience=5.0)
    assert (seen.reason, seen.found.get("body")) == ("special-address", None)
    assert len(files[1]) == before


def test_a_stranger_with_a_key_of_their_own_is_not_heard(outposts):
    with pytest.raises(NotAsked) as failure:
        asked_as("stranger", outposts[0].perspective).observe([Question(Asked.CAA, NAMES[0])], patience=3.0)
    assert failure.value.why in {Why.REFUSES, Why.UNREACHABLE}  # an alert, or a connection that ends


def test_one_perspectives_key_opens_no_other(outposts):
    """Neither as the one who asks, nor standing at the other's address."""
    with pytest.raises(NotAsked):
        asked_as("tokyo", outposts[0].perspective).observe([Question(Asked.CAA, NAMES[0])], patience=3.0)
    tokyo = next(each for each in outposts if each.name == "tokyo")
    with pytest.raises(NotAsked) as failure:
        asked_as("worker", perspective_at("ashburn", tokyo.port)).observe([Question(Asked.CAA, NAMES[0])], patience=3.0)
    assert failure.value.why == Why.NOT_ITSELF


def test_what_was_meant_for_one_another_refuses(outposts):
    perspective = perspective_at("ashburn", outposts[1].port, certificate=certificate_of(outposts[1].name))
    with pytest.raises(NotAsked) as failure:
        asked_as("worker", perspective).observe([Question(Asked.CAA, NAMES[0])], patience=3.0)
    assert (failure.value.why, failure.value.detail) == (Why.REFUSES, "400")


def raw(outpost, method, path, body=b"", **headers):
    """Say something over the asker's TLS that its client would not say."""
    context = context_for(identity_of("worker"), certificate_of(outpost.name), serving=False)
    plain = socket.create_connection(("127.0.0.1", outpost.port), 5)
    connection = http.client.HTTPConnection("127.0.0.1", outpost.port)
    with closing(context.wrap_socket(plain)) as connection.sock:
        connection.request(method, path, body, headers)
        with connection.getresponse() as answer:
            return answer.status, answer.read(), answer.headers


def asked(name, *questions, patience=1000):
    return spelled_ask(Ask(name, "ab" * 16, patience, questions))


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("GET", "/", b"", {}, 404),
        ("GET", "/observe", b"", {}, 405),
        ("POST", "/observe?x=1", b"{}", {}, 404),
        ("POST", "/observe/", b"{}", {}, 404),
        ("POST", "/observe", b"{}", {}, 400),
        ("POST", "/observe", b"", {}, 400),
        ("POST", "/observe", b"", {"Content-Length": str(MOST_ASKED + 1)}, 413),
        ("POST", "/observe", asked("tokyo", Question(Asked.CAA, NAMES[0])), {}, 400),
        ("POST", "/observe", asked("ashburn"), {}, 400),
    ],
)
def test_anything_else_is_refused_and_nothing_is_said_about_itself(outposts, method, path, body, headers, status):
    got, said, told = raw(outposts[0], method, path, body, **headers)
    assert (got, said) == (status, b"")
    assert not {"gunicorn", "python", "ashburn"} & {
        word.lower() for value in told.values() for word in value.split("/")
    }


def test_a_body_without_a_length_is_not_read(outposts):
    status, _said, _told = raw(outposts[0], "POST", "/observe", iter([b"{}"]))  # http.client sends it in chunks
    assert status == 411


@pytest.mark.parametrize("said", [b"", b"\x16", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01" + b"x" * 600])
def test_strangers_who_connect_and_stay_do_not_keep_it_from_answering(outposts, said):
    with ExitStack() as stack:
        for _ in range(15):
            stranger = stack.enter_context(socket.create_connection(("127.0.0.1", outposts[0].port), 5))
            stranger.sendall(said)
        began = time.monotonic()
        [seen] = outposts[0].place.observe([Question(Asked.CAA, NAMES[0])], patience=5.0)
    assert seen.reason == ""
    assert time.monotonic() - began < 1.5


def test_200_questions_are_answered_in_one_go_and_in_their_order(outposts):
    questions = [Question(Asked.CAA, f"n{number}.demo.test") for number in range(230)]
    seen = outposts[0].place.observe(questions, patience=9.0)
    assert [each.question for each in seen] == questions
    assert {each.reason for each in seen} == {""}


def test_a_stopped_one_holds_nobody_up_for_longer_than_its_time(outposts, primary, monkeypatch):
    monkeypatch.setattr("lifecycle.validation.observing.REMOTE_PATIENCE", 2.0)
    os.kill(outposts[0].child.pid, signal.SIGSTOP)
    for worker in workers_of(outposts[0]):
        os.kill(worker, signal.SIGSTOP)
    try:
        began = time.monotonic()
        question = Question(Asked.CAA, NAMES[0])
        views = everywhere([question], corroborated=True, primary=primary, places=[each.place for each in outposts])
        assert time.monotonic() - began < 3.0
    finally:
        for pid in (outposts[0].child.pid, *workers_of(outposts[0])):
            os.kill(pid, signal.SIGCONT)
    assert views.remotes["ashburn"].why == Why.TOO_SLOW
    assert views.agreed(lambda _seen: True, clock.now().date()).reached


def workers_of(outpost):
    found = subprocess.run(["pgrep", "-P", str(outpost.child.pid)], capture_output=True, text=True, check=True)
    return [int(line) for line in found.stdout.split()]


def test_it_knows_no_django_no_configuration_and_no_broker():
    code = (
        "import sys, lifecycle.validation.perspectives.__main__, lifecycle.validation.perspectives.service\n"
        "print(sorted({'django', 'celery', 'redis', 'psycopg2', 'portal.config'} & set(sys.modules)))"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def program(*arguments, said=""):
    command = [sys.executable, "-m", "lifecycle.validation.perspectives", *arguments]
    root = Path(__file__).resolve().parents[2]
    return subprocess.run(command, cwd=root, input=said, capture_output=True, text=True, check=False, timeout=20)


def test_a_key_is_made_once_and_is_its_owners_alone(tmp_path):
    made = program("make-identity", "--name", "perth", str(tmp_path / "perth"))
    assert (made.returncode, made.stderr) == (0, "")
    assert (tmp_path / "perth" / "identity.pem").stat().st_mode & 0o077 == 0
    before = (tmp_path / "perth" / "identity.pem").read_bytes()
    twice = program("make-identity", "--name", "perth", str(tmp_path / "perth"))
    assert twice.returncode == 1
    assert "exists" in twice.stderr
    assert (tmp_path / "perth" / "identity.pem").read_bytes() == before


def test_a_row_of_evidence_is_checked_by_hand(outposts, primary, tmp_path):
    """As the operations page says it: a row of the evidence, and the certificate that was in the list."""
    question = Question(Asked.CAA, NAMES[0])
    views = everywhere([question], corroborated=True, primary=primary, places=[outposts[0].place])
    [row] = views.kept(lambda _seen: True)
    certificate = tmp_path / "ashburn.pem"
    certificate.write_text(pem_of(certificate_of("ashburn")))
    done = program("verify", "--certificate", str(certificate), said=json.dumps(row))
    assert (done.returncode, done.stdout.splitlines()) == (0, [f"caa {NAMES[0]}: signed by ashburn"])

    row["observations"][0]["found"]["ttl"] += 1
    done = program("verify", "--certificate", str(certificate), said=json.dumps(row))
    assert (done.returncode, done.stdout) == (1, f"caa {NAMES[0]}: NOT signed by ashburn\n")
    for nonsense in ("", "[]", "{}", '{"name": "x", "observations": [1]}'):
        done = program("verify", "--certificate", str(certificate), said=nonsense)
        assert (done.returncode, done.stdout) == (1, "")
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"--identity": "/nowhere"}, "No such file"),
        ({"--resolvers": "resolver.example"}, "resolvers"),
        ({"--resolvers": ""}, "resolvers"),
        ({"--routes": "192.168.0.1:80=127.0.0.1:80"}, "routes"),
        ({"--routes": "203.0.113.80:80=192.168.0.1:80"}, "routes"),
    ],
)
def test_it_does_not_start_with_nonsense(tmp_path, change, said):
    told = {"--listen": "127.0.0.1:0", "--resolvers": "127.0.0.1", "--identity": str(tmp_path)} | change
    done = program("serve", *[word for pair in told.items() for word in pair])
    assert done.returncode
    assert said in done.stderr


# --- as the worker uses them ----------------------------------------------------------------------------------------


@pytest.fixture
def asking_these(outposts, monkeypatch):
    monkeypatch.setattr("lifecycle.validation.observing.our_perspectives", lambda: [each.place for each in outposts])


def ask(tenant, person, *names, terms=OURS):
    with acting_for(tenant.pk, person=person.pk):
        return services.ask(dict.fromkeys(names, terms), by=person.pk, about="RQ-TEST")


def work(resolver):
    with serving("validation"):
        for errand in Errand.objects.filter(task=tasks.look.name, done_at=None):
            looking.answer(errand, errand.args, resolver)


def rows(tenant):
    with acting_for(tenant.pk):
        return {row.name: row for row in CaaCheck.objects.all()}


@pytest.mark.django_db(transaction=True)
def test_a_look_stands_when_enough_see_the_same_and_says_who_did_not(acme, petra, asking_these, primary):
    ask(acme, petra, *NAMES)
    work(primary._resolver)
    found = rows(acme)
    assert {name: (row.state, row.reason) for name, row in found.items()} == {
        NAMES[0]: (CaaState.VERIFIED, Reason.NAMED),
        NAMES[1]: (CaaState.VERIFIED, Reason.NAMED),
        NAMES[2]: (CaaState.FAILED, Reason.NOT_CORROBORATED),
        NAMES[3]: (CaaState.FAILED, Reason.NOT_CORROBORATED),
    }
    for count, name in enumerate(NAMES):
        kept = found[name].evidence
        assert [row["name"] for row in kept["perspectives"]] == list(PLACES)
        assert [row["ok"] for row in kept["perspectives"]] == [place >= count for place in range(5)]
        assert kept["quorum"]["dissenting"] == list(PLACES)[:count]
        assert computed_again(name, kept) == found[name].state


def computed_again(name, kept):
    """Judge from the row alone: every signature, every verdict and the count."""
    remotes = []
    for row in kept["perspectives"]:
        [observation] = row["observations"]
        attested = again(observation, row["name"])
        assert attested.question == Question(Asked.CAA, name)
        assert holds(attested, certificate_of(row["name"]))
        verdict = permits(relevant_set_of(attested), OURS)
        assert (verdict.permitted, verdict.reason) == (row["ok"], row["reason"])
        remotes.append(Remote(row["name"], row["region"], verdict.permitted))
    quorum = agreed(True, remotes, clock.now().date().fromisoformat(kept["quorum"]["day"]))
    return CaaState.VERIFIED if quorum.reached else CaaState.FAILED


@pytest.mark.django_db(transaction=True)
def test_nobody_elsewhere_is_asked_for_a_private_authority(acme, petra, primary, monkeypatch):
    monkeypatch.setattr("lifecycle.validation.observing.our_perspectives", None)
    ask(acme, petra, NAMES[3], terms=Terms(("ca.acme.example",)))
    work(primary._resolver)
    [row] = rows(acme).values()
    assert row.state == CaaState.VERIFIED
    assert "perspectives" not in row.evidence


@pytest.mark.django_db(transaction=True)
def test_without_perspectives_public_trust_gets_nothing(acme, petra, primary):
    ask(acme, petra, NAMES[0])
    work(primary._resolver)
    [row] = rows(acme).values()
    assert (row.state, row.reason) == (CaaState.FAILED, Reason.TOO_FEW_PERSPECTIVES)
    assert row.evidence["perspectives"] == []


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_dies_between_leaves_nothing_half(acme, petra, asking_these, primary):
    class Dead(BaseException):
        pass

    class Dying:
        def caa(self, _name, _ends):
            raise Dead

        def forgives(self, _failure, _ends):
            return False

    ask(acme, petra, *NAMES)
    with pytest.raises(Dead):
        work(Dying())
    assert {(row.state, json.dumps(row.evidence)) for row in rows(acme).values()} == {(CaaState.VERIFYING, "{}")}
    work(primary._resolver)
    assert CaaState.VERIFYING not in {row.state for row in rows(acme).values()}


def test_a_name_whose_servers_are_silent_holds_up_no_other(tmp_path):
    answered = saying('@ CAA 0 issue "ca.acme.example"')

    def fault(question, tcp):
        silent_one = question.question[0].name.to_text().startswith("silent.")
        return None if silent_one else answered(question, tcp)

    with faulty(fault) as server:
        outpost = Outpost("ashburn", tmp_path / "key", [server.server])
        outpost.start()
        try:
            outpost.wait()
            questions = [Question(Asked.CAA, f"{name}.test") for name in ("silent", *(f"n{n}" for n in range(100)))]
            silent, *others = outpost.place.observing(questions, patience=4.0)
            assert {each.result(3.0).reason for each in others} == {""}
            assert not silent.done()
            assert silent.result(5.0).reason == Reason.TIMED_OUT
        finally:
            outpost.stop()


def hang_up(outpost):
    """Ask something that takes half a second, and go."""
    body = asked(outpost.name, Question(Asked.CAA, NAMES[0]), patience=500)
    context = context_for(identity_of("worker"), certificate_of(outpost.name), serving=False)
    with context.wrap_socket(socket.create_connection(("127.0.0.1", outpost.port), 5)) as connection:
        head = f"POST /observe HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)


def test_more_than_it_answers_at_once_are_told_to_come_again(outposts):
    """A resolver that never answers keeps each of them busy."""
    deaf = socket.socket(type=socket.SOCK_DGRAM)
    deaf.bind(("127.0.0.1", 0))
    with closing(deaf):
        outpost = Outpost("ashburn", outposts[0].folder.parent / "deaf", [Server(*deaf.getsockname())])
        outpost.start()
        try:
            outpost.wait()
            for _ in range(MOST_AT_ONCE):
                hang_up(outpost)
            time.sleep(1.5)  # their places come back, and not before their half second is over
            places = [outpost.place] * (MOST_AT_ONCE + 2)
            begun = [place.observing([Question(Asked.CAA, NAMES[0])], patience=4.0)[0] for place in places]
            assert wait_until(lambda: sum(each.done() for each in begun) >= 2, 4.0)
            refused = [each for each in begun if each.done()]
            assert {each.exception().detail for each in refused} == {"503"}
            assert all(each.result().reason == Reason.TIMED_OUT for each in begun if each not in refused)
        finally:
            outpost.stop()


def test_asking_takes_no_longer_than_a_look_may(outposts):
    assert Asking.begin([Question(Asked.CAA, NAMES[0])], places=[outposts[0].place], patience=99).ends <= (
        time.monotonic() + PATIENCE
    )
