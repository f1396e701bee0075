"""What an administrator decides counts for the next click, and what the DNS forbids holds a server's rekey up."""

import re
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from playwright.sync_api import Locator, Page, expect
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from lifecycle.authorities.keys import KEY_KINDS
from lifecycle.certificates.models import Certificate
from lifecycle.certificates.naming import alternative_names
from lifecycle.requests.models import CertificateRequest
from lifecycle.validation.models import CaaCheck
from lifecycle.validation.selectors import PAUSE
from lifecycle.validation.states import CaaState
from portal.foundation import clock
from portal.foundation.access.models import User
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import Tenant
from tests.journeys.hands import Hand, Keyboard, Mouse
from tests.journeys.live import Portal
from tests.journeys.test_browser_faults import at_confirm
from tests.journeys.test_journeys import download, until_ready, verifies
from tests.journeys.test_key_in_browser import PASSWORD, ask_for_key, openssl, serving_tls
from tests.world import ask_for_codes, issued

pytestmark = pytest.mark.xdist_group("browser")

WAYS = {"mouse": (Mouse, True), "keyboard": (Keyboard, True), "no script": (Mouse, False)}
"""Whose hand, and whether with script."""


# --- the administrator's switch --------------------------------------------------------------------------------------


@pytest.mark.rule("0.R10", "0.R11")
@pytest.mark.parametrize(("hands", "script"), WAYS.values(), ids=WAYS)
def test_rekey_switched_off_and_on_is_obeyed_at_once(portal, surf, ada, petra, acme, source, hands, script):
    administrator = hands(surf(ada, script=script))
    page = surf(petra, script=script)
    assert [len(offers(page, place)) for place in places(source)] == [1, 2, 1]
    page.goto(f"/t/acme/certificates/{source.pk}/")

    switch_rekey(administrator, on=False)
    Mouse(page).press("button", "Rekey")  # what she sees was shown before
    expect(page.get_by_text("An administrator has switched this operation off")).to_be_visible()
    assert [offers(page, place) for place in places(source)] == [[], [], []]
    assert posted(page, source) == HTTPStatus.UNPROCESSABLE_ENTITY
    assert counted(acme, source) == (0, 0, 0)

    switch_rekey(administrator, on=True)
    assert [len(offers(page, place)) for place in places(source)] == [1, 2, 1]
    at_confirm(page, source).press("button", "Rekey")
    until_ready(page)
    assert counted(acme, source) == (1, 1, 1)


def counted(tenant: Tenant, source: Certificate) -> tuple[int, int, int]:
    """How many requests, errands and new certificates there are of *source*."""
    with acting_for(tenant.pk):
        requests = CertificateRequest.objects.filter(predecessor=source)
        ids = [str(request.pk) for request in requests]
        errands = Errand.objects.filter(task__endswith="execute_request", args__0__in=ids).count()
        return len(ids), errands, Certificate.objects.filter(predecessor=source).count()


def switch_rekey(hand: Hand, *, on: bool) -> None:
    """From the navigation to the matrix, through the review to the saved policy."""
    page = hand.page
    page.goto("/t/acme/")
    hand.press("link", "Policies")
    hand.press("link", "Desktop Signing")
    hand.press("link", "Change policies")
    (hand.tick if on else hand.clear)("Rekey: Allowed")
    hand.press("button", "Review the change")
    expect(page.get_by_role("heading", name="Whom it reaches")).to_be_visible()
    expect(page.get_by_role("table", name="What changes").get_by_role("row")).to_have_count(2)
    hand.press("button", "Save policies")
    row = page.get_by_role("table", name="Operations and what each asks for").get_by_role(
        "row", name=re.compile("^Rekey ")
    )
    expect(row.get_by_role("cell").first).to_contain_text("Allowed" if on else "Off")


def places(certificate: Certificate) -> list[str]:
    """Where a rekey is offered: the list's menu, the certificate's page and its menu, the action screen."""
    one = f"/t/acme/certificates/{certificate.pk}/"
    return ["/t/acme/certificates/", one, f"{one}action/"]


