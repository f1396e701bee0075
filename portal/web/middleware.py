"""What happens around every request: its id, the session's limits, and refusals turned into answers."""

import time
from collections.abc import Callable
from contextlib import suppress

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from structlog import get_logger
from structlog.contextvars import bound_contextvars

from portal.api import limits
from portal.foundation.errors import Refusal
from portal.foundation.ids import uuid7
from portal.foundation.tenancy.middleware import TenantMiddleware
from portal.web import problems

IDLE = 30 * 60
ABSOLUTE = 12 * 3600
NOTED_EVERY = 60
"""Seconds.  Sessions end when idle, and in any case; "seen" is written once a minute, not with every page."""

_MB = 1024 * 1024
LARGEST_BODY = settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 2 * _MB
"""Bytes: all the fields of a form, and a file that its own page may still refuse with its own words."""

Next = Callable[[HttpRequest], HttpResponse]
log = get_logger()


class RequestId:
    """Gives every request an id that its log lines, its answer and its error page show."""

    def __init__(self, get_response: Next) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.id = str(uuid7())  # type: ignore[attr-defined]
        started = time.perf_counter()
        with bound_contextvars(request_id=request.id):  # type: ignore[attr-defined]
            response = self._get_response(request)
            log.info(
                "request",
                method=request.method,
                path=request.path,
                status=response.status_code,
                ms=round((time.perf_counter() - started) * 1000, 1),
            )
        response["X-Request-ID"] = request.id  # type: ignore[attr-defined]
        return response


class LargestBody:
    """Refuses a body that is larger than any form of ours, or of unknown length, before anything reads it.

    Django counts a form's fields but not its files, and looking for the CSRF token writes these to the disk.
    """

    def __init__(self, get_response: Next) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        known = length.isascii() and length.isdigit() and "HTTP_TRANSFER_ENCODING" not in request.META
        if not known or len(length) > len(str(LARGEST_BODY)) or int(length) > LARGEST_BODY:
            return problems.answer(request, problems.TooMuchSent(most=LARGEST_BODY // _MB))
        response = self._get_response(request)
        _read_to_the_end(request)
        return response


def _read_to_the_end(request: HttpRequest) -> None:
    """Take what nobody read: a server that hangs up on a proxy that is still sending may lose its own answer."""
    with suppress(OSError):
        while request.read(64 * 1024):
            pass


class OneAlphabet:
    """Takes forms in UTF-8 alone, as our pages send them: of the codecs that a client can name, some only raise."""

    def __init__(self, get_response: Next) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.encoding and request.encoding.lower() not in {"utf-8", "utf8"}:
            return problems.answer(request, problems.NotUnderstood())
        return self._get_response(request)


class SessionLimits:
    """Ends a session that was idle for half an hour or is half a day old, and says so.

    What a page fetches by itself, again and again, is no sign of a person.
    """

    def __init__(self, get_response: Next) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            now = int(time.time())
            since = request.session.setdefault("since", now)
            seen = request.session.setdefault("seen", now)
            if now - seen > IDLE or now - since > ABSOLUTE:
                logout(request)
                messages.info(request, _("You were signed out because your session was too old. Sign in to go on."))
            elif now - seen > NOTED_EVERY and not _is_polled(request):
                request.session["seen"] = now
        return self._get_response(request)


def _is_polled(request: HttpRequest) -> bool:
    """Whether a page asks by itself: whatever htmx fetches in these pages, but for the links that it follows."""
    by_htmx = request.headers.get("HX-Request") == "true" and "HX-Boosted" not in request.headers
    return by_htmx and request.method == "GET"


class Doors(TenantMiddleware):
    """Names the tenant and judges the guard; what they or the view refuse becomes a page or a problem document."""

    refuse = staticmethod(problems.answer)
    count = staticmethod(limits.count)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = super().__call__(request)
        if request.user.is_authenticated and not response.has_header("Cache-Control"):
            response["Cache-Control"] = "no-store"  # ASVS 5.0 14.3.2: nothing of a tenant stays in a shared browser
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, Refusal):
            return problems.answer(request, exception)
        return None
