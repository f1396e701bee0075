"""Tokens: made on a page after password and code, or by a command; shown once; good for what their person may."""

import io
import re
from datetime import timedelta
from threading import Thread

import pytest
from django.core import mail
from django.core.management import CommandError, call_command

from auth2fa.tokens import making
from auth2fa.tokens.making import Plan
from portal.foundation import clock
from portal.foundation.access import services, tokens
from portal.foundation.access.errors import ScopesNotOffered, TokenLasts, TokenNameNotReadable, TooManyTokens
from portal.foundation.access.models import ApiToken, Membership, User
from portal.foundation.access.permissions import Role
from portal.foundation.access.scopes import SCOPES, permissions_in, scopes_with
from portal.foundation.audit.models import AuditEvent
from portal.foundation.outbox.models import Errand
from portal.foundation.outbox.registry import task_named
from portal.foundation.tenancy import services as tenancy
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.models import Tenant
from tests.api.conftest import Program
from tests.rows import everything
from tests.web.browsing import Visitor
from tests.web.test_pages import _doubled_ids, _from_elsewhere, _inline, _invalid, _unlabelled
from tests.world import PASSWORD, at_once, code_at, enrolled, invited, issued, serving, token_of

pytestmark = pytest.mark.django_db

PATH = "/t/acme/tokens/"
WISH = {"name": "deploy on web-3", "scopes": "certificates:read", "days": "30"}


def mailed_code() -> str:
    [code] = re.findall(r"^ {4}(\d+)\r?$", str(mail.outbox[-1].body), re.MULTILINE)
    return str(code)


def asked(person, **wish):
    """The page that asks for the code, the password having been shown."""
    page = Visitor(person).open(f"{PATH}new/").press("Next", **{**WISH, "password": PASSWORD, **wish})
    assert page.address == f"{PATH}code/"
    return page


def made_by(person, **wish):
    page = asked(person, **wish).press("Make the token", code=mailed_code())
    assert page.status == 200
    return page


def secret_on(page) -> str:
    [secret] = set(re.findall(r"cpt_[\w-]{43}", page.response.content.decode()))
    return str(secret)


def at_rest(tenant: Tenant, operator: User) -> None:
    tenancy.suspend_tenant(tenant, "Because.", by=operator.pk)


def lives(secret: str, tenant: str = "acme") -> int:
    return Program(tenant, secret).call("GET", "certificates").status_code


# --- the page ---------------------------------------------------------------------------------------------------------


def test_a_token_is_made_after_password_and_code_and_its_secret_is_shown_once(petra, acme, owner):
    page = made_by(petra)
    secret = secret_on(page)
    assert page.response["Cache-Control"] == "no-store"
    assert [*_invalid(page), *_inline(page), *_from_elsewhere(page), *_doubled_ids(page), *_unlabelled(page)] == []
    assert "portalctl login" in page.text
    assert lives(secret) == 200
    again = page.visitor.open(f"{PATH}code/")
    assert again.address == PATH
    assert secret not in again.response.content.decode()
    assert secret[:12] in again.text
    owner.execute("SELECT name, days FROM (SELECT name, (expires_at - made_at) AS days FROM access_apitoken) AS t")
    assert owner.fetchall() == [("deploy on web-3", timedelta(days=30))]
    with acting_for(acme.pk):
        line = AuditEvent.objects.get(code="token:make")
    assert line.actor == str(petra.pk)
    assert line.facts["scopes"] == ["certificates:read"]


def test_an_authenticator_confirms_where_there_is_one_and_a_mailed_code_does_not(petra):
    _row, app = enrolled(petra)
    mail.outbox.clear()
    page = asked(petra)
    assert mail.outbox == []
    assert "Enter the code from your authenticator" in page.text
    assert secret_on(page.press("Make the token", code=code_at(app)))


def test_neither_the_password_alone_nor_a_wrong_code_makes_a_token(petra, owner):
    page = asked(petra)
    refused = page.press("Make the token", code="00000000")
    assert refused.status == 422
    assert "cpt_" not in refused.response.content.decode()
    owner.execute("SELECT count(*) FROM access_apitoken")
    assert owner.fetchall() == [(0,)]


