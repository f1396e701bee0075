"""Conditional requests (RFC 9110 13): an answer is known by its strong ETag, and what is no tag matches nothing.

There are no dates to compare, so `If-Modified-Since` and `If-Unmodified-Since` are passed over, as 13.1 has it.
"""

import hashlib
import json

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotModified
from django.utils.http import parse_etags
from rest_framework.response import Response

_KEPT = ("ETag", "Cache-Control", "Vary")  # RFC 9110 15.4.5: what a 304 tells again


def etag_of(response: HttpResponseBase) -> str:
    """A strong validator of what is answered (RFC 9110 8.8.3)."""
    if isinstance(response, Response):
        content = json.dumps(response.data, sort_keys=True, separators=(",", ":"), default=str).encode()
    else:
        content = response.content if isinstance(response, HttpResponse) else b""
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def says_how_it_read(request: HttpRequest) -> bool:
    return "If-Match" in request.headers


def is_as_read(request: HttpRequest, etag: str | None) -> bool:
    """Whether *etag* is what `If-Match` wants; it compares strongly, and nothing at all has no tag."""
    tags = parse_etags(request.headers.get("If-Match", ""))
    return etag is not None and (tags == ["*"] or etag in tags)


def is_known(request: HttpRequest, etag: str) -> bool:
    """Whether the program has this answer already, as `If-None-Match` says; that compares weakly."""
    tags = parse_etags(request.headers.get("If-None-Match", ""))
    return tags == ["*"] or etag in {tag.removeprefix("W/") for tag in tags}


def not_modified(finished: HttpResponseBase) -> HttpResponseNotModified:
    answer = HttpResponseNotModified()
    for name in _KEPT:
        if name in finished.headers:
            answer[name] = finished.headers[name]
    return answer
