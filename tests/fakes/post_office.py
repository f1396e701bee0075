"""A mail server that really listens, and fails in every way in which one can."""

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from threading import Thread
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

TAKES, REFUSES, HANGS = "takes", "refuses", "hangs"
DROPS_AFTER_DATA, DROPS_BEFORE_DATA = "takes it and drops the line", "drops the line"
BUSY, NO = "451 come back later", "554 not here"
WAYS = (REFUSES, BUSY, DROPS_AFTER_DATA, NO, DROPS_BEFORE_DATA, HANGS)
"""To fail.  After `DROPS_AFTER_DATA` the server has the mail and its sender cannot know; after the others nobody has.
The last one takes seconds."""


class PostOffice:
    """Keeps what it takes on one port of loopback; `way` is how it treats whoever comes next."""

    def __init__(self) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            self.port = free.getsockname()[1]
        self.url = f"smtp://127.0.0.1:{self.port}"
        self.mails: list[EmailMessage] = []
        self.way = TAKES
        self._controller: Controller | None = None

    def start(self) -> None:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    async def handle_DATA(self, server: SMTP, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.way in {TAKES, DROPS_AFTER_DATA}:
            self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        if self.way in {DROPS_AFTER_DATA, DROPS_BEFORE_DATA}:
            server.transport.abort()
        return "250 taken" if self.way == TAKES else self.way

    @contextmanager
    def failing(self, way: str) -> Iterator[None]:
        """Fail in this *way* inside the block."""
        if way not in {REFUSES, HANGS}:
            self.way = way
            yield
            self.way = TAKES
            return
        self.stop()
        try:
            with hanging(self.port) if way == HANGS else closing(socket.socket()):
                yield
        finally:
            self.start()


@contextmanager
def hanging(port: int, *, patient_with: int = 2) -> Iterator[None]:
    """Take the first lines and never say a word on them; hang up at once on whoever comes after these."""
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", port), backlog=64, reuse_port=False) as door:

        def answer() -> None:
            while True:
                try:
                    line, _ = door.accept()
                except OSError:
                    return
                if len(held) < patient_with:
                    held.append(line)
                else:
                    line.close()

        usher = Thread(target=answer, daemon=True)
        usher.start()
        yield
        door.shutdown(socket.SHUT_RDWR)
        usher.join(10)
    for line in held:
        line.close()
