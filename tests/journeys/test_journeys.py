"""From sign-in to a file that OpenSSL accepts: with script, without it, and with the keyboard alone."""

import re
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from lifecycle.requests.models import CertificateRequest
from portal.foundation.tenancy.context import acting_for
from tests.journeys.hands import Hand, Keyboard, Mouse
from tests.world import PASSWORD, ask_for_codes, csr

pytestmark = pytest.mark.xdist_group("browser")


def sign_in(hand: Hand) -> None:
    hand.page.goto("/")
    hand.write("User name", "petra@acme.example")
    hand.write("Password", PASSWORD)
    hand.press("button", "Sign in")
    expect(hand.page).to_have_url(re.compile(r"/t/acme/$"))


def rekey_through_the_action_screen(hand: Hand, request: str) -> None:
    """0.R9, 0.R15 to 0.R19: list, row, More actions, confirm, View request, Next, Rekey."""
    hand.press("link", "Issued certificates")
    hand.press("summary", "Actions")
    hand.press("link", "More actions")
    hand.choose("Action", "Rekey Certificate")
    hand.tick("I am sure that I want to do this with this certificate.")
    hand.press("button", "View request")
    hand.write("Certificate signing request", request)
    hand.press("button", "Next")
    hand.tick("The key is lost")
    hand.tick("I am sure that I want to rekey this certificate.")
    hand.press("button", "Rekey")


READY = "Your certificate is ready."


def until_ready(page: Page) -> None:
    """See that the certificate is there, without waiting for the page to look by itself."""
    heading = page.get_by_role("heading", name=READY)
    page.wait_for_url(re.compile(r"/requests/[0-9a-f-]{36}/$"))
    for _look in range(40):
        if heading.is_visible():
            break
        page.wait_for_timeout(250)
        page.reload()
    expect(heading).to_be_visible()


def download(hand: Hand, into: Path) -> Path:
    until_ready(hand.page)
    hand.press("summary", "Download")
    return hand.fetch("PEM with chain", into)


def verifies(file: Path) -> bool:
    """Whether OpenSSL accepts the first certificate of *file* under the others."""
    [leaf, *above] = re.findall(r"-----BEGIN.*?END CERTIFICATE-----\n", file.read_text(), re.DOTALL)
    (one, issuing, root) = (file.with_name(f"{name}.pem") for name in ("one", "issuing", "root"))
    for path, text in zip((one, issuing, root), (leaf, *above), strict=True):
        path.write_text(text)
    command = ["openssl", "verify", "-x509_strict", "-CAfile", root, "-untrusted", issuing, one]
    return subprocess.run(command, capture_output=True, timeout=20, check=False).returncode == 0


@pytest.mark.rule("0.R15", "0.R16", "0.R17", "0.R18", "0.R19", "0.R32", "2.R19")
def test_rekey_with_script_from_sign_in_to_the_file(portal, surf, acme, source, tmp_path):
    ask_for_codes(acme)
    hand = Mouse(surf())

    sign_in(hand)
    rekey_through_the_action_screen(hand, csr())
    hand.write("6-digit code", portal.code())
    hand.press("button", "Confirm: Rekey")

    assert verifies(download(hand, tmp_path))
    assert "is done" in portal.mail("is ready")


@pytest.mark.rule("0.R15", "0.R16", "0.R17", "0.R18", "0.R19", "0.R32", "2.R19")
def test_rekey_without_script_from_sign_in_to_the_file(portal, surf, acme, source, tmp_path):
    ask_for_codes(acme)
    hand = Mouse(surf(script=False))

    sign_in(hand)
    rekey_through_the_action_screen(hand, csr())
    hand.write("6-digit code", portal.code())
    hand.press("button", "Confirm: Rekey")

    assert verifies(download(hand, tmp_path))


@pytest.mark.rule("0.R15", "0.R16", "0.R17", "0.R18", "0.R19", "0.R32", "2.R19")
def test_rekey_with_the_keyboard_alone_from_sign_in_to_the_file(portal, surf, acme, source, tmp_path):
    ask_for_codes(acme)
    hand = Keyboard(surf())

    sign_in(hand)
    rekey_through_the_action_screen(hand, csr())
    hand.write("6-digit code", portal.code())
    hand.press("button", "Confirm: Rekey")

    assert verifies(download(hand, tmp_path))


@pytest.mark.parametrize("script", [True, False])
def test_a_first_certificate_from_the_home_page_to_the_file(portal, surf, petra, acme, tmp_path, script):
    ask_for_codes(acme)
    hand = Mouse(surf(petra, script=script))
    upload = tmp_path / "request.csr"
    upload.write_text(csr("rsa-2048"))

    hand.page.goto("/t/acme/")
    hand.press("link", "Request a certificate")
    hand.tick("Secure E-mail")
    hand.press("button", "Next")
    hand.write("Name", "Petra Nováková")
    hand.press("button", "Next")
    hand.write("E-mail addresses", "petra@acme.example")
    hand.press("button", "Next")
    hand.page.get_by_label("Or choose its file").set_input_files(upload)
    hand.press("button", "Next")
    hand.tick("I am sure that I want this certificate.")
    hand.press("button", "Request certificate")
    hand.write("6-digit code", portal.code())
    hand.press("button", "Confirm: Request certificate")

    assert verifies(download(hand, tmp_path))


def test_a_first_certificate_with_the_keyboard_alone(portal, surf, petra, acme, tmp_path):
    ask_for_codes(acme)
    hand = Keyboard(surf(petra))

    hand.page.goto("/t/acme/")
    hand.press("link", "Request a certificate")
    hand.tick("Desktop Signing")
    hand.press("button", "Next")
    hand.write("Name", "Petra Nováková")
    hand.press("button", "Next")
    hand.write("Certificate signing request", csr())
    hand.press("button", "Next")
    hand.tick("I am sure that I want this certificate.")
    hand.press("button", "Request certificate")
    hand.write("6-digit code", portal.code())
    hand.press("button", "Confirm: Request certificate")

    assert verifies(download(hand, tmp_path))


@pytest.mark.rule("0.R33")
@pytest.mark.parametrize("script", [True, False])
def test_a_wrong_code_then_the_right_one(portal, surf, petra, acme, source, script):
    ask_for_codes(acme)
    hand = at_the_code(surf(petra, script=script), source)
    code = portal.code()

    hand.write("6-digit code", f"{(int(code) + 1) % 1_000_000:06}")
    hand.press("button", "Confirm: Rekey")
    summary = hand.page.get_by_role("alert")
    expect(summary).to_contain_text("This is not the code that we sent to you last. You have 4 tries left.")
    expect(hand.page).to_have_title(re.compile("^Error: "))
    if script:
        expect(summary).to_be_focused()
    with acting_for(acme.pk):
        assert CertificateRequest.objects.get(predecessor=source).state == "draft"
    hand.write("6-digit code", f"{code[:3]} {code[3:]}")
    hand.press("button", "Confirm: Rekey")

    until_ready(hand.page)


def at_the_code(page, source) -> Mouse:
    """Walk from the certificate's page to the window that asks for the code."""
    hand = Mouse(page)
    page.goto(f"/t/acme/certificates/{source.pk}/")
    hand.press("button", "Rekey")
    hand.write("Certificate signing request", csr())
    hand.press("button", "Next")
    hand.tick("The key is lost")
    hand.tick("I am sure that I want to rekey this certificate.")
    hand.press("button", "Rekey")
    expect(page.get_by_role("heading", name="Enter the code we sent")).to_be_visible()
    return hand
