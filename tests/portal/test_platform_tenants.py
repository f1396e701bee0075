"""Tenants in an operator's hands: created, renamed, suspended, closed after a wait, kept; told in both journals."""

from datetime import timedelta

import pytest
from django.core import mail

from portal.foundation import clock
from portal.foundation.access.models import Invitation, Membership
from portal.foundation.access.permissions import Role
from portal.foundation.audit.models import AuditEvent
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy import services
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import (
    NotHere,
    SlugTaken,
    SlugUnusable,
    TenantChangedMeanwhile,
    WaitingTooShort,
)
from portal.foundation.tenancy.models import PLATFORM, Tenant
from tests.rows import everything
from tests.web.browsing import Visitor
from tests.web.naughty import NAUGHTY
from tests.world import at_once, serving

pytestmark = pytest.mark.django_db

TENANTS = "/platform/tenants/"
NEW = "Create the tenant and invite"


@pytest.fixture
def olu(world):
    return world.people["olu"]


@pytest.fixture
def operator(olu) -> Visitor:
    return Visitor(olu)


def lines(tenant_id, prefix="tenant:"):
    """What a journal tells of tenants, oldest first."""
    with acting_for(tenant_id):
        return list(AuditEvent.objects.filter(code__startswith=prefix).order_by("pk"))


def stands_in_both(tenant, code, olu, **facts):
    for place in (tenant.pk, PLATFORM):
        [line] = [line for line in lines(place) if line.code == code and line.subject == str(tenant.pk)]
        assert line.actor == str(olu.pk)
        assert facts.items() <= line.facts.items()
    return True


def fresh(tenant):
    return Tenant.objects.get(pk=tenant.pk)


# --- making one -----------------------------------------------------------------------------------------------------


def test_a_tenant_is_made_with_its_first_administrator_invited(operator, olu):
    page = operator.open(TENANTS).follow("Create a tenant")
    page = page.press(NEW, name="Initech", slug="initech", administrator="Bill Lumbergh", email="Bill@Initech.example")

    assert page.address == f"{TENANTS}initech/"
    tenant = Tenant.objects.get(slug="initech")
    with acting_for(tenant.pk):
        [invitation] = Invitation.objects.all()
        assert (invitation.email, invitation.roles) == ("bill@initech.example", [Role.ADMINISTRATOR])
        assert not Membership.objects.exists()
    assert Errand.objects.filter(tenant_id=tenant.pk, task__endswith="send_invitation").count() == 1
    assert stands_in_both(tenant, "tenant:create", olu, slug="initech", name="Initech")


SLUGS = [
    "",
    "a",
    "ab",
    "-ab",
    "ab-",
    "a--b",
    "1ab",
    "Ab",
    "a_b",
    "a b",
    "äbc",
    "a" * 41,
    "abc\n",
    "../x",
    *services.RESERVED,
]


def test_a_short_name_that_cannot_stand_in_an_address_makes_no_tenant(owner, olu):
    before = everything(owner)
    for slug in SLUGS:
        with pytest.raises(SlugUnusable):
            services.create_tenant(slug, "Initech", by=olu.pk)
    assert everything(owner) == before


def test_a_short_name_that_can_does(olu):
    for slug in ("abc", "a" * 40, "a1-b2", "z9z"):
        assert services.create_tenant(slug, "Initech", by=olu.pk).slug == slug


def test_a_short_name_that_is_taken_makes_no_second_tenant(owner, acme, olu):
    before = everything(owner)
    with pytest.raises(SlugTaken):
        services.create_tenant("acme", "Another Acme", by=olu.pk)
    assert everything(owner) == before


def test_of_two_operators_who_take_a_short_name_one_gets_it(olu):
    answers = at_once(2, lambda: services.create_tenant("initech", "Initech", by=olu.pk))
    assert sorted(type(answer) for answer in answers if isinstance(answer, SlugTaken)) == [SlugTaken]
    assert Tenant.objects.filter(slug="initech").count() == 1
    assert len([line for line in lines(PLATFORM) if line.code == "tenant:create"]) == 1


@pytest.mark.parametrize("field", ["name", "slug", "administrator", "email"])
def test_naughty_input_makes_no_tenant_or_an_ordinary_one(operator, field):
    for number, (naughty, text) in enumerate(NAUGHTY.items()):
        slug = f"initech-{number}"
        given = {"name": "Initech", "slug": slug, "administrator": "Bill", "email": "bill@initech.example"}
        page = operator.post(f"{TENANTS}new/", {**given, field: text})
        assert page.status in {200, 422}, naughty
        assert "<script>alert" not in page.response.content.decode(), naughty
        assert Tenant.objects.filter(slug=slug).exists() is (page.status == 200), naughty
        assert page.status == 200 or page.complaints, naughty


