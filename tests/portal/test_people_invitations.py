"""Joining a tenant: by an invitation that its addressee takes, once, and by nothing else."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.core import mail
from django.db import DatabaseError, connection, transaction
from django.test import Client

from portal.foundation import clock
from portal.foundation.access import invitations, services
from portal.foundation.access.errors import (
    AlreadyInvited,
    AlreadyMember,
    InvitationOver,
    InvitedAsAnother,
    InvitedTooOften,
    NameNotReadable,
    NotAnAddress,
    RolesNotOffered,
    TooManyInvitations,
)
from portal.foundation.access.links import address_of, read_link
from portal.foundation.access.models import Invitation, Membership, User
from portal.foundation.access.permissions import Role
from portal.foundation.access.words import harmless
from portal.foundation.audit.models import AuditEvent
from portal.foundation.outbox.drain import run
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy import services as tenancy
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import Tenant
from tests.rows import everything
from tests.web.browsing import Visitor
from tests.world import PASSWORD, at_once, invited, serving, signed_in

pytestmark = pytest.mark.django_db(transaction=True)

NEW = "new@acme.example"
LONG = f"{'a' * 60}@{'.'.join(['b' * 60] * 3)}.bcd.example"
"""255 characters, and right but for their number."""


def deliver() -> None:
    """Do what the messages worker does, with its grants."""
    for errand in Errand.objects.filter(queue="messages", done_at=None):
        with serving("messages"):
            run(errand)
        errand.refresh_from_db()
        assert errand.done_at, errand.last_error


def link_in(message) -> str:
    [link] = re.findall(r"^ {4}(http\S+)$", message.body, re.MULTILINE)
    return link


def path_of(invitation) -> str:
    address = address_of(invitation.tenant_id, invitation.pk)
    return address[address.index("/invitation/") :]


def roles_of(tenant, person) -> list[str]:
    with acting_for(tenant.pk):
        return sorted(Membership.objects.filter(person=person).values_list("role", flat=True))


def codes(tenant) -> list[str]:
    with acting_for(tenant.pk):
        return list(AuditEvent.objects.order_by("pk").values_list("code", flat=True))


# --- the whole way -------------------------------------------------------------------------------------------------


def test_somebody_new_sets_a_password_and_belongs_and_the_link_is_used_up(acme, ada):
    invited(acme, ada, roles=(Role.SUBSCRIBER, Role.REVIEWER))
    deliver()
    [letter] = mail.outbox
    assert letter.to == [NEW]
    assert "Acme Industries" in letter.subject
    link = link_in(letter)

    browser = Visitor()
    page = browser.open(link.removeprefix(link[: link.index("/invitation/")]))
    assert "link=" not in page.address
    home = page.press("Accept invitation", new="a few odd words here")
    assert home.address == "/t/acme/"
    made = User.objects.get(subject=NEW)
    assert (made.email, made.name, made.issuer) == (NEW, "New Person", "local")
    assert roles_of(acme, made) == ["reviewer", "subscriber"]
    assert codes(acme)[-6:] == [
        "invitation:make", "invitation:send", "person:join", "invitation:accept", "membership:give", "membership:give",
    ]  # fmt: skip
    assert Visitor().open(path_of(_only(acme))).status == 409
    fresh = Client()
    fresh.post("/sign-in/", {"username": NEW, "password": "a few odd words here"})
    assert fresh.get("/t/acme/").status_code == 200


def _only(tenant) -> Invitation:
    with acting_for(tenant.pk):
        return Invitation.objects.get()


def test_somebody_known_signs_in_and_accepts_and_keeps_their_account(acme, ada, hank):
    invitation = invited(acme, ada, email="Hank@Globex.example ")
    browser = Visitor()
    page = browser.open(path_of(invitation)).follow("Sign in to accept")
    page = page.press("Sign in", username="hank@globex.example", password=PASSWORD)
    assert page.address == "/invitation/"
    assert roles_of(acme, hank) == []
    page.press("Accept invitation")
    assert roles_of(acme, hank) == ["subscriber"]
    assert User.objects.filter(email__iexact="hank@globex.example").count() == 1


def test_an_invited_person_who_does_nothing_belongs_to_nothing(acme, ada, hank, owner):
    invited(acme, ada, email="hank@globex.example")
    deliver()
    assert roles_of(acme, hank) == []
    assert signed_in(Client(), hank).get("/t/acme/").status_code == 404
    owner.execute("SELECT count(*) FROM access_user WHERE subject = %s", [NEW])
    assert owner.fetchone() == (0,)


# --- links -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fate", ["withdrawn", "taken", "lapsed", "another tenant's", "made up", "none"])
def test_a_link_that_counts_no_more_seats_nobody_and_says_the_same_whatever_it_is(acme, globex, ada, hank, owner, fate):
    invitation = invited(acme, ada, email=hank.email)
    path = path_of(invitation)
    match fate:
        case "withdrawn":
            with acting_for(acme.pk):
                services.withdraw(invitation.pk, by=ada.pk)
        case "taken":
            with acting_for(acme.pk, person=hank.pk):
                services.accept(invitation.pk, hank)
            with acting_for(acme.pk):
                services.remove(hank.pk, by=ada.pk)
        case "another tenant's":
            path = "/invitation/?link=" + address_of(globex.pk, invitation.pk).partition("link=")[2]
        case "made up":
            path = path[:-1] + ("A" if path[-1] != "A" else "B")
        case "none":
            path = "/invitation/"
    client = signed_in(Client(), hank)
    before = everything(owner)
    later = clock.frozen(clock.now() + timedelta(days=7, seconds=1) if fate == "lapsed" else clock.now())
    with later:
        shown = client.get(path, follow=True)
        answered = client.post("/invitation/")
    if fate == "lapsed":  # the session is too old by then as well: asked again by somebody who just came
        with clock.frozen(clock.now() + timedelta(days=7, seconds=1)):
            fresh = Client()
            shown = fresh.get(path, follow=True)
            answered = fresh.post("/invitation/")
    assert (shown.status_code, answered.status_code) == (409, 409)
    assert b"invitation-over" in shown.content
    assert everything(owner) == before
    assert roles_of(acme, hank) == []


def test_a_link_that_was_passed_on_seats_nobody_else(acme, ada, hank, owner):
    path = path_of(invited(acme, ada))
    client = signed_in(Client(), hank)
    client.get(path, follow=True)
    before = everything(owner)
    assert client.post("/invitation/").status_code == 403
    assert everything(owner) == before
    invitation = _only(acme)
    with pytest.raises(InvitedAsAnother), acting_for(acme.pk, person=hank.pk):
        services.accept(invitation.pk, hank)


def test_an_invitation_is_taken_once_however_many_press_at_once(acme, ada, hank):
    invitation = invited(acme, ada, email=hank.email)

    def take():
        with acting_for(acme.pk, person=hank.pk):
            services.accept(invitation.pk, hank)

    ends = at_once(4, take)
    assert sorted(type(end).__name__ for end in ends) == ["InvitationOver"] * 3 + ["NoneType"]
    assert codes(acme).count("membership:give") == 1


def test_nobody_seats_themselves_without_an_invitation_even_past_the_services(acme, hank):
    with pytest.raises(DatabaseError, match="nobody gives themselves a role"), acting_for(acme.pk, person=hank.pk):
        Membership(person=hank, role=Role.ADMINISTRATOR).save()
    assert roles_of(acme, hank) == []


@pytest.mark.parametrize("text", ["", "x", "a:b:c", "\0", "é" * 5000, "W10:1vM:x"])
def test_what_we_did_not_sign_is_no_link(text):
    with pytest.raises(InvitationOver):
        read_link(text)


@pytest.mark.parametrize("password", ["short", "password1234", "1" * 11])
def test_a_weak_password_makes_no_account(acme, ada, owner, password):
    browser = Visitor()
    page = browser.open(path_of(invited(acme, ada)))
    before = everything(owner)
    assert page.press("Accept invitation", new=password).status == 422
    assert everything(owner) == before


# --- what a hostile tenant learns and can do ------------------------------------------------------------------------


def test_an_address_with_an_account_and_one_without_get_the_same_answer_and_the_same_traces(acme, ada, hank, owner):
    """What is asked of the database does not depend on who has an account; only the mailbox's owner sees it."""
    answers, lines = [], []
    for email in (hank.email, "nobody@globex.example"):
        page = Visitor(ada).open("/t/acme/people/invite/")
        answer = page.press("Send invitation", name="Somebody", email=email, roles="subscriber")
        answers.append((answer.status, answer.address, answer.text.count(email)))
        lines.append(codes(acme)[-1])
    assert answers[0] == answers[1]
    assert lines == ["invitation:make"] * 2
    deliver()
    first, second = (letter.body.replace(link_in(letter), "LINK") for letter in mail.outbox)
    assert first == second


