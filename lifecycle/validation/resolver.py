"""The only module that asks the DNS.

It asks a validating resolver of our own (`DNS_RESOLVERS`) and believes nobody else: what
the resolver passes on without the mark that signatures hold is of a zone that it found to
be unsigned, and a name whose signatures do not hold comes back as SERVFAIL, which is a
failure here.  Everything that is not an answer raises `LookupFailed`; an answer is
bounded in time, in records and in bytes before anybody reads it.
"""

import re
import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rdtypes.ANY.CAA

from lifecycle.validation import dnssec
from lifecycle.validation.caa import Answer, LookupFailed, Reason, Record, climb
from lifecycle.validation.questions import Asked
from portal.servers import Server

TRIES = (1.0, 1.5, 2.5)
"""Seconds that each try waits; the next try goes to the next resolver."""

FORGETS = 5.2
"""Seconds after which a resolver asks the name servers once more about a name that failed: Unbound remembers a
failure for five.  Asking again before that would not be a second look-up."""

MOST_RECORDS = 100
MOST_BYTES = 16_384
MOST_ALIASES = 8

_PAYLOAD = 1232  # bytes that reach everybody in one piece (DNS flag day 2020); what is longer comes over TCP
_LARGEST = 65_535
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")

_SAID_NO = {dns.rcode.SERVFAIL: Reason.SERVER_FAILED, dns.rcode.REFUSED: Reason.REFUSED}
_KINDS = {Asked.TXT: dns.rdatatype.TXT, Asked.CNAME: dns.rdatatype.CNAME}

_BOGUS = frozenset({
    dns.edns.EDECode.DNSSEC_INDETERMINATE, dns.edns.EDECode.DNSSEC_BOGUS, dns.edns.EDECode.SIGNATURE_EXPIRED,
    dns.edns.EDECode.SIGNATURE_NOT_YET_VALID, dns.edns.EDECode.DNSKEY_MISSING, dns.edns.EDECode.RRSIGS_MISSING,
    dns.edns.EDECode.NO_ZONE_KEY_BIT_SET, dns.edns.EDECode.NSEC_MISSING,
    dns.edns.EDECode.SIGNATURE_EXPIRED_BEFORE_VALID,
})  # fmt: skip
_OURS = frozenset({
    dns.edns.EDECode.NOT_READY, dns.edns.EDECode.BLOCKED, dns.edns.EDECode.CENSORED, dns.edns.EDECode.FILTERED,
    dns.edns.EDECode.PROHIBITED, dns.edns.EDECode.NETWORK_ERROR, dns.edns.EDECode.UNABLE_TO_CONFORM_TO_POLICY,
})  # fmt: skip
"""What a resolver says of a failure that is its own, or its network's (RFC 8914 4)."""


@dataclass(frozen=True, slots=True)
class Records:
    """The records of one kind that count for a name: as text strings, or a target each; empty where there are none.

    *owner* is another name than the one asked for where that is an alias.
    """

    owner: str
    values: tuple[bytes, ...]
    ttl: int
    resolver: str
    authentic: bool
    """Whether signatures were found and hold; else the zone is unsigned, as far as the resolver validates."""


@dataclass(frozen=True, slots=True)
class _Found:
    """The set of records at the end of a chain of aliases."""

    owner: dns.name.Name
    records: Sequence[dns.rdata.Rdata]
    ttl: int
    server: Server
    authentic: bool


