"""A browser without script, as far as forms and links go: it presses what is there and cannot press what is not.

It runs over Django's client with CSRF checks on, and keeps no state but cookies, so that two tabs are two pages
of one visitor, and two browsers are two visitors.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urldefrag, urljoin
from xml.etree.ElementTree import Element

import html5lib
from django.conf import settings
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from portal.foundation import clock
from portal.foundation.access.models import User
from tests.world import signed_in

Answers = Mapping[str, Any]

_NOT_TYPED = {"submit", "button", "image", "reset", "file"}


class Visitor:
    """Somebody with one browser; signed in unless nobody is named."""

    def __init__(self, person: User | None = None) -> None:
        self.client = Client(enforce_csrf_checks=True)
        if person:
            signed_in(self.client, person)

    def open(self, address: str, **headers: str) -> "Page":
        return self._shown(self.client.get(address, headers=headers), address)

    def post(self, address: str, data: Any, **extra: Any) -> "Page":
        """Send what no page of ours would send, with the token that any page has."""
        if isinstance(data, bytes):  # as they are: the client would encode them by the charset that they claim
            return self._shown(self.client.generic("POST", address, data, headers=self._token(), **extra), address)
        return self._shown(self.client.post(address, data, headers=self._token(), **extra), address)

    def _token(self) -> dict[str, str]:
        if settings.CSRF_COOKIE_NAME not in self.client.cookies:
            self.client.get("/", follow=True)  # every page of a signed-in person carries the token
        return {"X-CSRFToken": self.client.cookies[settings.CSRF_COOKIE_NAME].value, "Referer": "http://testserver/"}

    def _shown(self, response: Any, address: str) -> "Page":
        for _hop in range(6):
            if response.status_code not in {301, 302, 303}:
                return Page(self, response, address)
            address = urljoin(address, response["Location"])
            response = self.client.get(address)
        raise AssertionError(f"redirected without end, last to {address}")


class Page:
    """What came back, and what can be pressed on it."""

    def __init__(self, visitor: Visitor, response: Any, address: str) -> None:
        self.visitor = visitor
        self.response = response
        self.status: int = response.status_code
        self.address = address

    @cached_property
    def tree(self) -> Element:
        """The page as a browser understands it."""
        tree: Element = html5lib.parse(self.response.content.decode(), namespaceHTMLElements=False)
        return tree

    @property
    def text(self) -> str:
        """Everything there is to read, in one line."""
        body = self.tree.find("body")
        assert body is not None
        return said(body)

    @property
    def title(self) -> str:
        return said(self.all("title")[0])

    @property
    def heading(self) -> str:
        return said(self.all("h1")[0])

    @property
    def complaints(self) -> list[str]:
        """What the error summary lists."""
        return [said(item) for box in self.having_class("error-summary") for item in box.iter("li")]

    @property
    def rail(self) -> list[tuple[str, str]]:
        """The stepper: each step's name and status."""
        items = [item for rail in self.having_class("rail") for item in rail.iter("li")]
        names = [said(next(part for part in item.iter("span") if part.get("class") == "rail__name")) for item in items]
        return [
            (name.removesuffix(", done"), item.get("data-status", "")) for name, item in zip(names, items, strict=True)
        ]

    def all(self, tag: str) -> list[Element]:
        return list(self.tree.iter(tag))

    def having_class(self, name: str) -> list[Element]:
        return [element for element in self.tree.iter() if name in element.get("class", "").split()]

    def links(self) -> dict[str, str]:
        return {said(link): link.get("href", "") for link in self.all("a")}

    @property
    def leads_to(self) -> set[str]:
        """Where the links of the page lead, also those that read alike."""
        return {link.get("href", "") for link in self.all("a")}

    def buttons(self) -> list[str]:
        return [said(button) for button in self.all("button")]

    def fields(self) -> dict[str, Element]:
        """Every control of the page by its name; of a group, the last."""
        return {
            name: control
            for tag in ("input", "textarea", "select")
            for control in self.all(tag)
            if (name := control.get("name"))
        }

    def value(self, name: str) -> str:
        field = self.fields()[name]
        return "".join(field.itertext()) if field.tag == "textarea" else field.get("value", "")

    def follow(self, words: str) -> "Page":
        """Press a link that reads *words*."""
        return self.visitor.open(urljoin(self.address, self.links()[words]))

    def press(self, words: str, *, number: int = 0, **answers: Any) -> "Page":
        """Press the button that reads *words*, after its form was filled in with *answers*.

        A text goes into a text field or chooses an option, True ticks a box, bytes are a file.
        """
        pressed = [button for button in self.all("button") if said(button).startswith(words)][number]
        form = self._form_of(pressed)
        data = self._posted(form, pressed, answers)
        target = urldefrag(urljoin(self.address, form.get("action") or self.address)).url
        if form.get("method", "get") == "get":
            return self.visitor._shown(self.visitor.client.get(target, data), target)
        if form.get("enctype") != "multipart/form-data":
            assert not any(isinstance(value, SimpleUploadedFile) for value in data.values()), "the form takes no file"
        headers = {"Referer": "http://testserver/"}
        return self.visitor._shown(self.visitor.client.post(target, data, headers=headers), target)

    def _form_of(self, button: Element) -> Element:
        if named := button.get("form"):
            return next(form for form in self.all("form") if form.get("id") == named)
        return next(form for form in self.all("form") if button in form.iter("button"))

    def _posted(self, form: Element, pressed: Element, answers: Answers) -> dict[str, Any]:
        named = {control.get("name"): control for control in _controls(form)}
        unknown = set(answers) - set(named)
        assert not unknown, f"the form asks for {sorted(filter(None, named))}, not for {sorted(unknown)}"
        data: dict[str, Any] = {}
        for control in _controls(form):
            name = control.get("name", "")
            if name in answers:
                data |= _given(control, name, answers[name])
            elif (standing := _standing(control)) is not None:
                data[name] = standing
        if name := pressed.get("name"):
            data[name] = pressed.get("value", "")
        return data


