"""Looking whether a proof is there, and writing down what was seen: the validation worker's work.

Short units of work with the slow conversation between them.  A worker may die anywhere and run twice: an attempt that
was decided stays as it is, and a look that nobody stored is made again.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from lifecycle.validation import observing
from lifecycle.validation.account import account_uri
from lifecycle.validation.attempts import OPEN, ROBOT, advance, give_up
from lifecycle.validation.methods import METHODS, SEEN, Finding, Method, day_of
from lifecycle.validation.models import ControlLook, Domain, DomainControl
from lifecycle.validation.observing import Verdict, Views
from lifecycle.validation.perspectives.quorum import Outcome, Quorum
from lifecycle.validation.publishing import promises
from lifecycle.validation.publishing.outcomes import fell_back
from lifecycle.validation.questions import Observation, Question
from lifecycle.validation.states import ControlEvent, ControlState
from portal.config import config
from portal.foundation import clock
from portal.foundation.audit.models import record
from portal.foundation.outbox.drain import TryLater
from portal.foundation.outbox.models import Errand, send, waiting
from portal.foundation.outbox.registry import errand
from portal.foundation.states import ChangedMeanwhile
from portal.foundation.tenancy.context import acting_for
from portal.foundation.writing import change, insert

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=2)
"""Between looks for what the portal published by itself: twice as long each time."""

SHOWS_WITHIN = timedelta(days=1)
"""After which what was published by itself ought to be seen."""


APPROVED_TRIES = 10
"""How often the DNS is asked again behind somebody's approval: for about an hour."""


class Ask(Protocol):
    """`observing.everywhere`, or what stands in for it."""

    def __call__(self, questions: Sequence[Question], *, corroborated: bool) -> Views: ...


_needs: list[Callable[[], bool]] = []


def corroborates(tell: Callable[[], bool]) -> Callable[[], bool]:
    """Let a package above say, inside a tenant's unit of work, whether proofs have to be corroborated there.

    Where nobody says so, a proof that only we saw is one; it then counts for nothing that asks for more.
    """
    _needs.append(tell)
    return tell


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look came to, from all places together."""

    finding: Finding
    quorum: Quorum | None
    evidence: Mapping[str, Any]

    @property
    def failed(self) -> bool:
        """Whether the world could not be asked; what was seen, good or bad, is no failure."""
        return self.finding.reason not in {SEEN, "no-such-contact"}

    @property
    def corroborated(self) -> bool:
        return self.quorum is not None and self.quorum.reached


@dataclass(frozen=True, slots=True)
class Aim:
    """What is looked for; read in one unit of work, used outside any."""

    method: Method
    domain: str
    value: str
    account: str
    older: frozenset[str]
    """Values of earlier attempts at the same domain."""


@errand(queue="validation", rests=True)
def prove(promised: Errand) -> None:
    """Look for the proof of a `DomainControl`, and decide it where it is there."""
    answer(promised, UUID(promised.args[0]))


def answer(promised: Errand, pk: UUID, ask: Ask = observing.everywhere) -> None:
    with acting_for(promised.tenant_id):
        control = begun(pk)
        if control is None:
            promised.finish()
            return
        aim, needs = aim_of(control), wanted_here()
    sight = look(aim, ask)
    if aim.method.by_mail and sight.failed and promised.tries < APPROVED_TRIES:
        raise TryLater(f"dns: {sight.finding.reason}")  # somebody has approved, and should not have to do so again
    with suppress(ChangedMeanwhile), acting_for(promised.tenant_id):  # another worker was faster
        decide(control, sight, needs=needs)
        if control.state == ControlState.PENDING:
            _look_later(control, promised)
        promised.finish()
        return
    with acting_for(promised.tenant_id):
        promised.finish()


def wanted_here() -> bool:
    """Whether the unit of work's tenant has anything that asks for corroborated proofs."""
    return any(tell() for tell in _needs)


def begun(pk: UUID) -> DomainControl | None:
    """Return the attempt with a look under way; None where there is nothing left to look for.

    One that nobody could have begun here is over: its row was written by somebody else (`Method.fits`).
    One whose deadline passed is over, unless somebody followed its link in time and only the look is missing.
    """
    control = DomainControl.objects.select_related("domain", "tenant").filter(pk=pk, state__in=OPEN).first()
    if control is None:
        return None
    if not METHODS[control.method].fits(control.domain.kind, control.value, config.host):
        give_up(control, by=ROBOT, reason="not-ours")
        return None
    late, by_mail = control.ends_at <= clock.now(), METHODS[control.method].by_mail
    if late and not (by_mail and control.state == ControlState.VERIFYING):
        give_up(control, by=ROBOT, reason="too-late")
        return None
    if control.state == ControlState.PENDING:
        if by_mail:  # nobody followed the link: there is nothing to look for
            return None
        advance(control, ControlEvent.LOOK)
        name = control.domain.name
        record(actor=ROBOT, code="control:look", subject=control.pk, domain=control.domain.pk, name=name)
    return control


