"""Rekey flow 2: what is locked is shown and cannot be changed, and every name is looked up before anything is done."""

import re
from datetime import timedelta

import pytest
from cryptography import x509

from lifecycle.certificates.models import Certificate
from lifecycle.policies.rules import PolicyForbids
from lifecycle.requests import services
from lifecycle.requests.errors import AgreementMissing
from lifecycle.requests.models import CertificateRequest, IssuanceAttempt
from lifecycle.validation.caa import Reason
from lifecycle.validation.models import CaaCheck
from portal.foundation import clock
from portal.foundation.tenancy.context import acting_for
from tests.fakes.zone import Zone
from tests.lifecycle.test_limits import public
from tests.web.browsing import Visitor, later, nothing_happens, said
from tests.world import (
    at_domains,
    begun,
    carry_out,
    csr,
    fill,
    filled,
    forbid,
    issued,
    look,
    next_policies,
    permit,
    submit,
)

NAMES = ("api.acme.example", "shop.acme.example", "www.acme.example")
RAIL = ["Name", "Alternative names", "Validity", "Key", "Domain ownership", "Check and confirm"]


def step(draft, slug):
    return f"/t/acme/requests/{draft.pk}/{slug}/"


def stored(draft):
    with acting_for(draft.tenant_id):
        return CertificateRequest.objects.select_related("profile", "policy", "predecessor").get(pk=draft.pk)


def server(petra, acme):
    return issued(petra, acme, profile="tls-server", dns="\n".join(NAMES))


def chips(page):
    """Each name's state, as its row says it."""
    texts = ["".join(row.itertext()) for row in page.having_class("domain")]
    words = ("Unverified", "Verifying", "Verified", "Failed: forbidden by CAA", "Failed: not found out")
    return {name: next(word for word in words if word in text) for name in NAMES for text in texts if name in text}


@pytest.mark.rule("0.R20", "0.R21", "0.R23", "0.R24", "0.R29")
def test_a_server_certificate_is_rekeyed_page_by_page(petra, acme):
    source = server(petra, acme)
    visitor = Visitor(petra)

    page = visitor.open(f"/t/acme/certificates/{source.pk}/").press("Rekey")
    assert [name for name, _status in page.rail] == RAIL
    assert "cannot be edited here" in page.text
    page = page.press("Next")
    assert page.rail[1] == ("Alternative names", "current")
    assert page.value("dns").split() == list(NAMES)
    page = page.press("Next")
    assert page.rail[2] == ("Validity", "current")
    assert page.value("until") == f"{source.not_after:%Y-%m-%d %H:%M:%S} UTC"
    page = page.press("Next")
    page = page.press("Next", csr=csr())
    assert page.heading == "Domain ownership"
    assert chips(page) == dict.fromkeys(NAMES, "Verified"), "the looks of the first certificate are fresh"
    page = page.press("Next")
    assert page.rail[5] == ("Check and confirm", "current")
    assert "I am sure that I want to rekey this certificate." in page.text
    unsure = page.press("Rekey", use_case="lost")
    assert unsure.status == 422
    page = unsure.press("Rekey", use_case="lost", consent=True)

    with acting_for(acme.pk):
        [request] = CertificateRequest.objects.filter(predecessor=source)
    assert page.address == f"/t/acme/requests/{request.pk}/"
    made = _signed(request, acme)
    assert made.subject.public_bytes() == source.x509.subject.public_bytes()
    assert made.not_valid_after_utc == source.not_after


@pytest.mark.rule("0.R25", "0.R26", "0.R28")
def test_every_name_is_unverified_until_somebody_presses_verify(petra, acme):
    draft = at_domains(petra, acme, *NAMES)
    visitor = Visitor(petra)

    page = visitor.open(step(draft, "domains"))
    assert chips(page) == dict.fromkeys(NAMES, "Unverified")
    assert "Opens when all names are verified: 3 names are not, of 3." in page.text
    page = page.press("Verify")
    assert chips(page) == dict.fromkeys(NAMES, "Verifying")
    permit(draft)
    page = visitor.open(step(draft, "domains"))
    assert chips(page) == dict.fromkeys(NAMES, "Verified")
    assert "it counts until" in page.text
    page = page.press("Next")

    assert page.rail[5] == ("Check and confirm", "current")
    assert stored(draft).answers["domains"] == {"names": list(NAMES)}
    done = carry_out(stored(fill_and_submit(draft, petra)))
    assert done.state == "completed"


def fill_and_submit(draft, person):
    fill(draft, person)
    with acting_for(draft.tenant_id, person=person.pk):
        return services.submit(services.draft_for(draft.pk, by=person.pk), by=person.pk, challenge=None)


