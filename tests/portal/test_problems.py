"""What the portal says when it will not, or cannot, do something: to people, to programs, and to the log."""

import importlib
import json
import pkgutil
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from http import HTTPStatus
from string import Formatter
from uuid import UUID

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.db.backends.utils import CursorWrapper
from django.test import Client, RequestFactory
from django.test.client import FakePayload

import auth2fa
import lifecycle
import portal
from auth2fa.errors import (
    CodeSentAMomentAgo,
    PasswordTooWeak,
    TooManyAttempts,
    TooManyCodes,
    TooManyEnrolments,
    WrongAnswer,
)
from lifecycle.authorities.issuance import FailedLint
from lifecycle.authorities.lints import Complaint, Lint
from lifecycle.authorities.profiles import ProfileUnfit
from lifecycle.policies.errors import AgreementUnfit, PolicyChangedMeanwhile, PolicyUnfit
from lifecycle.policies.rules import RULES, Broken, PolicyForbids, Proposal, Source, enforce
from portal.foundation.access.errors import InvitedTooOften, TooManyCalls, TooManyInvitations
from portal.foundation.api.errors import Invalid, fault
from portal.foundation.errors import Absent, Conflict, Denied, Refusal
from portal.foundation.names import UnusableName
from portal.foundation.tenancy.errors import NotHere
from portal.web.middleware import LARGEST_BODY
from portal.web.problems import answer
from tests.portal.broken_urls import SECRET
from tests.world import signed_in

BROKEN = pytest.mark.urls("tests.portal.broken_urls")


def load_everything() -> None:
    for package in (portal, lifecycle, auth2fa):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations" not in module.name and not module.name.endswith("__main__"):
                importlib.import_module(module.name)


load_everything()

LINT = Lint("length", "RFC 5280 4.2", lambda _candidate: None)

SPECIAL = {
    "agreement-unfit": lambda: AgreementUnfit(why="It says nothing."),
    "code-sent-a-moment-ago": lambda: CodeSentAMomentAgo(seconds=30),
    "failed-lint": lambda: FailedLint((Complaint(LINT, "it is too long"),)),
    "invalid": lambda: Invalid([fault("/kind", "required", "It is needed.")]),
    "invited-too-often": lambda: InvitedTooOften(email="new@acme.example", seconds=400),
    "password-too-weak": lambda: PasswordTooWeak(sentences="It is too short."),
    "policy-changed-meanwhile": lambda: PolicyChangedMeanwhile(["rekey"]),
    "policy-forbids": lambda: PolicyForbids((Broken(RULES[0], "It is switched off."),)),
    "policy-unfit": lambda: PolicyUnfit(["It asks for nothing. (C7)"]),
    "profile-unfit": lambda: ProfileUnfit(["It names no key. (RFC 5280 4.1)"]),
    "too-many-attempts": lambda: TooManyAttempts(seconds=400),
    "too-many-calls": lambda: TooManyCalls(most=300, whose="token", seconds=20),
    "too-many-codes": lambda: TooManyCodes(sends=3, seconds=90),
    "too-many-enrolments": lambda: TooManyEnrolments(most=3),
    "too-many-invitations": lambda: TooManyInvitations(most=1000, seconds=400),
    "unusable-name": lambda: UnusableName("a name", "it is none"),
    "wrong-answer": lambda: WrongAnswer(sentence="That is not the code.", left=2),
}
"""How the refusals are made that take more than what their sentences name."""


def made(code: str, value: object = 7) -> Refusal:
    refusal = Refusal.known()[code]
    if code in SPECIAL:
        return SPECIAL[code]()
    parts = [*Formatter().parse(str(refusal.message)), *Formatter().parse(str(refusal.next_step))]
    return refusal(**{name: value for _literal, name, _format, _conversion in parts if name})


