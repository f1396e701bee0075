"""Five remote perspectives on one machine: four that see what everybody sees, and one with a network that lies.

What would be five places far away is here five processes that know nothing of each other, each with a key of its own.
"""

import json
import socket
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from lifecycle.validation.perspectives.identity import ASKER, CERTIFICATE, make_identity
from portal.demo.child import Child, await_health, bare_environment
from portal.demo.embedded import free_port
from portal.demo.nameserver import NameServer, begin, resolver
from portal.demo.places import Places
from portal.servers import Server

PRIMARY = {"region": "RIPE", "latitude": 53.3, "longitude": -6.3}
"""Where the portal itself would stand."""

STAND = {
    "ashburn": ("ARIN", 39.0, -77.5),
    "frankfurt": ("RIPE", 50.1, 8.7),
    "johannesburg": ("AFRINIC", -26.2, 28.0),
    "sao-paulo": ("LACNIC", -23.5, -46.6),
    "singapore": ("APNIC", 1.4, 103.8),
}
LIAR = "singapore"
"""The one whose network can be taken over."""

_ASKING = frozenset({"validation", "tool"})
_LOOPBACK = "127.0.0.1"
_ROOT = Path(__file__).resolve().parent.parent.parent


class Outposts:
    """The five, and what stands between one of them and the truth."""

    def __init__(self, places: Places, names: NameServer) -> None:
        self._folder, self._names = places.make("perspectives"), names
        self._ports = {name: free_port() for name in STAND}
        liar = Server(_LOOPBACK, free_port())
        self._misled = resolver(places, "misled", names.authority, through=liar)
        command = ["portal.demo.liar", "--port", str(liar.port), "--truth", str(names.authority.server)]
        self._liar = _program("liar", [*command, "--file", str(names.stage.lie)], places)
        self._outposts = [_program(name, self._command(name), places) for name in STAND]

    @property
    def children(self) -> tuple[Child, ...]:
        return tuple(child for child in (self._liar, self._misled.child, *self._outposts) if child is not None)

    def start(self) -> None:
        for name in ("portal", *STAND):
            if not (self._folder / name).exists():
                make_identity(name, self._folder / name)
        for name in STAND:
            (self._folder / name / ASKER).write_bytes((self._folder / "portal" / CERTIFICATE).read_bytes())
        self._file.write_text(json.dumps(self._told()))
        self._names.tell(replace(self._names.stage, perspectives=tuple(STAND), liar=LIAR))
        for child in (self._liar, *self._outposts):
            child.start()
        begin(self._misled, self._names.authority)

    def wait(self) -> None:
        """Return when all of them listen; they take their time while others start."""
        for child, port in zip(self._outposts, self._ports.values(), strict=True):
            await_health(child, partial(_listens, port))

    def stop(self) -> None:
        for child in self.children:
            child.ask_to_end()
        for child in self.children:
            child.stop()

    def environment(self, service: str) -> dict[str, str]:
        if service not in _ASKING:
            return {}
        return {"PERSPECTIVES_FILE": str(self._file), "PERSPECTIVE_IDENTITY": str(self._folder / "portal")}

    @property
    def _file(self) -> Path:
        return self._folder / "perspectives.json"

    def _told(self) -> dict[str, object]:
        rows = [
            {
                "name": name,
                **dict(zip(("region", "latitude", "longitude"), place, strict=True)),
                "url": f"https://{_LOOPBACK}:{self._ports[name]}",
                "certificate": f"{name}/{CERTIFICATE}",
            }
            for name, place in STAND.items()
        ]
        return {"primary": PRIMARY, "perspectives": rows}

    def _command(self, name: str) -> list[str]:
        asked = self._misled if name == LIAR else self._names.resolver
        return [
            *("lifecycle.validation.perspectives", "serve", "--listen", f"{_LOOPBACK}:{self._ports[name]}"),
            *("--resolvers", str(asked.server), "--identity", str(self._folder / name), "--routes", self._names.routes),
        ]


def _program(name: str, module: list[str], places: Places) -> Child:
    log = places.log(f"perspective-{name}" if name in STAND else name)
    return Child(name, [sys.executable, "-m", *module], bare_environment(), log, folder=_ROOT)


def _listens(port: int) -> bool:
    try:
        socket.create_connection((_LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True
