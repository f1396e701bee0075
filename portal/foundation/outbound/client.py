"""One request over HTTP/1.1 to an address that a stranger chose, and the few redirects that may follow.

No proxy of the environment, no cookies, no compression, nothing kept open.  Everything that
comes back is bounded in time and size before anybody reads it.
"""

import http.client
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from portal.foundation.outbound.connecting import Addresses, Bounded, Routes, TooMuch, closed, connected, judged
from portal.foundation.outbound.reasons import NotFetched, Reason
from portal.foundation.outbound.urls import Target, printable, target_of

FOLLOWED = frozenset({301, 302, 307, 308})
"""The redirects that BR 3.2.2.4.18 lets us follow."""

_MOST_HEADERS = 16_384
_CHUNKING = 8
"""Times the body's size that its wrapping may take: a chunk of one byte has five around it."""


@dataclass(frozen=True, slots=True)
class Caps:
    """How much is read and followed, and for how many seconds in all, redirects included."""

    body: int = 65_536
    redirects: int = 0
    seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Fetch:
    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    judged: bool = True
    """Whether a certificate has to be good.  A proof of control needs none: plain HTTP would do (BR 3.2.2.4.18)."""
    authorities: str = ""
    """A file with the authorities that vouch for it, in PEM, beside those of the system."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One answer on the way."""

    url: str
    status: int
    address: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came back.  The status is whatever it is, except for a redirect; the body is raw, and a stranger's."""

    status: int
    body: bytes
    url: str
    hops: tuple[Hop, ...]
    """Every answer, the last one included."""
    address: str


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    location: str
    body: bytes


def fetch(asked: Fetch, *, names: Addresses, caps: Caps, routes: Routes | None = None) -> Fetched:
    """Ask, following up to `caps.redirects` redirects, each judged like the first address; raise `NotFetched`.

    A name is looked up once in all this.  What *names* raises goes through.
    """
    ends, hops, known = time.monotonic() + caps.seconds, list[Hop](), dict[str, list[str]]()
    target = target_of(asked.url)
    been = {target.url}
    try:
        while True:
            if target.host not in known:
                known[target.host] = [*names.addresses(target.host, ends)]
            answer, address = _answered(asked, target, known[target.host], routes or {}, caps=caps, ends=ends)
            hops.append(Hop(target.url, answer.status, address))
            if answer.status not in FOLLOWED:
                return Fetched(answer.status, answer.body, target.url, tuple(hops), address)
            target = _next(target, answer, hops, been, caps)
            been.add(target.url)
    except NotFetched as failure:
        failure.hops = tuple(hops)
        failure.status = hops[-1].status if hops else 0
        raise


def _next(target: Target, answer: _Answer, hops: list[Hop], been: set[str], caps: Caps) -> Target:
    if not caps.redirects:
        raise NotFetched(Reason.REDIRECTED, target.url, printable(answer.location, 200))
    if len(hops) > caps.redirects:
        raise NotFetched(Reason.TOO_MANY_REDIRECTS, target.url)
    onward = target.leading_to(answer.location)
    if onward.url in been:
        raise NotFetched(Reason.REDIRECT_LOOP, onward.url)
    return onward


def _answered(
    asked: Fetch, target: Target, answers: list[str], routes: Routes, *, caps: Caps, ends: float
) -> tuple[_Answer, str]:
    addresses = judged(answers, target.port, routes, url=target.url)
    connection, address = connected(addresses, target.port, routes, ends=ends, url=target.url)
    try:
        if target.scheme == "https":
            connection.settimeout(max(ends - time.monotonic(), 0.001))
            connection = _context(judged=asked.judged, authorities=asked.authorities).wrap_socket(
                connection, server_hostname=target.host
            )
        connection.settimeout(max(ends - time.monotonic(), 0.001))
        connection.sendall(_request(asked, target))
        return _read(Bounded(connection, ends=ends, most=_MOST_HEADERS), asked.method, caps), address
    except TimeoutError:
        raise NotFetched(Reason.TOO_SLOW, target.url, address=address) from None
    except TooMuch:
        raise NotFetched(Reason.TOO_LARGE, target.url, address=address) from None
    except _Encoded as error:
        raise NotFetched(Reason.ENCODED, target.url, printable(str(error), 40), address=address) from None
    except ssl.SSLCertVerificationError as error:
        raise NotFetched(
            Reason.NOT_TRUSTED, target.url, printable(error.verify_message, 100), address=address
        ) from None
    except ssl.SSLError as error:
        raise NotFetched(Reason.TLS_FAILED, target.url, printable(error.reason or "", 100), address=address) from None
    except (http.client.HTTPException, ValueError, OverflowError) as error:  # all that the parser has for bad answers
        raise NotFetched(Reason.NOT_HTTP, target.url, type(error).__name__, address=address) from None
    except OSError as error:
        raise NotFetched(Reason.NOT_CONNECTED, target.url, error.strerror or "", address=address) from None
    finally:
        closed(connection)


def _request(asked: Fetch, target: Target) -> bytes:
    """RFC 9112 3; `Target` lets no sign through that could end a line, and our own headers are our own."""
    headers = {
        "Host": target.host_line,
        "User-Agent": "certificate-portal",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
        **({"Content-Length": str(len(asked.body))} if asked.method != "GET" else {}),
        **asked.headers,
    }
    lines = [f"{asked.method} {target.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header ends its line")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + asked.body


class _Encoded(Exception):
    pass


def _read(connection: Bounded, method: str, caps: Caps) -> _Answer:
    response = http.client.HTTPResponse(connection, method=method)  # type: ignore[arg-type]  # it wants `makefile`
    response.begin()
    connection.allow(caps.body * _CHUNKING)
    if response.status in FOLLOWED:
        return _Answer(response.status, response.headers.get("Location") or "", b"")
    encoding = (response.headers.get("Content-Encoding") or "identity").strip().lower()
    if encoding != "identity":
        raise _Encoded(encoding)
    body = response.read(caps.body + 1)
    if len(body) > caps.body:
        raise TooMuch
    if response.length:  # it hung up before it had sent what it promised
        raise http.client.IncompleteRead(b"")
    return _Answer(response.status, "", body)


@cache
def _context(*, judged: bool, authorities: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if authorities:
        context.load_verify_locations(authorities)
    if not judged:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
