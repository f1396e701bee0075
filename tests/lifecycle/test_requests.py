"""The lists of requests and a request's own page, in every state it can have."""

import re
from uuid import uuid4

import pytest
from django.core import mail

from lifecycle.certificates import services as certificates
from lifecycle.requests import reviewing, services
from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.notices import deliver
from lifecycle.requests.states import WORDS, Event, State
from portal.foundation.outbox.drain import run
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_for
from tests.web.browsing import Visitor, later, nothing_happens, said
from tests.world import begun, carry_out, csr, filled, issued, serving, submit, submitted

REKEYS = "/t/acme/areas/{area}/requests/rekey/"


@pytest.mark.rule("0.R7")
def test_each_product_area_has_a_listing_of_its_own_rekey_requests(petra, acme):
    signing, mailing = issued(petra, acme), issued(petra, acme, profile="secure-email")
    of_signing, of_mail = submitted(petra, acme, source=signing), submitted(petra, acme, source=mailing)
    first = submitted(petra, acme)
    visitor = Visitor(petra)

    pages = {area: visitor.open(REKEYS.format(area=area)) for area in ("desktop-signing", "secure-email")}

    assert pages["desktop-signing"].heading == "Rekey requests: Desktop Signing"
    assert _listed(pages["desktop-signing"]) == {of_signing.number}
    assert _listed(pages["secure-email"]) == {of_mail.number}
    assert {of_signing.number, of_mail.number, first.number} <= _listed(visitor.open("/t/acme/requests/"))
    for area, page in pages.items():
        assert REKEYS.format(area=area) in visitor.open("/t/acme/").leads_to
        assert REKEYS.format(area=area) in page.leads_to


def _listed(page):
    return set(re.findall(r"RQ-[0-9A-Z]{4}-[0-9A-Z]{4}", " ".join(said(body) for body in page.all("tbody"))))


@pytest.mark.rule("0.R8")
def test_a_rekey_request_is_in_the_listing_after_submission(petra, acme):
    draft = filled(petra, acme, source=issued(petra, acme))
    visitor = Visitor(petra)

    def shown():
        rows = [said(row) for row in visitor.open(REKEYS.format(area="desktop-signing")).all("tr")]
        return next((row for row in rows if draft.number in row), "")

    assert "Waiting for the authority" not in shown()
    submit(draft, petra)
    assert "Waiting for the authority" in shown()
    carry_out(draft)
    assert "Completed" in shown()


@pytest.mark.parametrize("path", ["areas/nowhere/requests/rekey/", "areas/desktop-signing/requests/reissue/"])
def test_a_listing_that_does_not_exist_is_not_there(petra, acme, path):
    assert Visitor(petra).open(f"/t/acme/{path}").status == 404


@pytest.mark.parametrize("sort", ["", "asked", "-asked"])
def test_requests_are_sorted_by_when_they_were_asked(petra, acme, sort):
    numbers = [begun(petra, acme).number for _ in range(3)]

    page = Visitor(petra).open(f"/t/acme/requests/?sort={sort}")

    shown = [found for row in page.all("tr") for found in re.findall(r"RQ-\w{4}-\w{4}", said(row))]
    assert shown == (numbers if sort == "asked" else numbers[::-1])


def _validating(person, tenant):
    """A state nobody sees long: nothing that a policy can ask yet needs a look outside."""
    request = filled(person, tenant)
    with acting_for(tenant.pk, person=person.pk):
        request.advance(Event.SUBMIT, actor=person.pk)
    return request


def _in_review(person, tenant):
    request = _validating(person, tenant)
    with acting_for(tenant.pk, person=person.pk):
        request.advance(Event.PASS_VALIDATION, actor="test")
    return request


def _executing(person, tenant):
    request = submitted(person, tenant)
    with serving("signing"), acting_for(tenant.pk):
        CertificateRequest.objects.get(pk=request.pk).advance(Event.EXECUTE, actor="test")
    return request


def _failed(person, tenant):
    request = submitted(person, tenant)
    with serving("signing"), acting_for(tenant.pk):
        certificates.report_compromised(request.answers["key"]["spki"], how_known="test")
    return carry_out(request)


def _withdrawn(person, tenant):
    request = filled(person, tenant)
    with acting_for(tenant.pk, person=person.pk):
        return services.withdraw(request.pk, by=person.pk)


def _rejected(person, tenant):
    request = _in_review(person, tenant)
    with acting_for(tenant.pk):
        return reviewing.reject(request.pk, by=uuid4(), comment="Not ours.")


MADE = {
    State.DRAFT: filled,
    State.VALIDATING: _validating,
    State.IN_REVIEW: _in_review,
    State.READY: submitted,
    State.EXECUTING: _executing,
    State.COMPLETED: lambda person, tenant: carry_out(submitted(person, tenant)),
    State.FAILED: _failed,
    State.REJECTED: _rejected,
    State.WITHDRAWN: _withdrawn,
}

