"""What a policy may ask of a profile: sentences, each with its source, judged when a policy is saved.

Pure: facts in, complaints out.  The rules of public trust bind the two public classes and
no administrator lifts them; for a private profile they are advice, and the complaint says
what a reader gives up (requirements section 8).  A contradiction is refused for everybody.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from auth2fa.errors import NoSuchFactor
from auth2fa.registry import FACTORS, factor_of
from lifecycle.policies.asks import CERTIFYING, Asks
from lifecycle.policies.limits import LIMITS
from lifecycle.policies.rules import LONGEST_LIFE, in_force

SERVER_AUTH, ANY_PURPOSE = "1.3.6.1.5.5.7.3.1", "2.5.29.37.0"  # RFC 5280 4.2.1.12
MOST_APPROVALS = 3
PRIVATE = "private"
OF_NAMES = ("proves_control", "checks_caa", "corroborates")
"""What a policy asks of names: all of it in public trust, none of it where there are no names."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The profile that a policy is for, as far as these rules care, and who there is to carry it out."""

    trust: str
    purposes: tuple[str, ...]  # extended key usages, dotted
    names: tuple[str, ...]  # kinds of alternative names
    archives_keys: bool
    agreements: frozenset[str]  # that somebody wrote
    reviewers: int
    reviewers_who_request: int  # nobody approves their own request (C7)
    today: date

    @property
    def is_public(self) -> bool:
        return self.trust != PRIVATE

    @property
    def serves_tls(self) -> bool:
        """Whether a TLS client would take its certificates for a server's; none named means any purpose."""
        return not self.purposes or bool({SERVER_AUTH, ANY_PURPOSE} & set(self.purposes))


@dataclass(frozen=True, slots=True)
class Standing:
    """A policy as somebody wants it, beside its subject."""

    operation: str
    asks: Asks
    subject: Subject


@dataclass(frozen=True, slots=True)
class Rule:
    slug: str
    source: str
    field: str  # of `Asks`, where the page points
    check: Callable[[Standing], str | None]
    binds_private: bool = True


@dataclass(frozen=True, slots=True)
class Complaint:
    rule: Rule
    operation: str
    sentence: str
    is_refused: bool

    def __str__(self) -> str:
        return f"{self.sentence} ({self.rule.source})"


def _names_things(standing: Standing) -> bool:
    """Whether certificates are made at the end that name hosts or mailboxes, whose owners can be asked."""
    return standing.operation in CERTIFYING and bool(standing.subject.names)


def _takes_any_name(standing: Standing) -> str | None:
    if not standing.asks.enabled or standing.asks.proves_control or not _names_things(standing):
        return None
    if standing.subject.is_public:
        return _("No certificate is made before control of every name was proven.")
    return _("Nobody proves that the names are theirs: whoever may ask is given a certificate for any name.")


def _proves_nothing(standing: Standing) -> str | None:
    if not standing.asks.proves_control or _names_things(standing):
        return None
    if standing.operation in CERTIFYING:
        return _("Certificates of this profile name no hosts and no mailboxes, so there is nothing to prove.")
    return _("No certificate is made here, so there is nothing to prove.")


def _forgets_caa(standing: Standing) -> str | None:
    if not standing.asks.enabled or standing.asks.checks_caa or not _names_things(standing):
        return None
    if standing.subject.is_public:
        return _("The owners of the names say in CAA records who may issue for them, so these are always looked at.")
    return _("Nobody asks the DNS whether this authority may issue for the names: owners' CAA records are ignored.")


def _looks_for_nothing(standing: Standing) -> str | None:
    if not standing.asks.checks_caa or _names_things(standing):
        return None
    if standing.operation in CERTIFYING:
        return _("Certificates of this profile have no names in the DNS, so there are no CAA records to look at.")
    return _("No certificate is made here, so there are no CAA records to look at.")


