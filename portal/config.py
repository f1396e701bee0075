"""The environment, read once into one frozen, typed object.

Nothing else reads `os.environ`.  What makes no sense refuses to start and names
every fault at once: a portal that starts half-configured fails later, in front of
somebody who cannot mend it.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from portal.perspectives import Perspectives
from portal.servers import Server, is_address, routes_from_text

T = TypeVar("T")

SERVICES = ("web", "signing", "validation", "publishing", "messages", "relay", "migrate", "tool")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
IN_FILES = {
    "DATABASE_URL": "DATABASE_URL_FILE",
    "DATABASE_OWNER_URL": "DATABASE_OWNER_URL_FILE",
    "REDIS_URL": "REDIS_URL_FILE",
    "MAIL_URL": "MAIL_URL_FILE",
}
"""What may stand in a file, since it may hold a password, and the variable that then names the file."""

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Misconfigured(Exception):
    """The environment makes no sense; the message lists every fault, one a line."""


def _split(url: str) -> SplitResult | None:
    """Take an address apart; None if that is not possible, since Python's own complaint quotes it, password and all."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


@dataclass(frozen=True, slots=True)
class Database:
    user: str
    password: str = field(repr=False)
    host: str
    port: str
    name: str

    @classmethod
    def from_url(cls, url: str) -> "Database":
        """Read `postgresql://user:password@host:port/name`; a socket's folder goes into `?host=`."""
        parts = _split(url)
        if parts is None or parts.scheme not in {"postgresql", "postgres"} or not parts.path.strip("/"):
            raise ValueError("is not of the form postgresql://user:password@host:port/name")
        if not parts.username:
            raise ValueError("names no user")
        query = dict(parse_qsl(parts.query))
        return cls(
            user=unquote(parts.username),
            password=unquote(parts.password or ""),
            host=query.get("host", parts.hostname or ""),
            port=query.get("port", str(parts.port or "")),
            name=unquote(parts.path.strip("/")),
        )


@dataclass(frozen=True, slots=True)
class Mail:
    """Where mail goes: an SMTP server, or (demo only) a folder that a page shows."""

    scheme: str
    host: str
    port: int
    folder: str
    user: str
    password: str = field(repr=False)
    tls: bool

    @classmethod
    def from_url(cls, url: str) -> "Mail":
        """Read `smtp://[user:password@]host:port`, `smtp+tls://…` (STARTTLS) or `file:///folder`."""
        parts = _split(url)
        if parts and parts.scheme == "file" and parts.path:
            return cls("file", "", 0, parts.path, "", "", tls=False)
        if parts and parts.scheme in {"smtp", "smtp+tls"} and parts.hostname:
            return cls(
                "smtp",
                parts.hostname,
                parts.port or 25,
                "",
                unquote(parts.username or ""),
                unquote(parts.password or ""),
                tls=parts.scheme == "smtp+tls",
            )
        raise ValueError("is none of smtp://host:port, smtp+tls://host:port, file:///folder")


@dataclass(frozen=True, slots=True)
class Proxies:
    """Whose word about the client is taken: by address, or by coming through our unix socket."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    unix: bool = False

    @classmethod
    def from_text(cls, text: str) -> "Proxies":
        """Read `unix`, `192.0.2.1`, `2001:db8::/64`, with commas between; a network with host bits is a slip."""
        words = [each.strip() for each in text.split(",")]
        try:
            networks = tuple(ip_network(word) for word in words if word != "unix")
        except ValueError as error:
            raise ValueError("is not of the form unix,192.0.2.1,2001:db8::/64") from error
        if any(network.prefixlen == 0 for network in networks):
            raise ValueError("trusts everybody; name the proxies alone")
        return cls(networks, "unix" in words)

    def trust(self, address: str) -> bool:
        """Whether *address*, empty for a connection through a unix socket, is a trusted proxy's."""
        if not address:
            return self.unix
        return is_address(address) and any(ip_address(address) in network for network in self.networks)


@dataclass(frozen=True, slots=True)
class Config:
    service: str
    origin: str
    trusted_proxies: Proxies
    secret_key: str = field(repr=False)
    factor_key: bytes = field(repr=False)
    database: Database
    database_owner: Database | None
    redis_url: str = field(repr=False)
    pkcs11_module: str
    pkcs11_token: str
    pkcs11_pin_file: str
    journal_key_id: str
    journal_anchors: str
    pki_base_url: str
    dns_resolvers: tuple[Server, ...]
    perspectives: Perspectives
    perspective_identity: str
    publishing_key: str = field(repr=False)
    publishing_public_key: str
    outbound_authorities: str
    outbound_routes: Mapping[tuple[str, int], tuple[str, int]]
    mail: Mail
    mail_from: str
    demo: bool
    demo_zone: str
    log_level: str
    calls_of_token: int
    calls_of_tenant: int

    @property
    def host(self) -> str:
        return urlsplit(self.origin).hostname or ""

    @property
    def secure(self) -> bool:
        """Whether cookies may demand TLS; false only for a demo on this machine's own loopback."""
        return self.origin.startswith("https://")

    @property
    def holds_token(self) -> bool:
        return bool(self.pkcs11_module)