def test_without_the_password_nobody_is_asked_for_a_code(petra, owner):
    page = Visitor(petra).open(f"{PATH}new/").press("Next", **WISH, password="wrong")
    assert page.complaints == ["This is not your password, so nothing was changed."]
    assert mail.outbox == []
    owner.execute("SELECT count(*) FROM auth2fa_challenge")
    assert owner.fetchall() == [(0,)]


def test_a_code_is_for_one_browser_one_tenant_and_exactly_the_token_it_was_asked_for(petra, acme, globex, owner):
    with serving("owner"), acting_for(globex.pk):
        Membership.objects.create(person=petra, role=Role.SUBSCRIBER)
    first = asked(petra)
    code = mailed_code()
    elsewhere = Visitor(petra)
    assert elsewhere.open(f"{PATH}code/").address == PATH  # another browser waits for nothing
    assert first.visitor.open("/t/globex/tokens/code/").address == "/t/globex/tokens/"  # nor does another tenant
    session = first.visitor.client.session
    kept = session["step_up"]
    kept["token"]["subject"] = kept["token"]["subject"].replace("certificates:read", "requests:make")
    session["step_up"] = kept
    session.save()
    assert first.press("Make the token", code=code).status == 409
    owner.execute("SELECT count(*) FROM access_apitoken")
    assert owner.fetchall() == [(0,)]


def test_what_waits_for_an_authenticators_code_makes_no_token(petra):
    visitor = Visitor(petra)
    adding = visitor.open("/account/authenticators/add/").press("Next", label="Telephone", password=PASSWORD)
    assert adding.address == "/account/authenticators/code/"
    assert visitor.open(f"{PATH}code/").address == PATH


@pytest.mark.parametrize(
    ("wish", "complaint"),
    [
        ({"scopes": ""}, "Choose at least one scope."),
        ({"name": " "}, "Write what the token is for."),
        ({"name": "a\u202eb"}, "This name is empty, too long, or holds characters that cannot be seen."),
    ],
)
def test_the_form_says_what_is_wrong_and_keeps_the_rest(petra, wish, complaint):
    answers = {**WISH, "password": PASSWORD, **wish}
    page = Visitor(petra).open(f"{PATH}new/").press("Next", **{name: said for name, said in answers.items() if said})
    assert page.status == 422
    assert any(said.startswith(complaint) for said in page.complaints)
    assert mail.outbox == []


def test_only_scopes_of_use_to_the_person_are_offered_and_taken(petra, wei, jonas):
    page = Visitor(petra).open(f"{PATH}new/")
    offered = {field.get("value") for field in page.all("input") if field.get("name") == "scopes"}
    assert "requests:make" in offered
    assert not offered & {"people:change", "rules:change", "journal:read", "people:read"}
    sent = {**WISH, "scopes": ["people:change"], "password": PASSWORD}
    assert page.visitor.post(f"{PATH}new/", sent).status == 422
    assert "nothing to choose" in Visitor(jonas).open(f"{PATH}new/").text
    assert "requests:review" in {
        field.get("value") for field in Visitor(wei).open(f"{PATH}new/").all("input") if field.get("name") == "scopes"
    }


def test_everybody_sees_their_own_and_who_sees_people_sees_all(petra, dan, vera, acme):
    token_of(petra, acme, name="petra's")
    token_of(dan, acme, name="dan's")
    assert "petra's" not in Visitor(dan).open(PATH).text
    assert "petra's" not in Visitor(dan).open(f"{PATH}?whose=all&person=petra@acme.example").text
    assert "petra's" not in Visitor(dan).open(f"{PATH}export.csv?whose=all").response.content.decode()
    everybodys = Visitor(vera).open(f"{PATH}?whose=all")
    assert "petra's" in everybodys.text
    assert "dan's" in everybodys.text
    assert not [link for link in everybodys.leads_to if "/revoke/" in link]
    one = Visitor(vera).open(f"{PATH}?person=petra@acme.example").text
    assert "petra's" in one
    assert "dan's" not in one
    assert "petra's" in Visitor(vera).open(f"{PATH}export.csv?whose=all").response.content.decode()


