"""An operator's look inside a tenant: asked for, told, read-only, every page written down, over by itself."""

from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from portal.foundation import clock
from portal.foundation.access.errors import LookIsOn, LookLasts, SeatedAlready
from portal.foundation.access.looks import LONGEST, SHORTEST, begin_look, end_look
from portal.foundation.access.models import Look, Membership
from portal.foundation.access.permissions import Role
from portal.foundation.audit.models import AuditEvent
from portal.foundation.outbox.drain import run
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy import services
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.models import PLATFORM, Tenant
from tests.isolation.table_pages import INSIDE, ask
from tests.isolation.things import hers
from tests.rows import everything
from tests.web.browsing import Visitor
from tests.world import at_once, serving, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def things(world):
    return hers(world)


@pytest.fixture
def olu(world):
    return world.people["olu"]


def look_into(tenant, olu, minutes=30) -> Look:
    return begin_look(tenant, person=olu.pk, reason="A complaint of Petra's.", minutes=minutes)


def journal(tenant_id, prefix="look:"):
    with acting_for(tenant_id):
        return list(AuditEvent.objects.filter(code__startswith=prefix).order_by("pk"))


def test_a_look_is_asked_for_used_and_ended_on_the_pages(acme, olu):
    visitor = Visitor(olu)
    assert visitor.open("/t/acme/").status == 404
    page = visitor.open("/platform/tenants/acme/look/").press("Look inside", reason="A complaint.", minutes="15")
    assert page.address == "/t/acme/"
    assert "You look inside Acme Industries as its operator" in page.text
    page = visitor.open("/t/acme/certificates/").press("End now")
    assert page.address == "/platform/tenants/acme/"
    assert visitor.open("/t/acme/").status == 404
    told = [line.code for line in journal(acme.pk)]
    assert told == ["look:begin", "look:open", "look:open", "look:end"]
    assert [line.code for line in journal(PLATFORM)] == ["look:begin", "look:end"]
    for place in (acme.pk, PLATFORM):
        assert journal(place)[0].facts["reason"] == "A complaint."
        assert {line.actor for line in journal(place)} == {str(olu.pk)}


def test_each_page_that_is_opened_stands_in_the_tenants_journal_before_it_is_shown(acme, olu):
    look_into(acme, olu)
    visitor = Visitor(olu)
    paths = ["/t/acme/", "/t/acme/people/", "/t/acme/journal/", "/t/acme/certificates/export.csv", "/t/acme/requests/"]
    for path in paths:
        assert visitor.client.get(path).status_code == 200
    opened = [line for line in journal(acme.pk) if line.code == "look:open"]
    assert [(line.facts["method"], line.facts["path"]) for line in opened] == [("GET", path) for path in paths]


def test_every_address_of_the_tenant_reads_as_an_auditor_and_writes_nothing(owner, acme, world, olu, things):
    look_into(acme, olu, LONGEST)
    client = signed_in(Client(), olu)
    auditor = signed_in(Client(), world.people["vera"])
    before = everything(owner, but={"audit_auditevent", "audit_unsealed"})
    for name in INSIDE:
        answer = ask(client, "GET", name, things)
        assert answer.status_code == ask(auditor, "GET", name, things).status_code, name
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
            answer = ask(client, method, name, things)
            assert answer.status_code == 403, (method, name)
            assert b"look-reads" in answer.content, (method, name)
    assert everything(owner, but={"audit_auditevent", "audit_unsealed"}) == before
    assert {line.code for line in journal(acme.pk, "")} >= {"look:open"}
    assert {line.code for line in journal(acme.pk, "") if line.actor == str(olu.pk)} == {"look:begin", "look:open"}


@pytest.mark.parametrize("minutes", [SHORTEST, LONGEST])
def test_when_its_time_is_over_the_very_next_request_finds_nothing(acme, olu, minutes):
    look = look_into(acme, olu, minutes)
    client = signed_in(Client(), olu)
    assert look.until == look.began_at + timedelta(minutes=minutes)
    with clock.frozen(look.until - timedelta(seconds=1)):
        assert client.get("/t/acme/certificates/").status_code == 200
    with clock.frozen(look.until):
        known, unknown = (client.get(f"/t/{slug}/certificates/") for slug in ("acme", "never-was"))
        assert known.status_code == unknown.status_code == 404
        again = begin_look(acme, person=olu.pk, reason="Once more.", minutes=15)
        assert client.get("/t/acme/certificates/").status_code == 200
    assert again.pk != look.pk


def test_a_look_into_one_tenant_opens_no_other(acme, globex, olu):
    look_into(acme, olu)
    assert Visitor(olu).open("/t/globex/").status == 404


