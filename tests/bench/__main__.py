"""`make bench`: what one issuance costs, and how many there are in a second; `docs/performance.md` says more.

Starts PostgreSQL (fsync and synchronous_commit on), Redis and a SoftHSM token of its own
in a temporary folder, and the real signing workers; deletes it all afterwards.  One
issuance is errand due -> request completed.
"""

# ruff: noqa: T201 - it talks to a terminal

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psycopg2
import redis
from celery import Celery

from portal.demo.child import Child, bare_environment, wait_until
from portal.demo.embedded import Redis, SoftHsm
from portal.demo.nameserver import NameServer
from portal.demo.places import Places, Unusable
from portal.demo.postgresql import SUPERUSER, PostgreSQL
from portal.demo.supervisor import worker_command
from portal.demo.surroundings import Surroundings
from tests.bench import checks, pages, readings
from tests.bench.told import Line, show

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 300.0
COUNTED = 100  # issuances whose statements are counted
KINDS = ("issue", "rekey")
ATTEMPTS = 3  # for a run that others leave alone


@dataclass(frozen=True, slots=True)
class Run:
    """What a number of workers did."""

    count: int
    seconds: float
    workers: float  # CPU seconds
    server: float
    others: float  # of what the machine has, the share that neither they nor the server used

    @property
    def rate(self) -> float:
        return self.count / self.seconds

    def each(self, cpu: float) -> float:
        """Milliseconds an issuance."""
        return 1000 * cpu / self.count