def offers(page: Page, place: str) -> list[str]:
    """What there offers a rekey, also in menus that are closed."""
    page.goto(place)
    return page.locator("main :is(button, option)").filter(has_text="Rekey").all_text_contents()


def posted(page: Page, certificate: Certificate) -> int:
    """Ask for a rekey as a program would; return the answer's status."""
    token = page.locator("[name=csrfmiddlewaretoken]").first.input_value()
    form = {"csrfmiddlewaretoken": token, "certificate": str(certificate.pk)}
    return page.request.post("/t/acme/requests/begin/rekey/", form=form, max_redirects=0).status


# --- a server's rekey ------------------------------------------------------------------------------------------------

NAMES = ("www.demo.test", "forbidden.demo.test", "plain.demo.test")
KEY_FILE = "www.demo.test.key"


@pytest.fixture
def server(portal: Portal, petra: User, acme: Tenant, name_server: None) -> Certificate:
    """Return Petra's certificate for three names; what was seen of them then is old, and a rekey asks for a code."""
    with portal.nobody_works(), clock.frozen(clock.now() - timedelta(days=30)):
        certificate = issued(petra, acme, profile="tls-server", dns="\n".join(NAMES))
    ask_for_codes(acme)
    return certificate


def in_this_browser(hand: Hand, folder: Path) -> Path:
    ask_for_key(hand, file=KEY_FILE)
    return hand.fetch(f"Save {KEY_FILE}", folder)


def with_a_csr(hand: Hand, folder: Path) -> Path:
    key, file = KEY_KINDS["ec-p256"].make(), folder / KEY_FILE
    lock = BestAvailableEncryption(PASSWORD.encode())
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock))
    made = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    hand.write("Certificate signing request", made.public_bytes(Encoding.PEM).decode())
    return file


SERVERS = {
    "key made here": ("mouse", in_this_browser),
    "keyboard": ("keyboard", with_a_csr),
    "no script": ("no script", with_a_csr),
}


@pytest.mark.rule("0.R21", "0.R23", "0.R24", "0.R25", "0.R26", "0.R29", "0.R32")
@pytest.mark.parametrize(("way", "gives_key"), SERVERS.values(), ids=SERVERS)
def test_a_server_is_rekeyed_once_its_forbidding_name_permits(
    portal, surf, owner, petra, server, tmp_path, way, gives_key
):
    hands, script = WAYS[way]
    hand = hands(surf(petra, script=script))

    key = up_to_the_key(hand, server, lambda: gives_key(hand, tmp_path))
    one_name_forbids(hand)
    publish(hands(surf(script=script)), record_to_publish(hand.page))
    failed_long_ago(owner)
    hand.page.reload()  # the page knows of a rest, and would come again by itself at its end
    hand.press("button", "Check again forbidden.demo.test")
    expect(row_of(hand.page, "forbidden.demo.test")).to_contain_text(
        "The CAA records of forbidden.demo.test permit this authority", timeout=15_000
    )
    hand.press("button", "Next")
    expect(hand.page).to_have_url(re.compile("/confirm/$"))
    hand.tick("The key is lost")
    hand.tick("I am sure that I want to rekey this certificate.")
    hand.press("button", "Rekey")
    hand.write("6-digit code", portal.code())
    assert certificates_after(server) == []
    hand.press("button", "Confirm: Rekey")

    assert verifies(download(hand, tmp_path))
    [new] = certificates_after(server)
    assert (new.x509.subject, new.not_after) == (server.x509.subject, server.not_after)
    assert set(alternative_names(new.x509)) == set(NAMES)
    assert looks_for(server) == {
        "www.demo.test": [CaaState.VERIFIED],
        "forbidden.demo.test": [CaaState.FAILED, CaaState.VERIFIED],
        "plain.demo.test": [CaaState.VERIFIED],
    }
    with serving_tls(tmp_path, key) as address:
        for name in NAMES:
            assert accepted(address, name, tmp_path / "root.pem")
        assert not accepted(address, "other.demo.test", tmp_path / "root.pem")


