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

from playwright.sync_api import Browser, Locator, expect, sync_playwright

from portal.demo.people import PEOPLE
from tests.journeys.hands import Mouse
from tests.journeys.live import CHROMIUM, FLAGS
from tests.portal.running import Running

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "images"
SEEN = {"width": 1280, "height": 1600}
"""Pixels of the window: wide enough for a table, high enough for the longest step."""

AS_USUAL = """address => {
    scrollTo(0, 0);
    for (const code of document.querySelectorAll("pre"))
        code.textContent = code.textContent.replace(new URL(address).origin, "http://localhost:8000");
}"""
"""From the top, and with the address that a demo has where nobody chose another port."""

KEY_PASSWORD = "four Zebras, 2 rivers"
READY = "Your certificate is ready."
MINUTE = 60_000
"""Milliseconds: what takes longer on a busy machine is broken."""

SOMEBODY = {person.email.partition("@")[0]: person for person in PEOPLE}
STEPS = (
    *("home", "certificates", "certificate", "names", "key", "domains", "dns", "verified", "confirm", "code", "ready"),
    *("ledger", "lie", "record", "proven", "file", "permitted", "perspectives"),
    *("policy", "review", "approval", "journal", "tokens", "reference", "platform"),
)
"""Every picture, in the order in which the tutorial shows it; a test holds the page against it."""


class Walk:
    """One person's browser in the demo."""

    def __init__(self, browser: Browser, origin: str, who: str) -> None:
        context = browser.new_context(base_url=origin, viewport=SEEN, color_scheme="light", reduced_motion="reduce")
        self.page = context.new_page()
        self.hand = Mouse(self.page)
        person = SOMEBODY[who]
        self.page.goto("/")
        self.hand.write("User name", person.email)
        self.hand.write("Password", person.password)
        self.hand.press("button", "Sign in")
        self.page.wait_for_load_state()

    def picture(self, step: str, *, frame: bool = False, tall: int = SEEN["height"]) -> None:
        """Take what is between the top bar, the navigation and the foot, or with *frame* these too; *tall* at most."""
        assert step in STEPS
        self.page.mouse.move(0, 0)
        self.page.wait_for_load_state("networkidle")
        self.page.evaluate(AS_USUAL, self.page.url)
        main, bottom = self._box("#main"), self._box(".foot")["y"]
        if frame:
            last = self._box("#nav a:visible >> nth=-1")
            main = {"x": 0, "y": 0, "width": SEEN["width"]}
            bottom = max(bottom, last["y"] + last["height"] + 16)
        clip = {**main, "height": min(bottom, tall) - main["y"]}
        self.page.screenshot(path=PICTURES / f"{step}.png", clip=clip)

    def _box(self, part: str) -> dict[str, float]:
        box = self.page.locator(part).bounding_box()
        assert box is not None
        return dict(box)


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with demo() as origin, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        petra, ada, wei, vera, olu = (Walk(browser, origin, who) for who in ("petra", "ada", "wei", "vera", "olu"))
        give_a_server_a_new_key(petra)
        prove_domains(petra, pictures=True)
        have_a_certificate_for_them(petra, pictures=True)
        switch_rekeying_off_and_on(ada, petra)
        have_it_approved(petra, wei)
        ada.hand.press("link", "Change policies")
        save_with_approvals(ada, "None")
        verify_the_journal(vera)
        make_a_token(petra)
        olu.picture("platform", frame=True)
        browser.close()
    print(f"{len(STEPS)} pictures in {PICTURES}")  # noqa: T201 - whoever ran it waits for this


def give_a_server_a_new_key(petra: Walk) -> None:
    """Petra, whose certificate has a name whose owner does not want us at first."""
    hand, page = petra.hand, petra.page
    petra.picture("home", frame=True)
    open_certificate(petra, "www.demo.test", pictures=True)
    hand.press("button", "Rekey")
    pass_over(petra, "subject", "names", "validity", pictures=True)
    make_the_key(petra, "www.demo.test.key", pictures=True)
    hand.press("button", "Verify")
    forbidden = page.get_by_role("region", name="forbidden.demo.test", exact=True)
    expect(forbidden).to_contain_text("Failed: forbidden by CAA", timeout=MINUTE)
    looked_up(petra)
    petra.picture("domains")
    permit(petra)
    hand.press("button", "Check again forbidden.demo.test")
    expect(forbidden).to_contain_text("it counts until", timeout=MINUTE)
    looked_up(petra)
    petra.picture("verified")
    pass_over(petra, "domains")
    confirm(petra, pictures=True)
    expect(page.get_by_role("heading", name=READY)).to_be_visible(timeout=MINUTE)
    page.reload()  # what came of it since the page was opened
    petra.picture("ready")


