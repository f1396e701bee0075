"""One's own account: sessions, passwords forgotten and changed, an authenticator from set-up to the wizard's end."""

import base64
import re
from datetime import timedelta
from statistics import median
from time import perf_counter
from urllib.parse import unquote

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client

from auth2fa import enrolments
from auth2fa.account import changes
from auth2fa.account.agents import in_words
from auth2fa.errors import ChallengeOver, EnrolmentOver
from auth2fa.login import passwords
from auth2fa.login.links import link_for
from auth2fa.models import Challenge, Enrolment, SignedIn
from lifecycle.requests.models import CertificateRequest
from portal.foundation import clock
from portal.foundation.access.models import User
from portal.foundation.audit.models import AuditEvent
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_as, acting_for
from portal.foundation.tenancy.models import PLATFORM
from tests.portal.test_people_invitations import codes, deliver, link_in, path_of
from tests.rows import everything
from tests.web.browsing import Visitor, another, code_sent
from tests.world import (
    PASSWORD,
    as_person,
    at_once,
    begun,
    code_at,
    csr,
    enrolled,
    filled,
    invited,
    issued,
    next_policies,
    signed_in,
    waiting,
)

pytestmark = pytest.mark.django_db(transaction=True)

FRESH = "a few odd words here"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"


def signing_in(name, password=PASSWORD, **more) -> Client:
    client = Client(**more)
    client.post("/sign-in/", {"username": name, "password": password})
    return client


def is_in(client) -> bool:
    return client.get("/account/").status_code == 200


def platform_codes():
    with acting_for(PLATFORM):
        return list(AuditEvent.objects.order_by("pk").values_list("code", flat=True))


# --- sessions --------------------------------------------------------------------------------------------------------


def test_a_session_knows_whose_it_is_since_when_from_where_and_with_what(petra):
    signing_in(petra.subject, headers={"User-Agent": FIREFOX}, REMOTE_ADDR="192.0.2.7")
    [row] = SignedIn.objects.all()
    assert (row.person_id, row.address, row.agent) == (petra.pk, "192.0.2.7", FIREFOX)
    assert abs((row.began_at - clock.now()).total_seconds()) < 10
    page = signing_in(petra.subject, headers={"User-Agent": FIREFOX}).get("/account/").content.decode()
    assert page.count("Firefox on Windows") >= 2
    assert "192.0.2.7" in page
    assert row.session_key not in page


def test_somebody_who_looks_at_the_sign_in_page_leaves_no_session(client):
    client.get("/sign-in/")
    assert not SignedIn.objects.exists()


def test_one_ends_another_session_of_ones_own_and_nobody_elses(petra, dan):
    here, there, theirs = (signed_in(Client(), person) for person in (petra, petra, dan))
    page = here.get("/account/")
    handles = [row["handle"] for row in page.context["sessions"] if not row["current"]]
    own = next(row["handle"] for row in page.context["sessions"] if row["current"])
    foreign = theirs.get("/account/").context["sessions"][0]["handle"]
    for which in (own, foreign, "", "nonsense"):
        here.post("/account/sessions/end/", {"which": which})
    assert is_in(here)
    assert is_in(there)
    assert is_in(theirs)
    here.post("/account/sessions/end/", {"which": handles[0]})
    assert not is_in(there)
    assert is_in(here)
    assert platform_codes().count("session:end") == 1


def test_all_other_sessions_end_and_this_one_stays(petra):
    here, *others = (signed_in(Client(), petra) for _ in range(4))
    here.post("/account/sessions/end/", {"which": "others"})
    assert [is_in(client) for client in (here, *others)] == [True, False, False, False]


def test_sessions_that_expired_are_swept_by_who_signs_in(petra):
    with clock.frozen(clock.now() - timedelta(days=3)):
        SignedIn.objects.create(session_key="old", session_data="", expire_date=clock.now())
    signing_in(petra.subject)
    assert not SignedIn.objects.filter(session_key="old").exists()


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox on Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1.15", "Safari on macOS"),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/130.0 Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/130.0 Safari/537.36 Edg/130.0", "Edge on Windows"),
        ("curl/8", "curl"),
        ("", "An unknown browser"),
        ("<script>alert(1)</script>", "An unknown browser"),
    ],
)
def test_a_browser_is_named_in_words(agent, words):
    assert in_words(agent) == words