def test_an_hour_has_so_many_invitations_and_a_race_gets_no_more(acme, ada, monkeypatch, owner):
    monkeypatch.setattr(invitations, "MOST_AN_HOUR", 3)
    numbers = iter(range(10))

    def one():
        with acting_for(acme.pk):
            services.invite(email=f"a{next(numbers)}@x.example", name="A", roles=[Role.SUBSCRIBER], by=ada.pk)

    ends = at_once(6, one)
    assert sorted(type(end).__name__ for end in ends) == ["NoneType"] * 3 + ["TooManyInvitations"] * 3
    refusal = next(end for end in ends if isinstance(end, TooManyInvitations))
    assert 0 < refusal.facts["seconds"] <= 3600
    with clock.frozen(clock.now() + timedelta(minutes=61)):
        one()


def test_one_address_is_not_flooded_by_withdrawing_and_inviting_again(acme, ada):
    for _ in range(3):
        invitation = invited(acme, ada)
        with pytest.raises(InvitedTooOften), acting_for(acme.pk):
            services.resend(invitation.pk, by=ada.pk)
        with acting_for(acme.pk):
            services.withdraw(invitation.pk, by=ada.pk)
    with pytest.raises(InvitedTooOften):
        invited(acme, ada)


def test_one_address_is_not_flooded_by_sending_again_all_day(acme, ada, owner):
    """Three mails a day, whichever of its invitations they belong to; the day after there are more."""
    start = clock.now()
    with clock.frozen(start):
        invitation = invited(acme, ada)
    for minutes in (16, 32):
        with clock.frozen(start + timedelta(minutes=minutes)), acting_for(acme.pk):
            services.resend(invitation.pk, by=ada.pk)
    before = everything(owner)
    with clock.frozen(start + timedelta(hours=23)):
        with pytest.raises(InvitedTooOften) as refused, acting_for(acme.pk):
            services.resend(invitation.pk, by=ada.pk)
        assert everything(owner) == before
        assert refused.value.seconds == 3600
        with acting_for(acme.pk):
            services.withdraw(invitation.pk, by=ada.pk)
        before = everything(owner)
        with pytest.raises(InvitedTooOften):
            invited(acme, ada)
        assert everything(owner) == before
    with clock.frozen(start + timedelta(hours=24, minutes=1)):
        invited(acme, ada)