def test_the_list_is_narrowed_and_sorted(petra, acme):
    with clock.frozen(clock.now() - timedelta(days=50)):
        token_of(petra, acme, name="b over", days=40)
        token_of(petra, acme, name="c works", days=300)
    revoked, _secret = token_of(petra, acme, name="a revoked")
    with acting_for(acme.pk):
        tokens.revoke(revoked.pk, by=petra.pk, may_all=False)
    names = ("a revoked", "b over", "c works")

    def shown(query):
        text = Visitor(petra).open(f"{PATH}?{query}").text
        return sorted((name for name in names if name in text), key=text.index)

    assert shown("sort=name") == list(names)
    assert shown("sort=-name") == list(reversed(names))
    assert shown("sort=expires") == ["b over", "a revoked", "c works"]
    assert [shown(f"state={state}") for state in ("works", "over", "revoked")] == [
        ["c works"],
        ["b over"],
        ["a revoked"],
    ]


# --- its end ----------------------------------------------------------------------------------------------------------


def test_ones_own_is_revoked_after_a_look_and_works_no_more_at_once(petra, acme):
    row, secret = token_of(petra, acme)
    assert lives(secret) == 200
    page = Visitor(petra).open(f"{PATH}{row.pk}/revoke/").press("Revoke token")
    assert page.address == PATH
    answer = Program("acme", secret).call("GET", "certificates")
    assert (answer.status_code, answer.json()["code"]) == (401, "token-over")
    with acting_for(acme.pk):
        assert AuditEvent.objects.get(code="token:revoke").actor == str(petra.pk)
    assert not Errand.objects.filter(args__contains="token-revoked").exists()


def test_an_administrator_revokes_anybodys_who_is_told_and_nobody_else_does(petra, dan, ada, vera, acme, owner):
    row, secret = token_of(petra, acme)
    strangers = [Visitor(dan), Visitor(vera)]
    before = everything(owner)
    for stranger in strangers:
        assert stranger.open(f"{PATH}{row.pk}/revoke/").status == 404
        assert stranger.post(f"{PATH}{row.pk}/revoke/", {}).status == 404
    assert everything(owner) == before
    Visitor(ada).open(f"{PATH}{row.pk}/revoke/").press("Revoke token")
    assert lives(secret) == 401
    told = [errand.args for errand in Errand.objects.all() if "token-revoked" in errand.args]
    assert told == [[str(petra.pk), "token-revoked"]]


def test_a_second_revocation_changes_nothing(petra, acme, owner):
    row, _secret = token_of(petra, acme)
    with acting_for(acme.pk):
        tokens.revoke(row.pk, by=petra.pk, may_all=False)
    before = everything(owner)
    with acting_for(acme.pk):
        tokens.revoke(row.pk, by=petra.pk, may_all=False)
    assert everything(owner) == before


def test_its_days_end_to_the_second(petra, acme):
    row, secret = token_of(petra, acme, days=1)
    with clock.frozen(row.expires_at - timedelta(seconds=1)):
        assert lives(secret) == 200
    with clock.frozen(row.expires_at):
        answer = Program("acme", secret).call("GET", "certificates")
    assert (answer.status_code, answer.json()["code"]) == (401, "token-over")


def test_who_loses_the_seat_loses_its_tokens_for_good(petra, ada, acme):
    _row, secret = token_of(petra, acme)
    with acting_for(acme.pk):
        services.remove(petra.pk, by=ada.pk)
    answer = Program("acme", secret).call("GET", "certificates")
    assert (answer.status_code, answer.json()["code"]) == (401, "token-wanted")
    back = invited(acme, ada, email="petra@acme.example", roles=(Role.SUBSCRIBER,))
    with acting_for(acme.pk, person=petra.pk):
        services.accept(back.pk, petra)
    answer = Program("acme", secret).call("GET", "certificates")
    assert (answer.status_code, answer.json()["code"]) == (401, "token-over")


