"""The OpenAPI document: valid, free of warnings, and exactly what the routes and their guards say."""

import json

import jsonschema
import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from portal.api.document import document
from portal.api.schema import PREFIX, view_at
from portal.foundation.access.guards import needs, takes_token
from portal.foundation.access.permissions import Permission
from portal.foundation.access.scopes import SCOPES, scopes_with

METHODS = ("get", "post", "put", "delete", "patch", "head", "options", "trace")


def operations():
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def routes(patterns=None):
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns)
        elif isinstance(pattern, URLPattern) and takes_token(pattern.callback):
            yield pattern


def test_it_is_valid_openapi_and_was_made_without_a_warning():
    made = SchemaGenerator().get_schema(public=True)
    assert not GENERATOR_STATS, "drf_spectacular warned; see its output"
    validate_schema(made)
    assert made["openapi"].startswith("3.1")


def test_every_schema_in_it_is_valid_json_schema():
    for name, schema in document()["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema), name


def test_every_route_for_programs_is_in_it_and_nothing_else_is():
    documented = {(view_at(path, operation).view_class, method) for path, method, operation in operations()}
    real = {
        (pattern.callback.view_class, method)
        for pattern in routes()
        for method in METHODS
        if method not in {"head", "options"} and hasattr(pattern.callback.view_class, method)
    }
    assert documented == real


def test_every_route_for_programs_is_named_as_one_and_stands_under_its_tenant():
    assert all(str(pattern.name).startswith("api-") for pattern in routes())
    assert all(path.startswith(f"{PREFIX}{{tenant}}/") for path, _method, _operation in operations())


def test_every_method_of_a_route_has_a_guard_of_its_own():
    """A method that the guard does not name would be judged by the permission of another one."""
    for path, method, operation in operations():
        assert method.upper() in view_at(path, operation).needs, (method, path)
        offered = set(view_at(path, operation).needs)
        assert offered <= {each.upper() for each in document()["paths"][path]}, path


def test_every_documented_scope_is_the_guards():
    for path, method, operation in operations():
        permission = needs(view_at(path, operation), method.upper())
        assert isinstance(permission, Permission)
        assert operation["x-permission"] == permission.value
        told = {scope for each in operation["security"] for scope in each["token"]}
        assert told == (set(scopes_with(permission)) if len(scopes_with(permission)) < len(SCOPES) else set()), path


def test_every_permission_that_an_operation_needs_has_a_scope():
    assert all(scopes_with(Permission(operation["x-permission"])) for _path, _method, operation in operations())


def test_names_of_operations_are_there_once_and_say_what_they_are():
    names = [operation["operationId"] for _path, _method, operation in operations()]
    assert len(names) == len(set(names))
    for path, method, operation in operations():
        assert operation.get("summary"), (method, path)
        assert len(operation["tags"]) == 1


def test_every_operation_tells_its_keys_conditions_and_problems():
    for path, method, operation in operations():
        headers = {each["name"] for each in operation["parameters"] if each["in"] == "header"}
        assert ("Idempotency-Key" in headers) == (method == "post"), (method, path)
        assert ("If-None-Match" in headers) == (method == "get")
        assert {"401", "403", "404", "406", "429", "503"} <= operation["responses"].keys()
        if method == "get":
            assert {"200", "304"} <= operation["responses"].keys()
            assert "ETag" in operation["responses"]["200"]["headers"]
        else:
            assert {"400", "409", "413", "415", "422"} <= operation["responses"].keys()
        for status, answer in operation["responses"].items():
            if status != "414":  # which never reached the portal
                assert "X-Request-ID" in answer["headers"], (method, path, status)


def test_objects_that_are_sent_take_no_more_than_they_say():
    for name, schema in document()["components"]["schemas"].items():
        if name.endswith("Request") and schema.get("type") == "object":
            assert schema["additionalProperties"] is False, name


@pytest.mark.django_db
def test_anybody_may_read_it_and_it_is_known_by_its_tag(world):
    answer = Client().get("/api/v1/schema")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/vnd.oai.openapi+json")
    assert json.loads(answer.content) == json.loads(json.dumps(document()))
    assert Client().get("/api/v1/schema", headers={"If-None-Match": answer["ETag"]}).status_code == 304
    assert Client().post("/api/v1/schema").status_code == 405