# --- passwords -------------------------------------------------------------------------------------------------------


def forget(name, **more):
    return Client(**more).post("/password/forgotten/", {"username": name})


def new_password_page(link):
    return Visitor().open(link[link.index("/password/") :])


def test_a_forgotten_password_is_set_anew_by_the_link_and_every_session_ends(petra):
    sessions = [signed_in(Client(), petra), signed_in(Client(), petra)]
    forget("  Petra@acme.example ")
    deliver()
    [letter] = mail.outbox
    assert letter.to == [petra.email]
    page = new_password_page(link_in(letter))
    assert "link=" not in page.address
    done = page.press("Set password", new=FRESH)
    assert done.address == "/sign-in/"
    assert not any(is_in(client) for client in sessions)
    assert is_in(signing_in(petra.subject, FRESH))
    assert not is_in(signing_in(petra.subject))
    deliver()
    assert "password was changed" in mail.outbox[-1].body
    assert new_password_page(link_in(letter)).status == 409
    assert [code for code in platform_codes() if code.startswith("password:")] == ["password:forget", "password:change"]


def test_no_session_holds_a_mails_link_and_its_cookie_goes_to_its_page_alone(petra, acme, ada):
    invitation = path_of(invited(acme, ada))
    for path, link in {"/password/new/": link_for(petra), "/invitation/": invitation.partition("link=")[2]}.items():
        browser = Client()
        assert browser.get(path, {"link": unquote(link)}, follow=True).status_code == 200
        [cookie] = [cookie for name, cookie in browser.cookies.items() if name.endswith("-link")]
        assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == (path, True, "Lax")
        assert cookie["max-age"] == 30 * 60
        kept = [row.get_decoded() for row in SignedIn.objects.all()]
        assert link not in str(kept)
        assert unquote(link) not in str(kept)
        browser.cookies[cookie.key] = "x" * 5000
        assert browser.get(path).status_code == 409


def test_known_and_unknown_names_get_the_same_answer_the_same_work_and_one_gets_a_mail(petra):
    answers = [forget(name) for name in (petra.subject, "nobody@acme.example")]
    texts = [re.sub(rb'name="csrfmiddlewaretoken" value="[^"]*"', b"", answer.content) for answer in answers]
    assert texts[0] == texts[1]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert Errand.objects.filter(task="auth2fa.tasks.send_reset").count() == 2
    deliver()
    assert [letter.to for letter in mail.outbox] == [[petra.email]]


def test_the_time_does_not_tell_who_has_an_account(petra, monkeypatch):
    times = {petra.subject: [], "nobody@acme.example": []}
    for number in range(12):
        for name, taken in times.items():
            started = perf_counter()
            forget(name, REMOTE_ADDR=f"192.0.2.{number}")
            taken.append(perf_counter() - started)
        with acting_for(PLATFORM):
            passwords.throttle.FailedSignIns.objects.all().delete()
    known, unknown = (median(taken) for taken in times.values())
    assert 0.5 < known / unknown < 2


def test_asking_is_slowed_down_and_keeps_nobody_from_signing_in(petra):
    answers = [forget(petra.subject).status_code for _ in range(8)]
    assert answers[:6] == [200] * 6
    assert 429 in answers
    assert is_in(signing_in(petra.subject))


@pytest.mark.parametrize("fate", ["old", "used", "signed in since", "switched off", "another's", "made up"])
def test_a_link_that_counts_no_more_changes_nothing(petra, dan, owner, fate):
    link = link_for(petra)
    match fate:
        case "used":
            passwords.set_by_link(link, "some other odd words")
        case "signed in since":
            signing_in(petra.subject)
        case "switched off":
            owner.execute("UPDATE access_user SET is_active = false WHERE id = %s", [str(petra.pk)])
        case "another's":
            link = f"{dan.pk.hex}.{link.partition('.')[2]}"
        case "made up":
            link = f"{petra.pk.hex}.abc-def"
    before = everything(owner)
    with clock.frozen(clock.now() + timedelta(minutes=31 if fate == "old" else 0)):
        browser = Client()
        assert browser.get("/password/new/", {"link": link}, follow=True).status_code == 409
        assert browser.post("/password/new/", {"new": FRESH}).status_code == 409
    assert everything(owner) == before


