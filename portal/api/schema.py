"""What every operation of the API has in common, written into the OpenAPI document once for all of them."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from django.urls import resolve

from portal.foundation.access.guards import needs
from portal.foundation.access.permissions import Permission
from portal.foundation.access.scopes import SCOPES, scopes_with

_PROBLEM = {
    "type": "object",
    "description": "A refusal (RFC 9457). Decide by `code`; the texts are for people.",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string", "description": "What happened, and to what."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What to do next."},
        "code": {"type": "string", "description": "Stable: it stays when the texts change."},
        "request_id": {"type": "string", "description": "The same as in the header X-Request-ID."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "message"],
                "properties": {
                    "pointer": {"type": "string", "description": "RFC 6901 into the body, or the parameter's name."},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
}

_WAIT = {"description": "Seconds.", "schema": {"type": "integer"}}
_LATER: dict[str, Any] = {"Retry-After": {**_WAIT, "required": True}}
_PERHAPS_LATER: dict[str, Any] = {"Retry-After": _WAIT}

PROBLEMS: dict[str, tuple[str, dict[str, Any]]] = {
    "401": (
        "No valid token of this organisation.",
        {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}},
    ),
    "403": ("Neither this token nor, perhaps, its person may do this.", {}),
    "404": ("There is no such thing, or it is somebody else's.", {}),
    "406": ("The header Accept leaves nothing.", {}),
    "429": ("Too many calls.", _LATER),
    "503": ("The portal cannot work for the moment.", _PERHAPS_LATER),
}
"""Status, words, headers: what any operation may answer."""

OF_QUERIES: dict[str, tuple[str, dict[str, Any]]] = {
    "409": ("It is no longer in a state in which this can be read.", {}),
    "412": ("It is not as If-Match says.", {}),
    "422": ("A parameter is not as it is asked for.", {}),
}
OF_CHANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "400": ("No JSON, or no Idempotency-Key.", {}),
    "409": ("Somebody was faster, or the first request with this key is still under way.", {}),
    "412": ("It changed since it was read (If-Match).", {}),
    "413": ("The body is too large.", {}),
    "415": ("The body is no JSON.", {}),
    "422": ("Something in the body is not as it is asked for, or a rule forbids it.", {}),
}

_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "New and random for each deed; the same when it is repeated because its answer was lost.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]{1,255}$"},
}
_SEEN = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of what was read: the change is made only if it is still like that.",
    "schema": {"type": "string", "pattern": '^"[0-9a-f]{32}"$'},
}
_HAVE = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of what you have: the answer is 304 if it is still like that.",
    "schema": {"type": "string"},
}
_REPLAYED = {
    "description": "“true” where this is the answer that the same key got first.",
    "schema": {"type": "string"},
}
_TOO_LONG = {"description": "The address is too long, says the server that stands in front of the portal, in HTML."}
_ETAG = {"description": "A strong validator of this answer.", "required": True, "schema": {"type": "string"}}
_REQUEST_ID = {"description": "Tell it when you write to us.", "required": True, "schema": {"type": "string"}}

_OF_304 = {"ETag": _ETAG, "X-Request-ID": _REQUEST_ID}

PREFIX = "/api/v1/t/"


def only_the_api(endpoints: list[Any]) -> list[Any]:
    """Leave the document's own address out of it."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith(PREFIX)]


def what_all_operations_share(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add keys, conditions, problems and headers to what the views say of themselves."""
    schemas = result["components"].setdefault("schemas", {})
    for name, schema in schemas.items():
        if name.endswith("Request") and "oneOf" in schema:
            schema["anyOf"] = schema.pop("oneOf")  # an empty object fits several
        elif name.endswith("Request"):
            schema["additionalProperties"] = False  # what nobody asks for is refused
    schemas["Problem"] = _PROBLEM
    for path, method, operation in _operations(result):
        _add_parameters(method, operation, is_read="get" in result["paths"][path])
        _add_scopes(path, method, operation)
        _add_answers(method, operation)
    return result


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        yield from ((path, method, operation) for method, operation in item.items() if isinstance(operation, dict))


def _add_parameters(method: str, operation: dict[str, Any], *, is_read: bool) -> None:
    parameters = operation.setdefault("parameters", [])
    for parameter in parameters:
        if parameter["in"] == "path" and parameter["name"] == "tenant":
            parameter["description"] = "The organisation's short name."
    if method == "get":
        parameters.append(_HAVE)
    if method == "post":
        parameters.append(_KEY)
    if "x-if-match" in operation or (is_read and method in {"put", "delete"}):
        parameters.append({**_SEEN, "required": operation.get("x-if-match") == "required"})


def _add_scopes(path: str, method: str, operation: dict[str, Any]) -> None:
    """Say what the guard says: any one of these scopes does, and the person needs a role that holds the permission."""
    permission = needs(view_at(path, operation), method.upper())
    if not isinstance(permission, Permission):
        raise TypeError(f"{method} {path} is not for programs")
    scopes = scopes_with(permission)
    operation["x-permission"] = permission.value
    operation["security"] = [{"token": [scope]} for scope in scopes] if len(scopes) < len(SCOPES) else [{"token": []}]


def view_at(path: str, operation: dict[str, Any]) -> Callable[..., Any]:
    """The view behind a path of the document, guard and all."""
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", _stand_in(parameter["schema"]))
    view: Callable[..., Any] = resolve(path).func
    return view


def _add_answers(method: str, operation: dict[str, Any]) -> None:
    if "x-if-match" in operation:
        operation["responses"]["428"] = _problem("An If-Match is wanted.", {})
    for status, answer in operation["responses"].items():
        headers = answer.setdefault("headers", {})
        headers["X-Request-ID"] = _REQUEST_ID
        if method == "get" and status == "200":
            headers["ETag"] = _ETAG
        if method == "post":
            headers["Idempotency-Replayed"] = _REPLAYED
    if method == "get":
        operation["responses"]["304"] = {"description": "It is as you have it.", "headers": _OF_304}
    others = OF_QUERIES if method == "get" else OF_CHANGES
    for status, (words, headers) in {**PROBLEMS, **others}.items():
        operation["responses"].setdefault(status, _problem(words, headers))
    operation["responses"].setdefault("414", _TOO_LONG)


def _stand_in(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return str(schema["enum"][0])
    if schema.get("format") == "uuid":
        return str(UUID(int=0))
    return "1" if schema["type"] == "integer" else "any"


def _problem(words: str, headers: dict[str, Any]) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": words,
        "headers": {"X-Request-ID": _REQUEST_ID, **headers},
        "content": {"application/problem+json": {"schema": schema}},
    }
