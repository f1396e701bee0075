"""A web server on loopback that says exactly the bytes a test wants, and whoever was called."""

import contextlib
import socket
import ssl
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

Say = Callable[[socket.socket, bytes], None]
"""Answers one request, of which it is given the head and what came with it."""


@dataclass
class WebServer:
    """Listens until it is stopped; each connection has a thread of its own."""

    say: Say
    certificate: Path | None = None
    """Key and certificate in PEM, for TLS."""
    requests: list[bytes] = field(default_factory=list)
    gone: Event = field(default_factory=Event)
    """Set once somebody hung up on us."""

    def start(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                theirs, _address = self._listening.accept()
            except OSError:
                return
            Thread(target=self._answer, args=[theirs], daemon=True).start()

    def _answer(self, theirs: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.closing(theirs):
            theirs.settimeout(10)
            if self.certificate is not None:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(self.certificate)
                theirs = context.wrap_socket(theirs, server_side=True)
            head = _request_of(theirs)
            self.requests.append(head)
            try:
                self.say(theirs, head)
            except OSError:
                self.gone.set()
            theirs.close()


def _request_of(theirs: socket.socket) -> bytes:
    read = b""
    while b"\r\n\r\n" not in read:
        more = theirs.recv(4096)
        if not more:
            return read
        read += more
    head, _line, body = read.partition(b"\r\n\r\n")
    length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length" in line), 0)
    while len(body) < length:
        body += theirs.recv(4096)
    return head + b"\r\n\r\n" + body


def saying(*pieces: bytes) -> Say:
    """Say the same to everybody."""

    def say(theirs: socket.socket, _request: bytes) -> None:
        for piece in pieces:
            theirs.sendall(piece)

    return say


def answer(status: int, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@contextmanager
def web_server(say: Say, certificate: Path | None = None) -> Iterator[WebServer]:
    server = WebServer(say, certificate)
    server.start()
    yield server
    server.stop()


@dataclass
class Names:
    """Says the addresses of names, one answer after the other; the last one again and again."""

    known: dict[str, Sequence[Sequence[str]]]
    asked: list[str] = field(default_factory=list)

    def addresses(self, name: str, ends: float) -> Sequence[str]:  # noqa: ARG002 - the protocol's
        answers = self.known[name]
        before = self.asked.count(name)
        self.asked.append(name)
        return answers[min(before, len(answers) - 1)]


_dialled: list[tuple[str, int]] | None = None


def _listen(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.connect" and _dialled is not None and isinstance(arguments[1], tuple):
        _dialled.append(arguments[1][:2])


sys.addaudithook(_listen)  # the interpreter itself says whom we call; it cannot be taken away again


@contextmanager
def listening_in() -> Iterator[list[tuple[str, int]]]:
    """Every address and port that this process tries to reach inside the block."""
    global _dialled  # noqa: PLW0603 - the hook is the interpreter's
    _dialled = []
    try:
        yield _dialled
    finally:
        _dialled = None


def certificate(folder: Path, *names: str) -> Path:
    """Write a key and a certificate that vouches for itself, for *names*; it serves as its own authority, too."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]), datetime.now(UTC)  # noqa: TID251
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    signed = made.sign(key, hashes.SHA256())
    file = folder / f"{names[0]}.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + signed.public_bytes(Encoding.PEM))
    return file