def open_certificate(petra: Walk, name: str, *, pictures: bool = False) -> None:
    petra.page.goto("/t/acme/areas/tls-server/certificates/")
    if pictures:
        petra.picture("certificates", frame=True)
    petra.hand.press("link", name)
    petra.page.get_by_role("button", name="Rekey").first.wait_for()
    if pictures:
        petra.picture("certificate", frame=True, tall=780)


def pass_over(petra: Walk, *steps: str, pictures: bool = False) -> None:
    """Press *Next* on each of these steps, which ask for nothing."""
    for step in steps:
        expect(petra.page).to_have_url(re.compile(f"/{step}/$"))
        if pictures and step in STEPS:
            petra.picture(step)
        petra.hand.press("button", "Next")


def make_the_key(petra: Walk, file: str, *, pictures: bool = False) -> None:
    hand, page = petra.hand, petra.page
    hand.tick("Make the key in this browser")
    hand.write("Password for the key file", KEY_PASSWORD)
    hand.write("The same password again", KEY_PASSWORD)
    hand.press("button", "Make the key")
    save = page.get_by_role("link", name=f"Save {file}")
    save.wait_for(timeout=2 * MINUTE)
    if pictures:
        petra.picture("key")
    with page.expect_download():
        save.click()
    hand.press("button", "Next")


def looked_up(petra: Walk) -> None:
    """Wait for the last name, too."""
    expect(petra.page.get_by_text("The names are being looked up.")).to_have_count(0, timeout=MINUTE)


def permit(petra: Walk) -> None:
    """Be the owner of the name, and come back when it may be looked up again."""
    request = petra.page.url
    petra.page.goto("/demo/dns/")
    petra.hand.press("link", "Change forbidden.demo.test")
    petra.hand.write("CAA records", '0 issue "ca.acme.example"')
    petra.picture("dns")
    petra.hand.press("button", "Replace the records")
    petra.page.get_by_role("row", name=re.compile("^forbidden")).get_by_text("ca.acme.example").wait_for()
    petra.page.wait_for_timeout(11_000)  # a name that failed rests for ten seconds
    petra.page.goto(request)


def confirm(petra: Walk, *, pictures: bool = False) -> None:
    hand, page = petra.hand, petra.page
    hand.tick("Neither: I want a new key")
    hand.tick("I am sure that I want to rekey this certificate.")
    if pictures:
        petra.picture("confirm")
    hand.press("button", "Rekey")
    page.get_by_label("6-digit code").wait_for()
    if pictures:
        petra.picture("code")
    hand.write("6-digit code", code_for(petra))
    hand.press("button", "Confirm: Rekey")


def code_for(reader: Walk) -> str:
    """Read the newest code in another tab, where all mail of the demo is."""
    mailbox = reader.page.context.new_page()
    mailbox.goto("/demo/mailbox/")
    mailbox.get_by_role("link", name=re.compile("code", re.IGNORECASE)).first.click()
    mailbox.wait_for_load_state()
    [code] = re.findall(r"^\s*(\d{6})\s*$", mailbox.locator("main").inner_text(), re.MULTILINE)[:1]
    mailbox.close()
    return str(code)


BY_RECORD, BY_FILE, STRANGER = "www.unsigned.test", "files.demo.test", "stranger.demo.test"
"""Names of Petra's next certificate: proven by a record, by a file, and one that permits another account at first."""


def prove_domains(petra: Walk, *, pictures: bool = False) -> None:
    """Petra proves one name by a record and one by a file, while somebody lies to one of five perspectives."""
    hand, page = petra.hand, petra.page
    page.goto("/t/acme/domains/")
    if pictures:
        petra.picture("ledger", frame=True)
    page.goto("/demo/perspectives/")
    hand.press("button", "Lie to singapore")
    page.get_by_role("heading", name="singapore is told something else").wait_for()
    if pictures:
        petra.picture("lie")
    prove_by_record(petra, pictures=pictures)
    prove_by_file(petra, pictures=pictures)


