"""The end of the wizard: consent, second factor, and one request whatever is pressed how often."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.core import mail
from django.db import connection

from auth2fa.models import Challenge
from lifecycle.certificates.models import Certificate
from lifecycle.policies.models import AgreementAcceptance, Policy, SubscriberAgreement
from lifecycle.requests.models import CertificateRequest
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_as, acting_for
from tests.web.browsing import Visitor, another, code_sent, later, nothing_happens
from tests.world import ask_for_codes, begun, carry_out, csr, filled, issued, next_policies, serving

CONFIRM = {"use_case": "lost", "consent": True}
DEED = "Confirm: Rekey"


def page_of(request):
    return f"/t/acme/requests/{request.pk}/"


def at_confirm(person, tenant, source=None, visitor=None):
    """Walk to the last step of a rekey; return the page and the draft."""
    draft = begun(person, tenant, source=source or issued(person, tenant))
    page = (visitor or Visitor(person)).open(f"/t/acme/requests/{draft.pk}/key/").press("Next", csr=csr())
    assert page.address.endswith("/confirm/")
    return page, draft


def at_code(person, tenant, visitor=None):
    """Walk to the window that asks for the code; return the page and the draft."""
    page, draft = at_confirm(person, tenant, visitor=visitor)
    page = page.press("Rekey", **CONFIRM)
    assert page.address.endswith("/confirmation/"), page.complaints
    return page, draft


def stored(draft):
    with acting_for(draft.tenant_id):
        return CertificateRequest.objects.get(pk=draft.pk)


@pytest.fixture
def coded(acme):
    """Acme's policies ask for a code by e-mail."""
    ask_for_codes(acme)
    return acme


# --- the agreement ---------------------------------------------------------------------------------------------------


@pytest.mark.rule("0.R12")
@pytest.mark.parametrize("missing", ["consent", "agreement"])
def test_without_consent_nothing_is_submitted(petra, acme, owner, missing):
    page, draft = at_confirm(petra, acme)
    posted = {"seen": page.value("seen"), "agreement": page.value("agreement"), "use_case": "lost", "consent": "on"}
    del posted[missing]

    with nothing_happens(owner):
        refused = page.visitor.post(page.address, posted)

    assert refused.status == 422
    assert refused.title.startswith("Error: ")
    assert refused.complaints == [
        {
            "consent": "Tick the box to go on: nothing is done without your consent.",
            "agreement": "The subscriber agreement changed. Read the new version and agree to it.",
        }[missing]
    ]
    assert stored(draft).state == "draft"


@pytest.mark.rule("0.R13")
def test_what_was_agreed_to_is_kept(petra, acme):
    page, draft = at_confirm(petra, acme)
    page.press("Rekey", **CONFIRM)

    with acting_for(acme.pk):
        [kept] = AgreementAcceptance.objects.filter(certificate_request=draft.pk)
        agreement = SubscriberAgreement.in_force("subscriber")
        submitted_at = CertificateRequest.objects.get(pk=draft.pk).submitted_at
    assert (kept.agreement_id, kept.version, kept.language) == (agreement.pk, 1, "en")
    assert (kept.person_id, kept.certificate_request, kept.at) == (petra.pk, draft.pk, submitted_at)


@pytest.mark.rule("0.R13")
def test_a_changed_agreement_needs_a_new_consent(petra, acme, owner):
    page, draft = at_confirm(petra, acme)
    _next_agreement(acme)

    with nothing_happens(owner):
        refused = page.press("Rekey", **CONFIRM)

    assert refused.status == 422
    assert "version 2" in refused.text
    assert refused.fields()["consent"].get("checked") is None
    page = refused.press("Rekey", **CONFIRM)
    assert page.address == page_of(draft)
    with acting_for(acme.pk):
        assert [kept.version for kept in AgreementAcceptance.objects.filter(certificate_request=draft.pk)] == [2]


@pytest.mark.rule("0.R13")
def test_an_agreement_that_changed_while_the_code_was_under_way_needs_a_new_consent(petra, coded, owner):
    page, draft = at_code(petra, coded)
    _next_agreement(coded)

    with nothing_happens(owner):
        page = page.press(DEED, code=code_sent())

    assert page.address.endswith("/confirm/")
    assert "version 2" in page.text
    assert page.fields()["consent"].get("checked") is None
    assert stored(draft).state == "draft"


def _next_agreement(tenant):
    with serving("owner"), acting_for(tenant.pk):
        old = SubscriberAgreement.in_force("subscriber")
        SubscriberAgreement(slug=old.slug, version=2, title=old.title, text="Everything is different now.").save(
            force_insert=True
        )


