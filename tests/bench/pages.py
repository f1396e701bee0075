"""What a page costs with 100,000 and with 1,000,000 certificates: the second part of `make bench`.

The cluster lies in a folder that stays, since filling it takes minutes; it is filled anew
when the migrations or the crowd change.
"""

# ruff: noqa: T201 - it talks to a terminal

import hashlib
import json
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import psycopg2
from psycopg2 import sql

from portal.demo.child import Child, bare_environment
from portal.demo.embedded import Redis, SoftHsm
from portal.demo.nameserver import NameServer
from portal.demo.places import Places, Unusable
from portal.demo.postgresql import OWNER, SUPERUSER, PostgreSQL
from portal.demo.surroundings import Surroundings
from tests.bench import readings
from tests.bench.crowding import Crowd
from tests.bench.told import Line, show

ROOT = Path(__file__).resolve().parent.parent.parent
SIZES = (100_000, 1_000_000)
GOAL = 100.0  # ms, the 95th percentile
CORES = readings.CORES


class Library:
    """A PostgreSQL with one database for each size, kept below *var*."""

    def __init__(self, var: Path) -> None:
        self._places = Places(var)
        self._broker = Redis(self._places)
        self._server = PostgreSQL(self._places)

    def __enter__(self) -> Self:
        self._server.start()
        self._broker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._broker.stop()
        self._server.stop()
        self._places.forget_sockets()

    def fill(self, size: int) -> None:
        """Make the database of that size unless there is one that was made the same way."""
        name, made = f"crowd_{size}", _made_by()
        with closing(psycopg2.connect(self._server.url(SUPERUSER, "postgres"))) as opened, opened.cursor() as cursor:
            opened.autocommit = True
            cursor.execute("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [name])
            if cursor.fetchone() == (made,):
                return
            began = time.perf_counter()
            names = sql.Identifier(name), sql.Identifier(OWNER)
            cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(names[0]))
            cursor.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*names))
        around = self._around(size)
        originals = self._places.make("crowd") / f"{name}.json"
        self._run(around, "migrate", "manage.py", "migrate", "--verbosity=0")
        self._run(around, "migrate", "manage.py", "grant_roles", *self._server.grants())
        around.token.start()
        self._run(around, "tool", "-m", "tests.bench.tool", "crowd", str(originals))
        with closing(psycopg2.connect(self._server.url(SUPERUSER, name))) as opened, opened.cursor() as cursor:
            opened.autocommit = True
            Crowd(cursor, originals, size).write()
            cursor.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(made)))
            cursor.execute("CHECKPOINT")
        print(f"{size:,} certificates were made in {time.perf_counter() - began:.0f} s.")

    def read(self, size: int, runs: int) -> tuple[dict[str, Any], float, float]:
        """Return the figures of every page, PostgreSQL's CPU in seconds, and the share of the machine others had."""
        figures = self._places.make("crowd") / f"figures-{size}.json"
        around = self._around(size)
        before, began = readings.machine_seconds(), time.perf_counter()
        server = readings.server_seconds(self._server.child.pid)
        self._run(around, "web", "-m", "tests.bench.tool", "reading", str(runs), str(figures))
        used, seconds = readings.machine_seconds() - before, time.perf_counter() - began
        server = readings.server_seconds(self._server.child.pid) - server
        told = json.loads(figures.read_text())
        ours = server + sum(one["cpu"] * runs / 1000 for one in told.values())
        return told, server, max(0.0, used - ours) / (seconds * CORES)

    def _around(self, size: int) -> Surroundings:
        database = PostgreSQL(self._places, database=f"crowd_{size}")
        token = SoftHsm(self._places)
        return Surroundings(
            self._places, 8000, bare_environment(), database, self._broker, token, NameServer(self._places)
        )

    def _run(self, around: Surroundings, service: str, *arguments: str) -> None:
        name = "-".join(part.strip("-") for part in arguments[:3]).replace("/", "-")
        step = Child(
            name, [sys.executable, *arguments], around.environment(service), self._places.log(name), folder=ROOT
        )
        step.start()
        if not step.wait(3600.0):
            raise Unusable(f"{' '.join(arguments)} {step.ending}:\n{step.last_lines(20)}")


def _made_by() -> str:
    """A digest of everything that decides what the databases hold."""
    files = [*ROOT.glob("*/**/migrations/*.py"), *Path(__file__).parent.glob("crowd*.py"), ROOT / "tests" / "bulk.py"]
    content = b"".join(file.read_bytes() for file in sorted(files) if ".venv" not in file.parts)
    return hashlib.sha256(content).hexdigest()


def measure(var: Path, runs: int, sizes: tuple[int, ...] = SIZES) -> bool:
    """Print what every page takes at every size; return whether all of them meet their goal."""
    met = True
    with Library(var) as library:
        for size in sizes:
            library.fill(size)
        for size in sizes:
            figures, server, others = library.read(size, runs)
            bare = figures.pop("SELECT 1")
            lines = [
                Line(name, one["p95"], GOAL, median=one["p50"], cpu=one["cpu"], limit=f"SELECT 1: {bare['p95']:.1f}")
                for name, one in figures.items()
            ]
            title = f"{size:,} certificates; milliseconds of a page, the 95th percentile of {runs} measured."
            met = show(title, lines) and met
            print(f"PostgreSQL took {server:.1f} s of CPU; others had {others:.0%} of the machine.")
    return met
