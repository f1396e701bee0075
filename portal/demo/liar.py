"""`python -m portal.demo.liar`: stands between one resolver and the name server, and lies as long as a file is there.

What it says instead, in the place of every TXT and CAA record of the demo's names, is what somebody would say who has
that one resolver's network in hand and no key: `demo.test` is signed, so nobody believes it there.
"""

import argparse
import socketserver
import threading
from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.rrset

from portal.demo import zone
from portal.servers import Server

SECONDS = 2.0
INSTEAD = {dns.rdatatype.TXT: '"what another one published"', dns.rdatatype.CAA: '0 issue "ca.elsewhere.example"'}

_ZONES = [dns.name.from_text(name) for name in zone.ZONES]


@dataclass(frozen=True, slots=True)
class Liar:
    truth: Server
    file: Path

    def answer(self, wire: bytes, *, tcp: bool) -> bytes | None:
        """Ask the name server the same; change what it said where a lie is wished.  None where it says nothing."""
        ask = dns.query.tcp if tcp else dns.query.udp
        try:
            question = dns.message.from_wire(wire)
            told = ask(question, self.truth.host, SECONDS, self.truth.port)
        except (OSError, EOFError, dns.exception.DNSException):
            return None
        if self.file.exists() and question.question:
            _twist(told, question.question[0])
        return told.to_wire(max_size=65535)


def _twist(told: dns.message.Message, asked: dns.rrset.RRset) -> None:
    instead = INSTEAD.get(asked.rdtype)
    if instead is None or not any(asked.name.is_subdomain(name) for name in _ZONES):
        return
    if asked.rdtype == dns.rdatatype.TXT and not any(rrset.rdtype == asked.rdtype for rrset in told.answer):
        return  # nothing is there to be exchanged
    told.answer = [rrset for rrset in told.answer if rrset.rdtype != asked.rdtype]
    told.answer.append(dns.rrset.from_text(asked.name, zone.TTL, "IN", asked.rdtype, instead))


class _Datagram(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        wire, socket = self.request
        if (reply := self.server.liar.answer(wire, tcp=False)) is not None:  # type: ignore[attr-defined]
            socket.sendto(reply, self.client_address)


class _Stream(socketserver.StreamRequestHandler):
    timeout = 5

    def handle(self) -> None:
        while len(length := self.rfile.read(2)) == 2:  # noqa: PLR2004 - RFC 1035 4.2.2
            reply = self.server.liar.answer(self.rfile.read(int.from_bytes(length)), tcp=True)  # type: ignore[attr-defined]
            if reply is None:
                return
            self.wfile.write(len(reply).to_bytes(2) + reply)


class _Udp(socketserver.ThreadingMixIn, socketserver.UDPServer):
    daemon_threads = True
    liar: Liar


class _Tcp(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    daemon_threads = True
    liar: Liar


def serve(port: int, liar: Liar) -> None:
    """Answer on loopback until somebody ends the process."""
    datagrams, streams = _Udp(("127.0.0.1", port), _Datagram), _Tcp(("127.0.0.1", port), _Stream)
    datagrams.liar = streams.liar = liar
    threading.Thread(target=datagrams.serve_forever, daemon=True).start()
    streams.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m portal.demo.liar")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--truth", type=Server.from_text, required=True)
    parser.add_argument("--file", type=Path, required=True)
    options = parser.parse_args()
    serve(options.port, Liar(options.truth, options.file))
