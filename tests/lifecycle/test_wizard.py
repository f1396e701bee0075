"""The wizard without script: its steps, how far one may go, and that a draft is never lost or somebody else's."""

import pytest

from lifecycle.authorities.models import CertificateProfile
from lifecycle.requests.models import CertificateRequest
from lifecycle.wizards.flow import Flow
from lifecycle.wizards.steps import STEPS
from portal.foundation.tenancy.context import acting_for
from tests.web.browsing import Visitor, nothing_happens
from tests.world import begun, csr, filled, issued, next_policies, serving, submitted

KEY, CONFIRM = "Key", "Check and confirm"

SPECIFIED = {
    # kind and profile                     steps, in this order
    ("issue", "desktop-signing"): ["Name", KEY, CONFIRM],
    ("issue", "secure-email"): ["Name", "Alternative names", KEY, CONFIRM],
    ("rekey", "desktop-signing"): [KEY, CONFIRM],
    ("rekey", "secure-email"): [KEY, CONFIRM],
    ("issue", "tls-server"): ["Name", "Alternative names", "Validity", KEY, "Domain ownership", CONFIRM],
    ("rekey", "tls-server"): ["Name", "Alternative names", "Validity", KEY, "Domain ownership", CONFIRM],
}
"""Which pages the wizard has.  A change here is a change of what people are asked."""


def step(draft, slug):
    return f"/t/acme/requests/{draft.pk}/{slug}/"


def stored(draft):
    with acting_for(draft.tenant_id):
        return CertificateRequest.objects.get(pk=draft.pk)


@pytest.mark.parametrize(("kind", "profile"), SPECIFIED)
def test_the_steps_are_the_specified_ones(petra, acme, kind, profile):
    source = issued(petra, acme, profile=profile) if kind == "rekey" else None
    draft = begun(petra, acme, profile=profile, source=source)

    page = Visitor(petra).open(step(draft, "key"))

    assert [name for name, _status in page.rail] == SPECIFIED[kind, profile]
    with acting_for(acme.pk):
        assert [str(each.title) for each in Flow(draft, STEPS).steps] == SPECIFIED[kind, profile]


@pytest.mark.rule("0.R18", "0.R19")
def test_a_rekey_goes_from_the_row_menu_to_the_end_with_an_empty_message(petra, acme):
    source = issued(petra, acme)
    visitor = Visitor(petra)

    page = visitor.open("/t/acme/certificates/").follow("More actions")
    assert page.heading == "Certificate action"
    page = page.press("View request", action="rekey", confirmation=True)
    assert page.rail == [(KEY, "current"), (CONFIRM, "ahead")]
    page = page.press("Next", csr=csr())
    assert page.rail == [(KEY, "done"), (CONFIRM, "current")]
    assert "Step 2 of 2" in page.text
    assert page.value("message") == ""
    page = page.press("Rekey", use_case="lost", message="", consent=True)

    [request] = _requests_of(acme, source)
    assert page.address == f"/t/acme/requests/{request.pk}/"
    assert request.state == "ready"
    assert request.answers["confirm"]["message"] == ""


def _requests_of(tenant, source):
    with acting_for(tenant.pk):
        return list(CertificateRequest.objects.filter(predecessor=source))


def test_a_first_certificate_is_asked_for_from_the_list_to_the_end(petra, acme):
    page = Visitor(petra).open("/t/acme/certificates/").follow("Request a certificate")
    page = page.press("Next", profile="secure-email")
    assert page.rail[0] == ("Name", "current")
    page = page.press("Next", common_name="Petra  Nováková ")
    page = page.press("Next", email="petra@ACME.example\n p.novakova@acme.example,")
    page = page.press("Next", csr_file=csr().encode())
    assert page.heading == "Check before you confirm"
    for said in ("Petra Nováková", "petra@acme.example", "p.novakova@acme.example", "Secure E-mail"):
        assert said in page.text
    page = page.press("Request certificate", consent=True)

    assert "waits for the certificate authority" in page.text
    request = stored(_newest(acme))
    assert request.state == "ready"
    assert request.answers["subject"] == {"common_name": "Petra Nováková"}


def _newest(tenant):
    with acting_for(tenant.pk):
        return CertificateRequest.objects.order_by("-pk")[0]


def test_nobody_gets_past_the_open_step_by_its_address(petra, acme, owner):
    draft = begun(petra, acme)
    visitor = Visitor(petra)

    with nothing_happens(owner):
        assert visitor.open(step(draft, "confirm")).address == step(draft, "subject")
        assert visitor.open(step(draft, "key")).address == step(draft, "subject")
        posted = visitor.post(step(draft, "confirm"), {"consent": "on"})

    assert posted.address == step(draft, "subject")


@pytest.mark.parametrize("slug", ["domain", "validity", "nothing", "a" * 300])
def test_a_step_that_this_draft_does_not_have_is_not_there(petra, acme, slug):
    assert Visitor(petra).open(step(begun(petra, acme), slug)).status == 404


