"""Reading what is proven: which proof covers a name, and how a domain stands."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django.db.models import QuerySet

from lifecycle.validation.methods import METHODS, Method
from lifecycle.validation.models import Domain, DomainControl
from lifecycle.validation.reading import zones_of
from lifecycle.validation.reuse import counts_on, usable_until
from lifecycle.validation.selectors import MEANWHILE
from lifecycle.validation.states import ControlState

SOON = timedelta(days=30)
"""Before a proof ends, people are told."""

PUBLIC_TLS = "public-tls"


class State(StrEnum):
    """How a domain stands, for people; derived, never stored."""

    NEW = "new"
    PENDING = "pending"
    VERIFYING = "verifying"
    FAILED = "failed"
    PROVED = "proved"
    ENDS_SOON = "ends-soon"
    LAPSED = "lapsed"
    RETIRED = "retired"


class NextStep(StrEnum):
    """What somebody could do about it next."""

    NOTHING = ""
    BEGIN = "begin"
    PUBLISH = "publish"
    FOLLOW_LINK = "follow-link"
    WAIT = "wait"
    PROVE_AGAIN = "prove-again"
    REVIVE = "revive"


@dataclass(frozen=True, slots=True)
class Standing:
    state: State
    usable_until: datetime | None
    method: Method
    """Of the proof that counts; of what is to be proven next where none does."""
    next_step: NextStep
    proof: DomainControl | None
    attempt: DomainControl | None
    """The newest attempt, where it is open or failed after the newest proof."""


def proof_for(name: str, *, trust: str, corroborated: bool, moment: datetime) -> DomainControl | None:
    """Return the newest proof that stands behind *name* at *moment*; None where there is none.

    *name* is one in the DNS, with a star or without, or a mailbox, for which control of its domain counts as well
    (S/MIME BR 3.2.2.1).  With *corroborated*, remote perspectives have to have seen the same.
    """
    return proofs_for([name], trust=trust, corroborated=corroborated, moment=moment).get(name)


def proofs_for(
    names: Iterable[str], *, trust: str, corroborated: bool, moment: datetime, issuers: Collection[str] | None = None
) -> dict[str, DomainControl]:
    """Do the same for many names with one query; a name that nothing covers is missing.

    *issuers* are the issuer domain names of the authority that would issue, where that is known: in public trust a
    record that stays counts only if it names one of them (BR 3.2.2.4.22).
    """
    wanted = {name: _owners(name) for name in names}
    owners = {owner for found in wanted.values() for owner in found}
    proofs: dict[str, list[DomainControl]] = {}
    for proof in _proved(owners):
        seen_enough = not corroborated or proof.corroborated or not _can_be_corroborated(proof)
        if seen_enough and _counts(proof, trust, moment) and _names_issuer(proof, trust, issuers):
            proofs.setdefault(proof.domain.name, []).append(proof)
    covering = {
        name: [proof for owner in found for proof in proofs.get(owner, ()) if covers(proof, name)]
        for name, found in wanted.items()
    }
    return {name: max(found, key=_proved_at) for name, found in covering.items() if found}


def covers(proof: DomainControl, name: str) -> bool:
    """Whether a proof of its domain says anything about *name*, by its method's row in BR 3.2.2.4."""
    method, owner = METHODS[proof.method], proof.domain.name
    if proof.domain.kind not in method.kinds:
        return False
    host = name.rpartition("@")[2]
    if proof.domain.kind == "mailbox":
        return name == owner
    if host.startswith("*."):
        host = host.removeprefix("*.")
        if not method.covers_wildcards:
            return False
    return host == owner or (method.covers_subnames and host.endswith(f".{owner}"))


def standing_of(domain: Domain, now: datetime, trust: str = PUBLIC_TLS) -> Standing:
    """Say how one domain stands; for many, `standings_of` asks once."""
    return standings_of([domain], now, trust)[domain]


def standings_of(domains: Collection[Domain], now: datetime, trust: str = PUBLIC_TLS) -> dict[Domain, Standing]:
    """Say how each of *domains* stands, with two queries whatever their number."""
    controls = DomainControl.objects.filter(domain__in=domains)
    newest = {c.domain_id: c for c in controls.order_by("domain", "-asked_at", "-id").distinct("domain")}
    proofs = longest_proofs(controls, trust)
    return {domain: _standing(domain, proofs.get(domain.pk), newest.get(domain.pk), now, trust) for domain in domains}


