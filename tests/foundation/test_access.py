"""Who may do what: roles are tables, and what no table says is refused."""

from types import SimpleNamespace

import psycopg2
import pytest
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError
from django.test import RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver

from portal.foundation.access.guards import MayNot, NotGuarded, Open, guard, needs, takes_token
from portal.foundation.access.models import LOCAL, Membership, User
from portal.foundation.access.permissions import GRANTED, Permission, Role, permissions_of, roles_with
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.middleware import Seat, TenantMiddleware, seats_of
from portal.foundation.tenancy.models import Tenant
from tests.world import PASSWORD, serving

OWN = {"tenant:enter", "certificate:read", "request:read", "domain:read"}
ALL = OWN | {"certificate:read-all", "request:read-all"}

WHO_MAY = {
    "subscriber": OWN | {"request:make", "certificate:upload", "domain:manage"},
    "reviewer": ALL | {"request:approve"},
    "recovery-officer": {"tenant:enter"},
    "administrator": ALL
    | {"certificate:upload", "domain:manage", "publishing:manage", "rules:read", "rules:change"}
    | {"people:read", "people:change", "journal:read"},
    "auditor": ALL | {"rules:read", "people:read", "journal:read"},
    "operator": {"platform:operate"},
}


@pytest.mark.parametrize("role", Role)
def test_a_role_may_exactly_what_the_table_says(role):
    assert {str(permission) for permission in GRANTED[role]} == WHO_MAY[role]


def test_every_role_and_every_permission_is_in_the_table():
    assert set(GRANTED) == set(Role)
    assert {str(role) for role in Role} == set(WHO_MAY)
    assert frozenset().union(*GRANTED.values()) == set(Permission)


@pytest.mark.parametrize("permission", Permission)
def test_a_permission_reads_thing_and_deed(permission):
    thing, colon, deed = permission.partition(":")
    assert thing
    assert colon
    assert deed


def test_only_a_subscriber_asks_for_certificates():
    assert roles_with(Permission.REQUEST_MAKE) == (Role.SUBSCRIBER,)


def test_the_roles_of_a_person_add_up():
    assert (
        permissions_of(frozenset({Role.SUBSCRIBER, Role.AUDITOR})) == GRANTED[Role.SUBSCRIBER] | GRANTED[Role.AUDITOR]
    )
    assert permissions_of(frozenset()) == frozenset()


# --- guards: deny by default ----------------------------------------------------------------------------------------


def view(_request):
    raise AssertionError("it must not run")


def test_a_view_that_says_nothing_opens_for_nobody():
    with pytest.raises(NotGuarded):
        needs(view)


@pytest.mark.parametrize("said", [None, True, "anybody", "certificate:read", object()])
def test_what_is_no_permission_is_no_guard(said):
    with pytest.raises(NotGuarded):
        needs(SimpleNamespace(needs=said))


def views(patterns=None, prefix=""):
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(pattern, URLResolver):
            yield from views(pattern.url_patterns, prefix + str(pattern.pattern))
        elif isinstance(pattern, URLPattern):
            yield prefix + str(pattern.pattern), pattern


def test_every_address_has_a_guard_and_a_name():
    found = dict(views())
    assert len(found) >= 19
    for address, pattern in found.items():
        assert pattern.name, address
        assert isinstance(needs(pattern.callback), (Permission, Open)), address


def test_an_address_inside_a_tenant_or_the_platform_asks_for_a_permission_and_one_outside_never_does():
    for address, pattern in views():
        inside = address.startswith(("t/<slug:tenant>/", "platform/", "api/v1/t/<slug:tenant>/"))
        assert isinstance(needs(pattern.callback), Permission) is inside, address


def test_programs_enter_at_the_api_alone_and_people_never_there():
    for address, pattern in views():
        assert takes_token(pattern.callback) is address.startswith("api/v1/t/<slug:tenant>/"), address


def test_what_is_open_to_anybody_is_on_this_list_and_nothing_else_is():
    anybody = {pattern.name for _address, pattern in views() if needs(pattern.callback) is Open.ANYBODY}
    assert anybody == {
        "sign-in", "sign-out", "invitation", "domain-approval", "password-forgotten", "password-new",
        "api-reference", "api-schema",
        "healthz", "readyz", "issuer-certificate", "demo-mailbox", "demo-mail", "demo-dns", "demo-dns-name",
        "demo-files", "demo-perspectives",
    }  # fmt: skip


@pytest.fixture
def door(client):
    def knock(person, needed, slug="acme"):
        request = RequestFactory().get("/")
        request.user = person
        refusals = []

        class Door(TenantMiddleware):
            refuse = staticmethod(lambda _request, refusal: refusals.append(refusal) or "refused")

        door = Door(lambda inner: inner)
        door(request)
        answer = door.process_view(request, guard(needed, lambda _request: None), (), {"tenant": slug})
        return request, answer, refusals

    return knock


