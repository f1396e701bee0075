"""The DNS of the demo: a name server (Knot) with a signed root of its own, and a validating resolver (Unbound).

Below that root there are `demo.test`, which is signed, and `unsigned.test`, which is not, and nothing else.  What
people change outlives a restart: Knot keeps its zones, and the keys that sign them, in files.
"""

import base64
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from portal.demo import records, zone
from portal.demo.child import Child, await_health, bare_environment
from portal.demo.embedded import RESOLVING_SERVICES, free_port
from portal.demo.places import Places, Unusable
from portal.demo.stage import PAGES_KEY, Stage
from portal.demo.unbound import Unbound
from portal.servers import Server

TENANTS_KEY = "acme-publishing"
"""Name of the TSIG key with which a tenant may publish its proofs in `demo.test`."""

UPDATES = "203.0.113.53:53"
"""Where whoever publishes by himself sends updates of `demo.test` to."""

_LOOPBACK = "127.0.0.1"
_ROOT = Path(__file__).resolve().parent.parent.parent
_PYTHON = [sys.executable, "-m"]
_SIGNED = (".", "test", zone.ORIGIN)  # each after the one that vouches for it
_BOGUS = next(name for name, fault in zone.FAULTY.items() if fault == "bogus")
_SILENT = next(name for name, fault in zone.FAULTY.items() if fault == "silent")
_LAME = next(name for name, fault in zone.FAULTY.items() if fault == "lame")
_ZONES = (*_SIGNED, zone.UNSIGNED, _BOGUS)
_IMPATIENT = (
    "val-log-level: 0",  # what does not hold here, does not hold on purpose
    f'local-zone: "{_SILENT}." deny',  # nobody answers, and the resolver says nothing of it
    "cache-max-ttl: 0",  # who changes a record looks at once
    "cache-max-negative-ttl: 0",
    "val-bogus-ttl: 1",
    "infra-host-ttl: 1",
)

_SOA = f"@ {zone.TTL} SOA ns.test. admin.test. 1 3600 600 86400 {zone.TTL}\n@ {zone.TTL} NS ns.test.\n"
# Nobody has the key that is vouched for here, so nothing below it can be believed.
_NOBODYS_KEY = f"DS 4711 13 2 {'0badc0de' * 8}"


class NameServer:
    """Knot, Unbound, and the small web server that every name leads to; known to others by the resolver's address."""

    def __init__(self, places: Places) -> None:
        folder = places.make("dns")
        self.authority = Authority(places, folder)
        self.resolver = resolver(places, "resolver", self.authority)
        self.stage = Stage(
            str(self.authority.server),
            self.authority.secret(PAGES_KEY),
            self.authority.secret(TENANTS_KEY),
            str(folder),
            str(places.make("files")),
        )
        self._web = free_port()
        command = [*_PYTHON, "portal.demo.webserver", "--port", str(self._web), "--folder", self.stage.files]
        self.web = Child("web server", command, bare_environment(), places.log("webserver"), folder=_ROOT)
        self._told = folder / "stage.json"

    @property
    def port(self) -> int:
        return self.resolver.port

    @property
    def files(self) -> Path:
        return Path(self.stage.files)

    @property
    def routes(self) -> str:
        """Which addresses of the documentation's ranges lead where on this machine."""
        return f"{zone.WEB}:80={_LOOPBACK}:{self._web},{UPDATES}={self.authority.server}"

    @property
    def children(self) -> tuple[Child, ...]:
        return tuple(child for child in (self.authority.child, self.resolver.child, self.web) if child is not None)

    def start(self) -> None:
        self.tell(self.stage)
        self.web.start()
        self.authority.start()
        begin(self.resolver, self.authority)
        await_health(self.web, self._shows)

    def stop(self) -> None:
        self.web.stop()
        self.resolver.stop()
        self.authority.stop()

    def tell(self, stage: Stage) -> None:
        """Let pages and story know what they may change."""
        stage.write(self._told)

    def environment(self, service: str) -> dict[str, str]:
        told = {}
        if service in RESOLVING_SERVICES:
            told = {"DNS_RESOLVERS": str(self.resolver.server), "OUTBOUND_ROUTES": self.routes}
        if service in {"web", "tool"}:
            told["PORTAL_DEMO_ZONE"] = str(self._told)
        return told

    def _shows(self) -> bool:
        try:
            socket.create_connection((_LOOPBACK, self._web), timeout=1).close()
        except OSError:
            return False
        return True


