"""The reference of the API as a page: the OpenAPI document, told to people, with the codes of every refusal.

What an operation is, asks and answers stands in the document's own words, which are English like the codes.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from portal.api.document import document, named_by, resolved
from portal.api.examples import curl, least
from portal.config import config
from portal.foundation.access.permissions import Permission, roles_with
from portal.foundation.access.scopes import SCOPES
from portal.foundation.api.lists import MOST
from portal.foundation.errors import Refusal

PACKAGES = ("portal", "lifecycle", "auth2fa")
_LONGEST_SEARCH = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """A parameter, or a field of a body or of an answer."""

    name: str
    type: str
    required: bool
    text: str
    refers: str = ""  # the schema that the type names, if it does
    where: str = ""  # path, query, header


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    text: str
    type: str
    refers: str
    is_problem: bool


@dataclass(frozen=True, slots=True)
class Operation:
    id: str
    method: str
    path: str
    title: str
    text: str
    scopes: tuple[str, ...]
    roles: str
    parameters: tuple[Asked, ...]
    body: tuple[Asked, ...]
    body_of: str
    answers: tuple[Answer, ...]
    curl: str

    def fits(self, text: str) -> bool:
        return text in f"{self.id} {self.method} {self.path} {self.title} {self.text} {' '.join(self.scopes)}".lower()


@dataclass(frozen=True, slots=True)
class Group:
    """Operations on one kind of thing."""

    name: str
    operations: tuple[Operation, ...]


def reference(request: HttpRequest) -> HttpResponse:
    """Show all operations, or those that `q` finds."""
    text = " ".join(request.GET.get("q", "").split())[:_LONGEST_SEARCH]
    found = (Group(each.name, tuple(o for o in each.operations if o.fits(text.lower()))) for each in groups())
    context = {
        "q": text,
        "groups": [each for each in found if each.operations],
        "schemas": schemas(),
        "scopes": SCOPES,
        "refusals": list(refusals()),
        "origin": config.origin,
        "calls_of_token": config.calls_of_token,
        "calls_of_tenant": config.calls_of_tenant,
        "most_rows": MOST,
    }
    return render(request, "api/reference.html", context)


@cache
def groups() -> tuple[Group, ...]:
    """Every operation of the document, under the kind of thing that its path begins with."""
    found: dict[str, list[Operation]] = {}
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            found.setdefault(operation["tags"][0], []).append(_operation(path, method, operation))
    return tuple(Group(name, tuple(operations)) for name, operations in sorted(found.items()))


@cache
def schemas() -> tuple[tuple[str, tuple[Asked, ...], str], ...]:
    """Every object of the document: its name, its fields, its words."""
    known = document()["components"]["schemas"]
    return tuple((name, _fields(schema), schema.get("description", "")) for name, schema in sorted(known.items()))


def refusals() -> Iterator[dict[str, Any]]:
    """Every refusal that the portal knows: its code, its status, its words with … for what varies."""
    for code, refusal in sorted(Refusal.known().items()):
        if refusal.__module__.split(".")[0] in PACKAGES:
            yield {
                "code": code,
                "status": int(refusal.status),
                "title": _with_gaps(refusal.message),
                "advice": _with_gaps(refusal.next_step),
            }


class _Gap(int):
    def __format__(self, _spec: str) -> str:
        return "…"


class _Gaps(dict[str, _Gap]):
    """Whatever a sentence has a place for; as a number it is several."""

    def __missing__(self, _name: str) -> _Gap:
        return _Gap(2)


def _with_gaps(template: Any) -> str:
    words = str(template) or str(template % _Gaps() if template else "")  # a plural is chosen by one of its facts
    return words.format_map(_Gaps())


def _operation(path: str, method: str, operation: dict[str, Any]) -> Operation:
    asked = {parameter["name"]: parameter for parameter in operation["parameters"]}
    said = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    body = said.get("schema", {})
    examples = [each["value"] for each in said.get("examples", {}).values()]
    return Operation(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        title=operation.get("summary", operation["operationId"]),
        text=operation.get("description", ""),
        scopes=tuple(scope for each in operation["security"] for scope in each["token"]),
        roles=", ".join(str(role.label) for role in roles_with(Permission(operation["x-permission"]))),
        parameters=tuple(_parameter(each) for each in asked.values() if each["name"] != "tenant"),
        body=_fields(resolved(body)),
        body_of=named_by(body),
        answers=tuple(_answer(status, answer) for status, answer in sorted(operation["responses"].items())),
        curl=curl(path, method, asked, examples[0] if examples else least(body) if body else None),
    )


def _parameter(parameter: dict[str, Any]) -> Asked:
    schema = parameter["schema"]
    return Asked(
        name=parameter["name"],
        type=type_of(schema),
        required=parameter.get("required", False),
        text=parameter.get("description", ""),
        where=parameter["in"],
    )


def _answer(status: str, answer: dict[str, Any]) -> Answer:
    content: dict[str, Any] = answer.get("content", {})
    kind, said = next(iter(content.items())) if content else ("", {})
    is_problem = kind == "application/problem+json"
    schema = said.get("schema", {})
    word = "" if is_problem or not content else type_of(schema) if "json" in kind else ", ".join(content)
    text = answer.get("description", "") or str(HTTPStatus(int(status)).phrase)
    return Answer(int(status), text, word, "" if is_problem else named_by(schema), is_problem)


def _fields(schema: dict[str, Any]) -> tuple[Asked, ...]:
    if "anyOf" in schema or "oneOf" in schema:
        several = schema.get("anyOf") or schema["oneOf"]
        return tuple(
            Asked(_("one of"), type_of(each), required=False, text="", refers=named_by(each)) for each in several
        )
    needed = schema.get("required", [])
    return tuple(
        Asked(name, type_of(field), name in needed, field.get("description", ""), named_by(field))
        for name, field in schema.get("properties", {}).items()
    )


_LIMITS = (
    # keyword, and how it is written
    ("minLength", "≥ {} characters"),
    ("maxLength", "≤ {} characters"),
    ("minimum", "≥ {}"),
    ("maximum", "≤ {}"),
    ("minItems", "≥ {} items"),
    ("maxItems", "≤ {} items"),
    ("pattern", "like {}"),
    ("default", "else {}"),
)


def type_of(schema: dict[str, Any]) -> str:
    """Say what a schema takes: `string (uuid)`, `array of Step`, `"approve" | "reject"`, with its limits."""
    if "enum" in schema:
        return " | ".join("null" if each is None else json.dumps(each, ensure_ascii=False) for each in schema["enum"])
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return " | ".join(dict.fromkeys(type_of(each) for each in schema[several]))
    if "$ref" in schema:
        return named_by(schema)
    kinds = schema.get("type", "any")
    word = " | ".join(kinds) if isinstance(kinds, list) else str(kinds)
    if "items" in schema:
        word = word.replace("array", f"array of {type_of(schema['items'])}", 1)
    if "format" in schema:
        word = f"{word} ({schema['format']})"
    limits = [words.format(schema[name]) for name, words in _LIMITS if name in schema and schema[name] not in (1, "")]
    return ", ".join([word, *limits])
