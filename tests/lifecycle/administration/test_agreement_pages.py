"""Agreements over HTTP: written, reviewed, published; who agreed to which version is listed and exported."""

import pytest

from lifecycle.policies.models import AgreementAcceptance, SubscriberAgreement
from portal.foundation.audit.models import AuditEvent
from portal.foundation.tenancy.context import acting_for
from tests.rows import everything
from tests.web.browsing import Visitor
from tests.web.naughty import NAUGHTY
from tests.world import filled, submitted

pytestmark = pytest.mark.django_db

ENGLISH = "/t/acme/agreements/subscriber/en/change/"


def published(person, address: str, **answers):
    return Visitor(person).open(address).press("Review the text", **answers).press("Publish this version")


def test_a_new_version_is_previewed_compared_and_then_asked_for_by_the_very_next_request(owner, acme, ada, petra):
    draft = filled(petra, acme)
    page = Visitor(ada).open(ENGLISH)
    before = everything(owner)
    review = page.press("Review the text", title="Subscriber agreement", text="You keep the key.\n\nAlone.")
    assert everything(owner) == before
    assert [element.tag for element in review.tree.iter() if element.tag in {"ins", "del"}]
    assert "1 draft whose owner had agreed to the old version asks for consent again." in review.text
    assert draft.number in review.text
    review.press("Publish this version")
    with acting_for(acme.pk):
        text = SubscriberAgreement.in_force("subscriber")
        [event] = AuditEvent.objects.filter(code="agreement:publish")
    assert (text.version, text.made_by, event.subject) == (2, str(ada.pk), str(text.pk))
    asked = Visitor(petra).open(f"/t/acme/requests/{draft.pk}/confirm/")
    assert "You keep the key." in asked.text
    assert asked.fields()["consent"].get("checked") is None


@pytest.mark.parametrize(("lines", "compared"), [(500, True), (501, False)])
def test_texts_of_many_lines_are_shown_whole_and_not_compared(owner, acme, ada, lines, compared):
    old, new = ("\n".join(f"{word} {number % 7}" for number in range(lines)) for word in ("Old", "New"))
    published(ada, ENGLISH, text=old)
    page = Visitor(ada).open(ENGLISH)
    before = everything(owner)

    review = page.press("Review the text", text="\n".join(new.splitlines()[:500]))

    assert everything(owner) == before
    assert any(element.tag in {"ins", "del"} for element in review.tree.iter()) is compared
    assert ("too long to be compared" in review.text) is not compared
    assert " ".join(old.split()) in review.text or compared
    assert " ".join(new.splitlines()[:500]) in review.text
    review.press("Publish this version")
    with acting_for(acme.pk):
        assert SubscriberAgreement.in_force("subscriber").version == 3


def test_who_accepted_is_listed_narrowed_and_exported(acme, ada, petra, dan):
    asked = submitted(petra, acme)
    submitted(dan, acme)
    address = "/t/acme/agreements/subscriber/en/1/"
    page = Visitor(ada).open(address)
    assert (asked.number in page.text, petra.name in page.text, dan.name in page.text) == (True, True, True)
    for wanted in (asked.number, "petra"):
        narrowed = Visitor(ada).open(f"{address}?q={wanted}")
        assert (asked.number in narrowed.text, dan.name in narrowed.text) == (True, False)
    assert "Nothing matches" in Visitor(ada).open(f"{address}?q=nobody").text
    lines = Visitor(ada).open(f"{address}acceptances.csv?q=petra").response.content.decode().splitlines()
    assert len(lines) == 2
    assert lines[1].startswith(f"{petra.name},{asked.number},1,en,")


@pytest.mark.rule("0.R13")
def test_a_text_in_ones_own_language_counts_and_english_where_there_is_none(acme, ada):
    czech = "/t/acme/agreements/subscriber/cs/change/"
    published(ada, czech, title="Smlouva", text="Klíč nikomu nedáte.")
    with acting_for(acme.pk):
        assert SubscriberAgreement.in_force("subscriber", "cs").title == "Smlouva"
        assert SubscriberAgreement.in_force("subscriber", "cs-cz").title == "Smlouva"
        assert SubscriberAgreement.in_force("subscriber", "pl").language == "en"
        assert SubscriberAgreement.in_force("subscriber").language == "en"
        with pytest.raises(SubscriberAgreement.DoesNotExist):
            SubscriberAgreement.in_force("nobody-wrote-this")
    assert "Czech, 1" in Visitor(ada).open("/t/acme/agreements/subscriber/").text