def test_where_no_agreement_is_asked_for_none_is_kept(petra, acme):
    source = issued(petra, acme)
    next_policies(acme, agreement="")
    page, draft = at_confirm(petra, acme, source)

    assert "agree" not in page.text
    assert page.press("Rekey", **CONFIRM).address == page_of(draft)
    with acting_for(acme.pk):
        assert not AgreementAcceptance.objects.filter(certificate_request=draft.pk).exists()


# --- the second factor -----------------------------------------------------------------------------------------------


@pytest.mark.rule("0.R31")
def test_a_policy_without_a_factor_asks_for_no_code(petra, acme):
    page, draft = at_confirm(petra, acme)
    mail.outbox.clear()

    page = page.press("Rekey", **CONFIRM)

    assert page.address == page_of(draft)
    assert stored(draft).state == "ready"
    assert mail.outbox == []
    with acting_as(petra.pk):
        assert not Challenge.objects.exists()


@pytest.mark.rule("0.R31")
def test_the_factor_is_a_switch_of_each_operation(petra, acme):
    source = issued(petra, acme)
    with serving("owner"), acting_for(acme.pk):
        for operation, factor in (("rekey", "email-code"), ("issue", "")):
            old = Policy.objects.in_force(profile="desktop-signing", operation=operation)
            Policy(
                profile=old.profile,
                operation=operation,
                version=2,
                enabled=True,
                agreement=old.agreement,
                factor=factor,
                made_by="test",
            ).save(force_insert=True)

    rekey, _draft = at_confirm(petra, acme, source)
    assert rekey.press("Rekey", **CONFIRM).heading == "Enter the code we sent"
    issue = Visitor(petra).open(f"/t/acme/requests/{filled(petra, acme).pk}/confirm/")
    assert "waits for the certificate authority" in issue.press("Request certificate", consent=True).text


@pytest.mark.rule("0.R32")
def test_with_a_factor_rekey_opens_the_window_that_asks_for_it(petra, coded, owner):
    page, draft = at_confirm(petra, coded)

    with nothing_happens(owner, but=("request", "mail")):
        page = page.press("Rekey", **CONFIRM)

    assert page.heading == "Enter the code we sent"
    assert "Rekey Petra Nováková" in page.text
    assert draft.number in page.text
    assert "p•••@acme.example" in page.text
    assert "petra@acme.example" not in " ".join(element.text or "" for element in page.having_class("code-window"))
    assert stored(draft).state == "draft"
    assert draft.number in mail.outbox[-1].body


@pytest.mark.rule("0.R33")
def test_the_right_code_submits_at_once(petra, coded):
    page, draft = at_code(petra, coded)

    page = page.press(DEED, code=f" {code_sent()[:3]} {code_sent()[3:]} ")

    assert page.address == page_of(draft)
    assert stored(draft).state == "ready"
    done = carry_out(stored(draft))
    assert done.state == "completed"


@pytest.mark.rule("0.R33", "0.R37")
def test_a_wrong_code_submits_nothing_and_says_how_many_tries_are_left(petra, coded, owner):
    page, draft = at_code(petra, coded)
    right = code_sent()

    with nothing_happens(owner):
        for left in ("You have 4 tries left.", "You have 3 tries left."):
            page = page.press(DEED, code=another(right))
            assert page.status == 422
            assert page.complaints == [f"This is not the code that we sent to you last. {left}"]
    assert stored(draft).state == "draft"
    assert page.press(DEED, code=right).address == page_of(draft)


@pytest.mark.rule("0.R33", "0.R37")
def test_after_five_wrong_codes_the_right_one_is_none(petra, coded, owner):
    page, draft = at_code(petra, coded)
    right = code_sent()

    with nothing_happens(owner):
        for _try in range(5):
            page = page.press(DEED, code=another(right))
        page = page.press(DEED, code=right)

    assert page.status == 422
    assert "can no longer be used" in page.complaints[0]
    assert stored(draft).state == "draft"
    with later(minutes=2):
        page = page.press("Send a new code")
        assert page.press(DEED, code=code_sent()).address == page_of(draft)


@pytest.mark.rule("0.R33")
def test_cancelling_leaves_the_request_a_draft(petra, coded, owner):
    page, draft = at_code(petra, coded)
    mail.outbox.clear()

    with nothing_happens(owner):
        back = page.follow("Back, nothing is sent yet")
        visitor = Visitor(petra)
        visitor.open("/t/acme/")

    assert back.address.endswith("/confirm/")
    assert stored(draft).state == "draft"
    assert back.press("Rekey", **CONFIRM).heading == "Enter the code we sent"
    assert mail.outbox == [], "the code that was sent is still good"


