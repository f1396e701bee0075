"""Whether control of a name is proven, in words, and by which domains it could be (1.R20)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext as _

from lifecycle.requests.controls import domains_behind, needs_corroboration
from lifecycle.requests.models import CertificateRequest
from lifecycle.validation import reuse
from lifecycle.validation.methods import METHODS
from lifecycle.validation.models import ControlLook, Domain, DomainControl
from lifecycle.validation.states import ControlState
from lifecycle.wizards.presentation import Chip
from lifecycle.wizards.seeing import Agreement, agreement_in
from portal.foundation import clock

MOST_WAYS = 3


@dataclass(frozen=True, slots=True)
class Way:
    """A domain whose proof would prove the name: one of the ledger, or one that can be added to it."""

    domain: str
    pk: UUID | None


@dataclass(frozen=True, slots=True)
class Control:
    """One name, and what the stored proofs come to."""

    chip: Chip
    said: str
    proof: DomainControl | None = None
    until: datetime | None = None
    ways: tuple[Way, ...] = ()
    widest: str = ""
    """The domain at the end of them, whose proof in the DNS counts for every name in it."""
    agreement: Agreement | None = None

    @property
    def is_proven(self) -> bool:
        return self.proof is not None


def controls_of(
    request: CertificateRequest, names: Iterable[str], proofs: Mapping[str, DomainControl]
) -> dict[str, Control]:
    """Say of each of *names* whether it is proven, by *proofs*, which count now; else what would prove it."""
    names = list(names)
    looks = _looks_behind(proofs.values())
    unproven = [name for name in names if name not in proofs]
    ledger = _ledger({parent for name in unproven for parent in domains_behind(name)})
    attempts = _newest_attempts(ledger.values())
    return {
        name: _proven(request, proofs[name], looks.get(proofs[name].pk))
        if name in proofs
        else _unproven(request, name, ledger, attempts)
        for name in names
    }


def _ledger(names: set[str]) -> dict[str, Domain]:
    found = Domain.objects.filter(name__in=names, retired_at=None) if names else ()
    return {domain.name: domain for domain in found}


def _newest_attempts(domains: Iterable[Domain]) -> dict[UUID, DomainControl]:
    """The newest attempt of each domain."""
    wanted = [domain.pk for domain in domains]
    newest = DomainControl.objects.filter(domain__in=wanted).order_by("domain", "-asked_at", "-id").distinct("domain")
    return {each.domain_id: each for each in (newest if wanted else ())}


def _looks_behind(proofs: Iterable[DomainControl]) -> dict[UUID, ControlLook]:
    """The look that saw each proof."""
    wanted = {proof.pk for proof in proofs}
    seen = ControlLook.objects.filter(control__in=wanted, reason="seen") if wanted else ()
    return {look.control_id: look for look in seen}


def _proven(request: CertificateRequest, proof: DomainControl, look: ControlLook | None) -> Control:
    method = METHODS[proof.method]
    proved_at = proof.proved_at or proof.asked_at
    until = reuse.usable_until(proved_at, method, request.profile.trust)
    said = _("Proven on {day} through {domain} ({method}); it counts until {until} UTC.").format(
        day=f"{proved_at:%Y-%m-%d}", domain=proof.domain.name, method=method.title, until=f"{until:%Y-%m-%d %H:%M}"
    )
    agreement = agreement_in(look.evidence) if look else None
    return Control(Chip("good", _("Proven")), said, proof, until, agreement=agreement)


def _unproven(
    request: CertificateRequest, name: str, ledger: Mapping[str, Domain], attempts: Mapping[UUID, DomainControl]
) -> Control:
    known = next((ledger[each] for each in domains_behind(name) if each in ledger), None)
    attempt = attempts.get(known.pk) if known else None
    ways, widest = _ways(name, ledger), domains_behind(name)[-1]
    if known is None or attempt is None:
        said = _("Nobody has proven yet that this name is under your organisation's control.")
        return Control(Chip("plain", _("Not proven")), said, ways=ways, widest=widest)
    match attempt.state:
        case ControlState.PENDING | ControlState.VERIFYING:
            said = _("A proof through {domain} is under way; what it takes stands on the page of {domain}.")
            return Control(Chip("busy", _("Proof under way")), said.format(domain=known.name), ways=ways, widest=widest)
        case ControlState.FAILED:
            said = _("The last attempt to prove {domain} came to nothing; begin another one.")
            return Control(Chip("bad", _("Proof failed")), said.format(domain=known.name), ways=ways, widest=widest)
    said = _why_not_counted(request, known, attempt)
    return Control(Chip("watch", _("Not proven")), said, ways=ways, widest=widest)


def _why_not_counted(request: CertificateRequest, known: Domain, proof: DomainControl) -> str:
    """Why the newest proof of *known* is none for a name of *request*."""
    method, proved_at = METHODS[proof.method], proof.proved_at or proof.asked_at
    facts = {"domain": known.name, "method": method.title, "day": f"{proved_at:%Y-%m-%d}"}
    if not reuse.counts_on(proved_at, method, request.profile.trust, clock.now()):
        return _("The proof of {domain}, of {day}, is too old to count; prove it again.").format(**facts)
    if needs_corroboration(request) and not proof.corroborated:
        return _(
            "{domain} was proven on {day}, and not enough perspectives saw it. This needs them: prove it again."
        ).format(**facts)
    return _(
        "{domain} was proven on {day} in a way ({method}) that does not cover this name. Prove it in another way."
    ).format(**facts)


def _ways(name: str, ledger: Mapping[str, Domain]) -> tuple[Way, ...]:
    """What the ledger has, the nearest first; then what could be added: the registered domain, and the name itself."""
    every = domains_behind(name)
    chosen = dict.fromkeys([*(each for each in every if each in ledger), every[-1], every[0]])
    return tuple(Way(each, ledger[each].pk if each in ledger else None) for each in list(chosen)[:MOST_WAYS])
