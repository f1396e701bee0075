"""F2: every errand ten times at the same moment, and more than one worker for it: one certificate, one signature.

A copy is a row of the queue of record, due in the same instant as the others and claimed by whichever worker is
there: the strongest form of a message that is delivered again.
"""

import pytest

from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.states import State
from portal.demo.child import wait_until
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_for
from tests.drills.invariants import at_rest
from tests.drills.stage import stage
from tests.world import submitted

pytestmark = pytest.mark.django_db

COPIES = 10
LONGEST = 600.0


@pytest.mark.drill("F2", goal="1,000 requests, each delivered 10 times: 1,000 certificates, 1,000 signatures")
def test_ten_copies_of_an_errand_are_one_certificate(drill, acme, petra, owner, tmp_path, broker):
    count, workers = drill.times(10, soak=1000), drill.times(2, soak=4)
    requests = [submitted(petra, acme) for _ in range(count)]
    owner.execute("UPDATE outbox_errand SET due_at = due_at + interval '1 hour' WHERE queue = 'signing'")
    with stage(tmp_path) as ours:
        ours.start(*(f"signing-{number}" for number in range(workers)))
        deliver_again(owner)
        ours.start("relay")
        assert wait_until(lambda: unfinished(acme) == 0, LONGEST, every=0.2), ours.log("signing-0")[-3000:]
        assert wait_until(lambda: not open_errands(), LONGEST, every=0.2), ours.log("signing-0")[-3000:]
        signed, trials = ours.signed(), ours.trials
        shares = [len(spy.signed()) for spy in ours.spies]

    at_rest(owner, [request.pk for request in requests], signed=signed, trials=trials)
    owner.execute("SELECT count(*) FROM requests_issuanceattempt")
    assert owner.fetchone() == (count,)
    assert len(signed) - trials == count
    assert min(shares) > 1, "one worker did it all, so nothing happened at the same time"
    owner.execute("SELECT sum(tries) FROM outbox_errand WHERE queue = 'signing'")
    [(deliveries,)] = owner.fetchall()
    drill.measured(requests=count, deliveries=deliveries, workers=workers, certificates=count, signatures=count)


def deliver_again(owner) -> None:
    """Let every errand of the signing queue be there ten times, due in the order of the requests, copies together."""
    owner.execute(
        "INSERT INTO outbox_errand SELECT (jsonb_populate_record(e, jsonb_build_object('id', gen_random_uuid()))).*"
        " FROM outbox_errand e, generate_series(2, %s) WHERE e.queue = 'signing' AND e.done_at IS NULL",
        [COPIES],
    )
    owner.execute(
        "UPDATE outbox_errand SET due_at = now() - interval '1 hour' + (due_at - now()) WHERE queue = 'signing'"
    )


def open_errands() -> bool:
    return Errand.objects.filter(queue="signing", done_at=None).exists()


def unfinished(acme) -> int:
    with acting_for(acme.pk):
        return CertificateRequest.objects.exclude(state=State.COMPLETED).count()
