"""What the publishing worker does with a promise: one delivery outside any unit of work, and what came of it.

Every delivery may happen twice: a record that is there stays one, and a hook tells by the
promise's id that it has heard it before.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from lifecycle.validation.account import account_uri
from lifecycle.validation.methods import METHODS, Instruction
from lifecycle.validation.models import DomainControl, PublishingWay
from lifecycle.validation.publishing import hooks, outcomes, updates
from lifecycle.validation.publishing.reaching import Reach, our_reach
from lifecycle.validation.publishing.resting import resting
from lifecycle.validation.publishing.sealing import secret_of
from lifecycle.validation.publishing.troubles import Trouble, Why
from lifecycle.validation.states import ControlState
from portal.foundation import clock
from portal.foundation.audit.models import record, rehearse
from portal.foundation.outbox.drain import TryLater, WorldAway
from portal.foundation.outbox.models import Errand, send
from portal.foundation.tenancy.context import acting_for
from portal.foundation.writing import change

ROBOT = "worker:publishing"

SETTLES = timedelta(seconds=2)
"""After which the value is looked for: a name server needs a moment to sign and to tell its secondaries."""

TRIED = "_portal-test"
"""The label below a zone's own name at which a try publishes."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be published or withdrawn, and through what."""

    way: PublishingWay
    domain: str
    what: Instruction
    until: str
    """The moment after which nobody looks for it any more, ISO 8601."""


def publish(promised: Errand, control_id: UUID, *, last: bool, reach: Reach | None = None) -> None:
    """Publish the value of an attempt that is still open; where that fails for good, leave it to people (4.R20).

    Raises `TryLater` where the world is not ready, unless it is the *last* try.
    """
    with acting_for(promised.tenant_id):
        control = _control(control_id)
        if control.state not in {ControlState.PENDING, ControlState.VERIFYING} or control.ends_at <= clock.now():
            promised.finish()
            return
        way = control.domain.publishing
        if way is None or way.retired_at is not None:
            _fall_back(promised, control, Trouble(Why.NO_WAY, lasting=True))
            return
        job = _job(control, way)
        rehearse(actor=ROBOT, code="control:publish", subject=control.pk)
    trouble = _delivered(promised, "publish", job, reach)
    with acting_for(promised.tenant_id):
        _note(way, trouble)
        if trouble is None:
            record(actor=ROBOT, code="control:publish", subject=control.pk, name=job.domain, way=way.pk)
            send(outcomes.published, control.pk).postpone(SETTLES)
            promised.finish()
            return
        if trouble.lasting or last:
            _fall_back(promised, control, trouble)
            return
    raise TryLater(trouble.said)


def withdraw(promised: Errand, control_id: UUID, *, last: bool, reach: Reach | None = None) -> None:
    """Take the value of an attempt away again; what cannot be taken away is left, and the journal says so.

    A value that nobody looks for any more opens nothing.
    """
    with acting_for(promised.tenant_id):
        control = _control(control_id)
        way = control.domain.publishing
        if way is None or way.retired_at is not None:
            _leave(promised, control, Trouble(Why.NO_WAY, lasting=True))
            return
        job = _job(control, way)
        rehearse(actor=ROBOT, code="control:withdraw", subject=control.pk)
    trouble = _delivered(promised, "withdraw", job, reach)
    with acting_for(promised.tenant_id):
        _note(way, trouble)
        if trouble is None:
            record(actor=ROBOT, code="control:withdraw", subject=control.pk, name=job.domain, way=way.pk)
            promised.finish()
            return
        if trouble.lasting or last:
            _leave(promised, control, trouble)
            return
    raise TryLater(trouble.said)


def try_way(promised: Errand, way_id: UUID, *, reach: Reach | None = None) -> None:
    """Publish something that nobody looks for and withdraw it, once; `PublishingWay.said` tells how it went."""
    with acting_for(promised.tenant_id):
        way = PublishingWay.objects.get(pk=way_id)
        if way.retired_at is not None:
            promised.finish()
            return
        rehearse(actor=ROBOT, code="publishing:tried", subject=way.pk)
        owner, value = f"{TRIED}.{way.zone or 'example.com'}", secrets.token_hex(16)
        what = Instruction("txt", owner, value, f'{owner}. TXT "{value}"')
        job = Job(way, way.zone or "example.com", what, clock.now().isoformat())
    trouble = _delivered(promised, "test", job, reach)
    with acting_for(promised.tenant_id):
        _note(way, trouble)
        record(
            actor=ROBOT, code="publishing:tried", subject=way.pk, title=way.title, why=trouble.why if trouble else ""
        )
        promised.finish()


def _control(control_id: UUID) -> DomainControl:
    return DomainControl.objects.select_related("domain", "domain__publishing", "tenant").get(pk=control_id)


def _job(control: DomainControl, way: PublishingWay) -> Job:
    method = METHODS[control.method]
    what = method.instruction(control.domain.name, control.value, account_uri(control.tenant))
    return Job(way, control.domain.name, what, control.ends_at.isoformat())


def _delivered(promised: Errand, event: str, job: Job, reach: Reach | None) -> Trouble | None:
    """Deliver, and return what went wrong; raise `WorldAway` while the tenant rests."""
    if left := resting.seconds_left(promised.tenant_id):
        said = f"A receiver of its tenant was slow, and nothing goes out for another {left:.0f} seconds."
        raise WorldAway(said, back_in=timedelta(seconds=left))
    started = time.monotonic()
    try:
        _CARRIED[job.way.kind](promised, event, job, reach or our_reach())
    except Trouble as trouble:
        return trouble
    finally:
        resting.took(promised.tenant_id, time.monotonic() - started)
    return None


def _by_update(_promised: Errand, event: str, job: Job, reach: Reach) -> None:
    way = job.way
    if job.what.kind not in {"txt", "cname"}:
        raise Trouble(Why.NO_FILES, lasting=True)
    zone = updates.Zone(way.address, way.zone, way.key_name, way.algorithm, secret_of(way))
    wanted = updates.Record(job.what.owner, job.what.kind, job.what.value)
    if event != "withdraw":
        updates.add(zone, wanted, reach)
    if event != "publish":
        updates.remove(zone, wanted, reach)


def _by_hook(promised: Errand, event: str, job: Job, reach: Reach) -> None:
    message: dict[str, Any] = {
        "type": f"proof.{event}",
        "domain": job.domain,
        "kind": job.what.kind,
        "owner": job.what.owner,
        "value": job.what.value,
        "line": job.what.line,
        "until": job.until,
    }
    hook = hooks.Hook(job.way.address, secret_of(job.way))
    hooks.call(hook, message, number=str(promised.pk), at=clock.now(), reach=reach)


_CARRIED: dict[str, Callable[[Errand, str, Job, Reach], None]] = {"rfc2136": _by_update, "webhook": _by_hook}


def _note(way: PublishingWay, trouble: Trouble | None) -> None:
    change(
        PublishingWay,
        where={"id": way.pk},
        to={"tried_at": clock.now(), "said": trouble.said if trouble else ""},
    )


def _fall_back(promised: Errand, control: DomainControl, trouble: Trouble) -> None:
    record(actor=ROBOT, code="control:publish-failed", subject=control.pk, name=control.domain.name, why=trouble.why)
    send(outcomes.fell_back, control.pk, control.domain.publishing_id or "", trouble.why)
    promised.finish()


def _leave(promised: Errand, control: DomainControl, trouble: Trouble) -> None:
    record(actor=ROBOT, code="control:leave", subject=control.pk, name=control.domain.name, why=trouble.why)
    promised.finish()
