"""Looking names up and writing down what was seen: the validation worker's work.

Short units of work with the slow conversation between them: read what is asked, look it
up outside any transaction, store the answers as they come, those of one moment together.
A worker may die anywhere and run twice; what is answered stays as it is.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from uuid import UUID

from structlog import get_logger

from lifecycle.validation import evidence
from lifecycle.validation.caa import (
    LookupFailed,
    Reason,
    RelevantSet,
    Resolver,
    Terms,
    canonical,
    permits,
    relevant_set,
)
from lifecycle.validation.corroborating import corroboration
from lifecycle.validation.evidence import Look
from lifecycle.validation.models import CaaCheck
from lifecycle.validation.observing import Asking, Views
from lifecycle.validation.outside import our_resolver
from lifecycle.validation.questions import Asked, Question
from lifecycle.validation.sharing import Shared
from lifecycle.validation.states import LOOK, CaaEvent, CaaState
from portal.foundation import clock
from portal.foundation.audit.models import record
from portal.foundation.outbox.models import Errand
from portal.foundation.states import ChangedMeanwhile
from portal.foundation.tenancy.context import acting_for
from portal.foundation.writing import change, together

log = get_logger()

ROBOT = "worker:validation"

AT_ONCE = 100
"""Names looked at side by side; a thread waits for the network and hardly ever works."""

MOMENT = 0.05
"""Seconds for which a look that is done waits for others to be stored with: a commit costs as much for one as for
fifty, and nobody sees the difference."""


def answer(errand: Errand, checks: Collection[UUID], resolver: Resolver | None = None) -> None:
    """Look at every name that *checks* still ask about and write down what was seen."""
    with acting_for(errand.tenant_id):
        waiting = list(CaaCheck.objects.filter(pk__in=checks, state=CaaState.VERIFYING))
    _answer(errand.tenant_id, waiting, resolver or our_resolver())
    with acting_for(errand.tenant_id):
        errand.finish()


def check_now(
    tenant_id: UUID,
    names: Mapping[str, Terms],
    *,
    by: object,
    about: object,
    resolver: Resolver | None = None,
) -> list[CaaCheck]:
    """Look at *names* at once, each on its terms, whatever is known of them; return the looks, settled, in order.

    For an errand on the validation queue, outside any unit of work: takes up to ten seconds.
    A look that somebody else has under way is taken over; whoever is first answers it.
    """
    wanted = {canonical(name): terms for name, terms in names.items()}
    with acting_for(tenant_id):
        looks, _new = opened(wanted, by=by, about=about)
    _answer(tenant_id, looks, resolver or our_resolver())
    with acting_for(tenant_id):
        settled = {check.name: check for check in CaaCheck.objects.filter(pk__in=[check.pk for check in looks])}
    return [settled[name] for name in wanted]


def opened(names: Mapping[str, Terms], *, by: object, about: object) -> tuple[list[CaaCheck], set[UUID]]:
    """Return a look under way for each of *names*, which are canonical, and the ids of those that did not exist before.

    Two people who ask at the same moment share one: the database lets no second one in.
    """
    spelled = {name: terms.spelled() for name, terms in names.items()}
    fresh = [CaaCheck(name=name, terms=terms, asked_by=str(by)) for name, terms in spelled.items()]
    CaaCheck.objects.bulk_create(fresh, ignore_conflicts=True)
    under_way = CaaCheck.objects.filter(name__in=names, state=CaaState.VERIFYING)
    looks = [look for look in under_way if look.terms == spelled[look.name]]
    new = {check.pk for check in fresh} & {check.pk for check in looks}
    for check in looks:
        if check.pk in new:
            record(actor=by, code="caa:ask", subject=check.pk, name=check.name, request=about)
    return looks, new


@dataclass(frozen=True, slots=True)
class Sight(Look):
    """A look, and what remote perspectives saw at the same time where they were asked."""

    views: Views | None = None


def look_at(names: Collection[str], resolver: Resolver, corroborated: Sequence[str] = ()) -> Iterator[list[Sight]]:
    """Look at all *names* side by side and yield what was found, the quick ones first: what one `MOMENT` brought.

    Those of them that have to be *corroborated* the remote perspectives look at as well.
    """
    if not names:
        return
    asking = Asking.begin([Question(Asked.CAA, name) for name in corroborated])
    places = {name: slice(place, place + 1) for place, name in enumerate(corroborated)}
    with ThreadPoolExecutor(min(len(names), AT_ONCE), thread_name_prefix="caa") as pool:
        waiting = {pool.submit(copy_context().run, _look, name, resolver, asking, places.get(name)) for name in names}
        while waiting:
            wait(waiting, return_when=FIRST_COMPLETED)
            done, waiting = wait(waiting, timeout=MOMENT)
            yield [each.result() for each in done]


def _look(name: str, resolver: Resolver, asking: Asking, place: slice | None) -> Sight:
    started, found = clock.now(), _found(name, resolver)
    views = asking.beside([], place) if place else None
    return Sight(name, started, clock.now(), found, views)


def _found(name: str, resolver: Resolver) -> RelevantSet | LookupFailed:
    try:
        return relevant_set(name, resolver)
    except LookupFailed as failure:
        return failure


def _answer(tenant_id: UUID, waiting: Collection[CaaCheck], resolver: Resolver) -> None:
    by_name: dict[str, list[CaaCheck]] = {}
    for check in waiting:
        by_name.setdefault(check.name, []).append(check)
    corroborated = [name for name, checks in by_name.items() if any(each.terms["corroborated"] for each in checks)]
    for looks in look_at(by_name, Shared(resolver), corroborated):
        _store(tenant_id, [(check, look) for look in looks for check in by_name[look.name]])


def _store(tenant_id: UUID, answers: Sequence[tuple[CaaCheck, Sight]]) -> None:
    """Write all *answers* down in one unit of work; where another worker was first with one, each in its own."""
    try:
        _settle(tenant_id, answers)
    except ChangedMeanwhile:
        for each in answers:
            with suppress(ChangedMeanwhile):
                _settle(tenant_id, [each])


def _settle(tenant_id: UUID, answers: Sequence[tuple[CaaCheck, Sight]]) -> None:
    """Write *answers* down, or none of them: raises `ChangedMeanwhile` where one is answered already."""
    with acting_for(tenant_id), together():
        for check, look in answers:
            settle(check, look)


def settle(check: CaaCheck, sight: Sight) -> None:
    """Follow the arrow that what was seen demands; the only writer of a look's state."""
    terms, now = Terms.from_json(check.terms), clock.now()
    if isinstance(sight.found, LookupFailed):
        decision, permitted, reason = None, False, sight.found.reason
    else:
        decision = permits(sight.found, terms)
        permitted, reason = decision.permitted, decision.reason
    kept = evidence.of_look(sight, decision, terms)
    if terms.corroborated:
        elsewhere = corroboration(sight.views or Views([]), terms, permitted=permitted, day=now.date())
        kept |= elsewhere.evidence
        permitted, reason = elsewhere.quorum.reached, elsewhere.objection or reason
        if reason == Reason.TOO_FEW_PERSPECTIVES:
            log.warning("perspectives.missing", name=check.name, asked=len(elsewhere.evidence["perspectives"]))
    event = CaaEvent.PERMIT if permitted else CaaEvent.REFUSE
    change(
        CaaCheck,
        where={"id": check.pk, "state": CaaState.VERIFYING},
        to={
            "state": LOOK.target(CaaState.VERIFYING, event),
            "checked_at": now,
            "reason": reason,
            "evidence": kept,
        },
        otherwise=ChangedMeanwhile(thing=LOOK.thing),
    )
    record(actor=ROBOT, code=f"caa:{event}", subject=check.pk, name=check.name, reason=reason)
