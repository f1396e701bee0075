"""The people of a tenant: the list, roles, suspension, and the last administrator, who cannot go."""

import csv
import io
import re
from datetime import timedelta

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from auth2fa import enrolments
from auth2fa.errors import GuardsMore, NotOnesOwnReset
from auth2fa.login import sessions
from auth2fa.people import listing, roster
from auth2fa.people.acts import ACTS
from portal.foundation import clock
from portal.foundation.access import services
from portal.foundation.access.errors import LastAdministrator, NotOnesOwn, RolesNotOffered
from portal.foundation.access.models import Invitation, Membership, User
from portal.foundation.access.permissions import Role
from portal.foundation.audit.models import AuditEvent
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_as, acting_for, current_unit
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.models import PLATFORM
from tests.portal.test_people_invitations import LONG, codes, deliver, roles_of
from tests.rows import everything
from tests.web.browsing import Visitor
from tests.web.naughty import NAUGHTY
from tests.world import PASSWORD, at_once, begun, enrolled, invited, serving, signed_in, submitted

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE = "/t/acme/people/"


def give(tenant, person, *roles, by):
    with acting_for(tenant.pk):
        services.change_roles(person.pk, roles, by=by.pk)


# --- the last administrator ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["suspend", "remove", "lose the role"])
def test_the_last_active_administrator_stays(acme, ada, wei, owner, act):
    acts = {
        "suspend": lambda: services.suspend(ada.pk, by=ada.pk),
        "remove": lambda: services.remove(ada.pk, by=ada.pk),
        "lose the role": lambda: services.change_roles(ada.pk, [Role.AUDITOR], by=ada.pk),
    }
    with acting_for(acme.pk):
        services.change_roles(ada.pk, [Role.ADMINISTRATOR, Role.AUDITOR], by=wei.pk)
    give(acme, wei, Role.REVIEWER, Role.ADMINISTRATOR, by=ada)
    with acting_for(acme.pk):
        services.suspend(wei.pk, by=ada.pk)  # somebody who is suspended is no active one
    before = everything(owner)
    with pytest.raises(LastAdministrator) as refusal, acting_for(acme.pk, person=ada.pk):
        acts[act]()
    assert "Ada Osei" in str(refusal.value)
    assert everything(owner) == before
    with acting_for(acme.pk):
        services.unsuspend(wei.pk, by=ada.pk)
    with acting_for(acme.pk, person=ada.pk):
        services.remove(ada.pk, by=ada.pk)
    assert roles_of(acme, ada) == []


def test_two_administrators_who_remove_each_other_at_the_same_moment_leave_one(acme, ada, wei):
    for _ in range(3):
        give(acme, wei, Role.ADMINISTRATOR, by=ada)
        pairs = iter([(ada, wei), (wei, ada)])

        def remove(pairs=pairs):
            by, whom = next(pairs)
            with acting_for(acme.pk, person=by.pk):
                services.suspend(whom.pk, by=by.pk)

        ends = at_once(2, remove)
        assert sorted(type(end).__name__ for end in ends) == ["LastAdministrator", "NoneType"]
        with acting_for(acme.pk):
            Membership.objects.update(suspended_at=None)


# --- roles -----------------------------------------------------------------------------------------------------------


def test_nobody_gives_themselves_a_role_but_may_give_one_up(acme, ada, wei, owner):
    give(acme, wei, Role.REVIEWER, Role.ADMINISTRATOR, by=ada)
    before = everything(owner)
    with pytest.raises(NotOnesOwn):
        give(acme, wei, Role.ADMINISTRATOR, Role.RECOVERY_OFFICER, by=wei)
    assert everything(owner) == before
    give(acme, wei, Role.REVIEWER, by=wei)
    assert roles_of(acme, wei) == ["reviewer"]


def test_a_suspended_administrator_does_not_end_their_own_suspension(acme, ada, wei, owner):
    give(acme, wei, Role.ADMINISTRATOR, by=ada)
    with acting_for(acme.pk):
        services.suspend(wei.pk, by=ada.pk)
    before = everything(owner)
    with pytest.raises(NotOnesOwn), acting_for(acme.pk):
        services.unsuspend(wei.pk, by=wei.pk)
    assert everything(owner) == before


