"""Profiles over HTTP: made, given new versions, compared; what contradicts itself is refused in words."""

import pytest

from lifecycle.authorities.models import CertificateProfile
from lifecycle.authorities.purposes import SUBJECT_TITLES
from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.orders import SUBJECT_FIELDS
from portal.foundation.audit.models import AuditEvent
from portal.foundation.tenancy.context import acting_for
from tests.lifecycle.administration.pressing import press
from tests.rows import everything
from tests.web.browsing import Page, Visitor
from tests.web.naughty import NAUGHTY
from tests.world import begun, issued

pytestmark = pytest.mark.django_db

NEW = "/t/acme/profiles/new/?start="
CHANGE = "/t/acme/profiles/desktop-signing/change/"


def authority(page: Page) -> str:
    options = page.fields()["authority"].iter("option")
    return next(option.get("value") for option in options if "Issuing CA" in "".join(option.itertext()))


def new(person, start: str = "documents") -> Page:
    return Visitor(person).open(f"{NEW}{start}")


def reviewed(page: Page, **answers) -> Page:
    """Fill the form in; what is not named stays as it began."""
    answers.setdefault("authority", authority(page))
    return press(page, "Review the profile", **answers)


def test_the_subject_has_the_fields_that_orders_write():
    assert list(SUBJECT_TITLES) == list(SUBJECT_FIELDS)


@pytest.mark.parametrize("start", ["tls-server", "tls-client", "documents", "mail", "copy:desktop-signing"])
def test_every_start_makes_a_profile_that_allows_nothing_yet(owner, acme, ada, petra, start):
    review = reviewed(new(ada, start), title=f"Made of {start}", area="")
    assert review.status == 200, review.complaints
    shown = press(review, "Make this profile")
    assert "Nothing is allowed yet" in shown.text
    with acting_for(acme.pk):
        [made] = CertificateProfile.objects.filter(made_by=str(ada.pk))
        [event] = AuditEvent.objects.filter(code="profile:create")
    assert (made.version, event.subject, event.facts["slug"]) == (1, str(made.pk), made.slug)
    offered = Visitor(petra).open("/t/acme/requests/begin/issue/").all("input")
    assert made.slug not in {choice.get("value") for choice in offered}
    assert "desktop-signing" in {choice.get("value") for choice in offered}


def test_a_copy_takes_everything_but_a_name_of_its_own(acme, ada):
    press(reviewed(new(ada, "copy:desktop-signing"), title="Desktop Signing", area=""), "Make this profile")
    with acting_for(acme.pk):
        first = CertificateProfile.objects.in_force("desktop-signing")
        copy = CertificateProfile.objects.in_force("desktop-signing-2")
    assert copy.terms == first.terms
    assert copy.authority_id == first.authority_id


def test_a_new_version_says_what_changes_and_whom_it_reaches_and_certificates_keep_theirs(owner, acme, ada, petra):
    certificate, draft = issued(petra, acme), begun(petra, acme)
    page = Visitor(ada).open(CHANGE)
    before = everything(owner)
    review = press(page, "Review the profile", days="180", title="Desktop Signing")
    assert everything(owner) == before
    assert "365 days 180 days" in review.text
    assert "1 valid certificate follows this profile." in review.text
    assert "1 draft goes over to the new version" in review.text
    assert draft.number in review.text
    press(review, "Save the new version")
    with acting_for(acme.pk):
        newest = CertificateProfile.objects.in_force("desktop-signing")
        certificate.refresh_from_db()
        old = CertificateProfile.objects.get(pk=certificate.profile_id)
    assert (newest.version, newest.terms.days, old.version, old.terms.days) == (2, 180, 1, 365)
    compared = Visitor(ada).open("/t/acme/profiles/desktop-signing/compare/?from=1&to=2")
    assert "Validity 365 days 180 days" in compared.text
    same = Visitor(ada).open("/t/acme/profiles/desktop-signing/compare/?from=2&to=2")
    assert "Nothing: the two say the same." in same.text
    Visitor(petra).open(f"/t/acme/requests/{draft.pk}/subject/")
    with acting_for(acme.pk):
        assert CertificateRequest.objects.get(pk=draft.pk).profile_id == newest.pk


def test_a_version_that_says_the_same_is_not_made(owner, acme, ada):
    page = Visitor(ada).open(CHANGE)
    before = everything(owner)
    refused = press(page, "Review the profile")
    assert refused.status == 422
    assert "would say what the profile says already" in refused.complaints[0]
    assert everything(owner) == before