def _believes_one_place(standing: Standing) -> str | None:
    asks = standing.asks
    if not asks.enabled or asks.corroborates or not _names_things(standing):
        return None
    if standing.subject.is_public:
        return _("Perspectives in other networks have to see the same, for proofs of control and for CAA records.")
    if not (asks.proves_control or asks.checks_caa):
        return None  # nothing is looked at, which has rules of its own
    return _("What one network sees is believed: whoever bends its routes or its DNS can pass for a name's owner.")


def _corroborates_nothing(standing: Standing) -> str | None:
    asks = standing.asks
    if not asks.corroborates or asks.proves_control or asks.checks_caa:
        return None
    return _("Neither control nor CAA records are looked at, so there is nothing that perspectives could see, too.")


def _holds_back_revocation(standing: Standing) -> str | None:
    if standing.operation != "revoke" or standing.asks.enabled:
        return None
    if standing.subject.is_public:
        return _("Subscribers can always ask for revocation.")
    return _("Subscribers cannot revoke; until an administrator acts, a lost key stays trusted.")


def _reviews_revocation(standing: Standing) -> str | None:
    if standing.operation != "revoke" or not standing.asks.approvals:
        return None
    if standing.subject.is_public:
        return _("Revocation has to follow within 24 hours, so it waits for nobody's approval.")
    return _("Revocations wait for a reviewer; only a key that may be known to others is never held up.")


def _gives_a_server_key_back(standing: Standing) -> str | None:
    if standing.operation != "recover" or not standing.asks.enabled or not standing.subject.serves_tls:
        return None
    if standing.subject.is_public:
        return _("The authority never holds the private key of a TLS server.")
    return _("Whoever recovers the key of a TLS server can pass for that server.")


def _has_nothing_to_recover(standing: Standing) -> str | None:
    if standing.operation != "recover" or not standing.asks.enabled or standing.subject.archives_keys:
        return None
    return _("This profile archives no keys, so there is nothing to recover.")


def _agrees_to_nothing(standing: Standing) -> str | None:
    if standing.operation not in CERTIFYING or not standing.asks.enabled or standing.asks.agreement:
        return None
    if standing.subject.is_public:
        return _("No certificate is made before the subscriber agreed to the subscriber agreement.")
    return _("Subscribers promise nothing about how they keep their key.")


def _agreement_unwritten(standing: Standing) -> str | None:
    wanted = standing.asks.agreement
    if not wanted:
        return None
    if standing.operation not in CERTIFYING:
        return _("No certificate is made here, so nobody is asked to agree.")
    return None if wanted in standing.subject.agreements else _("There is no agreement “{slug}”.").format(slug=wanted)


def _factor_unknown(standing: Standing) -> str | None:
    if not standing.asks.factor or standing.asks.factor in FACTORS:
        return None
    return _("There is no second factor “{slug}”.").format(slug=standing.asks.factor)


def _factor_set_wrongly(standing: Standing) -> str | None:
    asks = standing.asks
    if not asks.factor:
        return _("There is no second factor that these settings could be for.") if asks.factor_settings else None
    try:
        factor_of(asks.factor, asks.factor_settings)
    except (ValueError, TypeError):
        return _("A setting of the second factor is not one that it takes, or is out of its bounds.")
    except NoSuchFactor:
        return None  # said by its own rule
    return None


def _nobody_could_approve(standing: Standing) -> str | None:
    wanted, there = standing.asks.approvals, standing.subject.reviewers
    if not 0 <= wanted <= MOST_APPROVALS:
        return _("A request takes from 0 to {most} approvals.").format(most=MOST_APPROVALS)
    if not standing.asks.enabled or wanted <= there:
        return None
    return ngettext(
        "There is {there} reviewer, so {wanted} approvals could never be given.",
        "There are {there} reviewers, so {wanted} approvals could never be given.",
        there,
    ).format(there=there, wanted=wanted)


def _some_could_not_be_approved(standing: Standing) -> str | None:
    subject, wanted = standing.subject, standing.asks.approvals
    too_few = subject.reviewers_who_request and subject.reviewers - 1 < wanted <= subject.reviewers
    if not standing.asks.enabled or not wanted or not too_few:
        return None
    return _("A reviewer's own request would wait for ever, because nobody approves their own.")