@pytest.mark.parametrize("roles", [[], [Role.OPERATOR], [Role.AUDITOR, Role.OPERATOR]])
def test_roles_that_a_tenant_does_not_have_are_not_given(acme, ada, dan, owner, roles):
    before = everything(owner)
    with pytest.raises(RolesNotOffered):
        give(acme, dan, *roles, by=ada)
    assert everything(owner) == before


def test_somebody_of_another_tenant_is_nobody_here(acme, ada, hank, owner):
    client = signed_in(Client(), ada)
    before = everything(owner)
    for deed in (
        lambda: services.change_roles(hank.pk, [Role.AUDITOR], by=ada.pk),
        lambda: services.suspend(hank.pk, by=ada.pk),
        lambda: services.unsuspend(hank.pk, by=ada.pk),
        lambda: services.remove(hank.pk, by=ada.pk),
    ):
        with pytest.raises(NotHere), acting_for(acme.pk):
            deed()
    for act in ("suspend", "end-sessions", "reset-factors", "remove"):
        assert client.post(f"{PEOPLE}{hank.pk}/{act}/").status_code == 404
    assert everything(owner) == before


def test_changing_roles_shows_what_is_gained_and_lost_before_it_does_anything(acme, ada, dan, owner):
    page = Visitor(ada).open(f"{PEOPLE}{dan.pk}/").follow("Change roles")
    before = everything(owner)
    preview = page.press("See what changes", roles="auditor")
    assert everything(owner) == before
    assert "Gained" in preview.text
    assert "Asks for certificates" in preview.text[preview.text.index("Lost") :]
    preview.press("Change roles")
    assert roles_of(acme, dan) == ["auditor"]
    assert codes(acme)[-2:] == ["membership:give", "membership:take"]


# --- suspension ------------------------------------------------------------------------------------------------------


def test_a_suspended_member_cannot_enter_from_the_next_click_on_and_keeps_drafts_and_running_requests(acme, ada, dan):
    draft, running = begun(dan, acme), submitted(dan, acme)
    client = signed_in(Client(), dan)
    assert client.get("/t/acme/").status_code == 200
    Visitor(ada).open(f"{PEOPLE}{dan.pk}/suspend/").press("Suspend")
    assert client.get("/t/acme/").status_code == 404
    assert client.get("/account/").status_code == 200
    with acting_for(acme.pk):
        services.unsuspend(dan.pk, by=ada.pk)
    assert client.get(f"/t/acme/requests/{draft.pk}/").status_code == 200
    assert client.get(f"/t/acme/requests/{running.pk}/").status_code == 200
    assert codes(acme)[-2:] == ["membership:suspend", "membership:unsuspend"]


def test_removing_takes_every_seat_here_and_leaves_the_account_and_other_tenants(acme, globex, ada, vera):
    client = signed_in(Client(), vera)
    with acting_for(acme.pk):
        services.remove(vera.pk, by=ada.pk)
    assert client.get("/t/acme/").status_code == 404
    assert client.get("/t/globex/").status_code == 200


# --- sessions and factors of a member ------------------------------------------------------------------------------


def test_an_administrator_sees_how_many_sessions_there_are_and_ends_them_all(acme, ada, dan, owner):
    phone, desk = signed_in(Client(), dan), signed_in(Client(), dan)
    page = Visitor(ada).open(f"{PEOPLE}{dan.pk}/")
    assert re.search(r"Sessions\s+2\b", page.text)
    assert "127.0.0.1" not in page.text
    Visitor(ada).open(f"{PEOPLE}{dan.pk}/end-sessions/").press("End sessions")
    assert [client.get("/account/").status_code for client in (phone, desk)] == [302, 302]
    assert codes(acme)[-1] == "session:end"
    with acting_for(PLATFORM):
        line = AuditEvent.objects.filter(code="session:end").get()
    assert (line.actor, line.subject, line.facts) == (str(ada.pk), str(dan.pk), {"count": 2, "tenant": str(acme.pk)})
    deliver()
    assert [letter.to for letter in mail.outbox] == [[dan.email]]


