"""What people and browsers do wrong (F12): pressed twice, gone back, two tabs, signed out, the connection lost."""

import re

import pytest
from playwright.sync_api import expect

from lifecycle.certificates.models import Certificate
from lifecycle.requests.models import CertificateRequest
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_for
from tests.journeys.hands import Mouse
from tests.journeys.test_journeys import READY, at_the_code, until_ready
from tests.world import PASSWORD, ask_for_codes, csr, issued

pytestmark = pytest.mark.xdist_group("browser")


def at_confirm(page, source) -> Mouse:
    hand = Mouse(page)
    page.goto(f"/t/acme/certificates/{source.pk}/")
    hand.press("button", "Rekey")
    hand.write("Certificate signing request", csr())
    hand.press("button", "Next")
    hand.tick("The key is lost")
    hand.tick("I am sure that I want to rekey this certificate.")
    return hand


def counted(tenant, source) -> tuple[int, int, int]:
    """How many requests, errands and new certificates there are of *source*."""
    with acting_for(tenant.pk):
        requests = CertificateRequest.objects.filter(predecessor=source)
        ids = [str(request.pk) for request in requests]
        errands = Errand.objects.filter(task__endswith="execute_request", args__0__in=ids).count()
        return len(ids), errands, Certificate.objects.filter(predecessor=source).count()


@pytest.mark.rule("0.R30")
@pytest.mark.parametrize("script", [True, False])
def test_a_double_click_on_the_final_button(portal, surf, petra, acme, source, script):
    page = surf(petra, script=script)
    at_confirm(page, source)

    page.get_by_role("button", name="Rekey").dblclick()

    until_ready(page)
    assert counted(acme, source) == (1, 1, 1)


@pytest.mark.rule("0.R30")
@pytest.mark.parametrize("script", [True, False])
def test_a_double_click_on_the_code_button(portal, surf, petra, acme, source, script):
    ask_for_codes(acme)
    page = surf(petra, script=script)
    hand = at_the_code(page, source)
    hand.write("6-digit code", portal.code())

    page.get_by_role("button", name="Confirm: Rekey").dblclick()

    until_ready(page)
    assert counted(acme, source) == (1, 1, 1)


@pytest.mark.rule("0.R30")
@pytest.mark.parametrize("script", [True, False])
def test_the_back_button_after_completion_leads_to_no_second_request(portal, surf, petra, acme, source, script):
    page = surf(petra, script=script)
    hand = at_confirm(page, source)
    hand.press("button", "Rekey")
    until_ready(page)
    done = page.url

    page.go_back()
    button = page.locator(".question__on button.button--primary")
    if button.count():  # the browser kept the page as it was
        button.click()
    until_ready(page)

    assert page.url == done
    assert counted(acme, source) == (1, 1, 1)


def test_reloading_the_answer_of_a_form_does_it_once(portal, surf, petra, acme, source):
    page = surf(petra, script=False)
    at_confirm(page, source).press("button", "Rekey")
    page.reload()
    page.reload()

    until_ready(page)
    assert counted(acme, source) == (1, 1, 1)


def test_two_tabs_with_two_certificates(portal, surf, petra, acme):
    with portal.nobody_signs():
        one, two = issued(petra, acme, name="Certificate one"), issued(petra, acme, name="Certificate two")
    first = surf(petra)
    hand_one = at_confirm(first, one)
    second = first.context.new_page()
    hand_two = at_confirm(second, two)

    hand_two.press("button", "Rekey")
    first.bring_to_front()
    hand_one.press("button", "Rekey")

    for page, name in ((first, "Certificate one"), (second, "Certificate two")):
        page.bring_to_front()
        until_ready(page)
        expect(page.locator("h1")).to_contain_text(f"Rekey {name}")
    assert counted(acme, one) == counted(acme, two) == (1, 1, 1)


