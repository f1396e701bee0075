"""A domain's page: what it says, what can be pressed on it, and what every place saw."""

from datetime import timedelta

import pytest
from django.core import mail

from lifecycle.validation import contacts, proving
from lifecycle.validation.models import Domain, DomainControl
from lifecycle.validation.publishing import services as publishing
from lifecycle.validation.publishing.services import Wanted
from lifecycle.validation.questions import Asked
from portal.foundation import clock
from portal.foundation.audit.models import AuditEvent
from portal.foundation.tenancy.context import acting_for
from tests.fakes.everywhere import PLACES, Everywhere
from tests.lifecycle.validation.proofs import added, begun, looked, promised, proven, shown, work
from tests.rows import everything
from tests.web.browsing import Visitor, said
from tests.world import prove

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/t/acme/domains/"


def address(domain):
    return f"{LIST}{domain.pk}/"


def opened(person, domain, query=""):
    return Visitor(person).open(f"{address(domain)}{query}")


def attempt_of(domain):
    with acting_for(domain.tenant_id):
        return DomainControl.objects.select_related("domain").filter(domain=domain).latest("asked_at")


def codes(page):
    """Everything that can be copied."""
    return [said(code) for copy in page.having_class("copy") for code in copy.iter("code")]


def rows(page):
    """Every row of the table of perspectives: who, result, what was seen."""
    tables = [table for table in page.all("table") if "What each perspective saw" in said(table)]
    return [[said(cell) for cell in row][:3] for table in tables for row in table.iter("tr")][1:]


# --- adding ----------------------------------------------------------------------------------------------------------


def test_a_domain_is_added_by_its_name_and_its_page_offers_every_way_with_its_number(acme, petra):
    page = Visitor(petra).open(f"{LIST}add/").press("Add it", name="WWW.Acme.Example.")
    assert page.heading.startswith("www.acme.example")
    for number in ("BR 3.2.2.4.7", "BR 3.2.2.4.18", "BR 3.2.2.4.22", "BR 3.2.2.4.4", "Possible until 15 March 2028."):
        assert number in page.text
    assert "E-mail to the mailbox It proves mailboxes." in page.text
    with acting_for(acme.pk):
        [domain] = Domain.objects.all()
    assert (domain.name, domain.kind, domain.added_by) == ("www.acme.example", "dns", str(petra.pk))


def test_a_mailbox_is_told_from_a_domain_by_its_at_sign(acme, petra):
    page = Visitor(petra).open(f"{LIST}add/").press("Add it", name="petra@acme.example")
    assert "S/MIME BR 3.2.2.2" in page.text
    assert "DNS record It proves domains." in page.text


def test_after_the_end_of_a_method_the_page_says_since_when_it_is_not_possible(acme, petra):
    domain = added(acme, petra, "www.acme.example")
    with clock.frozen(clock.now().replace(year=2028, month=4)):
        page = opened(petra, domain)
    assert "E-mail to a well-known mailbox The rules allow it no more since 15 March 2028." in page.text
    assert "sent_to" not in page.fields()


@pytest.mark.parametrize("name", ["", "com", "a..b", "*.", "10.0.0.1", "a\u202eb.example", "x" * 300, "@acme.example"])
def test_what_nobody_could_prove_is_not_added(acme, petra, owner, name):
    page = Visitor(petra).open(f"{LIST}add/")
    before = everything(owner)
    page = page.press("Add it", name=name)
    assert page.status == 422
    assert page.complaints
    assert everything(owner) == before


def test_a_domain_that_is_there_already_is_opened(acme, petra, dan):
    domain = added(acme, petra, "www.acme.example")
    page = Visitor(dan).open(f"{LIST}add/").press("Add it", name="www.acme.example")
    assert page.address == address(domain)
    assert "is among your domains already" in page.text


# --- what to publish -------------------------------------------------------------------------------------------------


def test_a_record_is_shown_in_parts_that_can_be_copied(acme, petra):
    page = opened(petra, added(acme, petra, "www.acme.example")).press("Begin", method="dns-change")
    value = attempt_of(_only(acme)).value
    assert codes(page) == [
        "_portal-validation.www",
        "TXT",
        value,
        "_portal-validation.www.acme.example",
        f'_portal-validation.www.acme.example. TXT "{value}"',
    ]
    assert "in the zone acme.example" in page.text
    assert "Publish what stands below, then press “Look now”." in page.text


def _only(tenant):
    with acting_for(tenant.pk):
        return Domain.objects.get()


def test_an_alias_is_shown_where_that_was_ticked(acme, petra):
    page = opened(petra, added(acme, petra, "acme.example")).press("Begin", method="dns-change", cname=True)
    assert codes(page)[:2] == ["_portal-validation", "CNAME"]
    assert "." in attempt_of(_only(acme)).value