def test_the_second_of_two_administrators_is_told_and_keeps_what_was_filled_in(acme, ada):
    first, second = Visitor(ada).open(CHANGE), Visitor(ada).open(CHANGE)
    review = press(second, "Review the profile", days="90")
    press(press(first, "Review the profile", days="200"), "Save the new version")
    told = press(review, "Save the new version")
    assert told.status == 409
    assert (told.value("days"), told.value("seen")) == ("90", "2")
    press(press(told, "Review the profile"), "Save the new version")
    with acting_for(acme.pk):
        newest = CertificateProfile.objects.in_force("desktop-signing")
    assert (newest.version, newest.terms.days) == (3, 90)


def test_trust_class_and_area_stay_whatever_is_posted(acme, ada):
    page = Visitor(ada).open(CHANGE)
    assert "trust" not in page.fields()
    review = press(page, "Review the profile", days="90")
    hidden = {
        name: control.get("value", "") for name, control in review.fields().items() if control.get("type") == "hidden"
    }
    hidden |= {"trust": "public-tls", "area": "elsewhere", "save": "1"}
    hidden |= {"key_types": ["ec-p256"], "key_usage_ec": ["digital_signature"], "subject": ["common_name"]}
    page.visitor.post(CHANGE, hidden)
    with acting_for(acme.pk):
        newest = CertificateProfile.objects.in_force("desktop-signing")
    assert (newest.version, newest.trust, newest.area) == (2, "private", "desktop-signing")


# --- what is refused --------------------------------------------------------------------------------------------------

GOOD = {
    "title": "Test",
    "about": "",
    "area": "",
    "trust": "private",
    "key_types": ["ec-p256", "rsa-3072"],
    "key_usage_ec": ["digital_signature", "key_agreement"],
    "key_usage_rsa": ["digital_signature", "key_encipherment"],
    "purposes": ["1.3.6.1.5.5.7.3.4"],
    "other_purposes": "",
    "subject": ["common_name"],
    "common_name_from": "",
    "alternative_names": ["email"],
    "days": "365",
    "seen": "0",
}
TLS = {
    "trust": "public-tls", "purposes": ["1.3.6.1.5.5.7.3.1"], "alternative_names": ["dns"], "days": "90",
    "key_usage_ec": ["digital_signature"],
}  # fmt: skip
BAD = {
    "no kind of key": ({"key_types": []}, "Choose at least one kind of key."),
    "EC keys that encipher keys": ({"key_usage_ec": ["key_encipherment"]}, "Choose among the options"),
    "no use of RSA keys": ({"key_usage_rsa": []}, "Say what RSA keys may be used for."),
    "only without agreement": ({"key_usage_ec": ["digital_signature", "encipher_only"]}, "narrows key agreement"),
    "a purpose without its use": (
        {"purposes": ["1.3.6.1.5.5.7.3.3"], "key_usage_rsa": ["key_encipherment"], "alternative_names": []},
        "“Code signing” needs another use of RSA keys",
    ),
    "an identifier that is none": ({"other_purposes": "1.2.banana"}, "“1.2.banana” is not an object identifier"),
    "a hundred identifiers": ({"other_purposes": " ".join(f"1.2.{n}" for n in range(100))}, "at most 20 purposes"),
    "mail without addresses": ({"alternative_names": []}, "needs an e-mail address in it"),
    "asked and fixed": ({"fixed_common_name": "Everybody"}, "asked for and fixed at the same time"),
    "a country of three letters": ({"fixed_country": "CZE"}, "at most 2 characters"),
    "a country of digits": ({"fixed_country": "42"}, "two capital letters"),
    "a name from names that are not there": ({"common_name_from": "dns", "subject": []}, "does not have"),
    "nobody": ({"subject": [], "alternative_names": [], "purposes": ["1.3.6.1.5.5.7.3.2"]}, "would name nobody"),
    "no days": ({"days": "0"}, "whole number of days from 1 to 3650"),
    "days beyond all": ({"days": "9" * 30}, "whole number of days from 1 to 3650"),
    "longer than the authority": (
        {"days": "3650", "purposes": [], "alternative_names": []},
        "The authority itself ends",
    ),
    "archived keys that only sign": (
        {"krs": "on", "key_usage_rsa": ["digital_signature"]},
        "RSA keys only sign here, and a key that signs is never archived",
    ),
    "public TLS, too long": ({**TLS, "days": "201"}, "valid for at most 200 days. (BR 6.3.2"),
    "public TLS, another purpose": ({**TLS, "purposes": ["1.3.6.1.5.5.7.3.2"]}, "are for TLS servers"),
    "public TLS, any purpose": ({**TLS, "purposes": ["1.3.6.1.5.5.7.3.1", "2.5.29.37.0"]}, "may not stand in"),
    "public TLS, no names": ({**TLS, "alternative_names": []}, "have DNS names, and no other kind"),
    "public TLS, keys archived": (
        {**TLS, "krs": "on", "key_usage_ec": ["digital_signature", "key_agreement"]},
        "The key of a TLS server is never archived",
    ),
    "public mail, no addresses": ({"trust": "public-smime", "alternative_names": ["dns"]}, "have e-mail addresses"),
    "public mail, keys for anything": (
        {"trust": "public-smime", "purposes": ["1.3.6.1.5.5.7.3.4", "2.5.29.37.0"], "krs": "on"},
        "The key of a TLS server is never archived; neither is one for any purpose.",
    ),
    "public mail, too long": ({"trust": "public-smime", "days": "826"}, "at most 825 days"),
    "an area of signs": ({"area": "no such <area>"}, "lower-case letters, digits and hyphens"),
    "no title": ({"title": ""}, ""),
    "a class nobody knows": ({"trust": "web-of"}, "Choose one of the trust classes"),
    "another tenant's authority": (
        {"authority": "00000000-0000-0000-0000-000000000001"},
        "Choose one of the authorities",
    ),
    "no identifier at all": ({"authority": "\x00"}, "Choose one of the authorities"),
}


