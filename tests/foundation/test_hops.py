"""Who is at the other end: believed of trusted proxies, and of nobody else."""

from dataclasses import replace

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from auth2fa.login.throttle import ALLOWANCES
from auth2fa.models import SignedIn
from portal.config import Proxies, config
from portal.foundation import hops
from portal.foundation.hops import Hops, client_of
from tests.world import PASSWORD

OURS = Proxies.from_text("unix,192.0.2.1,10.0.0.0/8,2001:db8::/64")
STRANGER = "198.51.100.7"


@pytest.fixture
def ours(monkeypatch):
    monkeypatch.setattr(hops, "config", replace(config, trusted_proxies=OURS))


def seen(**told):
    """Return what everything behind the middleware sees of a request."""
    met = []
    Hops(lambda request: met.append(request) or HttpResponse())(RequestFactory().get("/", **told))
    return {name: met[0].META.get(name) for name in ("REMOTE_ADDR", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO")}


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", STRANGER, STRANGER),
        ("", STRANGER, STRANGER),
        ("192.0.2.1", f"{STRANGER}, 10.0.0.9 ,10.1.0.1", STRANGER),
        ("192.0.2.1", f"127.0.0.1, 10.0.0.5, {STRANGER}, 10.0.0.9", STRANGER),  # the first two are a tale
        ("192.0.2.1", f"192.0.2.1,{STRANGER}", STRANGER),
        ("192.0.2.1", "10.0.0.5, 10.0.0.9", "10.0.0.5"),  # somebody within
        ("192.0.2.1", "2001:DB8:1:0:0::7", "2001:db8:1::7"),
        ("192.0.2.1", "::ffff:198.51.100.7", STRANGER),
        ("192.0.2.1", f"{STRANGER}, ::ffff:10.0.0.9", STRANGER),
        ("192.0.2.1", "", "192.0.2.1"),
        ("", "", ""),
        ("192.0.2.1", f"{STRANGER}, unknown", "192.0.2.1"),
        ("192.0.2.1", f"{STRANGER}, , 10.0.0.9", "10.0.0.9"),
        ("192.0.2.1", f"{STRANGER}, 10.0.0.9%eth0", "192.0.2.1"),
        ("192.0.2.1", "fe80::1%<script>", "192.0.2.1"),
        ("192.0.2.1", f"{STRANGER}:443", "192.0.2.1"),
    ],
)
def test_the_client_is_the_rightmost_who_is_no_proxy_of_ours(peer, forwarded, client):
    assert client_of(peer, forwarded, OURS) == client


@pytest.mark.usefixtures("ours")
def test_a_trusted_proxys_word_is_taken():
    told = seen(REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_FOR=STRANGER, HTTP_X_FORWARDED_PROTO="https")
    assert (told["REMOTE_ADDR"], told["HTTP_X_FORWARDED_PROTO"]) == (STRANGER, "https")
    assert seen(REMOTE_ADDR="", HTTP_X_FORWARDED_FOR=STRANGER)["REMOTE_ADDR"] == STRANGER
    assert seen(REMOTE_ADDR="::ffff:192.0.2.1", HTTP_X_FORWARDED_FOR=STRANGER)["REMOTE_ADDR"] == STRANGER


@pytest.mark.usefixtures("ours")
@pytest.mark.parametrize("peer", [STRANGER, "192.0.2.2", "2001:db8:1::1", "nonsense"])
def test_a_strangers_word_is_taken_away(peer):
    told = seen(REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR="192.0.2.1", HTTP_X_FORWARDED_PROTO="https")
    assert told == {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": None, "HTTP_X_FORWARDED_PROTO": None}


@pytest.mark.parametrize("peer", ["", "127.0.0.1", "192.0.2.1"])
def test_without_the_variable_nobody_is_trusted(peer):
    told = seen(REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=STRANGER, HTTP_X_FORWARDED_PROTO="https")
    assert told == {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": None, "HTTP_X_FORWARDED_PROTO": None}


def failing(client, forwarded, number=0):
    """Fail to sign in, under a new name each time, through a proxy of ours; return the answer."""
    posted = {"username": f"nobody-{number}@acme.example", "password": "a wrong guess"}
    return client.post("/sign-in/", posted, REMOTE_ADDR="192.0.2.1", headers={"X-Forwarded-For": forwarded})


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("ours")
def test_whoever_invents_addresses_is_slowed_down_by_the_one_that_the_proxy_saw(client):
    free = ALLOWANCES["address"].free
    for number in range(free + 1):
        assert failing(client, f"203.0.113.{number}, {STRANGER}", number).status_code != 429
    assert failing(client, f"203.0.113.99, {STRANGER}", 99).status_code == 429
    assert failing(client, "198.51.100.8", 100).status_code != 429  # nobody else behind the same proxy waits


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("ours")
def test_a_session_and_the_journal_say_where_the_client_is(client, petra, owner):
    posted = {"username": petra.subject, "password": PASSWORD}
    headers = {"X-Forwarded-For": f"127.0.0.1, {STRANGER}"}
    assert client.post("/sign-in/", posted, REMOTE_ADDR="192.0.2.1", headers=headers).status_code == 302
    assert SignedIn.objects.get(person_id=petra.pk).address == STRANGER
    owner.execute("SELECT facts->>'address' FROM audit_auditevent WHERE code = 'sign-in:accept'")
    assert owner.fetchall() == [(STRANGER,)]