@pytest.mark.django_db
@pytest.mark.parametrize("permission", Permission)
@pytest.mark.parametrize("short", ["petra", "wei", "jonas", "ada", "vera"])
def test_the_door_lets_in_whom_the_table_names_and_refuses_everybody_else(world, door, short, permission):
    person = world.people[short]
    with acting_for(world.tenants["acme"].pk):
        [role] = Membership.objects.filter(person=person).values_list("role", flat=True)
    request, answer, refusals = door(person, permission)
    if permission in WHO_MAY[role]:
        assert (answer, refusals) == (None, [])
        assert request.tenant.slug == "acme"
        assert request.seat.roles == {role}
    else:
        assert [type(refusal) for refusal in refusals] == [MayNot]
        assert str(Role.SUBSCRIBER.label) in str(refusals[0]) or permission != Permission.REQUEST_MAKE


@pytest.mark.django_db
@pytest.mark.parametrize("permission", Permission)
@pytest.mark.parametrize(
    ("short", "slug"),
    [("hank", "acme"), ("petra", "globex"), ("olu", "acme"), ("olu", "platform"), ("petra", "nowhere")],
)
def test_a_tenant_one_does_not_belong_to_looks_like_one_that_does_not_exist(world, door, short, slug, permission):
    request, answer, refusals = door(world.people[short], permission, slug)
    assert [type(refusal) for refusal in refusals] == [NotHere]
    assert answer == "refused"
    assert request.tenant is None
    assert request.seat is None


@pytest.mark.django_db
def test_a_person_has_one_seat_a_tenant_with_all_their_roles(world, acme):
    petra = world.people["petra"]
    with serving("owner"), acting_for(acme.pk):
        Membership(person=petra, role=Role.AUDITOR).save(force_insert=True)
    request = RequestFactory().get("/")
    request.user = petra
    assert seats_of(request) == (Seat(acme, frozenset({Role.SUBSCRIBER, Role.AUDITOR})),)


@pytest.mark.django_db
def test_a_membership_taken_away_counts_for_the_very_next_request(world, acme, client, owner):
    client.force_login(world.people["petra"])
    assert client.get("/t/acme/").status_code == 200
    owner.execute("DELETE FROM access_membership WHERE person_id = %s", [str(world.people["petra"].pk)])
    assert client.get("/t/acme/").status_code == 404


@pytest.mark.django_db
def test_an_account_switched_off_is_nobody_at_the_very_next_request(world, client, owner):
    client.force_login(world.people["petra"])
    assert client.get("/t/acme/").status_code == 200
    owner.execute("UPDATE access_user SET is_active = false WHERE id = %s", [str(world.people["petra"].pk)])
    answer = client.get("/t/acme/")
    assert (answer.status_code, answer.url) == (302, "/sign-in/?next=/t/acme/")


# --- people ---------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_person_is_an_issuers_subject_and_never_an_address_alone(owner, petra):
    owner.execute(
        "INSERT INTO access_user (id, issuer, subject, email, name, password, is_active, created_at)"
        " VALUES (gen_random_uuid(), 'https://idp.example', %s, %s, 'Somebody Else', '', true, now())",
        [petra.subject, petra.email],
    )
    assert User.objects.filter(email=petra.email).count() == 2
    assert User.objects.get_by_natural_key(f" {petra.subject.upper()} ") == petra
    assert petra.issuer == LOCAL


def test_checking_a_password_costs_a_hundred_mebibytes(costly_passwords):
    assert make_password(PASSWORD).startswith("argon2$argon2id$v=19$m=102400,t=2,p=8$")


@pytest.mark.django_db
def test_a_password_is_kept_as_argon2_and_never_in_clear(costly_passwords, owner, petra):
    owner.execute("SELECT password FROM access_user WHERE id = %s", [str(petra.pk)])
    [kept] = owner.fetchone()
    assert kept.startswith("argon2$argon2id$")
    assert PASSWORD not in kept
    assert petra.check_password(PASSWORD)
    assert not petra.check_password(PASSWORD.upper())


@pytest.mark.django_db
def test_a_role_that_nobody_knows_is_refused_by_the_database(owner, petra):

    with pytest.raises(psycopg2.errors.CheckViolation, match="membership_role_is_known"):
        owner.execute("UPDATE access_membership SET role = 'emperor' WHERE person_id = %s", [str(petra.pk)])
    owner.execute("SELECT role FROM access_membership WHERE person_id = %s", [str(petra.pk)])
    assert owner.fetchall() == [("subscriber",)]


@pytest.mark.django_db
def test_a_role_is_given_once(owner, acme, petra):

    with pytest.raises(IntegrityError, match="membership_once"), serving("owner"), acting_for(acme.pk):
        Membership(person=petra, role=Role.SUBSCRIBER).save(force_insert=True)
    owner.execute("SELECT count(*) FROM access_membership WHERE person_id = %s", [str(petra.pk)])
    assert owner.fetchone() == (1,)


def test_a_tenant_is_called_by_its_name():
    assert str(Tenant(slug="acme", name="Acme Industries")) == "Acme Industries"
