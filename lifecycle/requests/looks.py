"""What the stored looks at a request's names come to, for the authority that would issue.  Looks nothing up itself."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from lifecycle.authorities.models import CertificateProfile, Trust
from lifecycle.policies.models import Policy
from lifecycle.policies.rules import Looked, Verdict
from lifecycle.requests.controls import lowered, proofs_of
from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.orders import alternative_names_of, may_have_names, name_asked, names_to_check
from lifecycle.validation.account import account_uri
from lifecycle.validation.caa import Reason, Terms
from lifecycle.validation.methods import METHODS
from lifecycle.validation.models import CaaCheck, DomainControl
from lifecycle.validation.selectors import is_fresh, newest
from lifecycle.validation.states import CaaState
from portal.foundation import clock
from portal.foundation.tenancy.models import Tenant

FORBIDDING = frozenset(
    {
        Reason.OTHERS_NAMED,
        Reason.NOBODY_NAMED,
        Reason.MALFORMED,
        Reason.UNKNOWN_CRITICAL,
        Reason.UNPROVEN,
        Reason.OTHER_METHOD,
        Reason.OTHER_ACCOUNT,
        Reason.UNSATISFIABLE,
    }
)
"""Somebody's word against it; every other failure is that nobody could be asked."""


def caa_terms(request: CertificateRequest, proofs: Mapping[str, DomainControl] | None = None) -> dict[str, Terms]:
    """The names whose owners are asked in the DNS, each with the terms on which the request's authority would issue.

    *proofs* are those that count for the request's names, for a caller who has read them already.
    """
    labels = _labels(request, proofs_of(request) if proofs is None else proofs)
    return {
        name: terms_of(request.profile, request.policy, request.tenant, name, labels.get(name, ()))
        for name in names_to_check(request)
    }


def terms_of(
    profile: CertificateProfile, policy: Policy, tenant: Tenant, name: str, methods: tuple[str, ...] = ()
) -> Terms:
    """The terms for one name, as `names_to_check` spells it, where it was proven by *methods*."""
    return Terms(
        identities=tuple(profile.authority.caa_identities),
        account=account_uri(tenant),
        methods=methods,
        mail=name.startswith("@"),
        corroborated=policy.corroborates or profile.trust != Trust.PRIVATE,  # BR 3.2.2.9
    )


def _labels(request: CertificateRequest, proofs: Mapping[str, DomainControl]) -> dict[str, tuple[str, ...]]:
    """The label of the method by which each name was proven; of a domain's mailboxes, what holds for all of them."""
    found: dict[str, set[str]] = {}
    for name in alternative_names_of(request):
        proof = proofs.get(lowered(str(name.value)))
        label = {METHODS[proof.method].label} - {""} if proof else set()
        asked = name_asked(name)
        found[asked] = found.get(asked, label) & label
    return {asked: tuple(sorted(labels)) for asked, labels in found.items()}


def needs_looks(request: CertificateRequest) -> bool:
    """Whether the names' owners are asked in the DNS: in public trust always, whatever the policy says.

    So want BR 3.2.2.8 for servers and S/MIME BR 4.2.2.1 for mailboxes.
    """
    return (request.policy.checks_caa or request.profile.trust != Trust.PRIVATE) and may_have_names(request)


def looked(request: CertificateRequest) -> tuple[Looked, ...]:
    """One verdict for every name of the request; none where nobody has to be asked."""
    if not needs_looks(request):
        return ()
    wanted = caa_terms(request)
    # of those that came to an end: one that somebody has just asked for takes nothing away
    return judged(wanted, newest(wanted, settled=True), clock.now())


def judged(names: Iterable[str], checks: Mapping[str, CaaCheck], now: datetime) -> tuple[Looked, ...]:
    """Judge every name by its own look, and by no other name's (security.md 1, point 3)."""
    return tuple(Looked(name, verdict_of(checks.get(name), now)) for name in names)


def verdict_of(check: CaaCheck | None, now: datetime) -> Verdict:
    if check is None or check.checked_at is None:
        return Verdict.UNKNOWN
    if check.state == CaaState.VERIFIED:
        return Verdict.PERMITS if is_fresh(check, now) else Verdict.UNKNOWN
    return Verdict.FORBIDS if check.reason in FORBIDDING else Verdict.UNREACHED
