"""What the CAA adviser says of a name: what stands on each label, and the verdict for every profile and why.

The caller is inside `acting_for(tenant)`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lifecycle.authorities.models import CertificateProfile
from lifecycle.policies import selectors
from lifecycle.policies.models import Policy
from lifecycle.requests.looks import terms_of
from lifecycle.validation import advice, surveying
from lifecycle.validation.advice import Advice
from lifecycle.validation.caa import LookupFailed, Reason, Record, RelevantSet, Terms
from lifecycle.validation.evidence import shown
from lifecycle.validation.methods import METHODS
from lifecycle.validation.models import CaaSurvey, DomainControl
from lifecycle.validation.proofs import proofs_for
from lifecycle.validation.words import WORDS
from lifecycle.wizards.domains import Publish
from lifecycle.wizards.presentation import Chip
from portal.foundation.tenancy.models import Tenant

OPERATION = "issue"


@dataclass(frozen=True, slots=True)
class Level:
    """One label, from the name itself towards the root."""

    label: str
    records: list[str]
    alias: str
    remark: str
    decides: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """One profile's answer."""

    title: str
    status: Chip
    sentence: str
    next_step: str
    publish: Publish | None
    clause: str


def kind_of(name: str) -> str:
    """The kind of alternative name that *name* stands for: a host, or everybody's mailbox in a domain."""
    return "email" if name.startswith("@") else "dns"


def levels_of(survey: CaaSurvey) -> list[Level]:
    """What stood on each label, once it is known; the one whose records count is marked."""
    if not survey.answered_at:
        return []
    found_at = survey.seen["found"].get("found_at")
    return [_level(each, found_at) for each in survey.seen["levels"]]


def _level(kept: dict[str, Any], found_at: str | None) -> Level:
    label = str(kept["label"])
    if kept["reason"]:
        words = WORDS[Reason(kept["reason"])].sentence
        return Level(label, [], "", str(words).format(name=label, asked=label, owner=label), label == found_at)
    owner = str(kept["owner"])
    alias = owner if owner.rstrip(".") != label else ""
    records = [shown(record) for record in surveying.records_on(kept)]
    remark = ""
    if records and kept["ttl"]:
        remark = ngettext("It holds for {ttl} second.", "It holds for {ttl} seconds.", kept["ttl"]).format(
            ttl=kept["ttl"]
        )
    return Level(label, records, alias, remark, label == found_at)


def verdicts_of(tenant: Tenant, name: str, found: RelevantSet | LookupFailed, moment: datetime) -> list[Verdict]:
    """The verdict of every profile that has such names."""
    return [
        _verdict(profile, advice.advise(name, found, terms))
        for profile, terms in terms_by_profile(tenant, name, moment)
    ]


def _verdict(profile: CertificateProfile, said: Advice) -> Verdict:
    status = Chip("good", _("May issue")) if said.permitted else Chip("bad", _("May not issue"))
    told = said.told
    return Verdict(
        profile.title,
        status,
        told.sentence,
        told.next_step,
        Publish.of(told.publish) if told.publish else None,
        said.clause,
    )


def terms_by_profile(tenant: Tenant, name: str, moment: datetime) -> Iterator[tuple[CertificateProfile, Terms]]:
    """Every profile in force with names of this kind, and the terms on which it would issue for *name*."""
    policies = selectors.all_in_force()
    for profile in CertificateProfile.objects.all_in_force():
        policy = policies.get((profile.slug, OPERATION))
        if policy is None or kind_of(name) not in profile.terms.alternative_names:
            continue
        yield profile, terms_of(profile, policy, tenant, name, _methods(profile, policy, name, moment))


def _methods(profile: CertificateProfile, policy: Policy, name: str, moment: datetime) -> tuple[str, ...]:
    """The label of the method by which *name* is proven, for this profile."""
    if kind_of(name) == "email":
        return ()
    corroborated = policy.corroborates or profile.trust != "private"
    issuers = profile.authority.caa_identities
    proofs = proofs_for([name], trust=profile.trust, corroborated=corroborated, moment=moment, issuers=issuers)
    return _labels(proofs.values())


def _labels(proofs: Any) -> tuple[str, ...]:
    found: Sequence[DomainControl] = list(proofs)
    return tuple(sorted({METHODS[proof.method].label for proof in found} - {""}))


def only_ours(tenant: Tenant, name: str, moment: datetime) -> list[tuple[str, list[Publish]]]:
    """By authority, the records that let only it issue for *name*, for this tenant alone; each authority once."""
    found: dict[tuple[str, ...], tuple[str, list[Publish]]] = {}
    for profile, terms in terms_by_profile(tenant, name, moment):
        lines = [Publish.of(line) for line in advice.only_ours(name, terms)]
        found.setdefault(tuple(sorted(terms.identities)), (profile.authority.name, [each for each in lines if each]))
    return [(title, lines) for title, lines in found.values() if lines]


def stands(survey: CaaSurvey) -> dict[str, tuple[Record, ...]]:
    """The records by their label, for a thought about others."""
    return {str(level["label"]): surveying.records_on(level) for level in survey.seen["levels"]}


def as_lines(survey: CaaSurvey) -> str:
    """The records that count, as a zone file says them: what a thought about others begins with."""
    return "\n".join(
        f"{level.label}. CAA {record}" for level in levels_of(survey) if level.decides for record in level.records
    )
