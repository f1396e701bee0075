"""Every page: valid HTML, no inline script or style, nothing from elsewhere, and every word through gettext."""

import gettext
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

import html5lib
import pytest
from django.core.cache import cache
from django.utils import translation
from django.utils.translation import trans_real

from lifecycle.authorities.keys import KEY_KINDS
from portal.demo.outposts import STAND
from portal.demo.texts import AGREEMENT, PROFILES
from portal.web.platform.authorities import COMMAND
from tests.fakes.everywhere import PLACES
from tests.web.browsing import Page, Visitor
from tests.web.pages import NO_PAGE, Visit, routes, visits
from tests.world import PEOPLE, TENANTS


def looked_at(visit: Visit) -> Page:
    page = Visitor(visit.who).open(visit.path)
    if visit.press:
        page = page.press(visit.press, **visit.answers)
    assert page.status == visit.status, f"{visit}: {page.status} at {page.address}"
    return page


def test_every_route_is_a_page_here_or_says_why_not(world):
    looked = {visit.route for visit in visits(world)}
    assert looked | set(NO_PAGE) == routes()
    assert not looked & set(NO_PAGE)


def test_every_page_is_valid_and_brings_no_script_or_style_of_its_own(world, name_server):
    faults = {}
    for visit in visits(world):
        page = looked_at(visit)
        if found := [*_invalid(page), *_inline(page), *_from_elsewhere(page), *_doubled_ids(page), *_unlabelled(page)]:
            faults[str(visit)] = found
    assert faults == {}


def _invalid(page: Page) -> Iterator[str]:
    parser = html5lib.HTMLParser(strict=False)
    parser.parse(page.response.content.decode())
    for (line, column), code, facts in parser.errors:
        yield f"line {line}, column {column}: {html5lib.constants.E[code] % facts}"
    assert page.response["Content-Type"] == "text/html; charset=utf-8"


def _inline(page: Page) -> Iterator[str]:
    for element in page.tree.iter():
        if element.tag == "style" or (element.tag == "script" and not element.get("src")):
            yield f"<{element.tag}> with its own content"
        yield from (f"{name}=" for name in element.attrib if name.startswith(("on", "hx-on")) or name == "style")


def _from_elsewhere(page: Page) -> Iterator[str]:
    for element in page.tree.iter():
        for name in ("src", "href", "action", "srcset", "data", "poster"):
            address = urlsplit(element.get(name, ""))
            if address.netloc or address.scheme not in {"", "data"} or (address.scheme == "data"):
                yield f"{name}={element.get(name)}"


def _doubled_ids(page: Page) -> Iterator[str]:
    ids = [element.get("id") for element in page.tree.iter() if element.get("id")]
    yield from (f"id={one} twice" for one in {one for one in ids if ids.count(one) > 1})
    for element in page.tree.iter():
        for name in ("for", "aria-labelledby", "aria-describedby", "aria-controls", "popovertarget", "form"):
            missing = set(element.get(name, "").split()) - set(ids)
            yield from (f"{name}={one} names nothing" for one in missing)


def _unlabelled(page: Page) -> Iterator[str]:
    headings = page.all("h1")
    if len(headings) != 1:
        yield f"{len(headings)} first headings"
    if not page.title.strip(" ·"):
        yield "no title"


# --- words -----------------------------------------------------------------------------------------------------------

OPEN, SHUT = "⟦", "⟧"


class _Marked(gettext.NullTranslations):
    """A catalogue that has every message, in brackets: whatever has none did not come through gettext."""

    plural = staticmethod(lambda n: int(n != 1))

    def gettext(self, message: str) -> str:
        return f"{OPEN}{message}{SHUT}" if message else ""

    def ngettext(self, singular: str, plural: str, n: int) -> str:
        return self.gettext(singular if n == 1 else plural)

    def pgettext(self, context: str, message: str) -> str:
        return message if context == "date format" else self.gettext(message)  # letters that stand for something

    def npgettext(self, context: str, singular: str, plural: str, n: int) -> str:
        return self.pgettext(context, singular if n == 1 else plural)

    def to_language(self) -> str:
        return "en"

    language = to_language


@contextmanager
def marked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let every message of ours and of Django's be marked, wherever it is asked for."""
    catalogue = _Marked()
    monkeypatch.setattr(trans_real, "translation", lambda _language: _Catalogue(catalogue))
    translation.activate("en")
    cache.clear()
    try:
        yield
    finally:
        monkeypatch.undo()
        trans_real._active = trans_real.Local()
        translation.activate("en")


class _Catalogue:
    """As much of Django's catalogue as its functions use."""

    def __init__(self, catalogue: _Marked) -> None:
        for name in ("gettext", "ngettext", "pgettext", "npgettext", "to_language", "language", "plural"):
            setattr(self, name, getattr(catalogue, name))


def test_every_word_of_every_page_goes_through_gettext(world, name_server, monkeypatch):
    looks = visits(world)
    bare: dict[str, set[str]] = {}
    with marked(monkeypatch):
        for visit in looks:
            page = looked_at(_reading_marks(visit))
            assert page.text.count(OPEN) > 5
            for text in _unmarked(page):
                if re.search(r"[^\W\d_]{2}", _without_data(text)):
                    bare.setdefault(text, set()).add(str(visit))
    assert bare == {}


def _reading_marks(visit: Visit) -> Visit:
    """The button to press reads differently under the marks."""
    return replace(visit, press=f"{OPEN}{visit.press}" if visit.press else "")


def _unmarked(page: Page) -> Iterator[str]:
    """What stands outside all marks; a marked sentence may hold elements, data, and other marked words."""
    yield from _outside(list(_read(page.tree)))
    for element in page.tree.iter():
        for name in SPOKEN & set(element.attrib):
            yield from _outside([element.get(name, "")])


