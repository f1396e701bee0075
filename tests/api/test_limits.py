"""Calls are counted for each token and each tenant; beyond the limit a program is told when to come back."""

from dataclasses import replace

import pytest
import redis
from limits.strategies import SlidingWindowCounterRateLimiter

from portal.api import limits
from portal.config import config
from tests.api.conftest import Program
from tests.rows import everything
from tests.world import token_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def at_most(monkeypatch, broker):
    def allow(*, of_token: int = 1000, of_tenant: int = 1000) -> None:
        monkeypatch.setattr(limits, "config", replace(config, calls_of_token=of_token, calls_of_tenant=of_tenant))

    return allow


@pytest.fixture
def away(monkeypatch):
    """Redis is not there: nobody listens at this address, and what one process counted alone begins anew."""
    monkeypatch.setattr(limits, "_shared", limits.limiter_at("redis+unix:///nowhere/redis.sock?db=0"))
    monkeypatch.setattr(limits, "_own", SlidingWindowCounterRateLimiter(limits.MemoryStorage()))


def called(secret: str, times: int, tenant: str = "acme") -> list[int]:
    return [Program(tenant, secret).call("GET", "certificates").status_code for _ in range(times)]


def test_a_token_that_calls_too_often_waits_and_is_told_for_how_long(petra, acme, at_most, owner):
    at_most(of_token=3)
    _row, secret = token_of(petra, acme)
    assert called(secret, 3) == [200] * 3
    before = everything(owner, but={"access_apitoken"})
    answer = Program("acme", secret).call("POST", "requests", {"kind": "issue", "profile": "desktop-signing"})
    assert (answer.status_code, answer.json()["code"]) == (429, "too-many-calls")
    assert 1 <= int(answer["Retry-After"]) <= 60
    assert "3 calls a minute" in answer.json()["title"]
    assert everything(owner, but={"access_apitoken"}) == before


def test_another_token_is_not_touched_by_it(petra, dan, acme, at_most):
    at_most(of_token=2)
    _row, secret = token_of(petra, acme)
    assert called(secret, 3)[-1] == 429
    assert called(token_of(petra, acme)[1], 1) == [200]
    assert called(token_of(dan, acme)[1], 1) == [200]


def test_all_tokens_of_a_tenant_together_have_a_limit_and_another_tenant_has_its_own(
    petra, dan, hank, acme, globex, at_most
):
    at_most(of_tenant=4)
    first, second = token_of(petra, acme)[1], token_of(dan, acme)[1]
    assert called(first, 2) + called(second, 2) == [200] * 4
    answer = Program("acme", first).call("GET", "certificates")
    assert answer.status_code == 429
    assert "organisation" in answer.json()["title"]
    assert called(token_of(hank, globex)[1], 1, "globex") == [200]


def test_one_that_is_over_its_own_limit_eats_nothing_of_the_tenants(petra, dan, acme, at_most):
    at_most(of_token=2, of_tenant=5)
    assert called(token_of(petra, acme)[1], 10).count(200) == 2
    assert called(token_of(dan, acme)[1], 2) == [200] * 2


def test_who_has_no_token_is_not_counted(petra, acme, at_most):
    at_most(of_tenant=2)
    assert called("cpt_" + "x" * 43, 5) == [401] * 5
    assert called(token_of(petra, acme)[1], 2) == [200] * 2


def test_without_redis_a_process_counts_for_itself(petra, acme, at_most, away):
    at_most(of_token=3)
    assert called(token_of(petra, acme)[1], 5) == [200] * 3 + [429] * 2


def test_redis_that_goes_between_counting_and_asking_for_how_long_is_no_accident(petra, acme, at_most, monkeypatch):
    class Leaving(SlidingWindowCounterRateLimiter):
        def get_window_stats(self, *_args):
            raise redis.ConnectionError("gone")

    at_most(of_token=1)
    monkeypatch.setattr(limits, "_shared", Leaving(limits._shared.storage))
    _row, secret = token_of(petra, acme)
    assert called(secret, 1) == [200]
    answer = Program("acme", secret).call("GET", "certificates")
    assert (answer.status_code, answer["Retry-After"]) == (429, "60")


@pytest.mark.parametrize(
    ("told", "written"),
    [
        ("redis://h:6379/0", "redis://h:6379/0"),
        ("rediss://:p@h:6379/3", "rediss://:p@h:6379/3"),
        ("redis+socket:///run/redis.sock?virtual_host=4", "redis+unix:///run/redis.sock?db=4"),
        ("redis+socket:///run/redis.sock", "redis+unix:///run/redis.sock?db=0"),
    ],
)
def test_the_brokers_address_is_understood(told, written):
    assert limits._storage_address(told) == written
