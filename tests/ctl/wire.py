"""A wire between portalctl and the portal that can be listened to, and cut.

It forwards to the running portal; faults are put into it one by one, and each serves one request:

    wire.faults += ["lose"]     the portal carries it out, the answer is lost on its way
    wire.faults += ["cut"]      the portal never hears of it
    wire.faults += ["busy"]     503 with Retry-After: 0, as a proxy in front of it would answer
    wire.faults += ["slow"]     429 with Retry-After: 1
"""

import http.client
import socket
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True)
class Sent:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    fault: str


@dataclass(slots=True)
class Wire:
    port_behind: int
    faults: list[str] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    only: str = ""
    server: ThreadingHTTPServer | None = None
    scheme: str = "http"

    def open(self, tls: ssl.SSLContext | None = None) -> None:
        wire = self

        class Handler(_Handler):
            pass

        Handler.wire = wire
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
            self.scheme = "https"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        assert self.server
        self.server.shutdown()
        self.server.server_close()

    @property
    def origin(self) -> str:
        assert self.server
        return f"{self.scheme}://localhost:{self.server.server_port}"

    def next_fault(self, method: str) -> str:
        return self.faults.pop(0) if self.faults and (not self.only or self.only == method) else ""

    def said(self, method: str, ending: str = "") -> list[Sent]:
        return [one for one in self.sent if one.method == method and one.path.split("?")[0].endswith(ending)]


class _Handler(BaseHTTPRequestHandler):
    wire: Wire
    protocol_version = "HTTP/1.1"

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.wire.next_fault(self.command)
        self.wire.sent.append(Sent(self.command, self.path, dict(self.headers), body, fault))
        match fault:
            case "cut":
                return self._hang_up()
            case "busy" | "slow":
                return self._later(*((503, 0) if fault == "busy" else (429, 1)))
        status, headers, content = self._asked(body)
        if fault == "lose":
            return self._hang_up()
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in {"connection", "transfer-encoding", "content-length", "date", "server"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        return None

    do_GET = do_POST = do_PUT = do_DELETE = _forward  # noqa: N815 - the library's names

    def _asked(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        behind = http.client.HTTPConnection("127.0.0.1", self.wire.port_behind, timeout=60)
        try:
            behind.request(self.command, self.path, body or None, dict(self.headers))
            answer = behind.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            behind.close()

    def _later(self, status: int, seconds: int) -> None:
        self.send_response(status)
        self.send_header("Retry-After", str(seconds))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_what: object) -> None:
        """Say nothing: what was sent is kept."""