def prove_by_record(petra: Walk, *, pictures: bool) -> None:
    hand, page = petra.hand, petra.page
    page.goto("/t/acme/domains/")
    hand.press("link", "Add a domain")
    hand.write("Domain or mailbox", BY_RECORD)
    hand.press("button", "Add it")
    hand.press("button", "Begin")
    page.get_by_role("heading", name="Record to publish").wait_for()
    domain, owner, value = page.url, told(petra, "Whole name"), told(petra, "Value")
    if pictures:
        petra.picture("record")
    page.goto("/demo/dns/")
    hand.write("Name", owner)
    hand.choose("Type", "TXT")
    hand.write("Value", value)
    hand.press("button", "Add the record")
    page.get_by_role("row", name=re.compile(f"^{owner}")).get_by_text(value).wait_for()
    looked_at(petra, domain, "4 of 5 perspectives")
    liar = page.get_by_role("row", name=re.compile("^singapore"))
    expect(liar).to_contain_text("what another one published")
    if pictures:
        petra.picture("proven")


def prove_by_file(petra: Walk, *, pictures: bool) -> None:
    hand, page = petra.hand, petra.page
    page.goto("/t/acme/domains/")
    hand.press("link", BY_FILE)
    page.get_by_role("heading", name="File to put on the web server").wait_for()
    domain, address, content = page.url, told(petra, "It is looked for at"), told(petra, "Content, and nothing else")
    page.goto("/demo/files/")
    hand.write("Address", address)
    hand.write("Content", content)
    hand.press("button", "Put the file there")
    page.get_by_role("rowheader", name=address, exact=True).wait_for()
    if pictures:
        petra.picture("file")
    looked_at(petra, domain, "5 of 5 perspectives")


def told(petra: Walk, what: str) -> str:
    """What the page of a domain says is to be published, part by part."""
    part = petra.page.locator(".record dl > div, .record__line").filter(has_text=re.compile(f"^\\s*{what}"))
    return part.locator("code").inner_text()


def looked_at(petra: Walk, domain: str, agreement: str) -> None:
    petra.page.goto(domain)
    petra.hand.press("button", "Look now")
    expect(petra.page.get_by_role("heading", level=1)).to_contain_text("Proven", timeout=MINUTE)
    expect(petra.page.get_by_role("region", name="What was seen last")).to_contain_text(agreement)


def have_a_certificate_for_them(petra: Walk, *, pictures: bool = False) -> None:
    """With a third name, whose CAA record wants another account until its owner mends it; the lie goes on."""
    hand, page = petra.hand, petra.page
    page.goto("/t/acme/")
    hand.press("link", "Request a certificate")
    hand.tick("TLS Server")
    hand.press("button", "Next")
    pass_over(petra, "subject")
    hand.write("DNS names", f"{BY_RECORD}\n{BY_FILE}\n{STRANGER}")
    pass_over(petra, "names", "validity")
    make_the_key(petra, f"{BY_RECORD}.key")
    hand.press("button", "Verify")
    stranger = page.get_by_role("region", name=STRANGER, exact=True)
    expect(stranger).to_contain_text("Failed", timeout=MINUTE)
    looked_up(petra)
    record = stranger.locator(".record__line code").inner_text().partition(" CAA ")[2]
    if pictures:
        petra.picture("permitted")
    request = page.url
    page.goto("/demo/dns/")
    hand.press("link", f"Change {STRANGER}")
    hand.write("CAA records", record)
    hand.press("button", "Replace the records")
    page.get_by_role("row", name=re.compile(f"^{STRANGER}")).get_by_text(record).wait_for()
    page.wait_for_timeout(11_000)  # a name that failed rests for ten seconds
    page.goto(request)
    hand.press("button", f"Check again {STRANGER}")
    expect(stranger).to_contain_text("it counts until", timeout=MINUTE)
    looked_up(petra)
    page.reload()  # what is open closes when the page asks for the rest
    page.get_by_role("region", name=BY_RECORD, exact=True).get_by_text("4 of 5 perspectives agree").last.click()
    if pictures:
        petra.picture("perspectives")
    pass_over(petra, "domains")
    agree(petra)
    expect(page.get_by_role("heading", name=READY)).to_be_visible(timeout=MINUTE)


