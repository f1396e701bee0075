"""Where a server listens.  Knows no environment, so that what runs outside the portal can use it too."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

_DOCUMENTATION = tuple(
    ip_network(block) for block in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20")
)


@dataclass(frozen=True, slots=True)
class Server:
    """Where a resolver listens: an address, since nobody could look a name up for us."""

    host: str
    port: int

    @classmethod
    def from_text(cls, text: str) -> "Server":
        """Read `192.0.2.1`, `192.0.2.1:53`, `2001:db8::1` or `[2001:db8::1]:53`."""
        bare = text.strip("[]")
        host, _colon, port = (bare, "", "53") if is_address(bare) else text.rpartition(":")
        if not is_address(host.strip("[]")) or not port.isdecimal() or not 0 < int(port) < 65536:  # noqa: PLR2004
            raise ValueError("is not of the form 192.0.2.1:53,[2001:db8::1]:53")
        return cls(host.strip("[]"), int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def routes_from_text(text: str) -> Mapping[tuple[str, int], tuple[str, int]]:
    """Read `203.0.113.80:80=127.0.0.1:8080,…`: from addresses of documentation to this machine's loopback."""
    routes = {}
    for each in text.split(","):
        left, _equals, right = each.strip().partition("=")
        there, here = Server.from_text(left), Server.from_text(right)
        if not any(ip_address(there.host) in network for network in _DOCUMENTATION):
            raise ValueError(f"leads {there.host} elsewhere, which is no address of documentation")
        if not ip_address(here.host).is_loopback:
            raise ValueError(f"leads to {here.host}, which is not this machine's loopback")
        routes[there.host, there.port] = (here.host, here.port)
    return routes
