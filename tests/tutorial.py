"""`make pictures`: walks through docs/tutorial.md in a demo of its own, and takes every picture that it shows.

The walk is the tutorial's: the same people press the same buttons in the same order, so a picture that can no longer
be taken is a tutorial that can no longer be followed.
"""

import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from portal.demo.people import PEOPLE
from tests.journeys.hands import Mouse
from tests.journeys.live import CHROMIUM, FLAGS
from tests.portal.test_demo import Running

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "images"
TALL = 1100
"""Pixels: what is further down on a page is not shown."""

SOMEBODY = {person.email.partition("@")[0]: person for person in PEOPLE}
STEPS = (
    *("home", "certificates", "certificate", "names", "key", "domains", "dns", "verified", "confirm", "code", "ready"),
    *("policy", "review", "journal", "tokens"),
)
"""Every picture, in the order in which the tutorial shows it; a test holds the page against it."""


class Walk:
    """One person's browser in the demo."""

    def __init__(self, browser: Browser, origin: str, who: str) -> None:
        context = browser.new_context(
            base_url=origin, viewport={"width": 1280, "height": 900}, color_scheme="light", reduced_motion="reduce"
        )
        self.page = context.new_page()
        self.hand = Mouse(self.page)
        person = SOMEBODY[who]
        self.page.goto("/")
        self.hand.write("User name", person.email)
        self.hand.write("Password", person.password)
        self.hand.press("button", "Sign in")
        self.page.wait_for_load_state()

    def picture(self, step: str) -> None:
        assert step in STEPS
        self.page.mouse.move(0, 0)
        self.page.wait_for_load_state("networkidle")
        high = self.page.evaluate("document.documentElement.scrollHeight")
        clip = {"x": 0, "y": 0, "width": 1280, "height": min(high, TALL)}
        self.page.screenshot(path=PICTURES / f"{step}.png", full_page=True, clip=clip)


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with demo() as origin, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        as_subscriber(Walk(browser, origin, "petra"), Walk(browser, origin, "petra"))
        as_administrator(Walk(browser, origin, "ada"))
        browser.close()
    print(f"{len(STEPS)} pictures in {PICTURES}")  # noqa: T201 - whoever ran it waits for this


def as_subscriber(petra: Walk, owner_of_the_name: Walk) -> None:
    """Give a server a new key; the owner of one of its names does not want us at first."""
    hand, page = petra.hand, petra.page
    petra.picture("home")
    page.goto("/t/acme/areas/tls-server/certificates/")
    petra.picture("certificates")
    hand.press("link", "www.demo.test")
    petra.picture("certificate")
    hand.press("button", "Rekey")
    hand.press("button", "Next")
    petra.picture("names")
    hand.press("button", "Next")
    hand.press("button", "Next")
    hand.tick("Make the key in this browser")
    hand.write("Password for the key file", "four Zebras, 2 rivers")
    hand.write("The same password again", "four Zebras, 2 rivers")
    hand.press("button", "Make the key")
    save = page.get_by_role("link", name="Save www.demo.test.key")
    save.wait_for(timeout=120_000)
    petra.picture("key")
    with page.expect_download():
        save.click()
    hand.press("button", "Next")
    hand.press("button", "Verify")
    forbidden = page.get_by_role("region", name="forbidden.demo.test", exact=True)
    expect(forbidden).to_contain_text("Failed: forbidden by CAA", timeout=60_000)
    petra.picture("domains")
    permit(owner_of_the_name)
    page.wait_for_timeout(11_000)  # a name that failed rests for ten seconds
    page.reload()
    hand.press("button", "Check again forbidden.demo.test")
    expect(forbidden).to_contain_text("permit this authority", timeout=60_000)
    petra.picture("verified")
    hand.press("button", "Next")
    hand.tick("Neither: I want a new key")
    hand.tick("I am sure that I want to rekey this certificate.")
    petra.picture("confirm")
    hand.press("button", "Rekey")
    page.get_by_label("6-digit code").wait_for()
    petra.picture("code")
    hand.write("6-digit code", code_for(owner_of_the_name))
    hand.press("button", "Confirm: Rekey")
    expect(page.get_by_text("Your certificate is ready.")).to_be_visible(timeout=60_000)
    petra.picture("ready")


def permit(owner: Walk) -> None:
    owner.page.goto("/demo/dns/")
    owner.hand.press("link", "Change forbidden.demo.test")
    owner.hand.write("CAA records", '0 issue "ca.acme.example"')
    owner.picture("dns")
    owner.hand.press("button", "Replace the records")


def code_for(reader: Walk) -> str:
    reader.page.goto("/demo/mailbox/")
    reader.page.get_by_role("link", name=re.compile("code", re.IGNORECASE)).first.click()
    [code] = re.findall(r"^\s*(\d{6})\s*$", reader.page.locator("main").inner_text(), re.MULTILINE)[:1]
    return str(code)


def as_administrator(ada: Walk) -> None:
    """Switch an operation off, as far as the page that says whom it reaches; read the journal; see the tokens."""
    hand, page = ada.hand, ada.page
    page.goto("/t/acme/policies/tls-server/change/")
    ada.picture("policy")
    hand.clear("Rekey: Allowed")
    hand.press("button", "Review the change")
    ada.picture("review")
    page.goto("/t/acme/journal/")
    ada.picture("journal")
    page.goto("/t/acme/tokens/")
    ada.picture("tokens")


@contextmanager
def demo() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="pictures-", dir="/tmp"))
    running = Running(folder / "var")
    try:
        yield f"http://localhost:{running.port}"
    finally:
        running.end(signal.SIGTERM)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
