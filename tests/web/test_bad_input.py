"""Whatever is sent: no accident, nothing done, nothing lost, and a plain sentence that says what is wrong.

Django's client raises what a view raises, so every request made here that would be a 500 fails its test.
"""

import base64
import json
import secrets
from html import escape
from urllib.parse import quote, urlencode
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile

from lifecycle.requests.models import CertificateRequest
from portal.foundation.errors import Refusal
from portal.foundation.tenancy.context import acting_for
from tests.web.browsing import Page, Visitor, nothing_happens
from tests.web.naughty import EMAILS, NAUGHTY
from tests.world import ask_for_codes, begun, csr, fill, filled, issued

TYPED = {"common_name", "organizational_unit", "email", "csr", "message", "username"}
"""What people type; after a refusal all of it stands there again."""


def plain(page: Page) -> None:
    """A refusal is a page with a sentence in it, and none of what a program says to itself."""
    assert page.status in {200, 400, 403, 404, 405, 409, 422, 429}, page.status
    content = page.response.content.decode()
    for inside in ("Traceback", "Exception", "KeyError", "psycopg", "0x00", "&lt;bound method", "__proxy__"):
        assert inside not in content
    if page.status != 200:
        assert "There is a problem" in content or "What you can do" in content


# --- every field of every form ---------------------------------------------------------------------------------------


@pytest.fixture
def forms(petra, acme):
    """Every form there is: where it stands, who sees it, and good answers to its fields."""
    source = issued(petra, acme)
    mailing = begun(petra, acme, profile="secure-email")
    rekey, ready = begun(petra, acme, source=source), filled(petra, acme)
    visitor = Visitor(petra)
    names = visitor.open(f"/t/acme/requests/{mailing.pk}/subject/").press("Next", common_name="Petra")
    confirm = visitor.open(f"/t/acme/requests/{ready.pk}/confirm/")
    ask_for_codes(acme)
    confirm = visitor.open(confirm.address)
    code = confirm.press("Request certificate", consent=True)
    return {
        "sign-in": (Visitor(), "/sign-in/", {"username": "petra@acme.example", "password": "no", "next": "/t/acme/"}),
        "start": (visitor, "/t/acme/requests/begin/issue/", {"profile": "desktop-signing"}),
        "start rekey": (visitor, "/t/acme/requests/begin/rekey/", {"certificate": str(source.pk)}),
        "action": (visitor, f"/t/acme/certificates/{source.pk}/action/", {"action": "rekey", "confirmation": "on"}),
        "subject": (visitor, f"/t/acme/requests/{mailing.pk}/subject/", {"common_name": "Petra"}),
        "organizational unit": (
            visitor,
            f"/t/acme/requests/{ready.pk}/subject/",
            {"common_name": "Petra", "organizational_unit": "Sales"},
        ),
        "names": (visitor, names.address, {"email": "petra@acme.example"}),
        "key": (visitor, f"/t/acme/requests/{rekey.pk}/key/", {"csr": "", "csr_file": ""}),
        "confirm": (
            visitor,
            confirm.address,
            {"agreement": "", "seen": "", "message": "", "use_case": "", "consent": ""},
        ),
        "code": (visitor, code.address, {"code": "123456", "resend": ""}),
    }


MAY_SUBMIT = {"journal", "request", "mail", "spent"}
"""A draft may change, a code may be sent, and sign-in tells the journal; nothing may be submitted or made."""


@pytest.mark.parametrize(
    "name",
    ["sign-in", "start", "start rekey", "action", "subject", "organizational unit", "names", "key", "confirm", "code"],
)
def test_every_field_takes_every_naughty_value(forms, owner, name, settings):
    visitor, address, good = forms[name]
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    for field in good:
        if field == "resend":
            continue  # its presence counts, not what it says
        for what, value in NAUGHTY.items():
            owner.execute("DELETE FROM auth2fa_failedsignins")
            page = visitor.post(address, {**{key: value for key, value in good.items() if value}, field: value})
            plain(page)
            if page.status == 422 and field in TYPED:
                assert escape(value) in page.response.content.decode(), f"{what} was lost in {field}"
    owner.execute("SELECT count(*) FROM requests_certificaterequest WHERE state NOT IN ('draft', 'completed')")
    assert owner.fetchone() == (0,)


