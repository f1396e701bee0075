"""Promised work in an operator's hands: parked work is tried again or given up; what somebody waits for is not."""

import pytest
from django.utils.module_loading import autodiscover_modules

from portal.foundation import clock
from portal.foundation.audit.models import AuditEvent
from portal.foundation.outbox import registry, services
from portal.foundation.outbox.drain import claim
from portal.foundation.outbox.heartbeat import Heartbeat
from portal.foundation.outbox.models import Errand
from portal.foundation.states import ChangedMeanwhile
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import PLATFORM
from portal.web.platform.errands import WORK
from tests.rows import everything
from tests.web.browsing import Visitor
from tests.web.naughty import NAUGHTY
from tests.world import at_once, parked, serving, submitted

pytestmark = pytest.mark.django_db

ERRANDS = "/platform/errands/"
NOTICE = "lifecycle.requests.notices.send_notice"


@pytest.fixture
def olu(world):
    return world.people["olu"]


@pytest.fixture
def operator(olu) -> Visitor:
    return Visitor(olu)


def told(tenant_id, errand):
    with acting_for(tenant_id):
        return [line.code for line in AuditEvent.objects.filter(subject=str(errand.pk)).order_by("pk")]


def test_every_task_that_a_worker_knows_has_its_words():
    autodiscover_modules("tasks")
    ours = {name for name in registry._tasks if name.startswith(("portal.", "lifecycle.", "auth2fa."))}
    assert ours == set(WORK)


def test_a_parked_errand_is_tried_again_with_all_its_tries(acme, operator):
    errand = parked(acme)
    page = operator.open(ERRANDS).follow("Try again").press("Try again")
    assert page.address == ERRANDS
    errand.refresh_from_db()
    assert (errand.parked_at, errand.tries, errand.done_at) == (None, 0, None)
    with serving("messages"):
        assert errand.pk in {one.pk for one in claim("messages")}
    assert told(acme.pk, errand) == told(PLATFORM, errand) == ["errand:again"]


def test_everything_of_a_kind_is_tried_again_with_one_press(acme, globex, operator):
    alike, other = [parked(acme), parked(globex), parked(acme)], parked(acme, "lifecycle.validation.tasks.look")
    page = operator.open(f"{ERRANDS}{alike[0].pk}/again/").press("Try all 3 of this kind again")
    assert "3 errands are tried again now." in page.text
    for errand in alike:
        errand.refresh_from_db()
        assert (errand.parked_at, errand.tries) == (None, 0)
        assert told(errand.tenant_id, errand) == told(PLATFORM, errand) == ["errand:again"]
    other.refresh_from_db()
    assert other.parked_at
    assert "of this kind" not in operator.open(f"{ERRANDS}{other.pk}/again/").text


def test_what_nobody_waits_for_is_given_up_with_a_reason(acme, operator):
    errand = parked(acme)
    page = operator.open(ERRANDS).follow("Give up").press("Give up", reason="The address is gone.")
    assert page.address == ERRANDS
    errand.refresh_from_db()
    assert errand.done_at
    for place in (acme.pk, PLATFORM):
        assert told(place, errand) == ["errand:give-up"]
        with acting_for(place):
            line = AuditEvent.objects.get(subject=str(errand.pk))
        assert line.facts == {"task": NOTICE, "reason": "The address is gone."}


def test_nothing_is_given_up_without_a_reason(owner, acme, operator):
    errand = parked(acme)
    before = everything(owner)
    page = operator.post(f"{ERRANDS}{errand.pk}/give-up/", {"reason": " "})
    assert (page.status, len(page.complaints)) == (422, 1)
    assert everything(owner) == before


@pytest.mark.parametrize("task", [name for name, work in WORK.items() if work.must_be_done])
def test_what_somebody_waits_for_cannot_be_given_up(owner, acme, operator, task):
    errand = parked(acme, task)
    before = everything(owner)
    page = operator.open(f"{ERRANDS}{errand.pk}/give-up/")
    assert "Give up" not in page.buttons()
    assert str(WORK[task].must_be_done) in page.text
    assert operator.post(f"{ERRANDS}{errand.pk}/give-up/", {"reason": "Because."}).status == 422
    assert everything(owner) == before


@pytest.mark.parametrize("deed", ["again", "give-up"])
def test_of_two_operators_at_the_same_moment_the_second_is_told(acme, olu, deed):
    errand = parked(acme)
    do = services.try_again if deed == "again" else (lambda one, by: services.give_up(one, "Why.", by=by))
    answers = at_once(2, lambda: do(errand, by=olu.pk))
    assert sorted(type(answer).__name__ for answer in answers) == sorted(["NoneType", ChangedMeanwhile.__name__])
    assert told(acme.pk, errand) == told(PLATFORM, errand) == [f"errand:{deed}"]


def test_only_what_is_parked_is_there_to_be_judged(owner, acme, petra, operator):
    submitted(petra, acme)
    open_one = Errand.objects.filter(done_at=None).latest("pk")
    done, still = parked(acme), parked(acme)
    Errand.objects.filter(pk=done.pk).update(done_at=clock.now())
    before = everything(owner)
    nowhere = "00000000-0000-0000-0000-000000000000"
    for pk in (open_one.pk, done.pk, nowhere):
        for deed in ("again", "give-up"):
            assert operator.open(f"{ERRANDS}{pk}/{deed}/").status == 404
            assert operator.post(f"{ERRANDS}{pk}/{deed}/", {"reason": "Why."}).status == 404
    assert operator.open(f"{ERRANDS}{still.pk}/delete/").status == 404
    assert everything(owner) == before


def test_the_list_says_whose_work_it_is_and_what_went_wrong(acme, globex, petra, operator):
    parked(globex)
    submitted(petra, acme)
    rows = [" ".join(" ".join(row.itertext()).split()) for row in operator.open(ERRANDS).tree.findall(".//tbody/tr")]
    [failed] = [row for row in rows if "Parked" in row]
    for said in ("Tell a person what became of a request", "ConnectionRefusedError", "Globex Corporation", "150"):
        assert said in failed
    [waits] = [row for row in rows if "Sign a certificate" in row]
    assert "Acme Industries" in waits
    assert "Try again" not in waits
    assert len(operator.open(f"{ERRANDS}?state=parked").tree.findall(".//tbody/tr")) == 1
    assert len(operator.open(f"{ERRANDS}?queue=signing").tree.findall(".//tbody/tr")) == 1


def test_no_filter_breaks_the_list(operator):
    for naughty, text in NAUGHTY.items():
        for name in ("state", "queue", "after", "before"):
            assert operator.client.get(ERRANDS, {name: text}).status_code == 200, (naughty, name)


# --- the overview ---------------------------------------------------------------------------------------------------


def beats(service, at=None, **facts):
    Heartbeat(worker=f"{service}@host:1", service=service, at=at or clock.now(), facts=facts).save()


def test_the_overview_says_what_needs_the_operator(acme, operator):
    with serving("owner"):
        for service in ("signing", "validation", "publishing", "messages", "relay"):
            beats(service)
    assert operator.open("/platform/").heading == "Everything works"
    with serving("owner"):
        Heartbeat.objects.filter(service="signing").update(at=clock.now().replace(year=2024))
    parked(acme)
    page = operator.open("/platform/")
    assert page.heading == "2 things need you"
    assert "Start it again and look at the end of its log." in page.text
    assert page.follow("Look at them").address.startswith(f"{ERRANDS}?state=parked")