def test_an_administrator_who_cannot_be_invited_leaves_no_tenant_behind(owner, operator):
    before = everything(owner)
    page = operator.post(
        f"{TENANTS}new/",
        {"name": "Initech", "slug": "initech", "administrator": "Bill\u202e", "email": "bill@initech.example"},
    )
    assert page.status == 422
    assert everything(owner) == before


# --- what is done to one --------------------------------------------------------------------------------------------


def test_a_tenant_is_renamed_and_keeps_its_short_name(acme, operator, olu):
    page = operator.open(f"{TENANTS}acme/rename/").press("Rename", name="Acme Limited")
    assert page.heading.startswith("Acme Limited")
    assert (fresh(acme).name, fresh(acme).slug) == ("Acme Limited", "acme")
    assert stands_in_both(acme, "tenant:rename", olu, name="Acme Limited", before="Acme Industries")


def test_suspending_and_resuming_stand_in_both_journals_with_the_reason(acme, operator, olu):
    page = operator.open(f"{TENANTS}acme/suspend/").press("Suspend", reason="Unpaid since May.")
    assert "Suspended" in page.heading
    assert stands_in_both(acme, "tenant:suspend", olu, reason="Unpaid since May.")
    page = operator.open(f"{TENANTS}acme/resume/").press("Resume")
    assert "Works" in page.heading
    assert fresh(acme).suspended_at is None
    assert stands_in_both(acme, "tenant:resume", olu)


@pytest.mark.parametrize("missing", [{}, {"reason": "   "}])
def test_nothing_is_suspended_without_a_reason(owner, operator, acme, missing):
    before = everything(owner)
    page = operator.post(f"{TENANTS}acme/suspend/", missing)
    assert (page.status, page.complaints) == (422, ["Say why: the tenant's people will read it."])
    assert everything(owner) == before


@pytest.mark.parametrize(
    ("slug", "days", "complains"),
    [
        ("globex", "30", "This is not the short name of Acme Industries."),
        ("Acme", "30", "This is not the short name of Acme Industries."),
        ("acme", "6", "Ensure this value is greater than or equal to 7."),
        ("acme", "91", "Ensure this value is less than or equal to 90."),
        ("acme", "soon", "Enter a whole number."),
    ],
)
def test_closing_wants_the_short_name_and_a_waiting_period_in_bounds(owner, operator, acme, slug, days, complains):
    before = everything(owner)
    page = operator.post(f"{TENANTS}acme/close/", {"reason": "Over.", "days": days, "slug": slug})
    assert (page.status, page.complaints) == (422, [complains])
    assert everything(owner) == before


@pytest.mark.parametrize("days", [-1, 0, 6, 91, 10**6])
def test_the_service_holds_the_waiting_period_itself(owner, acme, olu, days):
    before = everything(owner)
    with pytest.raises(WaitingTooShort):
        services.close_tenant(acme, days, "Over.", by=olu.pk)
    assert everything(owner) == before


@pytest.mark.parametrize("days", [7, 30, 90])
def test_closing_can_be_taken_back_until_its_last_moment_and_not_after(acme, olu, petra, days):
    services.close_tenant(acme, days, "Over.", by=olu.pk)
    ends = fresh(acme).closes_at
    assert abs(ends - clock.now() - timedelta(days=days)) < timedelta(minutes=1)
    visitor = Visitor(petra)
    with clock.frozen(ends - timedelta(seconds=1)):
        assert "Acme Industries will be closed" in visitor.open("/t/acme/certificates/").text
        services.keep_tenant(acme, by=olu.pk)
        assert "will be closed" not in visitor.open("/t/acme/certificates/").text
        services.close_tenant(fresh(acme), 7, "Over after all.", by=olu.pk)
    with clock.frozen(fresh(acme).closes_at):
        page = visitor.open("/t/acme/certificates/")
        assert (page.status, "tenant-closed" in page.text) == (403, True)
        with pytest.raises(TenantChangedMeanwhile):
            services.keep_tenant(acme, by=olu.pk)
    assert [line.code for line in lines(acme.pk)] == ["tenant:close", "tenant:keep", "tenant:close"]