@pytest.mark.parametrize(("bad", "sentence"), BAD.values(), ids=BAD)
def test_a_profile_that_contradicts_itself_or_its_trust_class_is_refused_in_words(owner, acme, ada, bad, sentence):
    page = new(ada)
    before = everything(owner)
    for button in ("review", "save"):
        refused = page.visitor.post(NEW, {**GOOD, "authority": authority(page), **bad, button: "1"})
        assert refused.status == 422
        assert any(sentence in complaint for complaint in refused.complaints), refused.complaints
    assert everything(owner) == before


@pytest.mark.rule("2.R1")
def test_the_key_archive_is_switched_on_when_the_profile_is_made(acme, ada):
    page = new(ada)
    page.visitor.post(NEW, {**GOOD, "authority": authority(page), "krs": "on", "save": "1"})
    with acting_for(acme.pk):
        made = CertificateProfile.objects.in_force("test")
    assert made.terms.krs is True
    assert "Keys are archived" in Visitor(ada).open("/t/acme/profiles/test/").text


def test_every_complaint_comes_at_once(owner, acme, ada):
    page = new(ada)
    bad = {"key_usage_rsa": [], "alternative_names": [], "days": "3650"}
    refused = page.visitor.post(NEW, {**GOOD, **bad, "authority": authority(page), "review": "1"})
    assert len(refused.complaints) == 3


def test_for_private_trust_the_page_says_what_is_given_up(acme, ada):
    page = new(ada)
    risky = {**TLS, "trust": "private", "krs": "on", "key_usage_ec": ["digital_signature", "key_agreement"]}
    root = next(
        option.get("value")
        for option in page.fields()["authority"].iter("option")
        if "Root CA" in "".join(option.itertext())
    )
    review = page.visitor.post(NEW, {**GOOD, **risky, "authority": root, "review": "1"})
    assert review.status == 200, review.complaints
    assert "lets whoever opens the archive pass for that server. (BR 6.1.1.3)" in review.text
    assert "The root signs by itself" in review.text


@pytest.mark.parametrize("name", ["title", "about", "area", "other_purposes", "fixed_organization", "days", "seen"])
def test_whatever_is_typed_is_no_accident(acme, ada, name):
    page = new(ada)
    chosen = authority(page)
    for text in NAUGHTY.values():
        answer = page.visitor.post(NEW, {**GOOD, "authority": chosen, name: text, "review": "1"})
        assert answer.status in {200, 400, 422}
    assert "<script>alert" not in answer.response.content.decode()


def test_the_policies_that_no_longer_fit_are_named(acme, ada):
    review = reviewed(new(ada, "mail"), title="Mail with keys", area="", krs=True)
    press(review, "Make this profile")
    matrix = Visitor(ada).open("/t/acme/policies/mail-with-keys/change/")
    recover = {"recover-enabled": True, "recover-factor": "email-code"}
    assert "Recover key" in press(matrix, "Review the change", **recover).press("Save policies").text
    change = Visitor(ada).open("/t/acme/profiles/mail-with-keys/change/")
    without = press(change, "Review the profile", krs=False)
    assert "Recover key: This profile archives no keys, so there is nothing to recover. (2.R2)" in without.text


def test_the_export_names_every_profile(acme, ada):
    lines = Visitor(ada).open("/t/acme/profiles/export.csv").response.content.decode().splitlines()
    assert {line.split(",")[0] for line in lines[1:]} >= {"desktop-signing", "secure-email"}


@pytest.mark.parametrize("query", ["from=0", "from=99", "to=x", "from=-1", "to=" + "9" * 400, "from=\u0663"])
def test_a_version_that_never_was_is_not_there(acme, ada, query):
    assert Visitor(ada).open(f"/t/acme/profiles/desktop-signing/compare/?{query}").status == 404