@pytest.mark.parametrize("state", ["suspended", "closed"])
def test_an_invitation_into_a_tenant_at_rest_seats_nobody(acme, ada, hank, olu, owner, state):
    known, new = invited(acme, ada, email=hank.email), invited(acme, ada)
    if state == "suspended":
        tenancy.suspend_tenant(acme, "Unpaid.", by=olu.pk)
    else:
        with clock.frozen(clock.now() - timedelta(days=8)):
            tenancy.close_tenant(acme, 7, "Over.", by=olu.pk)
    clients = {known: signed_in(Client(), hank), new: Client()}
    before = everything(owner)
    for invitation, client in clients.items():
        shown = client.get(path_of(invitation), follow=True)
        answered = client.post("/invitation/", {"name": "New Person", "new": "a few odd words here"})
        assert (shown.status_code, answered.status_code) == (409, 409)
        assert b"invitation-over" in shown.content
    with pytest.raises(InvitationOver), acting_for(acme.pk, person=hank.pk):
        services.accept(known.pk, hank)
    assert everything(owner) == before


def test_a_suspension_that_is_under_way_when_somebody_accepts_counts(acme, ada, hank):
    invitation = invited(acme, ada, email=hank.email)
    settled = Barrier(2)

    def join():
        settled.wait(10)
        try:
            with acting_for(acme.pk, person=hank.pk):
                services.accept(invitation.pk, hank)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Tenant.objects.filter(pk=acme.pk).update(suspended_at=clock.now())
            joining = pool.submit(join)
            settled.wait(10)
            with pytest.raises(TimeoutError):
                joining.result(timeout=0.5)
        with pytest.raises(InvitationOver):
            joining.result(timeout=10)
    assert roles_of(acme, hank) == []
    assert codes(acme)[-1] == "invitation:make"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Acme s.r.o.", "Acme s. r. o."),
        ("Pay at https://evil.example/x now", "Pay at https evil. example x now"),
        ("A\nBcc: x@y.example\n\nHello", "A Bcc x y. example Hello"),
        ("\u202egnorW\u2066 side", "gnorW side"),
        ("Ünï & Sons' (EU), Nováková", "Ünï & Sons' (EU), Nováková"),
        ("x" * 500, "x" * 80),
    ],
)
def test_a_tenants_name_plays_no_tricks_in_somebody_elses_mail(name, shown):
    assert harmless(name) == shown


