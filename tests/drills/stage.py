"""The portal's processes for one drill: gunicorn, workers behind spies, the relay; and servers that it may stop.

A drill that stops PostgreSQL or Redis has its own, so that no other test notices.  Everything that a process is told
comes from `surroundings()`, with these put in the place of the shared ones.
"""

import http.client
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlencode

from django.conf import settings
from django.db import connections
from django.test import Client

from portal.demo.child import Child, bare_environment, wait_until
from portal.demo.embedded import Redis, free_port
from portal.demo.places import Places, Unusable
from portal.demo.postgresql import SUPERUSER, PostgreSQL
from portal.demo.supervisor import worker_command
from portal.demo.surroundings import Surroundings
from portal.foundation.access.models import User
from tests.fakes.spy import Spy
from tests.plugins.services import FOLDER, ROOT, TESTER, process, surroundings

READY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and how long it took; status 0 where nothing did."""

    status: int
    headers: Mapping[str, str]
    text: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Browser:
    """Somebody signed in, or a program with a token, that talks to the real web process; several threads may."""

    port: int
    cookies: str = ""
    token: str = ""

    @classmethod
    def of(cls, person: User, port: int) -> "Browser":
        client = Client()
        client.force_login(person)
        secret = "0" * 32
        told = {settings.SESSION_COOKIE_NAME: client.session.session_key, settings.CSRF_COOKIE_NAME: secret}
        return cls(port, "; ".join(f"{name}={value}" for name, value in told.items()))

    def get(self, path: str, accept: str = "text/html") -> Answer:
        return self._ask("GET", path, {"Accept": accept})

    def post(self, path: str, data: Mapping[str, str], accept: str = "text/html") -> Answer:
        told = {"Accept": accept, "Content-Type": "application/x-www-form-urlencoded"}
        return self._ask("POST", path, told, urlencode({**data, "csrfmiddlewaretoken": "0" * 32}))

    def _ask(self, method: str, path: str, headers: dict[str, str], body: str | None = None) -> Answer:
        began = time.monotonic()
        told = {"Host": f"localhost:{self.port}", "Cookie": self.cookies, **headers}
        if self.token:
            told["Authorization"] = f"Bearer {self.token}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, told)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
            return Answer(answer.status, dict(answer.headers), text, time.monotonic() - began)
        except (OSError, http.client.HTTPException) as error:
            return Answer(0, {}, repr(error), time.monotonic() - began)
        finally:
            connection.close()


@dataclass
class Stage:
    """What runs for one drill; `stop` ends it all."""

    folder: Path
    around: Surroundings
    told: Mapping[str, str] = field(default_factory=dict)
    children: dict[str, Child] = field(default_factory=dict)
    spies: list[Spy] = field(default_factory=list)

    def start(self, *names: str, web_threads: int = 6) -> None:
        """Start some of "web", "relay" and the workers' queues, all at the same time; return when all are ready."""
        for name in names:
            self._child(name, self._command(name, web_threads)).start()
        for name in names:
            self.await_ready(name)

    def await_ready(self, name: str) -> None:
        child = self.children[name]
        if not wait_until(lambda: self._is_ready(name) or not child.alive, READY_SECONDS) or not child.alive:
            raise Unusable(f"{name} {child.ending}:\n{child.last_lines(30)}")

    def stop(self) -> None:
        for child in self.children.values():
            child.ask_to_end()
        for child in self.children.values():
            child.stop()

    def signed(self) -> list[bytes]:
        """Return what every worker of this stage had the token sign."""
        return [digest for spy in self.spies for digest in spy.signed()]

    @property
    def trials(self) -> int:
        """How many of these signatures were a key's own trial: whatever a worker signs first."""
        return sum(bool(spy.signed()) for spy in self.spies)

    @property
    def pids(self) -> dict[str, int]:
        return {name: child.pid for name, child in self.children.items() if child.alive}

    def log(self, name: str) -> str:
        return self.children[name].log.read_text(errors="replace")

    def _command(self, name: str, threads: int) -> list[str]:
        if name == "relay":
            return [sys.executable, "manage.py", "relay"]
        if name != "web":
            return worker_command(name.partition("-")[0], f"{name}@localhost")
        gunicorn = [sys.executable, "-m", "gunicorn", "portal.wsgi", "--worker-class=gthread", "--workers=1"]
        return [*gunicorn, f"--threads={threads}", "--no-control-socket", f"--bind=127.0.0.1:{self.around.port}"]

    def _child(self, name: str, command: Sequence[str]) -> Child:
        own = self.folder / name
        own.mkdir()
        service = name.partition("-")[0]
        # cookies carry the port of the origin that this process knows
        told = {**self.around.environment(service), "PORTAL_ORIGIN": surroundings().origin, **self.told}
        if service == "signing":
            self.spies.append(Spy.on(told["PKCS11_MODULE"], own))
            told |= self.spies[-1].environment
        self.children[name] = Child(name, command, told, own / "log", folder=ROOT)
        return self.children[name]

    def _is_ready(self, name: str) -> bool:
        if name == "web":
            return Browser(self.around.port).get("/healthz").status == http.HTTPStatus.OK
        return name == "relay" or " ready." in self.log(name)