@pytest.mark.rule("0.R25", "0.R27")
def test_one_cannot_go_on_before_every_name_is_verified(petra, acme, owner):
    draft = at_domains(petra, acme, *NAMES)
    visitor = Visitor(petra)

    with nothing_happens(owner):
        page = visitor.open(step(draft, "domains")).press("Next")
        further = visitor.open(step(draft, "confirm"))

    assert page.status == 422
    assert page.complaints == ["Opens when all names are verified: 3 names are not, of 3."]
    assert further.address == step(draft, "domains")


def test_one_forbidden_name_is_shown_with_the_record_that_would_help_and_can_be_checked_again(petra, acme):
    draft = at_domains(petra, acme, *NAMES)
    forbid(draft, "shop.acme.example")
    visitor = Visitor(petra)

    page = visitor.open(step(draft, "domains"))
    assert chips(page) == {**dict.fromkeys(NAMES, "Verified"), "shop.acme.example": "Failed: forbidden by CAA"}
    assert 'shop.acme.example. CAA 0 issue "ca.acme.example"' in page.text
    assert '0 issue "other.example"' in page.text
    assert "1 name is not, of 3" in page.text
    with later(seconds=11):
        page = page.press("Check again shop.acme.example")
        assert chips(page)["shop.acme.example"] == "Verifying"
    permit(draft)

    assert set(chips(visitor.open(step(draft, "domains"))).values()) == {"Verified"}


def test_a_name_that_could_not_be_looked_up_is_no_consent(petra, acme):
    draft = at_domains(petra, acme, *NAMES)
    look(draft, Zone({"www.acme.example": Reason.SERVER_FAILED}))

    page = Visitor(petra).open(step(draft, "domains"))

    assert chips(page)["www.acme.example"] == "Failed: not found out"
    assert "SERVFAIL" in page.text
    assert page.press("Next").status == 422


def test_what_stands_in_a_record_is_shown_and_never_obeyed(petra, acme):
    draft = at_domains(petra, acme, "www.acme.example")
    look(draft, Zone({"www.acme.example": ('<script>alert("x")</script>\u202e'.encode().decode("latin-1"),)}))

    page = Visitor(petra).open(step(draft, "domains"))

    assert "<script>alert" not in page.response.content.decode()
    assert "alert(" in page.text


def test_a_look_that_grew_old_counts_as_none(petra, acme):
    draft = at_domains(petra, acme, *NAMES)
    permit(draft, at=clock.now() - timedelta(hours=9, minutes=1))

    page = Visitor(petra).open(step(draft, "domains"))

    assert set(chips(page).values()) == {"Unverified"}
    assert "Checked 9 hours ago" in page.text
    assert page.press("Next").status == 422


SMUGGLED = {
    "common_name": "evil.example", "fixed_0": "XX", "fixed_1": "Evil", "fixed_2": "evil.example",
    "dns": "evil.example", "email": "evil@evil.example", "days": "3650", "until": "2099-01-01 00:00:00 UTC",
    "names": "evil.example", "not_after": "2099-01-01",
}  # fmt: skip


@pytest.mark.rule("0.R22", "0.R23", "0.R24")
def test_what_is_locked_cannot_be_changed_by_what_is_posted(petra, acme):
    source = server(petra, acme)
    draft = begun(petra, acme, source=source)
    visitor = Visitor(petra)
    for slug in ("subject", "names", "validity"):
        page = visitor.open(step(draft, slug))
        tags = [*page.all("input"), *page.all("textarea")]
        fields = [tag for tag in tags if tag.get("name", "").startswith(("fixed", "dns", "until"))]
        assert fields
        assert all(tag.get("disabled") is not None for tag in fields)
        visitor.post(step(draft, slug), SMUGGLED)
        assert stored(draft).answers[slug] == {}
    request = csr()
    visitor.post(step(draft, "key"), {**SMUGGLED, "csr": request})
    visitor.post(step(draft, "domains"), SMUGGLED)
    assert stored(draft).answers["domains"] == {"names": list(NAMES)}

    certificate = _signed(fill_and_submit(draft, petra), acme)

    assert certificate.subject.public_bytes() == source.x509.subject.public_bytes()
    assert certificate.not_valid_after_utc == source.not_after
    assert _names(certificate) == _names(source.x509) == list(NAMES)


def _signed(request, tenant):
    carry_out(request)
    with acting_for(tenant.pk):
        return Certificate.objects.get(made_from=request.pk).x509


def _names(certificate):
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return extension.value.get_values_for_type(x509.DNSName)