class Bench:
    def __init__(self, var: Path) -> None:
        places = Places(var)
        self.places, self.database, self.broker = places, PostgreSQL(places), Redis(places)
        self.around = Surroundings(
            places, 8000, bare_environment(), self.database, self.broker, SoftHsm(places), NameServer(places)
        )
        self._bell = Celery(broker=self.broker.url())

    def __enter__(self) -> Self:
        for service in (self.around.database, self.around.broker, self.around.token):
            service.start()
        self._run("migrate", "manage.py", "migrate", "--verbosity=0")
        self._run("migrate", "manage.py", "grant_roles", *self.database.grants())
        self.seed("world")
        return self

    def __exit__(self, *_: object) -> None:
        self.broker.stop()
        self.database.stop()
        self.places.forget_sockets()
        if self.places.var not in self.database.home.parents:
            shutil.rmtree(self.database.home, ignore_errors=True)

    def seed(self, *arguments: str) -> None:
        """Let people ask; it becomes due when it is measured, so nobody is rung for it before."""
        self._run("tool", "-m", "tests.bench.tool", "seed", *arguments)
        self.make_due("tomorrow")
        with closing(redis.Redis(unix_socket_path=str(self.places.sockets() / "redis.sock"))) as client:
            client.delete("signing", "messages")

    def ask(self, run: str, count: int) -> None:
        """Let people ask for looks at the CAA records of *count* names that nobody asked about before."""
        self._run("tool", "-m", "tests.bench.tool", "asking", run, str(count))
        self.make_due("tomorrow", "validation")
        with closing(redis.Redis(unix_socket_path=str(self.places.sockets() / "redis.sock"))) as client:
            client.delete("validation")

    def raw_signatures(self) -> float:
        """Signatures a second of the token alone, from one process."""
        return float(self._run("signing", "-m", "tests.bench.tool", "token"))

    def raw_commits(self) -> float:
        """Durable commits a second of one connection that does nothing else: what the disk allows."""
        with self.sql() as cursor:
            cursor.execute("CREATE TABLE bench_commits (n int)")
            began, done = time.perf_counter(), 0
            while time.perf_counter() - began < 1.0:
                cursor.execute("INSERT INTO bench_commits VALUES (1)")
                done += 1
            return done / (time.perf_counter() - began)

    def issue(self, workers: int) -> Run:
        """Let that many workers, awake and waiting, issue everything that is there."""
        with self._workers(workers) as running, self.sql() as looking:  # one connection: opening costs milliseconds
            for _ in range(5):  # nothing is due: each looks at the database and at the token, and goes back to sleep
                self.ring(workers)
                time.sleep(0.3)
            wait_until(readings.quiet, readings.LONGEST_WAIT, every=0)
            count, before, began = self.waiting(), self._used(running), time.perf_counter()
            self.make_due("now")
            self.ring(workers)
            if not wait_until(lambda: not _any_open(looking), PATIENCE, every=0.05):
                raise Unusable(f"{self.waiting()} of {count} errands are not done; see {self.places.var / 'log'}")
            seconds = time.perf_counter() - began
            if parked := self.waiting():
                raise Unusable(f"{parked} of {count} errands were parked; see {self.places.var / 'log'}")
            used = [now - then for now, then in zip(self._used(running), before, strict=True)]
            return Run(
                count, seconds, used[0], used[1], max(0.0, used[2] - used[0] - used[1]) / (seconds * readings.CORES)
            )

    def count_statements(self) -> readings.Said:
        """Let one worker issue everything that is there while the server writes down whatever it is told."""
        log = self.places.log("postgresql")
        with self.sql() as cursor:
            cursor.execute("ALTER ROLE portal_signing SET log_statement = 'all'")
        start = log.stat().st_size
        self.issue(1)
        with self.sql() as cursor:
            cursor.execute("ALTER ROLE portal_signing RESET log_statement")
        return readings.statements(log.read_text()[start:])

    def _used(self, workers: list[Child]) -> tuple[float, float, float]:
        return (
            sum(readings.seconds_of(worker.pid) for worker in workers),
            readings.server_seconds(self.database.child.pid),
            readings.machine_seconds(),
        )

    @contextmanager
    def _workers(self, count: int) -> Iterator[list[Child]]:
        workers: list[Child] = []
        try:
            for number in range(count):
                name = f"worker-{number}"
                log = self.places.log(name)
                log.unlink(missing_ok=True)
                command = worker_command("signing", f"{name}@localhost")
                workers.append(Child(name, command, self.around.environment("signing"), log, folder=ROOT))
                workers[-1].start()
            for worker in workers:
                if not wait_until(lambda at=worker: " ready." in at.log.read_text() or not at.alive, 60.0):
                    raise Unusable(f"{worker.name} {worker.ending}:\n{worker.last_lines(20)}")
            yield workers
        finally:
            for worker in workers:
                worker.stop()

    def _run(self, service: str, *arguments: str) -> str:
        """Run a Python program as *service*; return the last line it wrote."""
        name = "-".join(part.strip("-") for part in arguments[:5]).replace("/", "-").replace("=", "-")
        log = self.places.log(name)
        step = Child(name, [sys.executable, *arguments], self.around.environment(service), log, folder=ROOT)
        step.start()
        if not step.wait(600.0):
            raise Unusable(f"{' '.join(arguments)} {step.ending}:\n{step.last_lines(20)}")
        return step.last_lines(1)

    def waiting(self, queue: str = "signing") -> int:
        with self.sql() as cursor:
            cursor.execute("SELECT count(*) FROM outbox_errand WHERE queue = %s AND done_at IS NULL", [queue])
            return int(cursor.fetchone()[0])

    def make_due(self, when: str, queue: str = "signing", at_most: int | None = None) -> None:
        with self.sql() as cursor:
            cursor.execute(
                "UPDATE outbox_errand SET due_at = %s WHERE id IN (SELECT id FROM outbox_errand"
                " WHERE queue = %s AND done_at IS NULL ORDER BY id LIMIT %s)",
                [when, queue, at_most],
            )

    def ring(self, times: int, queue: str = "signing") -> None:
        for _ in range(times):
            self._bell.send_task(f"drain.{queue}", queue=queue, ignore_result=True)

    @contextmanager
    def sql(self) -> Iterator[psycopg2.extensions.cursor]:
        with closing(psycopg2.connect(self.database.url(SUPERUSER))) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            yield cursor


