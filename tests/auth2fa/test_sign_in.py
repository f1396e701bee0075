"""The first factor: recognising people, not telling who exists, slowing guesses down, leading nowhere else."""

from datetime import timedelta
from time import perf_counter

import pytest
from django.contrib.auth.hashers import identify_hasher
from django.test import Client

from auth2fa.login import throttle
from auth2fa.login.views import path_here
from portal.foundation import clock
from portal.foundation.access.models import User
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import PLATFORM

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.auth2fa.addresses")]

PASSWORD = "correct horse battery staple"


@pytest.fixture
def grace(make_person) -> User:
    return make_person("grace", password=PASSWORD)


def sign_in(client, name="grace", password=PASSWORD, onward="", address="192.0.2.7"):
    posted = {"username": name, "password": password} | ({"next": onward} if onward else {})
    return client.post("/sign-in/", posted, REMOTE_ADDR=address)


def is_signed_in(client) -> bool:
    return client.get("/").content != b"AnonymousUser"


def told(response) -> str:
    return str(response.context["refusal"])


def later(seconds):
    return clock.frozen(clock.now() + timedelta(seconds=seconds))


def test_the_right_password_opens_a_session_and_is_told_in_the_journal(client, grace, journal):
    response = sign_in(client)

    assert (response.status_code, response["Location"]) == (302, "/")
    assert client.get("/").content == b"Grace"
    assert journal(PLATFORM) == [("sign-in:accept", str(grace.pk), {"address": "192.0.2.7", "how": "password"})]
    assert abs(client.session["since"] - clock.now().timestamp()) < 5
    assert client.session["seen"] == client.session["since"]
    assert identify_hasher(grace.password).algorithm == "argon2"
    assert grace.password.startswith("argon2$argon2id$")


def test_the_name_is_taken_as_people_type_it(client, grace):
    assert sign_in(client, name="  Grace ").status_code == 302
    assert is_signed_in(client)


def test_the_session_has_a_new_key_after_signing_in(client, grace):
    client.get("/sign-in/")
    session = client.session
    session["seen before"] = True
    session.save()
    before = session.session_key
    client.cookies["session"] = before

    sign_in(client)

    assert client.session.session_key != before
    assert is_signed_in(client)
    stranger = Client()
    stranger.cookies["session"] = before
    assert not is_signed_in(stranger)


@pytest.mark.parametrize("who", ["unknown", "wrong password", "inactive", "of another issuer", "without a password"])
def test_every_failure_is_told_alike(client, grace, make_person, journal, who):
    make_person("off", password=PASSWORD, is_active=False)
    make_person("foreign", password=PASSWORD, issuer="https://idp.example")
    make_person("bare")
    name, password = {
        "unknown": ("nobody-at-all", PASSWORD),
        "wrong password": ("grace", "wrong"),
        "inactive": ("off", PASSWORD),
        "of another issuer": ("foreign", PASSWORD),
        "without a password": ("bare", "!"),
    }[who]

    response = sign_in(client, name=name, password=password)

    assert response.status_code == 403
    assert told(response) == "There is no account with this user name and password."
    assert not is_signed_in(client)
    [(code, actor, facts)] = journal(PLATFORM)
    assert (code, actor) == ("sign-in:refuse", "nobody")
    assert set(facts) == {"address", "account"}


def test_what_was_typed_into_the_name_is_kept_nowhere(client, journal, owner):
    sign_in(client, name="my secret password")
    owner.execute("SELECT t::text FROM audit_auditevent t UNION ALL SELECT f::text FROM auth2fa_failedsignins f")
    rows = [row for (row,) in owner.fetchall()]
    assert len(rows) == 3
    assert sum("sign-in:refuse" in row for row in rows) == 1
    assert not any("my secret" in row for row in rows)
    assert sum("192.0.2.7" in row for row in rows) == 1  # the journal's line; the counters hold no address


def test_unknown_names_take_as_long_as_known_ones(costly_passwords, client, grace):
    def shortest(name):
        times = []
        for round_ in range(4):
            started = perf_counter()
            sign_in(client, name=name, password="wrong", address=f"192.0.2.{round_ + 1}")
            times.append(perf_counter() - started)
        return min(times)

    known, unknown = shortest("grace"), shortest("nobody-at-all")
    assert 0.5 < known / unknown < 2