def test_a_file_is_shown_with_its_folder_name_content_and_address(acme, petra):
    page = opened(petra, added(acme, petra, "www.acme.example")).press("Begin", method="http-file")
    folder, file, content, where = codes(page)
    assert folder == "/.well-known/pki-validation/"
    assert where == f"http://www.acme.example{folder}{file}"
    assert content == attempt_of(_only(acme)).value
    assert content not in where


def test_a_mail_goes_to_the_mailbox_that_was_chosen(acme, petra):
    page = opened(petra, added(acme, petra, "acme.example"))
    page = page.press("Begin", method="constructed-email", sent_to="hostmaster@acme.example")
    assert "A mail with a link went to hostmaster@acme.example." in page.text
    assert "Look now" not in page.buttons()
    assert [errand.args for errand in promised(contacts.send_approval)] == [[str(attempt_of(_only(acme)).pk)]]


def test_mailboxes_that_the_dns_names_are_offered_once_they_are_found(acme, petra):
    page = opened(petra, added(acme, petra, "acme.example")).press("Begin", method="txt-email")
    assert "The portal looks up which mailboxes the DNS names." in page.text
    named = {(Asked.TXT, "_validation-contactemail.acme.example"): [b"pki@acme.example", b"ops@acme.example"]}
    work(Everywhere(named))
    page = page.visitor.open(page.address)
    assert "Choose below where the mail should go." in page.text
    page = page.press("Send the mail", sent_to="ops@acme.example")
    work(Everywhere(named))
    assert attempt_of(_only(acme)).sent_to == "ops@acme.example"
    assert promised(contacts.send_approval)


# --- looking ---------------------------------------------------------------------------------------------------------


def test_a_look_is_promised_and_the_page_waits_for_it(acme, petra):
    domain = added(acme, petra, "acme.example")
    begun(acme, petra, domain, "dns-change")
    page = opened(petra, domain).press("Look now")
    assert "Looking now" in page.text
    assert len(promised(proving.prove)) == 1
    [polled] = [each for each in page.all("div") if each.get("data-polled") is not None]
    assert polled.get("hx-trigger") == "every 2s"
    fragment = page.visitor.client.get(f"{address(domain)}standing/")
    assert fragment.status_code == 200
    work(Everywhere(shown(attempt_of(domain)), places=PLACES))
    fragment = page.visitor.client.get(f"{address(domain)}standing/")
    assert fragment.status_code == 286
    assert "5 of 5 perspectives see the same" in fragment.content.decode()


def test_the_page_shows_what_each_perspective_saw_and_who_dissents(acme, petra):
    domain = added(acme, petra, "acme.example")
    attempt = begun(acme, petra, domain, "dns-change")
    looked(acme, petra, attempt)
    owner = "_portal-validation.acme.example"
    there = {"tokyo": {(Asked.TXT, owner): [b"<script>other</script>"]}, "lagos": None}
    work(Everywhere(shown(attempt), there, PLACES))
    page = opened(petra, domain)
    seen = {who: [result, saw] for who, result, saw in rows(page)}
    assert seen["This portal"] == ["As expected", attempt.value]
    assert seen["tokyoAPNIC"] == ["Something else", "<script>other</script>"]
    assert seen["lagosAFRINIC"] == ["No answer", "It did not answer in time."]
    assert "3 of 5 perspectives see the same" in page.text
    assert page.having_class("chip")[0].get("data-tone") == "good"


def test_in_vain_it_says_what_stands_there_and_what_to_do(acme, petra):
    domain = added(acme, petra, "acme.example")
    attempt = begun(acme, petra, domain, "dns-change")
    looked(acme, petra, attempt)
    owner = "_portal-validation.acme.example"
    work(Everywhere({(Asked.TXT, owner): [f'"{attempt.value}"'.encode()]}))
    page = opened(petra, domain)
    assert "has quotation marks in it that do not belong there" in page.text
    assert f"Expected {attempt.value}" in page.text
    assert rows(page)[0][:2] == ["This portal", "Something else"]


def test_right_after_a_look_in_vain_the_button_says_from_when_it_opens(acme, petra, owner):
    domain = added(acme, petra, "acme.example")
    attempt = begun(acme, petra, domain, "dns-change")
    now = clock.now().replace(microsecond=0)
    with clock.frozen(now):
        looked(acme, petra, attempt)
        work()
    with clock.frozen(now + timedelta(seconds=3)):
        page = opened(petra, domain)
        [button] = [each for each in page.all("button") if said(each) == "Look now"]
        assert button.get("aria-disabled") == "true"
        assert f"{now + timedelta(seconds=10):%H:%M:%S} UTC" in page.text
        before = everything(owner)
        page = page.press("Look now")
        assert page.status == 429
        assert page.complaints == ["acme.example was looked at a moment ago. Look again in 7 seconds."]
        assert everything(owner) == before


