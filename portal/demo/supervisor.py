"""`make demo`: every service of one machine under one foreground process that ends them all."""

import errno
import fcntl
import http
import http.client
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, NoReturn

from portal.demo.child import Child, wait_until
from portal.demo.embedded import Embedded, children_of
from portal.demo.manage import let_in, shut_out
from portal.demo.people import PEOPLE
from portal.demo.places import Places, Unusable
from portal.demo.postgresql import PostgreSQL
from portal.demo.surroundings import Surroundings

ROOT = Path(__file__).resolve().parent.parent.parent

UNFINISHED = "unfinished"  # marks data that a first start was still making: half of it is worth nothing to anybody

_PYTHON = [sys.executable, "-m"]

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_STEADY = 10.0  # seconds after which a service counts as running and its next death is a new one
_STEP_SECONDS = 600.0
_READY_SECONDS = 60.0


@dataclass(slots=True)
class Watched:
    """A child that is started again when it dies: at once, then less and less often."""

    child: Child
    pause: float = _FIRST_PAUSE
    started: float = 0.0
    due: float | None = None

    def start(self) -> None:
        self.child.start()
        self.started, self.due = time.monotonic(), None

    def look(self) -> None:
        now = time.monotonic()
        if self.due is not None:
            if now >= self.due:
                self.start()
                say(f"{self.child.name} runs again (pid {self.child.pid})")
        elif not self.child.alive:
            self.child.sweep()
            if now - self.started > _STEADY:
                self.pause = _FIRST_PAUSE
            self.due = now + self.pause
            say(
                f"{self.child.name} {self.child.ending}; it starts again in {self.pause:g} s. Its log: {self.child.log}"
            )
            self.pause = min(self.pause * 2, _LONGEST_PAUSE)


@dataclass(slots=True)
class Demo:
    surroundings: Surroundings
    started: list[Embedded] = field(default_factory=list)
    servers: list[Watched] = field(default_factory=list)
    services: list[Watched] = field(default_factory=list)
    step: Child | None = None

    def start(self) -> None:
        """Start everything, in the order in which one needs the other; raise `Unusable` where that fails."""
        around = self.surroundings
        servers: dict[str, Embedded] = {
            "postgresql": around.database, "redis": around.broker, "token": around.token, "DNS": around.names,
            **({"perspectives": around.outposts} if around.outposts else {}),
        }  # fmt: skip
        for name, service in servers.items():
            with told(name):
                self.started.append(service)
                service.start()
                self.servers += [Watched(child, started=time.monotonic()) for child in children_of(service)]
        if isinstance(around.database, PostgreSQL) and around.places.var not in around.database.home.parents:
            say(f"PostgreSQL's files are in {around.database.home}: its account may not walk to {around.places.var}")
        self._manage("migrate", "migrate", "--no-input", "--verbosity=0")
        self._manage("migrate", "grant_roles", *around.database.grants())
        self._manage("tool", "create_journal_key")
        if around.outposts:
            around.outposts.wait()
        self._manage("tool", "seed_demo")
        if isinstance(around.database, PostgreSQL):
            (around.database.home / UNFINISHED).unlink(missing_ok=True)
        with told("web, workers, relay"):
            for child in self._children():
                self.services.append(Watched(child))
                self.services[-1].start()
            self._wait_for(self.services[0].child)
        let_in(around)

    def watch(self) -> NoReturn:
        """Keep every child running, until a signal ends us."""
        while True:
            for watched in (*self.servers, *self.services):
                watched.look()
            time.sleep(0.2)

    def stop(self) -> None:
        """End every child and service; what needs another one ends before it."""
        shut_out(self.surroundings)
        children = [*(watched.child for watched in self.services), *([self.step] if self.step else [])]
        for child in children:
            child.ask_to_end()
        for child in children:
            child.stop()
        for service in reversed(self.started):
            service.stop()

    def kill(self) -> None:
        """End everything without a word: somebody pressed Ctrl-C again."""
        for watched in (*self.servers, *self.services):
            watched.child.sweep()

    def _children(self) -> list[Child]:
        port = self.surroundings.port
        binds = [f"--bind={address}" for address in loopback_addresses(port)]
        gunicorn = [*_PYTHON, "gunicorn", "portal.wsgi", "--worker-class=gthread", "--workers=2", "--threads=8"]
        commands = {
            "web": ("web", [*gunicorn, "--graceful-timeout=5", "--no-control-socket", *binds]),
            "worker-signing": ("signing", worker_command("signing", "signing@%h")),
            "worker-validation": ("validation", worker_command("validation", "validation@%h")),
            "worker-publishing": ("publishing", worker_command("publishing", "publishing@%h")),
            "worker-messages": ("messages", worker_command("messages", "messages@%h")),
            "relay": ("relay", [sys.executable, "manage.py", "relay"]),
        }
        return [self._child(name, service, command) for name, (service, command) in commands.items()]

    def _child(self, name: str, service: str, command: list[str]) -> Child:
        around = self.surroundings
        return Child(name, command, around.environment(service), around.places.log(name), folder=ROOT)

    def _manage(self, service: str, *arguments: str) -> None:
        name = arguments[0]
        with told(name):
            self.step = self._child(name, service, [sys.executable, "manage.py", *arguments])
            self.step.start()
            if not self.step.wait(_STEP_SECONDS):
                said = self.step.last_lines(15)
                raise Unusable(f"`manage.py {name}` {self.step.ending}. Its log {self.step.log} ends with:\n{said}")
            self.step = None

    def _wait_for(self, web: Child) -> None:
        answer = ["nothing"]

        def settled() -> bool:
            status, answer[0] = _ask(self.surroundings.port, "/readyz")
            return status == http.HTTPStatus.OK or not web.alive

        if not wait_until(settled, _READY_SECONDS, every=0.1):
            raise Unusable(f"The web service is not ready after {_READY_SECONDS:g} s; it says: {answer[0]}")
        if not web.alive:
            raise Unusable(f"The web service {web.ending}. Its log {web.log} ends with:\n{web.last_lines(15)}")


