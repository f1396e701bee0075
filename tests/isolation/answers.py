"""What can be seen of an answer from outside: enough to tell whether what is another tenant's exists."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext

from tests.isolation.things import NOTHING, THEIRS, Things

Call = tuple[str, str, str]
"""Who, method, whose things."""

_UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?")
_CSRF = re.compile(rb'name="csrfmiddlewaretoken" value="[^"]*"')
_NOTED = ('"auth2fa_signedin"', 'UPDATE "access_apitoken"')
"""That a session and a token were used is noted once a minute, whatever they ask for."""

Masked = tuple[int, bytes, bytes]


def masked(response: HttpResponse, *words: str) -> Masked:
    """An answer without ids, times, tokens of forms, and *words*."""
    body = b"".join(response.streaming_content) if response.streaming else response.content
    told = sorted((key, value) for key, value in response.items() if key not in {"X-Request-ID", "Content-Length"})
    headers = str(told).encode()
    for pattern in (_UUID, _TIME, _CSRF, *(re.escape(word).encode() for word in words)):
        body, headers = re.sub(pattern, b"*", body), re.sub(pattern, b"*", headers)
    return response.status_code, body, headers


def observed(deed: Callable[[], HttpResponse], things: Things) -> tuple[HttpResponse, tuple[Masked, int]]:
    """An answer about *things*, and all that is seen of it, with the number of queries it took."""
    with CaptureQueriesContext(connection) as queries:
        response = deed()
    work = [query["sql"] for query in queries if not any(noted in query["sql"] for noted in _NOTED)]
    counted = sum(text.split(" ", 1)[0] in {"SELECT", "INSERT", "UPDATE", "DELETE"} for text in work)
    return response, (masked(response, things["profile"], things["agreement"]), counted)


def differ(cell: Call, absent: Mapping[Call, Any]) -> bool:
    """Whether what is another tenant's was answered otherwise than what never was, or at another cost."""
    short, method, whose = cell
    return whose == THEIRS and short != "hank" and absent[cell] != absent[short, method, NOTHING]
