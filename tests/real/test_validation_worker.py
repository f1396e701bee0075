"""A real validation worker and the demo's name server: from Verify to the verdict, and over a death."""

import os
import signal

import pytest

from lifecycle.validation import services
from lifecycle.validation.caa import Reason, Terms
from lifecycle.validation.models import CaaCheck
from lifecycle.validation.states import CaaState
from portal.demo.child import wait_until
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_for

pytestmark = pytest.mark.django_db(transaction=True)

OURS = Terms(("ca.acme.example",))


def ask(tenant, person, *names):
    with acting_for(tenant.pk, person=person.pk):
        services.ask(dict.fromkeys(names, OURS), by=person.pk, about="RQ-TEST")


def states(tenant):
    with acting_for(tenant.pk):
        return {row.name: (row.state, row.reason) for row in CaaCheck.objects.all()}


def settled(tenant):
    return all(state != CaaState.VERIFYING for state, _reason in states(tenant).values())


@pytest.mark.rule("0.R26", "0.R28")
def test_verify_is_answered_by_the_worker_name_by_name(acme, petra, owner, name_server, broker, celery_worker_process):
    celery_worker_process("validation")
    ask(acme, petra, "www.demo.test", "forbidden.demo.test", "plain.demo.test", "broken.demo.test", "silent.demo.test")

    # those that are answered do not wait for the one that is not
    assert wait_until(lambda: states(acme)["www.demo.test"][0] != CaaState.VERIFYING, 20.0)
    assert wait_until(lambda: settled(acme), 20.0)
    assert states(acme) == {
        "www.demo.test": (CaaState.VERIFIED, Reason.NAMED),
        "forbidden.demo.test": (CaaState.FAILED, Reason.OTHERS_NAMED),
        "plain.demo.test": (CaaState.VERIFIED, Reason.NO_RECORDS),
        "broken.demo.test": (CaaState.FAILED, Reason.BOGUS),
        "silent.demo.test": (CaaState.FAILED, Reason.TIMED_OUT),
    }
    assert wait_until(lambda: not Errand.objects.filter(queue="validation", done_at=None).exists(), 5.0)


def test_what_a_killed_worker_left_is_answered_by_the_next_one(
    acme, petra, owner, name_server, broker, celery_worker_process
):
    first = celery_worker_process("validation")
    ask(acme, petra, "www.demo.test", "silent.demo.test")
    assert wait_until(lambda: states(acme)["www.demo.test"][0] == CaaState.VERIFIED, 20.0)
    os.kill(first.pid, signal.SIGKILL)
    first.stop()
    assert states(acme)["silent.demo.test"][0] == CaaState.VERIFYING
    with acting_for(acme.pk):
        kept = CaaCheck.objects.get(name="www.demo.test").evidence

    owner.execute("UPDATE outbox_errand SET leased_until = now() WHERE queue = 'validation'")  # its lease is over
    celery_worker_process("validation")
    ask(acme, petra, "plain.demo.test")  # rings
    assert wait_until(lambda: settled(acme), 30.0)
    assert states(acme)["silent.demo.test"] == (CaaState.FAILED, Reason.TIMED_OUT)
    with acting_for(acme.pk):
        assert CaaCheck.objects.get(name="www.demo.test").evidence == kept
