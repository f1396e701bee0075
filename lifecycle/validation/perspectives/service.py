"""The remote perspective itself: a look-up in, signed observations out, and nothing kept.

It knows its key, the certificate of the one who may ask, and its resolvers; no broker, no
database, no environment, no Django.  Whoever has the asker's key can have it look up public
names and fetch one folder of public web servers, at the pace of `MOST_AT_ONCE`, and
nothing else: where it is told to look, the resolver and the guarded fetcher decide.
"""

import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import as_completed, wait
from contextlib import suppress
from http import HTTPStatus
from threading import BoundedSemaphore
from typing import Any

import gunicorn.app.base
import gunicorn.http.wsgi
import gunicorn.workers.gthread

from lifecycle.validation.perspectives.identity import Identity, context_for, is_pinned
from lifecycle.validation.perspectives.protocol import MOST_ASKED, Ask, BadMessage, read_ask, spelled_answer
from lifecycle.validation.witness import Witness

MOST_AT_ONCE = 8
"""Requests that are answered side by side; the next one is told to come again."""

THREADS = 24
"""More than are answered, so that strangers who only connect keep nobody from being told so."""

GREETING = 3.0
"""Seconds within which a connection has to have said something, and again to have shown its certificate."""

LONGEST_CONNECTION = 25.0
"""Seconds that it may last in all: what comes in drops ends there, too."""

Start = Callable[[str, list[tuple[str, str]]], Any]


class Briefly(ssl.SSLSocket):
    """A connection that lasts for `LONGEST_CONNECTION` seconds at most, however little is said at a time.

    Whoever did not show the asker's certificate is not waited for when it ends: gunicorn would do that in the one
    thread that takes calls.
    """

    _ends: float | None = None

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - the base class's
        self.settimeout(GREETING)
        super().do_handshake(block)
        self._ends = time.monotonic() + LONGEST_CONNECTION

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        self._limit()
        return super().recv(buflen, flags)

    def send(self, data: Any, flags: int = 0) -> int:
        self._limit()
        return super().send(data, flags)

    def shutdown(self, how: int) -> None:
        if self._ends is None:
            raise ConnectionAbortedError
        super().shutdown(how)

    def _limit(self) -> None:
        left = (self._ends or 0) - time.monotonic()
        if left <= 0:
            raise TimeoutError
        already = self.gettimeout()
        self.settimeout(left if already is None else min(already, left))


class Service:
    """The WSGI callable."""

    def __init__(self, witness: Witness, identity: Identity, asker: bytes) -> None:
        self._witness = witness
        self._identity = identity
        self._asker = asker
        self._places = BoundedSemaphore(MOST_AT_ONCE)

    def __call__(self, environ: Mapping[str, Any], start: Start) -> Iterable[bytes]:
        said = self._refused(environ) or self._begun(environ)
        if isinstance(said, HTTPStatus):
            start(f"{said.value} {said.phrase}", [("Content-Length", "0"), ("Connection", "close")])
            return []
        start("200 OK", [("Content-Type", "application/x-ndjson"), ("Connection", "close")])
        return said

    def _begun(self, environ: Mapping[str, Any]) -> "HTTPStatus | Answering":
        try:
            ask = read_ask(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])), self._witness.name)
        except BadMessage:
            return HTTPStatus.BAD_REQUEST
        if not self._places.acquire(blocking=False):
            return HTTPStatus.SERVICE_UNAVAILABLE
        return Answering(ask, self._witness, self._identity, self._places)

    def _refused(self, environ: Mapping[str, Any]) -> HTTPStatus | None:
        connection, length = environ.get("gunicorn.socket"), environ.get("CONTENT_LENGTH") or ""
        if not isinstance(connection, ssl.SSLSocket) or not is_pinned(connection, self._asker):
            return HTTPStatus.FORBIDDEN
        if environ["PATH_INFO"] != "/observe" or environ.get("QUERY_STRING"):
            return HTTPStatus.NOT_FOUND
        if environ["REQUEST_METHOD"] != "POST":
            return HTTPStatus.METHOD_NOT_ALLOWED
        if not length.isdecimal() or environ.get("HTTP_TRANSFER_ENCODING"):
            return HTTPStatus.LENGTH_REQUIRED
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE if int(length) > MOST_ASKED else None


class Answering:
    """The lines of one answer; gives its place back when nothing of it is under way any more, whatever became of it."""

    def __init__(self, ask: Ask, witness: Witness, identity: Identity, places: BoundedSemaphore) -> None:
        self._ask = ask
        self._identity = identity
        self._places = places
        self._begun = witness.observing(ask.questions, patience=ask.patience / 1000)

    def __iter__(self) -> Iterator[bytes]:
        numbers = {each: number for number, each in enumerate(self._begun)}
        for each in as_completed(numbers):
            yield spelled_answer(self._ask, numbers[each], each.result(), self._identity.sign)

    def close(self) -> None:
        """Wait for what was begun: whoever hangs up early and asks again gains nothing by it."""
        for each in self._begun:
            each.cancel()
        wait(self._begun)
        self._places.release()


class Server(gunicorn.app.base.BaseApplication):  # type: ignore[misc]
    """gunicorn with one worker of threads, told what to do by code: it reads neither a file nor the environment."""

    def __init__(self, service: Service, context: ssl.SSLContext, listen: str, identity: Identity) -> None:
        self._service = service
        self._context = context
        self._listen = listen
        self._identity = identity
        super().__init__()

    def load_config(self) -> None:
        told = {
            "bind": self._listen,
            "worker_class": "gthread",
            "workers": 1,
            "threads": THREADS,
            "keepalive": 0,
            "timeout": 60,
            "graceful_timeout": 12,
            "certfile": str(self._identity.file),  # says that it is TLS; the context below is what is used
            "keyfile": str(self._identity.file),
            "ssl_context": lambda _config, _default: self._context,
            "do_handshake_on_connect": False,
            "limit_request_line": 512,
            "limit_request_fields": 20,
            "limit_request_field_size": 1024,
            "control_socket_disable": True,
            "errorlog": "-",
            "loglevel": "error",
            "worker_tmp_dir": None,
        }
        for name, value in told.items():
            self.cfg.set(name, value)

    def load(self) -> Service:
        return self._service


def serve(witness: Witness, identity: Identity, asker: bytes, listen: str) -> None:
    """Answer on *listen* until told to end."""
    context = context_for(identity, asker, serving=True)
    context.sslsocket_class = Briefly
    gunicorn.workers.gthread.DEFAULT_WORKER_DATA_TIMEOUT = GREETING
    gunicorn.http.wsgi.SERVER = "-"  # whoever asks need not know what it is made of
    with suppress(SystemExit):
        Server(Service(witness, identity, asker), context, listen, identity).run()
