"""What a look at a name's CAA records costs, and how long a request of a hundred names waits for them.

One *check* is a name of three labels without records: three questions to a validating
resolver (Unbound before Knot, signed zones), the decision, and the row with what was seen
stored and in the journal.  A real worker does it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from portal.demo.child import Child, wait_until
from portal.demo.places import Unusable
from portal.demo.supervisor import worker_command
from portal.servers import Server
from tests.bench import readings
from tests.bench.told import Line, show
from tests.fakes.internet import Internet
from tests.fakes.slow_dns import far

if TYPE_CHECKING:
    import psycopg2

    from tests.bench.__main__ import Bench

NAMES = 100  # of one request: as many as are looked at side by side
ZONE = "bench.test"
SINGLE = 5  # requests that are measured one after the other
DELAY = 0.02  # seconds to a resolver that is not in the same rack
PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Checked:
    count: int
    seconds: float
    worker: float  # CPU seconds
    server: float
    others: float  # of what the machine has, the share that neither worker, database nor resolver used

    @property
    def rate(self) -> float:
        return self.count / self.seconds

    def each(self, cpu: float) -> float:
        """Milliseconds a check."""
        return 1000 * cpu / self.count


def measure(bench: "Bench", count: int) -> bool:
    """Print what a check costs, beside a resolver next to the worker and one further off."""
    net = Internet(
        bench.places.make("internet"),
        {".": (), "test.": (), f"{ZONE}.": ("www A 192.0.2.1",)},
        {".": "nsec", "test.": "opt-out", f"{ZONE}.": "nsec3"},
    )
    net.start()
    away, there = far(bench.places, net.unbound.server, DELAY)
    try:
        lines = [*_lines(bench, net, "0 ms", net.unbound.server, count), *_lines(bench, net, "20 ms", there, count)]
    finally:
        away.stop()
        net.stop()
    return show("CAA: checks a second of one worker, milliseconds of CPU each, and a request of 100 names.", lines)


def _lines(bench: "Bench", net: Internet, far_away: str, server: Server, count: int) -> Iterator[Line]:
    bench.ask(far_away.replace(" ", ""), (SINGLE + 1) * NAMES + count)
    with _worker(bench, server) as worker:
        _run(bench, net, worker, NAMES)  # what is read for the first time, is read now
        wait_until(readings.quiet, readings.LONGEST_WAIT, every=0)
        one = sorted(_run(bench, net, worker, NAMES).seconds for _ in range(SINGLE))
        many = _run(bench, net, worker, count)
    wall, cpu = 1000 / many.rate, many.each(many.worker)
    others = f"others had {many.others:.0%}"
    yield Line(f"{far_away}: checks a second", many.rate, 300, at_least=True, limit=others)
    yield Line(f"{far_away}: CPU of the worker", cpu, median=wall, cpu=cpu)
    yield Line(f"{far_away}: CPU of PostgreSQL", many.each(many.server), median=wall, cpu=many.each(many.server))
    yield Line(
        f"{far_away}: {NAMES} names, slowest of {SINGLE} (ms)", 1000 * one[-1], 3000, median=1000 * one[SINGLE // 2]
    )


def _run(bench: "Bench", net: Internet, worker: Child, count: int) -> Checked:
    """Let the worker look at *count* names that were asked about: errand due → every look stored."""
    before = _used(bench, net, worker)
    with bench.sql() as looking:  # one connection: opening costs milliseconds
        bench.make_due("now", "validation", count // NAMES)
        began = time.perf_counter()
        bench.ring(1, "validation")
        if not wait_until(lambda: not _any_due(looking), PATIENCE, every=0.01):
            raise Unusable(f"{bench.waiting('validation')} errands are not done:\n{worker.last_lines(20)}")
        seconds = time.perf_counter() - began
    mine, server, resolver, all_of_it = (
        now - then for now, then in zip(_used(bench, net, worker), before, strict=True)
    )
    had = max(0.0, all_of_it - mine - server - resolver) / (seconds * readings.CORES)
    return Checked(count, seconds, mine, server, had)


def _any_due(cursor: "psycopg2.extensions.cursor") -> bool:
    cursor.execute(
        "SELECT 1 FROM outbox_errand WHERE queue = 'validation' AND done_at IS NULL AND due_at <= now() LIMIT 1"
    )
    return cursor.fetchone() is not None


def _used(bench: "Bench", net: Internet, worker: Child) -> tuple[float, float, float, float]:
    assert net.unbound.child is not None
    assert net.knot.child is not None
    return (
        readings.seconds_of(worker.pid),
        readings.server_seconds(bench.database.child.pid),
        readings.seconds_of(net.unbound.child.pid) + readings.seconds_of(net.knot.child.pid),
        readings.machine_seconds(),
    )


@contextmanager
def _worker(bench: "Bench", server: Server) -> Iterator[Child]:
    log = bench.places.log("validation")
    log.unlink(missing_ok=True)
    environment = {**bench.around.environment("validation"), "DNS_RESOLVERS": str(server)}
    child = Child("validation", worker_command("validation", "bench-validation@localhost"), environment, log)
    child.start()
    try:
        if not wait_until(lambda: " ready." in child.log.read_text() or not child.alive, 60.0) or not child.alive:
            raise Unusable(f"the worker {child.ending}:\n{child.last_lines(20)}")
        yield child
    finally:
        child.stop()