def test_of_two_who_use_a_link_at_the_same_moment_one_sets_the_password(petra):
    link, words = link_for(petra), iter(["first odd words here", "second odd words here"])
    ends = at_once(2, lambda: passwords.set_by_link(link, next(words)))
    assert sorted(type(end).__name__ for end in ends) == ["LinkOver", "User"]
    assert platform_codes().count("password:change") == 1


def test_changing_the_password_asks_for_the_old_one_and_ends_the_other_sessions(petra, owner):
    other = signed_in(Client(), petra)
    page = Visitor(petra).open("/account/password/")
    before = User.objects.get(pk=petra.pk).password
    assert page.press("Change password", old="wrong", new=FRESH).status == 422
    assert page.press("Change password", old=PASSWORD, new="too short").status == 422
    assert User.objects.get(pk=petra.pk).password == before
    done = page.press("Change password", old=PASSWORD, new=FRESH)
    assert done.address == "/account/"
    assert not is_in(other)
    assert is_in(page.visitor.client)
    assert is_in(signing_in(petra.subject, FRESH))


def test_guessing_the_old_password_is_slowed_down_like_signing_in(petra):
    client = signed_in(Client(), petra)
    answers = [client.post("/account/password/", {"old": "wrong", "new": FRESH}).status_code for _ in range(8)]
    assert answers[:6] == [422] * 6
    assert 429 in answers
    assert client.post("/account/password/", {"old": PASSWORD, "new": FRESH}).status_code == 429


# --- authenticators --------------------------------------------------------------------------------------------------


def shown_secret(page) -> bytes:
    [groups] = re.findall(r"\b(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}\b", page.text)
    return base64.b32decode(groups.replace(" ", ""))


def test_an_authenticator_is_set_up_by_its_first_code_told_and_removed_with_the_password(petra):
    page = Visitor(petra).open("/account/").follow("Add an authenticator")
    assert page.press("Next", label="Telephone", password="wrong").status == 422
    page = page.press("Next", label="Telephone", password=PASSWORD)
    assert mail.outbox[-1].to == [petra.email]
    assert page.press("Show the QR code", code=another(code_sent())).status == 422
    page = page.press("Show the QR code", code=code_sent())
    secret = shown_secret(page)
    picture = page.visitor.client.get(f"{page.address}qr.svg")
    assert (picture["Content-Type"], picture["Cache-Control"]) == ("image/svg+xml", "no-store")
    assert b"style" not in picture.content
    assert page.press("Finish set-up", code="000 00").status == 422
    done = page.press("Finish set-up", code=code_at(secret))
    assert done.address == "/account/"
    assert "Telephone" in done.text
    assert page.visitor.open(page.address).status == 409  # the secret is not shown again
    assert page.visitor.client.get(f"{page.address}qr.svg").status_code == 409
    deliver()
    assert "authenticator app was added" in mail.outbox[-1].body
    removing = done.follow("Remove Telephone")
    assert removing.press("Next", password="wrong").status == 422
    removing = removing.press("Next", password=PASSWORD)
    assert "Enter the code from your authenticator" in removing.text
    assert removing.press("Remove authenticator", code=code_at(secret)).status == 422  # it was used to set it up
    assert removing.press("Remove authenticator", code=code_at(secret, steps=1)).address == "/account/"
    with acting_as(petra.pk):
        assert enrolments.confirmed() == []
    assert [code for code in platform_codes() if code.startswith("enrolment:")] == [
        "enrolment:confirm",
        "enrolment:remove",
    ]


def changing(person, way, row):
    """Show the password, as somebody who knows nothing else; return the page that asks for a code."""
    path = "/account/authenticators/add/" if way == "add" else f"/account/authenticators/{row.pk}/remove/"
    named = {"label": "Theirs"} if way == "add" else {}
    return Visitor(person).open(path).press("Next", password=PASSWORD, **named)


