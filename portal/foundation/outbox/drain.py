"""Claims due errands and runs them: what a worker does when its bell rings."""

import time
from collections import Counter
from collections.abc import Collection
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import connection
from django.db.models import F
from structlog import get_logger
from structlog.contextvars import bound_contextvars

from portal.foundation import clock
from portal.foundation.outages import is_outage
from portal.foundation.outbox.bell import held, ring
from portal.foundation.outbox.heartbeat import beat, is_due
from portal.foundation.outbox.models import Errand
from portal.foundation.outbox.registry import not_ready, task_named, vitals_of
from portal.foundation.states import ChangedMeanwhile
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import Tenant
from portal.foundation.writing import change

LEASE = timedelta(seconds=20)
BATCH = 8
SHIFT = 5.0  # seconds of work before the bell is rung for somebody else
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(minutes=10)
LONGEST_WAIT_AWAY = timedelta(seconds=30)  # so that what was away is noticed within a minute of its return
LONGEST_ABSENCE = timedelta(days=7)

log = get_logger()

_served: dict[str, set[UUID]] = {}
"""By queue, whose turn it was since everybody had one: slow work ends a shift, and the next one goes on from there."""


class TryLater(Exception):
    """The world was not ready (a server is down, somebody else is at it): the errand waits and is tried again."""


class WorldAway(TryLater):
    """What every errand of this kind needs is away, and nothing was done: it costs the errand none of its tries.

    An errand that says so for longer than `LONGEST_ABSENCE` is parked: then somebody has to look.
    *back_in* is when it will be back, where that is known; nobody looks before.
    """

    def __init__(self, message: str = "", *, back_in: timedelta | None = None) -> None:
        super().__init__(message)
        self.back_in = back_in


class TenantRests(WorldAway):
    """The errand's tenant is suspended: it waits for as long as that lasts, and is never parked for it.

    Whoever lets the tenant work again makes it due (`services.wake`), so nobody has to look often.
    """


class TenantIsClosed(Exception):
    """The errand's tenant is closed for good: nobody waits for it any more, and it was finished without an effect."""


# One errand a tenant in turn: the tenants with open errands are found by hopping through the index, so a queue of
# 10,000 costs no more than its tenants.  The hop starts behind the tenant served last, so nobody starves.
_CLAIM = """
WITH RECURSIVE hop AS (
    (SELECT tenant_id, 1 AS n FROM outbox_errand
      WHERE queue = %(queue)s AND done_at IS NULL AND parked_at IS NULL AND due_at <= now()
        AND (leased_until IS NULL OR leased_until <= now()) AND task <> ALL(%(not_ready)s)
        AND (%(after)s::uuid IS NULL OR tenant_id > %(after)s::uuid)
      ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT e.tenant_id FROM outbox_errand e
             WHERE e.queue = %(queue)s AND e.done_at IS NULL AND e.parked_at IS NULL AND e.tenant_id > hop.tenant_id
               AND e.due_at <= now() AND (e.leased_until IS NULL OR e.leased_until <= now())
               AND e.task <> ALL(%(not_ready)s)
             ORDER BY e.tenant_id LIMIT 1), n + 1
      FROM hop WHERE hop.tenant_id IS NOT NULL AND n < %(batch)s
), tenants AS (
    SELECT tenant_id, ceil(%(batch)s::numeric / count(*) OVER ())::int AS share FROM hop WHERE tenant_id IS NOT NULL
), picked AS (
    SELECT turn.id FROM tenants CROSS JOIN LATERAL (
        SELECT e.id FROM outbox_errand e
         WHERE e.queue = %(queue)s AND e.tenant_id = tenants.tenant_id
           AND e.done_at IS NULL AND e.parked_at IS NULL
           AND e.due_at <= now() AND (e.leased_until IS NULL OR e.leased_until <= now())
           AND e.task <> ALL(%(not_ready)s)
         ORDER BY e.due_at LIMIT tenants.share FOR UPDATE SKIP LOCKED) AS turn
)
UPDATE outbox_errand SET leased_until = now() + %(lease)s, tries = tries + 1
 WHERE id = ANY (ARRAY(SELECT id FROM picked))  -- a join would be planned for thousands, and read the whole table
RETURNING id, tenant_id, queue, task, args, due_at, leased_until, tries, away_since, last_error, parked_at,
          done_at
"""


def claim(queue: str, after: UUID | None = None) -> list[Errand]:
    """Lease up to `BATCH` due errands, fairly over the tenants behind *after*; one statement, one commit.

    Errands whose task is not ready here and now are left alone.
    """
    found: list[Errand] = []
    asked = {"queue": queue, "batch": BATCH, "lease": LEASE, "not_ready": not_ready(queue)}
    for start in (after, None) if after else (None,):
        found = list(Errand.objects.raw(_CLAIM, {**asked, "after": start}))
        if found:
            break
    return sorted(found, key=lambda errand: (errand.due_at, errand.pk))


def drain(queue: str, *, shift: float = SHIFT) -> int:
    """Work on *queue* until nothing is due or the shift is over; return how many errands were run.

    A database that goes away meanwhile ends the shift: what was claimed is claimed again when its lease is over.
    """
    try:
        return _drain(queue, shift)
    except DatabaseError as error:
        if not is_outage(error):
            raise
        log.warning("drain.interrupted", queue=queue, error=str(error))
        connection.close_if_unusable_or_obsolete()
        return 0


