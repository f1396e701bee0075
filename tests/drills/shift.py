"""A signing worker in this process whose token fails on command, while time passes as fast as the test likes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

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
from portal.foundation.tenancy.context import acting_for
from portal.foundation.token import Token, token_at
from portal.foundation.token.circuit import Circuit
from tests.fakes.device import Device
from tests.plugins.services import ROOT, surroundings
from tests.world import errand_of, serving

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