def worker_command(queue: str, name: str) -> list[str]:
    """Return the command of a worker; `solo` because PKCS#11 does not survive a fork, one process is one worker."""
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    worker = ["celery", "-A", "portal.celery", "worker", "--pool=solo", "--loglevel=INFO", *quiet]
    return [*_PYTHON, *worker, f"--queues={queue}", f"--hostname={name}"]


def run(var: Path, port: int, *, afresh: bool = False) -> int:
    """Run a demo until a signal ends it; return the exit status."""
    places = Places(var)
    began = time.monotonic()
    try:
        places.var.mkdir(parents=True, exist_ok=True)
        with alone_in(places.var / "demo.lock"):
            loopback_addresses(port)
            _clear(places, afresh=afresh)
            return _run(Demo(Surroundings.chosen(places, port, os.environ)), began)
    except Unusable as fault:
        print(f"\nThe demo did not start.\n{fault}", file=sys.stderr)
        return 1
    finally:
        places.forget_sockets()


def _clear(places: Places, *, afresh: bool) -> None:
    """Delete the demo's data where that is wished, or where its first start was not completed."""
    if os.environ.get("DATABASE_URL"):
        if afresh:
            raise Unusable("DATABASE_URL names a database of your own; `make demo-reset` deletes only embedded data.")
        return
    if afresh or (places.of_postgres() / UNFINISHED).exists():
        say("beginning anew: the demo's data is deleted")
        places.delete_everything()
    if not (places.of_postgres() / "data").exists():
        (places.of_postgres() / UNFINISHED).touch()


def _run(demo: Demo, began: float) -> int:
    interruption = Interruption(demo)
    for wanted in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(wanted, interruption)
    try:
        demo.start()
        say(f"everything runs after {time.monotonic() - began:.1f} s; Ctrl-C ends it")
        print(f"\nready: {demo.surroundings.origin}\n\n{table_of_people()}\n", flush=True)
        demo.watch()
    except KeyboardInterrupt:
        say("stopping")
        return 0
    finally:
        demo.stop()
        say("everything is stopped; the data is kept")


@dataclass(slots=True)
class Interruption:
    """A signal ends the demo in order; another one, a second later or more, ends it without a word.

    Not sooner: `make` hands on the signal that the terminal has sent to us as well.
    """

    demo: Demo
    first: float | None = None

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        if self.first is None:
            self.first = time.monotonic()
            raise KeyboardInterrupt
        if time.monotonic() - self.first > 1:
            self.demo.kill()


def table_of_people() -> str:
    rows = [("tenant", "roles", "name", "e-mail", "password")]
    rows += [(who.tenant, ", ".join(who.roles), who.name, who.email, who.password) for who in PEOPLE]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


@contextmanager
def told(what: str) -> Iterator[None]:
    """Say what begins, and how long it took."""
    began = time.monotonic()
    print(f"  {what:<22}", end="", flush=True)
    yield
    print(f"{time.monotonic() - began:6.2f} s", flush=True)


def say(sentence: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {sentence}", flush=True)


@contextmanager
def alone_in(lock: Path) -> Iterator[IO[str]]:
    """Hold *lock* as long as we live; two demos on one folder would damage each other's data."""
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unusable(
                f"Another demo runs on {lock.parent}. End it, or choose another folder: make demo VAR=… PORT=…"
            ) from None
        yield file


def loopback_addresses(port: int) -> list[str]:
    """Return what the web service binds: `localhost` is ::1 before 127.0.0.1 where a machine has both."""
    usable = []
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                raise Unusable(
                    f"Port {port} of {host} cannot be used: {error.strerror}. Choose another: make demo PORT=8001"
                ) from None
            continue  # no IPv6 on this machine
        usable.append(f"[{host}]:{port}" if family == socket.AF_INET6 else f"{host}:{port}")
    return usable


def _ask(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": f"localhost:{port}"})
        answer = connection.getresponse()
        return answer.status, answer.read(500).decode(errors="replace")
    except OSError as error:
        return 0, str(error)
    finally:
        connection.close()
