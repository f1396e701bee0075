"""A tenant at rest, suspended or closed: nobody enters, nothing is signed for it, nothing of it is lost."""

from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client

from lifecycle.certificates.models import Certificate, Revocation
from lifecycle.requests.models import CertificateRequest, IssuanceAttempt
from portal.foundation import clock
from portal.foundation.audit.models import AuditEvent
from portal.foundation.outbox.drain import LONGEST_ABSENCE, LONGEST_WAIT, run
from portal.foundation.outbox.models import Errand
from portal.foundation.outbox.registry import task_named
from portal.foundation.tenancy import services
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import Tenant
from portal.web.platform.errands import WORK
from tests.isolation.table_pages import INSIDE, ask
from tests.isolation.things import hers
from tests.rows import everything
from tests.world import carry_out, errand_of, issued, serving, signed_in, submitted

pytestmark = pytest.mark.django_db


@pytest.fixture
def things(world):
    return hers(world)


MEMBERS = ("ada", "vera", "petra")
METHODS = ("GET", "POST", "DELETE")


@pytest.fixture
def olu(world):
    return world.people["olu"]


def fresh(tenant):
    return Tenant.objects.get(pk=tenant.pk)


def work_on(errand, service="signing"):
    with serving(service):
        run(errand)
    errand.refresh_from_db()
    return errand


@pytest.mark.parametrize("state", ["suspended", "closed"])
def test_every_address_of_the_tenant_is_shut_for_every_member_and_touches_nothing(
    owner,
    acme,
    world,
    olu,
    things,
    state,
):
    if state == "suspended":
        services.suspend_tenant(acme, "Unpaid.", by=olu.pk)
        at = clock.now()
    else:
        services.close_tenant(acme, 7, "Over.", by=olu.pk)
        at = fresh(acme).closes_at
    clients = {short: signed_in(Client(), world.people[short]) for short in MEMBERS}
    before = everything(owner)
    with clock.frozen(at):
        for name in INSIDE:
            for short, client in clients.items():
                for method in METHODS:
                    answer = ask(client, method, name, things)
                    assert answer.status_code == 403, (short, method, name)
                    assert f"tenant-{state}".encode() in answer.content, (short, method, name)
    assert everything(owner) == before
    assert mail.outbox == []


def test_strangers_do_not_learn_that_a_tenant_rests(acme, world, olu):
    services.suspend_tenant(acme, "Unpaid.", by=olu.pk)
    hank = signed_in(Client(), world.people["hank"])
    assert hank.get("/t/acme/").status_code == hank.get("/t/never-was/").status_code == 404


# --- the workers ----------------------------------------------------------------------------------------------------


def test_a_request_waits_while_its_tenant_is_suspended_and_goes_on_by_itself(owner, acme, petra, olu):
    request = submitted(petra, acme)
    services.suspend_tenant(acme, "Unpaid.", by=olu.pk)
    before = everything(owner, but={"outbox_errand"})
    promised = errand_of(request)
    tries = promised.tries
    for _round in range(30):  # more than it has tries
        work_on(promised)
    assert everything(owner, but={"outbox_errand"}) == before
    assert (promised.parked_at, promised.done_at, promised.tries, promised.leased_until) == (None, None, tries, None)
    assert promised.due_at > clock.now() + LONGEST_WAIT - timedelta(minutes=1)
    services.resume_tenant(acme, by=olu.pk)
    promised.refresh_from_db()
    assert promised.due_at <= clock.now()
    assert promised.away_since is None
    assert carry_out(request).state == "completed"


def test_a_tenant_that_rests_for_longer_than_any_absence_has_nothing_parked(acme, petra, olu):
    request = submitted(petra, acme)
    services.suspend_tenant(acme, "Unpaid.", by=olu.pk)
    promised = work_on(errand_of(request))
    with clock.frozen(clock.now() + LONGEST_ABSENCE * 5):
        assert work_on(promised).parked_at is None
    services.resume_tenant(acme, by=olu.pk)
    assert carry_out(request).state == "completed"


def test_what_the_worker_remembers_of_a_tenant_decides_nothing(acme, petra, olu):
    issued(petra, acme)  # from here on this process knows the tenant's row as it was
    services.suspend_tenant(acme, "Unpaid.", by=olu.pk)
    request = submitted(petra, acme)
    work_on(errand_of(request))
    with acting_for(acme.pk):
        assert not IssuanceAttempt.objects.filter(request=request).exists()
        assert CertificateRequest.objects.get(pk=request.pk).state == "ready"


def test_a_closed_tenant_has_nothing_signed_and_one_about_to_close_works_on(owner, acme, petra, olu):
    services.close_tenant(acme, 30, "Over.", by=olu.pk)
    closed = submitted(petra, acme)
    issued(petra, acme)
    with acting_for(acme.pk):
        count = Certificate.objects.count()
    with clock.frozen(fresh(acme).closes_at - timedelta(seconds=1)):
        assert work_on(errand_of(issued_for := submitted(petra, acme))).done_at
    before = everything(owner, but={"outbox_errand"})
    with clock.frozen(fresh(acme).closes_at):
        promised = work_on(errand_of(closed))
    assert promised.done_at, "nobody waits for it any more, so nobody looks at it every ten minutes for ever"
    assert everything(owner, but={"outbox_errand"}) == before
    with acting_for(acme.pk):
        assert Certificate.objects.count() == count + 1
        assert Certificate.objects.filter(made_from=issued_for.pk).exists()
        assert CertificateRequest.objects.get(pk=closed.pk).state == "ready"


def test_another_tenant_is_not_held_up(acme, globex, world, petra, olu):
    services.suspend_tenant(acme, "Unpaid.", by=olu.pk)
    assert issued(world.people["hank"], globex)


def test_a_compromised_key_is_revoked_all_the_same(acme, petra, olu):
    old = issued(petra, acme)
    rekeying = submitted(petra, acme, source=old, use_case="compromised")
    services.suspend_tenant(acme, "Unpaid.", by=olu.pk)
    overdue = Errand.objects.get(task__endswith="revoke_compromised", args__0=str(rekeying.pk))
    with clock.frozen(overdue.due_at):
        assert work_on(overdue).done_at
    with acting_for(acme.pk):
        assert Revocation.objects.filter(certificate=old).exists()
        assert AuditEvent.objects.filter(code="certificate:revoke", subject=str(old.pk)).exists()


@pytest.mark.parametrize("task", WORK)
def test_exactly_the_work_that_leads_to_a_certificate_rests(task):
    leads_there = {
        "lifecycle.requests.tasks.execute_request",
        "lifecycle.requests.tasks.look_again",
    }
    # nobody's servers are asked, written to or mailed about a tenant that is suspended
    validates = task.startswith("lifecycle.validation.")
    assert task_named(task).rests is (validates or task in leads_there)
