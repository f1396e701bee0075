"""An operation as a line for curl: the least that it asks for, with values of the right form."""

import json
from typing import Any

from portal.api.document import resolved
from portal.config import config

_ID = "01a1fed7-1482-7cd0-9c46-f3f279d6b0db"


def curl(path: str, method: str, asked: dict[str, Any], body: Any) -> str:
    """Write one call; *asked* are the parameters by their names, *body* is None where there is none."""
    for name, parameter in asked.items():
        if parameter["in"] == "path":
            value = "acme" if name == "tenant" else str(least(parameter["schema"]))
            path = path.replace(f"{{{name}}}", value)
    verb = "" if method == "get" else f" -X {method.upper()}"
    lines = [f'curl{verb} -H "Authorization: Bearer $PORTALCTL_TOKEN" {config.origin}{path}']
    if "Idempotency-Key" in asked:
        lines.append('-H "Idempotency-Key: $(uuidgen)"')
    if asked.get("If-Match", {}).get("required"):
        lines.append("-H 'If-Match: \"the ETag of what you read\"'")
    if body is not None:
        lines += ["-H 'Content-Type: application/json'", f"-d '{json.dumps(body, ensure_ascii=False)}'"]
    return " \\\n  ".join(lines)


def least(schema: dict[str, Any]) -> Any:
    """The least that fits: what is required, the first choice, an id of the right form."""
    if "$ref" in schema:
        return least(resolved(schema))
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return least(schema[several][0])
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "string")
    return _of_type(kind[0] if isinstance(kind, list) else kind, schema)


def _of_type(kind: str, schema: dict[str, Any]) -> Any:
    match kind:
        case "object":
            properties = schema.get("properties", {})
            return {name: least(properties[name]) for name in schema.get("required", ()) if name in properties}
        case "array":
            return [least(schema["items"])]
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
    return _ID if schema.get("format") == "uuid" else "…"