def test_a_suspension_rests_its_tokens_and_its_end_wakes_them(petra, ada, acme):
    _row, secret = token_of(petra, acme)
    with acting_for(acme.pk):
        services.suspend(petra.pk, by=ada.pk)
    answer = Program("acme", secret).call("GET", "certificates")
    assert (answer.status_code, answer.json()["code"]) == (401, "token-wanted")
    with acting_for(acme.pk):
        services.unsuspend(petra.pk, by=ada.pk)
    assert lives(secret) == 200


def test_an_account_that_is_switched_off_has_no_token(petra, acme):
    _row, secret = token_of(petra, acme)
    with serving("owner"):
        User.objects.filter(pk=petra.pk).update(is_active=False)
    assert lives(secret) == 401


def test_a_tenant_at_rest_has_none_either(petra, olu, acme):
    _row, secret = token_of(petra, acme)
    at_rest(acme, olu)
    answer = Program("acme", secret).call("GET", "certificates")
    assert (answer.status_code, answer.json()["code"]) == (403, "tenant-suspended")
    tenancy.resume_tenant(acme, by=olu.pk)
    assert lives(secret) == 200


def test_a_role_that_is_lost_is_lost_to_the_token(wei, ada, acme):
    _row, secret = token_of(wei, acme)
    assert lives(secret) == 200
    with acting_for(acme.pk):
        services.change_roles(wei.pk, [Role.RECOVERY_OFFICER], by=ada.pk)
    answer = Program("acme", secret).call("GET", "certificates")
    assert (answer.status_code, answer.json()["code"]) == (403, "may-not")


def test_a_role_that_is_gained_is_not_gained_by_a_token_made_before(petra, ada, acme):
    _row, secret = token_of(petra, acme, "certificates:read")
    with acting_for(acme.pk):
        services.change_roles(petra.pk, [Role.SUBSCRIBER, Role.AUDITOR], by=ada.pk)
    answer = Program("acme", secret).call("GET", "requests")
    assert (answer.status_code, answer.json()["code"]) == (403, "token-may-not")


# --- what is told -----------------------------------------------------------------------------------------------------


def told(tenant: Tenant, task: str) -> list[Errand]:
    return list(Errand.objects.filter(tenant_id=tenant.pk, task=f"auth2fa.tasks.{task}", done_at=None))


def carried_out(errand: Errand) -> None:
    with serving("messages"):
        task_named(errand.task).run(errand)
    errand.refresh_from_db()
    assert errand.done_at


def test_its_person_is_told_by_mail_that_a_token_was_made(petra, acme):
    made_by(petra)
    [errand] = told(acme, "tell")
    carried_out(errand)
    assert "A token was made" in mail.outbox[-1].body
    assert mail.outbox[-1].to == ["petra@acme.example"]


def test_a_week_before_its_end_its_person_is_told_unless_it_is_over(petra, acme):
    made_by(petra)
    [errand] = told(acme, "warn_of_end")
    with acting_for(acme.pk):
        row = ApiToken.objects.get()
    assert abs(errand.due_at - (row.expires_at - timedelta(days=7))) < timedelta(seconds=5)
    with clock.frozen(errand.due_at):
        carried_out(errand)
    assert "comes to its end within a week" in mail.outbox[-1].body
    mail.outbox.clear()
    Errand.objects.filter(pk=errand.pk).update(done_at=None)
    with acting_for(acme.pk):
        tokens.revoke(row.pk, by=petra.pk, may_all=False)
    errand.refresh_from_db()
    carried_out(errand)
    assert mail.outbox == []


def test_what_a_program_does_stands_in_the_journal_with_its_token_and_what_its_person_does_without(petra, ada, acme):
    row, secret = token_of(petra, acme)
    Program("acme", secret).post("requests", {"kind": "issue", "profile": "desktop-signing"})
    with acting_for(acme.pk):
        line = AuditEvent.objects.get(code="request:begin")
    assert (line.actor, line.facts["through_token"]) == (str(petra.pk), row.prefix)
    said = Visitor(ada).open("/t/acme/journal/").text
    assert f"through the token {row.prefix}…" in said
    assert "made the token deploy on web-3" in said
    Visitor(petra).open("/t/acme/requests/begin/issue/").press("Next", profile="desktop-signing")
    with acting_for(acme.pk):
        newest = AuditEvent.objects.filter(code="request:begin").latest("pk")
    assert "through_token" not in newest.facts


