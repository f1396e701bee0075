"""What every address of the API does alike: one unit of work, one answer, told from other answers by its ETag.

A handler reads `self.asked` and returns a `Response` with plain data; it runs inside the unit of work of the
token's tenant and person.  One that has to talk to the outside says `@between_units` and opens its own.  What it
raises as a refusal becomes a problem document at the edge of the portal.
"""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from http import HTTPStatus
from typing import Any, ClassVar, TypeVar, cast

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponseBase
from rest_framework import exceptions
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.foundation.access.models import ApiToken
from portal.foundation.api import conditions, first_answers
from portal.foundation.api.bodies import faults_of
from portal.foundation.api.errors import BodyTooLarge, ChangedSince, Invalid, NoSuchForm, WrongMediaType, WrongMethod
from portal.foundation.api.models import FirstAnswer
from portal.foundation.api.parsing import ObjectParser
from portal.foundation.tenancy.context import acting_for, current_unit
from portal.foundation.tenancy.middleware import TenantRequest

Handler = TypeVar("Handler", bound=Callable[..., HttpResponseBase])
_CHANGING = frozenset({"POST", "PUT", "DELETE"})
_READING = frozenset({"GET", "HEAD"})
_MB = 1024 * 1024


def between_units(handler: Handler) -> Handler:
    """Run the handler outside any unit of work, since it talks to something slow."""
    handler.between_units = True  # type: ignore[attr-defined]
    return handler


class Endpoint(APIView):
    """Base of them all; `program_guard` around it says who may."""

    parser_classes: ClassVar[list[type[BaseParser]]] = [ObjectParser]  # type: ignore[misc]
    renderer_classes: ClassVar[list[type[BaseRenderer]]] = [JSONRenderer]  # type: ignore[misc]
    http_method_names: ClassVar[list[str]] = ["get", "head", "post", "put", "delete"]  # type: ignore[misc]

    answers_files: ClassVar[bool] = False
    """Whether what is answered is a file, whose form the address names and no header Accept chooses."""

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

    def perform_authentication(self, request: Request) -> None:
        """Do nothing: the guard knows who asks, and rest_framework would write its own answer over it."""

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:  # noqa: FBT001, FBT002
        return super().perform_content_negotiation(request, force=force or self.answers_files)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
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
        if request.method in _CHANGING:
            self._read_body()
        slow = getattr(handler, "between_units", False)
        return self._answered_once(handler, slow=slow) if method == "post" else self._in_one(handler, slow=slow)

    def _read_body(self) -> None:
        """Judge the body before anything is done, also where the handler asks nothing of it."""
        try:
            _ = self.asked.body  # whole, since it is digested, too
        except RequestDataTooBig as error:
            raise BodyTooLarge(most=f"{settings.DATA_UPLOAD_MAX_MEMORY_SIZE / _MB:g}") from error
        _ = self.request.data

    def _in_one(self, handler: Callable[..., Response], *, slow: bool) -> Response:
        if slow:
            self._must_be_as_read()
            return handler(self.request, **self.kwargs)
        with self.unit():
            self._must_be_as_read()
            return handler(self.request, **self.kwargs)

    def _answered_once(self, handler: Callable[..., Response], *, slow: bool) -> Response:
        given = self.request.headers.get("Idempotency-Key")
        deed = first_answers.Deed.of(self.token, given, self.request.path, self.asked.body)
        if not slow:
            with self.unit():
                row = first_answers.claim(deed)
                if row.status is not None:
                    return _again(row)
                self._must_be_as_read()
                response = handler(self.request, **self.kwargs)
                _keep(row, response)
                return response
        with self.unit():
            row = first_answers.claim(deed)
        if row.status is not None:
            return _again(row)
        try:
            self._must_be_as_read()
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

    def _must_be_as_read(self) -> None:
        """Refuse a change of something that is not as the program read it, where it says how it read it (If-Match)."""
        if self.request.method not in _CHANGING or not conditions.says_how_it_read(self.asked):
            return
        read = getattr(self, "get", None)
        etag = conditions.etag_of(self._read_now(read)) if read else None
        if not conditions.is_as_read(self.asked, etag):
            raise ChangedSince

    def _read_now(self, read: Callable[..., Response]) -> Response:
        if current_unit() is not None or getattr(read, "between_units", False):
            return read(self.request, **self.kwargs)
        with self.unit():
            return read(self.request, **self.kwargs)

    def _finished(self, request: Request, response: Response) -> HttpResponseBase:
        finished = self.finalize_response(request, response, *self.args, **self.kwargs)
        finished["Cache-Control"] = "private, no-cache"
        if request.method not in _READING or finished.status_code != HTTPStatus.OK:
            return finished
        etag = finished["ETag"] = finished.headers.get("ETag") or conditions.etag_of(finished)  # a stream tells its own
        if conditions.says_how_it_read(self.asked) and not conditions.is_as_read(self.asked, etag):
            raise ChangedSince
        return conditions.not_modified(finished) if conditions.is_known(self.asked, etag) else finished

    def _refused(self, error: exceptions.APIException) -> Exception:
        match error:
            case exceptions.UnsupportedMediaType():
                return WrongMediaType()
            case exceptions.NotAcceptable():
                return NoSuchForm()
            case exceptions.MethodNotAllowed():
                return WrongMethod(method=self.request.method, allowed=", ".join(self.allowed_methods))
            case exceptions.ValidationError():
                return Invalid(faults_of(error.get_full_details()))
        return RuntimeError("rest_framework raised what nothing here asks it for")


def _keep(row: FirstAnswer, response: Response) -> None:
    """Keep the answer as the program reads it, whatever Python it was made of."""
    body = json.loads(JSONRenderer().render(response.data) or "null")
    location = response.headers.get("Location", "")
    first_answers.keep(row, status=response.status_code, body=body, location=location)


def _again(row: FirstAnswer) -> Response:
    headers = {"Location": row.location} if row.location else {}
    return Response(row.body, status=row.status, headers=headers | {"Idempotency-Replayed": "true"})