@pytest.mark.parametrize("code", sorted(Refusal.known()))
def test_a_refusal_says_what_happened_and_what_to_do(code):
    refusal = made(code)
    assert refusal.code == code
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code)
    assert isinstance(refusal.status, HTTPStatus)
    assert 400 <= refusal.status < 600
    for sentence in (str(refusal), refusal.advice):
        first = sentence.removeprefix("“")[0]
        begins_with_data = sentence.startswith(("“", "new@acme.example"))
        assert first.isupper() or first.isdigit() or begins_with_data, sentence
        assert sentence[-1] in ".)", sentence
        assert "{" not in sentence


def test_no_refusal_is_left_without_a_code():
    def all_of(kind: type[Refusal]) -> set[type[Refusal]]:
        return {kind, *(each for below in kind.__subclasses__() for each in all_of(below))}

    general = {Refusal, Conflict, Denied, Absent}
    without = {kind for kind in all_of(Refusal) - general if "code" not in vars(kind)}
    assert {kind.__name__ for kind in without} == {"LaterPlease", "Unrecognised"}
    assert len(Refusal.known()) >= 36


def test_two_refusals_cannot_share_a_code():
    with pytest.raises(TypeError, match="reuses the code 'not-found' of NotHere"):
        type("Rival", (Refusal,), {"code": "not-found", "message": "x"})
    assert Refusal.known()["not-found"] is NotHere


@pytest.mark.parametrize(("kind", "status"), [(Refusal, 422), (Conflict, 409), (Denied, 403), (Absent, 404)])
def test_the_kind_of_a_refusal_is_its_status(kind, status):
    assert kind.status == status


def test_a_forbidden_operation_says_every_reason_and_every_remedy_at_once():
    now = datetime(2026, 3, 2, tzinfo=UTC)
    source = Source(now - timedelta(days=1), now - timedelta(days=2), "aa", "RQ-2222-3333")
    with pytest.raises(PolicyForbids) as refused:
        enforce(Proposal("rekey", enabled=False, now=now, trust="private", longest_life=timedelta(1), source=source))
    assert str(refused.value).count(".") == 4
    assert refused.value.advice == (
        "Ask an administrator if you need it. Request a new certificate instead. Wait until that request is over."
    )


# --- how it is shown


@pytest.fixture
def request_of():
    def make(accept: str = "text/html", path: str = "/") -> object:
        request = RequestFactory().get(path, headers={"accept": accept})
        request.id, request.tenant = "0192f0c0-0000-7000-8000-000000000001", None
        request.user = request.session = None
        return request

    return make


@pytest.mark.parametrize("code", sorted(Refusal.known()))
def test_a_refusal_is_a_page_for_people_with_code_reason_next_step_and_request_id(request_of, code):
    refusal = made(code)
    shown = answer(request_of(), refusal)
    assert shown.status_code == refusal.status
    assert shown["Content-Type"].startswith("text/html")
    page = unescape(shown.content.decode())
    assert re.findall(r"<h1>(.*?)</h1>", page, re.DOTALL) == [str(refusal)]
    for part in (refusal.advice, refusal.code, "0192f0c0-0000-7000-8000-000000000001"):
        assert part in page


@pytest.mark.parametrize("code", sorted(Refusal.known()))
def test_a_refusal_is_a_problem_document_for_programs(request_of, code):
    """RFC 9457."""
    refusal = made(code)
    shown = answer(request_of("application/json"), refusal)
    assert shown.status_code == refusal.status
    assert shown["Content-Type"] == "application/problem+json"
    assert json.loads(shown.content) == {
        "type": f"urn:certificate-portal:problem:{code}",
        "title": str(refusal),
        "status": refusal.status,
        "detail": refusal.advice,
        "code": code,
        "request_id": "0192f0c0-0000-7000-8000-000000000001",
    } | ({"errors": refusal.faults} if refusal.faults else {})


@pytest.mark.parametrize(
    ("accept", "path", "is_json"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "/", False),
        ("", "/", False),
        ("*/*", "/", False),
        ("application/json", "/", True),
        ("application/json;q=0.9,text/html;q=0.1", "/", True),
        ("text/html", "/api/v1/t/acme/requests", True),
        ("nonsense", "/", False),
    ],
)
def test_who_gets_which(request_of, accept, path, is_json):
    shown = answer(request_of(accept, path), NotHere())
    assert (shown["Content-Type"] == "application/problem+json") is is_json


