"""What every address of the API does alike: one unit of work, one answer, told from other answers by its ETag.

A handler reads `self.asked` and returns a `Response` with plain data; it runs inside the unit of work of the
token's tenant and person.  One that has to talk to the outside says `@between_units` and opens its own.  What it
raises as a refusal becomes a problem document at the edge of the portal.
"""

import hashlib
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, ClassVar, TypeVar, cast

from django.http import HttpRequest, HttpResponseBase
from django.http.response import HttpResponseNotModified
from django.utils.cache import get_conditional_response
from rest_framework import exceptions
from rest_framework.parsers import BaseParser, JSONParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.foundation.access.models import ApiToken
from portal.foundation.api import first_answers
from portal.foundation.api.bodies import faults_of
from portal.foundation.api.errors import ChangedSince, Invalid, NoSuchForm, NotJson, WrongMediaType, WrongMethod
from portal.foundation.api.models import FirstAnswer
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.middleware import TenantRequest

Handler = TypeVar("Handler", bound=Callable[..., Response])
_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def between_units(handler: Handler) -> Handler:
    """Run the handler outside any unit of work, since it talks to something slow."""
    handler.between_units = True  # type: ignore[attr-defined]
    return handler


class Endpoint(APIView):
    """Base of them all; `program_guard` around it says who may."""

    parser_classes: ClassVar[list[type[BaseParser]]] = [JSONParser]  # type: ignore[misc]
    renderer_classes: ClassVar[list[type[BaseRenderer]]] = [JSONRenderer]  # type: ignore[misc]
    http_method_names: ClassVar[list[str]] = ["get", "head", "post", "put", "delete"]  # type: ignore[misc]

    @property
    def asked(self) -> TenantRequest:
        """The request as every other view of the portal knows it: with tenant, person and seat."""
        return cast("TenantRequest", self.request._request)  # noqa: SLF001 - what rest_framework wraps

    @property
    def token(self) -> ApiToken:
        token = self.asked.seat.token
        if token is None:
            raise TypeError("the guard lets programs in by their token alone")
        return token

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # type: ignore[override]
        self.args, self.kwargs = args, kwargs
        self.request = wrapped = self.initialize_request(request, *args, **kwargs)
        self.headers = self.default_response_headers
        try:
            self.initial(wrapped, *args, **kwargs)
            response = self._carry_out(wrapped)
        except exceptions.APIException as error:
            raise self._refused(error) from error
        return self._finished(wrapped, response)

    def _carry_out(self, request: Request) -> Response:
        method = (request.method or "").lower()
        handler = getattr(self, "get" if method == "head" else method, None)
        if handler is None or method not in self.http_method_names:
            raise exceptions.MethodNotAllowed(request.method or "")
        slow = getattr(handler, "between_units", False)
        return self._answered_once(handler, slow=slow) if method == "post" else self._in_one(handler, slow=slow)

    def _in_one(self, handler: Callable[..., Response], *, slow: bool) -> Response:
        if slow:
            return handler(self.request, **self.kwargs)
        with self.unit():
            self._must_be_as_seen()
            return handler(self.request, **self.kwargs)

    def _answered_once(self, handler: Callable[..., Response], *, slow: bool) -> Response:
        given = self.request.headers.get("Idempotency-Key")
        deed = first_answers.Deed.of(self.token, given, self.request.path, self.asked.body)
        if not slow:
            with self.unit():
                row = first_answers.claim(deed)
                if row.status is not None:
                    return _again(row)
                self._must_be_as_seen()
                response = handler(self.request, **self.kwargs)
                _keep(row, response)
                return response
        with self.unit():
            row = first_answers.claim(deed)
        if row.status is not None:
            return _again(row)
        try:
            response = handler(self.request, **self.kwargs)
        except Exception:
            with self.unit():
                first_answers.forget(row)
            raise
        with self.unit():
            _keep(row, response)
        return response

    def unit(self) -> AbstractContextManager[None]:
        """A unit of work of the token's tenant and person."""
        return acting_for(self.asked.tenant.pk, person=self.asked.person.pk)

    def _must_be_as_seen(self) -> None:
        """Refuse a change of something that is not as the program read it, where it says how it read it (If-Match)."""
        if self.request.method not in _CHANGING or "If-Match" not in self.request.headers:
            return
        read = getattr(self, "get", None)
        seen = etag_of(read(self.request, **self.kwargs)) if read else None
        if get_conditional_response(self.asked, etag=seen) is not None:
            raise ChangedSince

    def _finished(self, request: Request, response: Response) -> HttpResponseBase:
        finished = self.finalize_response(request, response, *self.args, **self.kwargs)
        finished["Cache-Control"] = "private, no-cache"
        if request.method not in {"GET", "HEAD"} or finished.status_code != 200:  # noqa: PLR2004
            return finished
        finished["ETag"] = etag_of(finished)
        conditional = get_conditional_response(self.asked, etag=finished["ETag"], response=finished)
        if isinstance(conditional, HttpResponseNotModified):
            return conditional
        return finished

    def _refused(self, error: exceptions.APIException) -> Exception:
        match error:
            case exceptions.ParseError():
                return NotJson()
            case exceptions.UnsupportedMediaType():
                return WrongMediaType()
            case exceptions.NotAcceptable():
                return NoSuchForm()
            case exceptions.MethodNotAllowed():
                return WrongMethod(method=self.request.method, allowed=", ".join(self.allowed_methods))
            case exceptions.ValidationError():
                return Invalid(faults_of(error.get_full_details()))
        return error


def _keep(row: FirstAnswer, response: Response) -> None:
    location = response.headers.get("Location", "")
    first_answers.keep(row, status=response.status_code, body=response.data, location=location)


def _again(row: FirstAnswer) -> Response:
    headers = {"Location": row.location} if row.location else {}
    return Response(row.body, status=row.status, headers=headers | {"Idempotency-Replayed": "true"})


def etag_of(response: HttpResponseBase) -> str:
    """A strong validator of what is answered (RFC 9110 8.8.3)."""
    if isinstance(response, Response):
        content = json.dumps(response.data, sort_keys=True, separators=(",", ":"), default=str).encode()
    else:
        content = response.content
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'
