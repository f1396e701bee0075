"""A real name server (Knot) on a free loopback port, with zones that a test writes down.

It is authoritative for every zone it is given, the root among them, so that a climb ends
with an answer as it does behind a resolver.  Zones that are to be signed it signs itself.
"""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import dns.exception
import dns.message
import dns.query

from portal.demo.child import Child, await_health, bare_environment
from portal.demo.embedded import free_port
from portal.servers import Server

ROOT_ZONE = """\
$ORIGIN .
$TTL 300
@           SOA  ns.test. admin.test. 1 3600 600 86400 60
@           NS   ns.test.
ns.test.    A    127.0.0.1
lame.       NS   ns.lame.
ns.lame.    A    127.0.0.1
"""


POLICIES = {
    "nsec": "",
    "nsec3": "    nsec3: on\n",
    "opt-out": "    nsec3: on\n    nsec3-opt-out: on\n",  # what most top-level domains have
}


@dataclass(slots=True)
class Knot:
    """`knotd` with *zones*, by name; each begins with its SOA and NS records.

    Those of *signed* are signed by one of `POLICIES`.  A parent needs its child's `ds` before
    it is served, so keys are made by `make_keys`, which may come before the zones are written.
    """

    folder: Path
    zones: dict[str, str]
    signed: Mapping[str, str] = field(default_factory=dict)
    port: int = 0
    child: Child | None = None

    @property
    def server(self) -> Server:
        return Server("127.0.0.1", self.port)

    def make_keys(self, *zones: str) -> dict[str, list[str]]:
        """Make a key for each of *zones*; return their DS records, as their parents' zone files have them."""
        return {zone: self._made(zone) for zone in zones}

    def _made(self, zone: str) -> list[str]:
        self._keymgr(zone, "generate", "algorithm=ECDSAP256SHA256", "ksk=yes", "zsk=yes")
        return [line for line in self._keymgr(zone, "ds").splitlines() if line.split()[4] == "2"]  # SHA-256

    def _keymgr(self, *words: str) -> str:
        database = self.folder / "keys"
        done = subprocess.run(["/usr/sbin/keymgr", "-D", database, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self) -> None:
        self.port = self.port or free_port()
        configuration = self.folder / "knot.conf"
        configuration.write_text(
            f"server:\n    rundir: {self.folder}\n    listen: 127.0.0.1@{self.port}\n    tcp-workers: 1\n"
            f"    udp-workers: 1\n    background-workers: 1\n"
            f"database:\n    storage: {self.folder}\n    kasp-db: {self.folder / 'keys'}\n"
            f"log:\n  - target: stderr\n    any: warning\n"
            f"policy:\n{''.join(_policy(name) for name in POLICIES)}"
            f"zone:\n{''.join(self._zone(name) for name in self.zones)}"
        )
        command = ["/usr/sbin/knotd", "-c", configuration]
        self.child = Child("knot", command, bare_environment(), self.folder / "knot.log")
        self.child.start()
        await_health(self.child, self.answers)

    def _zone(self, name: str) -> str:
        file = self.folder / f"{name.strip('.') or 'root'}.zone"
        file.write_text(self.zones[name])
        signing = f"    dnssec-signing: on\n    dnssec-policy: {self.signed[name]}\n" if name in self.signed else ""
        return f"  - domain: {name}\n    file: {file}\n    zonefile-sync: -1\n    journal-content: none\n{signing}"

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


def _policy(name: str) -> str:
    return (
        f"  - id: {name}\n    manual: on\n    single-type-signing: on\n    algorithm: ECDSAP256SHA256\n{POLICIES[name]}"
    )