@dataclass(frozen=True, slots=True)
class DnsResolver:
    """Asks one of *servers* after the other; holds no connection, so any number of threads may share it.

    Names are made of A-labels; aliases are followed (RFC 1034 4.3.2).  NXDOMAIN and an empty
    answer are an empty set.  Anything else that is not a set of records raises `LookupFailed`:
    so do a referral, which is a server that does not know, a circle of aliases, and an answer
    with more than `MOST_RECORDS` records or `MOST_BYTES` bytes.
    """

    servers: Sequence[Server]

    def caa(self, name: str, ends: float) -> Answer:
        """Ask for the CAA records of *name* until the monotonic clock shows *ends*."""
        found = self._find(name, dns.rdatatype.CAA, ends)
        records = tuple(Record(each.flags, each.tag.decode("ascii"), each.value) for each in found.records)  # type: ignore[attr-defined]
        return Answer(_text(found.owner), records, found.ttl, str(found.server), found.authentic)

    def records(self, name: str, kind: Asked, ends: float) -> Records:
        """Ask for the records of *kind*: `TXT`, or `CNAME`, which is the alias itself and not what it leads to."""
        found = self._find(name, _KINDS[kind], ends)
        values = tuple(map(_value, found.records))
        return Records(_text(found.owner), values, found.ttl, str(found.server), found.authentic)

    def addresses(self, name: str, ends: float) -> tuple[str, ...]:
        """Return all addresses of *name*, IPv4 first; empty where it has none.

        Raises `LookupFailed` where either question fails: half of an answer might be the half that is allowed.
        """
        kinds = (dns.rdatatype.A, dns.rdatatype.AAAA)
        return tuple(each.address for kind in kinds for each in self._find(name, kind, ends).records)  # type: ignore[attr-defined]

    def caa_again(self, failure: LookupFailed, ends: float) -> Answer:
        """Look up once more what failed, as soon as that is a look-up; where no time is left for it, that is ours."""
        pause = failure.at + FORGETS - time.monotonic()
        if pause > ends - time.monotonic():
            raise LookupFailed(failure.reason, failure.asked, failure.detail, failure.resolver, ours=True)
        time.sleep(max(pause, 0))
        return self.caa(failure.asked, ends)

    def forgives(self, failure: LookupFailed, ends: float) -> bool:
        """Whether *failure* may count as "no record" once it was tried again: the exception of BR 3.2.2.8.

        It is none of ours: the resolver answered, blames others, and its network works.  And the zone is
        proven unsigned by a chain of trust, which needs a resolver that validates (`dnssec.is_insecure`).
        Raises `LookupFailed` where there is more to say: resolvers give up a circle of aliases without a word.
        """
        server = next((each for each in self.servers if str(each) == failure.resolver), None)
        if failure.reason is not Reason.SERVER_FAILED or failure.ours or server is None:
            return False
        asking = DnsResolver([server])
        try:
            proven = dnssec.is_insecure(asking.validates(ends), asking.delegations(failure, ends))
            return proven and asking.reaches(failure.asked.rpartition(".")[2], ends)
        except LookupFailed as found:
            if found.reason is Reason.ALIAS_LOOP:
                raise
            return False

    def validates(self, ends: float) -> bool:
        """Whether the resolver found that the root's own records are signed, and that the signatures hold."""
        response, _server = self._ask(dns.name.root, dns.rdatatype.SOA, ".", ends)
        return bool(response.answer) and bool(response.flags & dns.flags.AD)

    def reaches(self, top: str, ends: float) -> bool:
        """Whether name servers of *top*, a label below the root, answer now: what is proven may be so from a cache.

        They are asked for a name that nobody else thinks of.  Raises `LookupFailed` where they do not.
        """
        asked = f"{secrets.token_hex(8)}.{top}"
        self._ask(dns.name.from_text(asked), dns.rdatatype.SOA, asked, ends)
        return True

    def culprit(self, failure: LookupFailed, ends: float) -> str:
        """Return the name that cannot be looked up: the one asked for, or the last of its aliases."""
        name = failure.asked
        for _alias in range(MOST_ALIASES):
            try:
                found = self._find(name, dns.rdatatype.CNAME, ends)
            except LookupFailed as again:
                if again.reason is Reason.SERVER_FAILED:
                    return name
                raise
            if not found.records:
                return name
            name = _value(found.records[0]).decode("ascii")
        raise LookupFailed(Reason.ALIAS_LOOP, failure.asked, name, failure.resolver)

    def delegations(self, failure: LookupFailed, ends: float) -> Iterator[dnssec.Delegation]:
        """Ask from the top down how the name that failed is delegated, as far down as somebody wants to know."""
        for here in reversed([*climb(self.culprit(failure, ends))]):
            response, _server = self._ask(dns.name.from_text(here), dns.rdatatype.DS, here, ends)
            yield dnssec.seen(here, response)

    def _find(self, name: str, kind: dns.rdatatype.RdataType, ends: float) -> _Found:
        if not _NAME.fullmatch(name):
            raise LookupFailed(Reason.NOT_A_NAME, name)
        asked, ttls, authentic, aliases = dns.name.from_text(name), [], True, {dns.name.from_text(name)}
        while True:
            response, server = self._ask(asked, kind, name, ends)
            owner, records, ttl = _read(response, name, server)
            ttls.append(ttl)
            authentic = authentic and bool(response.flags & dns.flags.AD)
            if records or owner == asked:
                return _Found(owner, records, min(ttls), server, authentic)
            # an alias whose target this server did not look up for us
            if owner in aliases or len(aliases) > MOST_ALIASES:
                raise LookupFailed(Reason.ALIAS_LOOP, name, _text(owner), str(server))
            aliases.add(owner)
            asked = owner

    def _ask(
        self, asked: dns.name.Name, kind: dns.rdatatype.RdataType, name: str, ends: float
    ) -> tuple[dns.message.Message, Server]:
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
                return _checked(_exchange(asked, kind, server, left), name, server), server
            except (dns.exception.Timeout, TimeoutError):
                failure = LookupFailed(Reason.TIMED_OUT, name, resolver=str(server))
            except (OSError, EOFError) as error:  # the latter is a TCP connection that was shut in our face
                failure = LookupFailed(Reason.UNREACHABLE, name, _said_by(error), str(server))
            except (dns.exception.DNSException, ValueError) as error:
                failure = LookupFailed(Reason.BAD_ANSWER, name, type(error).__name__, str(server))
        raise failure