def test_a_fact_with_markup_in_it_is_text_on_the_page(request_of):
    refusal = made("csr-is-something-else", "<script>alert(1)</script>")
    page = answer(request_of(), refusal).content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


# --- accidents, through the whole stack


@pytest.fixture
def visitor() -> Client:
    return Client(raise_request_exception=False)


ACCIDENTS = [
    # path           status  code
    ("/boom/",        500,   "accident"),
    ("/suspicious/",  400,   "not-understood"),
    ("/denied/",      403,   "not-asked-here"),
    ("/conflict/",    409,   "changed-meanwhile"),
    ("/nothing/here", 404,   "not-found"),
]  # fmt: skip


@BROKEN
@pytest.mark.django_db
@pytest.mark.parametrize(("path", "status", "code"), ACCIDENTS)
def test_whatever_goes_wrong_the_answer_has_a_code_and_the_request_id_and_nothing_of_the_exception(
    visitor, path, status, code
):
    for accept in ("text/html", "application/json"):
        shown = visitor.get(path, headers={"accept": accept})
        text = shown.content.decode()
        assert shown.status_code == status
        assert code in text
        assert str(UUID(shown["X-Request-ID"])) in text
        for secret in (SECRET, "RuntimeError", "Traceback", "broken_urls"):
            assert secret not in text


@BROKEN
@pytest.mark.django_db
def test_somebody_signed_in_gets_the_same_page_with_the_same_id(visitor, petra):
    visitor.force_login(petra)
    shown = visitor.get("/boom/")
    assert shown.status_code == 500
    assert shown["X-Request-ID"] in shown.content.decode()
    assert SECRET not in shown.content.decode()


@BROKEN
@pytest.mark.django_db
def test_the_log_has_the_exception_under_the_request_id_that_the_page_shows(visitor, log_lines):
    shown = visitor.get("/boom/")
    assert {line["request_id"] for line in log_lines()} == {shown["X-Request-ID"]}
    [error] = [line for line in log_lines() if line["level"] == "error"]
    assert SECRET in error["exception"]


@BROKEN
@pytest.mark.django_db
def test_a_view_without_a_guard_never_runs(visitor, petra):
    visitor.force_login(petra)
    shown = visitor.get("/unguarded/")
    assert shown.status_code == 500
    assert "accident" in shown.content.decode()


@BROKEN
@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/t/acme/", "/sign-in/", "/account/"])
def test_while_the_database_is_away_everybody_is_asked_to_come_back(visitor, petra, monkeypatch, path):
    """The page stands without a session, a tenant or a query; afterwards whoever was signed in still is."""

    def gone(*_args, **_kwargs):
        raise OperationalError("the database is away at 10.0.0.1")

    visitor.force_login(petra)
    with monkeypatch.context() as outage:
        outage.setattr(CursorWrapper, "execute", gone)
        page = visitor.get(path, headers={"accept": "text/html"})
        document = visitor.get(path, headers={"accept": "application/json"})
    for shown in (page, document):
        assert (shown.status_code, shown["Retry-After"]) == (503, "10")
        for part in ("come-back-later", "Try again in 10 seconds", shown["X-Request-ID"]):
            assert part in shown.content.decode()
        for secret in ("database", "10.0.0.1", "Operational"):
            assert secret not in shown.content.decode()
    assert document["Content-Type"] == "application/problem+json"
    assert f'href="{path}"' in page.content.decode()
    assert visitor.get("/account/").status_code == 200