def _outside(pieces: list[str]) -> Iterator[str]:
    depth = 0
    for piece in pieces:
        found = ""
        for sign in piece:
            depth += (sign == OPEN) - (sign == SHUT)
            found += sign if not depth and sign != SHUT else " " if depth else ""
        if text := " ".join(found.split()):
            yield text
    assert depth == 0, "a mark was cut in two"


SPOKEN = {"aria-label", "title", "alt", "placeholder", "data-label", "data-copied", "data-copy-failed", "data-words"}


def _read(element: Element) -> Iterator[str]:
    if element.tag in {"script", "style", "textarea", "pre"}:  # what is stored is shown as it is stored
        return
    yield element.text or ""
    for part in element:
        yield from _read(part)
        yield part.tail or ""


NAMES = (
    # what people and tenants gave, and codes that are the same in every language
    *(name for name, _email, _seats in PEOPLE.values()),
    *("Eva Malá", "New Person"),
    *("name,email,roles", "subscriber | auditor"),  # a table of people, as programs write it
    *("Wolfeschlegelsteinhausenbergerdorff Petra Magdalena von Beispiel", "(archive)", "A new machine.", "Hello"),
    *(f"{name}{part}" for name, _country in TENANTS.values() for part in (" Issuing CA", " Root CA", "")),
    *(str(profile[part]) for profile in PROFILES.values() for part in ("title",)),
    *(profile["content"]["about"] for profile in PROFILES.values()),
    *AGREEMENT["text"].split("\n\n"),
    AGREEMENT["title"],
    "· Platform",  # in the title: the name of the tenant that stands for the platform
    *(kind.title for kind in KEY_KINDS.values()),
    *("openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:", "-noenc -subj / -keyout private.key -out request.csr"),
    "openssl pkcs12 -export -inkey private.key -in certificate.pem -out certificate.pfx",
    *("Initech", "Hooli", "Platform"),  # tenants, the last of which is the platform's own
    "TryLater: mail: ConnectionRefusedError",
    COMMAND,
    # kept with the request in the words that the worker had for it
    "This key was reported as compromised and can never be certified. Make a new key pair and a new CSR.",
    "This is not your name.",  # what a reviewer wrote
    *STAND,  # the demo's perspectives
    *(word for place in PLACES for word in place),  # perspectives, and the regions that they stand in
    "/.well-known/pki-validation/",
)
FORMS = (
    # what is random comes first: a piece of it may pass for any of the others
    r"^[A-Z2-7]{4}( [A-Z2-7]{4}){7}$",  # an authenticator's secret
    r"cpt_[\w-]{8}…",  # what may be shown of a token
    r"^[0-9a-f]{32}$",  # a key's id in the token
    r"^ca\.[a-z]+\.example$",  # an issuer domain name, before its first two letters pass for hexadecimal
    r'^CAA \d{1,3} [a-z]+ "[^"]*"$',  # a record of the demo's DNS
    r"^(CNAME|TXT|A) [\w.-]+$",
    r"whsec_[\w+/=]+",  # a hook's secret
    r"\b[a-z2-7]{32}\b(\.localhost\.)?",  # what proves a domain
    r"\b[0-9a-f]{16}\.txt",  # a file that does
    r"_portal-validation\.[a-z.]+",
    r'^(TXT|CNAME)( "[^"]*")?$',
    r"^<b>other</b>$",  # what a stranger wrote into the DNS
    r"^example$",  # the last label of a name
    r"^(S/MIME )?(BR|RFC \d{4}) [\d.]+$",  # where a rule stands
    r"\bca-tbr-\d+\b",  # a method's label in CAA records (BR 4.2.2.1.3)
    r"^hmac-sha\d{3}$",
    r"^https?:(//.*)?$",
    r"^//[\w./-]+$",  # the rest of an address, behind the place where it may break
    r"acct:([\w@.]+)?",  # an account in CAA records
    r"RQ-[0-9A-Z]{4}-[0-9A-Z]{4}",  # a request's number
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",  # a request's id, of HTTP
    r"\b\d{1,2} [A-Z][a-z]+ \d{4}\b",  # a day, in Django's own words
    r"^[A-Z][a-z]+( \d{4})?$",  # a month of the chart
    r"\b\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d)?)?( UTC)?",
    r"\b[0-9a-f]{64}\b",  # a digest, as the journal's files have it
    r"\b[0-9A-Fa-f]{2}:?(?=[0-9A-Fa-f]{2}|\W|$)",  # serials and fingerprints, also in pieces
    r'^([a-z.]+\.)?( ?CAA)?( ?\d{1,3} issue(wild|mail)?)?( "[^"]*"?)?$',  # a CAA record, whole and in its parts
    r"^[a-z.]+; accounturi=$",
    r'^\d{1,3} [a-z]+ "[^"]*"$',  # a CAA record
    r"[\w.]+@[\w.]+",  # an address
    r"(?<![\w.])(\*\.)?([a-z0-9-]+\.)+(test|example)\b",  # a name in the DNS
    r"\b(CN|O|C|OU)=[^,]+",  # a distinguished name
    r"^[a-z]+(-[a-z]+)+$",  # a refusal's code
    r"^(petra|nobody)$",  # what was searched
    r"^[A-Z]{2}$",  # the letters of a person's mark
    r"^(acme|globex|hooli|initech)$",  # short names
    r"^(issuing|root)-\d$",  # an authority's place in addresses
)


def _without_data(text: str) -> str:
    for name in NAMES:
        text = text.replace(name, " ")
    text = text.strip()
    for form in FORMS:
        text = re.sub(form, " ", text).strip()
    return text