# --- the secret -------------------------------------------------------------------------------------------------------


def test_the_secret_is_in_no_table_no_log_no_mail_and_no_errand(petra, acme, owner, caplog, capfd):
    caplog.set_level("DEBUG")
    page = made_by(petra)
    secret = secret_on(page)
    assert lives(secret) == 200
    assert lives(secret[:-1] + "x") == 401
    hidden = secret[12:]
    assert hidden not in str(everything(owner))
    owner.execute("SELECT session_data FROM auth2fa_signedin")
    assert hidden not in str(owner.fetchall())
    assert hidden not in str(dict(page.visitor.client.session))
    assert hidden not in caplog.text
    assert hidden not in "".join(capfd.readouterr())
    assert hidden not in "".join(str(message.message()) for message in mail.outbox)


def test_the_secret_has_256_bits_and_only_its_digest_is_kept(petra, acme):
    made = [token_of(petra, acme)[1] for _ in range(5)]
    assert len({secret[:12] for secret in made}) == 5
    assert all(re.fullmatch(r"cpt_[\w-]{43}", secret) for secret in made)
    with acting_for(acme.pk):
        kept = [row.secret_sha256 for row in ApiToken.objects.all()]
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in kept)


# --- the service ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "refusal"),
    [
        ({"days": 0}, TokenLasts),
        ({"days": 367}, TokenLasts),
        ({"days": -1}, TokenLasts),
        ({"scopes": []}, ScopesNotOffered),
        ({"scopes": ["certificates:read", "people:change"]}, ScopesNotOffered),
        ({"scopes": ["everything"]}, ScopesNotOffered),
        ({"name": ""}, TokenNameNotReadable),
        ({"name": "x" * 81}, TokenNameNotReadable),
        ({"name": "a\u200bb"}, TokenNameNotReadable),
    ],
)
def test_what_is_refused_has_made_nothing(petra, acme, owner, wish, refusal):
    before = everything(owner)
    with pytest.raises(refusal), acting_for(acme.pk):
        tokens.make(petra.pk, **{"name": "x", "scopes": ["certificates:read"], "days": 5, **wish}, by=petra.pk)
    assert everything(owner) == before


def test_nobody_makes_one_for_somebody_without_a_seat(hank, acme, owner):
    before = everything(owner)
    with pytest.raises(NotHere), acting_for(acme.pk):
        tokens.make(hank.pk, name="x", scopes=["certificates:read"], days=5, by=hank.pk)
    assert everything(owner) == before


@pytest.mark.django_db(transaction=True)
def test_twenty_work_at_a_time_also_when_two_are_made_at_once(petra, acme):
    for _ in range(tokens.MOST - 1):
        token_of(petra, acme)
    outcomes = at_once(2, lambda: token_of(petra, acme))
    assert sorted(isinstance(outcome, TooManyTokens) for outcome in outcomes) == [False, True]
    with acting_for(acme.pk):
        newest = ApiToken.objects.latest("pk")
        tokens.revoke(newest.pk, by=petra.pk, may_all=False)
    assert token_of(petra, acme)


@pytest.mark.django_db(transaction=True)
def test_somebody_who_is_being_removed_makes_no_token_that_would_wake_when_they_come_back(petra, ada, acme):
    made: list[object] = []

    def make() -> None:
        made.extend(at_once(1, lambda: token_of(petra, acme)))

    making_one = Thread(target=make)
    with acting_for(acme.pk, person=ada.pk):
        services.remove(petra.pk, by=ada.pk)
        making_one.start()
        making_one.join(0.5)  # it has begun, and waits for what is not committed yet
    making_one.join(10)
    assert [type(outcome) for outcome in made] == [NotHere]
    with acting_for(acme.pk):
        assert not ApiToken.objects.filter(person=petra, revoked_at=None).exists()