@pytest.mark.django_db
def test_a_session_that_cannot_be_kept_because_the_database_is_away_is_not_called_gone(visitor, petra, monkeypatch):
    """Django tells it as a bad request of somebody who signed out elsewhere."""

    def gone(*_args, **_kwargs):
        raise OperationalError("away")

    visitor.force_login(petra)
    visitor.session.get("x")
    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore.create_model_instance", gone)
    shown = visitor.get("/account/")
    assert (shown.status_code, shown["Retry-After"]) == (503, "10")


@BROKEN
@pytest.mark.django_db
@pytest.mark.parametrize(
    "sent",
    [
        {"data": {f"field{number}": "x" for number in range(1001)}},
        {"data": "x=" + "y" * (2 * 1024 * 1024 + 1), "content_type": "application/x-www-form-urlencoded"},
    ],
    ids=["more than a thousand fields", "more than a megabyte"],
)
def test_a_form_beyond_all_limits_is_a_plain_400(visitor, sent):
    shown = visitor.post("/post/", **sent)
    assert shown.status_code == 400
    assert "not-understood" in shown.content.decode()


TOO_MUCH = [
    {"CONTENT_LENGTH": str(LARGEST_BODY + 1)},
    {"CONTENT_LENGTH": "9" * 5000},
    {"CONTENT_LENGTH": "-1"},
    {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"},
]


@BROKEN
@pytest.mark.parametrize("environment", TOO_MUCH, ids=["too large", "no number", "negative", "chunked"])
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_a_body_that_is_too_large_is_refused_before_a_byte_of_it_is_read_or_kept(visitor, environment, accept):
    """It asks neither the session nor the database, which this test has not."""

    class Untouched(FakePayload):
        def read(self, *_size: int) -> bytes:
            raise AssertionError("the body was read")

    environment = {**environment, "wsgi.input": Untouched(), "HTTP_ACCEPT": accept}
    shown = visitor.post("/post/", {"file": SimpleUploadedFile("a", b"x")}, **environment)
    assert shown.status_code == 413
    assert shown["Content-Type"] == {"text/html": "text/html; charset=utf-8"}.get(accept, "application/problem+json")
    for part in ("too-much-sent", "larger than 4 MB", "choose a smaller file", shown["X-Request-ID"]):
        assert part in shown.content.decode()


@pytest.mark.django_db
def test_a_file_that_is_large_but_not_too_large_comes_to_its_page(petra, acme):
    client = signed_in(Client(), petra)
    whole = {"file": SimpleUploadedFile("a.pem", b"x" * (3 * 1024 * 1024))}
    shown = client.post("/t/acme/certificates/upload/", whole)
    assert shown.status_code == 422
    assert "too-much-sent" not in shown.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "localhost:80:80", "[::1", "a b"])
def test_a_host_that_is_not_ours_is_refused_and_not_echoed(visitor, host):
    shown = visitor.get("/sign-in/", headers={"host": host})
    assert shown.status_code == 400
    assert "not-understood" in shown.content.decode()
    assert "evil" not in shown.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/t/acme/%00", "/%00", "/t/%ff%fe/", "/" + "a" * 5000, "/t/../../etc/passwd"])
def test_an_odd_address_is_a_plain_404(visitor, path, petra):
    visitor.force_login(petra)
    shown = visitor.get(path)
    assert shown.status_code == 404
    assert "not-found" in shown.content.decode()


@pytest.mark.django_db
def test_a_form_that_did_not_come_from_here_is_refused_with_a_reason_and_a_next_step(petra):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(petra)
    shown = strict.post("/sign-out/")
    page = unescape(shown.content.decode())
    assert shown.status_code == 403
    assert "did not come from a page of this session" in page
    assert "reload the page" in page
    assert shown["X-Request-ID"] in page
    assert strict.get("/").status_code == 302
    assert "CSRF" not in page
    assert "cookie" not in page.lower()
    assert "_auth_user_id" in strict.session


def test_a_refusal_that_says_how_long_to_wait_says_it_in_the_header_too(rf):
    shown = answer(rf.get("/", headers={"Accept": "application/json"}), CodeSentAMomentAgo(seconds=42))
    assert (shown.status_code, shown["Retry-After"]) == (429, "42")