@pytest.mark.rule("0.R27", "0.R28")
@pytest.mark.parametrize("forbidden", NAMES)
def test_of_n_names_the_one_that_forbids_stops_the_submission(petra, acme, owner, forbidden):
    draft = filled(petra, acme, profile="tls-server", dns="\n".join(NAMES))
    forbid(draft, forbidden)

    with nothing_happens(owner), pytest.raises(PolicyForbids) as refusal, acting_for(acme.pk, person=petra.pk):
        services.submit(services.draft_for(draft.pk, by=petra.pk), by=petra.pk, challenge=None)

    assert [broken.rule.slug for broken in refusal.value.broken] == ["caa-permits"]
    assert [name for name in NAMES if name in str(refusal.value)] == [forbidden]
    assert Visitor(petra).open(step(draft, "confirm")).address == step(draft, "domains")


@pytest.mark.parametrize("missing", NAMES)
def test_of_n_names_the_one_that_nobody_looked_at_stops_the_submission(petra, acme, owner, missing):
    draft = filled(petra, acme, profile="tls-server", dns="\n".join(NAMES))
    with acting_for(acme.pk):
        [check] = CaaCheck.objects.filter(name=missing)
    _forget(owner, check)

    with nothing_happens(owner), pytest.raises(PolicyForbids) as refusal, acting_for(acme.pk, person=petra.pk):
        services.submit(services.draft_for(draft.pk, by=petra.pk), by=petra.pk, challenge=None)

    assert [name for name in NAMES if name in str(refusal.value)] == [missing]


def _forget(owner, check):
    owner.execute("SET session_replication_role = replica")
    owner.execute("DELETE FROM validation_caacheck WHERE id = %s", [str(check.pk)])
    owner.execute("SET session_replication_role = origin")


def test_a_look_for_another_authority_proves_nothing_here(petra, acme, hank, globex):
    draft = at_domains(petra, acme, "www.acme.example")
    theirs = at_domains(hank, globex, "www.acme.example")
    permit(theirs)

    assert "Unverified" in Visitor(petra).open(step(draft, "domains")).text


def test_where_the_policy_does_not_ask_the_page_is_not_there(petra, acme):
    next_policies(acme, checks_caa=False)
    draft = begun(petra, acme, profile="tls-server")

    assert Visitor(petra).open(step(draft, "domains")).status == 404
    done = carry_out(fill_and_submit(draft, petra))
    assert done.state == "completed"


@pytest.mark.parametrize("pressed", ["Check again shop.acme.example", "Verify"])
def test_a_name_whose_look_just_failed_is_not_looked_at_again_and_the_page_says_from_when(petra, acme, owner, pressed):
    draft = at_domains(petra, acme, *NAMES)
    forbid(draft, "shop.acme.example")
    with acting_for(acme.pk):
        [failed] = CaaCheck.objects.filter(name="shop.acme.example")
    opens = (failed.checked_at + timedelta(seconds=11)).replace(microsecond=0)
    page = Visitor(petra).open(step(draft, "domains"))

    with nothing_happens(owner):
        again = page.press(pressed)
        with clock.frozen(opens - timedelta(milliseconds=1)):
            page.press(pressed)
        with acting_for(acme.pk):
            assert CaaCheck.objects.count() == len(NAMES)
    assert chips(again)["shop.acme.example"] == "Failed: forbidden by CAA"
    for shown in (page, again):
        assert f"can be checked again from {opens:%H:%M:%S} UTC" in shown.text
    with clock.frozen(opens):
        page = page.visitor.open(page.address)
        assert "can be checked again" not in page.text
        assert closed(page) == {}
        assert chips(page.press(pressed))["shop.acme.example"] == "Verifying"


def closed(page):
    """The buttons for looking that say that they do nothing now, each with the reason it names."""
    told = {element.get("id"): said(element) for element in page.tree.iter() if element.get("id")}
    return {
        said(button): told[button.get("aria-describedby")]
        for button in page.all("button")
        if button.get("aria-disabled") == "true" and button.get("form") == "verify"
    }


def test_a_button_that_would_do_nothing_yet_says_so_and_opens_by_itself(petra, acme):
    draft = at_domains(petra, acme, *NAMES)
    forbid(draft, "shop.acme.example")
    visitor = Visitor(petra)

    with clock.frozen(checked_at(acme, "shop.acme.example") + timedelta(seconds=4)):
        page = visitor.open(step(draft, "domains"))
        buttons = closed(page)
        [seconds] = re.findall(r'hx-trigger="every (\d+)s"', page.response.content.decode())

    assert set(buttons) == {"Verify", "Check again shop.acme.example"}
    assert all("can be checked again from" in reason for reason in buttons.values())
    assert 6 <= int(seconds) <= 7, "the page comes again when there is something new to say, and not before"
    assert "The names are being looked up" not in page.text
    with clock.frozen(checked_at(acme, "shop.acme.example") + timedelta(seconds=4 + int(seconds))):
        again = visitor.open(step(draft, "domains"))
    assert closed(again) == {}
    assert "hx-trigger" not in again.response.content.decode()