PAIRS = {
    "suspend": (lambda tenant, by: services.suspend_tenant(tenant, "Why.", by=by), lambda _tenant, _by: None),
    "resume": (
        lambda tenant, by: services.resume_tenant(tenant, by=by),
        lambda tenant, by: services.suspend_tenant(tenant, "Why.", by=by),
    ),
    "close": (lambda tenant, by: services.close_tenant(tenant, 30, "Why.", by=by), lambda _tenant, _by: None),
    "keep": (
        lambda tenant, by: services.keep_tenant(tenant, by=by),
        lambda tenant, by: services.close_tenant(tenant, 30, "Why.", by=by),
    ),
}


@pytest.mark.parametrize("deed", PAIRS)
def test_of_two_operators_at_the_same_moment_the_second_is_told_and_does_nothing(acme, olu, deed):
    do, before = PAIRS[deed]
    before(acme, olu.pk)
    answers = at_once(2, lambda: do(acme, olu.pk))
    assert sorted(str(answer) for answer in answers) == sorted(
        ["None", "Acme Industries was changed by somebody else meanwhile; nothing was done."]
    )
    for place in (acme.pk, PLATFORM):
        assert len([line for line in lines(place) if line.code == f"tenant:{deed}"]) == 1


@pytest.mark.parametrize("deed", [*PAIRS, "rename"])
def test_the_platform_is_no_tenant_of_its_own_pages(owner, operator, olu, deed):
    before = everything(owner)
    platform = Tenant.objects.get(pk=PLATFORM)
    do = PAIRS[deed][0] if deed in PAIRS else (lambda tenant, by: services.rename_tenant(tenant, "X", by=by))
    with pytest.raises(NotHere):
        do(platform, olu.pk)
    for path in (
        f"{TENANTS}platform/",
        f"{TENANTS}platform/{deed}/",
        f"{TENANTS}never-was/{deed}/",
        f"{TENANTS}acme/x/",
    ):
        assert operator.open(path).status == 404
    assert everything(owner) == before


# --- the list -------------------------------------------------------------------------------------------------------


def shown(page) -> list[str]:
    return [" ".join("".join(row.find("th").itertext()).split()) for row in page.tree.findall(".//tbody/tr")]


def test_the_list_filters_sorts_and_exports(acme, globex, operator, olu):
    services.suspend_tenant(globex, "Why.", by=olu.pk)
    assert shown(operator.open(TENANTS)) == ["Acme Industries", "Globex Corporation"]
    assert shown(operator.open(f"{TENANTS}?sort=-name")) == ["Globex Corporation", "Acme Industries"]
    assert shown(operator.open(f"{TENANTS}?state=suspended")) == ["Globex Corporation"]
    assert shown(operator.open(f"{TENANTS}?q=aCmE")) == ["Acme Industries"]
    assert shown(operator.open(f"{TENANTS}?q=glob")) == ["Globex Corporation"]
    assert shown(operator.open(f"{TENANTS}?q=platform")) == []
    rows = operator.client.get(f"{TENANTS}export.csv?state=suspended").content.decode("utf-8-sig").splitlines()
    assert rows[1].startswith("globex,Globex Corporation,Suspended,")
    assert len(rows) == 2


def test_no_search_breaks_the_list(operator):
    for naughty, text in NAUGHTY.items():
        for name in ("q", "state", "sort", "after", "before"):
            assert operator.client.get(TENANTS, {name: text}).status_code == 200, (naughty, name)


def test_what_a_new_tenant_is_called_opens_no_formula_in_the_export(operator, olu):
    services.create_tenant("initech", "=HYPERLINK(1)", by=olu.pk)
    text = operator.client.get(f"{TENANTS}export.csv").content.decode("utf-8-sig")
    assert ",=HYPERLINK" not in text


# --- what it means for whoever is there -----------------------------------------------------------------------------


def test_members_of_a_suspended_tenant_are_told_whom_to_ask(acme, olu, petra):
    services.suspend_tenant(acme, "Unpaid.", by=olu.pk)
    page = Visitor(petra).open("/t/acme/")
    assert page.status == 403
    assert "Ask an administrator of Acme Industries, who can ask the operator." in page.text
    assert mail.outbox == []


def test_an_operator_who_belongs_somewhere_as_well_keeps_both(acme, world, olu):
    with serving("owner"), acting_for(acme.pk):
        Membership(person=olu, role=Role.AUDITOR).save(force_insert=True)
    visitor = Visitor(olu)
    page = visitor.open("/")
    assert {"/t/acme/", "/platform/"} <= page.leads_to
    assert visitor.open("/t/acme/certificates/").status == visitor.open("/platform/").status == 200