@pytest.mark.parametrize("what", ["HTML", "an attribute's end", "a template", "format fields"])
def test_what_was_typed_comes_back_as_text_and_never_as_anything_else(forms, what):
    for name in ("subject", "names", "key", "code", "sign-in"):
        _comes_back_as_text(*forms[name], name, what)


def _comes_back_as_text(visitor, address, good, name, what):
    field = {"subject": "common_name", "names": "email", "key": "csr", "code": "code", "sign-in": "username"}[name]

    filled_in = {key: value for key, value in good.items() if value}
    page = visitor.post(address, {**filled_in, field: NAUGHTY[what] + "x" * 80})

    assert not [script for script in page.all("script") if not script.get("src")]
    assert not [element for element in page.tree.iter() if any(key.startswith("on") for key in element.attrib)]
    assert escape(NAUGHTY[what]) in page.response.content.decode(), name


@pytest.mark.parametrize("what", EMAILS)
def test_an_impossible_address_is_refused_with_the_address_in_the_sentence(petra, acme, owner, what):
    draft = begun(petra, acme, profile="secure-email")
    page = Visitor(petra).open(f"/t/acme/requests/{draft.pk}/subject/").press("Next", common_name="Petra")

    with nothing_happens(owner):
        refused = page.visitor.post(page.address, {"email": EMAILS[what]})

    plain(refused)
    assert refused.status == 422, refused.address
    assert refused.complaints
    if what != "a NUL":
        assert refused.value("email").split() == EMAILS[what].split()


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("Petra Novákova\u0301", "Petra Nováková"),
        ("  Petra\u00a0 Nová ", "Petra Nová"),
        ("Ø" * 64, "Ø" * 64),
        ("李伟", "李伟"),
        ('O\'Brien, "Pat" <x> & {y}', 'O\'Brien, "Pat" <x> & {y}'),
    ],
)
def test_a_name_is_kept_as_its_letters_and_ends_up_in_the_certificate(petra, acme, name, stored):
    draft = begun(petra, acme)
    page = Visitor(petra).open(f"/t/acme/requests/{draft.pk}/subject/").press("Next", common_name=name)
    assert page.address.endswith("/key/")
    with acting_for(acme.pk):
        assert CertificateRequest.objects.get(pk=draft.pk).answers["subject"]["common_name"] == stored


# --- whatever is wrong about the message itself ----------------------------------------------------------------------


FORM, PARTS = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"


def _part(head: bytes, body: bytes) -> bytes:
    return b"--x\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + body + b"\r\n--x--\r\n"


NAME = b'name="common_name"'
ODD_BODIES = {
    # what                        content type                           body
    "bytes that are not UTF-8":   (FORM,                                 b"common_name=%ff%fe&x=\xff\xfe"),
    "another charset":            (f"{FORM}; charset=utf-16",            b"common_name=Petra"),
    "an unknown charset":         (f"{FORM}; charset=nonsense",          b"common_name="),
    "a charset that is no text":  (f"{PARTS}; charset=rot13",            _part(NAME, b"")),
    "a charset without errors":   (f"{PARTS}; charset=idna",             _part(NAME, b"\xff")),
    "JSON":                       ("application/json",                   b'{"common_name": "Petra"}'),
    "XML":                        ("text/xml",                           b"<common_name>Petra</common_name>"),
    "nothing":                    (FORM,                                 b""),
    "no content type":            ("",                                   b"common_name=Petra"),
    "nonsense for a type":        ("\x00;;=",                            b"common_name=Petra"),
    "multipart without boundary": ("multipart/form-data",                b"common_name=Petra"),
    "a boundary never met":       (PARTS,                                b"--y\r\n\r\n--y--"),
    "a boundary too long":        (PARTS + "x" * 300,                    b"--x--"),
    "a part that is base64":      (PARTS, _part(b'name="a"\r\nContent-Transfer-Encoding: base64', b"!!!")),
    "two thousand fields":        (FORM,                                 b"&".join(b"f%d=1" % n for n in range(2000))),
    "two megabytes":              (FORM,                                 b"common_name=" + b"x" * 2_000_000),
    "a name of 100 kB":           (FORM,                                 b"x" * 100_000 + b"=1"),
    "a file for a text":          (PARTS,                                _part(NAME + b'; filename="a"', b"Petra")),
    "percent signs":              (FORM,                                 b"%&%%=%zz&%00=%00"),
}  # fmt: skip


