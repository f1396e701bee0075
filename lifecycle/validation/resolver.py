"""The only module that speaks DNS.

It asks a validating resolver of our own (`DNS_RESOLVERS`) and believes nobody else:
a name whose signatures do not hold comes back from it as SERVFAIL, and that is a
failure here.  Everything that is not an answer raises `LookupFailed`; an answer is
bounded in time, in records and in bytes before anybody reads it.
"""

import re
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.CAA

from lifecycle.validation.caa import Answer, LookupFailed, Reason, Record
from portal.config import Server, config

TRIES = (1.0, 1.5, 2.5)
"""Seconds that each try waits; the next try goes to the next resolver."""

MOST_RECORDS = 100
MOST_BYTES = 16_384
MOST_ALIASES = 8

_PAYLOAD = 1232  # bytes that reach everybody in one piece (DNS flag day 2020); what is longer comes over TCP
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")

_SAID_NO = {dns.rcode.SERVFAIL: Reason.SERVER_FAILED, dns.rcode.REFUSED: Reason.REFUSED}


@dataclass(frozen=True, slots=True)
class DnsResolver:
    """Asks one of *servers* after the other; holds no connection, so any number of threads may share it."""

    servers: Sequence[Server]

    def caa(self, name: str, ends: float) -> Answer:
        """Ask for the CAA records of *name*, which is made of A-labels; aliases are followed (RFC 1034 4.3.2).

        NXDOMAIN and an empty answer are an empty set.  Anything else that is not a set of
        records raises `LookupFailed`: so do a referral, which is a server that does not know,
        a circle of aliases, and an answer with more than `MOST_RECORDS` records or `MOST_BYTES` bytes.
        """
        if not _NAME.fullmatch(name):
            raise LookupFailed(Reason.NOT_A_NAME, name)
        asked, ttls, authentic, aliases = dns.name.from_text(name), [], True, {dns.name.from_text(name)}
        while True:
            response, server = self._ask(asked, name, ends)
            owner, records, ttl = _read(response, name, server)
            ttls.append(ttl)
            authentic = authentic and bool(response.flags & dns.flags.AD)
            if records or owner == asked:
                return Answer(_text(owner), records, min(ttls), str(server), authentic)
            # an alias whose target this server did not look up for us
            if owner in aliases or len(aliases) > MOST_ALIASES:
                raise LookupFailed(Reason.ALIAS_LOOP, name, _text(owner), str(server))
            aliases.add(owner)
            asked = owner

    def _ask(self, asked: dns.name.Name, name: str, ends: float) -> tuple[dns.message.Message, Server]:
        """Have an answer of some server, or raise what the last try met."""
        if not self.servers:
            raise LookupFailed(Reason.UNREACHABLE, name, "no resolver is configured")
        failure = LookupFailed(Reason.TIMED_OUT, name)
        for number, seconds in enumerate(TRIES):
            server = self.servers[number % len(self.servers)]
            left = min(seconds, ends - time.monotonic())
            if left <= 0:
                break
            try:
                return _checked(_exchange(asked, server, left), name, server), server
            except dns.exception.Timeout:
                failure = LookupFailed(Reason.TIMED_OUT, name, resolver=str(server))
            except OSError as error:
                failure = LookupFailed(Reason.UNREACHABLE, name, error.strerror or "", str(server))
            except (dns.exception.DNSException, EOFError, ValueError) as error:
                failure = LookupFailed(Reason.BAD_ANSWER, name, type(error).__name__, str(server))
        raise failure


def our_resolver() -> DnsResolver:
    """The resolvers that the operator named; without any, every look fails."""
    return DnsResolver(config.dns_resolvers)


def _exchange(asked: dns.name.Name, server: Server, seconds: float) -> dns.message.Message:
    """Ask over UDP, and over TCP where the answer did not fit."""
    question = dns.message.make_query(
        asked, dns.rdatatype.CAA, flags=dns.flags.RD | dns.flags.AD, use_edns=0, payload=_PAYLOAD
    )
    ends = time.monotonic() + seconds
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as ours:
            ours.setblocking(False)
            ours.connect((server.host, server.port))  # the kernel lets nobody else answer, and says if nobody listens
            return dns.query.udp(question, server.host, seconds, server.port, raise_on_truncation=True, sock=ours)
    except dns.message.Truncated:
        return dns.query.tcp(question, server.host, max(ends - time.monotonic(), 0.01), server.port)


def _checked(response: dns.message.Message, name: str, server: Server) -> dns.message.Message:
    """Let through what answers the question; a refusal is an answer too, and nobody is asked again."""
    code = response.rcode()
    if code not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
        raise LookupFailed(_SAID_NO.get(code, Reason.BAD_ANSWER), name, dns.rcode.to_text(code), str(server))
    if response.flags & dns.flags.TC:
        raise LookupFailed(Reason.BAD_ANSWER, name, "truncated", str(server))
    if not response.flags & (dns.flags.RA | dns.flags.AA) or _refers_elsewhere(response):
        raise LookupFailed(Reason.BAD_ANSWER, name, "referral", str(server))
    return response


def _refers_elsewhere(response: dns.message.Message) -> bool:
    """Name servers and nothing else: "ask them", which looks like "there is none" (RFC 2308 2.2)."""
    kinds = {rrset.rdtype for rrset in response.authority}
    return not response.answer and dns.rdatatype.NS in kinds and dns.rdatatype.SOA not in kinds


def _read(response: dns.message.Message, name: str, server: Server) -> tuple[dns.name.Name, tuple[Record, ...], int]:
    """Return where the chain of aliases ends, the records there, and for how many seconds they hold."""
    try:
        end = dns.message.QueryMessage.resolve_chaining(response)  # type: ignore[arg-type]
    except dns.message.ChainTooLong:
        raise LookupFailed(Reason.ALIAS_LOOP, name, resolver=str(server)) from None
    except dns.exception.DNSException as error:
        raise LookupFailed(Reason.BAD_ANSWER, name, type(error).__name__, str(server)) from None
    records = tuple(Record(rdata.flags, rdata.tag.decode("ascii"), rdata.value) for rdata in end.answer or ())
    if len(records) > MOST_RECORDS or sum(len(record.value) for record in records) > MOST_BYTES:
        raise LookupFailed(Reason.TOO_MUCH, name, f"{len(records)} records", str(server))
    return end.canonical_name, records, end.minimum_ttl


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()
