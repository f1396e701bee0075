"""`python -m portal.demo.nameserver`: answers for `demo.test` on loopback, as a resolver would.

Whatever it is asked about another name it refuses.  It reads its zone anew for every
question, so a change on the page counts at once.
"""

import argparse
import socketserver
import threading
from pathlib import Path
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from portal.demo import zone

TTL = 60
_ORIGIN = dns.name.from_text(zone.ORIGIN)


def answer(wire: bytes, file: Path) -> bytes | None:
    """Return the answer to one question; None where the zone wants silence, or where it is no question."""
    try:
        question = dns.message.from_wire(wire)
        asked, kind = question.question[0].name, question.question[0].rdtype
        reply = dns.message.make_response(question)
    except (dns.exception.DNSException, IndexError, ValueError):
        return None
    reply.flags |= dns.flags.AA | dns.flags.RA
    if not asked.is_subdomain(_ORIGIN):
        if not _ORIGIN.is_subdomain(asked):
            reply.set_rcode(dns.rcode.REFUSED)
        return reply.to_wire()
    names = {dns.name.from_text(name.full): name for name in zone.read(file)}
    found = names.get(asked)
    if found and found.fault == "silent":
        return None
    if found and found.fault == "broken":
        reply.set_rcode(dns.rcode.SERVFAIL)
    elif found is None and asked != _ORIGIN:
        reply.set_rcode(dns.rcode.NXDOMAIN)
    elif found and found.alias:
        target = dns.name.from_text(f"{found.alias}.{zone.ORIGIN}")
        reply.answer.append(dns.rrset.from_text(asked, TTL, "IN", "CNAME", target.to_text()))
        _tell(reply, target, names.get(target), kind)
    else:
        _tell(reply, asked, found, kind)
    if not reply.answer:
        soa = f"ns.{zone.ORIGIN}. admin.{zone.ORIGIN}. 1 3600 600 86400 {TTL}"
        reply.authority.append(dns.rrset.from_text(_ORIGIN, TTL, "IN", "SOA", soa))
    return reply.to_wire(max_size=65535)


def _tell(reply: dns.message.Message, owner: dns.name.Name, name: zone.Name | None, kind: int) -> None:
    if name and name.caa and kind == dns.rdatatype.CAA:
        reply.answer.append(dns.rrset.from_text(owner, TTL, "IN", "CAA", *name.caa))


class _Datagram(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        wire, socket = self.request
        if (reply := answer(wire, self.server.file)) is not None:  # type: ignore[attr-defined]
            socket.sendto(reply, self.client_address)


class _Stream(socketserver.StreamRequestHandler):
    timeout = 5

    def handle(self) -> None:
        length = int.from_bytes(self.rfile.read(2))
        reply = answer(self.rfile.read(length), self.server.file)  # type: ignore[attr-defined]
        if reply is not None:
            self.wfile.write(len(reply).to_bytes(2) + reply)


class _Udp(socketserver.ThreadingMixIn, socketserver.UDPServer):
    daemon_threads = True
    file: Path


class _Tcp(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    daemon_threads = True
    file: Path


def serve(port: int, file: Path) -> None:
    """Answer on loopback until somebody ends the process."""
    servers: tuple[Any, ...] = (_Udp(("127.0.0.1", port), _Datagram), _Tcp(("127.0.0.1", port), _Stream))
    for server in servers:
        server.file = file
    threading.Thread(target=servers[0].serve_forever, daemon=True).start()
    servers[1].serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m portal.demo.nameserver")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--zone", type=Path, required=True)
    options = parser.parse_args()
    serve(options.port, options.zone)