def aim_of(control: DomainControl) -> Aim:
    method = METHODS[control.method]
    older = DomainControl.objects.filter(domain=control.domain, method=control.method).exclude(pk=control.pk)
    return Aim(
        method=method,
        domain=control.domain.name,
        value=control.sent_to if method.by_mail else control.value,
        account=account_uri(control.tenant),
        older=frozenset(older.exclude(value="").order_by("-asked_at").values_list("value", flat=True)[:20]),
    )


def look(aim: Aim, ask: Ask = observing.everywhere) -> Sight:
    """Ask all places, outside any unit of work, and judge what they saw."""
    questions = aim.method.questions(aim.domain, aim.value)
    if not questions:  # a mailbox, or one that every domain has: the link said it all
        return Sight(_judged(aim, []), None, {"questions": 0})

    def sees(observations: list[Observation]) -> bool:
        return _judged(aim, observations).seen

    views = ask(questions, corroborated=True)
    finding = _judged(aim, views.primary)
    astray: Sequence[Observation] = ()
    if not finding.seen and not views.primary[0].reason:
        astray = ask(aim.method.astray(aim.domain, aim.value), corroborated=False).primary
        finding = _judged(aim, [*views.primary, *astray])
    quorum = views.agreed(sees, day_of(clock.now())) if views.perspectives else None
    return Sight(finding, quorum, _kept(views, astray, finding, quorum, sees))


def decide(control: DomainControl, sight: Sight, *, needs: bool) -> None:
    """Store the look, and prove the attempt or leave it to be looked for again, in the unit of work that is open."""
    now = clock.now()
    reason, proves = sight.finding.reason, sight.finding.seen
    if proves and needs and sight.quorum is not None and not sight.corroborated:
        reason, proves = _objection(sight.quorum), False
    insert(ControlLook(control=control, at=now, reason=reason, evidence=dict(sight.evidence)))
    facts = {"domain": control.domain.pk, "name": control.domain.name, "method": control.method}
    if not proves:
        advance(control, ControlEvent.MISS, reason=reason)
        record(actor=ROBOT, code="control:miss", subject=control.pk, reason=reason, **facts)
        return
    advance(
        control,
        ControlEvent.PROVE,
        proved_at=now,
        corroborated=sight.corroborated,
        dnssec=_dnssec(sight.finding),
        reason=SEEN,
    )
    change(Domain, where={"id": control.domain.pk}, to={"proved_at": now})
    if control.automatic and not METHODS[control.method].stays:
        promises.withdraw(control)  # nobody has to see it any more
    record(actor=ROBOT, code="control:prove", subject=control.pk, corroborated=sight.corroborated, **facts)


def _objection(quorum: Quorum) -> str:
    """Why what we saw is no proof: others saw something else, or there are too few whom one could ask."""
    too_few = quorum.reason == Outcome.TOO_FEW_ASKED or not quorum.dissenting
    return "too-few-perspectives" if too_few else "not-corroborated"


def _look_later(control: DomainControl, promised: Errand) -> None:
    """Go on looking for what the portal published, ever more seldom; after a day, leave it to people (4.R20)."""
    domain = control.domain
    if not control.automatic or domain.publishing_id is None:
        return
    if clock.now() - control.asked_at >= SHOWS_WITHIN:
        send(fell_back, control.pk, domain.publishing_id, "not-seen")
        return
    if waiting(promised.tenant_id, prove, control.pk).exclude(pk=promised.pk).exists():
        return
    looks = ControlLook.objects.filter(control=control).count()
    send(prove, control.pk).postpone(min(FIRST_PAUSE * 2 ** min(looks - 1, 10), LONGEST_PAUSE))


def _judged(aim: Aim, observations: Sequence[Observation]) -> Finding:
    finding = aim.method.judge(observations, aim.domain, aim.value, aim.account, clock.now())
    if finding.reason == "other-value" and aim.older & set(finding.facts.get("found", ())):
        return Finding("old-value", finding.facts)
    return finding


def _kept(
    views: Views, astray: Sequence[Observation], finding: Finding, quorum: Quorum | None, sees: Verdict
) -> dict[str, Any]:
    return {
        "primary": [_shown(each) for each in views.primary],
        "astray": [_shown(each) for each in astray],
        "perspectives": views.kept(sees),
        "quorum": asdict(quorum) if quorum else None,
        "facts": dict(finding.facts),
    }


def _shown(observation: Observation) -> dict[str, Any]:
    return {
        "asked": str(observation.question.asked),
        "name": observation.question.name,
        "path": observation.question.path,
        "at": observation.at.isoformat(),
        "reason": str(observation.reason),
        "found": dict(observation.found),
    }


def _dnssec(finding: Finding) -> str:
    """Whether the answer was signed; nothing where the DNS was not asked for the value itself."""
    return "" if "authentic" not in finding.facts else "secure" if finding.facts["authentic"] else "insecure"