class _Reading:
    """Collects faults while the environment is read, so that nobody has to mend them one by one."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.faults: list[str] = []

    def text(self, name: str, default: str | None = None) -> str:
        value = self._given(name) or default
        if value is None:
            self.faults.append(f"{name} is not set")
            return ""
        return value

    def _given(self, name: str) -> str:
        in_file = IN_FILES.get(name)
        if in_file and (path := self._environment.get(in_file, "").strip()):
            return self._read(in_file, path)
        return self._environment.get(name, "").strip()

    def _read(self, name: str, path: str) -> str:
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            self.faults.append(f"{name}: {path} cannot be read ({error.strerror})")
            return ""

    def secret(self, name: str) -> str:
        """Read a file named by the environment: a secret in the environment shows in every process list."""
        path = self.text(name)
        if not path:
            return ""
        value = self._read(name, path)
        if value and len(value) < 32:  # noqa: PLR2004 - 128 bits in hexadecimal
            self.faults.append(f"{name}: {path} holds fewer than 32 characters")
        return value

    def one_of(self, name: str, known: Sequence[str], default: str) -> str:
        value = self.text(name, default)
        if value not in known:
            self.faults.append(f"{name} is {value!r}; it must be one of {', '.join(known)}")
        return value

    def parsed(self, name: str, read: Callable[[str], T], default: str | None = None) -> T | None:
        value = self.text(name, default)
        if not value:
            return None
        try:
            return read(value)
        except ValueError as error:
            self.faults.append(f"{name} {error}")
            return None


def read(environment: Mapping[str, str]) -> Config:
    """Return the configuration; raise `Misconfigured` with every fault there is."""
    reading = _Reading(environment)
    demo = reading.one_of("PORTAL_DEMO", ("0", "1"), "0") == "1"
    service = reading.one_of("PORTAL_SERVICE", SERVICES, "tool")
    origin = reading.text("PORTAL_ORIGIN").rstrip("/")
    reading.faults += _faults_of_origin(origin)
    database = reading.parsed("DATABASE_URL", Database.from_url)
    owner = reading.parsed("DATABASE_OWNER_URL", Database.from_url, "")
    mail = reading.parsed("MAIL_URL", Mail.from_url)
    if mail and mail.scheme == "file" and not demo:
        reading.faults.append("MAIL_URL names a folder; only a demo may keep its mail there")
    module = environment.get("PKCS11_MODULE", "").strip()
    if service == "signing" and not module:
        reading.faults.append("PKCS11_MODULE is not set; the signing worker cannot work without a token")
    if service == "validation" and not environment.get("DNS_RESOLVERS", "").strip():
        reading.faults.append("DNS_RESOLVERS is not set; the validation worker cannot work without a resolver")
    perspectives = reading.parsed("PERSPECTIVES_FILE", Perspectives.from_file, "") or Perspectives()
    identity = reading.parsed("PERSPECTIVE_IDENTITY", _there, "") or ""
    if perspectives.remote and not identity and not environment.get("PERSPECTIVE_IDENTITY", "").strip():
        reading.faults.append("PERSPECTIVE_IDENTITY is not set; perspectives answer nobody whom they do not know")
    faults, publishing = _publishing(service, reading, environment)
    reading.faults += faults
    routes = reading.parsed("OUTBOUND_ROUTES", routes_from_text, "") or {}
    if routes and not demo:
        reading.faults.append("OUTBOUND_ROUTES is set; only a demo may lead addresses elsewhere")
    if module and service == "web":
        reading.faults.append("PKCS11_MODULE is set for the web service; it must not reach the token")
    pki = reading.text("PKI_BASE_URL").rstrip("/")
    if pki and not pki.startswith("http://"):
        # RFC 5280 4.2.1.13, 4.2.2.1: https there would need a certificate to fetch what judges certificates
        reading.faults.append("PKI_BASE_URL must begin with http://")
    config = {
        "service": service,
        "origin": origin,
        "trusted_proxies": reading.parsed("PORTAL_TRUSTED_PROXIES", Proxies.from_text, "") or Proxies(),
        "secret_key": reading.secret("PORTAL_SECRET_KEY_FILE"),
        "factor_key": reading.secret("PORTAL_FACTOR_KEY_FILE").encode(),
        "database": database,
        "database_owner": owner,
        "redis_url": reading.parsed("REDIS_URL", _broker),
        "pkcs11_module": module,
        "pkcs11_token": reading.text("PKCS11_TOKEN") if module else "",
        "pkcs11_pin_file": reading.text("PKCS11_PIN_FILE") if module else "",
        "journal_key_id": reading.parsed("JOURNAL_KEY_ID", _key_id, "") or "",
        "journal_anchors": reading.parsed("JOURNAL_ANCHORS", _folder, "") or "",
        "pki_base_url": pki,
        "dns_resolvers": reading.parsed("DNS_RESOLVERS", _servers, "") or (),
        "perspectives": perspectives,
        "perspective_identity": identity,
        **publishing,
        "outbound_authorities": reading.parsed("OUTBOUND_CA_FILE", _there, "") or "",
        "outbound_routes": routes,
        "mail": mail,
        "mail_from": reading.text("MAIL_FROM", f"portal@{_host_of(origin)}"),
        "demo": demo,
        "demo_zone": reading.text("PORTAL_DEMO_ZONE", ""),
        "log_level": reading.one_of("LOG_LEVEL", LEVELS, "INFO"),
        "calls_of_token": reading.parsed("API_CALLS_OF_TOKEN", _calls, "300"),
        "calls_of_tenant": reading.parsed("API_CALLS_OF_TENANT", _calls, "1200"),
    }
    if reading.faults:
        raise Misconfigured("The portal cannot start:\n" + "\n".join(f"  - {fault}" for fault in reading.faults))
    return Config(**config)  # type: ignore[arg-type]  # every None above has left a fault


def _publishing(service: str, reading: _Reading, environment: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Read the two halves of the key that secrets are sealed with: one service opens them, and no other can."""
    faults, private = [], ""
    if service == "publishing":
        private = reading.secret("PUBLISHING_KEY_FILE")
        if private and not _is_x25519(private):
            faults.append("PUBLISHING_KEY_FILE names a file that does not hold 64 hexadecimal digits")
            private = ""
        if not environment.get("DNS_RESOLVERS", "").strip():
            faults.append("DNS_RESOLVERS is not set; the publishing worker cannot work without a resolver")
    elif environment.get("PUBLISHING_KEY_FILE", "").strip():
        faults.append(f"PUBLISHING_KEY_FILE is set for {service}; only the publishing worker may open what is sealed")
    public = reading.parsed("PUBLISHING_PUBLIC_KEY", _public_key, "") or ""
    return faults, {"publishing_key": private, "publishing_public_key": public}


