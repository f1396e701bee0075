"""JSON as it is taken here: one object, in UTF-8, that every program reads alike.

RFC 8259 leaves open what becomes of names that come twice (4), of numbers beyond a double's precision (6) and of
halves of surrogate pairs (8.2); what is open is refused, and so is what PostgreSQL cannot store.
"""

import json
from typing import IO, Any

from django.utils.translation import gettext as _
from rest_framework.parsers import BaseParser

from portal.foundation.api.errors import Invalid, NotJson, fault

DEEPEST = 20
"""Objects and lists within each other; nothing that is asked for here has more than four."""

_EXACT = 2**53 - 1  # RFC 8259 6: up to here all programs agree on a whole number


class NotPlain(ValueError):
    """It is JSON by its grammar, and programs would differ on what it says."""


class ObjectParser(BaseParser):
    media_type = "application/json"

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        del media_type, parser_context  # only JSON comes here, and UTF-8 is its one encoding
        return read(stream.read())


def read(content: bytes) -> dict[str, Any]:
    """Return the object that *content* is; raise `NotJson`, or `Invalid` for JSON that is no object."""
    try:
        body = json.loads(
            content.decode(),
            object_pairs_hook=_once,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_exact,
        )
        _judge(body, DEEPEST)
    except (ValueError, RecursionError) as error:
        raise NotJson from error
    if not isinstance(body, dict):
        raise Invalid([fault("", "not-an-object", _("One JSON object is wanted here."))])
    return body


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise NotPlain("a name comes twice")
    return found


def _no_constant(word: str) -> Any:
    raise NotPlain(f"{word} is no number of JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if abs(number) > _EXACT:
        raise NotPlain("a number is too large")
    return number


def _exact(digits: str) -> int:
    if len(digits) > len(str(-_EXACT)) or abs(int(digits)) > _EXACT:
        raise NotPlain("a number is too large")
    return int(digits)


def _judge(value: Any, depth: int) -> None:
    """Raise `NotPlain` for what lies too deep, and for texts with a NUL or half a surrogate pair."""
    match value:
        case str():
            if "\0" in value:
                raise NotPlain("a text holds a NUL")
            value.encode()  # UnicodeEncodeError is a ValueError
        case dict() | list():
            if not depth:
                raise NotPlain("it is nested too deep")
            for inner in [*value, *value.values()] if isinstance(value, dict) else value:
                _judge(inner, depth - 1)