def test_a_rekey_does_not_ask_for_names_and_ignores_them_when_they_are_sent(petra, acme):
    """0.R6, 0.R22: names come from the source; there is no page, and no field, that could change them."""
    source = issued(petra, acme, name="Petra Nováková")
    draft = begun(petra, acme, source=source)
    visitor = Visitor(petra)

    assert visitor.open(step(draft, "subject")).status == 404
    assert visitor.post(step(draft, "subject"), {"common_name": "Somebody Else"}).status == 404
    smuggled = {"csr": csr(), "common_name": "Somebody Else", "email": "else@acme.example", "not_after": "2099-01-01"}
    assert visitor.post(step(draft, "key"), smuggled).address == step(draft, "confirm")
    assert set(stored(draft).answers) == {"key"}
    assert set(stored(draft).answers["key"]) == {"csr", "spki", "key_type", "public_key"}


def test_a_draft_goes_on_in_another_session_where_it_was_left(petra, acme):
    first = Visitor(petra)
    page = first.open("/t/acme/requests/begin/issue/").press("Next", profile="desktop-signing")
    page = page.press("Next", common_name="Petra N.", organizational_unit="Sales")
    left_at = page.address

    page = Visitor(petra).open("/t/acme/")
    assert "Draft since" in page.text
    page = page.follow("Go on: New certificate for Petra N.").follow("Go on with this request")

    assert page.address == left_at
    assert page.rail[0] == ("Name", "done")
    page = page.follow("Back")
    assert (page.value("common_name"), page.value("organizational_unit")) == ("Petra N.", "Sales")


def test_beginning_a_rekey_again_goes_on_with_the_draft_that_is_there(petra, acme):
    source = issued(petra, acme)
    visitor = Visitor(petra)
    detail = f"/t/acme/certificates/{source.pk}/"

    first = visitor.open(detail).press("Rekey")
    filled_in = first.press("Next", csr=csr())
    again = visitor.open(detail).press("Rekey")

    assert again.address == filled_in.address
    assert len(_requests_of(acme, source)) == 1


@pytest.mark.parametrize(
    ("slug", "answers", "shown"),
    [
        ("subject", {"common_name": "Petra", "organizational_unit": "Sales"}, {"common_name": "Petra"}),
        ("names", {"email": "a@acme.example\nb@acme.example"}, {"email": "a@acme.example\nb@acme.example"}),
    ],
)
def test_going_back_shows_what_was_answered_and_next_accepts_it_again(petra, acme, slug, answers, shown):
    draft = begun(petra, acme, profile="secure-email")
    visitor = Visitor(petra)
    page = visitor.open(step(draft, "subject")).press("Next", common_name="Petra")
    if slug == "names":
        page = page.press("Next", **answers)
    before = stored(draft).answers

    page = visitor.open(step(draft, slug))
    assert {name: page.value(name) for name in shown} == shown
    page = page.press("Next")

    assert page.status == 200
    assert stored(draft).answers == before


def test_the_key_can_be_looked_at_and_kept(petra, acme):
    draft = begun(petra, acme, source=issued(petra, acme))
    request = csr()
    visitor = Visitor(petra)
    visitor.open(step(draft, "key")).press("Next", csr=request)
    before = stored(draft).answers

    page = visitor.open(step(draft, "key"))
    assert page.value("csr").split() == request.split()
    assert page.press("Next").address == step(draft, "confirm")
    assert stored(draft).answers == before


@pytest.mark.parametrize("who", ["dan", "hank", "vera", "ada", "nobody"])
def test_nobody_else_sees_or_changes_a_draft(request, petra, acme, owner, who):
    draft = filled(petra, acme)
    visitor = Visitor(None if who == "nobody" else request.getfixturevalue(who))
    expected = {"dan": 404, "hank": 404, "vera": 403, "ada": 403, "nobody": 200}[who]

    with nothing_happens(owner):
        for path in ("subject/", "key/", "confirm/", "confirmation/"):
            page = visitor.open(f"/t/acme/requests/{draft.pk}/{path}")
            assert page.status == expected
            assert "Petra" not in page.text
            if who == "nobody":
                assert page.address.startswith("/sign-in/?next=")
            else:
                answers = {"common_name": "Mine", "csr": csr(), "consent": "on", "code": "123456"}
                assert visitor.post(f"/t/acme/requests/{draft.pk}/{path}", answers).status == expected
        if who != "nobody":
            assert visitor.post(f"/t/acme/requests/{draft.pk}/discard/", {}).status == expected


@pytest.mark.parametrize("who", ["dan", "vera"])
def test_nobody_begins_a_rekey_of_somebody_elses_certificate(request, petra, acme, owner, who):
    source = issued(petra, acme)
    visitor = Visitor(request.getfixturevalue(who))

    with nothing_happens(owner):
        page = visitor.post("/t/acme/requests/begin/rekey/", {"certificate": str(source.pk)})

    assert page.status == {"dan": 404, "vera": 403}[who]