@contextmanager
def stage(
    folder: Path, *, broker: Redis | None = None, database: PostgreSQL | None = None, **told: str
) -> Iterator[Stage]:
    """Set up a stage without anybody on it yet; whoever is there at the end is sent home.

    *told* goes into the environment of each process.
    """
    shared = surroundings()
    around = replace(shared, port=free_port(), broker=broker or shared.broker, database=database or shared.database)
    built = Stage(folder, around, told)
    try:
        yield built
    finally:
        built.stop()


@contextmanager
def own_redis() -> Iterator[Redis]:
    """Start a Redis that keeps nothing."""
    with _own_places("redis") as places:
        server = Redis(places, durable=False)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def own_postgresql() -> Iterator[PostgreSQL]:
    """Start a copy of the tests' migrated PostgreSQL that waits for the disk, and let this process use it."""
    with _own_places("pg") as places:
        shutil.copytree(Path(os.environ[FOLDER]) / "secrets", places.make("secrets"), dirs_exist_ok=True)
        server = PostgreSQL(places)
        _copy_cluster(server, places)
        server.start()
        try:
            with _this_process_uses(server):
                yield server
        finally:
            server.stop()


def crash(server: PostgreSQL) -> None:
    """End a PostgreSQL as `pg_ctl stop -m immediate` does: no session ends in order, and the next start recovers."""
    os.kill(server.child.pid, signal.SIGQUIT)
    if not wait_until(lambda: not server.child.alive, 20.0):
        raise Unusable("PostgreSQL did not end at once")
    server.child.sweep()
    connections["default"].close()  # this process's own broke with the rest


def _copy_cluster(server: PostgreSQL, places: Places) -> None:
    shared = surroundings().database
    assert isinstance(shared, PostgreSQL)
    command = [
        server.child.command[0].parent / "pg_basebackup",  # type: ignore[union-attr]
        *("--dbname", shared.url(SUPERUSER, "postgres"), "--pgdata", server.home / "data"),
        *("--checkpoint=fast", "--wal-method=stream", "--no-sync", "--no-manifest"),
    ]
    copying = Child("pg_basebackup", command, bare_environment(), places.log("copy"), account=places.account)
    copying.start()
    if not copying.wait(60.0):
        raise Unusable(f"PostgreSQL's files could not be copied: {copying.ending}:\n{copying.last_lines()}")


@contextmanager
def _this_process_uses(server: PostgreSQL) -> Iterator[None]:
    told = connections.settings["default"]
    before = {name: told[name] for name in ("NAME", "HOST")}
    connections["default"].close()
    told.update(NAME="portal", HOST=str(server.url(TESTER).partition("host=")[2].partition("&")[0].replace("%2F", "/")))
    try:
        yield
    finally:
        connections["default"].close()
        told.update(before)


@contextmanager
def _own_places(name: str) -> Iterator[Places]:
    base = Path(os.environ[FOLDER]) / f"{name}-{process()}"  # short, for the sockets, and open to PostgreSQL's account
    base.mkdir(mode=0o711)
    try:
        yield Places(base)
    finally:
        shutil.rmtree(base, ignore_errors=True)
