"""The OpenAPI document, made once a process: it says nothing that changes while the portal runs."""

import hashlib
import json
from functools import cache
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from drf_spectacular.generators import SchemaGenerator

from portal.foundation.api.conditions import is_known


@cache
def document() -> dict[str, Any]:
    """Return the whole of it; callers change nothing in it."""
    made: dict[str, Any] = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    return made


@cache
def _written() -> tuple[bytes, str]:
    content = json.dumps(document(), indent=1, ensure_ascii=False).encode()
    return content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def schema(request: HttpRequest) -> HttpResponse:
    """Answer the document, to anybody."""
    content, etag = _written()
    headers = {"ETag": etag, "Cache-Control": "public, max-age=300"}
    if is_known(request, etag):
        return HttpResponse(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    return HttpResponse(content, content_type="application/vnd.oai.openapi+json", headers=headers)


def named_by(schema: dict[str, Any]) -> str:
    """The component that a schema names, itself or as what it lists; empty if it names none."""
    if "$ref" in schema:
        return str(schema["$ref"].rsplit("/", 1)[-1])
    parts = [schema["items"]] if "items" in schema else []
    for several in ("allOf", "anyOf", "oneOf"):
        parts += schema.get(several, [])
    return next(filter(None, map(named_by, parts)), "")


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """The component that a schema names, or itself."""
    found: dict[str, Any] = document()["components"]["schemas"].get(named_by(schema), schema)
    return found