def test_an_administrator_resets_the_authenticators_of_a_member(acme, ada, dan):
    enrolled(dan)
    page = Visitor(ada).open(f"{PEOPLE}{dan.pk}/reset-factors/")
    page.press("Reset authenticators", password=PASSWORD)
    with acting_as(dan.pk):
        assert enrolments.confirmed() == []
    assert codes(acme)[-1] == "enrolment:reset"
    with acting_for(PLATFORM):
        assert AuditEvent.objects.filter(code="enrolment:reset", actor=str(ada.pk)).count() == 1
    mail.outbox.clear()
    deliver()
    assert dan.email in [letter.to[0] for letter in mail.outbox]


def test_a_reset_asks_for_the_administrators_password(acme, ada, dan):
    enrolled(dan)
    page = Visitor(ada).open(f"{PEOPLE}{dan.pk}/reset-factors/")
    for answers in ({}, {"password": "wrong"}, {"password": ""}):
        assert page.visitor.post(page.address, answers).status in {403, 422}
    with acting_as(dan.pk):
        assert len(enrolments.confirmed()) == 1
    assert "enrolment:reset" not in codes(acme)
    assert not Errand.objects.filter(args=[str(dan.pk), "factors-reset"]).exists()


def test_nobody_resets_their_own_authenticators_as_an_administrator(acme, ada, owner):
    enrolled(ada)
    visitor = Visitor(ada)
    page = visitor.open(f"{PEOPLE}{ada.pk}/")
    assert f"{PEOPLE}{ada.pk}/reset-factors/" not in page.leads_to
    before = everything(owner)
    with pytest.raises(NotOnesOwnReset):
        ACTS["reset-factors"].do(acme.pk, ada.pk, ada.pk)
    assert everything(owner) == before
    assert visitor.post(f"{PEOPLE}{ada.pk}/reset-factors/", {"password": PASSWORD}).status == 403
    with acting_as(ada.pk):
        assert len(enrolments.confirmed()) == 1


@pytest.mark.parametrize("where", ["seated elsewhere", "suspended here"])
def test_what_guards_other_tenants_is_not_one_administrators_to_take(acme, ada, dan, vera, owner, where):
    whom = vera if where == "seated elsewhere" else dan
    enrolled(whom)
    browser = signed_in(Client(), whom)
    if whom == dan:
        with acting_for(acme.pk):
            services.suspend(dan.pk, by=ada.pk)
    visitor = Visitor(ada)
    page = visitor.open(f"{PEOPLE}{whom.pk}/")
    for word in ("Sessions", "Last seen", "No session is open", "Second factor", "There is none"):
        assert word not in page.text
    assert not {link for link in page.leads_to if link.endswith(("/end-sessions/", "/reset-factors/"))}
    before = everything(owner)
    for act in ("end-sessions", "reset-factors"):
        with pytest.raises(GuardsMore):
            ACTS[act].do(acme.pk, whom.pk, ada.pk)
    assert everything(owner) == before
    for act in ("end-sessions", "reset-factors"):
        assert visitor.post(f"{PEOPLE}{whom.pk}/{act}/", {"password": PASSWORD}).status == 403
    with acting_as(whom.pk):
        assert len(enrolments.confirmed()) == 1
    assert browser.get("/account/").status_code == 200
    assert not {"session:end", "enrolment:reset"} & set(codes(acme))


@pytest.mark.parametrize("act", ["end-sessions", "reset-factors"])
def test_an_act_and_its_lines_in_both_journals_are_one_transaction(acme, ada, dan, owner, act):
    enrolled(dan)
    signed_in(Client(), dan)
    ACTS[act].do(acme.pk, dan.pk, ada.pk)
    code = {"end-sessions": "session:end", "reset-factors": "enrolment:reset"}[act]
    owner.execute("SELECT tenant_id::text, at, facts FROM audit_auditevent WHERE code = %s", [code])
    lines = owner.fetchall()
    assert {tenant for tenant, _at, _facts in lines} == {str(acme.pk), str(PLATFORM)}
    assert len({at for _tenant, at, _facts in lines}) == 1  # the moment at which the transaction began
    assert [facts for _tenant, _at, facts in lines] == [{"count": 1, "tenant": str(acme.pk)}] * 2