@pytest.mark.rule("0.R33", "0.R37")
def test_a_code_that_lapsed_submits_nothing(petra, coded, owner):
    page, draft = at_code(petra, coded)
    code = code_sent()

    with later(minutes=6), nothing_happens(owner):
        page = page.press(DEED, code=code)

    assert page.status == 422
    assert stored(draft).state == "draft"


@pytest.mark.rule("0.R37")
def test_a_new_code_has_to_be_waited_for_and_voids_the_old_one(petra, coded, owner):
    page, draft = at_code(petra, coded)
    old = code_sent()
    mail.outbox.clear()
    assert "in 59 seconds" in page.text or "in 60 seconds" in page.text

    with nothing_happens(owner):
        early = page.press("Send a new code")
    assert early.status == 422
    assert "A code was sent to you a moment ago" in early.complaints[0]

    with later(seconds=61):
        page = page.press("Send a new code")
        new = code_sent()
        assert len(mail.outbox) == 1
        if old != new:
            assert page.press(DEED, code=old).status == 422
        assert page.press(DEED, code=new).address == page_of(draft)


@pytest.mark.rule("0.R37")
def test_the_policy_says_how_long_a_code_is_and_how_often_it_may_be_tried(petra, acme, owner):
    source = issued(petra, acme)
    next_policies(acme, factor="email-code", factor_settings={"digits": 8, "tries": 2, "lifetime": 60})
    page, draft = at_confirm(petra, acme, source)
    page = page.press("Rekey", **CONFIRM)

    assert "8-digit code" in page.text
    assert len(code_sent()) == 8
    with nothing_happens(owner):
        assert "You have 1 try left." in page.press(DEED, code=another(code_sent())).complaints[0]
        page.press(DEED, code=another(code_sent()))
        assert "can no longer be used" in page.press(DEED, code=code_sent()).complaints[0]
    assert stored(draft).state == "draft"


def test_a_code_that_could_not_be_sent_loses_nothing(petra, coded, owner, settings):
    page, draft = at_confirm(petra, coded)
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = (
        "django.core.mail.backends.smtp.EmailBackend",
        "127.0.0.1",
        9,
    )

    with nothing_happens(owner, but=("request",)):
        page = page.press("Rekey", message="The laptop is gone.", **CONFIRM)

    assert page.status == 503
    assert page.complaints[0].startswith("The code could not be sent, so nothing was confirmed.")
    assert page.value("message") == "The laptop is gone."
    assert stored(draft).state == "draft"


@pytest.mark.rule("0.R35")
def test_a_code_for_one_request_releases_no_other(petra, coded, owner):
    visitor = Visitor(petra)
    page_a, draft_a = at_code(petra, coded, visitor=visitor)
    code_a = code_sent()
    page_b, draft_b = at_code(petra, coded, visitor=visitor)

    if code_a == code_sent():
        pytest.fail("two codes are alike by a chance of one in a million; run it again")
    with nothing_happens(owner):
        refused = page_b.press(DEED, code=code_a)

    assert refused.status == 422
    assert (stored(draft_a).state, stored(draft_b).state) == ("draft", "draft")
    assert page_a.press(DEED, code=code_a).address == page_of(draft_a)
    assert stored(draft_b).state == "draft"


@pytest.mark.rule("0.R35")
@pytest.mark.parametrize("changed", ["message", "key"])
def test_a_code_is_void_once_the_request_was_changed_in_another_tab(petra, coded, owner, changed):
    visitor = Visitor(petra)
    page, draft = at_code(petra, coded, visitor=visitor)
    code = code_sent()
    if changed == "key":
        visitor.open(f"/t/acme/requests/{draft.pk}/key/").press("Next", csr=csr())
    else:
        other_tab = visitor.open(f"/t/acme/requests/{draft.pk}/confirm/")
        other_tab = other_tab.press("Rekey", message="Something else", **CONFIRM)
        assert other_tab.heading == "Enter the code we sent"

    with nothing_happens(owner):
        page = page.press(DEED, code=code)

    assert stored(draft).state == "draft"
    if changed == "key":
        assert page.address.endswith("/confirm/")
        assert page.fields()["consent"].get("checked") is None
    else:
        assert "This is not the code that we sent to you last." in page.complaints[0]
        assert page.press(DEED, code=code_sent()).address == page_of(draft)


@pytest.mark.rule("0.R35")
def test_a_code_of_another_person_releases_nothing(petra, dan, coded, owner):
    _page, draft = at_code(petra, coded)
    code = code_sent()

    with nothing_happens(owner):
        refused = Visitor(dan).post(f"/t/acme/requests/{draft.pk}/confirmation/", {"code": code})

    assert refused.status == 404
    assert stored(draft).state == "draft"


