"""The key that a browser makes: what is saved opens with its password, and nothing of it ever leaves the page."""

import base64
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from playwright.sync_api import Page, expect

from lifecycle.authorities.keys import KEY_KINDS, PrivateKey, kind_of, spki
from lifecycle.certificates.models import Certificate
from lifecycle.requests.models import CertificateRequest
from lifecycle.wizards.key_maker import BROWSER_KINDS
from portal.demo.child import wait_until
from portal.foundation.access.models import User
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import Tenant
from tests.journeys.conftest import Surfer
from tests.journeys.hands import Hand, Keyboard, Mouse
from tests.journeys.live import Portal
from tests.journeys.test_every_page import AXE, HEAVIEST, _looked_at
from tests.journeys.test_journeys import download, verifies
from tests.journeys.wire import Wire, holds
from tests.world import begun, csr

pytestmark = pytest.mark.xdist_group("browser")

PASSWORD = "four Zebras, 2 rivers"  # of the key file
HERE, GIVEN = "Make the key in this browser", "Give us a CSR"
FILE = "Petra-Novakova.key"


def at_key(page: Page, draft: CertificateRequest) -> Mouse:
    page.goto(f"/t/acme/requests/{draft.pk}/key/")
    return Mouse(page)


@pytest.fixture
def step(surf: Surfer, petra: User, acme: Tenant, source: Certificate) -> Mouse:
    """Return a hand at the Key step of a rekey of Petra's."""
    return at_key(surf(petra), begun(petra, acme, source=source))


def ask_for_key(hand: Hand, kind: str = "ec-p256", *, file: str = FILE) -> None:
    hand.tick(HERE)
    hand.page.get_by_role("button", name="Make the key").wait_for()
    if kind != "ec-p256":  # it is chosen already
        hand.choose("Kind of key", KEY_KINDS[kind].title)
    hand.write("Password for the key file", PASSWORD)
    hand.write("The same password again", PASSWORD)
    hand.press("button", "Make the key")
    hand.page.get_by_role("link", name=f"Save {file}").wait_for(timeout=120_000)  # RSA 4096 on a busy machine


def next_is_closed(page: Page, why: str) -> None:
    button = page.get_by_role("button", name="Next")
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_accessible_description(why)
    expect(page.get_by_text(why, exact=True).locator("visible=true")).to_have_count(1)


def next_is_open(page: Page) -> None:
    button = page.get_by_role("button", name="Next")
    expect(button).not_to_have_attribute("aria-disabled", "true")
    expect(button).to_have_accessible_description("")


def kept_csr(draft: CertificateRequest) -> str:
    with acting_for(draft.tenant_id):
        return str(CertificateRequest.objects.get(pk=draft.pk).answers.get("key", {}).get("csr", ""))


# --- what goes over the wire -----------------------------------------------------------------------------------------


