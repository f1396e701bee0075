"""Policies read and changed by programs, under the rules of the page."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from lifecycle.administration.wording import OPERATIONS
from lifecycle.policies.models import Policy
from portal.foundation.audit.models import AuditEvent
from portal.foundation.tenancy.context import acting_for
from tests.api.doors import refused, shut, stands
from tests.world import filled, next_policies

pytestmark = pytest.mark.django_db(transaction=True)

PATH = "policies/desktop-signing"


@pytest.fixture
def calls(program, ada):
    return program(ada)


def read(calls, path=PATH):
    """What stands there, and its ETag."""
    answer = calls.call("GET", path)
    assert answer.status_code == 200, answer.content
    return answer.json(), answer["ETag"]


def asks_of(matrix, operation):
    [row] = [row for row in matrix["operations"] if row["operation"] == operation]
    return row["asks"]


def versions(tenant, operation="rekey"):
    with acting_for(tenant.pk):
        found = Policy.objects.filter(profile="desktop-signing", operation=operation).order_by("version")
        return list(found.values_list("version", "approvals"))


def test_every_policy_is_listed_narrowed_and_paged(calls):
    everything = calls.get("policies?limit=100")["results"]
    assert len(everything) == len({(row["profile"], row["operation"]) for row in everything}) > 2
    narrowed = calls.get("policies?profile=tls-server")["results"]
    assert narrowed
    assert narrowed == [row for row in everything if row["profile"] == "tls-server"]
    found, address = [], "policies?limit=2"
    while address:
        page = calls.get(address)
        found += page["results"]
        address = page["next"]
    assert found == everything


@pytest.mark.parametrize("query", ["profil=tls-server", "operation=burn", "limit=0", "after=nonsense", "sort=title"])
def test_a_list_tells_what_it_does_not_understand(calls, query):
    assert refused(calls, "GET", f"policies?{query}") == (422, "invalid")


def test_a_profile_shows_every_operation_also_those_nobody_decided(calls):
    matrix, _tag = read(calls)
    assert [row["operation"] for row in matrix["operations"]] == list(OPERATIONS)
    undecided = [row for row in matrix["operations"] if not row["version"]]
    assert undecided
    assert not any(row["asks"]["enabled"] for row in undecided)


def test_a_change_is_saved_with_a_version_a_line_and_what_it_gives_up(calls, acme, ada, petra):
    next_policies(acme, approvals=1)
    draft = filled(petra, acme, profile="desktop-signing")
    matrix, tag = read(calls)
    wanted = asks_of(matrix, "issue") | {"approvals": 0}
    told = calls.put(PATH, {"operations": {"issue": wanted}}, **{"If-Match": tag})
    assert told["saved"] is True
    [change] = told["changes"]
    assert (change["operation"], change["field"], change["after"]) == ("issue", "approvals", "None")
    assert change["gives_up"]
    assert {"id": str(draft.pk), "number": draft.number} in [
        row for each in told["reached"] for row in each["requests"]
    ]
    assert asks_of(told["policies"], "issue")["approvals"] == 0
    assert versions(acme, "issue")[-1] == (3, 0)
    with acting_for(acme.pk):
        line = AuditEvent.objects.get(code="policy:change")
    assert (line.actor, line.facts["through_token"]) == (str(ada.pk), calls.secret[:12])
    [newest, *_rest] = calls.get(f"{PATH}/versions")["results"]
    assert (newest["version"], newest["made_by"], newest["changes"]) == (3, str(ada.pk), told["changes"])
    assert calls.get(f"{PATH}/operations/issue")["asks"] == wanted
    assert calls.get(f"{PATH}/operations/issue/versions/2")["asks"]["approvals"] == 1


def test_what_was_read_can_be_sent_back_and_changes_nothing(calls, owner):
    matrix, tag = read(calls)
    body = {"operations": {row["operation"]: row["asks"] for row in matrix["operations"]}}
    before = stands(owner)
    assert refused(calls, "PUT", PATH, body, **{"If-Match": tag}) == (422, "nothing-changed")
    assert stands(owner) == before


def test_a_dry_run_says_the_same_and_saves_nothing(calls, owner):
    matrix, tag = read(calls)
    body = {"operations": {"rekey": asks_of(matrix, "rekey") | {"factor": "totp"}}}
    before = stands(owner)
    dry = calls.put(PATH, {**body, "dry_run": True}, **{"If-Match": tag})
    assert stands(owner) == before
    assert (dry["saved"], dry["policies"]) == (False, matrix)
    wet = calls.put(PATH, body, **{"If-Match": tag})
    assert (wet["saved"], wet["changes"], wet["reached"]) == (True, dry["changes"], dry["reached"])


def test_nobody_changes_what_they_have_not_read(calls, acme, owner):
    matrix, tag = read(calls)
    body = {"operations": {"rekey": asks_of(matrix, "rekey") | {"approvals": 1}}}
    next_policies(acme, factor="email-code")
    before = stands(owner)
    assert refused(calls, "PUT", PATH, body) == (428, "etag-wanted")
    assert refused(calls, "PUT", PATH, body, **{"If-Match": "*"}) == (428, "etag-wanted")
    assert refused(calls, "PUT", PATH, body, **{"If-Match": tag}) == (412, "changed-since")
    assert stands(owner) == before


def test_of_two_programs_that_read_the_same_one_saves(program, acme, ada):
    pair = [program(ada), program(ada)]
    matrix, tag = read(pair[0])
    body = {"operations": {"rekey": asks_of(matrix, "rekey") | {"approvals": 1}}}
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(each.call, "PUT", PATH, body, **{"If-Match": tag}) for each in pair]
        ends = sorted(run.result().status_code for run in runs)
    assert ends in ([200, 409], [200, 412])
    assert versions(acme) == [(1, 0), (2, 1)]


@pytest.mark.parametrize(
    ("operation", "change", "pointer", "code"),
    [
        ("rekey", {"approvals": 3}, "approvals", "reviewers"),
        ("recover", {"enabled": True}, "enabled", "settled"),
        ("issue", {"checks_caa": True}, "checks_caa", "settled"),
        ("revoke", {"agreement": "subscriber"}, "agreement", "settled"),
        ("rekey", {"agreement": "unwritten"}, "agreement", "invalid_choice"),
        ("rekey", {"factor": "totp", "factor_settings": {"digits": 8}}, "factor_settings/digits", "settled"),
        ("rekey", {"limits": {"longest_days": 0}}, "limits/longest_days", "min_value"),
        ("rekey", {"limits": {"most_money": 5}}, "limits/most_money", "unknown"),
        ("rekey", {"factor": "pigeon"}, "factor", "invalid_choice"),
        ("rekey", {"approvals": "1"}, "approvals", "wrong-type"),
        ("rekey", {"enabled": None}, "enabled", "null"),
    ],
)
def test_what_cannot_be_is_refused_by_its_place(calls, owner, operation, change, pointer, code):
    matrix, tag = read(calls)
    body = {"operations": {operation: asks_of(matrix, operation) | change}}
    before = stands(owner)
    answer = calls.call("PUT", PATH, body, **{"If-Match": tag})
    assert answer.status_code == 422, answer.content
    assert (f"/operations/{operation}/{pointer}", code) in {(e["pointer"], e["code"]) for e in answer.json()["errors"]}
    assert stands(owner) == before


def test_a_setting_that_is_left_out_is_asked_for(calls, owner):
    matrix, tag = read(calls)
    half = {"enabled": True}
    before = stands(owner)
    answer = calls.call("PUT", PATH, {"operations": {"rekey": half}}, **{"If-Match": tag})
    assert {each["code"] for each in answer.json()["errors"]} == {"required"}
    assert stands(owner) == before
    assert matrix == read(calls)[0]


def test_the_doors(program, acme, globex, ada, vera, petra, wei, owner):
    body = {"operations": {}}
    reading = [("GET", path) for path in ("policies", PATH, f"{PATH}/versions", f"{PATH}/operations/rekey")]
    writing = [("PUT", PATH, body)]
    foreign = program(vera, tenant=globex)
    foreign.tenant = "acme"
    shut(owner, foreign, reading + writing, (401, "token-wanted"))
    shut(owner, program(ada, "people:read"), reading + writing, (403, "token-may-not"))
    shut(owner, program(ada, "rules:read"), writing, (403, "token-may-not"))
    shut(owner, program(petra), reading + writing, (403, "may-not"))
    shut(owner, program(vera), writing, (403, "may-not"))
    nowhere = [
        ("GET", "policies/nothing"),
        ("GET", "policies/nothing/versions"),
        ("GET", f"{PATH}/operations/burn"),
        ("GET", f"{PATH}/operations/rekey/versions/{2**40}"),
        ("PUT", "policies/nothing", body),
    ]
    shut(owner, program(ada), nowhere, (404, "not-found"))


def test_a_token_that_may_not_see_requests_is_not_told_their_numbers(program, acme, ada, petra):
    filled(petra, acme, profile="desktop-signing")
    calls = program(ada, "rules:change")
    matrix, tag = read(calls)
    body = {"operations": {"issue": asks_of(matrix, "issue") | {"factor": "totp"}}, "dry_run": True}
    told = calls.put(PATH, body, **{"If-Match": tag})
    assert len(told["reached"]) > 1
    assert not any(each["requests"] for each in told["reached"])