WHAT_NEXT = {
    State.DRAFT: "Go on with this request",
    State.VALIDATING: "You may close this page.",
    State.IN_REVIEW: "The request waits for a reviewer.",
    State.READY: "You may close this page.",
    State.EXECUTING: "You may close this page.",
    State.COMPLETED: "Open the certificate",
    State.FAILED: "Begin a new request once that is settled",
    State.REJECTED: "The reviewer says: Not ours.",
    State.WITHDRAWN: "nothing was issued",
}


@pytest.mark.parametrize("state", list(State))
def test_the_page_says_in_every_state_what_is_and_what_comes_next(petra, acme, state):
    request = MADE[state](petra, acme)
    with acting_for(acme.pk):
        assert CertificateRequest.objects.get(pk=request.pk).state == state

    page = Visitor(petra).open(f"/t/acme/requests/{request.pk}/")

    assert said(page.having_class("chip")[0]) == str(WORDS[state][1])
    assert WHAT_NEXT[state] in page.text
    assert request.number in page.text
    moving = state in {State.VALIDATING, State.READY, State.EXECUTING}
    assert ("http-equiv" in page.response.content.decode()) == moving  # without script it reloads by itself
    assert bool(page.all("progress")) == moving


@pytest.mark.parametrize("state", list(State))
def test_polling_stops_once_there_is_nothing_to_wait_for(petra, acme, state):
    request = MADE[state](petra, acme)
    visitor = Visitor(petra)

    response = visitor.client.get(f"/t/acme/requests/{request.pk}/status/")

    polled = 'hx-trigger="every ' in response.content.decode()
    assert (response.status_code == 286) == (not polled)
    assert polled == (state in {State.VALIDATING, State.READY, State.EXECUTING})


def test_polling_slows_down(petra, acme):
    request = submitted(petra, acme)
    visitor = Visitor(petra)

    def trigger():
        [found] = re.findall(
            r'hx-trigger="([^"]+)"', visitor.client.get(f"/t/acme/requests/{request.pk}/status/").content.decode()
        )
        return found

    assert trigger() == "every 2s"
    with later(seconds=31):
        assert trigger() == "every 5s"


@pytest.mark.parametrize(("who", "status"), [("dan", 404), ("hank", 404), ("wei", 200), ("ada", 200), ("jonas", 403)])
def test_who_may_follow_a_request(request, petra, acme, owner, who, status):
    wanted = submitted(petra, acme)
    visitor = Visitor(request.getfixturevalue(who))
    with nothing_happens(owner):
        for part in ("", "status/"):
            assert visitor.open(f"/t/acme/requests/{wanted.pk}/{part}").status == status
        listed = visitor.open("/t/acme/requests/")
    if status == 200:
        assert wanted.number in listed.text
    else:
        assert wanted.number not in listed.text


@pytest.mark.rule("1.R30")
def test_the_mail_after_issuance_has_the_permalink(petra, acme):
    done = carry_out(submitted(petra, acme, source=issued(petra, acme)))
    mail.outbox.clear()
    notice = Errand.objects.get(task="lifecycle.requests.notices.send_notice", args__1=str(done.pk))
    with serving("messages"):
        run(notice)
        deliver(notice, petra.pk, done.pk, "request-completed")

    [sent] = mail.outbox
    assert sent.to == ["petra@acme.example"]
    [address] = re.findall(r"http://\S+(/t/acme/requests/\S+)", sent.body)
    page = Visitor(petra).open(address)
    assert "Your certificate is ready." in page.text


def test_the_history_tells_what_happened_in_words(petra, acme):
    source = issued(petra, acme)
    fresh = issued(petra, acme, source=source, use_case="compromised")
    visitor = Visitor(petra)

    request = visitor.open(f"/t/acme/requests/{fresh.made_from}/")
    detail = visitor.open(f"/t/acme/certificates/{source.pk}/")

    for words in ("Request begun", "Request submitted", "Approved", "Handed to the authority", "Certificate issued"):
        assert words in request.text
    assert "The key may be known to others" in request.text
    assert "Certificate revoked" in detail.text
    assert "Do not trust this certificate" in detail.text


def test_a_message_is_shown_as_it_was_written(petra, acme):
    message = "<b>It</b> was & is {0} {{ 7*7 }} %s \u201cgone\u201d"
    wanted = filled(petra, acme, source=issued(petra, acme), message=message, csr=csr())

    page = Visitor(petra).open(f"/t/acme/requests/{wanted.pk}/")

    assert message in page.text
    assert "<b>It</b>" not in page.response.content.decode()
