"""The edge where refusals and accidents become pages, or problem documents (RFC 9457) for programs.

Inside, a refusal is typed; here it is shown.  What is not a refusal shows nothing of
itself but the request id, under which the log has the rest.
"""

import sys
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from portal.foundation import clock
from portal.foundation.errors import Denied, Refusal
from portal.foundation.outages import is_outage
from portal.foundation.tenancy.errors import NotHere


class NotAsked(Denied):
    code = "not-asked-here"
    message = _("The form that you sent did not come from a page of this session, so nothing was done.")
    next_step = _("Go back, reload the page and send it again. If that does not help, sign in anew.")


class NotUnderstood(Refusal):
    code = "not-understood"
    status = HTTPStatus.BAD_REQUEST
    message = _("The portal could not make sense of what your browser sent, so nothing was done.")
    next_step = _("Go back, reload the page and try again.")


class TooMuchSent(Refusal):
    """*most* is in MB; a body whose length nobody told is refused alike."""

    code = "too-much-sent"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    message = _("What you sent is larger than {most} MB, or does not say how large it is. Nothing of it was read.")
    next_step = _("Go back and choose a smaller file.")


class Accident(Refusal):
    code = "accident"
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    message = _("Something went wrong on our side. What you asked for was not done, or not completely.")
    next_step = _("Look at the list of requests to see what was done. If you write to us, add the request id.")


class ComeBackLater(Refusal):
    """The database does not answer.  Whether a form that was just sent was kept, nobody knows before it does."""

    code = "come-back-later"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    message = _("The portal cannot reach its data at the moment, so it can show nothing and do nothing.")
    next_step = _(
        "Try again in {seconds} seconds. If you had just sent a form, look first whether it was taken; what the portal"
        " confirmed to you before is safe."
    )


AWAY_SECONDS = 10
"""After which somebody is asked to come back: a database that crashed is often there again by then."""


def answer(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """Say no: a page for people, `application/problem+json` for programs, the same facts in both."""
    response = _document(request, refusal) if _wants_json(request) else _page(request, refusal)
    for name, value in refusal.headers.items():
        response[name] = value
    return response


def _document(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    document = {
        "type": f"urn:certificate-portal:problem:{refusal.code}",
        "title": str(refusal),
        "status": int(refusal.status),
        "detail": refusal.advice,
        "code": refusal.code,
        "request_id": getattr(request, "id", ""),
    }
    if faults := getattr(refusal, "faults", None):
        document["errors"] = faults
    return JsonResponse(document, status=refusal.status, content_type="application/problem+json")


def _page(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    context = {
        "code": refusal.code,
        "status": int(refusal.status),
        "title": str(refusal),
        "next_step": refusal.advice,
        "request_id": getattr(request, "id", ""),
        "at": clock.now(),
        "links": _again(request, refusal),
    }
    return render(request, "problem.html", context, status=refusal.status)


def _again(request: HttpRequest, refusal: Refusal) -> list[dict[str, str]]:
    """Offer the same address once more where that may help; a form is sent again by whoever has it."""
    if not isinstance(refusal, ComeBackLater) or request.method != "GET":
        return []
    return [{"url": request.get_full_path(), "word": str(_("Try again"))}]


def _wants_json(request: HttpRequest) -> bool:
    return request.path.startswith("/api/") or request.get_preferred_type(["text/html", "application/json"]) == (
        "application/json"
    )


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    del reason  # it names the mechanism, which helps nobody here
    return answer(request, NotAsked())


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if is_outage(exception):  # a session that could not be saved is reported as one that is gone
        return _come_back_later(request)
    return answer(request, NotUnderstood())


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    del exception
    return answer(request, NotAsked())


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    del exception
    return answer(request, NotHere())


def accident(request: HttpRequest) -> HttpResponse:
    """Answer for whatever nobody caught; Django calls it while it handles the exception."""
    return _come_back_later(request) if is_outage(sys.exception()) else answer(request, Accident())


def _come_back_later(request: HttpRequest) -> HttpResponse:
    request.tenant = request.seat = None  # type: ignore[attr-defined]  # the frame of a tenant's pages asks the database
    return answer(request, ComeBackLater(seconds=AWAY_SECONDS))
