"""A real primary name server (Knot) that takes updates signed with one key, for one zone."""

import base64
from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rdatatype

from portal.demo.child import Child, await_health, bare_environment
from portal.demo.embedded import free_port

ZONE = """\
$ORIGIN {zone}.
$TTL 300
@   SOA ns admin 1 3600 600 86400 60
@   NS  ns
ns  A   203.0.113.53
"""
KEY = "portal.acme"
SECRET = base64.b64encode(b"k" * 32).decode()


@dataclass(slots=True)
class Primary:
    """Serves *zone*, which `KEY` may change, and `closed.example`, which nobody may."""

    folder: Path
    zone: str = "acme.example"
    port: int = 0
    child: Child | None = None

    def start(self) -> None:
        self.port = free_port()
        zones = ""
        for name in (self.zone, "closed.example"):
            file = self.folder / f"{name}.zone"
            file.write_text(ZONE.format(zone=name))
            acl = "    acl: ours\n" if name == self.zone else ""
            zones += f"  - domain: {name}\n    file: {file}\n{acl}    zonefile-sync: -1\n    journal-content: all\n"
        configuration = self.folder / "knot.conf"
        configuration.write_text(
            f"server:\n    rundir: {self.folder}\n    listen: 127.0.0.1@{self.port}\n    tcp-workers: 1\n"
            f"    udp-workers: 1\n    background-workers: 1\n"
            f"database:\n    storage: {self.folder}\n    journal-db-max-size: 16M\n"
            f"log:\n  - target: stderr\n    any: info\n"
            f"key:\n  - id: {KEY}\n    algorithm: hmac-sha256\n    secret: {SECRET}\n"
            f"acl:\n  - id: ours\n    action: update\n    key: {KEY}\n"
            f"zone:\n{zones}"
        )
        command = ["/usr/sbin/knotd", "-c", configuration]
        self.child = Child("primary", command, bare_environment(), self.folder / "knot.log")
        self.child.start()
        await_health(self.child, lambda: bool(self.records(self.zone, "SOA")))

    def records(self, name: str, kind: str = "TXT") -> list[str]:
        """What anybody sees there."""
        question = dns.message.make_query(name, kind)
        try:
            answer = dns.query.udp(question, "127.0.0.1", 1.0, self.port)
        except (OSError, dns.exception.DNSException):
            return []
        wanted = dns.rdatatype.from_text(kind)
        return sorted(rdata.to_text() for rrset in answer.answer for rdata in rrset if rdata.rdtype == wanted)

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop()
