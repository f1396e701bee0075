"""Whether a zone is proven to be unsigned (RFC 4035 4.3: "insecure").

The resolver checks signatures; this reads what it found on the way from the root to a
name.  Unsigned is what a signed parent says to be: that something is not signed proves
nothing by itself, and neither does a resolver that does not validate.
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype

MOST_ITERATIONS = 150
"""Of a hash, before it is not computed: more has no use but to keep us busy (RFC 9276 3.2)."""

_OPT_OUT = 1  # RFC 5155 3.1.2.1


@dataclass(frozen=True, slots=True)
class Delegation:
    """What the question for the DS records of *name* showed: they stand in the parent's zone (RFC 4035 2.4)."""

    name: str
    authentic: bool
    """Whether the resolver found signatures, and they hold."""
    has_ds: bool = False
    types: frozenset[str] | None = None
    """The types at *name* by the NSEC or NSEC3 record that stands there; None where none does."""
    opted_out: bool = False
    """Whether an NSEC3 record leaves open that there are unsigned delegations where *name* is (RFC 5155 6)."""
    denied: bool = False
    """Whether there is no such name."""


def is_insecure(root_is_authentic: bool, delegations: Iterable[Delegation]) -> bool:  # noqa: FBT001 - it reads well
    """Whether the chain of trust ends on the way down *delegations* with the proof that what follows is unsigned.

    Whatever is not proven is not so: a gap in the chain, a name that does not exist, and a
    parent whose signed word about the child was not heard.
    """
    if not root_is_authentic:
        return False
    for each in delegations:
        if each.denied:
            return False
        if not each.authentic:
            # a validator passes on a span that opted out without saying that it holds (RFC 5155 9.2)
            return each.opted_out and not each.has_ds and each.types is None
        if not each.has_ds and each.types is not None and "NS" in each.types and not each.types & {"DS", "SOA"}:
            return True
    return False


def seen(name: str, response: dns.message.Message) -> Delegation:
    """Return what *response*, an answer with its proofs to the question for DS records, shows."""
    here = dns.name.from_text(name)
    types, opted_out = None, False
    for rrset in response.authority:
        for rdata in rrset:
            if rrset.rdtype == dns.rdatatype.NSEC and rrset.name == here:
                types = _types(rdata)
            if rrset.rdtype == dns.rdatatype.NSEC3 and rdata.algorithm == 1 and rdata.iterations <= MOST_ITERATIONS:
                begins, wanted = rrset.name.labels[0].upper(), _hashed(here, rdata)
                if begins == wanted:
                    types = _types(rdata)
                elif rdata.flags & _OPT_OUT and _covers(begins, rdata, wanted):
                    opted_out = True
    return Delegation(
        name,
        authentic=bool(response.flags & dns.flags.AD),
        has_ds=any(rrset.rdtype == dns.rdatatype.DS for rrset in response.answer),
        types=types,
        opted_out=opted_out,
        denied=response.rcode() == dns.rcode.NXDOMAIN,
    )


def _types(rdata: dns.rdata.Rdata) -> frozenset[str]:
    """Read the bitmaps of an NSEC or NSEC3 record (RFC 4034 4.1.2)."""
    return frozenset(
        dns.rdatatype.to_text(dns.rdatatype.RdataType.make(window * 256 + byte * 8 + bit))
        for window, bitmap in rdata.windows  # type: ignore[attr-defined]
        for byte, octet in enumerate(bitmap)
        for bit in range(8)
        if octet & (0x80 >> bit)
    )


def _hashed(name: dns.name.Name, rdata: dns.rdata.Rdata) -> bytes:
    return dns.dnssec.nsec3_hash(name, rdata.salt, rdata.iterations, rdata.algorithm).encode()  # type: ignore[attr-defined]


def _covers(begins: bytes, rdata: dns.rdata.Rdata, wanted: bytes) -> bool:
    """Whether *wanted* lies behind *begins* and before the next hash; the last span leads back to the first."""
    ends = base64.b32hexencode(rdata.next)  # type: ignore[attr-defined]
    return begins < wanted < ends if begins < ends else wanted > begins or wanted < ends
