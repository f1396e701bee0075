"""A name server on loopback that does what a well-kept one would not."""

import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from portal.demo.embedded import free_port
from portal.servers import Server

Fault = Callable[[dns.message.Message, bool], bytes | None]
"""Makes of a question, and whether it came over TCP, the bytes of an answer; None is silence."""


@dataclass(slots=True)
class Faulty:
    """Answers over UDP and TCP with whatever *fault* makes, and keeps what it was asked."""

    fault: Fault
    port: int = field(default_factory=free_port)
    asked: list[tuple[str, bool]] = field(default_factory=list)

    @property
    def server(self) -> Server:
        return Server("127.0.0.1", self.port)

    def reply(self, wire: bytes, *, tcp: bool) -> bytes | None:
        question = dns.message.from_wire(wire)
        self.asked.append((question.question[0].name.to_text(omit_final_dot=True), tcp))
        return self.fault(question, tcp)


@contextlib.contextmanager
def faulty(fault: Fault) -> Iterator[Faulty]:
    server = Faulty(fault)

    class Datagram(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            wire, sock = self.request
            if (answer := server.reply(wire, tcp=False)) is not None:
                sock.sendto(answer, self.client_address)

    class Stream(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            length = int.from_bytes(self.request.recv(2))
            if (answer := server.reply(self.request.recv(length), tcp=True)) is not None:
                self.request.sendall(len(answer).to_bytes(2) + answer)

    class Threaded(socketserver.ThreadingMixIn, socketserver.TCPServer):
        allow_reuse_address = daemon_threads = True

    class ThreadedUdp(socketserver.ThreadingMixIn, socketserver.UDPServer):
        daemon_threads = True

    with Threaded(("127.0.0.1", server.port), Stream) as tcp, ThreadedUdp(("127.0.0.1", server.port), Datagram) as udp:
        threads = [threading.Thread(target=each.serve_forever, args=(0.02,), daemon=True) for each in (tcp, udp)]
        for thread in threads:
            thread.start()
        yield server
        for each in (tcp, udp):
            each.shutdown()


# --- faults -----------------------------------------------------------------------------------------------------


def silence(_question: dns.message.Message, _tcp: bool) -> None:  # noqa: FBT001
    return None


def code(name: str, *said: int) -> Fault:
    """Answer with this RCODE, and with what it says about why (RFC 8914), and nothing else."""

    def fault(question: dns.message.Message, _tcp: bool) -> bytes:  # noqa: FBT001
        answer = made(question)
        answer.use_edns(0, options=[dns.edns.EDEOption(dns.edns.EDECode.make(each)) for each in said])
        answer.set_rcode(dns.rcode.from_text(name))
        return answer.to_wire()

    return fault


def saying(*records: str, flags: int = dns.flags.RA) -> Fault:
    """Answer with these lines of a zone file; `@` is the name asked for."""

    def fault(question: dns.message.Message, _tcp: bool) -> bytes:  # noqa: FBT001
        answer = made(question, flags)
        for record in records:
            owner, kind, value = record.split(" ", 2)
            name = question.question[0].name.to_text() if owner == "@" else owner
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", kind, value))
        return answer.to_wire(max_size=65535)

    return fault


def made(question: dns.message.Message, flags: int = dns.flags.RA) -> dns.message.Message:
    answer = dns.message.make_response(question)
    answer.flags |= flags
    return answer


def pause(seconds: float, then: Fault) -> Fault:
    def fault(question: dns.message.Message, tcp: bool) -> bytes | None:  # noqa: FBT001
        time.sleep(seconds)
        return then(question, tcp)

    return fault


def nobody_listens() -> Server:
    """Return where nothing answers, and the kernel says so."""
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return Server("127.0.0.1", probe.getsockname()[1])