def test_all_is_verified_at_once_as_soon_as_one_of_the_names_can_be(petra, acme, owner):
    draft = at_domains(petra, acme, *NAMES)
    forbid(draft, "shop.acme.example")
    _forget(owner, look_at(acme, "www.acme.example"))

    page = Visitor(petra).open(step(draft, "domains"))

    assert set(closed(page)) == {"Check again shop.acme.example"}, "another name was never looked at"
    assert chips(page.press("Verify")) == {
        "api.acme.example": "Verified",
        "shop.acme.example": "Failed: forbidden by CAA",
        "www.acme.example": "Verifying",
    }


def checked_at(tenant, name):
    return look_at(tenant, name).checked_at


def look_at(tenant, name):
    with acting_for(tenant.pk):
        return CaaCheck.objects.get(name=name)


def test_public_trust_looks_names_up_whatever_the_policy_says(petra, acme, owner):
    public(acme)
    next_policies(acme, checks_caa=False)
    draft = filled(petra, acme, profile="tls-server", dns="www.acme.com")
    page = Visitor(petra).open(step(draft, "domains"))
    assert page.heading == "Domain ownership"
    forbid(draft, "www.acme.com")

    with nothing_happens(owner):
        assert page.visitor.open(step(draft, "confirm")).address == step(draft, "domains")
        with pytest.raises(PolicyForbids) as refusal:
            submit(draft, petra)

    assert [broken.rule.slug for broken in refusal.value.broken] == ["caa-permits"]


def test_public_trust_takes_no_request_without_a_subscriber_agreement(petra, acme, owner):
    public(acme)
    next_policies(acme, agreement="")
    draft = filled(petra, acme, profile="tls-server", dns="www.acme.com")

    with nothing_happens(owner), pytest.raises(AgreementMissing):
        submit(draft, petra)

    assert stored(draft).is_draft


def test_more_names_than_anybody_reads_are_refused_in_words(petra, acme, owner):
    draft = begun(petra, acme, profile="tls-server")
    visitor = Visitor(petra)
    visitor.open(step(draft, "subject")).press("Next")
    page = visitor.open(step(draft, "names"))

    with nothing_happens(owner):
        many = page.press("Next", dns=" ".join(f"w{number}.a.example" for number in range(2_000)))
        long = page.press("Next", dns="w" * 51_201)

    assert (many.status, long.status) == (422, 422)
    assert many.complaints == ["One certificate takes at most 100 names; these are 2000."]
    assert "at most 51200 characters" in long.complaints[0]


@pytest.mark.rule("0.R30")
def test_a_double_click_and_the_back_button_make_one_certificate(petra, acme):
    source = server(petra, acme)
    draft = filled(petra, acme, source=source)
    visitor = Visitor(petra)
    confirm = visitor.open(step(draft, "confirm"))

    first = confirm.press("Rekey", consent=True)
    again = confirm.press("Rekey", consent=True)
    back = visitor.open(step(draft, "confirm"))
    carry_out(draft)
    visitor.open(first.address)

    assert first.address == again.address == back.address
    with acting_for(acme.pk):
        assert Certificate.objects.filter(predecessor=source).count() == 1
        assert IssuanceAttempt.objects.filter(request=draft).count() == 1


@pytest.mark.parametrize(
    ("days", "complaint"), [("0", "greater than"), ("91", "less than"), ("x", "whole number"), ("", "required")]
)
def test_a_validity_outside_profile_and_policy_is_refused(petra, acme, days, complaint):
    draft = begun(petra, acme, profile="tls-server")
    visitor = Visitor(petra)
    visitor.open(step(draft, "subject")).press("Next").press("Next", dns="www.acme.example")

    page = visitor.open(step(draft, "validity")).press("Next", days=days)

    assert page.status == 422
    assert complaint in page.text


def test_a_shorter_validity_and_the_first_name_are_in_the_certificate(petra, acme):
    certificate = issued(petra, acme, profile="tls-server", dns="b.acme.example\na.acme.example", days=30).x509

    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days == 29
    assert certificate.subject.rfc4514_string() == "CN=b.acme.example,O=Acme Industries,C=CZ"
    assert _names(certificate) == ["b.acme.example", "a.acme.example"]


def test_a_common_name_that_would_be_too_long_is_left_out(petra, acme):
    long = f"{'a' * 63}.acme.example"

    assert issued(petra, acme, profile="tls-server", dns=long).x509.subject.rfc4514_string() == "O=Acme Industries,C=CZ"


def test_a_wildcard_is_a_name_of_its_own_from_the_form_to_the_certificate(petra, acme):
    names = ["*.wild.acme.example", "wild.acme.example"]
    certificate = issued(petra, acme, profile="tls-server", dns="\n".join(names)).x509

    assert _names(certificate) == names
    with acting_for(acme.pk):
        assert set(CaaCheck.objects.values_list("name", flat=True)) == set(names)
