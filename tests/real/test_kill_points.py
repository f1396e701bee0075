"""A real Celery worker, killed by SIGKILL at eight points of an issuance; then a fresh one.

Every worker signs through OpenSC's spy, so what counts is what the token was asked, not
what we say we asked.  Leases are put into the past instead of being waited for: that is
all that waiting would do.
"""

import hashlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis
from celery import Celery
from cryptography import x509
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from lifecycle.certificates.models import Certificate, Revocation
from lifecycle.requests.models import CertificateRequest, IssuanceAttempt
from lifecycle.requests.states import State
from lifecycle.requests.tasks import send_notice
from portal.demo.child import Child, wait_until
from portal.demo.supervisor import worker_command
from portal.foundation.audit.models import AuditEvent
from portal.foundation.audit.sealer import seal_everything
from portal.foundation.audit.verify import verify
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_for
from tests.fakes.spy import Spy
from tests.plugins.services import ROOT, surroundings
from tests.real.dying_worker import POINTS
from tests.world import errand_of, serving, submitted

pytestmark = pytest.mark.django_db

# point -> what became of each attempt, and how often the token signed what it was about
OUTCOMES = {
    "before_reserve": [("signed", 1)],
    "after_reserve": [("abandoned", 0), ("signed", 1)],
    "before_sign": [("abandoned", 0), ("signed", 1)],
    "after_sign": [("abandoned", 1), ("signed", 1)],
    "before_store": [("abandoned", 1), ("signed", 1)],
    "after_store": [("signed", 1)],
    "before_notify": [("signed", 1)],
    "before_ack": [("signed", 1)],
}
UNFINISHED = {"before_reserve", "after_reserve", "before_sign", "after_sign", "before_store"}


class Workers:
    """Signing workers, each behind a spy of its own; those that will die listen on a broker of their own as well."""

    def __init__(self, folder: Path, module: str) -> None:
        self.folder, self.module = folder, module
        self.spies: list[Spy] = []
        self.children: list[Child] = []

    def start(self, dying_at: str = "") -> Child:
        name = dying_at or "fresh"
        folder = self.folder / name
        folder.mkdir()
        spy = Spy.on(self.module, folder)
        self.spies.append(spy)
        told = surroundings().environment("signing") | spy.environment
        command = worker_command("signing", f"{name}@localhost")
        if dying_at:
            told |= {"DYING_AT": dying_at, "REDIS_URL": broker_of(dying_at)}
            command[command.index("portal.celery")] = "tests.real.dying_worker"
        child = Child(name, command, told, folder / "worker.log", folder=ROOT)
        self.children.append(child)
        child.start()
        return child

    def signed(self) -> list[bytes]:
        return [digest for spy in self.spies for digest in spy.signed()]


@pytest.fixture
def workers(tmp_path, token, broker) -> Iterator[Workers]:
    workers = Workers(tmp_path, token.module)
    yield workers
    for child in workers.children:
        child.stop()
    for point in POINTS:
        url = broker_of(point).replace("redis+socket://", "unix://", 1).replace("virtual_host=", "db=")
        with closing(redis.Redis.from_url(url)) as own:
            own.flushdb()


def broker_of(point: str) -> str:
    """Return a Redis database of its own for one dying worker, so that only it hears its bell."""
    url, _, number = str(surroundings().broker.environment("signing")["REDIS_URL"]).rpartition("=")
    return f"{url}={16 + 8 * int(number) + list(POINTS).index(point)}"


def ring(url: str) -> None:
    app = Celery("bell", broker=url, set_as_current=False)
    with app.connection_for_write() as connection:
        app.send_task("drain.signing", queue="signing", connection=connection, ignore_result=True)
    app.close()


def ready(child: Child) -> None:
    assert wait_until(lambda: " ready." in child.log.read_text() or not child.alive, 60.0)
    assert child.alive, child.last_lines(30)


def let_every_lease_be_over(owner: Cursor) -> None:
    owner.execute("UPDATE outbox_errand SET due_at = now(), leased_until = now() - interval '1s' WHERE done_at IS NULL")
    owner.execute("SET session_replication_role = replica")  # an attempt never changes, except for this
    owner.execute("UPDATE requests_issuanceattempt SET leased_until = now() - interval '1s'")
    owner.execute("SET session_replication_role = origin")


def test_whenever_a_worker_is_killed_one_certificate_comes_of_it(acme, petra, owner, workers):
    requests = {point: submitted(petra, acme) for point in POINTS}
    owner.execute("UPDATE outbox_errand SET due_at = now() + interval '1 hour'")
    dying = {point: workers.start(dying_at=point) for point in POINTS}
    for point, child in dying.items():
        ready(child)
        owner.execute("UPDATE outbox_errand SET due_at = now() WHERE id = %s", [str(errand_of(requests[point]).pk)])
        ring(broker_of(point))
        assert wait_until(lambda child=child: not child.alive, 30.0), f"{point}: {child.last_lines(30)}"
        assert child.ending == "was killed by SIGKILL", f"{point}: {child.last_lines(30)}"
        assert (errand_of(requests[point]).done_at is None) == (point in UNFINISHED), point

    let_every_lease_be_over(owner)
    ready(workers.start())
    ring(str(surroundings().broker.environment("signing")["REDIS_URL"]))
    open_ones = Errand.objects.filter(queue="signing", done_at=None)
    assert wait_until(lambda: not open_ones.exists(), 30.0), workers.children[-1].last_lines(30)

    signed = workers.signed()
    certificates = sum(times for attempts in OUTCOMES.values() for _, times in attempts)
    assert len(signed) == len(set(signed)) == certificates + len(workers.spies)  # each worker's key proved itself first
    for point, request in requests.items():
        assert what_came_of(request, signed) == OUTCOMES[point], point
    with serving("relay"):
        seal_everything()
        assert verify(acme.pk).finding is None


def what_came_of(request: CertificateRequest, signed: list[bytes]) -> list[tuple[str, int]]:
    """Check what holds whatever happened; return each attempt's outcome and how often the token signed it."""
    with acting_for(request.tenant_id):
        attempts = list(IssuanceAttempt.objects.filter(request=request).order_by("opened_at"))
        assert CertificateRequest.objects.get(pk=request.pk).state == State.COMPLETED
        [certificate] = Certificate.objects.filter(made_from=request.pk)
        orphans = [attempt.serial for attempt in attempts if attempt.outcome == "abandoned"]
        assert certificate.serial == attempts[-1].serial
        assert Revocation.objects.filter(serial__in=orphans, certificate=None).count() == len(orphans)
        assert not Revocation.objects.filter(serial=certificate.serial).exists()
        journal = AuditEvent.objects.filter(subject__in=[str(request.pk), *orphans]).order_by("at", "pk")
        codes = [code for code in journal.values_list("code", flat=True) if not code.startswith("request:pass")]
    assert codes == [
        *("request:begin", "request:submit", "request:approve", "request:execute"),
        *["certificate:revoke-orphan"] * len(orphans),
        "request:complete",
    ]
    [notice] = Errand.objects.filter(task=send_notice.name, args__1=str(request.pk))
    assert notice.args[2] == "request-completed"
    return [(attempt.outcome, signed.count(_digest(bytes(attempt.rehearsal)))) for attempt in attempts]


def _digest(rehearsal: bytes) -> bytes:
    return hashlib.sha256(x509.load_der_x509_certificate(rehearsal).tbs_certificate_bytes).digest()