@pytest.mark.parametrize("name", ["grace", "nobody-at-all"])
def test_guessing_is_slowed_down_whether_or_not_the_name_exists(client, grace, name, journal):
    with later(0):  # the wait is two seconds, and hashing on a busy machine takes its time
        for _ in range(6):
            assert sign_in(client, name=name, password="wrong").status_code == 403

        response = sign_in(client, name=name)  # even the right password is not looked at now

        assert response.status_code == 429
        assert response["Retry-After"] == "2"
        assert told(response).startswith("There were too many failed attempts")
        assert not is_signed_in(client)
        for _ in range(5):
            assert sign_in(client, name=name).status_code == 429
    codes = [code for code, _actor, _facts in journal(PLATFORM)]
    assert codes == ["sign-in:refuse"] * 6 + ["sign-in:throttle"]  # one line a wait


def test_each_failure_doubles_the_wait_up_to_a_quarter_of_an_hour(client, grace, owner):
    waits = [throttle.ALLOWANCES["name"].wait_after(failures).total_seconds() for failures in range(20)]
    assert waits[:10] == [0, 0, 0, 0, 0, 0, 2, 4, 8, 16]
    assert waits[-1] == 900
    assert throttle.ALLOWANCES["name"].wait_after(10**9).total_seconds() == 900


def test_after_the_wait_the_right_password_opens_and_the_count_begins_anew(client, grace):
    for _ in range(6):
        sign_in(client, password="wrong")
    with later(3):
        assert sign_in(client).status_code == 302
        for _ in range(5):
            assert sign_in(Client(), password="wrong").status_code == 403
        assert sign_in(Client()).status_code == 302


def fail(name, address) -> int:
    with acting_for(PLATFORM):
        return throttle.count_an_attempt(name, address).seconds


def test_many_names_from_one_address_are_slowed_down_too(client, grace):
    assert [fail(f"name-{number}", "192.0.2.7") for number in range(31)] == [0] * 31
    assert sign_in(client).status_code == 429
    assert sign_in(client, address="192.0.2.8").status_code == 302


def test_a_wait_is_told_once_for_each_that_has_to_wait(client, grace, journal):
    for number in range(31):
        fail(f"name-{number}", "192.0.2.7")
    for _ in range(6):
        fail("grace", "192.0.2.8")
    for address in ("192.0.2.7", "192.0.2.7", "192.0.2.8", "192.0.2.8"):
        assert sign_in(client, name="grace", address=address).status_code == 429
    told_of = [facts["address"] for code, _actor, facts in journal(PLATFORM) if code == "sign-in:throttle"]
    assert told_of == ["192.0.2.7"]


def test_an_account_of_ones_own_does_not_wash_the_address_clean(client, grace):
    for number in range(31):
        assert fail(f"name-{number}", "192.0.2.7") == 0
        if number in {10, 20, 29}:
            assert sign_in(Client()).status_code == 302
    assert sign_in(client).status_code == 429


@pytest.mark.parametrize(
    ("address", "other", "is_same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
    ],
)
def test_an_address_is_what_one_customer_has(address, other, is_same):
    places = [set(throttle._keys("x", a)) - {throttle.account_key("x")} for a in (address, other)]
    assert (places[0] == places[1]) is is_same


def test_a_connection_without_an_address_counts_by_name(client, grace):
    for _ in range(6):
        assert sign_in(client, password="wrong", address="").status_code == 403
    assert sign_in(client, address="").status_code == 429
    assert sign_in(client, name="nobody-at-all", address="").status_code == 403


def test_racing_guesses_are_counted_before_they_are_judged(grace, at_once, owner, journal):
    ends = at_once(12, lambda: sign_in(Client(), password="wrong").status_code)

    assert sorted(ends) == [403] * 6 + [429] * 6
    assert [code for code, _actor, _facts in journal(PLATFORM)].count("sign-in:refuse") == 6


def test_failures_are_forgotten_and_their_rows_go(client, grace, owner):
    for _ in range(6):
        sign_in(client, password="wrong")
    with later(24 * 3600 + 60):
        sign_in(client, name="somebody else", password="wrong", address="192.0.2.8")
        owner.execute("SELECT count(*) FROM auth2fa_failedsignins")
        assert owner.fetchone() == (2,)
        for _ in range(6):
            assert sign_in(client, password="wrong").status_code == 403


