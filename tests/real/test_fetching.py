"""Fetching the file that proves control: what comes back of a real web server, said so that anybody can read it."""

import json
import time

import pytest

from lifecycle.validation.caa import LookupFailed
from lifecycle.validation.caa import Reason as DnsReason
from lifecycle.validation.evidence import unescaped
from lifecycle.validation.fetcher import FOLDER, Fetcher, Reason
from lifecycle.validation.questions import Asked, Question
from tests.fakes.web_server import Names, answer, certificate, listening_in, saying, web_server

PUBLIC = "203.0.113.80"
HOST = "www.example"
PATH = f"{FOLDER}abc.txt"
QUESTION = Question(Asked.FILE, HOST, PATH)


def fetcher(server, known=None, **ports):
    ports = {80: server.port, **{int(port.removeprefix("p")): other.port for port, other in ports.items()}}
    names = Names({HOST: [[PUBLIC]], "other.example": [[PUBLIC]], "inside.example": [["10.0.0.1"]]} | (known or {}))
    return Fetcher(names, {(PUBLIC, port): ("127.0.0.1", there) for port, there in ports.items()})


def observed(say, question=QUESTION, **known):
    with web_server(say) as server:
        seen = fetcher(server, known).observe(question, patience=1.0)
        json.dumps(dict(seen.found))  # evidence is JSON
        assert str(seen.found).isprintable()
        assert len(json.dumps(dict(seen.found))) < 10_000
        return seen, server.requests


def test_a_file_is_fetched_over_plain_http():
    seen, requests = observed(saying(answer(200, b"the-value\n")))
    assert (seen.reason, seen.question) == ("", QUESTION)
    assert seen.found == {
        "status": 200, "url": f"http://{HOST}{PATH}", "address": PUBLIC, "body": "the-value\\010",
        "hops": [{"url": f"http://{HOST}{PATH}", "status": 200, "address": PUBLIC}],
    }  # fmt: skip
    assert requests[0].startswith(f"GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\n".encode())


@pytest.mark.parametrize("status", [200, 201, 203, 204, 299])
def test_every_2xx_is_an_answer(status):
    assert observed(saying(answer(status)))[0].reason == ""


@pytest.mark.parametrize("status", [300, 303, 304, 400, 401, 403, 404, 410, 500, 503])
def test_nothing_else_is_whatever_it_says(status):
    seen, _requests = observed(saying(answer(status, b"the-value")))
    assert (seen.reason, seen.found["status"]) == (Reason.WRONG_STATUS, status)


@pytest.mark.parametrize("body", [
    bytes(range(128)), b"<script>alert(1)</script>", "ä€\u202e\ufeff".encode(), b"%s%n\x00\r\n\x1b[31m", b'"\\',
])  # fmt: skip
def test_a_body_is_escaped_and_can_be_read_back(body):
    seen, _requests = observed(saying(answer(200, body)))
    assert seen.found["body"].isascii()
    assert unescaped(seen.found["body"]) == body


def test_a_body_of_129_bytes_is_none():
    seen, _requests = observed(saying(answer(200, b"the-value" + b" " * 120)))
    assert seen.reason == Reason.TOO_LARGE
    assert "body" not in seen.found


def test_redirects_are_followed_to_any_name_and_certificates_there_are_not_judged(tmp_path):
    pem = certificate(tmp_path, "somebody-else.example")
    with web_server(saying(answer(200, b"the-value")), pem) as secure:
        away = answer(302, b"", "Location: https://other.example/elsewhere")
        with web_server(saying(away)) as server:
            seen = fetcher(server, p443=secure).observe(QUESTION, patience=2.0)
    assert (seen.reason, seen.found["body"]) == ("", "the-value")
    assert [hop["url"] for hop in seen.found["hops"]] == [f"http://{HOST}{PATH}", "https://other.example/elsewhere"]


def test_a_redirect_inside_is_told_with_what_led_there():
    with listening_in() as dialled:
        seen, requests = observed(saying(answer(307, b"", "Location: http://inside.example/")))
    assert seen.reason == Reason.SPECIAL_ADDRESS
    assert seen.found["status"] == 307
    assert "10.0.0.1" in seen.found["detail"]
    assert len(dialled) == len(requests) == 1


@pytest.mark.parametrize("path", [
    "", "/", "/etc/passwd", "/.well-known/", FOLDER, f"{FOLDER}..", f"{FOLDER}../../x", f"{FOLDER}a/b", f"{FOLDER}a?b",
    f"{FOLDER}a#b", f"{FOLDER}a b", f"{FOLDER}a\r\nX: y", f"{FOLDER}%2e%2e", f"{FOLDER}ä", f"{FOLDER}{'a' * 101}",
    f"x{PATH}", f"{PATH}\n", PATH.upper(), f"@evil.example{PATH}", f":6379{PATH}",
])  # fmt: skip
def test_nothing_is_fetched_from_anywhere_else(path):
    with listening_in() as dialled:
        seen, _requests = observed(saying(answer(200)), Question(Asked.FILE, HOST, path))
    assert (seen.reason, dialled) == (Reason.BAD_ADDRESS, [])


@pytest.mark.parametrize(("host", "reason"), [
    ("127.0.0.1", Reason.BARE_ADDRESS), ("[::1]", Reason.BARE_ADDRESS), ("0x7f.1", Reason.BARE_ADDRESS),
    ("*.example", Reason.BAD_ADDRESS), ("www.example:22", Reason.WRONG_PORT), ("a@www.example", Reason.BAD_ADDRESS),
    ("www.example/x?", Reason.BAD_ADDRESS), ("www.example#", Reason.BAD_ADDRESS),
    ("", Reason.BAD_ADDRESS), ("wwwä.example", Reason.BAD_ADDRESS),
    ("inside.example", Reason.SPECIAL_ADDRESS),
])  # fmt: skip
def test_nor_from_whatever_is_no_name(host, reason):
    with listening_in() as dialled:
        seen, _requests = observed(saying(answer(200)), Question(Asked.FILE, host, PATH))
    assert dialled == []
    assert seen.reason == reason


@pytest.mark.parametrize("asked", [Asked.TXT, Asked.CAA, Asked.CNAME])
def test_other_questions_are_not_its_own(asked):
    assert observed(saying(answer(200)), Question(asked, HOST, PATH))[0].reason == Reason.BAD_ADDRESS


class Broken:
    def addresses(self, name, ends):  # noqa: ARG002 - the protocol's
        raise LookupFailed(DnsReason.SERVER_FAILED, name, "SERVFAIL", "192.0.2.53:53")


def test_a_name_that_cannot_be_looked_up_is_told_in_the_words_of_the_dns():
    seen = Fetcher(Broken()).observe(QUESTION)
    assert seen.reason == DnsReason.SERVER_FAILED
    assert seen.found == {"asked": HOST, "resolver": "192.0.2.53:53", "detail": "SERVFAIL"}


def test_no_reason_means_two_things():
    """`diagnosis` has one table for both kinds."""
    assert set(map(str, Reason)).isdisjoint(map(str, DnsReason))


def test_patience_is_kept():
    def drip(theirs, _request):
        while True:
            theirs.sendall(b"H")
            time.sleep(0.02)

    started = time.monotonic()
    seen, _requests = observed(drip)
    assert seen.reason == Reason.TOO_SLOW
    assert time.monotonic() - started < 2.0
