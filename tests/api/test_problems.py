"""What a program is refused before any rule is asked: who it is, how it asks, and what it sends."""

import json

import pytest
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework import serializers

from portal.foundation.access import tokens
from portal.foundation.access.errors import TokenWanted
from portal.foundation.api import parsing
from portal.foundation.api.bodies import posted, taken
from portal.foundation.api.errors import Invalid, NotJson
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import Tenant
from tests.api.conftest import Program
from tests.rows import everything
from tests.world import issued, signed_in, token_of

pytestmark = pytest.mark.django_db

BEGIN = {"kind": "issue", "profile": "desktop-signing"}


def masked(answer):
    headers = {name: value for name, value in answer.items() if name not in {"X-Request-ID", "Content-Length"}}
    return answer.status_code, {**answer.json(), "request_id": ""}, headers


# --- who asks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic cGV0cmE6eA==",
        "Bearer nonsense",
        "Bearer cpt_" + "x" * 43,
        "Bearer cpt_" + "x" * 100_000,
        "Bearer cpt_\x00\ud800é",
        "bearer cpt_é",
        "Bearer cpt_" + "x" * 43 + ", Bearer y",
    ],
)
def test_whoever_is_not_recognised_learns_nothing_and_touches_nothing(world, owner, authorization):
    before = everything(owner)
    answers = [
        Client().generic(method, f"/api/v1/t/{tenant}/{path}", headers={"Authorization": authorization})
        for method in ("GET", "POST", "DELETE", "OPTIONS")
        for tenant in ("acme", "globex", "nowhere", "platform")
        for path in ("certificates", "requests")
    ]
    told = {json.dumps(masked(answer), sort_keys=True) for answer in answers}
    assert len(told) == 1
    assert answers[0].status_code == 401
    assert answers[0].json()["code"] == "token-wanted"
    assert answers[0]["WWW-Authenticate"] == "Bearer"
    assert everything(owner) == before


def test_anothers_token_is_none_here(hank, petra, acme, globex, owner):
    secret = token_of(hank, globex)[1]
    before = everything(owner)
    theirs = Program("acme", secret).call("GET", "certificates")
    nobodys = Program("acme", "cpt_" + "x" * 43).call("GET", "certificates")
    nowhere = Program("nowhere", secret).call("GET", "certificates")
    assert masked(theirs) == masked(nobodys) == masked(nowhere)
    assert theirs.status_code == 401
    assert everything(owner) == before


def test_an_unknown_tenant_costs_what_an_unknown_secret_costs(acme, petra):
    token_of(petra, acme)
    spent = []
    for slug in ("acme", "nowhere"):
        with CaptureQueriesContext(connection) as queries, pytest.raises(TokenWanted):
            tokens.recognise(slug, "cpt_" + "x" * 43)
        spent.append([query["sql"].partition("WHERE")[0].partition("set_config")[0] for query in queries])
    assert spent[0] == spent[1]


def test_a_session_opens_nothing_and_can_be_forged_into_nothing(petra, owner):
    client = signed_in(Client(enforce_csrf_checks=True), petra)
    client.get("/")
    token = client.cookies["__Host-csrftoken"].value if "__Host-csrftoken" in client.cookies else "x"
    before = everything(owner)
    for method in ("GET", "POST", "PUT", "DELETE"):
        answer = client.generic(
            method, "/api/v1/t/acme/requests", json.dumps(BEGIN), "application/json", headers={"X-CSRFToken": token}
        )
        assert (answer.status_code, answer.json()["code"]) == (401, "token-wanted")
    assert everything(owner) == before


def test_a_token_works_beside_another_persons_session_and_takes_nothing_of_it(petra, hank, acme):
    client = signed_in(Client(), hank)
    headers = {"Authorization": f"Bearer {token_of(petra, acme)[1]}", "Idempotency-Key": "k"}
    answer = client.post("/api/v1/t/acme/requests", json.dumps(BEGIN), "application/json", headers=headers)
    assert answer.status_code == 201
    assert answer.json()["requested_by"] == str(petra.pk)


def test_a_token_opens_no_page(petra, acme):
    answer = Client().get("/t/acme/certificates/", headers={"Authorization": f"Bearer {token_of(petra, acme)[1]}"})
    assert answer.status_code == 302
    assert "/sign-in/" in answer["Location"]