def test_a_row_that_grew_old_counts_as_none(owner):
    with acting_for(PLATFORM):
        for _ in range(6):
            throttle.count_an_attempt("grace", "")
        assert throttle.count_an_attempt("grace", "").seconds == 2
    owner.execute("UPDATE auth2fa_failedsignins SET failures = 30, failed_at = now() - interval '25 hours'")
    with acting_for(PLATFORM):
        assert throttle.count_an_attempt("grace", "").seconds == 0
    owner.execute("SELECT failures FROM auth2fa_failedsignins")
    assert owner.fetchall() == [(1,)]


def test_an_account_that_is_switched_off_loses_its_sessions(client, grace, owner):
    sign_in(client)
    owner.execute("UPDATE access_user SET is_active = false")
    assert not is_signed_in(client)


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        ("/t/acme/certificates/?page=2#top", "/t/acme/certificates/?page=2#top"),
        ("/", "/"),
        ("//evil.example", ""),
        ("///evil.example", ""),
        ("/\\evil.example", ""),
        ("\\\\evil.example", ""),
        ("/\t/evil.example", ""),
        ("/\n/evil.example", ""),
        (" //evil.example", ""),
        ("https://evil.example/", ""),
        ("https:evil.example", ""),
        ("http:///evil.example", ""),
        ("javascript:alert(1)", ""),
        ("evil.example", ""),
        ("http://testserver/", ""),
        ("/%0d%0aSet-Cookie:x", "/%0d%0aSet-Cookie:x"),
        ("/http://[evil", "/http://[evil"),
        ("//[evil", ""),
        ("", ""),
    ],
)
def test_signing_in_leads_only_to_a_path_of_this_portal(client, grace, wanted, kept):
    assert path_here(wanted) == kept
    response = sign_in(client, onward=wanted)
    assert response.status_code == 302
    assert response["Location"] == (kept or "/")
    asked = client.get("/sign-in/", {"next": wanted})  # somebody who is signed in already goes there at once
    assert asked["Location"] == (kept or "/")


def test_the_wish_to_go_on_survives_a_refusal(client, grace):
    page = client.get("/sign-in/", {"next": "/t/acme/"})
    assert page.context["next"] == "/t/acme/"
    refused = sign_in(client, password="wrong", onward="/t/acme/")
    assert refused.context["next"] == "/t/acme/"
    assert 'name="next" value="/t/acme/"' in refused.content.decode()
    assert sign_in(client, onward="/t/acme/")["Location"] == "/t/acme/"


@pytest.mark.parametrize(
    ("posted", "field"),
    [
        ({"username": "", "password": "x"}, "username"),
        ({"username": "x", "password": ""}, "password"),
        ({"username": "x" * 201, "password": "x"}, "username"),
        ({"username": "x\x00y", "password": "x"}, "username"),
        ({"username": "x", "password": "x" * 1001}, "password"),
        ({}, "username"),
    ],
)
def test_what_cannot_be_a_name_or_a_password_is_told_at_its_field(client, posted, field, journal, owner):
    response = client.post("/sign-in/", posted)
    assert response.status_code == 422
    assert response.context["form"].errors[field]
    assert journal(PLATFORM) == []
    owner.execute("SELECT count(*) FROM auth2fa_failedsignins")
    assert owner.fetchone() == (0,)


def test_the_page_is_never_cached_and_never_shows_the_password(client, grace):
    assert "no-store" in client.get("/sign-in/")["Cache-Control"]
    refused = sign_in(client, password="my wrong password")
    assert "my wrong password" not in refused.content.decode()
    assert "no-store" in refused["Cache-Control"]


def test_a_form_of_another_site_signs_nobody_in(grace, journal):
    client = Client(enforce_csrf_checks=True)
    assert sign_in(client).status_code == 403
    assert not is_signed_in(client)
    assert journal(PLATFORM) == []


def test_signing_out_ends_the_session_everywhere_and_is_told(client, grace, journal):
    sign_in(client)
    key = client.session.session_key

    assert client.get("/sign-out/").status_code == 405
    assert is_signed_in(client)
    response = client.post("/sign-out/", REMOTE_ADDR="192.0.2.7")

    assert (response.status_code, response["Location"]) == (302, "/sign-in/")
    assert not is_signed_in(client)
    thief = Client()
    thief.cookies["session"] = key
    assert not is_signed_in(thief)
    assert journal(PLATFORM)[-1] == ("sign-in:end", str(grace.pk), {"address": "192.0.2.7"})


def test_signing_out_without_a_session_does_nothing(client, db, journal):
    assert client.post("/sign-out/").status_code == 302
    assert journal(PLATFORM) == []
