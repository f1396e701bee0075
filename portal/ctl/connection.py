"""The conversation with the portal: whatever can be repeated is repeated, and nothing is done twice.

Every POST carries an `Idempotency-Key`, so that one whose answer was lost is sent again as it was and gets its first
answer.  TLS is always verified, redirects are not followed: a token goes to the address it was given for.
"""

import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from requests.auth import AuthBase

from portal.ctl.outcomes import STILL_UNDER_WAY, TOO_MANY_CODES, Failure, Outcome, Refused, usage
from portal.ctl.places import Place

TRIES = 6
_PATIENCE = (10.0, 60.0)  # seconds to connect, and between two bytes of an answer
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 60.0
_LATER = frozenset({429, 502, 503, 504})
_UNCHANGED = 304
_CONFLICT = 409
_GIVEN_UP = 75.0
"""Seconds.  After 60 the portal takes whoever began with a POST for dead, and lets the next one go on (ADR 27)."""
_TOKEN = re.compile(r"[\x21-\x7e]+")


class _Bearer(AuthBase):
    """An own class, so that no ~/.netrc puts something else into the header."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, asked: requests.PreparedRequest) -> requests.PreparedRequest:
        asked.headers["Authorization"] = f"Bearer {self._token}"
        return asked


@dataclass(frozen=True, slots=True)
class File:
    """What is downloaded: its bytes, and the name that the portal gives it."""

    name: str
    content: bytes


class Api:
    """One organisation's part of the API; *told* hears why it takes longer."""

    def __init__(self, place: Place, told: Callable[[str], None] = lambda _: None) -> None:
        self._place, self._told = place, told
        if not _TOKEN.fullmatch(place.token):  # http.client would name the whole of it in its complaint
            raise usage("The token holds a character that no token has.", "Copy it again, without anything around it.")
        self._session = requests.Session()
        # plain http is for this machine alone, so a proxy that the environment names must not hear of it
        self._session.trust_env = not place.url.startswith("http:")
        self._session.auth = _Bearer(place.token)
        self._verify: str | bool = place.ca_file or True
        self._etags: dict[str, tuple[str, Any]] = {}
        self._lost = False  # whether an answer was lost since `delete` began

    def address(self, *parts: str) -> str:
        if {"", ".", ".."} & set(parts):  # would name another address than the one that is meant
            raise Failure(Outcome.NOT_FOUND, "There is nothing with such a name.")
        return "/".join([f"/api/v1/t/{quote(self._place.tenant, safe='')}", *(quote(part, safe="") for part in parts)])

    def get(self, *parts: str, **query: Any) -> Any:
        return self._read("GET", self.address(*parts), params=_said(query))

    def look(self, *parts: str) -> Any:
        """Read something that is read over and over; what has not changed is not sent again."""
        address = self.address(*parts)
        etag, before = self._etags.get(address, ("", None))
        answer = self._asked("GET", address, headers={"If-None-Match": etag} if etag else {})
        if answer.status_code == _UNCHANGED:
            return before
        body = _json_of(answer)
        self._etags[address] = (answer.headers.get("ETag", ""), body)
        return body

    def etag(self, *parts: str) -> str:
        """The validator of what `look` read last, for If-Match."""
        return self._etags.get(self.address(*parts), ("", None))[0]

    def pages(self, *parts: str, **query: Any) -> Iterator[dict[str, Any]]:
        """The page that the query asks for, and every page behind it."""
        page = self.get(*parts, **query)
        yield page
        while page.get("next"):
            page = self._read("GET", page["next"])
            yield page

    def post(self, *parts: str, body: dict[str, Any] | None = None) -> Any:
        key = {"Idempotency-Key": secrets.token_urlsafe(24)}
        return self._read("POST", self.address(*parts), json=body or {}, headers=key)

    def put(self, *parts: str, body: dict[str, Any], seen: str = "", **query: Any) -> Any:
        """Replace something; with *seen*, the ETag it was read with, only if it is still like that."""
        headers = {"If-Match": seen} if seen else {}
        return self._read("PUT", self.address(*parts), json=body, headers=headers, params=_said(query))

    def delete(self, *parts: str) -> None:
        """Remove something; what is gone after an answer was lost was removed by us."""
        self._lost = False
        try:
            self._read("DELETE", self.address(*parts))
        except Refused as refusal:
            if not (self._lost and refusal.outcome is Outcome.NOT_FOUND):
                raise

    def file(self, *parts: str) -> File:
        return self.file_at(self.address(*parts))

    def file_at(self, address: str) -> File:
        """The file at an address that the portal named."""
        answer = self._asked("GET", address, headers={"Accept": "*/*"})
        return File(_file_name(answer.headers.get("Content-Disposition", "")), answer.content)

    def _read(self, method: str, address: str, **how: Any) -> Any:
        return _json_of(self._asked(method, address, **how))

    def _asked(self, method: str, address: str, **how: Any) -> requests.Response:
        """Ask, and again where that may help; raise the `Failure` that the last try ended with."""
        if urlsplit(address).netloc or not address.startswith("/"):
            raise Failure(Outcome.UNFORESEEN, f"The portal sent us to another address: {address}")
        headers = {"Accept": "application/json", **how.pop("headers", {})}
        number, deadline = 0, time.monotonic() + _GIVEN_UP
        while True:
            try:
                answer = self._once(method, address, headers=headers, **how)
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as fault:
                if number == TRIES - 1:
                    raise self._unreachable(fault) from fault
                self._lost = True
                self._rest(number, "The portal cannot be reached")
                number += 1
                continue
            problem = _problem_of(answer)
            if problem is None:
                return answer
            others_turn = _is_under_way(answer, problem) and time.monotonic() < deadline
            if not others_turn and (number == TRIES - 1 or not _helps_to_wait(answer, problem)):
                raise Refused(answer.status_code, problem)
            self._rest(number, "The portal asks us to wait", answer.headers.get("Retry-After", ""))
            number += not others_turn

    def _once(self, method: str, address: str, **how: Any) -> requests.Response:
        try:
            return self._session.request(
                method,
                self._place.url + address,
                timeout=_PATIENCE,
                verify=self._verify,
                allow_redirects=False,
                **how,
            )
        except requests.exceptions.SSLError as fault:
            raise Failure(
                Outcome.UNREACHABLE,
                f"The certificate of {self._place.url} is not trusted here: {_innermost(fault)}",
                "If its authority is your own, sign in with --ca-file and the file of its root.",
                code="not-trusted",
            ) from fault
        except OSError as fault:
            if isinstance(fault, requests.RequestException):
                raise
            raise usage(f"The CA file cannot be used: {fault}") from fault  # requests' own complaint about `verify`

    def _rest(self, number: int, why: str, asked_for: str = "") -> None:
        wanted = float(asked_for) if asked_for.isascii() and asked_for.isdigit() else _FIRST_PAUSE * 2**number
        seconds = min(max(wanted, _FIRST_PAUSE), _LONGEST_PAUSE)
        self._told(f"{why}; trying again in {seconds:g} s")
        time.sleep(seconds)

    def _unreachable(self, fault: Exception) -> Failure:
        return Failure(
            Outcome.UNREACHABLE,
            f"{self._place.url} could not be reached in {TRIES} tries: {_innermost(fault)}",
            "Whether the last of them arrived is not known; the same command again does nothing twice.",
        )


