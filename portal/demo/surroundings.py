"""What one demo stands on and what each of its services is told: the table of `docs/operations.md` on one machine."""

from collections.abc import Mapping
from dataclasses import dataclass

from portal.demo.child import bare_environment
from portal.demo.embedded import TOKEN_SERVICES, Redis, SoftHsm
from portal.demo.external import OwnPostgreSQL, OwnRedis, OwnResolvers, OwnToken
from portal.demo.nameserver import NameServer
from portal.demo.outposts import Outposts
from portal.demo.places import Places, Unusable
from portal.demo.postgresql import PostgreSQL
from portal.foundation.sealed import public_of

# The keys of sessions and second factors are web's.  The seed acts for people on the web; every other service
# gets keys of its own that open nothing, because Django does not start without one.
_KEYRINGS = {"web": "web", "tool": "web"}
_SIGNS_WITH = {"messages": "web"}  # one writes the links that the other reads

# What an operator may say about any service without choosing a service of his own.
_SAID = ("LOG_LEVEL", "MAIL_FROM", "MAIL_URL", "PKI_BASE_URL", "PORTAL_ORIGIN")
_OURS = {"DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "PORTAL_SECRET_KEY_FILE", "PORTAL_FACTOR_KEY_FILE"}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The four services that all others need, embedded or the operator's own, and the environments made from them."""

    places: Places
    port: int
    source: Mapping[str, str]
    database: PostgreSQL | OwnPostgreSQL
    broker: Redis | OwnRedis
    token: SoftHsm | OwnToken
    names: NameServer | OwnResolvers
    outposts: Outposts | None = None  # without a name server of ours they would look at a world that is not the demo's

    @classmethod
    def chosen(cls, places: Places, port: int, source: Mapping[str, str]) -> "Surroundings":
        """Take the operator's own service where *source* names it; refuse when it names half of one."""
        database = _given(source, "DATABASE_URL", "DATABASE_OWNER_URL")
        broker = _given(source, "REDIS_URL")
        token = _given(source, "PKCS11_MODULE", "PKCS11_TOKEN", "PKCS11_PIN_FILE")
        resolvers = _given(source, "DNS_RESOLVERS")
        names = OwnResolvers(resolvers[0]) if resolvers else NameServer(places)
        # a vendor's PKCS#11 module may look for anything in the environment, except for what is another service's
        harmless = {name: value for name, value in source.items() if name not in _OURS}
        return cls(
            places,
            port,
            source,
            OwnPostgreSQL(database[0], database[1])
            if database
            else PostgreSQL(places, major=source.get("EMBEDDED_POSTGRESQL", "18")),
            OwnRedis(broker[0]) if broker else Redis(places),
            OwnToken(token[0], token[1], token[2], harmless) if token else SoftHsm(places),
            names,
            Outposts(places, names) if isinstance(names, NameServer) else None,
        )

    @property
    def origin(self) -> str:
        return self.source.get("PORTAL_ORIGIN") or f"http://localhost:{self.port}"

    def environment(self, service: str) -> dict[str, str]:
        """Return everything that *service* is told; it inherits nothing else."""
        keyring = _KEYRINGS.get(service, service)
        return {
            **bare_environment(self.source),
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "PORTAL_SERVICE": service,
            "PORTAL_DEMO": "1",
            "PORTAL_ORIGIN": self.origin,
            "PKI_BASE_URL": f"http://127.0.0.1:{self.port}",  # the lints take `localhost` for no host name
            "MAIL_URL": f"file://{self.places.make('mail')}",
            "PORTAL_SECRET_KEY_FILE": str(self.places.secret(f"{_SIGNS_WITH.get(service, keyring)}-session-key")),
            "PORTAL_FACTOR_KEY_FILE": str(self.places.secret(f"{keyring}-factor-key")),
            **{name: self.source[name] for name in _SAID if self.source.get(name)},
            **self.database.environment(service),
            **self.broker.environment(service),
            **self.token.environment(service),
            **self.names.environment(service),
            **(self.outposts.environment(service) if self.outposts else {}),
            **self._journal(service),
            **self._publishing(service),
        }

    def _publishing(self, service: str) -> dict[str, str]:
        """Hand the key that opens tenants' secrets to one service, and what seals them to those who take them in."""
        file = self.places.secret("publishing-key")
        if service == "publishing":
            return {"PUBLISHING_KEY_FILE": str(file)}
        if _KEYRINGS.get(service) == "web":
            return {"PUBLISHING_PUBLIC_KEY": public_of(file.read_text())}
        return {}

    def _journal(self, service: str) -> dict[str, str]:
        """Name the key that signs the journal's checkpoints, and where copies of them are kept."""
        if service not in TOKEN_SERVICES:
            return {}
        key_id = self.places.secret("journal-key-id", 32).read_text()
        return {"JOURNAL_KEY_ID": key_id, "JOURNAL_ANCHORS": str(self.places.make("anchors"))}


def _given(source: Mapping[str, str], *names: str) -> list[str]:
    """Return the values of *names* when all are set, and nothing when none is."""
    values = [source.get(name, "").strip() for name in names]
    if any(values) and not all(values):
        missing = ", ".join(name for name, value in zip(names, values, strict=True) if not value)
        raise Unusable(f"{', '.join(names)} belong together; {missing} is not set.")
    return values if all(values) else []
