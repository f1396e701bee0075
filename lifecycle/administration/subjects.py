"""From a profile to what the policy rules need to know of it.  The caller is inside `acting_for(tenant)`."""

from lifecycle.authorities.models import CertificateProfile, Terms
from lifecycle.policies import selectors
from lifecycle.policies.standing import Subject
from portal.foundation import clock


def subject_of(profile: CertificateProfile) -> Subject:
    return subject_with(profile.trust, profile.terms)


def subject_with(trust: str, terms: Terms) -> Subject:
    """The subject of policies for a profile that may not be saved yet."""
    reviewers, who_request = selectors.reviewers()
    return Subject(
        trust=trust,
        purposes=terms.extended_key_usages,
        names=terms.alternative_names,
        archives_keys=terms.krs,
        agreements=frozenset(selectors.agreement_titles()),
        reviewers=reviewers,
        reviewers_who_request=who_request,
        today=clock.now().date(),
    )
