"""Speaks DNS UPDATE (RFC 2136), signed with a TSIG key (RFC 8945), to the server that a tenant names.

Over TCP, to an address that was judged; an answer counts only where it is signed with the
same key, since anybody between could say that all is well.
"""

import socket
import time
from dataclasses import dataclass, field
from io import BufferedReader

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TXT
import dns.tsig
import dns.update

from lifecycle.validation.publishing.reaching import Reach, told
from lifecycle.validation.publishing.troubles import Trouble, Why
from portal.foundation.outbound import Reason
from portal.foundation.outbound.connecting import Bounded, closed, connected, judged
from portal.servers import Server, is_address

TTL = 60
"""Seconds that the value may be kept: whoever corrects it does not want to wait."""

_LONGEST_STRING = 255  # RFC 1035 3.3

_REFUSED = {
    dns.rcode.NOTAUTH: Why.DNS_ZONE,
    dns.rcode.NOTZONE: Why.DNS_ZONE,
    dns.rcode.REFUSED: Why.DNS_REFUSED,
}
_PEERS = {
    # most derived first
    dns.tsig.PeerBadTime: Why.DNS_TIME,
    dns.tsig.BadTime: Why.DNS_TIME,
    dns.tsig.PeerError: Why.DNS_KEY,
    dns.tsig.BadSignature: Why.DNS_KEY,
    dns.tsig.BadKey: Why.DNS_KEY,
    dns.message.UnknownTSIGKey: Why.DNS_KEY,
}


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone and how its server lets us change it."""

    server: str
    """`host:port`."""
    name: str
    key_name: str
    algorithm: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Record:
    owner: str
    kind: str
    """`txt` or `cname`."""
    value: str


def add(zone: Zone, record: Record, reach: Reach) -> None:
    """Let *record* be there; raise `Trouble`.  What is there already stays one record (RFC 2136 3.4.2.2).

    A TXT record stands beside others, so that nobody else's proof is disturbed; an alias takes another's place.
    """
    update, owner = _begun(zone, record)
    rdata = _rdata(record)
    if record.kind == "cname":
        update.replace(owner, TTL, rdata)
    else:
        update.add(owner, TTL, rdata)
    _sent(update, zone, reach)


def remove(zone: Zone, record: Record, reach: Reach) -> None:
    """Let *record* be gone, and nothing else with it; raise `Trouble`.  What is not there is gone (RFC 2136 2.5.4)."""
    update, owner = _begun(zone, record)
    update.delete(owner, _rdata(record))
    _sent(update, zone, reach)


def _begun(zone: Zone, record: Record) -> tuple[dns.update.UpdateMessage, dns.name.Name]:
    origin, owner = dns.name.from_text(zone.name), dns.name.from_text(record.owner)
    if not owner.is_subdomain(origin):
        raise Trouble(Why.OUTSIDE_ZONE, record.owner, lasting=True)
    key = dns.tsig.Key(zone.key_name, zone.secret, zone.algorithm)
    return dns.update.UpdateMessage(origin, keyring=key), owner


def _rdata(record: Record) -> dns.rdata.Rdata:
    if record.kind == "cname":
        target = dns.name.from_text(record.value).to_text()
        return dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.CNAME, target)
    value = record.value.encode("ascii")
    pieces = [value[at : at + _LONGEST_STRING] for at in range(0, len(value), _LONGEST_STRING)]
    return dns.rdtypes.ANY.TXT.TXT(dns.rdataclass.IN, dns.rdatatype.TXT, pieces)


def _sent(update: dns.update.UpdateMessage, zone: Zone, reach: Reach) -> None:
    server, ends = zone.server, time.monotonic() + reach.seconds
    host, _colon, port = server.rpartition(":")
    host = host.strip("[]")
    with told():
        answers = [host] if is_address(host) else reach.names.addresses(host, ends)
        addresses = judged(answers, int(port), reach.routes, url=server)
        connection, address = connected(addresses, int(port), reach.routes, ends=ends, url=server)
    try:
        answer = _answered(update, connection, ends)
    except TimeoutError:
        raise Trouble(Reason.TOO_SLOW, str(Server(address, int(port))), lasting=False) from None
    except tuple(_PEERS) as error:
        why = next(why for kind, why in _PEERS.items() if isinstance(error, kind))
        raise Trouble(why, type(error).__name__, lasting=True) from None
    except (dns.exception.DNSException, EOFError, OSError, ValueError) as error:
        raise Trouble(Why.DNS_NONSENSE, type(error).__name__, lasting=False) from None
    finally:
        closed(connection)
    _judge(answer)


def _answered(update: dns.update.UpdateMessage, connection: socket.socket, ends: float) -> dns.message.Message:
    """Send, and read one message until the monotonic clock shows *ends*; its signature, where it has one, holds.

    Many servers do not sign what they refuse, and it is worth knowing what they said.
    """
    wire = update.to_wire()
    connection.settimeout(max(ends - time.monotonic(), 0.001))
    connection.sendall(len(wire).to_bytes(2) + wire)  # RFC 1035 4.2.2
    said = Bounded(connection, ends=ends, most=2 + 65_535).makefile()
    received = _exactly(said, int.from_bytes(_exactly(said, 2)))
    answer = dns.message.from_wire(received, keyring=False)
    if not update.is_response(answer):
        raise dns.query.BadResponse
    if not answer.had_tsig:
        return answer
    return dns.message.from_wire(received, keyring=update.keyring, request_mac=update.mac)


def _exactly(said: BufferedReader, count: int) -> bytes:
    read = said.read(count)
    if len(read) < count:
        raise EOFError
    return read


def _judge(answer: dns.message.Message) -> None:
    code = answer.rcode()
    said = dns.rcode.to_text(code)
    if code in _REFUSED:
        raise Trouble(_REFUSED[code], said, lasting=True)
    if code != dns.rcode.NOERROR:
        raise Trouble(Why.DNS_FAILED, said, lasting=False)
    if not answer.had_tsig:
        raise Trouble(Why.DNS_UNSIGNED, lasting=True)
