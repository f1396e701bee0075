"""A small internet of our own: a signed root, zones below it in Knot, and a validating resolver (Unbound) in front.

Everything is real but the root's trust anchor, and that servers of zones are found on
loopback ports.  A zone may be served by somebody else instead, who does it wrong.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import dns.dnssec
import dns.rdata
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec

from lifecycle.validation.resolver import DnsResolver
from portal.servers import Server
from tests.fakes.knot import Knot
from tests.fakes.unbound import Unbound

_ALGORITHM = 13  # ECDSAP256SHA256
_SHA_256 = 2


@dataclass
class Internet:
    """*zones* by name, each its lines without SOA and NS; those of *signed* by one of `knot.POLICIES`.

    Zones of *elsewhere* are served there, and delegated without DS.  *ds* overrules what a
    parent says of a child.  *more* are lines for the resolver that overrule its rules.
    """

    folder: Path
    zones: Mapping[str, tuple[str, ...]]
    signed: Mapping[str, str]
    elsewhere: Mapping[str, Server] = field(default_factory=dict)
    ds: Mapping[str, list[str]] = field(default_factory=dict)
    more: tuple[str, ...] = ()
    knot: Knot = field(init=False)
    unbound: Unbound = field(init=False)

    @property
    def resolver(self) -> DnsResolver:
        return DnsResolver([self.unbound.server])

    def start(self) -> None:
        for part in ("knot", "unbound"):
            (self.folder / part).mkdir(exist_ok=True)
        self.knot = Knot(self.folder / "knot", {}, self.signed)
        ds = self.knot.make_keys(*self.signed)
        anchors = ds["."]
        delegated = dict.fromkeys((*self.zones, *self.elsewhere), ()) | ds | dict(self.ds)
        for zone, lines in self.zones.items():
            children = [
                line
                for child, signers in delegated.items()
                if child != "." and self._parent(child) == zone
                for line in (f"{child} NS ns.test.", *signers)
            ]
            self.knot.zones[zone] = written(zone, *lines, *children)
        self.knot.start()
        stubs = dict.fromkeys(self.zones, self.knot.server) | dict(self.elsewhere)
        self.unbound = Unbound(self.folder / "unbound", stubs, anchors, self.more)
        self.unbound.start()

    def _parent(self, zone: str) -> str:
        _label, _dot, rest = zone.partition(".")
        return rest if rest in self.zones else self._parent(rest) if rest else "."

    def stop(self) -> None:
        self.unbound.stop()
        self.knot.stop()


def written(zone: str, *lines: str) -> str:
    """Return *lines* as a zone file, with the records that every zone has."""
    begin = [f"$ORIGIN {zone}", "$TTL 300", "@ SOA ns.test. admin.test. 1 3600 600 86400 60"]
    return "\n".join([*begin, "@ NS ns.test.", *lines, ""])


def signed_by_hand(zone: str, *lines: str, since: datetime, until: datetime) -> tuple[tuple[str, ...], list[str]]:
    """Sign *lines* for as long as no name server would; return the zone's lines, and the DS records of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    dnskey = dns.dnssec.make_dnskey(key.public_key(), _ALGORITHM, flags=257)
    made = dns.zone.from_text(written(zone, *lines), relativize=False)
    with made.writer() as changed:
        dns.dnssec.sign_zone(
            made, changed, [(key, dnskey)], inception=since, expiration=until, dnskey_ttl=300, add_dnskey=True
        )
    theirs = (f"{zone} 300 IN SOA ", f"{zone} 300 IN NS ")  # every zone has them
    text = made.to_text(relativize=False).splitlines()
    return tuple(line for line in text if not line.startswith(theirs)), [
        f"{zone} DS {dns.dnssec.make_ds(zone, dnskey, _SHA_256).to_text()}"
    ]
