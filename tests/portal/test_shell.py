"""Around every page: its id in answer and log, sessions that end, and headers that tell browsers what is allowed."""

import json
import logging
import subprocess
import sys
from datetime import timedelta
from uuid import UUID

import pytest
import time_machine
from django.conf import settings
from django.test import Client

from portal.foundation import clock
from tests.plugins.services import ROOT
from tests.world import PASSWORD, at_domains, signed_in, submitted

pytestmark = pytest.mark.django_db

PAGES = ("/sign-in/", "/t/acme/", "/t/acme/certificates/", "/t/acme/requests/begin/issue/", "/nowhere/", "/healthz")


# --- the request's id


def test_every_answer_carries_an_id_of_its_own(client, petra):
    signed_in(client, petra)
    ids = [client.get(page)["X-Request-ID"] for page in PAGES]
    assert {UUID(each).version for each in ids} == {7}
    assert len(set(ids)) == len(PAGES)


def test_nobody_chooses_the_id_of_their_request(client):
    shown = client.get("/sign-in/", headers={"x-request-id": "mine", "x-requestid": "mine"})
    assert "mine" not in shown["X-Request-ID"]


def test_every_request_is_one_line_of_json_with_that_id(client, petra, log_lines):
    signed_in(client, petra)
    shown = client.get("/t/acme/certificates/?q=secret-search")
    [line] = [line for line in log_lines() if line["event"] == "request"]
    assert line["request_id"] == shown["X-Request-ID"]
    assert (line["method"], line["path"], line["status"], line["level"]) == (
        "GET", "/t/acme/certificates/", 200, "info",
    )  # fmt: skip
    assert line["ms"] > 0
    assert line["timestamp"].endswith("Z")
    assert "secret-search" not in json.dumps(log_lines())


def test_a_password_is_in_no_line_of_the_log(client, petra, log_lines):
    client.post("/sign-in/", {"username": petra.subject, "password": PASSWORD})
    client.post("/sign-in/", {"username": PASSWORD, "password": "wrong"})
    assert len(log_lines()) >= 2
    assert PASSWORD not in json.dumps(log_lines())


def test_lines_of_other_programs_are_json_too(log_lines):
    logging.getLogger("somebody.else").warning("a %s\nwith a line break", "message")
    [line] = log_lines()
    assert (line["event"], line["logger"], line["level"]) == (
        "a message\nwith a line break", "somebody.else", "warning",
    )  # fmt: skip


# --- sessions


@pytest.fixture
def inside(client, petra):
    """Petra has just signed in, with her password."""
    client.post("/sign-in/", {"username": petra.subject, "password": PASSWORD})
    assert client.get("/t/acme/").status_code == 200
    return client


def later(**by):
    return time_machine.travel(clock.now() + timedelta(**by), tick=False)


def test_a_session_that_is_used_goes_on(inside):
    for minutes in range(20, 12 * 60, 20):
        with later(minutes=minutes):
            assert inside.get("/t/acme/").status_code == 200


def test_a_session_that_was_idle_for_half_an_hour_has_ended_and_the_person_is_told(inside):
    with later(minutes=31):
        shown = inside.get("/t/acme/certificates/")
        assert (shown.status_code, shown.url) == (302, "/sign-in/?next=/t/acme/certificates/")
        assert "_auth_user_id" not in inside.session
        assert "You were signed out because your session was too old" in inside.get(shown.url).content.decode()
        assert inside.get("/t/acme/").status_code == 302


def test_a_session_ends_after_half_a_day_however_busy_it_was(inside):
    for minutes in range(20, 12 * 60, 20):
        with later(minutes=minutes):
            assert inside.get("/t/acme/").status_code == 200
    with later(minutes=12 * 60 + 1):
        assert inside.get("/t/acme/").status_code == 302
        assert "_auth_user_id" not in inside.session


def test_a_page_that_asks_again_and_again_by_itself_keeps_no_idle_session_alive(inside, petra, acme):
    """Neither the page of a request nor that of its domains."""
    waits, looks = submitted(petra, acme), at_domains(petra, acme)
    polled = [f"/t/acme/requests/{waits.pk}/status/", f"/t/acme/requests/{looks.pk}/domains/"]
    seen = inside.session["seen"]
    for minutes in range(5, 30, 5):
        with later(minutes=minutes):
            answers = [inside.get(path, headers={"HX-Request": "true"}).status_code for path in polled]
        assert answers == [200, 200]
        assert inside.session["seen"] == seen
    with later(minutes=31):
        assert inside.get(polled[0], headers={"HX-Request": "true"}).status_code == 302
        assert "_auth_user_id" not in inside.session


def test_a_link_that_htmx_follows_is_a_sign_of_a_person(inside):
    seen = inside.session["seen"]
    with later(minutes=20):
        assert inside.get("/t/acme/", headers={"HX-Request": "true", "HX-Boosted": "true"}).status_code == 200
    assert inside.session["seen"] > seen


