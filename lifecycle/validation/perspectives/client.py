"""Asking a remote perspective: one request over TLS with all questions, and nothing believed that is not signed."""

import http.client
import secrets
import socket
import ssl
import time
from collections.abc import Generator, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import closing, suppress
from contextvars import copy_context
from enum import StrEnum
from functools import partial
from http import HTTPStatus
from threading import Thread
from typing import Any

from lifecycle.validation.perspectives.identity import Identity, context_for, is_pinned
from lifecycle.validation.perspectives.protocol import (
    LONGEST,
    MOST_ANSWERED,
    MOST_QUESTIONS,
    Ask,
    Attested,
    BadMessage,
    read_answer,
    spelled_ask,
)
from lifecycle.validation.questions import Question
from portal.foundation import clock
from portal.perspectives import Perspective

WAY = 1.0
"""Seconds of the patience that are kept for the way there and back."""

CONNECT = 3.0
"""Seconds within which a perspective has to take the call."""


class Why(StrEnum):
    """Why a perspective has no say."""

    UNREACHABLE = "unreachable"
    TOO_SLOW = "too-slow"
    NOT_ITSELF = "not-itself"  # whoever answers there does not have its key
    REFUSES = "refuses"
    BAD_ANSWER = "bad-answer"


class NotAsked(OSError):
    """A perspective could not be asked, or what came from it is no answer of its."""

    def __init__(self, why: Why, detail: str = "") -> None:
        super().__init__(f"{why}: {detail}" if detail else str(why))
        self.why = why
        self.detail = detail


class Timed(ssl.SSLSocket):
    """A connection that ends at a moment, however little at a time still comes."""

    ends: float

    def recv_into(self, *arguments: Any, **named: Any) -> int:
        self._limit()
        return super().recv_into(*arguments, **named)

    def send(self, *arguments: Any, **named: Any) -> int:
        self._limit()
        return super().send(*arguments, **named)

    def _limit(self) -> None:
        left = self.ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.settimeout(left)


class RemotePlace:
    """A perspective far away, asked as *identity*; holds no connection, so any number of threads may share it."""

    def __init__(self, perspective: Perspective, identity: Identity) -> None:
        self.perspective = perspective
        self.name = perspective.name
        self._context = context_for(identity, perspective.certificate, serving=False)
        self._context.sslsocket_class = Timed

    def observe(self, questions: Sequence[Question], *, patience: float) -> list[Attested]:
        """Have every question answered there, in their order, within *patience* seconds; raises `NotAsked`."""
        return [each.result() for each in self.observing(questions, patience=patience)]

    def observing(self, questions: Sequence[Question], *, patience: float) -> list[Future[Attested]]:
        """Begin to have every question answered there; each comes to an answer or to `NotAsked` within *patience*."""
        ends = time.monotonic() + patience
        begun: list[Future[Attested]] = [Future() for _question in questions]
        for start in range(0, len(questions), MOST_QUESTIONS):
            part = slice(start, start + MOST_QUESTIONS)
            asking = partial(self._ask, tuple(questions[part]), begun[part], ends)
            Thread(target=copy_context().run, args=(asking,), name=f"perspective {self.name}", daemon=True).start()
        return begun

    def _ask(self, questions: tuple[Question, ...], begun: list[Future[Attested]], ends: float) -> None:
        """Settle every one of *begun*, whatever happens."""
        try:
            failure = self._asked(questions, begun, ends)
        except BaseException as error:
            failure = NotAsked(Why.UNREACHABLE, type(error).__name__)
            raise
        finally:
            for each in begun:
                if not each.done():
                    each.set_exception(failure)

    def _asked(self, questions: tuple[Question, ...], begun: list[Future[Attested]], ends: float) -> NotAsked:
        """Settle those of *begun* that are answered; return why the others are not."""
        left = ends - time.monotonic() - WAY
        if left <= 0:
            return NotAsked(Why.TOO_SLOW)
        ask = Ask(self.name, secrets.token_hex(16), min(int(left * 1000), LONGEST), questions)
        try:
            with closing(self._lines(spelled_ask(ask), ends)) as lines:
                for line in lines:
                    number, attested = read_answer(line, ask, self.perspective.certificate, clock.now())
                    begun[number].set_result(attested)
        except NotAsked as failure:
            return failure
        except (BadMessage, InvalidStateError) as error:
            return NotAsked(Why.BAD_ANSWER, str(error))
        return NotAsked(Why.BAD_ANSWER, "incomplete")

    def _lines(self, body: bytes, ends: float) -> Generator[bytes, None, None]:
        connection = http.client.HTTPConnection(self.perspective.host, self.perspective.port)
        try:
            connection.sock = self._connected(ends)
            connection.request("POST", "/observe", body, {"Content-Type": "application/json"})
            with connection.getresponse() as answer:
                status = answer.status
                if status == HTTPStatus.OK:
                    yield from iter(partial(answer.readline, MOST_ANSWERED + 1), b"")
        except NotAsked:
            raise
        except TimeoutError as error:
            raise NotAsked(Why.TOO_SLOW) from error
        except ssl.SSLError as error:
            raise NotAsked(Why.REFUSES, error.reason or "") from error
        except OSError as error:
            raise NotAsked(Why.UNREACHABLE, error.strerror or "") from error
        except http.client.HTTPException as error:
            raise NotAsked(Why.BAD_ANSWER, type(error).__name__) from error
        finally:
            connection.close()
        if status != HTTPStatus.OK:
            raise NotAsked(Why.REFUSES, str(status))

    def _connected(self, ends: float) -> ssl.SSLSocket:
        """Connect and shake hands; raise `NotAsked` for whoever is not the one we know."""
        address = (self.perspective.host, self.perspective.port)
        plain = socket.create_connection(address, max(min(CONNECT, ends - time.monotonic()), 0.01))
        try:
            plain.settimeout(max(ends - time.monotonic(), 0.01))
            connection = self._context.wrap_socket(plain)
        except ssl.SSLCertVerificationError as error:
            raise NotAsked(Why.NOT_ITSELF, error.verify_message) from error
        finally:
            with suppress(OSError):
                plain.close()  # `wrap_socket` took it over, or nobody needs it
        assert isinstance(connection, Timed)  # noqa: S101 - for the type checker
        connection.ends = ends
        if not is_pinned(connection, self.perspective.certificate):
            connection.close()
            raise NotAsked(Why.NOT_ITSELF)
        return connection