def _said(query: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value not in (None, "", ())}


def _helps_to_wait(answer: requests.Response, problem: dict[str, Any]) -> bool:
    return answer.status_code in _LATER and problem.get("code") not in TOO_MANY_CODES


def _is_under_way(answer: requests.Response, problem: dict[str, Any]) -> bool:
    return answer.status_code == _CONFLICT and problem.get("code") == STILL_UNDER_WAY


def _problem_of(answer: requests.Response) -> dict[str, Any] | None:
    """What an answer complains of; None where it is the one that was hoped for."""
    if answer.ok and not answer.is_redirect:
        return None
    if answer.status_code == _UNCHANGED:
        return None
    if answer.is_redirect:
        where = answer.headers.get("Location", "")
        return {"title": f"The portal answered with a redirect to {where}.", "detail": "Sign in to that address."}
    try:
        body = answer.json()
    except ValueError:
        body = {}
    return body if isinstance(body, dict) else {}


def _json_of(answer: requests.Response) -> Any:
    if not answer.content:
        return {}
    try:
        return answer.json()
    except ValueError as fault:
        raise Failure(
            Outcome.UNFORESEEN,
            "What answered is not the API of a portal.",
            "Look at the address that you signed in to: portalctl whoami",
        ) from fault


def _file_name(disposition: str) -> str:
    """The name in a Content-Disposition that we can take: no folders, nothing hidden."""
    _before, _equals, name = disposition.partition('filename="')
    plain = "".join(letter for letter in name.partition('"')[0] if letter.isalnum() or letter in "@.-_").lstrip(".")
    return plain or "certificate"


def _innermost(fault: BaseException) -> str:
    while (inner := getattr(fault, "reason", None) or (fault.args[0] if fault.args else None)) is not None:
        if not isinstance(inner, BaseException):
            break
        fault = inner
    return re.sub(r"^\[Errno -?\d+\] ", "", str(fault).rpartition(": ")[2]) or type(fault).__name__