@pytest.mark.parametrize("way", ["add", "remove"])
def test_the_password_alone_adds_no_authenticator_and_takes_none_away(petra, owner, way):
    row, secret = enrolled(petra)
    page = changing(petra, way, row)
    assert page.address == "/account/authenticators/code/"
    assert "Enter the code from your authenticator" in page.text
    assert mail.outbox == []  # a mailbox is no way round the app
    word = "Show the QR code" if way == "add" else "Remove authenticator"
    near = {code_at(secret, steps=steps) for steps in range(-2, 6)}
    wrong = next(code for code in (f"{n:06}" for n in range(20)) if code not in near)
    assert [page.press(word, code=wrong).status for _ in range(5)] == [422] * 5
    assert page.press(word, code=code_at(secret)).status == 409
    owner.execute("SELECT count(*) FILTER (WHERE removed_at IS NULL), count(*) FROM auth2fa_enrolment")
    assert owner.fetchone() == (1, 1)
    assert not {"enrolment:remove", "factor:spend"} & set(platform_codes())
    assert not Errand.objects.filter(args=[str(petra.pk), "factor-removed"]).exists()


@pytest.mark.parametrize("way", ["add", "remove"])
def test_a_code_that_one_browser_was_given_does_nothing_for_another(petra, owner, way):
    row, secret = enrolled(petra)
    theirs, own = changing(petra, way, row), changing(petra, way, row)
    change = changes.kept(own.visitor.client.session)
    changes.answer(as_person(petra), change, code_at(secret))  # answered, and not yet spent
    word = "Show the QR code" if way == "add" else "Remove authenticator"
    before = everything(owner)
    with pytest.raises(ChallengeOver):
        changes.carry_out(theirs.visitor.client.session, as_person(petra), change)
    assert everything(owner) == before
    assert theirs.press(word, code=code_at(secret)).status == 422  # used once, for the other one
    assert own.visitor.open(own.address).press(word, code=code_at(secret)).status == 200


def test_a_mailbox_is_enough_no_more_once_there_is_an_authenticator(petra, owner):
    page = changing(petra, "add", None)
    code = code_sent()
    enrolled(petra)
    refused = page.press("Show the QR code", code=code)
    assert refused.status == 409
    owner.execute("SELECT count(*) FROM auth2fa_enrolment")
    assert owner.fetchone() == (1,)
    assert "factor:spend" not in platform_codes()


def test_after_a_reset_the_mailbox_is_asked_and_a_new_code_can_be_had(petra, acme):
    enrolled(petra)
    with acting_as(petra.pk):
        enrolments.reset(by=petra.pk, tenant=acme.pk)
    page = changing(petra, "add", None)
    first = code_sent()
    assert page.press("Send a new code").status == 429
    with clock.frozen(clock.now() + timedelta(seconds=61)):
        page = page.press("Send a new code")
        assert page.status == 200
        if first != code_sent():
            assert page.press("Show the QR code", code=first).status == 422
        page = page.press("Show the QR code", code=code_sent())
        assert shown_secret(page)


def test_the_operators_command_resets_whom_no_administrator_may(vera, owner, capsys):
    enrolled(vera)
    before = everything(owner)
    with pytest.raises(CommandError, match="nobody signs in here as nobody"):
        call_command("reset_authenticators", username="nobody")
    assert everything(owner) == before
    call_command("reset_authenticators", username=" Vera@audit.example ")
    assert "1 removed of Vera Lind" in capsys.readouterr().out
    with acting_as(vera.pk):
        assert enrolments.confirmed() == []
    assert platform_codes().count("enrolment:reset") == 1
    deliver()
    assert mail.outbox[-1].to == [vera.email]


def test_a_secret_is_shown_for_a_quarter_of_an_hour_and_counts_no_longer(petra, owner):
    row = waiting(petra)
    secret = enrolments.secret_of(row)
    client = signed_in(Client(), petra)
    path = f"/account/authenticators/{row.pk}/"
    before = everything(owner)
    with clock.frozen(clock.now() + timedelta(minutes=15, seconds=1)):
        answers = [client.get(path), client.get(f"{path}qr.svg"), client.post(path, {"code": code_at(secret)})]
        with pytest.raises(EnrolmentOver), acting_as(petra.pk):
            enrolments.confirm(row.pk, code_at(secret))
    assert [answer.status_code for answer in answers] == [409] * 3
    assert everything(owner) == before
    assert client.get(path).status_code == 200


def test_five_wrong_first_codes_end_the_set_up_over_http(petra):
    row = waiting(petra)
    client = signed_in(Client(), petra)
    answers = [client.post(f"/account/authenticators/{row.pk}/", {"code": "12"}).status_code for _ in range(7)]
    assert answers == [422] * 5 + [409] * 2
    with acting_as(petra.pk):
        assert Enrolment.objects.get(pk=row.pk).confirmed_at is None


