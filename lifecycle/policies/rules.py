"""What must hold for a certificate to be asked for and made: sentences, each with its source.

Pure: facts in, complaints out.  The same rules are asked when an action is offered
("why can't I?"), when a request is submitted, and by the signing worker.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from lifecycle.policies.limits import LIMITS
from portal.foundation.errors import Refusal

Text = str | Promise


class PolicyForbids(Refusal):
    code = "policy-forbids"
    message = "{complaints}"

    def __init__(self, broken: "tuple[Broken, ...]") -> None:
        self.broken = broken
        super().__init__(complaints=" ".join(str(each) for each in broken))

    @property
    def advice(self) -> str:
        return " ".join(dict.fromkeys(str(each.rule.remedy) for each in self.broken if each.rule.remedy))


class Verdict(StrEnum):
    """Of one name's CAA records; whatever is not `PERMITS` is no consent."""

    PERMITS = "permits"
    FORBIDS = "forbids"
    UNKNOWN = "unknown"  # nobody looked within the time that counts
    UNREACHED = "unreached"  # the newest look could not find out


@dataclass(frozen=True, slots=True)
class Source:
    """The certificate that an operation starts from, as far as rules care."""

    not_after: datetime
    revoked_at: datetime | None
    spki_sha256: str
    open_request: str  # the number of a request that is under way, or ""


@dataclass(frozen=True, slots=True)
class Looked:
    """What the stored looks at one name's CAA records come to, judged for the authority that would issue."""

    name: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Proven:
    """Whether a proof of control of one name counts now, for the trust class and with the corroboration it needs."""

    name: str
    counts: bool


@dataclass(frozen=True, slots=True)
class Proposal:
    """An operation somebody wants, as facts.  What is not known yet is None and is not judged."""

    operation: str
    enabled: bool
    now: datetime
    trust: str
    longest_life: timedelta
    source: Source | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    spki_sha256: str | None = None
    key_is_used: bool = False
    key_is_compromised: bool = False
    source_may_be_over: bool = False
    names: int | None = None
    open_requests: int | None = None  # of this kind, of this person, besides this one
    limits: Mapping[str, Any] = field(default_factory=dict)  # the policy's, by the slugs of `LIMITS`
    off_since: datetime | None = None  # when an administrator switched it off, where that is known
    looked: tuple[Looked, ...] = ()  # one for every name where the policy checks CAA
    proven: tuple[Proven, ...] = ()  # one for every name where the policy wants control of it proven


@dataclass(frozen=True, slots=True)
class Rule:
    slug: str
    source: str
    check: Callable[[Proposal], str | None]
    remedy: Text = ""  # what to do, where the complaint does not say it already


@dataclass(frozen=True, slots=True)
class Broken:
    rule: Rule
    complaint: str

    def __str__(self) -> str:
        return self.complaint


def in_force(table: Mapping[date, int], day: date) -> timedelta | None:
    """The row of a dated table that counts on *day*; None before its first."""
    since = max((since for since in table if since <= day), default=None)
    return None if since is None else timedelta(days=table[since])


LONGEST_LIFE: dict[str, dict[date, int]] = {
    # BR 6.3.2; a day is 86,400 seconds and any fraction counts as a further day
    "public-tls": {date(2020, 9, 1): 398, date(2026, 3, 15): 200, date(2027, 3, 15): 100, date(2029, 3, 15): 47},
    # S/MIME BR 6.3.2, strict and multipurpose
    "public-smime": {date(2023, 9, 1): 825},
}


def _switched_off(proposal: Proposal) -> str | None:
    if proposal.enabled:
        return None
    if proposal.off_since is None:
        return _("An administrator has switched this operation off for this kind of certificate.")
    return _("An administrator has switched this operation off for this kind of certificate (since {day}).").format(
        day=f"{proposal.off_since:%Y-%m-%d}"
    )


def _source_revoked(proposal: Proposal) -> str | None:
    if proposal.source is None or proposal.source.revoked_at is None:
        return None
    return _("This certificate was revoked on {day}.").format(day=f"{proposal.source.revoked_at:%Y-%m-%d}")


def _source_expired(proposal: Proposal) -> str | None:
    if proposal.source is None or proposal.source_may_be_over or proposal.source.not_after > proposal.now:
        return None
    return _("This certificate expired on {day}.").format(day=f"{proposal.source.not_after:%Y-%m-%d}")


def _source_busy(proposal: Proposal) -> str | None:
    if proposal.source is None or not proposal.source.open_request:
        return None
    return _("Request {number} for this certificate is still under way.").format(number=proposal.source.open_request)


def _lives_too_long(proposal: Proposal) -> str | None:
    if proposal.not_before is None or proposal.not_after is None:
        return None
    by_trust = in_force(LONGEST_LIFE.get(proposal.trust, {}), proposal.not_before.date())
    limit = min(proposal.longest_life, by_trust or proposal.longest_life)
    if proposal.not_after - proposal.not_before < limit + timedelta(seconds=1):
        return None
    return ngettext(
        "The certificate would be valid for longer than {days} day.",
        "The certificate would be valid for longer than {days} days.",
        limit.days,
    ).format(days=limit.days)


def limit_of(slug: str, limits: Mapping[str, Any]) -> int | None:
    """What a policy limits *slug* to; None where it does not."""
    return next(limit for limit in LIMITS if limit.slug == slug).of(limits)


