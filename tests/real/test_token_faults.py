"""Tokens that fail (`security.md` 3, F5): no request lost, nothing unverified stored, no serial burnt, no PIN burnt.

The device stands between our code and a real SoftHSM and fails as hardware does; what
SoftHSM itself can do wrong (its folder gone, other keys in it, a wrong PIN) it does itself.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from lifecycle.authorities import registry
from lifecycle.authorities.models import CertificateAuthority
from lifecycle.certificates.models import Certificate, Revocation
from lifecycle.requests.models import CertificateRequest, IssuanceAttempt
from lifecycle.requests.states import State
from portal.config import config
from portal.demo.child import Child, wait_until
from portal.demo.supervisor import worker_command
from portal.foundation import clock
from portal.foundation.audit.models import AuditEvent
from portal.foundation.outbox import heartbeat
from portal.foundation.outbox.bell import ring
from portal.foundation.outbox.drain import drain
from portal.foundation.outbox.models import Errand, Heartbeat
from portal.foundation.tenancy.context import acting_for
from portal.foundation.token import Token, circuit, token_at
from portal.foundation.token.circuit import Circuit, Why
from portal.foundation.token.report import token_reports
from tests.fakes.device import Device
from tests.plugins.services import ROOT, surroundings
from tests.world import errand_of, serving, submitted

pytestmark = pytest.mark.django_db

SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def signing() -> Iterator[Token]:
    """The token of this process as a fresh worker has it, and as it was afterwards."""
    token = token_at(config.pkcs11_module, config.pkcs11_token, config.pkcs11_pin_file)

    def forget() -> None:
        token.close()
        token.circuit = Circuit()
        token._key_circuits.clear()
        token._proofs.clear()
        registry._known.clear()

    forget()
    yield token
    forget()


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signing: Token) -> Device:
    device = Device(tmp_path)
    device.install(monkeypatch.setattr)
    return device


@dataclass
class Shift:
    """A signing worker at work while time passes as fast as the test likes."""

    owner: Any
    at: datetime = field(default_factory=clock.now)

    @contextmanager
    def now(self) -> Iterator[None]:
        with clock.frozen(self.at):
            yield

    def passes(self, time: timedelta, *, every: timedelta = 5 * SECOND) -> None:
        """Let *time* pass; every few seconds the relay rings and the worker drains what is due by then."""
        for _ in range(time // every):
            self.at += every
            self.drain()

    def drain(self) -> None:
        heartbeat._last.clear()
        self.owner.execute(
            "UPDATE outbox_errand SET due_at = now(), leased_until = NULL"
            " WHERE done_at IS NULL AND queue = 'signing' AND due_at <= %s",
            [self.at],
        )
        with self.now(), serving("signing"):
            drain("signing")


@pytest.fixture
def shift(owner: Any) -> Shift:
    return Shift(owner)


def state_of(request: CertificateRequest) -> str:
    with acting_for(request.tenant_id):
        return CertificateRequest.objects.get(pk=request.pk).state


def attempts_of(request: CertificateRequest) -> list[IssuanceAttempt]:
    with acting_for(request.tenant_id):
        return list(IssuanceAttempt.objects.filter(request=request).order_by("opened_at"))


def on_the_list(request: CertificateRequest) -> set[str]:
    with acting_for(request.tenant_id):
        return set(Revocation.objects.filter(certificate=None).values_list("serial", flat=True))


def assert_sound(*requests: CertificateRequest, orphans: int) -> None:
    """Every request has one certificate, which verifies; every other serial that may be signed is on the list."""
    abandoned = set()
    for request in requests:
        with acting_for(request.tenant_id):
            assert CertificateRequest.objects.get(pk=request.pk).state == State.COMPLETED
            [certificate] = Certificate.objects.filter(made_from=request.pk)
            issuer = CertificateAuthority.objects.get(pk=certificate.authority_id).certificate
            assert AuditEvent.objects.filter(subject=request.pk, code="request:complete").count() == 1
        certificate.x509.verify_directly_issued_by(issuer)
        *before, last = attempts_of(request)
        assert (last.outcome, last.serial) == ("signed", certificate.serial)
        assert {attempt.outcome for attempt in before} <= {"abandoned"}
        abandoned |= {attempt.serial for attempt in before} & on_the_list(request)
        assert certificate.serial not in on_the_list(request)
        errand = errand_of(request)
        assert errand.done_at is not None
        assert errand.parked_at is None
    assert len(abandoned) == orphans


@dataclass(frozen=True)
class Fault:
    """What a mode may cost: logins in three minutes, and serials of which nobody knows whether they were signed."""

    mode: str
    why: Why
    logins: int
    orphans: int = 0
    new_pin: bool = False


FAULTS = (
    Fault("no session", Why.SESSION_LOST, logins=9),  # once more at first, and once a trial: they rest up to 30 s
    Fault("removed", Why.NOT_THERE, logins=7),
    Fault("PIN locked", Why.PIN_LOCKED, logins=1, new_pin=True),
    Fault("PIN wrong", Why.PIN_REFUSED, logins=1, new_pin=True),
    Fault("garbage", Why.WRONG_SIGNATURE, logins=0, orphans=1),
    Fault("silent", Why.FELL_SILENT, logins=9, orphans=1),
    Fault("refuses", Why.REFUSES, logins=0),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.mode)
def test_a_token_that_fails_loses_no_request_and_burns_neither_serials_nor_its_pin(
    acme, petra, device, shift, signing, fault, rounds
):
    with shift.now():
        proven = submitted(petra, acme)
    shift.passes(5 * SECOND)
    assert_sound(proven, orphans=0)
    known = on_the_list(proven)
    for _round in range(rounds):
        with shift.now():
            requests = [submitted(petra, acme) for _ in range(3)]
        logins = device.count("login")
        device.be(fault.mode)
        shift.passes(3 * MINUTE)

        assert device.count("login") - logins <= fault.logins
        burnt = [attempt for request in requests for attempt in attempts_of(request)]
        assert {state_of(request) for request in requests} <= {State.READY, State.EXECUTING}
        assert len(burnt) <= 1, "the first failure may cost a serial; while the circuit is open none is handed out"
        with acting_for(acme.pk):
            assert not Certificate.objects.filter(made_from__in=[request.pk for request in requests]).exists()
        assert all(errand_of(request).parked_at is None for request in requests)
        assert all(errand_of(request).tries <= 2 for request in requests)
        with shift.now():
            [report] = token_reports()
        assert (report.well, report.why) == (False, fault.why)
        assert report.next_try is None if fault.new_pin else report.next_try > shift.at - MINUTE

        device.be("well")
        if fault.new_pin:
            os.utime(config.pkcs11_pin_file)
        shift.passes(MINUTE)
        assert_sound(*requests, orphans=fault.orphans)
        with shift.now():
            assert [report.well for report in token_reports()] == [True]
        shift.at += circuit.CALM  # so that every round begins anew
    assert len(on_the_list(proven) - known) == rounds * fault.orphans
    assert len(device.digests()) == len(set(device.digests())), "the same bytes were given to the token twice"


def test_a_token_that_was_away_for_a_day_costs_a_request_nothing_but_the_day(acme, petra, device, shift):
    device.be("away")
    with shift.now():
        request = submitted(petra, acme)
    shift.passes(DAY, every=timedelta(minutes=7))
    errand = errand_of(request)
    assert (state_of(request), attempts_of(request), on_the_list(request)) == (State.READY, [], set())
    assert (errand.parked_at, errand.done_at) == (None, None)
    assert errand.tries <= 1
    device.be("well")
    shift.passes(MINUTE)
    assert_sound(request, orphans=0)


def test_a_session_that_is_lost_once_is_made_again_once_and_nobody_notices(acme, petra, device, shift, signing):
    with shift.now():
        first, second = submitted(petra, acme), submitted(petra, acme)
    shift.passes(5 * SECOND)
    logins = device.count("login")
    with shift.now():
        third = submitted(petra, acme)
    signing._session._inner.close()
    shift.passes(5 * SECOND)
    assert device.count("login") == logins + 1
    assert_sound(first, second, third, orphans=0)
    assert len(attempts_of(third)) == 1


def test_a_key_that_did_not_prove_itself_signs_no_certificate(acme, petra, device, shift):
    """The first thing a worker asks of a key is nobody's signature; a serial comes after it."""
    device.be("garbage")
    with shift.now():
        request = submitted(petra, acme)
    shift.passes(MINUTE)
    assert attempts_of(request) == []
    assert on_the_list(request) == set()
    device.be("well")
    shift.passes(MINUTE)
    assert_sound(request, orphans=0)


