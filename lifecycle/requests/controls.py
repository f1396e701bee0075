"""Which names of a request have to be under its tenant's control, and which proofs of that count now (1.R20).

Asks nobody: proofs are rows, and only the validation worker can make one.
"""

from collections.abc import Mapping
from datetime import datetime

from lifecycle.authorities.models import CertificateProfile, Trust
from lifecycle.policies.rules import Proven
from lifecycle.policies.selectors import all_in_force
from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.orders import alternative_names_of, may_have_names
from lifecycle.validation import control, proving
from lifecycle.validation.attempts import OPEN
from lifecycle.validation.methods import METHODS
from lifecycle.validation.models import Domain, DomainControl
from lifecycle.validation.proofs import proofs_for
from lifecycle.validation.publishing import promises
from lifecycle.validation.reading import zones_of
from portal.foundation import clock

STAYS = "dns-persist"
"""The method whose record stays where it is, so that looking again is proving again."""


def needs_proofs(request: CertificateRequest) -> bool:
    """Whether control of its names is proven: in public trust always, whatever the policy says (BR 3.2.2.4)."""
    asked = request.policy.proves_control or request.profile.trust != Trust.PRIVATE
    return asked and may_have_names(request)


def needs_corroboration(request: CertificateRequest) -> bool:
    """Whether remote perspectives have to agree: in public trust always, whatever the policy says (BR 3.2.2.9)."""
    return bool(request.policy.corroborates) or request.profile.trust != Trust.PRIVATE


def names_to_prove(request: CertificateRequest) -> list[str]:
    """The hosts, wildcards with their star, and the mailboxes that the certificate would name; each once."""
    if not needs_proofs(request):
        return []
    return sorted({lowered(str(name.value)) for name in alternative_names_of(request)})


def lowered(name: str) -> str:
    """Case means nothing in a domain, and may mean something before the @ of a mailbox (RFC 5321 2.4)."""
    local, at, domain = name.rpartition("@")
    return f"{local}{at}{domain.lower()}"


def proofs_of(request: CertificateRequest, moment: datetime | None = None) -> dict[str, DomainControl]:
    """The proof that counts for each name, at *moment* or now; a name without one is missing."""
    names = names_to_prove(request)
    if not names:
        return {}
    return proofs_for(
        names,
        trust=request.profile.trust,
        corroborated=needs_corroboration(request),
        moment=moment or clock.now(),
        issuers=request.profile.authority.caa_identities,
    )


def proven(request: CertificateRequest) -> tuple[Proven, ...]:
    """One verdict for every name of the request; none where nothing has to be proven."""
    return judged(names_to_prove(request), proofs_of(request))


def judged(names: list[str], proofs: Mapping[str, DomainControl]) -> tuple[Proven, ...]:
    return tuple(Proven(name, name in proofs) for name in names)


def domains_behind(name: str) -> list[str]:
    """The domains and mailboxes by whose proofs *name* can be proven, from the nearest to the registered domain."""
    local, _at, host = name.rpartition("@")
    host = host.removeprefix("*.")
    zones = list(zones_of(host))
    return [name, *zones] if local else zones or [host]  # a host that became a public suffix is its own


def prove_again(request: CertificateRequest, *, by: object) -> bool:
    """Begin a proof for every name without one that counts; False where somebody would have to do something for it.

    Then nothing is begun.  A proof that is under way is left as it is.
    """
    unproven = [each.name for each in proven(request) if not each.counts]
    domains = {name: _provable_alone(name) for name in unproven}
    if not all(domains.values()):
        return False
    for domain in {domain.pk: domain for domain in domains.values() if domain}.values():
        if DomainControl.objects.filter(domain=domain, state__in=OPEN).exists():
            continue
        before = DomainControl.objects.filter(domain=domain, method=domain.method).order_by("-asked_at").first()
        begun = control.begin(domain, method=domain.method, by=by, issuer=before.value if before else "")
        if not begun.automatic:
            control.look_now(begun, by=by)
    return bool(domains)


def _provable_alone(name: str) -> Domain | None:
    """The nearest domain that can prove *name* without anybody's help: the portal publishes, or the record stays."""
    owners = domains_behind(name)
    for domain in sorted(
        Domain.objects.select_related("publishing").filter(name__in=owners, retired_at=None),
        key=lambda domain: owners.index(domain.name),
    ):
        method = METHODS[domain.method]
        covered = (domain.name == name or method.covers_subnames) and (method.covers_wildcards or "*" not in name)
        way = domain.publishing
        publishes = way is not None and way.retired_at is None and promises.can(way, method)
        if covered and (publishes or domain.method == STAYS):
            return domain
    return None


@proving.corroborates
def _somebody_asks_for_perspectives() -> bool:
    """Whether any profile of the tenant wants proofs that remote perspectives saw, too."""
    if any(policy.enabled and policy.corroborates for policy in all_in_force().values()):
        return True
    return any(profile.trust != Trust.PRIVATE for profile in CertificateProfile.objects.all_in_force())