def test_the_code_page_without_a_code_leads_to_the_last_step(petra, coded, owner):
    draft = filled(petra, coded)
    visitor = Visitor(petra)

    with nothing_happens(owner):
        assert visitor.open(f"/t/acme/requests/{draft.pk}/confirmation/").address.endswith("/confirm/")
        assert visitor.post(f"/t/acme/requests/{draft.pk}/confirmation/", {"code": "1"}).address.endswith("/confirm/")


@pytest.mark.parametrize("code", ["", "   ", "\u200b", "12345", "١٢٣٤٥٦", "abcdef", "9" * 41, "{0}", "%s"])
def test_an_odd_code_is_refused_with_a_sentence(petra, coded, owner, code):
    page, draft = at_code(petra, coded)

    with nothing_happens(owner):
        refused = page.press(DEED, code=code)

    assert refused.status == 422
    assert refused.complaints
    assert stored(draft).state == "draft"


def test_the_session_has_a_new_key_after_the_second_factor(petra, coded, settings):
    visitor = Visitor(petra)
    page, _draft = at_code(petra, coded, visitor=visitor)
    before = visitor.client.cookies[settings.SESSION_COOKIE_NAME].value

    page.press(DEED, code=code_sent())

    assert visitor.client.cookies[settings.SESSION_COOKIE_NAME].value != before


# --- once, whatever is pressed how often -----------------------------------------------------------------------------


def _only_one(tenant, draft):
    """Carry it out and count what came of it: one request, one errand, one certificate."""
    assert Errand.objects.filter(task="lifecycle.requests.tasks.execute_request", args__0=str(draft.pk)).count() == 1
    carry_out(stored(draft))
    with acting_for(tenant.pk):
        assert CertificateRequest.objects.filter(predecessor=draft.predecessor).count() == 1
        assert Certificate.objects.filter(predecessor=draft.predecessor).count() == 1


@pytest.mark.rule("0.R30")
@pytest.mark.parametrize("how", ["double click", "reload", "back button"])
def test_confirming_twice_makes_one_certificate(petra, acme, how):
    page, draft = at_confirm(petra, acme)
    first = page.press("Rekey", **CONFIRM)

    if how == "reload":
        assert page.visitor.open(first.address).status == 200
    if how == "back button":
        assert page.visitor.open(page.address).address == page_of(draft)
    again = page.press("Rekey", **CONFIRM)

    assert again.address == page_of(draft)
    assert again.status == 200
    _only_one(acme, draft)
    assert page.press("Rekey", **CONFIRM).address == page_of(draft)


@pytest.mark.rule("0.R30")
def test_sending_the_code_twice_makes_one_certificate(petra, coded):
    page, draft = at_code(petra, coded)
    code = code_sent()

    first, again = page.press(DEED, code=code), page.press(DEED, code=code)

    assert {first.address, again.address} == {page_of(draft)}
    _only_one(coded, draft)


@pytest.mark.rule("0.R30")
@pytest.mark.parametrize("factor", ["", "email-code"])
def test_two_presses_at_the_same_moment_make_one_certificate_and_show_the_same_page(petra, acme, factor):
    source = issued(petra, acme)
    next_policies(acme, factor=factor)
    page, draft = at_confirm(petra, acme, source)
    if factor:
        page = page.press("Rekey", **CONFIRM)
    ready = Barrier(3)

    def press():
        try:
            ready.wait(10)
            return page.press(DEED, code=code_sent()) if factor else page.press("Rekey", **CONFIRM)
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        shown = [running.result() for running in [pool.submit(press) for _ in range(3)]]

    assert {answer.address for answer in shown} == {page_of(draft)}
    _only_one(acme, draft)


@pytest.mark.rule("0.R30")
def test_two_drafts_of_one_certificate_make_one_certificate(petra, acme, owner):
    """A draft holds nothing; the first that is submitted does, and the other is told so."""
    source = issued(petra, acme)
    page_one, draft = at_confirm(petra, acme, source)
    with serving("owner"), acting_for(acme.pk):
        twin = CertificateRequest(
            kind="rekey",
            requested_by=petra.pk,
            profile_id=draft.profile_id,
            policy_id=draft.policy_id,
            predecessor=source,
        )
        twin.save(force_insert=True)
    page_two = Visitor(petra).open(f"/t/acme/requests/{twin.pk}/key/").press("Next", csr=csr())
    page_one.press("Rekey", **CONFIRM)

    with nothing_happens(owner, but=("request",)):
        refused = page_two.press("Rekey", **CONFIRM)

    assert refused.status == 422
    assert f"Request {draft.number} for this certificate is still under way." in refused.text
    assert stored(twin).state == "draft"