def test_a_key_that_passes_its_trials_and_fails_its_certificates_burns_two_serials_a_minute_at_most(
    acme, petra, device, shift
):
    with shift.now():
        requests = [submitted(petra, acme) for _ in range(40)]
    for _ in range(60):  # five minutes
        device.be("silent", after=1)
        shift.passes(5 * SECOND)
    attempts = [attempt for request in requests for attempt in attempts_of(request)]
    burnt = {attempt.serial for attempt in attempts if attempt.outcome == "abandoned"}
    assert 1 <= len(burnt) <= 12
    assert burnt == on_the_list(requests[0])
    device.be("well")
    shift.passes(10 * MINUTE)
    assert_sound(*requests, orphans=len(burnt))


def test_one_tenants_bad_key_does_not_stand_in_the_way_of_anothers(acme, globex, petra, hank, shift, signing, owner):
    """The token works; only acme's key is not in it."""
    with shift.now():
        theirs, ours = submitted(petra, acme), submitted(hank, globex)
    authority = registry.authority_of(acme.pk, _authority(theirs))
    object.__setattr__(authority, "key_id", b"nobody's")
    shift.passes(MINUTE)
    assert state_of(theirs) == State.READY
    assert attempts_of(theirs) == []
    assert_sound(ours, orphans=0)
    with shift.now():
        [report] = token_reports()
    assert (report.why, report.keys) == (Why.KEY_MISSING, 1)


