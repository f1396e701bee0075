"""Asking, answering and spending: the same for every second factor.

A factor only asks and judges.  Everything that must not be forgotten is here, once:
the try is counted before it is judged, in a unit of work of its own, so that neither
a refusal nor a race buys another one; the factor, which talks to the outside, is
called between units of work; and an answer is spent once, in the unit of work of the
very deed it was asked for.  An edited deed is another deed (0.R35).
"""

import hashlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from typing import Any
from uuid import UUID

from django.db.models import Max, Min, Sum

from auth2fa.enrolments import enrolled, use_once
from auth2fa.errors import CannotBeAsked, ChallengeOver, CodeSentAMomentAgo, CourierFailed, TooManyCodes, WrongAnswer
from auth2fa.models import Challenge
from auth2fa.protocol import Addressed, Limits, Memory, Person, Rejected, SecondFactor
from auth2fa.registry import factor_of
from portal.foundation import clock
from portal.foundation.access.models import User
from portal.foundation.audit.models import record
from portal.foundation.tenancy.context import acting_as, acting_for, current_person_id, current_unit

FRESH = timedelta(minutes=5)
"""How long an answer waits for its deed."""
_HOUR = timedelta(hours=1)


def digest(purpose: str, payload: str) -> str:
    """The deed's fingerprint; lengths stand before the parts, so that no two deeds share one."""
    parts = (purpose.encode(), payload.encode())
    return hashlib.sha256(b"".join(len(part).to_bytes(8) + part for part in parts)).hexdigest()


def ask(
    factor: str,
    *,
    person: Person,
    tenant: UUID | None,
    purpose: str,
    payload: str,
    about: str,
    settings: Mapping[str, Any] | None = None,
) -> Challenge:
    """Put the question, or return the one that stands for this very deed already, answered or not.

    *settings* are the policy's for this factor (0.R37).  Raises `CannotBeAsked`,
    `CodeSentAMomentAgo`, `TooManyCodes` or `CourierFailed`; after each of them there is
    nothing that could be answered.
    """
    asking = factor_of(factor, settings or {})
    person = _known(person)
    if not asking.suits(person):
        raise CannotBeAsked(factor=asking.label)
    deed = digest(purpose, payload)
    with _unit(tenant, person):
        _take_turns(person)
        standing = _standing(factor, tenant, deed)
        if standing:
            return standing
        _judge_pace(deed, asking.limits)
        challenge = Challenge.objects.create(
            person_id=current_person_id(),
            tenant_id=tenant,
            factor=factor,
            settings=asdict(asking.limits),
            purpose=purpose,
            about=about,
            deed=deed,
            asked_at=clock.now(),
            sent_at=clock.now(),
            expires_at=clock.now(),
        )
        _note("ask", challenge, purpose=purpose, sends=1)
    return _put(challenge, asking, person)


def resend(challenge_id: UUID, person: Person) -> Challenge:
    """Send a new answer to the same question; what was sent before is void from now on.

    Tries are not given back.  Raises `ChallengeOver` if the question lapsed or was
    answered (`ask` anew), and what `ask` raises.
    """
    tenant, person = _tenant_of(challenge_id, person), _known(person)
    with _unit(tenant, person):
        _take_turns(person)
        challenge = _open(challenge_id)
        asking = factor_of(challenge.factor, challenge.settings)
        _judge_pace(challenge.deed, asking.limits)
        challenge.sends += 1
        challenge.notes, challenge.sent_at, challenge.expires_at = {}, clock.now(), clock.now()
        challenge.save(update_fields=["sends", "notes", "sent_at", "expires_at"])
        _note("ask", challenge, purpose=challenge.purpose, sends=challenge.sends)
    return _put(challenge, asking, person)


def answer(challenge_id: UUID, person: Person, given: Mapping[str, str]) -> None:
    """Judge an answer.  Raises `WrongAnswer`, or `ChallengeOver` whatever it is that is over."""
    tenant, person = _tenant_of(challenge_id, person), _known(person)
    with _unit(tenant, person):
        challenge = _count_a_try(challenge_id)
        at = clock.now()  # the database's moment, which a factor that goes by the clock judges by
    asked = factor_of(challenge.factor, challenge.settings)
    try:
        memory = asked.verify(person, challenge.notes | {"challenge": str(challenge.pk), "at": at}, given)
        with _unit(tenant, person):
            _accept(challenge, memory)
    except Rejected as rejected:
        with _unit(tenant, person):
            _note("reject", challenge, why=rejected.why, left=challenge.tries_left)
        raise WrongAnswer(sentence=rejected.sentence, left=challenge.tries_left) from rejected


def spend(challenge_id: UUID | None, *, person: UUID, purpose: str, payload: str) -> None:
    """Use an answer up for the one deed it was given for, in the deed's own unit of work.

    Raises `ChallengeOver` unless it is *person*'s, of the unit's tenant, answered within
    the last five minutes, never spent, and for exactly this purpose and payload.
    """
    if challenge_id is None:
        raise ChallengeOver
    unit = current_unit()
    spent = Challenge.objects.filter(
        pk=challenge_id,
        person=person,
        tenant=unit.tenant if unit else None,
        deed=digest(purpose, payload),
        spent_at=None,
        answered_at__gt=clock.now() - FRESH,
    ).update(spent_at=clock.now())
    if not spent:
        raise ChallengeOver
    record(actor=person, code="factor:spend", subject=challenge_id, purpose=purpose)


@dataclass(frozen=True, slots=True)
class Window:
    """What the authentication window shows (0.R32); the names are the template's.

    *masked* is where the code went; empty where the person has it, so that nothing can be sent anew.
    """

    deed: str
    number: str
    masked: str
    digits: int
    sent_at: datetime
    lapses_at: datetime
    resend_at: datetime
    tries_left: int