def test_a_discarded_draft_is_withdrawn_and_stays_readable(petra, acme):
    draft = filled(petra, acme)
    visitor = Visitor(petra)

    page = visitor.open(step(draft, "confirm")).press("Discard this request")

    assert "The request was withdrawn; nothing was issued." in page.text
    assert stored(draft).state == "withdrawn"
    assert visitor.open(step(draft, "confirm")).address == f"/t/acme/requests/{draft.pk}/"


def test_discarding_twice_says_so_and_does_nothing(petra, acme, owner):
    draft = filled(petra, acme)
    visitor = Visitor(petra)
    page = visitor.open(step(draft, "confirm"))
    page.press("Discard this request")

    with nothing_happens(owner):
        again = page.press("Discard this request")

    assert again.status == 409
    assert "withdraw" in again.heading


def test_a_changed_profile_reopens_the_step_whose_answer_it_no_longer_accepts(petra, acme):
    draft = filled(petra, acme)
    _next_profile(acme, key_types=["rsa-3072"])

    page = Visitor(petra).open(step(draft, "confirm"))

    assert page.address == step(draft, "key")
    assert page.rail == [("Name", "done"), (KEY, "current"), (CONFIRM, "ahead")]


def _next_profile(tenant, **terms):
    with serving("owner"), acting_for(tenant.pk):
        old = CertificateProfile.objects.in_force("desktop-signing")
        CertificateProfile(
            slug=old.slug,
            version=old.version + 1,
            title=old.title,
            area=old.area,
            trust=old.trust,
            authority=old.authority,
            content={**old.content, **terms},
        ).save(force_insert=True)


def test_two_tabs_with_two_certificates_never_mix(petra, acme):
    one, two = issued(petra, acme, name="One"), issued(petra, acme, name="Two")
    visitor = Visitor(petra)
    tab_one = visitor.open(f"/t/acme/certificates/{one.pk}/").press("Rekey")
    tab_two = visitor.open(f"/t/acme/certificates/{two.pk}/").press("Rekey")
    csr_one, csr_two = csr(), csr()

    tab_one = tab_one.press("Next", csr=csr_one)
    tab_two = tab_two.press("Next", csr=csr_two)
    tab_two.press("Rekey", use_case="lost", consent=True)
    tab_one.press("Rekey", use_case="changed", consent=True)

    [of_one], [of_two] = _requests_of(acme, one), _requests_of(acme, two)
    assert of_one.answers["key"]["csr"].split() == csr_one.split()
    assert of_two.answers["key"]["csr"].split() == csr_two.split()
    assert (of_one.state, of_one.answers["confirm"]["use_case"]) == ("ready", "changed")
    assert (of_two.state, of_two.answers["confirm"]["use_case"]) == ("ready", "lost")


def test_what_was_changed_in_another_tab_has_to_be_looked_at_before_it_is_confirmed(petra, acme, owner):
    draft = begun(petra, acme, source=issued(petra, acme))
    visitor = Visitor(petra)
    looking = visitor.open(step(draft, "key")).press("Next", csr=csr())
    visitor.open(step(draft, "key")).press("Next", csr=csr())

    with nothing_happens(owner):
        page = looking.press("Rekey", use_case="lost", consent=True)

    assert page.status == 422
    assert page.complaints == ["This request was changed in another window. Check it again as it is now, then confirm."]
    assert page.press("Rekey", use_case="lost", consent=True).address == f"/t/acme/requests/{draft.pk}/"


@pytest.mark.parametrize("state", ["submitted", "withdrawn"])
def test_what_is_no_draft_any_more_leads_to_its_page(petra, acme, owner, state):
    draft = submitted(petra, acme) if state == "submitted" else filled(petra, acme)
    visitor = Visitor(petra)
    if state == "withdrawn":
        visitor.open(step(draft, "confirm")).press("Discard this request")

    with nothing_happens(owner):
        for slug in ("subject", "key", "confirm", "confirmation"):
            assert visitor.open(step(draft, slug)).address == f"/t/acme/requests/{draft.pk}/"
            assert visitor.post(step(draft, slug), {"common_name": "Eve"}).address == f"/t/acme/requests/{draft.pk}/"


def test_a_policy_that_was_switched_off_meanwhile_lets_nothing_through(petra, acme, owner):
    draft = begun(petra, acme, source=issued(petra, acme))
    page = Visitor(petra).open(step(draft, "key")).press("Next", csr=csr())
    next_policies(acme, enabled=False)

    with nothing_happens(owner, but=("request",)):
        page = page.press("Rekey", use_case="lost", consent=True)

    assert stored(draft).state == "draft"
    assert page.status == 422
    assert "switched this operation off" in page.text
