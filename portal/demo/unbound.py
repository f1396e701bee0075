"""A validating resolver (Unbound) on a loopback port, for the demo and the tests.

It obeys `deploy/unbound/rules.conf` as the containers' resolver does.  What differs is
where it listens, whose signatures it believes, and that it finds servers of zones on
loopback ports, where no delegation could lead it.
"""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from portal.demo.child import Child, await_health, bare_environment
from portal.demo.embedded import free_port
from portal.servers import Server

BINARY = "/usr/sbin/unbound"
RULES = Path(__file__).resolve().parent.parent.parent / "deploy" / "unbound" / "rules.conf"

_CONFIGURATION = """\
server:
    interface: 127.0.0.1@{port}
    access-control: 127.0.0.0/8 allow
    do-ip6: no
    do-daemonize: no
    username: ""
    chroot: ""
    directory: "{folder}"
    pidfile: ""
    use-syslog: no
    logfile: ""
    verbosity: 1
    val-log-level: 1
    do-not-query-localhost: no          # the zones below are served from there
    trust-anchor-signaling: no
{anchors}
include: "{rules}"
{more}
remote-control:
    control-enable: no
{stubs}
"""


@dataclass(slots=True)
class Unbound:
    """`unbound` in *folder*, which finds the servers of the zones of *stubs*, the root among them, where they say.

    *anchors* are DS or DNSKEY records of the root as a zone file has them; without any,
    nothing is validated.  *more* are lines of the `server:` clause that overrule the rules.
    """

    folder: Path
    stubs: Mapping[str, Server]
    anchors: Sequence[str] = ()
    more: Sequence[str] = ()
    port: int = 0
    child: Child | None = field(default=None, init=False)

    @property
    def server(self) -> Server:
        return Server("127.0.0.1", self.port)

    def configuration(self) -> str:
        # Unbound answers for some names itself, `test.` among them (RFC 6761), unless it is told not to
        more = [f'local-zone: "{zone}" nodefault' for zone in self.stubs if zone != "."] + list(self.more)
        return _CONFIGURATION.format(
            port=self.port,
            folder=self.folder,
            rules=RULES,
            anchors="\n".join(f"    trust-anchor: '{anchor}'" for anchor in self.anchors),
            more="\n".join(["server:", *(f"    {line}" for line in more)]),
            stubs="\n".join(
                f'stub-zone:\n    name: "{zone}"\n    stub-addr: {server.host}@{server.port}\n    stub-prime: no'
                for zone, server in self.stubs.items()
            ),
        )

    def start(self) -> None:
        self.port = self.port or free_port()
        configuration = self.folder / "unbound.conf"
        configuration.write_text(self.configuration())
        command: list[str | Path] = [BINARY, "-d", "-p", "-c", configuration]
        self.child = Child("unbound", command, bare_environment(), self.folder / "unbound.log")
        self.child.start()
        await_health(self.child, self.answers)

    def answers(self) -> bool:
        """Tell whether it listens: it takes connections as soon as its zones are read."""
        try:
            with socket.create_connection((self.server.host, self.port), timeout=0.5):
                return True
        except OSError:
            return False

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop()