def _longer_than_policy(proposal: Proposal) -> str | None:
    limit = limit_of("longest_days", proposal.limits)
    if limit is None or proposal.not_before is None or proposal.not_after is None:
        return None
    if proposal.not_after - proposal.not_before < timedelta(days=limit, seconds=1):
        return None
    return ngettext(
        "The policy allows certificates of this kind to be valid for at most {days} day.",
        "The policy allows certificates of this kind to be valid for at most {days} days.",
        limit,
    ).format(days=limit)


def _too_many_names(proposal: Proposal) -> str | None:
    limit = limit_of("most_names", proposal.limits)
    if limit is None or proposal.names is None or proposal.names <= limit:
        return None
    return ngettext(
        "The policy allows at most {count} alternative name in one certificate; this one would have {found}.",
        "The policy allows at most {count} alternative names in one certificate; this one would have {found}.",
        limit,
    ).format(count=limit, found=proposal.names)


def _too_many_open(proposal: Proposal) -> str | None:
    limit = limit_of("most_open", proposal.limits)
    if limit is None or proposal.open_requests is None or proposal.open_requests < limit:
        return None
    return ngettext(
        "The policy allows a person at most {count} unfinished request of this kind.",
        "The policy allows a person at most {count} unfinished requests of this kind.",
        limit,
    ).format(count=limit)


_OF_CAA: dict[Verdict, Text] = {
    Verdict.FORBIDS: gettext_lazy("The CAA records of these names do not allow our authority to issue: {names}."),
    Verdict.UNREACHED: gettext_lazy("The CAA records of these names could not be looked up: {names}."),
    Verdict.UNKNOWN: gettext_lazy("The CAA records of these names were not checked within the last 7 hours: {names}."),
}


def not_permitted(looks: Iterable[Looked]) -> str | None:
    """What stands against issuing for these names: every one that is not permitted, by its name (0.R27, 0.R28)."""
    looks = list(looks)
    said = [
        str(sentence).format(names=", ".join(names))
        for verdict, sentence in _OF_CAA.items()
        if (names := [looked.name for looked in looks if looked.verdict is verdict])
    ]
    return " ".join(said) or None


def _caa_does_not_permit(proposal: Proposal) -> str | None:
    return not_permitted(proposal.looked)


def not_proven(proofs: Iterable[Proven]) -> str | None:
    """What stands against issuing for these names: every one without a proof that counts, by its name (1.R20)."""
    names = [proof.name for proof in proofs if not proof.counts]
    if not names:
        return None
    return ngettext(
        "It is not proven that this name is under your control: {names}.",
        "It is not proven that these names are under your control: {names}.",
        len(names),
    ).format(names=", ".join(names))


def _control_not_proven(proposal: Proposal) -> str | None:
    return not_proven(proposal.proven)


def _key_kept(proposal: Proposal) -> str | None:
    if proposal.source is None or proposal.spki_sha256 != proposal.source.spki_sha256:
        return None
    return _("This is the key of the old certificate. A rekey needs a new key: make a new key pair and a new CSR.")


def _key_used(proposal: Proposal) -> str | None:
    if not proposal.key_is_used or _key_kept(proposal):
        return None
    return _("This key already belongs to another certificate. Make a new key pair and a new CSR.")


def _key_compromised(proposal: Proposal) -> str | None:
    if not proposal.key_is_compromised:
        return None
    return _("This key was reported as compromised and can never be certified. Make a new key pair and a new CSR.")


POLICY = "the tenant's policy"

RULES: tuple[Rule, ...] = (
    Rule("switched-on", "0.R10, 0.R11", _switched_off, gettext_lazy("Ask an administrator if you need it.")),
    Rule("source-not-revoked", "0.R14", _source_revoked, gettext_lazy("Request a new certificate instead.")),
    Rule("source-not-expired", "0.R14", _source_expired, gettext_lazy("Request a new certificate instead.")),
    Rule("one-request-at-a-time", "0.R14", _source_busy, gettext_lazy("Wait until that request is over.")),
    Rule("lifetime", "BR 6.3.2", _lives_too_long, gettext_lazy("Ask an administrator to correct the profile.")),
    Rule("policy-lifetime", POLICY, _longer_than_policy, gettext_lazy("Request a new certificate instead.")),
    Rule("most-names", POLICY, _too_many_names, gettext_lazy("Spread the names over several certificates.")),
    Rule("most-open", POLICY, _too_many_open, gettext_lazy("Finish or withdraw one of them first.")),
    Rule(
        "domain-proven",
        "1.R20, BR 3.2.2.4",
        _control_not_proven,
        gettext_lazy("Prove it on the page “Domains”; the request keeps what you have answered."),
    ),
    Rule(
        "caa-permits",
        "0.R27, BR 3.2.2.8",
        _caa_does_not_permit,
        gettext_lazy("Check these names again on the page “Domain ownership”; it shows the record to publish."),
    ),
    Rule("new-key", "0.R4", _key_kept),
    Rule("key-not-used", "1.R18", _key_used),
    Rule("key-not-compromised", "BR 6.1.1.3", _key_compromised),
)


def broken_by(proposal: Proposal, rules: Iterable[Rule] = RULES) -> tuple[Broken, ...]:
    return tuple(Broken(rule, complaint) for rule in rules if (complaint := rule.check(proposal)))


def enforce(proposal: Proposal, rules: Iterable[Rule] = RULES) -> None:
    """Refuse with every broken rule at once, so that nobody has to mend them one by one."""
    if broken := broken_by(proposal, rules):
        raise PolicyForbids(broken)