def shown(challenge_id: UUID, person: Person, *, deed: str, number: str) -> Window:
    """Return what to show of a question, also once it is over; raise `ChallengeOver` if there is none."""
    with acting_as(person.id):
        challenge = Challenge.objects.filter(pk=challenge_id).first()
    if challenge is None:
        raise ChallengeOver
    return window_of(challenge, deed=deed, number=number)


def window_of(challenge: Challenge, *, deed: str, number: str) -> Window:
    """Return what to show of a question that was read already."""
    factor = factor_of(challenge.factor, challenge.settings)
    return Window(
        deed=deed,
        number=number,
        masked=challenge.prompt.get("masked", ""),
        digits=challenge.prompt.get("digits", 0),
        sent_at=challenge.sent_at,
        lapses_at=challenge.expires_at,
        resend_at=challenge.sent_at + timedelta(seconds=factor.limits.cool_down),
        tries_left=challenge.tries_left,
    )


def lacking(factor: str, person: Person) -> CannotBeAsked | None:
    """Why the person of the caller's unit of work could not be asked, told before any work is put into a deed."""
    asking = factor_of(factor, {})
    known = replace(person, enrolled=tuple(enrolled()))
    return None if asking.suits(known) else CannotBeAsked(factor=asking.label)


def masked_address(factor: str, person: Person) -> str:
    """Where *factor* would send to, for the page before; empty for a factor that sends nothing."""
    asking = factor_of(factor, {})
    return asking.masked(person) if isinstance(asking, Addressed) else ""


def _put(challenge: Challenge, asking: SecondFactor, person: Person) -> Challenge:
    """Let the factor ask, outside any unit of work; only then the question can be answered."""
    notes: dict[str, Any] = {"challenge": str(challenge.pk)}
    try:
        prompt = asking.begin(person, notes, challenge.about)
    except CourierFailed:
        with _unit(challenge.tenant_id, person):
            _note("fail", challenge)
        raise
    with _unit(challenge.tenant_id, person):
        challenge.notes, challenge.prompt = notes, asdict(prompt)
        challenge.expires_at = clock.now() + timedelta(seconds=asking.limits.lifetime)
        stored = Challenge.objects.filter(pk=challenge.pk, answered_at=None, sends=challenge.sends).update(
            notes=challenge.notes, prompt=challenge.prompt, expires_at=challenge.expires_at
        )
        if not stored:
            raise ChallengeOver
    return challenge


def _known(person: Person) -> Person:
    """Return *person* with what they enrolled and confirmed, newest first."""
    with acting_as(person.id):
        return replace(person, enrolled=tuple(enrolled()))


def _accept(challenge: Challenge, memory: Memory) -> None:
    use_once(memory)
    accepted = Challenge.objects.filter(pk=challenge.pk, answered_at=None, sends=challenge.sends).update(
        answered_at=clock.now(), notes={}
    )
    if not accepted:  # answered, or replaced by a newer message, since the try was counted
        raise ChallengeOver
    _note("accept", challenge)


def _unit(tenant: UUID | None, person: Person) -> AbstractContextManager[None]:
    """The person's own rows, and the journal of the tenant where the deed is done, or else of the platform."""
    return acting_for(tenant, person=person.id) if tenant else acting_as(person.id)


def _tenant_of(challenge_id: UUID, person: Person) -> UUID | None:
    with acting_as(person.id):
        found = Challenge.objects.filter(pk=challenge_id).values_list("tenant", flat=True)[:1]
        if not found:
            raise ChallengeOver
        return found[0]


def _take_turns(person: Person) -> None:
    """Let one question be put at a time, so that a race sends no more than the pace allows."""
    User.objects.select_for_update(no_key=True).get(pk=person.id)


def _standing(factor: str, tenant: UUID | None, deed: str) -> Challenge | None:
    now = clock.now()
    for challenge in Challenge.objects.filter(factor=factor, tenant=tenant, deed=deed, spent_at=None).order_by("-id"):
        fresh = challenge.answered_at is not None and challenge.answered_at > now - FRESH
        if fresh or challenge.may_be_answered(now):
            return challenge
    return None


def _judge_pace(deed: str, limits: Limits) -> None:
    """Refuse what comes too fast.  A message that failed counts too: nobody knows that it did not arrive."""
    now = clock.now()
    hour = Challenge.objects.filter(sent_at__gt=now - _HOUR).aggregate(sends=Sum("sends"), first=Min("sent_at"))
    if (hour["sends"] or 0) >= limits.sends_per_hour:
        raise TooManyCodes(sends=hour["sends"], seconds=_seconds(hour["first"] + _HOUR - now))
    last = Challenge.objects.filter(deed=deed).aggregate(at=Max("sent_at"))["at"]
    free_again = last and last + timedelta(seconds=limits.cool_down)
    if free_again and free_again > now:
        raise CodeSentAMomentAgo(seconds=_seconds(free_again - now))


def _open(challenge_id: UUID) -> Challenge:
    challenge = Challenge.objects.select_for_update(of=("self",)).filter(pk=challenge_id).first()
    if challenge is None or not challenge.may_be_answered(clock.now()):
        raise ChallengeOver
    return challenge


def _count_a_try(challenge_id: UUID) -> Challenge:
    challenge = _open(challenge_id)
    challenge.tries += 1
    challenge.save(update_fields=["tries"])
    return challenge


def _note(deed: str, challenge: Challenge, **facts: object) -> None:
    record(actor=challenge.person_id, code=f"factor:{deed}", subject=challenge.pk, factor=challenge.factor, **facts)


def _seconds(time: timedelta) -> int:
    return ceil(time.total_seconds())
