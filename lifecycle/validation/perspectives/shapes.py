"""The shape that the answer to each kind of question has; whatever else a perspective sends is not an answer.  Pure.

Every text is printable ASCII and bounded, and an answer about CAA records is about the labels
of the name that was asked for.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from lifecycle.validation.caa import Reason, climb
from lifecycle.validation.evidence import escaped, unescaped
from lifecycle.validation.questions import Asked, Question

MOST_VALUES = 200
_LONGEST = 32_768

_TEXT = re.compile(r"[\x20-\x7e]*")
_TAG = re.compile(r"[\x21-\x7e]{1,255}")

Check = Callable[[Any], bool]


def _text(most: int) -> Check:
    return lambda said: isinstance(said, str) and len(said) <= most and bool(_TEXT.fullmatch(said))


def _number(most: int) -> Check:
    return lambda said: type(said) is int and 0 <= said <= most


def _flag(said: Any) -> bool:
    return type(said) is bool


def _escaped(said: Any) -> bool:
    """Whether it is what `evidence.escaped` makes of some bytes, so that everybody reads the same bytes in it."""
    if not isinstance(said, str) or len(said) > _LONGEST or not _TEXT.fullmatch(said):
        return False
    try:
        return escaped(unescaped(said)) == said
    except UnicodeEncodeError:  # \999
        return False


def _list(check: Check) -> Check:
    return lambda said: isinstance(said, list) and len(said) <= MOST_VALUES and all(map(check, said))


def _object(**checks: Check) -> Check:
    return lambda said: (
        isinstance(said, dict) and set(said) == set(checks) and all(check(said[name]) for name, check in checks.items())
    )


def _name_or_none(said: Any) -> bool:
    return said is None or _text(255)(said)


_WHERE: dict[str, Check] = {"resolver": _text(64), "ttl": _number(2**31), "authentic": _flag, "owner": _text(255)}
_LABELS = _list(_text(255))
_RECORD = _object(
    flags=_number(255), tag=lambda said: isinstance(said, str) and bool(_TAG.fullmatch(said)), value=_escaped
)
_HOP = _object(url=_text(300), status=_number(999), address=_text(64))
_WAY: dict[str, Check] = {"status": _number(999), "url": _text(300), "address": _text(64), "hops": _list(_HOP)}

_SEEN: Mapping[Asked, Check] = {
    Asked.CAA: _object(asked=_LABELS, found_at=_name_or_none, records=_list(_RECORD), excused=_LABELS, **_WHERE),
    Asked.TXT: _object(values=_list(_escaped), **_WHERE),
    Asked.CNAME: _object(values=_list(_escaped), **_WHERE),
    Asked.FILE: _object(body=_escaped, **_WAY),
}
_FAILED_LOOKUP = _object(asked=_LABELS, detail=_text(1000), resolver=_text(64))
_FAILED_FETCH = (
    _object(body=_escaped, **_WAY),
    _object(detail=_text(300), **_WAY),
    _object(asked=_text(255), detail=_text(1000), resolver=_text(64)),
    _object(),
)


def found_as_asked(question: Question, reason: str, found: Any) -> bool:
    """Whether *found* can be the answer to *question* that ended with *reason*."""
    if question.asked is Asked.FILE:
        return any(shape(found) for shape in _FAILED_FETCH) if reason else _SEEN[Asked.FILE](found)
    if reason:
        return reason in list(Reason) and _FAILED_LOOKUP(found) and _is_climb(question, found["asked"])
    if not _SEEN[question.asked](found):
        return False
    return question.asked is not Asked.CAA or _counts(question, found)


def _is_climb(question: Question, asked: list[str]) -> bool:
    """Whether the labels that were asked are those from the name upwards, without a gap (RFC 8659 3)."""
    labels = [*climb(question.name)] if question.asked is Asked.CAA else [question.name]
    return bool(asked) and asked == labels[: len(asked)]


def _counts(question: Question, found: Mapping[str, Any]) -> bool:
    """Whether the set stood at a label that was asked; or whether there is none, and all up to the root were asked."""
    asked = found["asked"]
    if not _is_climb(question, asked):
        return False
    if found["records"]:
        return found["found_at"] in asked
    return found["found_at"] is None and asked == [*climb(question.name)]
