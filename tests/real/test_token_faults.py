"""Tokens that fail: no request lost, nothing unverified stored, no serial burnt, no PIN burnt.

The device stands between our code and a real SoftHSM and fails as hardware does; what
SoftHSM itself can do wrong (its folder gone, other keys in it, a wrong PIN) it does itself.
Every mode of failing, many times over, is the drill `tests/drills/test_f5_token.py`.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from lifecycle.authorities import registry
from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.states import State
from portal.demo.child import wait_until
from portal.foundation.outbox.models import Errand, Heartbeat
from portal.foundation.token import Token
from portal.foundation.token.circuit import Why
from portal.foundation.token.report import token_reports
from tests.drills.shift import DAY, MINUTE, SECOND, assert_sound, attempts_of, on_the_list, ring_for, state_of
from tests.plugins.services import surroundings
from tests.world import errand_of, submitted

pytestmark = pytest.mark.django_db


def test_a_token_that_was_away_for_a_day_costs_a_request_nothing_but_the_day(acme, petra, device, shift):
    device.be("away")
    with shift.now():
        request = submitted(petra, acme)
    shift.passes(DAY, every=timedelta(minutes=7))
    errand = errand_of(request)
    assert (state_of(request), attempts_of(request), on_the_list(request)) == (State.READY, [], set())
    assert (errand.parked_at, errand.done_at) == (None, None)
    assert errand.tries <= 1
    device.be("well")
    shift.passes(MINUTE)
    assert_sound(request, orphans=0)


def test_a_session_that_is_lost_once_is_made_again_once_and_nobody_notices(acme, petra, device, shift, signing):
    with shift.now():
        first, second = submitted(petra, acme), submitted(petra, acme)
    shift.passes(5 * SECOND)
    logins = device.count("login")
    with shift.now():
        third = submitted(petra, acme)
    signing._session._inner.close()
    shift.passes(5 * SECOND)
    assert device.count("login") == logins + 1
    assert_sound(first, second, third, orphans=0)
    assert len(attempts_of(third)) == 1


def test_a_key_that_did_not_prove_itself_signs_no_certificate(acme, petra, device, shift):
    """The first thing a worker asks of a key is nobody's signature; a serial comes after it."""
    device.be("garbage")
    with shift.now():
        request = submitted(petra, acme)
    shift.passes(MINUTE)
    assert attempts_of(request) == []
    assert on_the_list(request) == set()
    device.be("well")
    shift.passes(MINUTE)
    assert_sound(request, orphans=0)


def test_a_key_that_passes_its_trials_and_fails_its_certificates_burns_two_serials_a_minute_at_most(
    acme, petra, device, shift
):
    with shift.now():
        requests = [submitted(petra, acme) for _ in range(40)]
    for _ in range(60):  # five minutes
        device.be("silent", after=1)
        shift.passes(5 * SECOND)
    attempts = [attempt for request in requests for attempt in attempts_of(request)]
    burnt = {attempt.serial for attempt in attempts if attempt.outcome == "abandoned"}
    assert 1 <= len(burnt) <= 12
    assert burnt == on_the_list(requests[0])
    device.be("well")
    shift.passes(10 * MINUTE)
    assert_sound(*requests, orphans=len(burnt))


def test_one_tenants_bad_key_does_not_stand_in_the_way_of_anothers(acme, globex, petra, hank, shift, signing, owner):
    """The token works; only acme's key is not in it."""
    with shift.now():
        theirs, ours = submitted(petra, acme), submitted(hank, globex)
    authority = registry.authority_of(acme.pk, _authority(theirs))
    object.__setattr__(authority, "key_id", b"nobody's")
    shift.passes(MINUTE)
    assert state_of(theirs) == State.READY
    assert attempts_of(theirs) == []
    assert_sound(ours, orphans=0)
    with shift.now():
        [report] = token_reports()
    assert (report.why, report.keys) == (Why.KEY_MISSING, 1)


def _authority(request: CertificateRequest) -> UUID:
    return UUID(errand_of(request).args[2])


# --- what SoftHSM can really do -------------------------------------------------------------------------------------


@pytest.fixture
def tokens_folder() -> Path:
    told = Path(surroundings().environment("signing")["SOFTHSM2_CONF"]).read_text()
    [line] = [line for line in told.splitlines() if line.startswith("directories.tokendir")]
    return Path(line.partition("=")[2].strip())