@pytest.mark.parametrize("what", ODD_BODIES)
@pytest.mark.parametrize("step", ["subject", "key"])
def test_an_odd_message_is_refused_and_does_nothing(petra, acme, owner, step, what):
    content_type, body = ODD_BODIES[what]
    draft = begun(petra, acme)
    visitor = Visitor(petra)
    if step == "key":
        visitor.open(f"/t/acme/requests/{draft.pk}/subject/").press("Next", common_name="Petra")

    with nothing_happens(owner):
        page = visitor.post(f"/t/acme/requests/{draft.pk}/{step}/", body, content_type=content_type)

    plain(page)
    assert page.status in {400, 403, 422}, page.status


@pytest.mark.parametrize("step", ["subject", "key", "confirm"])
def test_missing_and_doubled_fields_are_no_accident(petra, acme, owner, step):
    draft = filled(petra, acme)
    address = f"/t/acme/requests/{draft.pk}/{step}/"
    visitor = Visitor(petra)

    with nothing_happens(owner):
        plain(visitor.post(address, {}))
    body = urlencode(
        {"common_name": ["One", "x" * 65], "csr": ["a", "b"], "consent": "", "seen": [1, 2], "agreement": [3, 4]},
        doseq=True,
    )
    with nothing_happens(owner):
        plain(visitor.post(address, body, content_type=FORM))


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options", "trace", "head"])
def test_other_methods_do_nothing(petra, acme, owner, method):
    draft = filled(petra, acme)
    visitor = Visitor(petra)
    with nothing_happens(owner):
        for path in ("confirm/", "discard/", "confirmation/", "", "status/"):
            response = getattr(visitor.client, method)(f"/t/acme/requests/{draft.pk}/{path}", headers=visitor._token())
            assert response.status_code in {200, 286, 302, 405}


@pytest.mark.parametrize("token", [None, "", "x" * 64, "x" * 5000, "\u202e"])
def test_without_the_pages_token_nothing_is_done_and_it_is_said_how_to_go_on(petra, acme, owner, token):
    draft = filled(petra, acme)
    visitor = Visitor(petra)
    page = visitor.open(f"/t/acme/requests/{draft.pk}/confirm/")
    data = {"consent": "on", "seen": page.value("seen"), "agreement": page.value("agreement")}
    if token is not None:
        data["csrfmiddlewaretoken"] = token

    with nothing_happens(owner):
        response = visitor.client.post(page.address, data)

    assert response.status_code == 403
    assert "reload the page and send it again" in response.content.decode()


# --- addresses -------------------------------------------------------------------------------------------------------


LISTS = ("certificates/", "areas/desktop-signing/certificates/", "requests/", "areas/desktop-signing/requests/rekey/")
EXPORTS = ("certificates/export.csv", "areas/desktop-signing/certificates/export.csv")


def _cursor(content):
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


CURSORS = {
    "nonsense": "nonsense",
    "empty": "",
    "not base64": "%%%",
    "letters of others": "žluťoučký",
    "not JSON": base64.urlsafe_b64encode(b"hello").decode(),
    "not a pair": _cursor("x"),
    "a number": _cursor(5),
    "an object": _cursor({"a": 1, "b": 2}),
    "three": _cursor([1, 2, 3]),
    "numbers": _cursor([1, 2]),
    "nulls": _cursor([None, None]),
    "no id": _cursor(["2026-01-01T00:00:00+00:00", "x"]),
    "no date": _cursor(["x", str(uuid4())]),
    "a date without a zone": _cursor(["2026-01-01T00:00:00", str(uuid4())]),
    "only a day": _cursor(["2026-01-01", str(uuid4())]),
    "a day there is not": _cursor(["2026-02-31T00:00:00+00:00", str(uuid4())]),
    "the first moment": _cursor(["0001-01-01T00:00:00+14:00", str(uuid4())]),
    "the last moment": _cursor(["9999-12-31T23:59:59-14:00", str(uuid4())]),
    "a NUL": _cursor(["a\x00b", str(uuid4())]),
    "half a surrogate pair": base64.urlsafe_b64encode(rb'["\ud800", "%s"]' % str(uuid4()).encode()).decode(),
    "deeply nested": base64.urlsafe_b64encode(b"[" * 50_000).decode(),
    "endless digits": base64.urlsafe_b64encode(b"[" + b"9" * 5_000 + b', "x"]').decode(),
    "infinity": base64.urlsafe_b64encode(b"[Infinity, NaN]").decode(),
    "huge": "A" * 200_000,
    "a list for a name": _cursor([["a"], str(uuid4())]),
    "sound but unknown": _cursor(["2026-01-01T00:00:00+00:00", str(uuid4())]),
}