def longest_proofs(controls: QuerySet[DomainControl], trust: str = PUBLIC_TLS) -> dict[UUID, DomainControl]:
    """Return, of *controls*, the proof of each domain that counts longest: the newest, or one by a better method."""
    proved = controls.filter(state=ControlState.PROVED).order_by("domain", "method", "-proved_at", "-id")
    found: dict[UUID, DomainControl] = {}
    for proof in proved.distinct("domain", "method"):
        known = found.get(proof.domain_id)
        if known is None or until_of(proof, trust) > until_of(known, trust):
            found[proof.domain_id] = proof
    return found


def _standing(
    domain: Domain, proof: DomainControl | None, newest: DomainControl | None, now: datetime, trust: str
) -> Standing:
    attempt = newest if newest and newest.state != ControlState.PROVED and newest.reason != "retired" else None
    until = until_of(proof, trust) if proof else None
    state, step = _state(domain, until, attempt, now)
    counting = proof if proof and until and now < until else None
    method = METHODS[counting.method if counting else domain.method]
    return Standing(state, until, method, step, proof, attempt)


def _state(
    domain: Domain, until: datetime | None, attempt: DomainControl | None, now: datetime
) -> tuple[State, NextStep]:
    if domain.retired_at is not None:
        return State.RETIRED, NextStep.REVIVE
    step = _step(domain, attempt, now)
    if until is not None and now < until:
        soon = until - now < SOON
        return (State.ENDS_SOON, step or NextStep.PROVE_AGAIN) if soon else (State.PROVED, step)
    if attempt is not None and step != NextStep.BEGIN:
        return (State.VERIFYING if attempt.state == ControlState.VERIFYING else State.PENDING), step
    if until is not None:
        return State.LAPSED, NextStep.PROVE_AGAIN
    return (State.FAILED if attempt else State.NEW), NextStep.BEGIN


def _step(domain: Domain, attempt: DomainControl | None, now: datetime) -> NextStep:
    if attempt is None:
        return NextStep.NOTHING
    if attempt.state == ControlState.FAILED or attempt.ends_at <= now:
        return NextStep.BEGIN
    if attempt.state == ControlState.VERIFYING or (attempt.automatic and domain.publishing_id is not None):
        return NextStep.WAIT
    return NextStep.FOLLOW_LINK if METHODS[attempt.method].by_mail else NextStep.PUBLISH


def until_of(proof: DomainControl, trust: str = PUBLIC_TLS) -> datetime:
    """From when a proof counts no more."""
    return usable_until(_proved_at(proof), METHODS[proof.method], trust)


def renews_alone(domain: Domain) -> bool:
    """Whether *domain* is proven again without anybody's help: the portal publishes, or the record stays.

    A way that was retired is nobody's any more, so that one need not be looked at.
    """
    method = METHODS[domain.method]
    return method.stays or (method.automatic and domain.publishing_id is not None)


def _owners(name: str) -> tuple[str, ...]:
    """The domains and mailboxes whose proofs may cover *name*, by whatever method."""
    local, _at, host = name.rpartition("@")
    zones = tuple(zones_of(host.removeprefix("*.")))
    return (name, *zones) if local else zones


def _proved(owners: Collection[str]) -> list[DomainControl]:
    proved = DomainControl.objects.select_related("domain").filter(
        state=ControlState.PROVED, domain__name__in=owners, domain__retired_at=None
    )
    newest = proved.order_by("domain", "method", "corroborated", "-proved_at", "-id")
    return list(newest.distinct("domain", "method", "corroborated"))


def _counts(proof: DomainControl, trust: str, moment: datetime) -> bool:
    """A unit of work's clock stands still at its beginning, and still reads proofs that were stored after that."""
    proved_at = _proved_at(proof)
    at = max(moment, proved_at) if proved_at <= moment + MEANWHILE else moment
    return counts_on(proved_at, METHODS[proof.method], trust, at)


def _names_issuer(proof: DomainControl, trust: str, issuers: Collection[str] | None) -> bool:
    return not METHODS[proof.method].stays or trust == "private" or issuers is None or proof.value in issuers


def _can_be_corroborated(proof: DomainControl) -> bool:
    """A mail to a mailbox that everybody knows asks the DNS nothing that could be corroborated (BR 3.2.2.4.4)."""
    return bool(METHODS[proof.method].questions(proof.domain.name, proof.sent_to))


def _proved_at(proof: DomainControl) -> datetime:
    if proof.proved_at is None:
        raise ValueError("not proven")
    return proof.proved_at