@pytest.fixture
def away(tokens_folder: Path, signing: Token) -> Iterator[Path]:
    """Where the token's folder is while it is away; it is back afterwards, whatever the test did."""
    place = tokens_folder.with_name("away")
    yield place
    if place.exists():
        shutil.rmtree(tokens_folder, ignore_errors=True)
        place.rename(tokens_folder)


def test_a_token_whose_folder_is_gone_is_used_again_within_a_minute_of_its_return(
    acme, petra, shift, tokens_folder, away
):
    with shift.now():
        before = submitted(petra, acme)
    shift.passes(5 * SECOND)
    tokens_folder.rename(away)
    with shift.now():
        request = submitted(petra, acme)
    shift.passes(5 * MINUTE)
    assert (state_of(request), attempts_of(request), on_the_list(request)) == (State.READY, [], set())
    away.rename(tokens_folder)
    shift.passes(MINUTE)
    assert_sound(before, request, orphans=0)


def test_an_idle_worker_notices_that_its_token_is_gone_and_that_it_is_back(db, shift, tokens_folder, away):
    shift.passes(5 * SECOND)
    with shift.now():
        assert [report.well for report in token_reports()] == [True]
    tokens_folder.rename(away)
    shift.passes(5 * SECOND)
    with shift.now():
        assert [report.well for report in token_reports()] == [False]
    shift.passes(MINUTE)
    away.rename(tokens_folder)
    shift.passes(MINUTE)
    with shift.now():
        assert [report.well for report in token_reports()] == [True]


def test_a_token_exchanged_between_two_looks_is_used_again_within_a_minute(acme, petra, shift, tokens_folder, away):
    """SoftHSM's session goes on then, and sees no keys for the rest of its life."""
    shift.passes(5 * SECOND)
    tokens_folder.rename(away)
    away.rename(tokens_folder)
    with shift.now():
        request = submitted(petra, acme)
    shift.passes(MINUTE)
    assert_sound(request, orphans=0)


def test_a_token_with_other_keys_under_the_same_label_signs_nothing(acme, petra, shift, tokens_folder, away, signing):
    with shift.now():
        request = submitted(petra, acme)
    key_id = registry.authority_of(acme.pk, _authority(request)).key_id
    signing.close()
    tokens_folder.rename(away)
    tokens_folder.mkdir()
    pin = Path(signing.pin_file).read_text().strip()
    command = ["softhsm2-util", "--init-token", "--free", "--label", signing.label, "--pin", pin, "--so-pin", pin]
    conf = surroundings().environment("signing")["SOFTHSM2_CONF"]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "SOFTHSM2_CONF": conf})

    shift.passes(MINUTE)
    assert attempts_of(request) == []
    with shift.now():
        assert [report.why for report in token_reports()] == [Why.KEY_MISSING]

    signing.generate("ec-p256", key_id)  # the right name, and another key
    shift.passes(MINUTE)
    assert (state_of(request), attempts_of(request), on_the_list(request)) == (State.READY, [], set())
    with shift.now():
        assert [report.why for report in token_reports()] == [Why.WRONG_SIGNATURE]

    signing.close()
    shutil.rmtree(tokens_folder)
    away.rename(tokens_folder)
    shift.passes(MINUTE)
    assert_sound(request, orphans=0)


def test_a_real_worker_says_what_ails_it_and_heals(acme, petra, owner, workers, client):
    workers.device.be("away")
    worker = workers.start()
    request = submitted(petra, acme)
    ring_for(request, owner)
    assert wait_until(lambda: Heartbeat.objects.filter(service="signing").exists(), 20.0), worker.last_lines(30)
    [report] = token_reports()
    assert (report.well, report.why) == (False, Why.NOT_THERE)
    told = client.get("/readyz").json()
    assert (told["status"], told["services"]["signing"]["state"]) == ("degraded", "ailing")
    assert told["services"]["signing"]["token"] == "trouble"
    assert Errand.objects.get(pk=errand_of(request).pk).tries == 0  # nobody claimed it

    workers.device.be("well")

    def healed() -> bool:
        ring_for(request, owner)
        return state_of(request) == State.COMPLETED

    assert wait_until(healed, 60.0), worker.last_lines(30)
    assert_sound(request, orphans=0)
    assert [report.well for report in token_reports()] == [True]