@pytest.mark.parametrize("path", [LISTS[0], LISTS[2]])
def test_a_cursor_nobody_made_starts_somewhere_and_never_fails(petra, acme, path):
    issued(petra, acme)
    visitor = Visitor(petra)
    for what, cursor in CURSORS.items():
        for sort in ("", "name") if path == LISTS[0] else ("",):
            for way in ("after", "before"):
                answer = visitor.client.get(f"/t/acme/{path}", {"sort": sort, way: cursor})
                assert answer.status_code == 200, (what, sort, way)


@pytest.mark.parametrize("path", [*LISTS, *EXPORTS])
def test_filters_take_every_naughty_value(petra, acme, path):
    issued(petra, acme)
    visitor = Visitor(petra)
    for what, value in NAUGHTY.items():
        asked = dict.fromkeys(("q", "status", "expires", "sort", "after", "before", "nothing"), value)
        assert visitor.client.get(f"/t/acme/{path}", asked).status_code == 200, what
        if path == LISTS[0]:
            for name in ("q", "sort"):  # alone, since a filter that finds nothing leaves nothing to sort
                assert visitor.client.get(f"/t/acme/{path}", {name: value[:1000]}).status_code == 200, (what, name)


@pytest.mark.parametrize(
    "month",
    ["0000-01", "0001-01", "9999-12", "2026-13", "2026-1", "2026-02", "-1", "\uff12\uff10\uff12\uff16-\uff10\uff11"],
)
def test_a_month_that_is_none_narrows_nothing_and_never_fails(petra, acme, month):
    issued(petra, acme)
    assert Visitor(petra).client.get("/t/acme/certificates/", {"expires": month}).status_code == 200


ODD_PATHS = [
    "/t/{odd}/",
    "/t/acme/certificates/{odd}/",
    "/t/acme/certificates/{odd}/action/",
    "/t/acme/certificates/{odd}/download/pem",
    "/t/acme/areas/{odd}/certificates/",
    "/t/acme/areas/{odd}/requests/rekey/",
    "/t/acme/areas/desktop-signing/requests/{odd}/",
    "/t/acme/requests/{odd}/",
    "/t/acme/requests/{odd}/confirm/",
    "/t/acme/requests/begin/{odd}/",
    "/pki/{odd}/issuing-1.cer",
    "/pki/acme/{odd}-1.cer",
    "/demo/mailbox/{odd}/",
    "/{odd}",
]
ODD_PARTS = {
    "nil": "00000000-0000-0000-0000-000000000000",
    "unknown id": "01a1fd50-0643-7262-bd20-86b2baef1984",
    "capitals": "01A1FD50-0643-7262-BD20-86B2BAEF1984",
    "almost an id": "01a1fd50-0643-7262-bd20-86b2baef198",
    "braces": "{01a1fd50-0643-7262-bd20-86b2baef1984}",
    "a number": "1",
    "a big number": "9" * 400,
    "a word": "admin",
    "dots": "..",
    "encoded dots": "%2e%2e%2fetc",
    "NUL": "%00",
    "not UTF-8": "%ff%fe",
    "a line end": "a%0d%0aSet-Cookie:x=1",
    "HTML": quote("<script>alert(1)</script>"),
    "format fields": quote("{x}{0}"),
    "long": "a" * 5_000,
}


@pytest.mark.parametrize("what", ODD_PARTS)
def test_an_address_nobody_made_is_not_found(petra, acme, owner, what):
    visitor = Visitor(petra)
    with nothing_happens(owner):
        for path in ODD_PATHS:
            page = visitor.open(path.replace("{odd}", ODD_PARTS[what]))
            plain(page)
            assert page.status in {400, 404}, page.address


def test_a_big_version_of_an_authority_is_not_found(acme):
    for version in ("0", "2", "9" * 9, "9" * 30):
        assert Visitor().client.get(f"/pki/acme/issuing-{version}.cer").status_code == 404


# --- signing requests, spoiled by the hundred ------------------------------------------------------------------------