@pytest.mark.parametrize("script", [True, False])
def test_a_session_that_ended_between_two_steps_goes_on_where_it_was(portal, surf, petra, acme, source, script):
    page = surf(petra, script=script)
    hand = at_confirm(page, source)
    at = page.url
    page.context.clear_cookies()

    hand.press("button", "Rekey")
    expect(page.get_by_text("What you can do").or_(page.get_by_label("Password")).first).to_be_visible()
    page.goto(at)
    hand.write("User name", "petra@acme.example")
    hand.write("Password", PASSWORD)
    hand.press("button", "Sign in")

    expect(page).to_have_url(at)
    assert counted(acme, source) == (1, 0, 0)
    hand.tick("The key is lost")
    hand.tick("I am sure that I want to rekey this certificate.")
    hand.press("button", "Rekey")
    until_ready(page)
    assert counted(acme, source) == (1, 1, 1)


@pytest.mark.parametrize("script", [True, False])
def test_the_progress_page_updates_by_itself(portal, surf, petra, acme, source, script):
    page = surf(petra, script=script)
    with portal.nobody_signs():
        at_confirm(page, source).press("button", "Rekey")
        expect(page.get_by_role("heading", name="The request waits for the certificate authority.")).to_be_visible()
        expect(page.locator("progress")).to_be_visible()
        expect(page.get_by_text("You may close this page.")).to_be_visible()
        if script:
            page.evaluate("window.sameDocument = true")

    expect(page.get_by_role("heading", name=READY)).to_be_visible(timeout=20_000)
    expect(page).to_have_title(re.compile("^Completed: "))
    expect(page.locator("progress")).to_have_count(0)
    if script:
        assert page.evaluate("window.sameDocument") is True
        expect(page.get_by_role("status").filter(has_text="Your certificate is ready.")).to_have_count(1)


def test_a_lost_connection_is_said_and_found_again(portal, surf, petra, acme, source):
    page = surf(petra)
    status = "**/status/"
    with portal.nobody_signs():
        at_confirm(page, source).press("button", "Rekey")
        expect(page.locator("progress")).to_be_visible()
        page.route(status, lambda route: route.fulfill(status=503, body="<h1>Gone</h1>"))
        expect(page.get_by_text("The portal does not answer at the moment.")).to_be_visible(timeout=10_000)
        assert "Gone" not in page.inner_text("main")
        page.unroute(status)
        expect(page.get_by_text("The portal does not answer at the moment.")).to_be_hidden(timeout=10_000)

    expect(page.get_by_role("heading", name=READY)).to_be_visible(timeout=20_000)


@pytest.mark.rule("0.R17")
def test_view_request_is_closed_until_action_and_confirmation_are_set(portal, surf, petra, acme, source):
    page = surf(petra)
    page.goto(f"/t/acme/certificates/{source.pk}/action/")
    hand, button = Mouse(page), page.get_by_role("button", name="View request")

    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_accessible_description("Opens when an action is chosen and confirmed.")
    button.click(force=True)
    assert page.url.endswith("/action/")
    hand.choose("Action", "Rekey Certificate")
    expect(button).to_have_attribute("aria-disabled", "true")
    hand.tick("I am sure that I want to do this with this certificate.")
    expect(button).not_to_have_attribute("aria-disabled", "true")
    button.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The new key")


def test_a_file_that_is_dropped_shows_what_will_be_sent(portal, surf, petra, acme, source):
    request = csr()
    page = surf(petra)
    page.goto(f"/t/acme/certificates/{source.pk}/")
    Mouse(page).press("button", "Rekey")

    dropped = page.evaluate_handle(
        """text => { const all = new DataTransfer(); all.items.add(new File([text], "a.csr")); return all; }""", request
    )
    page.dispatch_event("[data-drop]", "drop", {"dataTransfer": dropped})

    expect(page.get_by_label("Certificate signing request")).to_have_value(request)
    Mouse(page).press("button", "Next")
    expect(page.get_by_role("heading", level=1)).to_have_text("Check before you confirm")