def test_a_role_that_comes_later_counts_as_far_as_the_scopes_reach(petra, dan, acme):
    """ADR 25: nothing is copied into a token, so it sees what its person sees, and no more than it was made for."""
    issued(dan, acme)
    program = Program("acme", token_of(petra, acme, "certificates:read")[1])
    assert program.get("certificates")["results"] == []
    with serving("owner"), acting_for(acme.pk):
        Membership.objects.create(person=petra, role=Role.ADMINISTRATOR)
    assert len(program.get("certificates")["results"]) == 1
    assert program.call("GET", "people").json()["code"] == "token-may-not"


def test_a_new_password_leaves_tokens_alone_and_both_mails_say_so(petra):
    """ADR 25: so whoever is told of a token that they did not make must not trust in a new password."""
    secret = secret_on(made_by(petra))
    form = {"old": PASSWORD, "new": "another long pass phrase"}
    Visitor(petra).open("/account/password/").press("Change password", **form)
    assert lives(secret) == 200
    for occasion in ("token-made", "password-changed"):
        mail.outbox.clear()
        [errand] = [each for each in Errand.objects.all() if occasion in each.args]
        with serving("messages"):
            task_named(errand.task).run(errand)
        assert "evoke it" in " ".join(str(mail.outbox[0].body).split())


def test_every_scope_lets_in_and_a_scope_that_is_gone_allows_nothing():
    assert permissions_in(["gone"]) == frozenset()
    assert all("tenant:enter" in permissions_in([name]) for name in SCOPES)
    assert set(scopes_with(next(iter(permissions_in(["journal:read"]) - permissions_in([]))))) <= set(SCOPES)


# --- the command ------------------------------------------------------------------------------------------------------


def printed(**given) -> str:
    said = io.StringIO()
    scopes = [word for scope in given.pop("scopes") for word in ("--scope", scope)]
    options = {"tenant": "acme", "person": "petra@acme.example", **given}
    words = [f"--{name}={value}" for name, value in options.items()]
    call_command("create_token", *scopes, *words, stdout=said, stderr=said)
    return said.getvalue()


def test_the_command_prints_the_secret_once_and_is_in_the_journal(petra, acme):
    said = printed(scopes=["certificates:read", "requests:make"], days=7, name="cron")
    [secret] = re.findall(r"cpt_[\w-]{43}", said)
    assert "Petra Nováková in Acme Industries" in said
    assert lives(secret) == 200
    with acting_for(acme.pk):
        line = AuditEvent.objects.get(code="token:make")
    assert line.actor == "command:create_token"
    assert [errand.args for errand in told(acme, "tell")] == [[str(petra.pk), "token-made"]]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"tenant": "nowhere"}, "no tenant with the short name 'nowhere'"),
        ({"tenant": "platform"}, "no tenant"),
        ({"person": "hank@globex.example"}, "has no seat in Acme Industries"),
        ({"person": "nobody"}, "has no seat"),
        ({"scopes": ["people:change"]}, "only scopes that your roles here can use"),
        ({"scopes": ["all"]}, "only scopes"),
        ({"days": 400}, "from 1 to 366 days"),
        ({"name": " "}, "This name is empty"),
    ],
)
def test_the_command_refuses_in_words_and_makes_nothing(world, owner, given, words):
    before = everything(owner)
    with pytest.raises(CommandError, match=f"No token was made: .*{words}"):
        printed(**{"scopes": ["certificates:read"], **given})
    assert everything(owner) == before


def test_the_command_makes_none_in_a_tenant_at_rest_nor_for_somebody_suspended(world, ada, petra, olu, acme):
    with acting_for(acme.pk):
        services.suspend(petra.pk, by=ada.pk)
    with pytest.raises(CommandError, match="has no seat"):
        printed(scopes=["certificates:read"])
    at_rest(acme, olu)
    with pytest.raises(CommandError, match="suspended or closed"):
        printed(scopes=["certificates:read"], person="dan@acme.example")


def test_the_plan_is_what_the_code_stands_for(acme):
    plans = [Plan("a", ["x"], 7), Plan("a", ["x", "y"], 7), Plan("a", ["x"], 8), Plan("b", ["x"], 7)]
    deeds = [making.deed_of(plan, acme) for plan in plans]
    assert len({deed.subject for deed in deeds}) == len(plans)
    assert [making.plan_of(deed) for deed in deeds] == plans