def up_to_the_key(hand: Hand, source: Certificate, give_key: Callable[[], Path]) -> Path:
    """Start the rekey; go over what cannot be changed, in the order that is fixed, and answer the Key step."""
    page = hand.page
    page.goto(f"/t/acme/certificates/{source.pk}/")
    hand.press("button", "Rekey")
    for step, field in (("subject", "Common name"), ("names", "DNS names"), ("validity", "Valid to")):
        expect(page).to_have_url(re.compile(f"/{step}/$"))
        expect(page.get_by_label(field)).to_be_disabled()
        hand.press("button", "Next")
    expect(page).to_have_url(re.compile("/key/$"))
    key = give_key()
    hand.press("button", "Next")
    return key


def one_name_forbids(hand: Hand) -> None:
    """Have all names verified: one forbids, and alone keeps the way on closed."""
    page = hand.page
    expect(page).to_have_url(re.compile("/domains/$"))
    for name in NAMES:
        expect(row_of(page, name)).to_contain_text("Unverified")
    way_on_is_closed(page, "Opens when all names are verified: 3 names are not, of 3.")
    hand.press("button", "Verify")
    expect(row_of(page, "forbidden.demo.test")).to_contain_text("Failed: forbidden by CAA", timeout=15_000)
    for name in ("www.demo.test", "plain.demo.test"):
        expect(row_of(page, name)).to_contain_text("it counts until", timeout=15_000)
    page.goto(page.url.replace("/domains/", "/confirm/"))
    expect(page).to_have_url(re.compile("/domains/$"))
    way_on_is_closed(page, "Opens when all names are verified: 1 name is not, of 3.")


def way_on_is_closed(page: Page, why: str) -> None:
    button = page.get_by_role("button", name="Next")
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_accessible_description(why)


def row_of(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True)


def record_to_publish(page: Page) -> str:
    """Read what stands there, as whoever manages the zone is sent it."""
    row = row_of(page, "forbidden.demo.test")
    expect(row.get_by_role("heading", name="Record to publish")).to_be_visible()
    line = row.locator(".record__line code").inner_text()
    assert line == 'forbidden.demo.test. CAA 0 issue "ca.acme.example"'
    return str(line.partition(" CAA ")[2])


def publish(hand: Hand, record: str) -> None:
    """Put *record* beside the others of its name, on the page of the demo's DNS."""
    hand.page.goto("/demo/dns/")
    hand.press("link", "Change forbidden.demo.test")
    others = hand.page.get_by_label("CAA records").input_value()
    hand.write("CAA records", f"{others}\n{record}")
    hand.press("button", "Replace the records")
    expect(hand.page.get_by_role("row", name=re.compile(r"^forbidden\.demo\.test"))).to_contain_text(record)


def failed_long_ago(owner: Cursor) -> None:
    """Let the pause after a look that failed be over, without anybody's waiting for it."""
    owner.execute("SET session_replication_role = replica")  # evidence never changes, except for this
    owner.execute(
        "UPDATE validation_caacheck SET asked_at = asked_at - %(pause)s, checked_at = checked_at - %(pause)s"
        " WHERE state = 'failed'",
        {"pause": PAUSE + timedelta(seconds=1)},
    )
    owner.execute("SET session_replication_role = origin")


def certificates_after(source: Certificate) -> list[Certificate]:
    with acting_for(source.tenant_id):
        return list(Certificate.objects.filter(predecessor=source))


def looks_for(source: Certificate) -> dict[str, list[str]]:
    """What became of the looks that the owner of *source* asked for, by name, oldest first."""
    found: dict[str, list[str]] = {}
    with acting_for(source.tenant_id):
        for look in CaaCheck.objects.filter(asked_by=str(source.owner)).order_by("asked_at"):
            found.setdefault(look.name, []).append(look.state)
    return found


def accepted(address: str, name: str, root: Path) -> bool:
    """Whether OpenSSL, trusting *root* alone, takes who answers there for the server *name*."""
    trust = ("-CAfile", root, "-verify_return_error", "-x509_strict", "-purpose", "sslserver")
    talk = openssl("s_client", "-connect", address, "-servername", name, "-verify_hostname", name, *trust, stdin="Q\n")
    return talk.returncode == 0 and "Verify return code: 0 (ok)" in talk.stdout
