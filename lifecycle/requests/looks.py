"""What the stored looks at a request's names come to, for the authority that would issue.  Looks nothing up itself."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from lifecycle.authorities.models import Trust
from lifecycle.policies.rules import Looked, Verdict
from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.orders import names_to_check
from lifecycle.validation.caa import Reason
from lifecycle.validation.models import CaaCheck
from lifecycle.validation.selectors import is_fresh, spelled
from lifecycle.validation.states import CaaState
from portal.foundation import clock

FORBIDDING = frozenset({Reason.OTHERS_NAMED, Reason.NOBODY_NAMED, Reason.MALFORMED, Reason.UNKNOWN_CRITICAL})
"""Somebody's word against it; every other failure is that nobody could be asked."""


def identities_of(request: CertificateRequest) -> list[str]:
    """The issuer domain names that permit the request's authority, as looks are stored under them."""
    return spelled(request.profile.authority.caa_identities)


def needs_looks(request: CertificateRequest) -> bool:
    """Whether the names' owners are asked in the DNS: in public TLS always, whatever the policy says (BR 3.2.2.8)."""
    asked = request.policy.checks_caa or request.profile.trust == Trust.PUBLIC_TLS
    return asked and request.profile.terms.names_are_in_dns


def newest(names: Collection[str], identities: list[str]) -> dict[str, CaaCheck]:
    """The newest look at each name that came to an end: one that somebody has just asked for takes nothing away."""
    over = CaaCheck.objects.filter(name__in=names, identities=identities).exclude(state=CaaState.VERIFYING)
    return {check.name: check for check in over.order_by("name", "-asked_at", "-id").distinct("name")}


def looked(request: CertificateRequest) -> tuple[Looked, ...]:
    """One verdict for every name of the request; none where nobody has to be asked."""
    if not needs_looks(request):
        return ()
    names = names_to_check(request)
    return judged(names, newest(names, identities_of(request)), clock.now())


def judged(names: Iterable[str], checks: Mapping[str, CaaCheck], now: datetime) -> tuple[Looked, ...]:
    """Judge every name by its own look, and by no other name's (security.md 1, point 3)."""
    return tuple(Looked(name, verdict_of(checks.get(name), now)) for name in names)


def verdict_of(check: CaaCheck | None, now: datetime) -> Verdict:
    if check is None or check.checked_at is None:
        return Verdict.UNKNOWN
    if check.state == CaaState.VERIFIED:
        return Verdict.PERMITS if is_fresh(check, now) else Verdict.UNKNOWN
    return Verdict.FORBIDS if check.reason in FORBIDDING else Verdict.UNREACHED