def test_an_ended_session_does_nothing_with_what_was_posted(inside, owner):
    with later(minutes=31):
        shown = inside.post("/t/acme/requests/begin/issue/", {"profile": "desktop-signing"})
    assert shown.status_code == 302
    assert shown.url.startswith("/sign-in/")
    owner.execute("SELECT count(*) FROM requests_certificaterequest")
    assert owner.fetchone() == (0,)


def test_an_ended_session_cannot_be_revived_by_its_cookie(inside):
    stolen = inside.cookies[settings.SESSION_COOKIE_NAME].value
    inside.post("/sign-out/")
    thief = Client()
    thief.cookies[settings.SESSION_COOKIE_NAME] = stolen
    assert thief.get("/t/acme/").status_code == 302


def test_that_somebody_was_seen_is_written_once_a_minute_and_not_with_every_page(inside, owner):
    def seen():
        owner.execute("SELECT session_data, expire_date FROM auth2fa_signedin")
        return owner.fetchall()

    before = seen()
    with later(seconds=50):
        inside.get("/t/acme/")
    assert seen() == before
    with later(seconds=70):
        inside.get("/t/acme/")
    assert seen() != before


def test_a_made_up_session_is_nobodys(client):
    client.cookies[settings.SESSION_COOKIE_NAME] = "a" * 32
    assert client.get("/t/acme/").status_code == 302


# --- headers and cookies

POLICY = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "img-src": ["'self'"],
    "font-src": ["'self'"],
    "connect-src": ["'self'"],
    "form-action": ["'self'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
}


@pytest.mark.parametrize("page", PAGES)
def test_every_answer_tells_the_browser_what_may_run_load_and_frame_it(client, petra, page):
    signed_in(client, petra)
    shown = client.get(page)
    said = dict(part.strip().partition(" ")[::2] for part in shown["Content-Security-Policy"].split(";"))
    assert {name: value.split() for name, value in said.items()} == POLICY
    assert shown["X-Content-Type-Options"] == "nosniff"
    assert shown["X-Frame-Options"] == "DENY"
    assert shown["Referrer-Policy"] == "same-origin"
    assert shown["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "Server" not in shown


@pytest.mark.parametrize("page", PAGES)
def test_no_page_needs_what_that_policy_forbids(client, petra, page):
    signed_in(client, petra)
    text = client.get(page).content.decode()
    for forbidden in ("<script>", " onclick=", " style=", "<style", "javascript:", "http://", "//cdn"):
        assert forbidden not in text.lower(), forbidden


def test_cookies_cannot_be_read_by_scripts_nor_sent_by_other_sites(inside):
    for cookie in (settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME):
        sent = inside.cookies[cookie]
        assert sent["httponly"]
        assert sent["samesite"] == "Lax"
        assert sent["path"] == "/"
        assert not sent["domain"]


_ASK_OVER_TLS = """
import json, sys, django
django.setup()
from django.test import Client
client = Client(headers={"host": "portal.example"})
shown = client.get("/sign-in/", secure=True)
posted = client.post("/sign-in/", {"username": sys.argv[1], "password": sys.argv[2]}, secure=True,
                     headers={"referer": "https://portal.example/sign-in/"})
print(json.dumps({
    "status": shown.status_code, "hsts": shown.headers.get("Strict-Transport-Security"), "posted": posted.status_code,
    "cookies": {name: dict(morsel) for name, morsel in client.cookies.items()},
    "mailbox": client.get("/demo/mailbox/", secure=True).status_code,
    "localhost": client.get("/sign-in/", secure=True, headers={"host": "localhost"}).status_code,
}))
"""


def test_over_tls_the_browser_is_told_to_stay_there_and_cookies_stick_to_the_very_host(service_environment, petra):
    told = service_environment("web") | {
        "PORTAL_DEMO": "0", "PORTAL_ORIGIN": "https://portal.example", "MAIL_URL": "smtp://127.0.0.1:1",
    }  # fmt: skip
    ended = subprocess.run(
        [sys.executable, "-c", _ASK_OVER_TLS, petra.subject, PASSWORD],
        env=told,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    shown = json.loads(ended.stdout)
    assert (shown["status"], shown["posted"]) == (200, 302)
    assert shown["hsts"] == "max-age=31536000"
    assert set(shown["cookies"]) == {"__Host-session", "__Host-csrf"}
    for cookie in shown["cookies"].values():
        assert cookie["secure"]
        assert cookie["httponly"]
        assert cookie["path"] == "/"
        assert not cookie["domain"]
    assert shown["mailbox"] == 404  # the demo's page is not there
    assert shown["localhost"] == 400


def test_pages_of_signed_in_people_stay_in_no_cache(client, petra, acme):
    assert signed_in(client, petra).get("/t/acme/")["Cache-Control"] == "no-store"
