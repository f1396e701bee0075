"""Agreements read and published by programs, and who accepted which."""

from uuid import uuid4

import pytest

from lifecycle.policies.models import SubscriberAgreement
from portal.foundation.audit.models import AuditEvent
from portal.foundation.tenancy.context import acting_for
from tests.api.doors import refused, shut, stands
from tests.world import filled, submit, submitted

pytestmark = pytest.mark.django_db(transaction=True)

PATH = "agreements/subscriber/en"


@pytest.fixture
def calls(program, ada):
    return program(ada)


def read(calls, path=PATH):
    """What stands there, and its ETag."""
    answer = calls.call("GET", path)
    assert answer.status_code == 200, answer.content
    return answer.json(), answer["ETag"]


def published(tenant):
    with acting_for(tenant.pk):
        return sorted(SubscriberAgreement.objects.values_list("slug", "language", "version"))


def test_a_text_is_published_and_who_had_agreed_is_told_of(calls, acme, ada, petra):
    draft = filled(petra, acme)
    before, tag = read(calls)
    body = {"title": before["title"], "text": before["text"] + "\n\nOne more promise."}
    dry = calls.put(PATH, {**body, "dry_run": True}, **{"If-Match": tag})
    assert (dry["saved"], dry["agreement"], len(published(acme))) == (False, before, 1)
    told = calls.put(PATH, body, **{"If-Match": tag})
    assert (told["saved"], told["compared"], told["lines"]) == (True, True, dry["lines"])
    assert {"kind": "inserted", "text": "One more promise."} in told["lines"]
    assert str(draft.pk) in {row["id"] for each in told["reached"] for row in each["requests"]}
    assert read(calls)[0] == told["agreement"]
    assert (told["agreement"]["version"], told["agreement"]["made_by"]) == (2, str(ada.pk))
    assert [row["version"] for row in calls.get(f"{PATH}/versions")["results"]] == [2, 1]
    assert calls.get(f"{PATH}/versions/1") == before
    with acting_for(acme.pk):
        line = AuditEvent.objects.get(code="agreement:publish")
    assert line.facts["through_token"] == calls.secret[:12]


def test_an_agreement_is_listed_with_its_languages_and_uses(calls):
    [row] = calls.get("agreements")["results"]
    told = calls.get("agreements/subscriber")
    assert told["texts"] == [row]
    assert {"profile": "tls-server", "operation": "issue"} in told["uses"]


def test_a_new_agreement_begins_in_english_and_gets_other_languages(calls, acme):
    answer = calls.call("POST", "agreements", {"title": "Rules for robots", "text": "Be careful."})
    assert (answer.status_code, answer["Location"].endswith("/agreements/rules-for-robots/en")) == (201, True)
    czech = calls.call("PUT", "agreements/rules-for-robots/cs", {"title": "Pravidla", "text": "Opatrně."})
    assert (czech.status_code, calls.get(czech["Location"])["title"]) == (201, "Pravidla")
    assert published(acme)[:2] == [("rules-for-robots", "cs", 1), ("rules-for-robots", "en", 1)]
    late = calls.call("PUT", "agreements/rules-for-robots/cs", {"title": "Jinak", "text": "Jinak."})
    assert (late.status_code, late.json()["code"]) == (428, "etag-wanted")


def test_the_same_key_writes_one_agreement(calls, acme):
    body, key = {"title": "Twice", "text": "Once."}, str(uuid4())
    first, again = (calls.call("POST", "agreements", body, **{"Idempotency-Key": key}) for _ in range(2))
    assert (again.status_code, again.json()) == (201, first.json())
    assert len(published(acme)) == 2


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, "nothing-changed"),
        ({"text": "hidden\u202e"}, "invalid"),
        ({"title": ""}, "invalid"),
        ({"text": 5}, "invalid"),
    ],
)
def test_what_nobody_could_agree_to_is_not_published(calls, owner, change, code):
    text, tag = read(calls)
    body = {"title": text["title"], "text": text["text"]} | change
    before = stands(owner)
    assert refused(calls, "PUT", PATH, body, **{"If-Match": tag}) == (422, code)
    assert stands(owner) == before


def test_nobody_publishes_over_what_they_have_not_read(calls, owner):
    text, tag = read(calls)
    calls.put(PATH, {"title": "Other", "text": text["text"]}, **{"If-Match": tag})
    body = {"title": "Mine", "text": text["text"]}
    before = stands(owner)
    assert refused(calls, "PUT", PATH, body) == (428, "etag-wanted")
    assert refused(calls, "PUT", PATH, body, **{"If-Match": tag}) == (412, "changed-since")
    assert stands(owner) == before


def test_acceptances_are_listed_by_person_and_by_request(calls, acme, petra, dan):
    mine, theirs = submitted(petra, acme), submit(filled(dan, acme), dan)
    path = f"{PATH}/versions/1/acceptances"
    rows = calls.get(path)["results"]
    assert {(row["person"], row["request"]) for row in rows} == {
        (str(petra.pk), str(mine.pk)),
        (str(dan.pk), str(theirs.pk)),
    }
    assert [row["person"] for row in calls.get(f"{path}?q=petra")["results"]] == [str(petra.pk)]
    assert [row["request"] for row in calls.get(f"{path}?q={theirs.number}")["results"]] == [str(theirs.pk)]
    assert refused(calls, "GET", f"{path}?who=petra") == (422, "invalid")


def test_the_doors(program, globex, ada, vera, petra, owner):
    body = {"title": "A title", "text": "A text."}
    reading = [
        ("GET", path)
        for path in (
            "agreements",
            "agreements/subscriber",
            PATH,
            f"{PATH}/versions",
            f"{PATH}/versions/1",
            f"{PATH}/versions/1/acceptances",
        )
    ]
    writing = [("POST", "agreements", body), ("PUT", PATH, body)]
    foreign = program(vera, tenant=globex)
    foreign.tenant = "acme"
    shut(owner, foreign, reading + writing, (401, "token-wanted"))
    shut(owner, program(ada, "people:read"), reading + writing, (403, "token-may-not"))
    shut(owner, program(ada, "rules:read"), writing, (403, "token-may-not"))
    shut(owner, program(petra), reading + writing, (403, "may-not"))
    shut(owner, program(vera), writing, (403, "may-not"))
    nowhere = [("GET", path.replace("subscriber", "nothing")) for _get, path in reading[1:]]
    nowhere += [("GET", f"{PATH}/versions/{2**40}"), ("GET", "agreements/subscriber/cs")]
    nowhere += [("PUT", "agreements/nothing/en", body), ("PUT", "agreements/subscriber/xx", body)]
    shut(owner, program(ada), nowhere, (404, "not-found"))