class Authority:
    """Knot, authoritative for everything that there is."""

    def __init__(self, places: Places, folder: Path) -> None:
        self._places, self._folder, self.port = places, folder, free_port()
        self._configuration = folder / "knot.conf"
        self.child = Child(
            "name server",
            [_program("knotd", "knot"), "-c", self._configuration],
            bare_environment(),
            places.log("knot"),
        )

    def start(self) -> None:
        self._configuration.write_text(self._configured())
        if not (self._folder / "made").exists():
            self._make()
            (self._folder / "made").touch()
        self.child.start()
        await_health(self.child, lambda: all(records.answers((_LOOPBACK, self.port), name) for name in self._files()))

    def stop(self) -> None:
        self.child.stop()

    def secret(self, key: str) -> str:
        """The secret of a TSIG key, in base64."""
        path = self._places.secret(f"tsig-{key}")
        return base64.b64encode(path.read_bytes()[:32]).decode()

    @property
    def server(self) -> Server:
        return Server(_LOOPBACK, self.port)

    def anchors(self) -> list[str]:
        """What vouches for the root, as DS records."""
        return self._keymgr(".", "ds").splitlines()

    def _make(self) -> None:
        """Make keys and zones; each zone vouches for the keys of those below it."""
        for name in _SIGNED:
            self._keymgr(name, "generate", "algorithm=ECDSAP256SHA256", "ksk=yes", "zsk=yes")
        for name, text in self._zones().items():
            self._files()[name].write_text(text)

    def _zones(self) -> Mapping[str, str]:
        below = {
            ".": f"test. NS ns.test.\nns.test. A {_LOOPBACK}\n{self._keymgr('test', 'ds')}",
            "test": f"ns A {_LOOPBACK}\n{zone.ORIGIN}. NS ns.test.\n{zone.UNSIGNED}. NS ns.test.\n"
            f"{self._keymgr(zone.ORIGIN, 'ds')}",
            zone.ORIGIN: f"{_BOGUS}. NS ns.test.\n{_BOGUS}. {_NOBODYS_KEY}\n{_SILENT}. NS ns.test.\n",
            zone.UNSIGNED: f"{_LAME}. NS ns.test.\n",
            _BOGUS: "",
        }
        told = {
            name: f"$ORIGIN {name.removesuffix('.')}.\n$TTL {zone.TTL}\n{_SOA}{text}" for name, text in below.items()
        }
        for name in zone.START:
            if origin := zone.zone_of(name.full):
                told[origin] += "".join(f"{name.full}. {kind} {_dotted(kind, value)}\n" for kind, value in name.lines)
        return told

    def _files(self) -> dict[str, Path]:
        return {name: self._folder / f"{'root' if name == '.' else name}.zone" for name in _ZONES}

    def _configured(self) -> str:
        keys = "".join(
            f"  - id: {key}\n    algorithm: hmac-sha256\n    secret: {self.secret(key)}\n"
            for key in (PAGES_KEY, TENANTS_KEY)
        )
        zones = "".join(
            f"  - domain: {name}\n    file: {file}\n    dnssec-signing: {'on' if name in _SIGNED else 'off'}\n"
            + (f"    acl: [{PAGES_KEY}, {TENANTS_KEY}]\n" if name in zone.ZONES else "")
            for name, file in self._files().items()
        )
        return f"""\
server:
    rundir: {self._folder}
    listen: {_LOOPBACK}@{self.port}
    tcp-workers: 1
    udp-workers: 1
    background-workers: 1
database:
    storage: {self._folder}
    journal-db-max-size: 16M
    kasp-db-max-size: 8M
    timer-db-max-size: 1M
log:
  - target: stderr
    any: warning
key:
{keys}acl:
  - id: {PAGES_KEY}
    key: {PAGES_KEY}
    action: [transfer, update]
  - id: {TENANTS_KEY}
    key: {TENANTS_KEY}
    action: update
    update-type: [TXT]
policy:
  - id: demo
    algorithm: ECDSAP256SHA256
    single-type-signing: on
    manual: on
template:
  - id: default
    zonefile-load: difference
    zonefile-sync: 0
    journal-content: changes
    dnssec-policy: demo
zone:
{zones}"""

    def _keymgr(self, *arguments: str) -> str:
        done = subprocess.run(
            [_program("keymgr", "knot"), "-c", self._configuration, *arguments],
            env=bare_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Unusable(f"The demo's zones could not be signed: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout


def resolver(places: Places, name: str, authority: Authority, *, through: Server | None = None) -> Unbound:
    """A resolver of the demo's zones that asks *authority*, or whoever stands *through* which it asks."""
    _program("unbound", "unbound")
    folder = places.make("dns") / name
    folder.mkdir(exist_ok=True)
    return Unbound(folder, dict.fromkeys(_ZONES, through or authority.server), more=_IMPATIENT, port=free_port())


def begin(resolver: Unbound, authority: Authority) -> None:
    """Start a resolver that believes what *authority*'s root vouches for."""
    resolver.anchors = authority.anchors()
    resolver.start()


def _program(name: str, package: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise Unusable(f"{name} is missing: install the Debian package {package}.")
    return found


def _dotted(kind: str, value: str) -> str:
    return f"{value}." if kind == "CNAME" else value