def measure(bench: Bench, count: int) -> bool:
    """Print what an issuance costs; return whether it meets the goals."""
    signatures, commits = bench.raw_signatures(), bench.raw_commits()
    said: dict[str, readings.Said] = {}
    runs: dict[str, list[Run]] = {}
    for kind in KINDS:
        bench.seed(kind, str(COUNTED))
        said[kind] = bench.count_statements()
        runs[kind] = [undisturbed(bench, kind, workers, count) for workers in (1, 2)]
    limits = f"{signatures:,.0f} signatures/s by the token, {commits:,.0f} commits/s by the disk"
    met = show(
        "Issuing: queries and commits each, milliseconds of CPU each, issuances a second.",
        [line for kind in KINDS for line in _lines(kind, said[kind], *runs[kind], limits)],
    )
    print("\nWhat a worker says to the database, times an issuance (rekey):")
    for what, times in said["rekey"].kinds.most_common(6):
        print(f"  {times / COUNTED:5.2f}  {what}")
    each = ", ".join(f"{run.others:.0%}" for kind in KINDS for run in runs[kind])
    print(f"\n{count} issuances a run.  Others, Redis among them, had this much of the machine in each run: {each}.")
    return met


def _lines(kind: str, said: readings.Said, one: Run, two: Run, limits: str) -> list[Line]:
    wall = 1000 / one.rate
    return [
        Line(f"{kind}: queries", said.queries / COUNTED, 12),
        Line(f"{kind}: commits", said.commits / COUNTED, 3),
        Line(f"{kind}: CPU of the worker", one.each(one.workers), 12, median=wall, cpu=one.each(one.workers)),
        Line(f"{kind}: CPU of PostgreSQL", one.each(one.server), median=wall, cpu=one.each(one.server)),
        Line(f"{kind}: a second, one worker", one.rate, 70, at_least=True, limit=limits),
        Line(f"{kind}: a second, two workers", two.rate, limit=limits),
        Line(
            f"{kind}: two workers against one", two.rate / one.rate, 1.7, at_least=True, limit=f"{readings.CORES} cores"
        ),
    ]


def _any_open(cursor: psycopg2.extensions.cursor) -> bool:
    cursor.execute(
        "SELECT 1 FROM outbox_errand WHERE queue = 'signing' AND done_at IS NULL AND parked_at IS NULL LIMIT 1"
    )
    return cursor.fetchone() is not None


def undisturbed(bench: Bench, kind: str, workers: int, count: int) -> Run:
    """Measure until others leave the machine alone, a few times at most; return the run they disturbed least."""
    runs: list[Run] = []
    while len(runs) < ATTEMPTS and (not runs or runs[-1].others > readings.QUIET):
        bench.seed(kind, str(count))
        runs.append(bench.issue(workers))
    return min(runs, key=lambda run: run.others)


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--count", type=int, default=600, help="issuances of each measured run")
    asked.add_argument("--runs", type=int, default=60, help="how often each page is opened")
    asked.add_argument("--var", type=Path, default=ROOT / "var" / "bench", help="where the crowd of certificates stays")
    asked.add_argument("--only", choices=("issuing", "caa", "pages"), help="one part of it")
    told = asked.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    began, met = time.monotonic(), True
    try:
        if told.only != "pages":
            met = _measure_work(told.count, told.only)
        if told.only in {None, "pages"}:
            met = pages.measure(told.var, told.runs) and met
    except Unusable as fault:
        print(fault, file=sys.stderr)
        return 1
    verdict = "Every goal is met." if met else "Goals were missed: see above."
    print(f"\n{verdict}  The bench took {(time.monotonic() - began) / 60:.0f} minutes.")
    return 0


def _measure_work(count: int, only: str | None) -> bool:
    """Measure what workers do, in a database and with a token that are deleted afterwards."""
    var = Path(tempfile.mkdtemp(prefix="portal-bench-"))
    var.chmod(0o711)  # PostgreSQL's account must walk through when root runs this
    try:
        with Bench(var) as bench:
            met = only == "caa" or measure(bench, count)
            return (only == "issuing" or checks.measure(bench, 5 * count)) and met
    finally:
        shutil.rmtree(var, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
