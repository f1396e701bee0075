"""What happens around every request: its id, the session's limits, and refusals turned into answers."""

import time
from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from structlog import get_logger
from structlog.contextvars import bound_contextvars

from portal.foundation.errors import Refusal
from portal.foundation.ids import uuid7
from portal.foundation.tenancy.middleware import TenantMiddleware
from portal.web import problems

IDLE = 30 * 60
ABSOLUTE = 12 * 3600
NOTED_EVERY = 60
"""Seconds.  Sessions end when idle, and in any case; "seen" is written once a minute, not with every page."""

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


class OneAlphabet:
    """Takes forms in UTF-8 alone, as our pages send them: of the codecs that a client can name, some only raise."""

    def __init__(self, get_response: Next) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.encoding and request.encoding.lower() not in {"utf-8", "utf8"}:
            return problems.answer(request, problems.NotUnderstood())
        return self._get_response(request)


class SessionLimits:
    """Ends a session that was idle for half an hour or is half a day old, and says so."""

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
            elif now - seen > NOTED_EVERY:
                request.session["seen"] = now
        return self._get_response(request)


class Doors(TenantMiddleware):
    """Names the tenant and judges the guard; what they or the view refuse becomes a page or a problem document."""

    refuse = staticmethod(problems.answer)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = super().__call__(request)
        if request.user.is_authenticated and not response.has_header("Cache-Control"):
            response["Cache-Control"] = "no-store"  # ASVS 5.0 14.3.2: nothing of a tenant stays in a shared browser
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, Refusal):
            return problems.answer(request, exception)
        return None
