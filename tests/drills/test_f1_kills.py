"""F1: a real Celery worker, killed by SIGKILL at eight points of an issuance; then a fresh one.

Every worker signs through OpenSC's spy, so what counts is what the token was asked, not what we say we asked.  In a
soak the relay rings and real leases are waited for; otherwise they are put into the past, which is all that waiting
for them would do.
"""

import time
from collections.abc import Mapping

import pytest
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from lifecycle.certificates.models import Certificate, Revocation
from lifecycle.requests.models import CertificateRequest, IssuanceAttempt
from lifecycle.requests.states import State
from lifecycle.requests.tasks import send_notice
from portal.demo.child import wait_until
from portal.foundation.audit.models import AuditEvent
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_for
from tests.drills.invariants import at_rest, digest
from tests.drills.kills import Dying, broker_of, dying_workers, let_every_lease_be_over, ready, ring
from tests.drills.stage import stage
from tests.plugins.services import surroundings
from tests.real.dying_worker import POINTS
from tests.world import errand_of, submitted

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
RECOVERED_WITHIN = 60.0


@pytest.mark.drill("F1", goal="8 points, 25 kills each: 200 of 200 sound, recovered within 60 s of a worker's return")
def test_whenever_a_worker_is_killed_one_certificate_comes_of_it(drill, acme, petra, owner, tmp_path, broker):
    killed: list[tuple[str, CertificateRequest]] = []
    with dying_workers(tmp_path) as dying, stage(tmp_path) as fresh:
        for _round in range(drill.times(1, soak=25)):
            requests = {point: submitted(petra, acme) for point in POINTS}
            kill_one_each(requests, owner, dying)
            killed += requests.items()
        owner.execute("UPDATE outbox_errand SET due_at = now() WHERE done_at IS NULL")
        if not drill.soaking:
            let_every_lease_be_over(owner)

        fresh.start("signing", *(["relay"] if drill.soaking else []))
        began = time.monotonic()
        if not drill.soaking:
            ring(str(surroundings().broker.environment("signing")["REDIS_URL"]))
        open_ones = Errand.objects.filter(queue="signing", done_at=None)
        promised = [errand_of(request).pk for _, request in killed]
        assert wait_until(lambda: not open_ones.filter(pk__in=promised).exists(), RECOVERED_WITHIN), fresh.log(
            "signing"
        )
        seconds = time.monotonic() - began

    signed, trials = (
        dying.signed() + fresh.signed(),
        len(dying.spies) + len(fresh.spies),
    )  # each key proves itself first
    at_rest(owner, [request.pk for _, request in killed], signed=signed, trials=trials)
    for point, request in killed:
        assert what_came_of(request, signed) == OUTCOMES[point], point
    drill.measured(kills=len(killed), sound=len(killed), seconds_to_recover=round(seconds, 1))


def kill_one_each(requests: Mapping[str, CertificateRequest], owner: Cursor, dying: Dying) -> None:
    """Let one worker die over each request; what they leave undone lies out of the next ones' reach."""
    owner.execute("UPDATE outbox_errand SET due_at = now() + interval '1 hour' WHERE done_at IS NULL")
    workers = {point: dying.start(point) for point in requests}
    for point, child in workers.items():
        ready(child)
        errand = errand_of(requests[point]).pk
        owner.execute("UPDATE outbox_errand SET due_at = now() WHERE id = %s", [str(errand)])
        ring(broker_of(point))
        assert wait_until(lambda child=child: not child.alive, 30.0), f"{point}: {child.last_lines(30)}"
        assert child.ending == "was killed by SIGKILL", f"{point}: {child.last_lines(30)}"
        assert (errand_of(requests[point]).done_at is None) == (point in UNFINISHED), point
        owner.execute("UPDATE outbox_errand SET due_at = now() + interval '1 hour' WHERE id = %s", [str(errand)])


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
    return [(attempt.outcome, signed.count(digest(bytes(attempt.rehearsal)))) for attempt in attempts]