def agree(petra: Walk) -> None:
    petra.hand.tick("I am sure that I want this certificate.")
    petra.hand.press("button", "Request certificate")
    petra.page.get_by_label("6-digit code").wait_for()
    petra.hand.write("6-digit code", code_for(petra))
    petra.hand.press("button", "Confirm: Request certificate")


def switch_rekeying_off_and_on(ada: Walk, petra: Walk) -> None:
    """Ada switches it off, which Petra sees at once, and lets it wait for somebody's approval afterwards."""
    ada.page.goto("/t/acme/policies/tls-server/")
    ada.hand.press("link", "Change policies")
    ada.page.get_by_role("button", name="Review the change").wait_for()
    ada.picture("policy")
    ada.hand.clear("Rekey: Allowed")
    ada.hand.press("button", "Review the change")
    ada.page.get_by_role("button", name="Save policies").wait_for()
    ada.picture("review")
    ada.hand.press("button", "Save policies")
    expect(rekeying(ada)).to_contain_text("Off")
    petra.page.goto("/t/acme/areas/tls-server/certificates/")
    petra.hand.press("link", "www.demo.test")
    expect(petra.page.get_by_role("heading", name="Lineage")).to_be_visible()
    expect(petra.page.get_by_role("button", name="Rekey")).to_have_count(0)
    ada.hand.press("link", "Change policies")
    ada.hand.tick("Rekey: Allowed")
    save_with_approvals(ada, "1")


def save_with_approvals(ada: Walk, approvals: str) -> None:
    ada.hand.choose("Rekey: Approvals", approvals)
    ada.hand.press("button", "Review the change")
    ada.hand.press("button", "Save policies")
    expect(rekeying(ada)).to_contain_text("Allowed")


def rekeying(ada: Walk) -> Locator:
    """What is in force for it."""
    return ada.page.get_by_role("table", name="Operations and what each asks for").get_by_role(
        "row", name=re.compile("^Rekey ")
    )


def have_it_approved(petra: Walk, wei: Walk) -> None:
    """Petra's next request waits for Wei, who finds it on the home page.  Its names are verified already."""
    open_certificate(petra, "www.demo.test")
    petra.hand.press("button", "Rekey")
    pass_over(petra, "subject", "names", "validity")
    make_the_key(petra, "www.demo.test.key")
    pass_over(petra, "domains")
    confirm(petra)
    expect(petra.page.get_by_role("heading", name="Review", exact=True)).to_be_visible(timeout=MINUTE)
    wei.page.goto("/t/acme/")
    wei.hand.press("link", "Review")
    wei.hand.press("link", "www.demo.test")
    wei.page.get_by_role("button", name="Approve").wait_for()
    wei.picture("approval")
    wei.hand.press("button", "Approve")
    expect(wei.page.get_by_role("button", name="Approve")).to_have_count(0)
    petra.page.reload()  # a page that waits for somebody does not ask by itself
    expect(petra.page.get_by_role("heading", name=READY)).to_be_visible(timeout=MINUTE)


def verify_the_journal(vera: Walk) -> None:
    vera.page.goto("/t/acme/journal/")
    vera.hand.press("button", "Verify")
    vera.page.wait_for_load_state()
    vera.picture("journal", tall=988)


def make_a_token(petra: Walk) -> None:
    """As far as the list that it stands in: its secret is in no picture."""
    hand = petra.hand
    petra.page.goto("/t/acme/tokens/new/")
    hand.write("What is it for?", "rekeys at night")
    hand.tick("See and download certificates")
    hand.tick("Make requests: first certificates, rekeys")
    hand.write("Your password", SOMEBODY["petra"].password)
    hand.press("button", "Next")
    hand.write("6-digit code", code_for(petra))
    hand.press("button", "Make the token")
    hand.press("link", "I have it, go on")
    petra.page.get_by_role("table", name="Tokens").wait_for()
    petra.picture("tokens")
    petra.page.goto("/api/v1/")
    petra.picture("reference", tall=925)


@contextmanager
def demo() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="pictures-", dir="/tmp"))
    folder.chmod(0o711)  # PostgreSQL's account walks through it
    running = Running(folder / "var")
    try:
        yield f"http://localhost:{running.port}"
    finally:
        running.end(signal.SIGTERM)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
