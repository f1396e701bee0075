"""Looking names up and writing down what was seen: the validation worker's work.

Short units of work with the slow conversation between them: read what is asked, look it
up outside any transaction, store each answer as it comes.  A worker may die anywhere and
run twice; what is answered stays as it is.
"""

from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from contextvars import copy_context
from uuid import UUID

from lifecycle.validation import evidence
from lifecycle.validation.caa import LookupFailed, Resolver, canonical, permits, relevant_set
from lifecycle.validation.evidence import Look
from lifecycle.validation.models import CaaCheck
from lifecycle.validation.resolver import our_resolver
from lifecycle.validation.selectors import spelled
from lifecycle.validation.states import LOOK, CaaEvent, CaaState
from portal.foundation import clock
from portal.foundation.audit.models import record
from portal.foundation.outbox.models import Errand
from portal.foundation.states import ChangedMeanwhile
from portal.foundation.tenancy.context import acting_for
from portal.foundation.writing import change, together

ROBOT = "worker:validation"

AT_ONCE = 100
"""Names looked at side by side; a thread waits for the network and hardly ever works."""


def answer(errand: Errand, checks: Collection[UUID], resolver: Resolver | None = None) -> None:
    """Look at every name that *checks* still ask about and write down what was seen."""
    with acting_for(errand.tenant_id):
        waiting = list(CaaCheck.objects.filter(pk__in=checks, state=CaaState.VERIFYING))
    _answer(errand.tenant_id, waiting, resolver or our_resolver())
    with acting_for(errand.tenant_id):
        errand.finish()


def check_now(
    tenant_id: UUID,
    names: Iterable[str],
    identities: Collection[str],
    *,
    by: object,
    about: object,
    resolver: Resolver | None = None,
) -> list[CaaCheck]:
    """Look at *names* at once, whatever is known of them, and return the looks, settled, in their order.

    For an errand on the validation queue, outside any unit of work: takes up to ten seconds.
    A look that somebody else has under way is taken over; whoever is first answers it.
    """
    wanted = list(dict.fromkeys(canonical(name) for name in names))
    with acting_for(tenant_id):
        looks, _new = opened(wanted, identities, by=by, about=about)
    _answer(tenant_id, looks, resolver or our_resolver())
    with acting_for(tenant_id):
        settled = {check.name: check for check in CaaCheck.objects.filter(pk__in=[check.pk for check in looks])}
    return [settled[name] for name in wanted]


def opened(
    names: Collection[str], identities: Collection[str], *, by: object, about: object
) -> tuple[list[CaaCheck], set[UUID]]:
    """Return a look under way for each of *names*, and the ids of those that did not exist before.

    Two people who ask at the same moment share one: the database lets no second one in.
    """
    ours = spelled(identities)
    fresh = [CaaCheck(name=name, identities=ours, asked_by=str(by)) for name in names]
    CaaCheck.objects.bulk_create(fresh, ignore_conflicts=True)
    looks = list(CaaCheck.objects.filter(name__in=names, identities=ours, state=CaaState.VERIFYING))
    new = {check.pk for check in fresh} & {check.pk for check in looks}
    for check in looks:
        if check.pk in new:
            record(actor=by, code="caa:ask", subject=check.pk, name=check.name, request=about)
    return looks, new


def look_at(names: Collection[str], resolver: Resolver) -> Iterator[Look]:
    """Look at all *names* side by side and yield what each look found, the quick ones first."""
    if not names:
        return
    with ThreadPoolExecutor(min(len(names), AT_ONCE), thread_name_prefix="caa") as pool:
        looks = [pool.submit(copy_context().run, _look, name, resolver) for name in names]
        for done in as_completed(looks):
            yield done.result()


def _look(name: str, resolver: Resolver) -> Look:
    started = clock.now()
    try:
        return Look(name, started, clock.now(), relevant_set(name, resolver))
    except LookupFailed as failure:
        return Look(name, started, clock.now(), failure)


def _answer(tenant_id: UUID, waiting: Collection[CaaCheck], resolver: Resolver) -> None:
    by_name: dict[str, list[CaaCheck]] = {}
    for check in waiting:
        by_name.setdefault(check.name, []).append(check)
    for look in look_at(by_name, resolver):
        for check in by_name[look.name]:
            with suppress(ChangedMeanwhile), acting_for(tenant_id):  # another worker has answered it
                settle(check, look)


def settle(check: CaaCheck, look: Look) -> None:
    """Follow the arrow that *look* demands; the only writer of a look's state.

    Raises `ChangedMeanwhile` where it is answered already.
    """
    if isinstance(look.found, LookupFailed):
        decision, event, reason = None, CaaEvent.REFUSE, look.found.reason
    else:
        decision = permits(look.found, check.identities)
        event, reason = CaaEvent.PERMIT if decision.permitted else CaaEvent.REFUSE, decision.reason
    columns = {
        "state": LOOK.target(CaaState.VERIFYING, event),
        "checked_at": clock.now(),
        "reason": reason,
        "evidence": evidence.of_look(look, decision, check.identities),
    }
    with together():
        change(
            CaaCheck,
            where={"id": check.pk, "state": CaaState.VERIFYING},
            to=columns,
            otherwise=ChangedMeanwhile(thing=LOOK.thing),
        )
        record(actor=ROBOT, code=f"caa:{event}", subject=check.pk, name=check.name, reason=reason)
    for name, value in columns.items():
        setattr(check, name, value)
