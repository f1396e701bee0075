"""The portal's addresses, and some whose views fail: what the edge makes of that is the test's question."""

from typing import NoReturn

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import HttpRequest
from django.urls import path

from portal.foundation.access.guards import Open, guard
from portal.foundation.states import ChangedMeanwhile
from portal.urls import handler400, handler403, handler404, handler500
from portal.urls import urlpatterns as whole

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

SECRET = "the-pin-of-the-token-is-4711"


def boom(_request: HttpRequest) -> NoReturn:
    raise RuntimeError(SECRET)


def suspicious(_request: HttpRequest) -> NoReturn:
    raise SuspiciousOperation(SECRET)


def denied(_request: HttpRequest) -> NoReturn:
    raise PermissionDenied(SECRET)


def conflict(_request: HttpRequest) -> NoReturn:
    raise ChangedMeanwhile(thing="request")


def post(request: HttpRequest) -> NoReturn:
    request.POST.get("anything")
    raise RuntimeError(SECRET)


def unguarded(_request: HttpRequest) -> NoReturn:
    raise AssertionError("a view without a guard ran")


urlpatterns = [
    *whole,
    *(
        path(f"{view.__name__}/", guard(Open.ANYBODY, view), name=view.__name__)
        for view in (boom, suspicious, denied, conflict, post)
    ),
    path("unguarded/", unguarded, name="unguarded"),
]