def test_every_look_is_kept_and_can_be_read(acme, petra, vera):
    domain = added(acme, petra, "acme.example")
    attempt = begun(acme, petra, domain, "dns-change")
    looked(acme, petra, attempt)
    work()
    with clock.frozen(clock.now() + timedelta(minutes=1)):
        looked(acme, petra, attempt)
        work(Everywhere(shown(attempt), places=PLACES))
    page = opened(vera, domain).follow("Every look")
    heads = [said(each) for each in page.all("section")]
    assert len(heads) == 2
    assert "The proof is there." in heads[0]
    assert "There is no such record" in heads[1]


# --- the rest --------------------------------------------------------------------------------------------------------


def test_what_is_proven_is_told_with_method_rules_and_end(acme, petra):
    page = opened(petra, proven(acme, petra, "acme.example"))
    assert "Control of acme.example is proven by “DNS record” and may be used until" in page.text
    assert "BR 2.3.0" in page.text


def test_the_way_back_is_kept_through_every_press_and_leads_nowhere_else(acme, petra):
    back = "/t/acme/requests/"
    domain = added(acme, petra, "acme.example")
    page = opened(petra, domain, f"?next={back}")
    assert page.links()["Back to where you came from"] == back
    page = page.press("Begin", method="dns-change").press("Look now")
    assert page.links()["Back to where you came from"] == back
    for wanted in ("https://evil.example/", "//evil.example/", "/t/globex/domains/", "/\\evil.example", "javascript:x"):
        assert "Back to where you came from" not in opened(petra, domain, f"?next={wanted}").links()


def test_retiring_says_what_follows_and_can_be_taken_back(acme, petra):
    domain = proven(acme, petra, "acme.example")
    page = opened(petra, domain).follow("Retire")
    assert "Its proof counts no more" in page.text
    page = page.press("Retire it")
    assert "Retired" in page.text
    assert "Begin" not in page.buttons()
    page = page.follow("Take up again").press("Take it up again")
    assert page.having_class("chip")[0].get("data-tone") == "good"
    with acting_for(acme.pk):
        assert AuditEvent.objects.filter(code__in=["domain:retire", "domain:revive"]).count() == 2


def test_a_way_to_publish_is_chosen_and_counts_from_the_next_attempt_on(acme, petra, ada):
    domain = added(acme, petra, "acme.example")
    assert "Publish by itself" not in opened(petra, domain).text
    hook = Wanted(title="Our hook", kind="webhook", address="https://hooks.acme.example/portal")
    with acting_for(acme.pk, person=ada.pk):
        way = publishing.add_way(hook, by=ada.pk).way
    page = opened(petra, domain).press("Keep this choice", way=str(way.pk))
    assert "Published by Our hook" in page.text
    page = page.press("Begin", method="dns-change")
    assert "The portal publishes it by itself and looks until it is there." in page.text
    assert attempt_of(domain).automatic


def test_a_way_of_another_tenant_cannot_be_chosen(acme, globex, petra, hank, owner):
    domain = added(acme, petra, "acme.example")
    hook = Wanted(title="Theirs", kind="webhook", address="https://hooks.globex.example/portal")
    with acting_for(globex.pk, person=hank.pk):
        way = publishing.add_way(hook, by=hank.pk).way
    visitor = opened(petra, domain).visitor
    before = everything(owner)
    page = visitor.post(f"{address(domain)}publishing/", {"way": str(way.pk)})
    assert page.status == 422
    assert everything(owner) == before


@pytest.mark.parametrize("act", ["prove", "look", "contact", "publishing", "retire"])
def test_who_only_reads_changes_nothing(acme, petra, vera, wei, owner, act):
    domain = added(acme, petra, "acme.example")
    begun(acme, petra, domain, "dns-change")
    pages = [opened(person, domain) for person in (vera, wei)]
    before = everything(owner)
    for page in pages:
        assert not {"Begin", "Begin anew", "Look now"} & set(page.buttons())
        assert page.visitor.post(f"{address(domain)}{act}/", {"method": "http-file"}).status == 403
    assert everything(owner) == before
    assert mail.outbox == []


def test_a_method_that_is_none_is_refused_and_nothing_is_begun(acme, petra, owner):
    domain = added(acme, petra, "acme.example")
    visitor = opened(petra, domain).visitor
    before = everything(owner)
    for data in ({}, {"method": "mailbox"}, {"method": "nothing"}, {"method": "constructed-email", "sent_to": "x@y.z"}):
        assert visitor.post(f"{address(domain)}prove/", data).status == 422
    assert visitor.post(f"{address(domain)}look/", {}).status == 409
    assert everything(owner) == before


def test_the_facts_name_the_method_of_the_proof(acme, petra):
    page = opened(petra, (prove(acme, "acme.example", by=petra)).domain)
    assert "Method DNS record" in page.text