def _controls(form: Element) -> list[Element]:
    return [part for part in form.iter() if part.tag in {"input", "textarea", "select"} and part.get("name")]


def _given(control: Element, name: str, answer: Any) -> dict[str, Any]:
    if isinstance(answer, bytes):
        assert control.get("type") == "file"
        return {name: SimpleUploadedFile("request.csr", answer)}
    if control.get("type") in {"checkbox", "radio"}:
        chosen = answer is True or control.get("value") == answer
        return {name: control.get("value", "on")} if chosen else {}
    if control.tag == "select":
        assert answer in {option.get("value") for option in control.iter("option")}, f"{answer!r} is not offered"
    return {name: str(answer)}


def _standing(control: Element) -> str | None:
    """What the control would send as it stands; None if nothing."""
    if control.tag == "textarea":
        return "".join(control.itertext())
    if control.tag == "select":
        options = list(control.iter("option"))
        chosen = next((option for option in options if option.get("selected") is not None), options[0])
        return chosen.get("value", "")
    if control.get("type") in {"checkbox", "radio"}:
        return control.get("value", "on") if control.get("checked") is not None else None
    return None if control.get("type") in _NOT_TYPED else control.get("value", "")


_IN_A_LINE = {"a", "b", "code", "del", "ins", "output", "span", "svg", "time", "use", "wbr"}


def said(element: Element) -> str:
    """The text of an element as one reads it: white space folded, a gap wherever another line begins."""
    return " ".join("".join(_pieces(element)).split())


def _pieces(element: Element) -> Iterator[str]:
    gap = "" if element.tag in _IN_A_LINE else " "
    yield gap
    yield element.text or ""
    for part in element:
        if part.tag not in {"script", "template"}:
            yield from _pieces(part)
        yield part.tail or ""
    yield gap


# --- what a test says about the world around the pages ----------------------------------------------------------------


_WATCHED = {
    "request": "SELECT id, state, revision, answers, challenge FROM requests_certificaterequest",
    "errand": "SELECT id, task, due_at FROM outbox_errand",
    "journal": "SELECT id, code FROM audit_auditevent WHERE code NOT LIKE 'factor:%'",
    "acceptance": "SELECT id FROM policies_agreementacceptance",
    "certificate": "SELECT id FROM certificates_certificate",
    "revocation": "SELECT id FROM certificates_revocation",
    "spent": "SELECT id FROM auth2fa_challenge WHERE spent_at IS NOT NULL",
}


@contextmanager
def nothing_happens(owner: Cursor, *, but: tuple[str, ...] = ()) -> Iterator[None]:
    """Watch every tenant's rows and the mail: whatever is done inside has no effect, *but* those named."""
    before = _everything(owner)
    yield
    after = _everything(owner)
    assert {name for name in after if after[name] != before[name]} == set(but)


def _everything(owner: Cursor) -> dict[str, Any]:
    found: dict[str, Any] = {"mail": len(mail.outbox)}
    for name, query in _WATCHED.items():
        owner.execute(f"{query} ORDER BY id")
        found[name] = [tuple(map(str, row)) for row in owner.fetchall()]
    return found


def later(**span: float) -> Any:
    """Let it be that much later than it is."""
    return clock.frozen(clock.now() + timedelta(**span))


def code_sent() -> str:
    """The code in the newest mail."""
    [code] = [line.strip() for line in str(mail.outbox[-1].body).splitlines() if line.strip().isdigit()]
    return code


def another(code: str) -> str:
    """A code of the same length that is not the right one."""
    return f"{(int(code) + 1) % 10 ** len(code):0{len(code)}}"
