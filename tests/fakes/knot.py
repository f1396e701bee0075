"""A real name server (Knot) on a free loopback port, with zones that a test writes down.

It is authoritative for every zone it is given, the root among them, so that a climb ends
with an answer as it does behind a resolver.
"""

from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.message
import dns.query

from portal.config import Server
from portal.demo.child import Child, await_health, bare_environment
from portal.demo.embedded import free_port

ROOT_ZONE = """\
$ORIGIN .
$TTL 300
@           SOA  ns.test. admin.test. 1 3600 600 86400 60
@           NS   ns.test.
ns.test.    A    127.0.0.1
lame.       NS   ns.lame.
ns.lame.    A    127.0.0.1
"""


@dataclass(slots=True)
class Knot:
    """`knotd` with *zones*, by name; each begins with its SOA and NS records."""

    folder: Path
    zones: dict[str, str]
    port: int = 0
    child: Child | None = None

    @property
    def server(self) -> Server:
        return Server("127.0.0.1", self.port)

    def start(self) -> None:
        self.port = free_port()
        names = []
        for name, text in self.zones.items():
            file = self.folder / f"{name.strip('.') or 'root'}.zone"
            file.write_text(text)
            names.append(f"  - domain: {name}\n    file: {file}\n    journal-content: none\n")
        configuration = self.folder / "knot.conf"
        configuration.write_text(
            f"server:\n    rundir: {self.folder}\n    listen: 127.0.0.1@{self.port}\n    tcp-workers: 1\n"
            f"    udp-workers: 1\n    background-workers: 1\n"
            f"database:\n    storage: {self.folder}\n"
            f"log:\n  - target: stderr\n    any: warning\n"
            f"zone:\n{''.join(names)}"
        )
        command = ["/usr/sbin/knotd", "-c", configuration]
        self.child = Child("knot", command, bare_environment(), self.folder / "knot.log")
        self.child.start()
        await_health(self.child, self.answers)

    def answers(self) -> bool:
        """Tell whether every zone is loaded; Knot listens before that."""
        for name in self.zones:
            question = dns.message.make_query(name, "SOA")
            try:
                answer = dns.query.udp(question, "127.0.0.1", 0.5, self.port)
            except (OSError, dns.exception.DNSException):
                return False
            if not answer.answer:
                return False
        return True

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop()