# --- the wizard's window ---------------------------------------------------------------------------------------------


def at_window(person, tenant, factor):
    """Walk to the window of a rekey whose policy asks for *factor*."""
    source = issued(person, tenant)
    next_policies(tenant, factor=factor)
    draft = begun(person, tenant, source=source)
    page = Visitor(person).open(f"/t/acme/requests/{draft.pk}/key/").press("Next", csr=csr())
    return page.press("Rekey", use_case="lost", consent=True), draft


@pytest.mark.rule("0.R32")
@pytest.mark.rule("0.R33")
def test_a_policy_that_asks_for_an_authenticator_is_obeyed_to_the_end(petra, acme):
    _row, secret = enrolled(petra)
    page, draft = at_window(petra, acme, "totp")
    assert page.address.endswith("/confirmation/"), page.complaints
    assert "Enter the code from your authenticator" in page.text
    assert mail.outbox == []
    with acting_for(acme.pk):
        assert CertificateRequest.objects.get(pk=draft.pk).is_draft
    page.press("Confirm: Rekey", code=code_at(secret))
    with acting_for(acme.pk):
        assert not CertificateRequest.objects.get(pk=draft.pk).is_draft
    assert [code for code in codes(acme) if code.startswith("factor:")] == [
        "factor:ask",
        "factor:accept",
        "factor:spend",
    ]


@pytest.mark.rule("0.R37")
@pytest.mark.parametrize("factor", ["email-code", "totp"])
def test_twenty_wrong_codes_over_http_leave_five_tries_five_lines_and_a_dead_challenge(petra, acme, factor):
    _row, secret = enrolled(petra)
    page, draft = at_window(petra, acme, factor)
    right = code_at(secret) if factor == "totp" else code_sent()
    near = {code_at(secret, steps=steps) for steps in range(-2, 6)} | {right}
    wrong = next(code for code in (f"{n:06}" for n in range(20)) if code not in near)

    answers = [page.visitor.post(page.address, {"code": wrong}).status for _ in range(20)]

    assert answers == [422] * 20
    assert codes(acme).count("factor:reject") == 5
    with acting_as(petra.pk):
        challenge = Challenge.objects.get()
        assert (challenge.factor, challenge.tries, challenge.answered_at) == (factor, 5, None)
    assert page.visitor.post(page.address, {"code": right}).status == 422
    with acting_for(acme.pk):
        assert CertificateRequest.objects.get(pk=draft.pk).is_draft


def test_who_has_no_authenticator_is_told_before_the_work_and_comes_back_to_the_same_step(petra, acme):
    source = issued(petra, acme)
    next_policies(acme, factor="totp")
    draft = begun(petra, acme, source=source)
    step = f"/t/acme/requests/{draft.pk}/key/"
    page = Visitor(petra).open(step)
    page = page.follow("Set up your authenticator").press("Next", label="Telephone", password=PASSWORD)
    page = page.press("Show the QR code", code=code_sent())
    back = page.press("Finish set-up", code=code_at(shown_secret(page)))
    assert back.address == step
    assert "Set up your authenticator" not in back.text


def test_who_goes_on_without_one_keeps_the_draft_and_is_told_at_the_end(petra, acme, owner):
    source = issued(petra, acme)
    next_policies(acme, factor="totp")
    draft = filled(petra, acme, source=source)
    page = Visitor(petra).open(f"/t/acme/requests/{draft.pk}/confirm/")
    refused = page.press("Rekey", use_case="lost", consent=True)
    assert refused.status == 422
    assert "your account is not ready for that" in refused.text
    with acting_for(acme.pk):
        assert CertificateRequest.objects.get(pk=draft.pk).is_draft
    owner.execute("SELECT count(*) FROM auth2fa_challenge")
    assert owner.fetchone() == (0,)


def test_an_address_that_leads_elsewhere_is_not_where_set_up_ends(petra):
    page = Visitor(petra).open("/account/authenticators/add/?next=https://evil.example/")
    page = page.press("Next", label="Telephone", password=PASSWORD)
    page = page.press("Show the QR code", code=code_sent())
    assert page.press("Finish set-up", code=code_at(shown_secret(page))).address == "/account/"
