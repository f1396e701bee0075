"""The publishing worker at a real name server and a real receiver: delivered, again, refused, slow, and given up."""

import base64
import hmac
import json
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from lifecycle.validation import control
from lifecycle.validation.models import Domain, DomainControl, PublishingWay
from lifecycle.validation.publishing import carrying, outcomes, sealing, services, tasks
from lifecycle.validation.publishing.reaching import Reach
from lifecycle.validation.publishing.resting import Resting
from lifecycle.validation.publishing.services import Wanted
from portal.config import config
from portal.demo.child import Child, wait_until
from portal.demo.supervisor import worker_command
from portal.foundation import clock
from portal.foundation.audit.models import AuditEvent
from portal.foundation.outbox.drain import TryLater, WorldAway, claim, run
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_for
from tests.fakes.primary import KEY, SECRET, Primary
from tests.fakes.shut_journal import WAYS, shut
from tests.fakes.web_server import Names, answer, certificate, listening_in, saying, web_server
from tests.plugins.services import ROOT, surroundings
from tests.rows import everything
from tests.world import serving

pytestmark = pytest.mark.django_db(transaction=True)

SERVER, RECEIVER = "203.0.113.53", "203.0.113.80"
NAME = "www.acme.example"
OWNER = f"_portal-validation.{NAME}"
HOOK_HOST = "hooks.acme.example"


