"""Profiles read, made and changed by programs, under the rules of the page."""

from uuid import uuid4

import pytest

from lifecycle.authorities.models import CertificateAuthority, CertificateProfile
from portal.foundation.audit.models import AuditEvent
from portal.foundation.tenancy.context import acting_for
from tests.api.doors import refused, shut, stands
from tests.world import begun

pytestmark = pytest.mark.django_db(transaction=True)

PATH = "profiles/tls-server"


@pytest.fixture
def calls(program, ada):
    return program(ada)


def read(calls, path=PATH):
    """What stands there, and its ETag."""
    answer = calls.call("GET", path)
    assert answer.status_code == 200, answer.content
    return answer.json(), answer["ETag"]


def made(tenant, slug):
    with acting_for(tenant.pk):
        return list(CertificateProfile.objects.filter(slug=slug).order_by("version"))


def start(calls, slug="tls-server", **changes):
    """The body that makes a profile of one of the portal's own starts."""
    [found] = [each for each in calls.get("profile-choices")["starts"] if each["slug"] == slug]
    return {"trust": found["trust"], "content": found["content"] | {"title": "Gateways", **changes}}


def test_profiles_are_listed_and_paged(calls):
    everything = calls.get("profiles")["results"]
    assert [row["slug"] for row in everything] == sorted(row["slug"] for row in everything)
    first = calls.get("profiles?limit=1")
    assert first["results"] + calls.get(first["next"])["results"] == everything[:2]
    assert calls.get(f"profiles/{everything[0]['slug']}") == everything[0]


def test_a_profile_is_made_of_a_start_and_nothing_is_allowed_with_it(calls, acme, ada):
    body = start(calls)
    answer = calls.call("POST", "profiles", body)
    assert answer.status_code == 201, answer.content
    told = answer.json()
    assert told["saved"] is True
    assert calls.get(answer["Location"]) == told["profile"]
    assert told["profile"]["content"] == body["content"]
    assert (told["profile"]["slug"], told["profile"]["area"], told["profile"]["made_by"]) == (
        "gateways",
        "gateways",
        str(ada.pk),
    )
    assert calls.get("policies?profile=gateways")["results"] == []
    with acting_for(acme.pk):
        line = AuditEvent.objects.get(code="profile:create")
    assert line.facts["through_token"] == calls.secret[:12]


def test_the_same_key_makes_one_profile(calls, acme):
    body, key = start(calls), str(uuid4())
    first = calls.call("POST", "profiles", body, **{"Idempotency-Key": key})
    again = calls.call("POST", "profiles", body, **{"Idempotency-Key": key})
    assert (again.status_code, again.json(), again["Location"]) == (201, first.json(), first["Location"])
    assert len(made(acme, "gateways")) == 1
    dry = {**body, "dry_run": True}
    assert refused(calls, "POST", "profiles", dry, **{"Idempotency-Key": key}) == (422, "idempotency-key-used")


def test_a_dry_run_makes_nothing(calls, owner):
    body = start(calls) | {"dry_run": True}
    _ = calls.post("profiles", body)  # its first answer is kept like any other
    before = stands(owner)
    told = calls.post("profiles", body)
    after = stands(owner)
    assert (told["saved"], told["profile"]) == (False, None)
    assert before["api_firstanswer"] != after["api_firstanswer"]
    assert {**before, "api_firstanswer": None} == {**after, "api_firstanswer": None}


def test_a_next_version_says_what_changes_and_whom_it_reaches(calls, acme, petra):
    draft = begun(petra, acme, profile="tls-server")
    profile, tag = read(calls)
    content = profile["content"] | {"days": 47}
    dry = calls.put(PATH, {"content": content, "dry_run": True}, **{"If-Match": tag})
    assert (dry["saved"], len(made(acme, "tls-server"))) == (False, 1)
    told = calls.put(PATH, {"content": content}, **{"If-Match": tag})
    assert (told["saved"], told["changes"]) == (True, dry["changes"])
    [change] = told["changes"]
    assert (change["field"], change["before"], change["after"]) == ("days", "90 days", "47 days")
    assert str(draft.pk) in {row["id"] for each in told["reached"] for row in each["requests"]}
    assert told["profile"] == read(calls)[0]
    assert [row["version"] for row in calls.get(f"{PATH}/versions")["results"]] == [2, 1]
    assert calls.get(f"{PATH}/versions/1") == profile
    compared = calls.get(f"{PATH}/comparison")
    assert compared == {"older": 1, "newer": 2, "changes": told["changes"]}
    assert calls.get(f"{PATH}/comparison?from=2&to=1")["changes"][0]["after"] == "90 days"