def _limit_out_of_bounds(standing: Standing) -> str | None:
    bounds = {limit.slug: limit for limit in LIMITS}
    for slug, value in standing.asks.limits.items():
        limit = bounds.get(slug)
        if limit is None or type(value) is not int or not limit.least <= value <= limit.most:
            name = limit.label if limit else slug
            return _("“{name}” is not a whole number within its bounds.").format(name=name)
    return None


def _lives_too_long(standing: Standing) -> str | None:
    wanted, today = standing.asks.limits.get("longest_days"), standing.subject.today
    table = LONGEST_LIFE.get(standing.subject.trust, {})
    allowed = in_force(table, today)
    if type(wanted) is not int or allowed is None or wanted <= allowed.days:
        return None
    since = max(day for day in table if day <= today)
    return _("At most {days} days are allowed since {since}.").format(days=allowed.days, since=since.isoformat())


RULES: tuple[Rule, ...] = (
    Rule("control-asked", "BR 3.2.2.4, S/MIME BR 3.2.2", "proves_control", _takes_any_name, binds_private=False),
    Rule("control-has-names", "1.R20", "proves_control", _proves_nothing),
    Rule("caa-asked", "BR 3.2.2.8, S/MIME BR 4.2.2.1", "checks_caa", _forgets_caa, binds_private=False),
    Rule("caa-has-names", "RFC 8659 3", "checks_caa", _looks_for_nothing),
    Rule(
        "perspectives-asked",
        "BR 3.2.2.9, S/MIME BR 3.2.2",
        "corroborates",
        _believes_one_place,
        binds_private=False,
    ),
    Rule("perspectives-look", "BR 3.2.2.9", "corroborates", _corroborates_nothing),
    Rule("revocation-open", "BR 4.9.3", "enabled", _holds_back_revocation, binds_private=False),
    Rule("revocation-swift", "BR 4.9.1.1", "approvals", _reviews_revocation, binds_private=False),
    Rule("server-key-kept", "BR 6.1.1.3", "enabled", _gives_a_server_key_back, binds_private=False),
    Rule("keys-archived", "2.R2", "enabled", _has_nothing_to_recover),
    Rule("agreement-asked", "BR 9.6.3", "agreement", _agrees_to_nothing, binds_private=False),
    Rule("agreement-written", "0.R12", "agreement", _agreement_unwritten),
    Rule("factor-known", "0.R34", "factor", _factor_unknown),
    Rule("factor-settings", "0.R37", "factor", _factor_set_wrongly),
    Rule("reviewers", "C7", "approvals", _nobody_could_approve),
    Rule("limits", "0.R31", "limits", _limit_out_of_bounds),
    Rule("lifetime", "BR 6.3.2", "limits.longest_days", _lives_too_long),
    Rule("reviewers-own", "C7", "approvals", _some_could_not_be_approved, binds_private=False),
)
ADVICE = frozenset({"reviewers-own"})
"""Said to everybody and refused to nobody."""


def complaints_about(standing: Standing, rules: Iterable[Rule] = RULES) -> tuple[Complaint, ...]:
    """Ask every rule; whether its answer is a refusal or advice hangs on the profile's trust class."""
    return tuple(
        Complaint(
            rule,
            standing.operation,
            said,
            is_refused=rule.slug not in ADVICE and (rule.binds_private or standing.subject.is_public),
        )
        for rule in rules
        if (said := rule.check(standing))
    )


def settled(operation: str, subject: Subject) -> dict[str, bool]:
    """What no administrator decides for *operation*: the value that a page shows with a lock."""
    fixed: dict[str, bool] = {}
    if operation not in CERTIFYING or not subject.names:
        fixed |= dict.fromkeys(OF_NAMES, False)
    elif subject.is_public:
        fixed |= dict.fromkeys(OF_NAMES, True)
    if operation == "revoke" and subject.is_public:
        fixed["enabled"] = True
    if operation == "recover" and (not subject.archives_keys or (subject.is_public and subject.serves_tls)):
        fixed["enabled"] = False
    return fixed