# --- the list --------------------------------------------------------------------------------------------------------


def populate(tenant, count):
    with serving("owner"):
        now = clock.now()
        people = [
            User(subject=f"p{n}@x.example", email=f"p{n:03}@x.example", name=f"Person {n % 7}", created_at=now)
            for n in range(count)
        ]
        User.objects.bulk_create(people)
        with acting_for(tenant.pk):
            Membership.objects.bulk_create(Membership(person=person, role="subscriber") for person in people)


@pytest.mark.parametrize("sort", ["name", "-name", "email", "-email"])
def test_pages_hold_everybody_once_in_order_forwards_and_backwards(acme, ada, sort):
    populate(acme, 60)
    for number in range(5):
        invited(acme, ada, email=f"i{number}@x.example")
    wanted, seen, cursor = listing.Wanted(sort=sort), [], {}
    with acting_for(acme.pk):
        while True:
            page = listing.page(wanted, cursor)
            seen.append([entry.pk for entry in page.rows])
            if page.after is None:
                break
            cursor = {"after": page.after}
        everybody = [entry.pk for entry in listing.all_of(wanted)]
        assert [pk for rows in seen for pk in rows] == everybody
        assert len(set(everybody)) == 60 + 6 + 5
        back = listing.page(wanted, {"before": page.before})
    assert [entry.pk for entry in back.rows] == seen[-2]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("role=administrator", {"Ada Osei"}),
        ("state=suspended", {"Jonas Meyer"}),
        ("state=invited", {"New Person"}),
        ("q=KRÁL", {"Dan Král"}),
        ("q=audit.example", {"Vera Lind"}),
        ("role=nonsense&state=nonsense&sort=nonsense&after=nonsense&before=\0", None),
    ],
)
def test_a_filter_shows_who_fits_and_anything_else_is_ignored(acme, ada, jonas, query, names):
    invited(acme, ada)
    with acting_for(acme.pk):
        services.suspend(jonas.pk, by=ada.pk)
    client = signed_in(Client(), ada)
    shown = {entry.name for entry in client.get(f"{PEOPLE}?{query}").context["people"]}
    everybody = {"Petra Nováková", "Dan Král", "Li Wei", "Jonas Meyer", "Ada Osei", "Vera Lind", "New Person"}
    assert shown == (everybody if names is None else names)


def test_the_export_is_what_the_filter_shows_and_no_cell_is_a_formula(acme, ada, owner):
    owner.execute("UPDATE access_user SET name = '=HYPERLINK(1)' WHERE subject = 'dan@acme.example'")
    answer = signed_in(Client(), ada).get(f"{PEOPLE}export.csv?role=subscriber")
    rows = list(csv.reader(io.StringIO(answer.content.decode())))
    assert rows[0] == ["name", "email", "roles", "state"]
    assert [row[0] for row in rows[1:]] == ["'=HYPERLINK(1)", "Petra Nováková"]
    assert answer["Content-Disposition"] == 'attachment; filename="people.csv"'


def test_nobody_of_another_tenant_is_in_the_list(acme, globex, ada, hank, mina):
    invited(globex, hank, email="secret@globex.example")
    client = signed_in(Client(), ada)
    for page in (PEOPLE, f"{PEOPLE}export.csv", f"{PEOPLE}?q=globex"):
        text = client.get(page).content.decode()
        assert "Mina" not in text
        assert "secret@" not in text


# --- invite by CSV ---------------------------------------------------------------------------------------------------

GOOD = "name,email,roles\nEva Malá,eva@acme.example,subscriber\nBo,bo@acme.example,reviewer | Recovery officer\n"


@pytest.fixture
def desk(ada) -> Client:
    return signed_in(Client(), ada)