def test_the_mail_is_one_line_of_subject_whatever_the_tenant_is_called(acme, ada, owner):
    owner.execute("UPDATE tenancy_tenant SET name = %s WHERE id = %s", ["Evil\nBcc: a@b.example", str(acme.pk)])
    invited(acme, ada)
    deliver()
    message = mail.outbox[0].message()
    assert message["Subject"] == "Invitation to Evil Bcc a b. example"
    assert message["Bcc"] is None


def test_a_withdrawn_invitation_is_not_sent_any_more(acme, ada):
    invitation = invited(acme, ada)
    with acting_for(acme.pk):
        services.withdraw(invitation.pk, by=ada.pk)
    deliver()
    assert mail.outbox == []


def test_the_worker_that_writes_links_signs_like_the_web_and_shares_nothing_else(service_environment):
    web, messages, signing = (service_environment(service) for service in ("web", "messages", "signing"))
    assert messages["PORTAL_SECRET_KEY_FILE"] == web["PORTAL_SECRET_KEY_FILE"] != signing["PORTAL_SECRET_KEY_FILE"]
    assert messages["PORTAL_FACTOR_KEY_FILE"] != web["PORTAL_FACTOR_KEY_FILE"]


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "refusal"),
    [
        ({"email": "dan@acme.example"}, AlreadyMember),
        ({"email": "DAN@acme.example"}, AlreadyMember),
        ({"email": NEW}, AlreadyInvited),
        ({"email": "a@b"}, NotAnAddress),
        ({"email": LONG}, NotAnAddress),
        ({"email": "a@b.example\nBcc: c@d.example"}, NotAnAddress),
        ({"name": " "}, NameNotReadable),
        ({"name": "A\u202eB"}, NameNotReadable),
        ({"roles": ()}, RolesNotOffered),
        ({"roles": (Role.OPERATOR,)}, RolesNotOffered),
    ],
)
def test_what_cannot_be_invited_leaves_nothing_behind(acme, ada, dan, owner, wish, refusal):
    invited(acme, ada)
    before = everything(owner)
    wanted = {"email": "x@y.example", "name": "X", "roles": (Role.SUBSCRIBER,), **wish}
    with pytest.raises(refusal), acting_for(acme.pk):
        services.invite(by=ada.pk, **wanted)
    assert everything(owner) == before


def test_a_lapsed_invitation_does_not_stand_in_the_way_of_a_new_one(acme, ada):
    with clock.frozen(clock.now() - timedelta(days=8)):
        invited(acme, ada)
    invited(acme, ada)
    assert codes(acme)[-2:] == ["invitation:withdraw", "invitation:make"]
