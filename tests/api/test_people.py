"""People seen, invited and managed by programs, under the rules of the pages."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client

from auth2fa.login import sessions
from portal.foundation import clock
from portal.foundation.access import services
from portal.foundation.access.models import Invitation, Membership
from portal.foundation.access.permissions import Role
from portal.foundation.audit.models import AuditEvent
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_as, acting_for
from tests.api.doors import refused, shut, stands
from tests.world import invited, signed_in

pytestmark = pytest.mark.django_db(transaction=True)

NEW = {"name": "Nia New", "email": "nia@acme.example", "roles": ["subscriber"]}
ROWS = "name,email,roles\nNia New,nia@acme.example,subscriber\nBob Old,bob@acme.example,auditor | reviewer\n"


@pytest.fixture
def calls(program, ada):
    return program(ada)


def mails(to="send_invitation"):
    return Errand.objects.filter(task__endswith=to).count()


def line(tenant, code):
    with acting_for(tenant.pk):
        return AuditEvent.objects.filter(code=code).latest("at")


# --- the list ---------------------------------------------------------------------------------------------------------


def test_everybody_is_listed_once_however_the_list_is_paged(calls, acme, ada, petra):
    waiting = invited(acme, ada)
    everybody = calls.get("people")["results"]
    assert [row["name"] for row in everybody] == sorted(row["name"] for row in everybody)
    assert {(row["id"], row["kind"], row["state"]) for row in everybody} >= {
        (str(petra.pk), "person", "active"),
        (str(waiting.pk), "invitation", "invited"),
    }
    found, address = [], "people?limit=2"
    while address:
        page = calls.get(address)
        found += page["results"]
        address = page["next"]
    assert found == everybody
    back = calls.get(calls.get(calls.get("people?limit=2")["next"])["previous"])
    assert back["results"] == everybody[:2]


def test_the_list_is_narrowed_and_sorted(calls, acme, ada, dan):
    with acting_for(acme.pk):
        services.suspend(dan.pk, by=ada.pk)
    assert [row["id"] for row in calls.get("people?state=suspended")["results"]] == [str(dan.pk)]
    assert [row["id"] for row in calls.get("people?role=administrator")["results"]] == [str(ada.pk)]
    assert [row["id"] for row in calls.get("people?q=kr%C3%A1l")["results"]] == [str(dan.pk)]
    names = [row["name"] for row in calls.get("people?sort=-name")["results"]]
    assert names == sorted(names, reverse=True)


@pytest.mark.parametrize("query", ["rol=auditor", "role=operator", "state=dead", "sort=age", "after=x", "limit=101"])
def test_the_list_tells_what_it_does_not_understand(calls, query):
    assert refused(calls, "GET", f"people?{query}") == (422, "invalid")


# --- inviting ---------------------------------------------------------------------------------------------------------


def test_a_person_is_invited_once_whatever_is_sent_again(calls, acme, ada):
    key = str(uuid4())
    first, again = (calls.call("POST", "invitations", NEW, **{"Idempotency-Key": key}) for _ in range(2))
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert (first.json()["state"], first.json()["invited_by"]) == ("waiting", str(ada.pk))
    assert calls.get(first["Location"]) == first.json()
    assert mails() == 1
    assert line(acme, "invitation:make").facts["through_token"] == calls.secret[:12]
    assert refused(calls, "POST", "invitations", NEW) == (409, "already-invited")
    assert mails() == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"email": "nobody"}, (422, "invalid")),
        ({"email": "petra@acme.example"}, (409, "already-member")),
        ({"name": "Nia\u200b"}, (422, "invalid")),
        ({"roles": []}, (422, "invalid")),
        ({"roles": ["operator"]}, (422, "invalid")),
        ({"roles": "subscriber"}, (422, "invalid")),
        ({"admin": True}, (422, "invalid")),
    ],
)
def test_nobody_is_invited_who_could_not_be_on_the_page(calls, owner, change, told):
    shut(owner, calls, [("POST", "invitations", NEW | change)], told)


def test_an_invitation_is_sent_again_and_withdrawn(calls, acme, ada):
    with clock.frozen(clock.now() - timedelta(hours=1)):
        row = invited(acme, ada)
    sent = calls.post(f"invitations/{row.pk}/resending")
    assert (sent["state"], mails()) == ("waiting", 2)
    assert sent["expires_at"] > row.expires_at.isoformat()
    soon = calls.call("POST", f"invitations/{row.pk}/resending", {})
    assert (soon.status_code, soon.json()["code"]) == (429, "invited-too-often")
    assert 0 < int(soon["Retry-After"]) <= 15 * 60
    assert calls.post(f"invitations/{row.pk}/withdrawal")["state"] == "withdrawn"
    assert refused(calls, "POST", f"invitations/{row.pk}/withdrawal") == (409, "invitation-over")
    assert mails() == 2


def test_a_file_of_people_is_tried_and_then_invited(calls, acme, ada, petra):
    invited(acme, ada, email="bob@acme.example")
    rows = f"{ROWS}Petra,{petra.email},subscriber\n"
    dry = calls.post("invitations/import", {"rows": rows, "dry_run": True})
    assert (dry["saved"], mails()) == (False, 1)
    assert dry["people"] == [NEW]
    assert (dry["members"], dry["invited"]) == ([petra.email], ["bob@acme.example"])
    key = str(uuid4())
    first, again = (
        calls.call("POST", "invitations/import", {"rows": rows}, **{"Idempotency-Key": key}) for _ in range(2)
    )
    assert (first.status_code, first.json(), again.json()) == (201, {**dry, "saved": True}, first.json())
    assert mails() == 2
    nobody = calls.call("POST", "invitations/import", {"rows": rows})
    assert (nobody.status_code, nobody.json()["saved"], mails()) == (200, False, 2)


def test_everything_that_is_wrong_in_a_file_is_told_by_line(calls, owner):
    rows = "name,email,roles\n=cmd,nobody,chief\nNia,nia@acme.example,\n"
    before = stands(owner)
    answer = calls.call("POST", "invitations/import", {"rows": rows})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    told = [each["message"] for each in answer.json()["errors"]]
    assert [text[:6] for text in told] == ["Line 2", "Line 2", "Line 2", "Line 3"]
    assert refused(calls, "POST", "invitations/import", {"rows": "who,where\n"}) == (422, "invalid")
    assert stands(owner) == before


# --- a member ---------------------------------------------------------------------------------------------------------


def test_roles_are_changed_and_told(calls, acme, dan):
    assert calls.get(f"people/{dan.pk}/roles") == {"roles": ["subscriber"]}
    told = calls.put(f"people/{dan.pk}/roles", {"roles": ["reviewer", "subscriber"]})
    assert told["roles"] == ["reviewer", "subscriber"]
    assert line(acme, "membership:give").facts["through_token"] == calls.secret[:12]


def test_roles_that_changed_meanwhile_are_not_changed_for_whoever_asks_that(calls, acme, ada, dan, owner):
    path = f"people/{dan.pk}/roles"
    tag = calls.call("GET", path)["ETag"]
    with acting_for(acme.pk):
        services.change_roles(dan.pk, [Role.AUDITOR], by=ada.pk)
    before = stands(owner)
    told = refused(calls, "PUT", path, {"roles": ["reviewer"]}, **{"If-Match": tag})
    assert told == (412, "changed-since")
    assert stands(owner) == before


def test_nobody_gives_themselves_a_role_through_a_program(calls, ada, owner):
    body = {"roles": ["administrator", "auditor"]}
    shut(owner, calls, [("PUT", f"people/{ada.pk}/roles", body)], (403, "not-ones-own-roles"))


def test_the_last_administrator_stays(calls, ada, owner):
    path = f"people/{ada.pk}"
    shut(owner, calls, [("DELETE", path), ("POST", f"{path}/suspension")], (409, "last-administrator"))


def test_a_suspended_persons_program_is_shut_out_until_they_are_let_in_again(program, calls, dan):
    theirs = program(dan)
    theirs.get("certificates")
    assert calls.post(f"people/{dan.pk}/suspension")["state"] == "suspended"
    assert refused(theirs, "GET", "certificates") == (401, "token-wanted")
    assert calls.post(f"people/{dan.pk}/readmission")["state"] == "active"
    theirs.get("certificates")


def test_somebody_is_removed(calls, acme, dan):
    gone = calls.call("DELETE", f"people/{dan.pk}")
    assert (gone.status_code, gone.content) == (204, b"")
    with acting_for(acme.pk):
        assert not Membership.objects.filter(person=dan.pk).exists()
    assert line(acme, "membership:end").actor != str(dan.pk)
    assert refused(calls, "GET", f"people/{dan.pk}") == (404, "not-found")
    assert refused(calls, "DELETE", f"people/{dan.pk}") == (404, "not-found")


def test_every_session_of_somebody_is_ended(calls, acme, dan, vera, owner):
    signed_in(Client(), dan)
    with acting_as(dan.pk):
        assert sessions.of_person(dan.pk)
    calls.post(f"people/{dan.pk}/sign-out")
    with acting_as(dan.pk):
        assert not sessions.of_person(dan.pk)
    assert line(acme, "session:end").facts["through_token"] == calls.secret[:12]
    # somebody who belongs elsewhere, too, is not this organisation's to sign out
    shut(owner, calls, [("POST", f"people/{vera.pk}/sign-out")], (403, "guards-more"))


def test_nothing_here_takes_a_password_or_an_authenticator(calls, dan, owner):
    paths = [f"people/{dan.pk}/{act}" for act in ("reset-factors", "password", "authenticators", "sessions")]
    shut(owner, calls, [("POST", path) for path in paths], (404, "not-found"))
    told = calls.get(f"people/{dan.pk}")
    assert set(told) == {"id", "name", "email", "roles", "state", "account_since"}


def test_the_doors(program, world, ada, vera, petra, dan, hank, owner):
    acme, globex = world.tenants["acme"], world.tenants["globex"]
    row = invited(acme, ada)
    with acting_for(globex.pk):
        services.change_roles(hank.pk, [Role.ADMINISTRATOR], by=vera.pk)
        theirs = services.invite(email="x@globex.example", name="X", roles=[Role.SUBSCRIBER], by=hank.pk)

    def reading(person, invitation):
        return [("GET", path) for path in (f"people/{person}", f"people/{person}/roles", f"invitations/{invitation}")]

    def writing(person, invitation):
        return [
            ("DELETE", f"people/{person}"),
            ("PUT", f"people/{person}/roles", {"roles": ["auditor"]}),
            ("POST", f"people/{person}/suspension"),
            ("POST", f"people/{person}/readmission"),
            ("POST", f"people/{person}/sign-out"),
            ("POST", f"invitations/{invitation}/resending"),
            ("POST", f"invitations/{invitation}/withdrawal"),
        ]

    inviting = [("POST", "invitations", NEW), ("POST", "invitations/import", {"rows": ROWS})]
    every = [("GET", "people"), *reading(dan.pk, row.pk), *writing(dan.pk, row.pk), *inviting]
    foreign = program(hank, tenant=globex)
    foreign.tenant = "acme"
    shut(owner, foreign, every, (401, "token-wanted"))
    shut(owner, program(ada, "rules:read"), every, (403, "token-may-not"))
    shut(owner, program(ada, "people:read"), [*writing(dan.pk, row.pk), *inviting], (403, "token-may-not"))
    shut(owner, program(petra), every, (403, "may-not"))
    shut(owner, program(vera), [*writing(dan.pk, row.pk), *inviting], (403, "may-not"))
    mine = program(ada)
    for person, invitation in ((hank.pk, theirs.pk), (uuid4(), uuid4())):
        shut(owner, mine, [*reading(person, invitation), *writing(person, invitation)], (404, "not-found"))
    with acting_for(globex.pk):
        assert Invitation.objects.get(pk=theirs.pk).withdrawn_at is None