def secrets_of(key: PrivateKey, file: Path) -> dict[str, bytes]:
    """The private parts of *key*, by name, and the sealed file itself."""
    numbers = key.private_numbers()
    match numbers:
        case ec.EllipticCurvePrivateNumbers():
            parts = {"d": numbers.private_value}
        case rsa.RSAPrivateNumbers():
            parts = {name: getattr(numbers, name) for name in ("d", "p", "q", "dmp1", "dmq1", "iqmp")}
    sealed = re.sub(r"-----.*?-----|\s", "", file.read_text())
    return {
        **{name: part.to_bytes(-(-part.bit_length() // 8)) for name, part in parts.items()},
        "pkcs8": key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        "traditional": key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        "file": base64.b64decode(sealed)[-64:],
        "file in PEM": sealed.encode()[-64:],
        "password": PASSWORD.encode(),
    }


def in_storage(page: Page) -> bytes:
    """Everything that the page could have put aside in this browser, beside a mark of ours."""
    script = """async () => { sessionStorage.mark = "seen"; return JSON.stringify([{ ...localStorage },
        { ...sessionStorage }, document.cookie, await indexedDB.databases(), await caches.keys(), history.state,
        window.name]); }"""
    return str(page.evaluate(script)).encode()


def openssl(*words: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = ["openssl", *map(str, words)]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def wire(portal: Portal) -> Iterator[Wire]:
    with Wire(portal.port) as wire:
        yield wire


@pytest.mark.parametrize("kind", BROWSER_KINDS)
def test_each_kind_is_made_saved_and_never_sent(wire, surf, petra, acme, tmp_path, kind):
    draft = begun(petra, acme, profile="desktop-signing")
    page = surf(petra, proxy={"server": wire.address})
    page.goto(f"/t/acme/requests/{draft.pk}/subject/")
    hand = Mouse(page)
    hand.write("Name", "Petra Nováková")
    hand.press("button", "Next")

    ask_for_key(hand, kind)
    file = hand.fetch(f"Save {FILE}", tmp_path)
    stored = in_storage(page)
    hand.press("button", "Next")
    expect(page).to_have_url(re.compile("/confirm/$"))

    assert file.name == FILE
    key = load_pem_private_key(file.read_bytes(), PASSWORD.encode())
    assert kind_of(key) is KEY_KINDS[kind]
    asked = x509.load_pem_x509_csr(kept_csr(draft).encode())
    assert asked.is_signature_valid
    assert list(asked.subject) == []
    assert spki(asked.public_key()) == spki(key.public_key())
    assert type(asked.signature_hash_algorithm) is KEY_KINDS[kind].digest
    secrets = secrets_of(key, file)
    assert [name for name, secret in secrets.items() if wire.carried(secret)] == []
    assert wire.carried(spki(key.public_key())[-32:]), "what is sent is seen"
    assert [name for name, secret in secrets.items() if holds(stored, secret)] == []
    assert b"seen" in stored


WAYS = {
    "an address": "text => fetch('/healthz?' + new URLSearchParams({ text }))",
    "a header": "text => fetch('/healthz', { headers: { 'X-Text': encodeURIComponent(text) } })",
    "a form": "text => fetch('/healthz', { method: 'POST', body: new URLSearchParams({ text }) })",
    "a form in parts": """text => { const body = new FormData(); body.set("text", text);
        return fetch("/healthz", { method: "POST", body }); }""",
    "JSON": "text => fetch('/healthz', { method: 'POST', body: JSON.stringify({ text }) })",
    "a beacon": "text => navigator.sendBeacon('/healthz', new Blob([text])) && fetch('/healthz')",
}


@pytest.mark.parametrize("way", WAYS)
def test_what_searches_the_wire_finds_a_secret_in_every_shape(wire, surf, way):
    """The test above relies on it: a page that cheats would be seen, whichever way it takes."""
    page = surf(proxy={"server": wire.address})
    page.goto("/sign-in/")
    shapes = {
        "as it is": lambda secret: secret.decode(),
        "base64url": lambda secret: base64.urlsafe_b64encode(secret).decode(),
        "PEM": lambda secret: base64.encodebytes(b"\0" + secret + b"\0").decode(),
        "hex": lambda secret: secret.hex(),
        "number": lambda secret: str(int.from_bytes(secret)),
        "list": lambda secret: ",".join(map(str, secret)),
    }
    for number, (name, shape) in enumerate(shapes.items()):
        secret = f"{number} four Zebras, {way} ".encode() * 3
        assert not wire.carried(secret)
        page.evaluate(WAYS[way], shape(secret))
        assert wait_until(lambda secret=secret: wire.carried(secret), 5.0), name


def test_the_file_is_what_openssl_reads_and_opens_with_its_password_only(portal, step, tmp_path):
    hand = step
    ask_for_key(hand)
    file = hand.fetch(f"Save {FILE}", tmp_path)

    assert openssl("pkey", "-in", file, "-passin", f"pass:{PASSWORD}", "-noout").returncode == 0
    assert openssl("pkey", "-in", file, "-passin", f"pass:{PASSWORD}!", "-noout").returncode != 0
    # one wrong password in 256 leaves padding that looks right, and nonsense behind it
    with pytest.raises(ValueError, match=r"password|decrypt|deserialize"):
        load_pem_private_key(file.read_bytes(), PASSWORD.lower().encode())
    form = openssl("asn1parse", "-in", file).stdout
    for part in ("PBES2", "PBKDF2", "hmacWithSHA256", "aes-256-cbc"):
        assert f":{part}" in form
    [rounds] = [int(found, 16) for found in re.findall(r"INTEGER +:([0-9A-F]+)", form)]
    assert rounds >= 600_000


# --- the whole way ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hands", "kind"), [(Keyboard, "ec-p256"), (Mouse, "rsa-3072")])
def test_the_certificate_and_the_key_work_together(portal, surf, petra, acme, source, tmp_path, hands, kind):
    hand = hands(surf(petra))
    hand.page.goto(f"/t/acme/certificates/{source.pk}/")
    hand.press("button", "Rekey")
    ask_for_key(hand, kind)
    key = hand.fetch(f"Save {FILE}", tmp_path)
    hand.press("button", "Next")
    hand.tick("The key is lost")
    hand.tick("I am sure that I want to rekey this certificate.")
    hand.press("button", "Rekey")

    assert verifies(download(hand, tmp_path))
    own = openssl("pkey", "-in", key, "-passin", f"pass:{PASSWORD}", "-pubout").stdout
    assert own
    assert own == openssl("x509", "-in", tmp_path / "one.pem", "-noout", "-pubkey").stdout
    with serving_tls(tmp_path, key) as address:
        peer = ("-connect", address, "-CAfile", tmp_path / "root.pem", "-purpose", "any", "-verify_return_error")
        talk = openssl("s_client", *peer, stdin="Q\n")
    assert talk.returncode == 0, talk.stderr
    assert "Verify return code: 0 (ok)" in talk.stdout
    sent = re.search(r"-----BEGIN CERTIFICATE-----.*?END CERTIFICATE-----\n", talk.stdout, re.DOTALL)
    assert sent
    assert x509.load_pem_x509_certificate(sent[0].encode()) == x509.load_pem_x509_certificate(
        (tmp_path / "one.pem").read_bytes()
    )


@contextmanager
def serving_tls(folder: Path, key: Path) -> Iterator[str]:
    """Run `openssl s_server` with the certificate in *folder* and the locked *key*; yield its address."""
    command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", folder / "one.pem", "-key", key]
    chain = ["-cert_chain", folder / "issuing.pem", "-pass", f"pass:{PASSWORD}"]
    server = subprocess.Popen([*command, *chain], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        told = next((line for line in server.stdout if line.startswith("ACCEPT")), "")
        assert told, "the server did not take the certificate with the key"
        yield told.split()[1]
    finally:
        server.kill()
        server.communicate()


# --- the way on, closed and open -------------------------------------------------------------------------------------


def test_next_is_closed_until_the_file_was_saved_and_says_why(portal, surf, petra, acme, source, tmp_path):
    draft = begun(petra, acme, source=source)
    page = surf(petra)
    hand = at_key(page, draft)
    posts = []
    page.on("request", lambda request: request.method == "POST" and posts.append(request.url))

    next_is_open(page)
    hand.tick(HERE)
    next_is_closed(page, "Make the key first, then save it.")
    page.get_by_role("button", name="Next").click(force=True)
    ask_for_key(hand)
    next_is_closed(page, "Save the key file first.")
    expect(page.get_by_role("link", name=f"Save {FILE}")).to_be_focused()
    expect(page.get_by_role("status").filter(has_text="The key is made. Save it now.")).to_have_count(1)
    page.get_by_role("button", name="Next").click(force=True)
    assert posts == []
    assert kept_csr(draft) == ""

    first = hand.fetch(f"Save {FILE}", tmp_path)
    next_is_open(page)
    expect(page.get_by_role("heading", name="The key was given to you as a file")).to_have_count(0)
    expect(page.get_by_text("The key was given to you as a file", exact=True)).to_be_visible()
    again = tmp_path / "again"
    assert hand.fetch(f"Save {FILE}", again).read_bytes() == first.read_bytes()
    hand.press("button", "Next")
    expect(page).to_have_url(re.compile("/confirm/$"))
    assert kept_csr(draft)


@pytest.mark.parametrize(
    ("password", "repeated", "field", "words"),
    [
        ("", "", "Password for the key file", "Choose a password for the key file."),
        ("eleven char", "eleven char", "Password for the key file", "11 of at least 12 characters"),
        ("x" * 201, "x" * 201, "Password for the key file", "201 of at most 200 characters"),
        (PASSWORD, PASSWORD.lower(), "The same password again", "The two passwords differ."),
        (PASSWORD, "", "The same password again", "The two passwords differ."),
    ],
)
def test_a_password_that_will_not_do(portal, step, password, repeated, field, words):
    hand, page = step, step.page
    hand.tick(HERE)
    hand.write("Password for the key file", password)
    hand.write("The same password again", repeated)
    page.get_by_label("The same password again").press("Enter")

    wrong = page.get_by_label(field)
    expect(wrong).to_be_focused()
    expect(wrong).to_have_attribute("aria-invalid", "true")
    expect(wrong).to_have_accessible_description(re.compile(re.escape(words)))
    expect(page.get_by_text(words).locator("visible=true")).not_to_have_count(0)
    expect(page.get_by_role("link", name="Save")).to_have_count(0)
    next_is_closed(page, "Make the key first, then save it.")


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("elevenchars", "Too short yet: 11 of at least 12 characters."),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "Weak"),
        ("abcabcabcabcabcabcabcabcabcabc", "Weak"),
        ("Password1234", "Weak"),
        ("qwertyuiop12", "Weak"),
        ("0123456789012345678901234567", "Weak"),
        ("tr0ub4dor&33", "Fair"),
        ("correct horse battery staple", "Strong."),
        ("h7Gq!x0ZpW2m#vK9", "Strong."),
        ("žluťoučký kůň úpěl", "Some of its characters are not on every keyboard"),
    ],
)
def test_the_strength_of_a_password_in_words(portal, step, password, words):
    hand, page = step, step.page
    hand.tick(HERE)
    page.get_by_role("button", name="Make the key").wait_for()

    hand.write("Password for the key file", password)

    expect(page.get_by_label("Password for the key file")).to_have_accessible_description(re.compile(re.escape(words)))


def test_the_password_fields_suit_a_password_manager_and_no_form_posts_them(portal, step):
    hand, page = step, step.page
    hand.tick(HERE)
    for label in ("Password for the key file", "The same password again"):
        field = page.get_by_label(label)
        expect(field).to_have_attribute("autocomplete", "new-password")
        expect(field).to_have_attribute("type", "password")
        assert field.evaluate("one => one.hasAttribute('name')") is False
    hand.tick("Show what I type")
    expect(page.get_by_label("Password for the key file")).to_have_attribute("type", "text")

    ask_for_key(hand)

    kept = page.evaluate("[...document.querySelectorAll('input')].map(({ value }) => value)")
    assert PASSWORD not in kept
    expect(page.locator("#key-password")).to_have_attribute("type", "password")


def test_what_was_pasted_comes_back_and_a_chosen_file_is_not_taken_instead(portal, surf, petra, acme, source, tmp_path):
    draft = begun(petra, acme, source=source)
    page = surf(petra)
    hand = at_key(page, draft)
    other = tmp_path / "other.der"
    other.write_bytes(x509.load_pem_x509_csr(csr().encode()).public_bytes(Encoding.DER))
    hand.write("Certificate signing request", "pasted")
    page.get_by_label("Or choose its file").set_input_files(other)

    ask_for_key(hand)
    hand.tick(GIVEN)
    expect(page.get_by_label("Certificate signing request")).to_have_value("pasted")
    next_is_open(page)
    hand.tick(HERE)
    next_is_closed(page, "Save the key file first.")
    file = hand.fetch(f"Save {FILE}", tmp_path)
    hand.press("button", "Next")
    expect(page).to_have_url(re.compile("/confirm/$"))

    key = load_pem_private_key(file.read_bytes(), PASSWORD.encode())
    assert spki(x509.load_pem_x509_csr(kept_csr(draft).encode()).public_key()) == spki(key.public_key())


# --- leaving ---------------------------------------------------------------------------------------------------------


class Dialogs:
    """Answers the browser's questions, each as `stays` says, and remembers what was asked."""

    def __init__(self, page: Page) -> None:
        self.asked: list[str] = []
        self.stays = True
        page.on("dialog", self._answer)

    def _answer(self, dialog: object) -> None:
        self.asked.append(dialog.type)  # type: ignore[attr-defined]
        if self.stays:
            dialog.dismiss()  # type: ignore[attr-defined]
        else:
            dialog.accept()  # type: ignore[attr-defined]


@pytest.mark.parametrize("away", ["Back", "Home", "Discard this request", "history"])
def test_leaving_asks_only_while_there_is_a_key_to_lose(portal, surf, petra, acme, tmp_path, away):
    """Also inside the wizard, where htmx exchanges the page without leaving the document."""
    draft = begun(petra, acme)
    page = surf(petra)
    page.goto(f"/t/acme/requests/{draft.pk}/subject/")
    hand = Mouse(page)
    hand.write("Name", "Petra Nováková")
    hand.press("button", "Next")
    expect(page).to_have_url(re.compile("/key/$"))
    dialogs = Dialogs(page)
    ask_for_key(hand)

    go(page, away)
    page.wait_for_timeout(300)
    assert len(dialogs.asked) == 1
    expect(page).to_have_url(re.compile("/key/$"))
    with acting_for(acme.pk):
        assert CertificateRequest.objects.get(pk=draft.pk).state == "draft"
    next_is_closed(page, "Save the key file first.")
    file = hand.fetch(f"Save {FILE}", tmp_path)
    assert load_pem_private_key(file.read_bytes(), PASSWORD.encode())
    go(page, away)
    expect(page).not_to_have_url(re.compile("/key/$"))
    assert len(dialogs.asked) == 1


@pytest.mark.parametrize("away", ["Back", "history"])
def test_who_gives_the_key_up_gets_away(portal, surf, petra, acme, away):
    draft = begun(petra, acme)
    page = surf(petra)
    page.goto(f"/t/acme/requests/{draft.pk}/subject/")
    hand = Mouse(page)
    hand.write("Name", "Petra Nováková")
    hand.press("button", "Next")
    dialogs = Dialogs(page)
    dialogs.stays = False
    ask_for_key(hand)

    go(page, away)

    expect(page).to_have_url(re.compile("/subject/$"))
    expect(page.get_by_role("textbox", name="Name", exact=True)).to_have_value("Petra Nováková")
    assert len(dialogs.asked) == 1


def go(page: Page, away: str) -> None:
    match away:
        case "history":
            page.evaluate("history.back()")
        case "Discard this request":
            page.get_by_role("button", name=away).click(no_wait_after=True)
        case _:
            page.get_by_role("link", name=away, exact=True).first.click(no_wait_after=True)


def test_another_key_instead(portal, step, tmp_path):
    hand, page = step, step.page
    dialogs = Dialogs(page)
    ask_for_key(hand)
    hand.press("button", "Make another one instead")
    assert dialogs.asked == ["confirm"]
    first = hand.fetch(f"Save {FILE}", tmp_path / "first")

    hand.press("button", "Make another one instead")
    next_is_closed(page, "Make the key first, then save it.")
    ask_for_key(hand, "ec-p384")
    second = hand.fetch(f"Save {FILE}", tmp_path / "second")

    assert dialogs.asked == ["confirm"]
    kinds = [kind_of(load_pem_private_key(file.read_bytes(), PASSWORD.encode())).slug for file in (first, second)]
    assert kinds == ["ec-p256", "ec-p384"]


# --- where it cannot be done -----------------------------------------------------------------------------------------

NEEDED = "A CSR is needed here."


@pytest.mark.parametrize("without", ["script", "WebCrypto"])
def test_without_script_or_webcrypto_the_page_says_that_a_csr_is_needed(portal, surf, petra, acme, source, without):
    draft = begun(petra, acme, source=source)
    page = surf(petra, script=without != "script")
    page.add_init_script("Object.defineProperty(Crypto.prototype, 'subtle', { get: () => undefined });")
    hand = at_key(page, draft)

    expect(page.get_by_text(NEEDED)).to_be_visible()
    expect(page.get_by_text(HERE)).not_to_be_visible()
    hand.write("Certificate signing request", csr())
    hand.press("button", "Next")
    expect(page).to_have_url(re.compile("/confirm/$"))


def test_a_kind_that_the_browser_cannot_make(portal, surf, petra, acme, source):
    page = surf(petra)
    page.add_init_script(
        "SubtleCrypto.prototype.generateKey = () => Promise.reject(new DOMException('no', 'NotSupportedError'));"
    )
    hand = at_key(page, begun(petra, acme, source=source))
    hand.tick(HERE)
    hand.write("Password for the key file", PASSWORD)
    hand.write("The same password again", PASSWORD)
    hand.press("button", "Make the key")

    kind = page.get_by_label("Kind of key")
    expect(kind).to_be_focused()
    expect(kind).to_have_accessible_description(re.compile("This browser cannot make a key of this kind."))
    next_is_closed(page, "Make the key first, then save it.")


def test_what_makes_the_key_cannot_be_loaded(portal, surf, petra, acme, source):
    page = surf(petra)
    page.route("**/static/key-*.js", lambda route: route.abort())
    hand = at_key(page, begun(petra, acme, source=source))
    hand.tick(HERE)

    expect(page.get_by_role("alert").filter(has_text="could not be loaded")).to_be_visible()
    hand.tick(GIVEN)
    expect(page.get_by_text("could not be loaded")).not_to_be_visible()
    next_is_open(page)


# --- weight and looks ------------------------------------------------------------------------------------------------


def test_only_who_makes_a_key_pays_for_it(portal, surf, petra, acme, source):
    """Cold, with what makes the key, the step still weighs no more than any page may."""
    page = surf(petra)
    loaded = []
    page.on("response", lambda response: loaded.append(response))  # noqa: PLW0108 - it must be a function
    hand = at_key(page, begun(petra, acme, source=source))
    page.wait_for_load_state("networkidle")
    assert not any("/key-" in response.url for response in loaded)

    hand.tick(HERE)
    page.get_by_role("button", name="Make the key").wait_for()
    page.wait_for_load_state("networkidle")

    assert sum("/key-" in response.url for response in loaded) == 1
    bodies = {response.url: int(response.headers.get("content-length", "0")) for response in loaded}
    assert 0 < sum(bodies.values()) <= HEAVIEST, bodies
    page.reload()


def test_axe_finds_nothing_serious_and_nothing_is_wider_than_the_screen(portal, step, tmp_path):
    hand, page = step, step.page
    page.evaluate(AXE.read_text())
    faults = {}

    def look(state: str) -> None:
        faults.update({f"{state}, {how}": found for how, found in _looked_at(page) if found})

    look("a CSR is given")
    hand.tick(HERE)
    hand.press("button", "Make the key")
    look("no password")
    ask_for_key(hand)
    look("made")
    hand.fetch(f"Save {FILE}", tmp_path)
    look("saved")
    assert faults == {}