@pytest.mark.rule("0.R13")
def test_whoever_reads_it_in_their_language_agrees_to_that_text(acme, ada, petra):
    published(ada, "/t/acme/agreements/subscriber/cs/change/", title="Smlouva", text="Klíč nikomu nedáte.")
    czech, english = filled(petra, acme), filled(petra, acme)
    visitor = Visitor(petra)
    visitor.client.defaults["HTTP_ACCEPT_LANGUAGE"] = "cs"
    page = visitor.open(f"/t/acme/requests/{czech.pk}/confirm/")
    assert "Klíč nikomu nedáte." in page.text
    page.press("Request certificate", consent=True)
    page = Visitor(petra).open(f"/t/acme/requests/{english.pk}/confirm/")
    assert "Klíč nikomu nedáte." not in page.text
    page.press("Request certificate", consent=True)
    with acting_for(acme.pk):
        kept = {row.certificate_request: row for row in AgreementAcceptance.objects.select_related("agreement")}
    assert (kept[czech.pk].language, kept[czech.pk].agreement.title) == ("cs", "Smlouva")
    assert kept[english.pk].language == "en"


def test_another_agreement_can_be_chosen_by_a_policy_at_once(acme, ada):
    published(ada, "/t/acme/agreements/new/", title="Terms for servers", text="You run the server.")
    matrix = Visitor(ada).open("/t/acme/policies/desktop-signing/change/")
    review = matrix.press("Review the change", **{"rekey-agreement": "terms-for-servers"})
    assert "Subscriber agreement Terms for servers" in review.text
    assert review.press("Save policies").status == 200


def test_the_second_of_two_writers_is_told_and_keeps_the_text(owner, acme, ada):
    first, second = Visitor(ada).open(ENGLISH), Visitor(ada).open(ENGLISH)
    review = second.press("Review the text", title="Second", text="Second")
    first.press("Review the text", title="First", text="First").press("Publish this version")
    before = everything(owner)
    told = review.press("Publish this version")
    assert (told.status, told.value("text").strip(), told.value("seen")) == (409, "Second", "2")
    assert everything(owner) == before


@pytest.mark.parametrize(
    "bad",
    [
        {"title": ""},
        {"text": ""},
        {"title": "x" * 121},
        {"text": "x" * 100_001},
        {"text": "hidden \u202e"},
        {"title": "hidden \u200b"},
        {"text": "a\x00b"},
        {"seen": "9" * 40},
        {"seen": "7"},
    ],
)
@pytest.mark.parametrize("button", ["review", "publish"])
def test_a_text_nobody_could_agree_to_is_refused_in_words(owner, acme, ada, bad, button):
    visitor = Visitor(ada)
    visitor.open(ENGLISH)
    before = everything(owner)
    refused = visitor.post(ENGLISH, {"title": "T", "text": "Text", "seen": "1", **bad, button: "1"})
    assert refused.status in {409, 422}
    assert refused.complaints
    assert everything(owner) == before


def test_whatever_is_typed_is_text_and_nothing_else(owner, acme, ada):
    visitor = Visitor(ada)
    visitor.open(ENGLISH)
    for text in NAUGHTY.values():
        answer = visitor.post(ENGLISH, {"title": "T", "text": text, "seen": "1", "review": "1"})
        assert answer.status in {200, 400, 422}
        assert "<script>alert" not in answer.response.content.decode()


@pytest.mark.parametrize(
    "address",
    [
        "agreements/nothing/",
        "agreements/subscriber/cs/1/",
        "agreements/subscriber/en/9/",
        f"agreements/subscriber/en/{'9' * 30}/",
        "agreements/subscriber/xx/change/",
        "agreements/none/en/change/",
    ],
)
def test_a_text_that_never_was_is_not_there(acme, ada, address):
    assert Visitor(ada).open(f"/t/acme/{address}").status == 404


def test_an_acceptance_keeps_its_version(acme, ada, petra):
    asked = submitted(petra, acme)
    published(ada, ENGLISH, title="Another", text="Another")
    with acting_for(acme.pk):
        kept = AgreementAcceptance.objects.get(certificate_request=asked.pk)
    assert (kept.version, kept.language) == (1, "en")
