"""Remote perspectives: real processes with resolvers of their own, and impostors in their place."""

import contextlib
import os
import socket
import ssl
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from lifecycle.validation.perspectives.client import RemotePlace
from lifecycle.validation.perspectives.identity import ASKER, Identity, context_for, make_identity
from portal.demo.child import Child, await_health, bare_environment
from portal.demo.embedded import free_port
from portal.perspectives import Perspective, Place
from portal.servers import Server
from tests.plugins.services import FOLDER

PLACES = {
    "ashburn": Place("ARIN", 39.0, -77.5),
    "mumbai": Place("APNIC", 19.1, 72.9),
    "tokyo": Place("APNIC", 35.7, 139.7),
    "johannesburg": Place("AFRINIC", -26.2, 28.0),
    "sao-paulo": Place("LACNIC", -23.5, -46.6),
}


@cache
def identity_of(name: str) -> Identity:
    """Return the key of a perspective, or of `worker`, the same for all tests of a run."""
    folder = Path(tempfile.mkdtemp(prefix="identity-", dir=os.environ[FOLDER]))
    make_identity(name, folder)
    return Identity.at(folder)


def certificate_of(name: str) -> bytes:
    return identity_of(name).certificate


def perspective_at(name: str, port: int, *, certificate: bytes | None = None) -> Perspective:
    return Perspective(name, PLACES[name], "127.0.0.1", port, certificate or certificate_of(name))


def asked_as(who: str, perspective: Perspective) -> RemotePlace:
    return RemotePlace(perspective, identity_of(who))


def pem_of(certificate: bytes) -> str:
    return ssl.DER_cert_to_PEM_cert(certificate)


@dataclass(slots=True)
class Outpost:
    """The program of a perspective, started as an operator would, with *resolvers* of its own."""

    name: str
    folder: Path
    resolvers: Sequence[Server]
    routes: str = ""
    port: int = field(default_factory=free_port)
    child: Child | None = None

    @property
    def perspective(self) -> Perspective:
        return perspective_at(self.name, self.port)

    @property
    def place(self) -> RemotePlace:
        return asked_as("worker", self.perspective)

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "identity.pem").write_bytes(identity_of(self.name).file.read_bytes())
        (self.folder / ASKER).write_text(pem_of(certificate_of("worker")))
        command = [
            *(sys.executable, "-m", "lifecycle.validation.perspectives", "serve"),
            *("--listen", f"127.0.0.1:{self.port}", "--identity", self.folder),
            *("--resolvers", ",".join(map(str, self.resolvers))),
            *(("--routes", self.routes) if self.routes else ()),
        ]
        root = Path(__file__).resolve().parents[2]
        self.child = Child(self.name, command, bare_environment(), self.folder / "log", folder=root)
        self.child.start()

    def wait(self) -> None:
        assert self.child
        await_health(self.child, self.listens)

    def listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 0.5).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop()


Behaviour = Callable[[ssl.SSLSocket, bytes], None]
"""Does with a connection, and the request that came over it, whatever it likes."""


@contextlib.contextmanager
def impostor(
    behaviour: Behaviour, *, name: str = "ashburn", identity: Identity | None = None
) -> Iterator[tuple[RemotePlace, list[bytes]]]:
    """Stand where the perspective *name* is looked for, with its own key or with another *identity*.

    Yields the perspective as the worker asks it, and the requests that came.
    """
    context = context_for(identity or identity_of(name), certificate_of("worker"), serving=True)
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_answering, args=(listener, context, behaviour, asked), daemon=True).start()
        yield asked_as("worker", perspective_at(name, listener.getsockname()[1])), asked


def _answering(listener: socket.socket, context: ssl.SSLContext, behaviour: Behaviour, asked: list[bytes]) -> None:
    while True:
        try:
            plain, _address = listener.accept()
        except OSError:
            return
        plain.settimeout(20)
        with contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as connection:
            asked.append(_request(connection))
            behaviour(connection, asked[-1])


def _request(connection: ssl.SSLSocket) -> bytes:
    """Read a request's body, by the length that it says it has."""
    came = b""
    while b"\r\n\r\n" not in came:
        came += connection.recv(65536)
    head, _, body = came.partition(b"\r\n\r\n")
    [length] = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
    while len(body) < length:
        body += connection.recv(65536)
    return body


def says(body: bytes, status: str = "200 OK") -> Behaviour:
    def behaviour(connection: ssl.SSLSocket, _request: bytes) -> None:
        connection.sendall(f"HTTP/1.1 {status}\r\nConnection: close\r\n\r\n".encode() + body)

    return behaviour