def _spoiled(der: bytes) -> bytes:
    """One to four changes anywhere: a bit, a byte, a piece lost, doubled, or from elsewhere."""
    spoiled = bytearray(der)
    for _change in range(secrets.randbelow(4) + 1):
        at = secrets.randbelow(len(spoiled)) if spoiled else 0
        match secrets.randbelow(5):
            case 0 if spoiled:
                spoiled[at] ^= 1 << secrets.randbelow(8)
            case 1 if spoiled:
                spoiled[at] = secrets.randbelow(256)
            case 2:
                del spoiled[at : at + secrets.randbelow(40)]
            case 3:
                spoiled[at:at] = spoiled[at : at + secrets.randbelow(40)]
            case _:
                spoiled[at:at] = secrets.token_bytes(secrets.randbelow(20))
    return bytes(spoiled)


@pytest.mark.parametrize("kind", ["ec-p256", "rsa-2048"])
@pytest.mark.parametrize("how", ["pasted", "uploaded", "uploaded as PEM"])
def test_hundreds_of_spoiled_requests_are_refused_or_are_the_same_key(petra, acme, owner, how, kind):
    """Each is either refused with a sentence, or was spoiled where it does not matter and holds the very key."""
    draft = begun(petra, acme, source=issued(petra, acme))
    address = f"/t/acme/requests/{draft.pk}/key/"
    visitor = Visitor(petra)
    der = x509.load_pem_x509_csr(csr(kind).encode()).public_bytes(Encoding.DER)
    refused = 0
    for _number in range(40):
        spoiled = _spoiled(der)
        body = base64.encodebytes(spoiled).decode()
        pem = f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----"
        data = {
            "pasted": {"csr": pem},
            "uploaded": {"csr_file": SimpleUploadedFile("a.csr", spoiled)},
            "uploaded as PEM": {"csr_file": SimpleUploadedFile("a.pem", pem.encode())},
        }[how]
        response = visitor.client.post(address, data, headers=visitor._token())
        assert response.status_code in {302, 422}, base64.b64encode(spoiled)
        if response.status_code == 422:
            refused += 1
            assert response.context["form"].errors
    assert refused > 20
    with acting_for(acme.pk):
        kept = CertificateRequest.objects.get(pk=draft.pk).answers.get("key")
    if kept:
        ours = x509.load_der_x509_csr(der).public_key()
        assert x509.load_pem_x509_csr(kept["csr"].encode()).public_key() == ours


# --- refusals --------------------------------------------------------------------------------------------------------


def test_every_refusal_has_a_code_a_sentence_and_a_next_step():
    """No error page is without code, plain reason and next step; facts with braces in them are shown as they are."""
    known = Refusal.known()
    assert len(known) > 20
    for code, refusal in known.items():
        assert code == code.lower()
        assert refusal.message, code
        assert str(refusal.next_step) or "advice" in vars(refusal) or _says_it_otherwise(refusal), code


def _says_it_otherwise(refusal):
    """Its advice is made from its facts, or its sentences are those of the rules that were broken."""
    advised = any("advice" in vars(kind) for kind in refusal.__mro__ if kind is not Refusal and kind is not object)
    return advised or refusal.code == "policy-forbids"


def test_a_program_gets_a_problem_document_with_the_same_facts(petra, acme):
    draft = begun(petra, acme)
    visitor = Visitor(petra)

    response = visitor.client.get(f"/t/acme/requests/{draft.pk}/nothing/", headers={"Accept": "application/json"})

    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    told = response.json()
    assert told["type"] == "urn:certificate-portal:problem:not-found"
    assert told["status"] == 404
    assert told["request_id"] == response["X-Request-ID"]
    assert told["title"]
    assert told["detail"]


def test_an_accident_is_a_page_with_code_reason_next_step_and_request_id(petra, acme, monkeypatch):
    fill(begun(petra, acme), petra)
    visitor = Visitor(petra)
    visitor.client.raise_request_exception = False
    monkeypatch.setattr("portal.web.home._attention", lambda _request: 1 / 0)

    response = visitor.client.get("/t/acme/")

    content = response.content.decode()
    assert response.status_code == 500
    assert "Something went wrong on our side." in content
    assert response["X-Request-ID"] in content
    assert "division" not in content


def test_the_test_setup_shows_no_details_of_an_error():
    assert settings.DEBUG is False