def test_no_other_origin_is_let_in(petra, acme):
    program = Program("acme", token_of(petra, acme)[1])
    for method in ("GET", "OPTIONS"):
        answer = program.call(
            method, "certificates", Origin="https://evil.example", **{"Access-Control-Request-Method": "GET"}
        )
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_a_missing_scope_and_a_missing_role_are_told_apart(petra, acme, owner):
    reads = Program("acme", token_of(petra, acme, "certificates:read")[1])
    before = everything(owner, but={"access_apitoken"})
    scope = reads.call("POST", "requests", BEGIN)
    assert (scope.status_code, scope.json()["code"]) == (403, "token-may-not")
    assert "requests:make" in scope.json()["title"]
    role = Program("acme", token_of(petra, acme)[1]).call(
        "POST", "requests/01a1fed7-1482-7cd0-9c46-f3f279d6b0db/reviews", {}
    )
    assert (role.status_code, role.json()["code"]) == (403, "may-not")
    after = everything(owner, but={"access_apitoken"})
    assert len(after.pop("audit_auditevent")) - len(before.pop("audit_auditevent")) == 1  # the second token's making
    after.pop("audit_unsealed"), before.pop("audit_unsealed")
    assert after == before


# --- how it asks ------------------------------------------------------------------------------------------------------


@pytest.fixture
def program(petra, acme) -> Program:
    return Program("acme", token_of(petra, acme)[1])


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "NONSENSE"])
def test_a_method_that_is_not_possible_is_told_with_those_that_are(program, method):
    answer = program.call(method, "certificates")
    assert (answer.status_code, answer.json()["code"]) == (405, "wrong-method")
    assert answer["Allow"] == "GET, HEAD"


def test_a_form_that_nobody_has_is_refused_and_any_other_is_given(program):
    for accept in ("text/html", "application/xml", "image/*"):
        assert program.call("GET", "certificates", Accept=accept).status_code == 406
    for accept in ("application/json", "*/*", "application/*", "text/html, application/json;q=0.1"):
        assert program.call("GET", "certificates", Accept=accept).status_code == 200
    assert program.call("GET", "certificates?format=json").status_code == 422


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml"]
)
def test_bodies_are_json_alone(program, owner, kind):
    before = everything(owner, but={"access_apitoken"})
    headers = {"Authorization": f"Bearer {program.secret}", "Idempotency-Key": "k"}
    answer = program.client.generic("POST", "/api/v1/t/acme/requests", b'{"kind": "issue"}', kind, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "wrong-media-type")
    assert everything(owner, but={"access_apitoken"}) == before


