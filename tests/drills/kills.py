"""Signing workers that end themselves by SIGKILL at a named point (`tests.real.dying_worker`), each behind a spy."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import redis
from celery import Celery
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from portal.demo.child import Child, wait_until
from portal.demo.supervisor import worker_command
from tests.fakes.spy import Spy
from tests.plugins.services import ROOT, surroundings
from tests.real.dying_worker import POINTS


@dataclass
class Dying:
    """Workers that will die.  Each listens on a broker of its own, so that only it hears its bell."""

    folder: Path
    spies: list[Spy] = field(default_factory=list)
    children: list[Child] = field(default_factory=list)

    def start(self, point: str) -> Child:
        folder = self.folder / f"{point}-{len(self.children)}"
        folder.mkdir()
        told = surroundings().environment("signing") | {"DYING_AT": point, "REDIS_URL": broker_of(point)}
        self.spies.append(Spy.on(told["PKCS11_MODULE"], folder))
        command = worker_command("signing", f"{point}@localhost")
        command[command.index("portal.celery")] = "tests.real.dying_worker"
        child = Child(point, command, told | self.spies[-1].environment, folder / "log", folder=ROOT)
        self.children.append(child)
        child.start()
        return child

    def signed(self) -> list[bytes]:
        return [digest for spy in self.spies for digest in spy.signed()]


@contextmanager
def dying_workers(folder: Path) -> Iterator[Dying]:
    """Let workers die; whoever did not is stopped at the end, and their brokers forget them."""
    workers = Dying(folder)
    try:
        yield workers
    finally:
        for child in workers.children:
            child.stop()
        for point in POINTS:
            url = broker_of(point).replace("redis+socket://", "unix://", 1).replace("virtual_host=", "db=")
            with closing(redis.Redis.from_url(url)) as own:
                own.flushdb()


def broker_of(point: str) -> str:
    """Return the address of a Redis database for one dying worker."""
    url, _, number = str(surroundings().broker.environment("signing")["REDIS_URL"]).rpartition("=")
    return f"{url}={16 + 8 * int(number) + list(POINTS).index(point)}"


def ring(url: str) -> None:
    app = Celery("bell", broker=url, set_as_current=False)
    with app.connection_for_write() as connection:
        app.send_task("drain.signing", queue="signing", connection=connection, ignore_result=True)
    app.close()


def ready(child: Child) -> None:
    assert wait_until(lambda: " ready." in child.log.read_text() or not child.alive, 60.0)
    assert child.alive, child.last_lines(30)


def let_every_lease_be_over(owner: Cursor) -> None:
    """Do to errands and attempts what waiting for half a minute would do."""
    owner.execute("UPDATE outbox_errand SET due_at = now(), leased_until = now() - interval '1s' WHERE done_at IS NULL")
    owner.execute("SET session_replication_role = replica")  # an attempt never changes, except for this
    owner.execute("UPDATE requests_issuanceattempt SET leased_until = now() - interval '1s'")
    owner.execute("SET session_replication_role = origin")