def upload(desk, content: bytes, **more):
    file = SimpleUploadedFile("people.csv", content, content_type="text/csv")
    return desk.post(f"{PEOPLE}import/", {"file": file, **more})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_file_is_read_whatever_a_spreadsheet_wrote_and_a_guess_is_said(acme, ada, desk, owner, encoding, separator):
    text = GOOD.replace(",", separator)
    content = b"\xff\xfe" + text.encode("utf-16-le") if encoding == "utf-16-le-bom" else text.encode(encoding)
    before = everything(owner)
    shown = upload(desk, content).content.decode()
    assert everything(owner) == before
    assert "2 people will be invited" in shown
    assert "Eva Malá" in shown
    assert ("Windows-1252" in shown) is (encoding == "cp1252")


def test_what_was_previewed_is_invited_with_one_press_and_members_are_left_out(acme, ada):
    invited(acme, ada, email="bo@acme.example")
    page = Visitor(ada).open(f"{PEOPLE}import/")
    preview = page.press("Check the lines", rows=GOOD + "Dan,DAN@acme.example,auditor\n")
    assert "1 person will be invited" in preview.text
    assert "1 is a member already" in preview.text
    assert "1 is invited already" in preview.text
    preview.press("Send invitations")
    with acting_for(acme.pk):
        assert set(Invitation.objects.values_list("email", flat=True)) == {"eva@acme.example", "bo@acme.example"}
    deliver()
    assert sorted(letter.to[0] for letter in mail.outbox) == ["bo@acme.example", "eva@acme.example"]


FAULTY = """name,email,roles
Eva,eva@acme.example,subscriber
=cmd|'/c calc',f@acme.example,subscriber
Bo,bo-at-acme,subscriber
,noname@acme.example,subscriber
Cy,cy@acme.example,king
Di,di@acme.example,
Eva Two,EVA@acme.example,auditor
Op,op@acme.example,operator
A\u202eB,ab@acme.example,auditor
"""


def test_every_fault_is_told_with_its_line_and_nobody_is_invited(acme, ada, desk, owner):
    before = everything(owner)
    answer = upload(desk, FAULTY.encode(), confirmed="1")
    text = answer.content.decode()
    assert answer.status_code == 422
    assert re.findall(r"Line (\d+):", text) == ["3", "4", "5", "6", "7", "8", "9", "10"]
    assert everything(owner) == before


def test_a_file_of_nothing_but_faults_costs_no_more_than_what_is_told(acme, ada, desk, owner, monkeypatch):
    judged = []
    monkeypatch.setattr(roster, "_role", lambda word, _offered: judged.append(word))
    kings, many = "|".join(["king"] * 20), "|".join(["x"] * 500)
    rows = [f"P{n},p{n}@x.example,{many if n % 2 else kings}" for n in range(500)]
    before = everything(owner)
    answer = upload(desk, "\n".join(["name,email,roles", *rows]).encode(), confirmed="1")
    text = answer.content.decode()
    assert answer.status_code == 422
    assert len(re.findall(r"Line \d+:", text)) == roster.MOST_FAULTS
    assert "there is more: after so many faults the rest was not looked at" in text
    assert "Line 3: There are too many roles; there are only subscriber" in text
    assert len(judged) <= roster.MOST_FAULTS + roster.MOST_WORDS
    assert everything(owner) == before


def test_a_file_is_read_while_no_unit_of_work_waits_for_it(acme, ada, desk, monkeypatch):
    units = []
    read = roster.read

    def watched(*given):
        units.append(current_unit())
        return read(*given)

    monkeypatch.setattr(roster, "read", watched)
    assert upload(desk, GOOD.encode()).status_code == 200
    assert units == [None]