def _public_key(text: str) -> str:
    if not _is_x25519(text.lower()):
        raise ValueError("is no key: 64 hexadecimal digits, as `manage.py print_publishing_key` says them")
    return text.lower()


def _is_x25519(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")  # noqa: PLR2004 - 32 bytes (RFC 7748 5)


def _faults_of_origin(origin: str) -> list[str]:
    parts = _split(origin)
    if not origin:
        return []  # its absence is told already
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        return ["PORTAL_ORIGIN must be like https://portal.example"]
    if origin != f"{parts.scheme}://{parts.netloc}":
        return ["PORTAL_ORIGIN must be like https://portal.example, without a path"]
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        return ["PORTAL_ORIGIN must begin with https://; plain http is for this machine's loopback alone"]
    return []


def _host_of(origin: str) -> str:
    parts = _split(origin)
    return (parts.hostname if parts else None) or "localhost"


def _servers(text: str) -> tuple[Server, ...]:
    return tuple(Server.from_text(each.strip()) for each in text.split(","))


def _there(path: str) -> str:
    """Name a file or folder that is there; what stands in it is read by whoever needs it."""
    if not Path(path).exists():
        raise ValueError(f"names {path}, and there is no such file")
    return path


def _broker(url: str) -> str:
    parts = _split(url)
    if parts is None or parts.scheme not in {"redis", "rediss", "redis+socket"} or not (parts.netloc or parts.path):
        raise ValueError("is none of redis://host:port/0, rediss://host:port/0, redis+socket:///path")
    return url


def _key_id(text: str) -> str:
    """Read a CKA_ID in hexadecimal, in whatever case it was written down."""
    digits = text.lower()
    if len(digits) % 2 or len(digits) > 64 or set(digits) - set("0123456789abcdef"):  # noqa: PLR2004 - 32 bytes
        raise ValueError("is no CKA_ID: pairs of hexadecimal digits, 64 at most")
    return digits


def _calls(text: str) -> int:
    """Read how many calls of the API are let through in a minute."""
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:  # noqa: PLR2004 - no machine answers more
        raise ValueError("is no number of calls a minute, from 1 to 1000000")
    return int(text)


def _folder(text: str) -> str:
    if not Path(text).is_absolute():
        raise ValueError("must name a folder from the root, such as /var/lib/portal/anchors")
    return text


config = read(os.environ)