def test_a_look_is_no_ones_but_the_operators_who_began_it(owner, acme, world, olu):
    grace = world.people["mina"]
    with serving("owner"), acting_for(PLATFORM):
        Membership(person=grace, role=Role.OPERATOR).save(force_insert=True)
    look_into(acme, olu)
    assert Visitor(grace).open("/t/acme/").status == 404
    before = everything(owner)
    end_look(acme.pk, person=grace.pk)
    assert everything(owner) == before
    assert Visitor(olu).open("/t/acme/").status == 200


def test_whoever_operates_no_more_looks_no_more(acme, olu):
    look_into(acme, olu)
    with serving("owner"), acting_for(PLATFORM):
        Membership.objects.filter(person=olu).update(suspended_at=clock.now())
    assert Visitor(olu).open("/t/acme/").status == 404


@pytest.mark.parametrize("minutes", [-1, 0, SHORTEST - 1, LONGEST + 1])
def test_a_look_that_is_too_short_or_too_long_is_not_begun(owner, acme, olu, minutes):
    visitor = Visitor(olu)
    before = everything(owner)
    with pytest.raises(LookLasts):
        look_into(acme, olu, minutes)
    page = visitor.post("/platform/tenants/acme/look/", {"reason": "Why.", "minutes": str(minutes)})
    assert page.status == 422
    assert everything(owner) == before


def test_a_look_without_a_reason_is_not_begun(owner, acme, olu):
    visitor = Visitor(olu)
    before = everything(owner)
    page = visitor.post("/platform/tenants/acme/look/", {"reason": " ", "minutes": "15"})
    assert (page.status, len(page.complaints)) == (422, 1)
    assert everything(owner) == before


def test_of_two_looks_at_the_same_moment_one_begins(acme, olu):
    answers = at_once(2, lambda: look_into(acme, olu))
    assert sorted(type(answer).__name__ for answer in answers) == ["Look", "LookIsOn"]
    assert [line.code for line in journal(acme.pk)] == [line.code for line in journal(PLATFORM)] == ["look:begin"]


def test_a_second_look_is_refused_on_the_page(owner, acme, olu):
    look_into(acme, olu)
    visitor = Visitor(olu)
    before = everything(owner)
    page = visitor.post("/platform/tenants/acme/look/", {"reason": "Why.", "minutes": "15"})
    assert page.status == LookIsOn.status
    assert "You are looking inside Acme Industries already." in page.text
    assert everything(owner) == before


def test_the_platform_itself_and_ones_own_tenant_are_not_looked_into(owner, acme, olu):
    before = everything(owner)
    with pytest.raises(NotHere):
        look_into(Tenant.objects.get(pk=PLATFORM), olu)
    assert everything(owner) == before
    with serving("owner"), acting_for(acme.pk):
        Membership(person=olu, role=Role.SUBSCRIBER).save(force_insert=True)
    before = everything(owner)
    with pytest.raises(SeatedAlready):
        look_into(acme, olu)
    assert everything(owner) == before


def test_a_suspended_and_a_closed_tenant_can_still_be_looked_into(acme, olu):
    services.suspend_tenant(acme, "Unpaid.", by=olu.pk)
    look_into(acme, olu)
    assert Visitor(olu).open("/t/acme/").status == 200


# --- who is told ----------------------------------------------------------------------------------------------------


def tell_all(tenant) -> int:
    promised = list(Errand.objects.filter(task__endswith="tell_of_look", tenant_id=tenant.pk, done_at=None))
    with serving("messages"):
        for errand in promised:
            run(errand)
    return len(promised)


def test_every_administrator_is_told_by_mail_and_nobody_else(acme, world, olu):
    with serving("owner"), acting_for(acme.pk):
        Membership(person=world.people["dan"], role=Role.ADMINISTRATOR, suspended_at=clock.now()).save(
            force_insert=True
        )
    look = look_into(acme, olu)
    assert tell_all(acme) == 1
    [letter] = mail.outbox
    assert letter.to == ["ada@acme.example"]
    for said in (
        "Olu Bello",
        "Acme Industries",
        "A complaint of Petra's.",
        reverse("journal", kwargs={"tenant": "acme"}),
    ):
        assert said in letter.body
    [line] = [line for line in journal(acme.pk) if line.code == "look:tell"]
    assert (line.subject, line.facts) == (str(look.pk), {"person": str(world.people["ada"].pk)})


def test_a_reason_cannot_forge_lines_of_the_mail(acme, olu):
    begin_look(acme, person=olu.pk, reason="Why\n\nPay here:\n    http://evil.example", minutes=15)
    tell_all(acme)
    assert "\n    Why Pay here: http://evil.example\n" in mail.outbox[0].body


def test_the_mail_of_another_tenants_look_is_not_sent(acme, globex, world, olu):
    look = look_into(acme, olu)
    stray = Errand(tenant_id=globex.pk, queue="messages", task="portal.foundation.access.tasks.tell_of_look")
    stray.args, stray.due_at = [str(look.pk), str(world.people["ada"].pk)], clock.now()
    stray.save(force_insert=True)
    tell_all(globex)
    assert mail.outbox == []