def test_an_address_that_is_too_long_is_a_fault_like_any_other(acme, ada, desk, owner):
    before = everything(owner)
    answer = upload(desk, f"name,email,roles\nEva,{LONG},subscriber\n".encode(), confirmed="1")
    assert answer.status_code == 422
    assert "Line 2:" in answer.content.decode()
    assert everything(owner) == before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "nothing to read"),
        (b"name,email,roles\n", "nobody in it"),
        (b"Eva,eva@acme.example,subscriber\n", "Missing: name, email, roles"),
        (b'name,email,roles\n"Eva,eva@acme.example,subscriber\n' + b"x" * 140_000, "cannot be read as CSV"),
        (b"PK\x03\x04\0\0\0", "not text"),
        (b"\xff\xfe\x00", "not text"),
        (b"name,email,roles\n" + b"A,a@b.example,auditor\n" * 1001, "At most 1000"),
    ],
)
def test_a_file_that_is_none_is_refused_in_plain_words(acme, ada, desk, owner, content, said):
    before = everything(owner)
    answer = upload(desk, content)
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert everything(owner) == before


def test_a_hundred_thousand_rows_are_refused_with_the_limit_before_they_are_read(acme, ada, desk, owner):
    content = "name,email,roles\n" + "".join(f"P{n},p{n}@x.example,subscriber\n" for n in range(100_000))
    before = everything(owner)
    answer = upload(desk, content.encode())
    assert answer.status_code == 422
    assert "At most 1000" in answer.content.decode()
    with pytest.raises(roster.NotReadable, match="At most 1000"):
        roster.read(content, [Role.SUBSCRIBER])
    assert everything(owner) == before


def test_a_thousand_rows_are_invited(acme, ada, desk):
    lines = "name,email,roles\n" + "".join(f"P{n},p{n}@x.example,subscriber\n" for n in range(1000))
    assert upload(desk, lines.encode(), confirmed="1").status_code == 302
    with acting_for(acme.pk):
        assert Invitation.objects.count() == 1000
        assert AuditEvent.objects.filter(code="invitation:make").count() == 1000
    again = Visitor(ada).open(f"{PEOPLE}invite/")
    refused = again.press("Send invitation", name="One more", email="more@x.example", roles="auditor")
    assert refused.status == 429


# --- invitations on the list -----------------------------------------------------------------------------------------


def test_an_invitation_is_sent_again_or_withdrawn_from_the_list(acme, ada):
    invitation = invited(acme, ada)
    deliver()
    with clock.frozen(clock.now() + timedelta(minutes=16)):
        Visitor(ada).open(PEOPLE).press("Send again")
    deliver()
    assert len(mail.outbox) == 2
    Visitor(ada).open(PEOPLE).press("Withdraw invitation")
    with acting_for(acme.pk):
        assert Invitation.objects.get(pk=invitation.pk).withdrawn_at
    assert [code for code in codes(acme) if code.startswith("invitation:")] == [
        "invitation:make", "invitation:send", "invitation:resend", "invitation:send", "invitation:withdraw",
    ]  # fmt: skip


def test_every_naughty_value_is_refused_or_ignored_and_never_an_accident(acme, ada, dan, desk):
    with acting_for(acme.pk):
        before = Membership.objects.count()
    for what, value in NAUGHTY.items():
        for name in ("q", "role", "state", "sort", "after", "before"):
            assert desk.get(PEOPLE, {name: value}).status_code == 200, (what, name)
        row = ",".join(f'"{cell}"' for cell in [value.replace('"', "'")] * 3)
        for path, posted in {
            f"{PEOPLE}invite/": {"name": value, "email": value, "roles": value},
            f"{PEOPLE}import/": {"rows": f"name,email,roles\n{row}", "confirmed": "1"},
            f"{PEOPLE}{dan.pk}/roles/": {"roles": value, "confirmed": "1"},
            "/account/sessions/end/": {"which": value},
        }.items():
            assert desk.post(path, posted).status_code in {302, 400, 422}, (what, path)
    with acting_for(acme.pk):
        assert Membership.objects.count() == before
        assert not Invitation.objects.exists()


def test_sessions_are_told_in_words_and_never_by_their_key(dan):
    signed_in(Client(), dan)
    [row] = sessions.of_person(dan.pk)
    assert sessions.handle_of(row.session_key) not in row.session_key
    assert row.person_id == dan.pk
