"""Pages that change by themselves, and buttons that are closed; what people do wrong is in `tests/drills/browser`."""

import re

import pytest
from playwright.sync_api import expect

from tests.journeys.hands import Mouse
from tests.journeys.test_journeys import READY
from tests.world import csr

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