def _authority(request: CertificateRequest) -> UUID:
    return UUID(errand_of(request).args[2])


# --- what SoftHSM can really do -------------------------------------------------------------------------------------


@pytest.fixture
def tokens_folder() -> Path:
    told = Path(surroundings().environment("signing")["SOFTHSM2_CONF"]).read_text()
    [line] = [line for line in told.splitlines() if line.startswith("directories.tokendir")]
    return Path(line.partition("=")[2].strip())


@pytest.fixture
def away(tokens_folder: Path, signing: Token) -> Iterator[Path]:
    """Where the token's folder is while it is away; it is back afterwards, whatever the test did."""
    place = tokens_folder.with_name("away")
    yield place
    if place.exists():
        shutil.rmtree(tokens_folder, ignore_errors=True)
        place.rename(tokens_folder)


def test_a_token_whose_folder_is_gone_is_used_again_within_a_minute_of_its_return(
    acme, petra, shift, tokens_folder, away
):
    with shift.now():
        before = submitted(petra, acme)
    shift.passes(5 * SECOND)
    tokens_folder.rename(away)
    with shift.now():
        request = submitted(petra, acme)
    shift.passes(5 * MINUTE)
    assert (state_of(request), attempts_of(request), on_the_list(request)) == (State.READY, [], set())
    away.rename(tokens_folder)
    shift.passes(MINUTE)
    assert_sound(before, request, orphans=0)


def test_an_idle_worker_notices_that_its_token_is_gone_and_that_it_is_back(db, shift, tokens_folder, away):
    shift.passes(5 * SECOND)
    with shift.now():
        assert [report.well for report in token_reports()] == [True]
    tokens_folder.rename(away)
    shift.passes(5 * SECOND)
    with shift.now():
        assert [report.well for report in token_reports()] == [False]
    shift.passes(MINUTE)
    away.rename(tokens_folder)
    shift.passes(MINUTE)
    with shift.now():
        assert [report.well for report in token_reports()] == [True]


def test_a_token_exchanged_between_two_looks_is_used_again_within_a_minute(acme, petra, shift, tokens_folder, away):
    """SoftHSM's session goes on then, and sees no keys for the rest of its life."""
    shift.passes(5 * SECOND)
    tokens_folder.rename(away)
    away.rename(tokens_folder)
    with shift.now():
        request = submitted(petra, acme)
    shift.passes(MINUTE)
    assert_sound(request, orphans=0)


