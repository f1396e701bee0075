"""The stage of the matrix: one world for a module, put back as it was after every call that had an effect."""

import logging
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import redis
from django.core import mail
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from portal.api import limits
from portal.config import config
from tests.isolation import principals, things
from tests.isolation.principals import Caller, Further
from tests.isolation.things import Things
from tests.plugins.services import superuser_url, surroundings
from tests.plugins.slate import Slate, slate
from tests.rows import Prints
from tests.world import World, build

COUNTERS = b"calls"
"""How often programs called is counted in Redis, whatever they were answered: the only keys that a refusal touches."""

LOOKED = {"audit_auditevent", "audit_unsealed"}
"""What an operator who looks inside leaves behind: a line for each page that was asked for, refused or not."""

Traces = dict[str, Any]


@dataclass
class Stage:
    """Everything that the matrix asks for and asks with; and what shows whether a call left anything behind."""

    world: World
    further: Further
    things: dict[str, Things]
    browsers: dict[str, Caller]
    programs: dict[str, Caller]
    owner: Cursor
    prints: Prints
    broker: redis.Redis
    slate: Slate
    calls: int = 0

    def traces(self) -> Traces:
        """Rows, keys, files and mails."""
        folders = [Path(config.mail.folder), *([Path(config.journal_anchors)] if config.journal_anchors else [])]
        files = [(str(path), path.stat().st_mtime_ns) for folder in folders for path in sorted(folder.rglob("*"))]
        keys = {key: self.broker.dump(key) for key in self.broker.scan_iter() if not key.startswith(COUNTERS)}
        return {**self.prints.take(), "keys": keys, "files": files, "mails": len(mail.outbox)}

    @contextmanager
    def untouched(self, *, but: Collection[str] = ()) -> Iterator[None]:
        """Assert that nothing is left behind by what happens inside."""
        before = self.traces()
        yield
        after = self.traces()
        assert {name for name in after if after[name] != before[name]} <= set(but)

    @contextmanager
    def taken_back(self) -> Iterator[None]:
        """Assert that what happens inside leaves nothing behind at globex, and take back what it did at acme."""
        before = self.prints.take()
        yield
        after = self.prints.take()
        assert {name for name in after if after[name][1] != before[name][1]} == set()
        if after != before:
            self.slate.wipe()
        mail.outbox.clear()


@pytest.fixture
def soaking(request: pytest.FixtureRequest) -> bool:
    """Whether everything is asked, or what is only the guard's to answer takes turns."""
    return bool(request.config.getoption("--soak"))


@pytest.fixture(scope="module")
def stage(django_db_setup: None, django_db_blocker: Any) -> Iterator[Stage]:
    patch = pytest.MonkeyPatch()
    logging.disable(logging.INFO)  # a line for each of ten thousand calls, which nobody reads
    # the limits of calls are as they are, and counted as they are; only nobody reaches them here
    patch.setattr(limits, "config", replace(config, calls_of_token=10**6, calls_of_tenant=10**6))
    connection = psycopg2.connect(superuser_url())
    connection.autocommit = True
    address = surroundings().broker.environment("web")["REDIS_URL"]
    url = address.replace("redis+socket://", "unix://", 1).replace("virtual_host=", "db=")
    with django_db_blocker.unblock(), closing(connection), redis.Redis.from_url(url) as broker:
        slate().wipe()
        world = build()
        more = principals.further(world.tenants["acme"])
        programs = principals.programs(world, more)
        principals.suspend(more.sam, world.tenants["acme"])
        browsers = principals.browsers(world, more)
        found = things.all_things(world)
        theirs = [str(row.pk) for row in (world.tenants["globex"], world.people["hank"], world.people["mina"])]
        cursor = connection.cursor()
        as_it_is = Slate()
        yield Stage(world, more, found, browsers, programs, cursor, Prints(cursor, theirs=theirs), broker, as_it_is)
        as_it_is.close()
        slate().wipe()
        if left := [key for key in broker.scan_iter() if not key.startswith(b"_kombu.binding.")]:
            broker.delete(*left)
    patch.undo()
    logging.disable(logging.NOTSET)