def test_what_was_read_can_be_sent_back_and_changes_nothing(calls, owner):
    profile, tag = read(calls)
    before = stands(owner)
    body = {"content": profile["content"]}
    assert refused(calls, "PUT", PATH, body, **{"If-Match": tag}) == (422, "profile-unchanged")
    assert stands(owner) == before


def test_nobody_changes_what_they_have_not_read(calls, owner):
    profile, tag = read(calls)
    body = {"content": profile["content"] | {"days": 47}}
    calls.put(PATH, {"content": profile["content"] | {"days": 80}}, **{"If-Match": tag})
    before = stands(owner)
    assert refused(calls, "PUT", PATH, body) == (428, "etag-wanted")
    assert refused(calls, "PUT", PATH, body, **{"If-Match": tag}) == (412, "changed-since")
    assert stands(owner) == before


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"days": 0}, "days", "min_value"),
        ({"days": "47"}, "days", "wrong-type"),
        ({"key_types": []}, "key_types", "min_length"),
        ({"key_types": ["rsa-1024"]}, "key_types/0", "invalid_choice"),
        ({"key_usage": {"ec": []}}, "key_usage/ec", "uses"),
        ({"key_usage": {"dsa": []}}, "key_usage/dsa", "unknown"),
        ({"key_types": ["ec-p256"]}, "key_usage/rsa", "idle"),
        ({"extended_key_usages": ["server"]}, "extended_key_usages/0", "invalid"),
        ({"fixed_subject": {"country": "cz"}}, "subject", "subject"),
        ({"title": "Gate\u200bways"}, "title", "invalid"),
        ({"authority": str(uuid4())}, "authority", "invalid_choice"),
        ({"days": 3650}, "days", "nested"),
    ],
)
def test_what_cannot_be_is_refused_by_its_place(calls, owner, change, pointer, code):
    body = start(calls, **change)
    before = stands(owner)
    answer = calls.call("POST", "profiles", body)
    assert answer.status_code == 422, answer.content
    assert (f"/content/{pointer}", code) in {(each["pointer"], each["code"]) for each in answer.json()["errors"]}
    assert stands(owner) == before


def test_another_tenants_authority_issues_nothing_here(calls, globex, owner):
    with acting_for(globex.pk):
        theirs = CertificateAuthority.objects.get(slug="issuing")
    assert str(theirs.pk) not in {each["id"] for each in calls.get("profile-choices")["authorities"]}
    body = start(calls, authority=str(theirs.pk))
    shut(owner, calls, [("POST", "profiles", body)], (422, "invalid"))


def test_a_profile_keeps_its_trust_class(calls, owner):
    profile, tag = read(calls)
    body = {"content": profile["content"] | {"days": 47}, "trust": "public-tls"}
    before = stands(owner)
    answer = calls.call("PUT", PATH, body, **{"If-Match": tag})
    assert [(each["pointer"], each["code"]) for each in answer.json()["errors"]] == [("/trust", "unknown")]
    assert stands(owner) == before


def test_the_doors(program, globex, ada, vera, petra, owner):
    body = start(program(ada))
    reading = [
        ("GET", path)
        for path in (
            "profiles",
            PATH,
            f"{PATH}/versions",
            f"{PATH}/versions/1",
            f"{PATH}/comparison",
            "profile-choices",
        )
    ]
    writing = [("POST", "profiles", body), ("PUT", PATH, {"content": body["content"]})]
    foreign = program(vera, tenant=globex)
    foreign.tenant = "acme"
    shut(owner, foreign, reading + writing, (401, "token-wanted"))
    shut(owner, program(ada, "people:read"), reading + writing, (403, "token-may-not"))
    shut(owner, program(ada, "rules:read"), writing, (403, "token-may-not"))
    shut(owner, program(petra), reading + writing, (403, "may-not"))
    shut(owner, program(vera), writing, (403, "may-not"))
    nowhere = [("GET", f"profiles/nothing{rest}") for rest in ("", "/versions", "/versions/1", "/comparison")]
    nowhere += [("GET", f"{PATH}/versions/{2**40}"), ("GET", f"{PATH}/comparison?to=7")]
    nowhere += [("PUT", "profiles/nothing", {"content": body["content"]})]
    shut(owner, program(ada), nowhere, (404, "not-found"))
    shut(owner, program(ada), [("GET", f"{PATH}/comparison?to=new")], (422, "invalid"))
