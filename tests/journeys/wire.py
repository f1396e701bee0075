"""The wire between a browser and the portal, tapped: every byte that a browser sends, whatever made it send them.

A browser's own list of its requests leaves out what is in some of them (beacons, bodies that are blobs), so what is
searched for secrets is what arrived.
"""

import base64
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Self
from urllib.parse import unquote_to_bytes

LONGEST_NUMBER = 512  # bytes: the private exponent of RSA 4096
_PIECE = 65536


class Wire:
    """A proxy that hands every connection on to *port* and keeps what came from the browser."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._sent: list[bytearray] = []
        self._open: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_what: object) -> None:
        for one in (self._listening, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                browser, _address = self._listening.accept()
                self._open.append(browser)
                threading.Thread(target=self._serve, args=(browser,), daemon=True).start()

    def _serve(self, browser: socket.socket) -> None:
        """Hand a connection on once there is something to say: those that wait would use up the portal's threads."""
        kept = bytearray()
        self._sent.append(kept)
        with suppress(OSError), browser:
            first = browser.recv(_PIECE)
            if not first:
                return
            kept += first
            with socket.create_connection(("127.0.0.1", self._port)) as portal:
                self._open.append(portal)
                portal.sendall(first)
                threading.Thread(target=_pump, args=(portal, browser, bytearray()), daemon=True).start()
                _pump(browser, portal, kept)

    def carried(self, secret: bytes) -> bool:
        return any(holds(bytes(sent), secret) for sent in self._sent)


def _pump(source: socket.socket, sink: socket.socket, kept: bytearray) -> None:
    with suppress(OSError):
        while piece := source.recv(_PIECE):
            kept += piece
            sink.sendall(piece)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)


def holds(content: bytes, secret: bytes) -> bool:
    """Whether *secret* is in *content*, as it is or in any of the shapes in which bytes usually travel."""
    seen = {content, unquote_to_bytes(content), unquote_to_bytes(content.replace(b"+", b" "))}
    seen |= {re.sub(rb"\s|\\n|\\r", b"", one) for one in seen}
    return any(shape in one for shape in _shapes(secret) for one in seen)


def _shapes(secret: bytes) -> Iterator[bytes]:
    yield secret
    yield re.sub(rb"\s", b"", secret)  # `holds` looks into the content without its spaces, too
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    if len(secret) <= LONGEST_NUMBER:
        yield str(int.from_bytes(secret)).encode()
    yield ",".join(map(str, secret)).encode()
    for lead in range(3):  # the three ways in which it can lie in a longer text of base64
        text = base64.b64encode(bytes(lead) + secret)[-(-lead * 8 // 6) :].rstrip(b"=")[:-1]
        yield text
        yield text.translate(bytes.maketrans(b"+/", b"-_"))