def _exchange(
    asked: dns.name.Name, kind: dns.rdatatype.RdataType, server: Server, seconds: float
) -> dns.message.Message:
    """Ask over UDP, and over TCP where the answer did not fit."""
    question = dns.message.make_query(
        asked,
        kind,
        flags=dns.flags.RD | dns.flags.AD,
        use_edns=0,
        payload=_PAYLOAD,
        want_dnssec=kind == dns.rdatatype.DS,  # its proofs are read
    )
    ends = time.monotonic() + seconds
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as ours:  # `dns.query.udp` costs as much again for its waiting
            ours.settimeout(seconds)
            ours.connect((server.host, server.port))  # the kernel lets nobody else answer, and says if nobody listens
            ours.send(question.to_wire())
            response = dns.message.from_wire(ours.recv(_LARGEST), raise_on_truncation=True)
        if not question.is_response(response):
            raise dns.query.BadResponse
        return response  # noqa: TRY300 - what is truncated is asked again
    except dns.message.Truncated:
        return dns.query.tcp(question, server.host, max(ends - time.monotonic(), 0.01), server.port)


def _checked(response: dns.message.Message, name: str, server: Server) -> dns.message.Message:
    """Let through what answers the question; a refusal is an answer too, and nobody is asked again."""
    code = response.rcode()
    if code not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
        said = {each.code for each in response.extended_errors()}
        reason = Reason.BOGUS if said & _BOGUS else _SAID_NO.get(code, Reason.BAD_ANSWER)
        raise LookupFailed(reason, name, _detail(response), str(server), ours=bool(said & _OURS))
    if response.flags & dns.flags.TC:
        raise LookupFailed(Reason.BAD_ANSWER, name, "truncated", str(server))
    if not response.flags & (dns.flags.RA | dns.flags.AA) or _refers_elsewhere(response):
        raise LookupFailed(Reason.BAD_ANSWER, name, "referral", str(server))
    return response


def _said_by(error: OSError | EOFError) -> str:
    return getattr(error, "strerror", None) or type(error).__name__


def _detail(response: dns.message.Message) -> str:
    """Say which error it is, and what the resolver adds to it (RFC 8914)."""
    added = [dns.edns.EDECode.to_text(each.code) + (f" ({each.text})" if each.text else "")
             for each in response.extended_errors()]  # fmt: skip
    return ", ".join([dns.rcode.to_text(response.rcode()), *added])


def _refers_elsewhere(response: dns.message.Message) -> bool:
    """Name servers and nothing else: "ask them", which looks like "there is none" (RFC 2308 2.2)."""
    kinds = {rrset.rdtype for rrset in response.authority}
    return not response.answer and dns.rdatatype.NS in kinds and dns.rdatatype.SOA not in kinds


def _read(
    response: dns.message.Message, name: str, server: Server
) -> tuple[dns.name.Name, Sequence[dns.rdata.Rdata], int]:
    """Return where the chain of aliases ends, the records there, and for how many seconds they hold."""
    try:
        end = dns.message.QueryMessage.resolve_chaining(response)  # type: ignore[arg-type]
    except dns.message.ChainTooLong:
        raise LookupFailed(Reason.ALIAS_LOOP, name, resolver=str(server)) from None
    except dns.exception.DNSException as error:
        raise LookupFailed(Reason.BAD_ANSWER, name, type(error).__name__, str(server)) from None
    records = tuple(end.answer or ())
    if len(records) > MOST_RECORDS or sum(map(_size, records)) > MOST_BYTES:
        raise LookupFailed(Reason.TOO_MUCH, name, f"{len(records)} records", str(server))
    return end.canonical_name, records, end.minimum_ttl


def _size(record: dns.rdata.Rdata) -> int:
    return len(record.value if record.rdtype == dns.rdatatype.CAA else record.to_wire() or b"")  # type: ignore[attr-defined]


def _value(record: dns.rdata.Rdata) -> bytes:
    """The strings of a TXT record, joined as readers do (RFC 7208 3.3), or the target of an alias."""
    if record.rdtype == dns.rdatatype.TXT:
        return b"".join(record.strings)  # type: ignore[attr-defined]
    return _text(record.target).encode("ascii")  # type: ignore[attr-defined]


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()
