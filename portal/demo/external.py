"""The operator's own PostgreSQL, Redis, token and resolvers in the place of the embedded ones."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg2
import redis

from portal.demo.embedded import ONCE, RESOLVING_SERVICES, TOKEN_SERVICES
from portal.demo.places import Unusable


@dataclass(frozen=True, slots=True)
class OwnPostgreSQL:
    """`DATABASE_URL` for every service, `DATABASE_OWNER_URL` for migrations."""

    url: str
    owner_url: str

    def start(self) -> None:
        for name, url in (("DATABASE_URL", self.url), ("DATABASE_OWNER_URL", self.owner_url)):
            try:
                psycopg2.connect(url, connect_timeout=5).close()
            except psycopg2.Error as error:
                raise Unusable(f"The database of {name} does not let us in: {str(error).strip()}") from error

    def stop(self) -> None:
        """Leave it alone: it is not ours."""

    def environment(self, service: str) -> dict[str, str]:
        if service in {"migrate", "tool"}:
            return {"DATABASE_URL": self.owner_url, "DATABASE_OWNER_URL": self.owner_url}
        return {"DATABASE_URL": self.url}

    def grants(self) -> list[str]:
        return [f"all={unquote(urlsplit(self.url).username or '')}"]


@dataclass(frozen=True, slots=True)
class OwnRedis:
    url: str

    def start(self) -> None:
        # redis+socket:// is Celery's word for what the client calls unix://
        address = self.url.replace("redis+socket://", "unix://", 1).replace("virtual_host=", "db=")
        try:
            with closing(
                redis.Redis.from_url(address, socket_timeout=5, socket_connect_timeout=5, retry=ONCE)
            ) as client:
                client.ping()
        except (redis.RedisError, ValueError) as error:
            raise Unusable(f"The Redis of REDIS_URL does not answer: {error}") from error

    def stop(self) -> None:
        """Leave it alone: it is not ours."""

    def environment(self, service: str) -> dict[str, str]:  # noqa: ARG002 - every service rings and is rung
        return {"REDIS_URL": self.url}


@dataclass(frozen=True, slots=True)
class OwnToken:
    module: str
    label: str
    pin_file: str
    more: Mapping[str, str]

    def start(self) -> None:
        for name, path in (("PKCS11_MODULE", self.module), ("PKCS11_PIN_FILE", self.pin_file)):
            if not Path(path).is_file():
                raise Unusable(f"{name} names {path}, where there is no file")

    def stop(self) -> None:
        """Leave it alone: it is not ours."""

    def environment(self, service: str) -> dict[str, str]:
        if service not in TOKEN_SERVICES:
            return {}
        named = {"PKCS11_MODULE": self.module, "PKCS11_TOKEN": self.label, "PKCS11_PIN_FILE": self.pin_file}
        return {**self.more, **named}


@dataclass(frozen=True, slots=True)
class OwnResolvers:
    addresses: str

    def start(self) -> None:
        """Nothing to do: the configuration checks the addresses, and a look that fails says so."""

    def stop(self) -> None:
        """Leave them alone: they are not ours."""

    def environment(self, service: str) -> dict[str, str]:
        return {"DNS_RESOLVERS": self.addresses} if service in RESOLVING_SERVICES else {}