def _drain(queue: str, shift: float) -> int:
    connection.close_if_unusable_or_obsolete()  # the server may have been away since the last bell
    ends, done = time.monotonic() + shift, 0
    after: UUID | None = None
    served = _served.setdefault(queue, set())
    if is_due(queue):
        beat(queue, **vitals_of(queue))
    while time.monotonic() < ends:
        batch = claim(queue, after)
        if not batch:
            return done
        leased_until = time.monotonic() + LEASE.total_seconds() / 2
        ran: list[Errand] = []
        with held():
            for errand in _in_turns(batch, served):
                if time.monotonic() > leased_until:
                    _give_back(set(batch) - set(ran))
                    break
                run(errand)
                ran.append(errand)
        done += len(ran)
        served |= {errand.tenant_id for errand in ran}
        if served >= {errand.tenant_id for errand in batch}:
            served.clear()
        after = _next_turn(ran)
    ring(queue)
    return done


def _in_turns(batch: list[Errand], served: set[UUID]) -> list[Errand]:
    """Every tenant's first errand, then everybody's second; whom the batches before *served* comes a turn later.

    So whose work is slow holds nobody else up for longer than one errand of theirs.
    """
    turns: Counter[UUID] = Counter(served)
    order: list[tuple[int, Errand]] = []
    for errand in batch:
        order.append((turns[errand.tenant_id], errand))
        turns[errand.tenant_id] += 1
    return [errand for _turn, errand in sorted(order, key=lambda each: each[0])]


def _give_back(errands: Collection[Errand]) -> None:
    """Let anybody claim at once what slow work left no time for; it costs them no try."""
    for errand in errands:
        mine = Errand.objects.filter(pk=errand.pk, leased_until=errand.leased_until, done_at=None)
        mine.update(leased_until=None, tries=F("tries") - 1)


def _next_turn(batch: list[Errand]) -> UUID | None:
    """Return the tenant behind whom the next claim begins; from the start where this one saw them all."""
    served = {errand.tenant_id for errand in batch}
    return max(served) if len(served) >= BATCH else None


def run(errand: Errand) -> None:
    """Run one claimed errand; whatever goes wrong is written down and never lost."""
    with bound_contextvars(errand=str(errand.pk), tenant=str(errand.tenant_id), task=errand.task):
        try:
            task = task_named(errand.task)
            if task.rests:
                _refuse_a_tenant_at_rest(errand)
            task.run(errand)
        except TenantIsClosed:
            log.info("errand.of_a_closed_tenant")
        except WorldAway as away:
            _wait_for(errand, away)
        except (TryLater, ChangedMeanwhile, DatabaseError) as error:
            _postpone(errand, error)
        except Exception as error:  # a bug: trying again would only hide it
            log.exception("errand.parked")
            _park(errand, error)
        else:
            if errand.done_at is None:  # it found nothing left to do
                errand.finish()


def _refuse_a_tenant_at_rest(errand: Errand) -> None:
    """Look at the row as it is now: a tenant that was suspended a moment ago has nothing begun for it any more."""
    tenant = Tenant.objects.filter(pk=errand.tenant_id).only("suspended_at", "closes_at").first()
    if tenant is None or not tenant.rests(clock.now()):
        return
    with acting_for(errand.tenant_id):  # for the database's clock: until then, closing can be taken back
        closed = tenant.is_closed(clock.now())
        if closed:
            errand.finish()
    if closed:
        raise TenantIsClosed
    raise TenantRests("The tenant is suspended, or about to be closed.")


def _postpone(errand: Errand, error: Exception) -> None:
    connection.close_if_unusable_or_obsolete()
    if errand.tries >= task_named(errand.task).tries:
        log.error("errand.gave_up", error=str(error))
        _park(errand, error)
        return
    wait = min(FIRST_WAIT * 2 ** min(errand.tries - 1, 10), LONGEST_WAIT)
    log.warning("errand.postponed", error=str(error), seconds=wait.total_seconds())
    with acting_for(errand.tenant_id):  # for the database's clock, which whoever claims goes by
        _put_back(errand, error, due_at=clock.now() + wait, away_since=None)


def _wait_for(errand: Errand, away: WorldAway) -> None:
    """Give the try back; the longer the world has been away, the later the next one, up to `LONGEST_WAIT_AWAY`."""
    with acting_for(errand.tenant_id):
        now = clock.now()
        since = errand.away_since or now
        rests = isinstance(away, TenantRests)
        if now - since > LONGEST_ABSENCE and not rests:
            log.error("errand.gave_up", error=str(away))
            _put_back(errand, away, parked_at=now, away_since=None)
            return
        usual = LONGEST_WAIT if rests else min(max((now - since) / 4, FIRST_WAIT), LONGEST_WAIT_AWAY)
        wait = away.back_in or usual
        log.info("errand.waits", error=str(away), seconds=wait.total_seconds())
        _put_back(errand, away, due_at=now + wait, away_since=since, tries=max(errand.tries - 1, 0))


def _park(errand: Errand, error: Exception) -> None:
    with acting_for(errand.tenant_id):
        _put_back(errand, error, parked_at=clock.now(), away_since=None)


def _put_back(errand: Errand, error: Exception, **to: Any) -> None:
    """Let go of an errand, unless its lease was over and somebody else has claimed it since."""
    mine = {"id": errand.pk, "leased_until": errand.leased_until, "done_at": None}
    change(Errand, where=mine, to={**to, "leased_until": None, "last_error": _told(error)})


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:2000]