def test_a_token_with_other_keys_under_the_same_label_signs_nothing(acme, petra, shift, tokens_folder, away, signing):
    with shift.now():
        request = submitted(petra, acme)
    key_id = registry.authority_of(acme.pk, _authority(request)).key_id
    signing.close()
    tokens_folder.rename(away)
    tokens_folder.mkdir()
    pin = Path(signing.pin_file).read_text().strip()
    command = ["softhsm2-util", "--init-token", "--free", "--label", signing.label, "--pin", pin, "--so-pin", pin]
    conf = surroundings().environment("signing")["SOFTHSM2_CONF"]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "SOFTHSM2_CONF": conf})

    shift.passes(MINUTE)
    assert attempts_of(request) == []
    with shift.now():
        assert [report.why for report in token_reports()] == [Why.KEY_MISSING]

    signing.generate("ec-p256", key_id)  # the right name, and another key
    shift.passes(MINUTE)
    assert (state_of(request), attempts_of(request), on_the_list(request)) == (State.READY, [], set())
    with shift.now():
        assert [report.why for report in token_reports()] == [Why.WRONG_SIGNATURE]

    signing.close()
    shutil.rmtree(tokens_folder)
    away.rename(tokens_folder)
    shift.passes(MINUTE)
    assert_sound(request, orphans=0)


# --- a worker in a process of its own -----------------------------------------------------------------------------


class Workers:
    """Signing workers behind one device, one after the other."""

    def __init__(self, folder: Path, device: Device) -> None:
        self.folder, self.device = folder, device
        self.children: list[Child] = []

    def start(self) -> Child:
        name = f"faulty-{len(self.children)}"
        told = surroundings().environment("signing") | {"FAULTY_DEVICE": str(self.device.folder)}
        command = worker_command("signing", f"{name}@localhost")
        command[command.index("portal.celery")] = "tests.real.faulty_worker"
        child = Child(name, command, told, self.folder / f"{name}.log", folder=ROOT)
        self.children.append(child)
        child.start()
        assert wait_until(lambda: " ready." in child.log.read_text() or not child.alive, 60.0), child.last_lines(30)
        return child


@pytest.fixture
def workers(tmp_path: Path, broker: Any) -> Iterator[Workers]:
    workers = Workers(tmp_path, Device(tmp_path))
    yield workers
    for child in workers.children:
        child.stop()


def ring_for(request: CertificateRequest, owner: Any) -> None:
    """Let every lease be over, which is all that waiting for it would do, and ring as the relay does."""
    owner.execute("UPDATE outbox_errand SET due_at = now(), leased_until = NULL WHERE done_at IS NULL")
    owner.execute("SET session_replication_role = replica")  # an attempt never changes, except for this
    owner.execute("UPDATE requests_issuanceattempt SET leased_until = now() - interval '1s'")
    owner.execute("SET session_replication_role = origin")
    ring("signing")


def test_a_token_too_slow_to_wait_for_ends_the_worker_and_costs_one_serial(acme, petra, owner, workers, rounds):
    """The first worker has a proven key and hangs over a certificate; the next hangs over its trial, and burns none."""
    for _ in range(rounds):
        request = submitted(petra, acme)
        workers.device.be("slow", after=1)
        first = workers.start()
        ring_for(request, owner)
        assert wait_until(lambda child=first: not child.alive, 30.0), first.last_lines(30)
        assert "75" in first.ending, first.ending
        assert [attempt.outcome for attempt in attempts_of(request)] == ["open"]

        workers.device.be("slow")
        second = workers.start()
        ring_for(request, owner)
        assert wait_until(lambda child=second: not child.alive, 30.0), second.last_lines(30)
        assert len(attempts_of(request)) == 1

        workers.device.be("well")
        third = workers.start()
        ring_for(request, owner)
        assert wait_until(lambda request=request: state_of(request) == State.COMPLETED, 30.0), third.last_lines(30)
        third.stop()
        assert_sound(request, orphans=1)


def test_a_real_worker_says_what_ails_it_and_heals(acme, petra, owner, workers, client):
    workers.device.be("away")
    worker = workers.start()
    request = submitted(petra, acme)
    ring_for(request, owner)
    assert wait_until(lambda: Heartbeat.objects.filter(service="signing").exists(), 20.0), worker.last_lines(30)
    [report] = token_reports()
    assert (report.well, report.why) == (False, Why.NOT_THERE)
    told = client.get("/readyz").json()
    assert (told["status"], told["services"]["signing"]["state"]) == ("degraded", "ailing")
    assert told["services"]["signing"]["token"] == "trouble"
    assert Errand.objects.get(pk=errand_of(request).pk).tries == 0  # nobody claimed it

    workers.device.be("well")

    def healed() -> bool:
        ring_for(request, owner)
        return state_of(request) == State.COMPLETED

    assert wait_until(healed, 60.0), worker.last_lines(30)
    assert_sound(request, orphans=0)
    assert [report.well for report in token_reports()] == [True]
