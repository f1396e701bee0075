"""ETag, If-None-Match and If-Match: what is known is not sent again, what changed is not changed blindly."""

import pytest

from tests.api.conftest import Program
from tests.rows import everything
from tests.world import begun, issued, token_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def program(petra, acme) -> Program:
    return Program("acme", token_of(petra, acme)[1])


def test_every_answer_to_get_has_a_strong_tag_that_tells_answers_apart(petra, acme, program):
    empty = program.call("GET", "certificates")
    certificate = issued(petra, acme)
    full = program.call("GET", "certificates")
    again = program.call("GET", "certificates")
    file = program.call("GET", f"certificates/{certificate.pk}/files/der")
    assert all(answer["ETag"].startswith('"') and len(answer["ETag"]) == 34 for answer in (empty, full, file))
    assert len({empty["ETag"], full["ETag"], file["ETag"]}) == 3
    assert full["ETag"] == again["ETag"]
    assert full["Cache-Control"] == "private, no-cache"


def test_a_file_is_given_whatever_is_accepted_and_is_known_by_its_tag(petra, acme, program):
    path = f"certificates/{issued(petra, acme).pk}/files/der"
    first = program.call("GET", path, Accept="application/pkix-cert")
    assert first.status_code == 200
    assert program.call("GET", path, **{"If-None-Match": first["ETag"]}).status_code == 304


@pytest.mark.parametrize("form", ["{etag}", "W/{etag}", '"x", {etag}', "*"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_is_known_is_not_sent_again(program, form, method):
    etag = program.call("GET", "certificates")["ETag"]
    answer = program.call(method, "certificates", **{"If-None-Match": form.format(etag=etag)})
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer["ETag"] == etag
    assert "X-Request-ID" in answer
    assert answer["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("form", ['"other"', "nonsense", "", "{bare}"])
def test_what_is_not_known_is_sent(program, form):
    etag = program.call("GET", "certificates")["ETag"]
    assert (
        program.call("GET", "certificates", **{"If-None-Match": form.format(bare=etag.strip('"'))}).status_code == 200
    )


def test_dates_are_passed_over_since_nothing_has_one(program):
    for name in ("If-Modified-Since", "If-Unmodified-Since"):
        for date in ("Sat, 01 Jan 2000 00:00:00 GMT", "Sat, 01 Jan 2050 00:00:00 GMT", "nonsense"):
            assert program.call("GET", "certificates", **{name: date}).status_code == 200


def test_head_has_the_headers_of_get_and_no_body(petra, acme, program):
    issued(petra, acme)
    got, head = (program.call(method, "certificates") for method in ("GET", "HEAD"))
    assert head.content == b""
    assert {name: got[name] for name in ("ETag", "Content-Type", "Cache-Control")} == {
        name: head[name] for name in ("ETag", "Content-Type", "Cache-Control")
    }


@pytest.fixture
def step(petra, acme) -> str:
    return f"requests/{begun(petra, acme).pk}/steps/subject"


def test_a_change_of_what_was_read_is_made(program, step):
    etag = program.call("GET", step)["ETag"]
    assert program.call("PUT", step, {"common_name": "Petra"}, **{"If-Match": etag}).status_code == 200
    assert program.call("GET", step)["ETag"] != etag


@pytest.mark.parametrize("form", ["{etag}", "W/{now}", '"x"', "nonsense", "", "{bare}"])
def test_a_change_of_what_changed_since_is_refused_and_so_is_what_is_no_tag(program, step, owner, form):
    etag = program.call("GET", step)["ETag"]
    program.put(step, {"common_name": "Somebody Else"})
    now = program.call("GET", step)["ETag"]
    before = everything(owner, but={"access_apitoken"})
    wanted = form.format(etag=etag, now=now, bare=now.strip('"'))
    answer = program.call("PUT", step, {"common_name": "Petra"}, **{"If-Match": wanted})
    assert (answer.status_code, answer.json()["code"]) == (412, "changed-since")
    assert everything(owner, but={"access_apitoken"}) == before


def test_a_post_with_a_tag_that_does_not_match_is_refused_and_keeps_nothing(program, owner, step):
    before = everything(owner, but={"access_apitoken"})
    body = {"kind": "issue", "profile": "desktop-signing"}
    answer = program.call("POST", "requests", body, **{"If-Match": '"x"', "Idempotency-Key": "k"})
    assert answer.status_code == 412
    slow = program.call("POST", step.replace("steps/subject", "confirmation"), {}, **{"If-Match": '"x"'})
    assert slow.status_code == 412
    assert everything(owner, but={"access_apitoken"}) == before


def test_an_if_match_on_what_is_only_read_counts_as_well(program):
    etag = program.call("GET", "certificates")["ETag"]
    assert program.call("GET", "certificates", **{"If-Match": etag}).status_code == 200
    assert program.call("GET", "certificates", **{"If-Match": '"x"'}).status_code == 412