DEEP = 5000
NO_JSON = {
    "nothing of it": b"nonsense",
    "cut off": b'{"kind": "issue"',
    "NaN": b'{"kind": NaN}',
    "Infinity": b'{"kind": -Infinity}',
    "a number beyond all numbers": b'{"kind": 1e999}',
    "a number beyond a double": b'{"kind": 9007199254740993}',
    "a very long number": b'{"kind": ' + b"9" * 100_000 + b"}",
    "a name twice": b'{"kind": "issue", "kind": "rekey"}',
    "a name twice inside": b'{"kind": {"a": 1, "a": 2}}',
    "lists without end": b"[" * DEEP,
    "deep lists": b'{"kind": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep objects": b'{"a":' * 30 + b"1" + b"}" * 30,
    "a NUL": b'{"kind": "is\\u0000sue"}',
    "a NUL in a name": b'{"ki\\u0000nd": "issue"}',
    "half a pair": b'{"kind": "\\ud800"}',
    "half a pair in a name": b'{"\\udfff": 1}',
    "no UTF-8": b'{"kind": "\xff"}',
    "UTF-16": '{"kind": "issue"}'.encode("utf-16"),
    "a mark of the byte order": '\ufeff{"kind": "issue"}'.encode(),
}


@pytest.mark.parametrize("name", NO_JSON)
def test_what_programs_could_read_differently_is_no_json_here(program, owner, name):
    before = everything(owner, but={"access_apitoken"})
    headers = {"Authorization": f"Bearer {program.secret}", "Idempotency-Key": "k"}
    answer = program.client.generic(
        "POST", "/api/v1/t/acme/requests", NO_JSON[name], "application/json", headers=headers
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "not-json")
    assert answer["Content-Type"] == "application/problem+json"
    assert everything(owner, but={"access_apitoken"}) == before


@pytest.mark.parametrize("body", [b"[]", b'"issue"', b"1", b"null", b"true"])
def test_what_is_no_object_is_told_so(body):
    with pytest.raises(Invalid) as refused:
        parsing.read(body)
    assert [each["code"] for each in refused.value.faults] == ["not-an-object"]


def test_what_is_plain_is_read_as_it_stands():
    content = {"a": [1, -2, 2**53 - 1, 0.5, True, None, "é\u2028😀\t"], "": {"b": {}}}
    assert parsing.read(json.dumps(content).encode()) == content
    with pytest.raises(NotJson):
        parsing.read(b"")


def test_a_body_that_is_too_large_is_told_so_before_it_is_parsed(program, settings, owner):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1024
    before = everything(owner, but={"access_apitoken"})
    answer = program.call("POST", "requests", {"kind": "x" * 2000})
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
    assert everything(owner, but={"access_apitoken"}) == before


# --- what it sends ----------------------------------------------------------------------------------------------------


class _Inner(serializers.Serializer):
    deep = serializers.BooleanField()


class _Outer(serializers.Serializer):
    text = serializers.CharField(required=False)
    number = serializers.IntegerField(required=False)
    flag = serializers.BooleanField(required=False)
    choice = serializers.ChoiceField(["1", "2"], required=False)
    several = serializers.MultipleChoiceField(choices=["1", "2"], required=False)
    names = serializers.ListField(child=serializers.CharField(), required=False)
    inner = _Inner(required=False)
    inners = _Inner(many=True, required=False)
    one = serializers.UUIDField(required=False)
    only_read = serializers.CharField(read_only=True)


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"text": 5}, ["/text"]),
        ({"text": {"a": 1}}, ["/text"]),
        ({"text": None}, ["/text"]),
        ({"number": "5"}, ["/number"]),
        ({"number": True}, ["/number"]),
        ({"number": 5.5}, ["/number"]),
        ({"flag": "true"}, ["/flag"]),
        ({"flag": 1}, ["/flag"]),
        ({"choice": 1}, ["/choice"]),
        ({"several": "1"}, ["/several"]),
        ({"several": [1]}, ["/several/0"]),
        ({"names": "a"}, ["/names"]),
        ({"names": ["a", 1, None]}, ["/names/1", "/names/2"]),
        ({"inner": []}, ["/inner"]),
        ({"inner": {"deep": "yes", "x": 1}}, ["/inner/deep", "/inner/x"]),
        ({"inners": [{"deep": True}, 7]}, ["/inners/1"]),
        ({"one": 5}, ["/one"]),
        ({"unknown~/": 1}, ["/unknown~0~1"]),
        ({"only_read": "x"}, ["/only_read"]),
    ],
)
def test_a_wrong_type_and_an_unknown_field_are_told_by_their_pointer(body, pointers):
    with pytest.raises(Invalid) as refused:
        taken(body, _Outer)
    assert sorted(each["pointer"] for each in refused.value.faults) == pointers


def test_the_right_types_are_taken(petra):
    body = {
        "text": "a",
        "number": 5.0,
        "flag": False,
        "choice": "1",
        "several": ["2"],
        "names": ["a"],
        "inner": {"deep": True},
    }
    assert taken(body, _Outer) == body


def test_json_is_put_into_a_forms_shape_and_nothing_nested_is():
    assert posted({"a": "b", "c": ["d", "e"], "f": None}) == QueryDict("a=b&c=d&c=e&f=")
    for nested in ({"a": 1}, [["b"]], [{"c": 1}]):
        with pytest.raises(Invalid):
            posted({"x": nested})


def test_a_refusal_is_a_problem_document_with_the_id_of_its_request(program):
    answer = program.call("POST", "requests", {"kind": "nonsense", "more": 1})
    document = answer.json()
    assert answer["Content-Type"] == "application/problem+json"
    assert document["type"] == f"urn:certificate-portal:problem:{document['code']}"
    assert document["request_id"] == answer["X-Request-ID"]
    assert document["status"] == answer.status_code == 422
    assert {fault["pointer"] for fault in document["errors"]} >= {"/kind", "/more"}


def test_an_address_that_is_none_is_not_there(program):
    for path in ("nothing", "certificates/", "certificates/1", "../../x"):
        answer = program.call("GET", path)
        assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")


def test_a_program_sees_another_tenants_thing_as_one_that_never_was(program, hank, globex):
    theirs = issued(hank, globex)
    answers = [program.call("GET", f"certificates/{pk}") for pk in (theirs.pk, "01a1fed7-1482-7cd0-9c46-f3f279d6b0db")]
    assert masked(answers[0]) == masked(answers[1])
    assert answers[0].status_code == 404


def test_the_tenant_in_the_address_is_the_tokens_own(petra, acme, globex):
    """A person with seats in both has no way from one into the other with one token."""
    with acting_for(acme.pk):
        assert Tenant.objects.filter(slug="globex").exists()
    answer = Program("globex", token_of(petra, acme)[1]).call("GET", "certificates")
    assert answer.status_code == 401