@pytest.fixture(scope="module")
def primary(tmp_path_factory):
    server = Primary(tmp_path_factory.mktemp("primary"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("pem"), HOOK_HOST, "slow.globex.example")


@pytest.fixture(autouse=True)
def _as_the_publishing_worker(monkeypatch):
    """Hold its key; and begin with nobody resting."""
    private = surroundings().places.secret("publishing-key").read_text()
    monkeypatch.setattr(sealing, "config", replace(config, publishing_key=private))
    monkeypatch.setattr(carrying, "resting", Resting())


def reach(*, dns=0, https=0, authorities="", seconds=2.0):
    names = Names({HOOK_HOST: [[RECEIVER]], "slow.globex.example": [[RECEIVER]]})
    routes = {(SERVER, 53): ("127.0.0.1", dns), (RECEIVER, 443): ("127.0.0.1", https)}
    return Reach(names, routes, str(authorities), seconds)


def way_of(tenant, person, kind="rfc2136", **changes):
    wanted = {
        "rfc2136": Wanted(
            title="Name server", kind="rfc2136", address=SERVER, zone="acme.example", key_name=KEY,
            algorithm="hmac-sha256", secret=SECRET,
        ),
        "webhook": Wanted(title="Hook", kind="webhook", address=f"https://{HOOK_HOST}/portal"),
    }[kind]  # fmt: skip
    with acting_for(tenant.pk, person=person.pk):
        return services.add_way(replace(wanted, **changes), by=person.pk)


def begun(tenant, person, way, name=NAME, method="dns-change"):
    """An attempt whose value the portal publishes, and the errand that promises it."""
    with acting_for(tenant.pk, person=person.pk):
        domain = control.add(name, kind="dns", method=method, by=person.pk)
        control.publish_by(domain, way, by=person.pk)
        attempt = control.begin(Domain.objects.get(pk=domain.pk), method=method, by=person.pk)
    assert attempt.automatic
    return attempt, promise(attempt)


def promise(attempt, task="publish"):
    return Errand.objects.get(task=f"lifecycle.validation.publishing.tasks.{task}", args=[str(attempt.pk)])


def publish(errand, at, *, last=False):
    with serving("publishing"):
        carrying.publish(errand, DomainControl_id(errand), last=last, reach=at)


def DomainControl_id(errand):  # noqa: N802
    return errand.args[0]


def codes(tenant):
    with acting_for(tenant.pk):
        return list(AuditEvent.objects.filter(actor="worker:publishing").order_by("pk").values_list("code", flat=True))


def said(tenant, way):
    with acting_for(tenant.pk):
        return PublishingWay.objects.get(pk=way.pk).said


# --- a name server --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["dns-change", "dns-persist"])
def test_a_value_is_published_looked_for_and_withdrawn(acme, ada, primary, method):
    way = way_of(acme, ada).way
    attempt, errand = begun(acme, ada, way, method=method)
    owner = OWNER if method == "dns-change" else f"_validation-persist.{NAME}"
    at = reach(dns=primary.port)
    publish(errand, at)
    [seen] = primary.records(owner)
    assert attempt.value in seen
    assert errand.done_at is not None
    assert (codes(acme), said(acme, way)) == (["control:publish"], "")
    [news] = Errand.objects.filter(queue="validation", done_at=None)
    assert (news.task, news.args) == (outcomes.published.name, [str(attempt.pk)])

    publish(errand, at)  # delivered twice: nothing else happens
    assert len(primary.records(owner)) == 1

    with acting_for(acme.pk, person=ada.pk):
        control.retire(attempt.domain, by=ada.pk)
    over = Errand.objects.filter(task=tasks.withdraw.name, args=[str(attempt.pk)])
    assert over.exists() == (method == "dns-change")  # a record that stays is the tenant's to take away
    with serving("publishing"):
        carrying.withdraw(over.first() or errand, attempt.pk, last=False, reach=at)
    assert primary.records(owner) == []
    assert codes(acme)[-1] == "control:withdraw"


def test_news_of_a_published_value_begins_a_look(acme, ada, primary):
    attempt, errand = begun(acme, ada, way_of(acme, ada).way)
    publish(errand, reach(dns=primary.port))
    news = Errand.objects.get(task=outcomes.published.name)
    with serving("validation"):
        outcomes.published.run(news)
    assert Errand.objects.filter(task="lifecycle.validation.proving.prove", args=[str(attempt.pk)]).exists()
    with acting_for(acme.pk):
        assert DomainControl.objects.get(pk=attempt.pk).state == "verifying"
    with serving("publishing"):
        carrying.withdraw(errand, attempt.pk, last=False, reach=reach(dns=primary.port))


def test_nothing_is_published_for_an_attempt_that_is_over(acme, ada, primary):
    attempt, errand = begun(acme, ada, way_of(acme, ada).way)
    with acting_for(acme.pk, person=ada.pk):
        control.retire(attempt.domain, by=ada.pk)
    with listening_in() as dialled:
        publish(errand, reach(dns=primary.port))
    assert (dialled, errand.done_at is not None, codes(acme)) == ([], True, [])


def test_nor_after_its_deadline(acme, ada, primary):
    attempt, errand = begun(acme, ada, way_of(acme, ada).way)
    with clock.frozen(attempt.ends_at + timedelta(seconds=1)), listening_in() as dialled:
        publish(errand, reach(dns=primary.port))
    assert (dialled, errand.done_at is not None) == ([], True)


def fall_back(tenant):
    """Do what the validation worker does with the news that people have to publish."""
    news = Errand.objects.get(task=outcomes.fell_back.name, done_at=None)
    with serving("validation"):
        outcomes.fell_back.run(news)
    with acting_for(tenant.pk):
        return Domain.objects.get().publishing


@pytest.mark.rule("4.R20")
@pytest.mark.parametrize(("changes", "why"), [
    ({"secret": base64.b64encode(b"n" * 32).decode()}, "dns-key"),
    ({"key_name": "nobody"}, "dns-key"),
    ({"zone": NAME}, "dns-zone"),
    ({"zone": "globex.example"}, "outside-zone"),
    ({"address": "127.0.0.1"}, "special-address"),
])  # fmt: skip
def test_what_is_refused_for_good_falls_back_to_people_at_once(acme, ada, primary, changes, why):
    way = way_of(acme, ada, **changes).way
    attempt, errand = begun(acme, ada, way)
    publish(errand, reach(dns=primary.port))
    assert attempt.value not in str(primary.records(OWNER))
    assert said(acme, way).split()[0] == why
    assert codes(acme) == ["control:publish-failed"]
    assert fall_back(acme) is None
    with acting_for(acme.pk):
        [line] = AuditEvent.objects.filter(code="control:fall-back")
        assert (line.facts["name"], line.facts["why"], line.facts["way"]) == (NAME, why, str(way.pk))
        assert DomainControl.objects.get(pk=attempt.pk).state == "pending"  # with the same value, for people
    [notice] = Errand.objects.filter(queue="messages", done_at=None)
    assert (notice.task, notice.args) == ("lifecycle.validation.warning.tell_people", [str(attempt.pk), "fall-back"])


@pytest.mark.rule("4.R20")
def test_what_is_only_away_is_tried_for_half_an_hour_and_then_falls_back(acme, ada):
    way = way_of(acme, ada).way
    _attempt, errand = begun(acme, ada, way)
    nobody = reach(dns=1)
    for _try in range(tasks.TRIES - 1):
        with pytest.raises(TryLater):
            publish(errand, nobody)
        assert errand.done_at is None
    assert said(acme, way).startswith("not-connected")
    assert codes(acme) == []
    publish(errand, nobody, last=True)
    assert errand.done_at is not None
    assert fall_back(acme) is None


def test_the_last_try_is_the_last_that_the_errand_has(acme, ada, monkeypatch):
    _attempt, errand = begun(acme, ada, way_of(acme, ada).way)
    seen = []
    monkeypatch.setattr(carrying, "publish", lambda _errand, _pk, *, last: seen.append(last))
    for errand.tries in (1, tasks.TRIES - 1, tasks.TRIES):
        tasks.publish.run(errand)
    assert seen == [False, False, True]


def test_a_domain_that_names_another_way_by_then_keeps_it(acme, ada, primary):
    way = way_of(acme, ada, zone="globex.example").way
    attempt, errand = begun(acme, ada, way)
    publish(errand, reach(dns=primary.port))
    other = way_of(acme, ada).way
    with acting_for(acme.pk, person=ada.pk):
        control.publish_by(attempt.domain, other, by=ada.pk)
    assert fall_back(acme).pk == other.pk


def test_a_way_that_was_retired_meanwhile_calls_nobody(acme, ada, primary):
    way = way_of(acme, ada).way
    _attempt, errand = begun(acme, ada, way)
    with acting_for(acme.pk, person=ada.pk):
        services.retire_way(way, by=ada.pk)
    with listening_in() as dialled:
        publish(errand, reach(dns=primary.port))
    assert (dialled, codes(acme)) == ([], ["control:publish-failed"])


def test_what_cannot_be_taken_away_is_left_and_said(acme, ada, primary):
    way = way_of(acme, ada, secret=base64.b64encode(b"n" * 32).decode()).way
    attempt, errand = begun(acme, ada, way)
    with serving("publishing"):
        carrying.withdraw(errand, attempt.pk, last=False, reach=reach(dns=primary.port))
    assert (codes(acme), errand.done_at is not None) == (["control:leave"], True)


@pytest.mark.parametrize("shutting", WAYS)
def test_nobody_is_called_while_the_journal_takes_nothing(acme, ada, owner, primary, shutting):
    attempt, errand = begun(acme, ada, way_of(acme, ada).way)
    before = everything(owner)
    with shut(owner, shutting), listening_in() as dialled, pytest.raises(Exception, match=r"denied|space left"):
        publish(errand, reach(dns=primary.port))
    assert [each for each in dialled if each[1] == primary.port] == []
    assert everything(owner) == before
    assert attempt.value not in str(primary.records(OWNER))


# --- a try ----------------------------------------------------------------------------------------------------------


def tried(tenant, person, way, at):
    with acting_for(tenant.pk, person=person.pk):
        services.try_way(way, by=person.pk)
    with serving("publishing"):
        carrying.try_way(Errand.objects.get(task=tasks.try_way.name, done_at=None), way.pk, reach=at)
    return said(tenant, way)


def test_a_try_publishes_and_withdraws(acme, ada, primary):
    way = way_of(acme, ada).way
    assert tried(acme, ada, way, reach(dns=primary.port)) == ""
    assert primary.records("_portal-test.acme.example") == []
    assert codes(acme) == ["publishing:tried"]
    with acting_for(acme.pk):
        assert PublishingWay.objects.get(pk=way.pk).tried_at is not None


def test_a_try_says_what_failed_and_is_not_repeated(acme, ada, primary):
    way = way_of(acme, ada, key_name="nobody").way
    assert tried(acme, ada, way, reach(dns=primary.port)).startswith("dns-key")
    assert tried(acme, ada, way, reach(dns=1)).startswith("not-connected")
    assert not Errand.objects.filter(queue="publishing", done_at=None).exists()


# --- a receiver -----------------------------------------------------------------------------------------------------


def heard(request):
    """Headers and message of one delivery."""
    head, _line, body = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")[1:]
    return {name.lower(): value for name, _colon, value in (line.partition(": ") for line in lines)}, body


@pytest.mark.parametrize("method", ["dns-change", "http-file"])
def test_a_receiver_is_told_what_to_publish_and_who_says_so(acme, ada, pem, method):
    with web_server(saying(answer(204)), pem) as server:
        added = way_of(acme, ada, "webhook")
        attempt, errand = begun(acme, ada, added.way, method=method)
        at = reach(https=server.port, authorities=pem)
        publish(errand, at)
        publish(errand, at)  # again, as after a death before the commit
    first, again = map(heard, server.requests)
    headers, body = first
    assert headers["webhook-id"] == again[0]["webhook-id"] == str(errand.pk)
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    key = base64.b64decode(added.shown_once.removeprefix("whsec_"))
    signed = f"{errand.pk}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    message = json.loads(body)
    assert message["id"] == str(errand.pk)
    assert (message["type"], message["domain"], message["until"]) == (
        "proof.publish", NAME, attempt.ends_at.isoformat(),
    )  # fmt: skip
    assert message["kind"] == {"dns-change": "txt", "http-file": "file"}[method]
    assert message["value"] == attempt.value
    assert message["owner"].startswith({"dns-change": OWNER, "http-file": f"http://{NAME}/.well-known/"}[method])
    assert codes(acme) == ["control:publish", "control:publish"][: len(codes(acme))]


@pytest.mark.parametrize(("said_back", "why"), [
    (answer(301, b"", "Location: https://hooks.acme.example/"), "redirected"),
    (answer(302, b"", "Location: http://169.254.169.254/"), "redirected"),
    (answer(400), "hook-status"), (answer(401), "hook-status"), (answer(404), "hook-status"),
    (answer(410), "hook-status"), (answer(303), "hook-status"),
])  # fmt: skip
def test_a_receiver_that_refuses_for_good_falls_back(acme, ada, pem, said_back, why):
    with web_server(saying(said_back), pem) as server:
        way = way_of(acme, ada, "webhook").way
        _attempt, errand = begun(acme, ada, way)
        with listening_in() as dialled:
            publish(errand, reach(https=server.port, authorities=pem))
        assert [each for each in dialled if each[0].startswith("127.") and each[1] == server.port] == [
            ("127.0.0.1", server.port)
        ]
    assert said(acme, way).split()[0] == why
    assert fall_back(acme) is None


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
def test_a_receiver_that_is_busy_is_called_again(acme, ada, pem, status):
    with web_server(saying(answer(status)), pem) as server:
        _attempt, errand = begun(acme, ada, way_of(acme, ada, "webhook").way)
        with pytest.raises(TryLater):
            publish(errand, reach(https=server.port, authorities=pem))
        assert errand.done_at is None


def test_a_receiver_that_nobody_vouches_for_hears_nothing(acme, ada, pem):
    with web_server(saying(answer(204)), pem) as server:
        way = way_of(acme, ada, "webhook").way
        _attempt, errand = begun(acme, ada, way)
        publish(errand, reach(https=server.port))
        assert (said(acme, way).split()[0], server.requests) == ("not-trusted", [])


def test_what_a_receiver_says_is_not_repeated(acme, ada, pem, owner):
    with web_server(saying(answer(500, b"<script>alert(1)</script> inner secret")), pem) as server:
        _attempt, errand = begun(acme, ada, way_of(acme, ada, "webhook").way)
        with pytest.raises(TryLater) as later:
            publish(errand, reach(https=server.port, authorities=pem))
    assert "secret" not in f"{later.value} {everything(owner)}".replace("sealed_secret", "")


def test_a_slow_receiver_rests_and_costs_the_errand_no_try(acme, ada, pem):
    def slow(theirs, _request):
        time.sleep(1.1)
        theirs.sendall(answer(204))

    with web_server(slow, pem) as server:
        way = way_of(acme, ada, "webhook").way
        at = reach(https=server.port, authorities=pem)
        publish(begun(acme, ada, way)[1], at)
        _attempt, second = begun(acme, ada, way, "mail.acme.example")
        with pytest.raises(WorldAway):
            publish(second, at)
        run(second)
        second.refresh_from_db()
        assert timedelta(seconds=30) < second.due_at - clock.now() < timedelta(seconds=80)  # nobody looks before
        assert len(server.requests) == 1
        assert 40 < carrying.resting.seconds_left(acme.pk) < 80


def silence(theirs, _request):
    theirs.recv(1)


def test_a_silent_receiver_takes_little_of_anybody_elses_time(acme, globex, ada, mina, pem, monkeypatch):
    """Ten promises to a receiver that never answers, ten to one that does: these wait for one silence, not for ten."""
    with (
        web_server(lambda theirs, _request: theirs.recv(1), pem) as silent,
        web_server(saying(answer(204)), pem) as quick,
    ):
        names = Names({HOOK_HOST: [[RECEIVER]], "slow.globex.example": [["203.0.113.81"]]})
        routes = {(RECEIVER, 443): ("127.0.0.1", quick.port), ("203.0.113.81", 443): ("127.0.0.1", silent.port)}
        monkeypatch.setattr(carrying, "our_reach", lambda: Reach(names, routes, str(pem), 1.2))
        theirs = way_of(globex, mina, "webhook", address="https://slow.globex.example/").way
        ours = way_of(acme, ada, "webhook").way
        for number in range(10):
            begun(globex, mina, theirs, f"n{number}.globex.example")
            begun(acme, ada, ours, f"n{number}.acme.example")
        started = time.monotonic()
        with serving("publishing"):
            while time.monotonic() - started < 3.0 and len(quick.requests) < 10:
                for errand in claim("publishing"):
                    run(errand)
        assert len(quick.requests) == 10
        assert time.monotonic() - started < 3.0
        assert len(silent.requests) == 1
    waiting = Errand.objects.filter(tenant_id=globex.pk, queue="publishing")
    assert not waiting.filter(parked_at__isnull=False).exists()
    assert sum(waiting.values_list("tries", flat=True)) == 1  # who only waits loses no try


# --- all of it ------------------------------------------------------------------------------------------------------


@contextmanager
def publishing_worker(folder, **told):
    log = folder / "worker-publishing.log"
    environment = {**surroundings().environment("publishing"), **told}
    worker = Child(
        "worker-publishing", worker_command("publishing", "publishing@localhost"), environment, log, folder=ROOT
    )
    worker.start()
    try:
        assert wait_until(lambda: not worker.alive or " ready." in log.read_text(), 30.0)
        assert worker.alive, worker.last_lines(30)
        yield log
    finally:
        worker.stop()


def test_a_real_worker_publishes_with_its_own_key_and_role(acme, ada, broker, primary, tmp_path):
    way = way_of(acme, ada).way
    with publishing_worker(tmp_path, OUTBOUND_ROUTES=f"{SERVER}:53=127.0.0.1:{primary.port}") as log:
        attempt, _errand = begun(acme, ada, way, "real.acme.example")
        assert wait_until(lambda: promise(attempt).done_at is not None, 20.0), log.read_text()
    assert primary.records("_portal-validation.real.acme.example") == [f'"{attempt.value}"']
    assert codes(acme) == ["control:publish"]
    assert SECRET not in log.read_text()
