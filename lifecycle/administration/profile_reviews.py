"""A profile as somebody wants it: what saving it would do, and saving it; pages and programs are told the same.

The caller is inside `acting_for(tenant)`.
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from cryptography.x509.oid import NameOID
from django.utils.translation import gettext as _

from lifecycle.administration import impact, wording
from lifecycle.administration import profile_wording as words
from lifecycle.administration.impact import Reached
from lifecycle.administration.starts import STARTS
from lifecycle.administration.subjects import subject_with
from lifecycle.authorities import profiles
from lifecycle.authorities.models import CertificateAuthority, CertificateProfile
from lifecycle.authorities.profile_rules import Complaint
from lifecycle.authorities.profiles import ProfileChangedMeanwhile, ProfileUnfit, Wish
from lifecycle.policies import selectors
from lifecycle.policies.asks import Asks
from lifecycle.policies.rules import LONGEST_LIFE, in_force
from lifecycle.policies.standing import Standing, complaints_about
from portal.foundation import clock


@dataclass(frozen=True, slots=True)
class Review:
    """What changes, what it says then, what the rules advise against, whom it reaches, which policies fit no more."""

    changes: list[words.Difference]
    facts: list[tuple[wording.Text, str]]
    advice: tuple[Complaint, ...]
    reached: list[Reached]
    policies: list[str]


def review(wish: Wish, *, newest: CertificateProfile | None, seen: int) -> Review:
    """Say what saving *wish* would do, as a first version or as the one after *newest*; raise what saving it would.

    *seen* is the version that its author looked at.
    """
    judged = profiles.judged(wish, longest_life(wish.trust))
    if refused := [each for each in judged if each.is_refused]:
        raise ProfileUnfit(refused)
    if newest and newest.version != seen:
        raise ProfileChangedMeanwhile(version=newest.version)
    authorities = every_authority()
    changes = words.differences(words.as_wish(newest), wish, authorities) if newest else []
    if newest and not changes:
        raise profiles.ProfileUnchanged
    return Review(
        changes,
        words.facts_of(wish, authorities),
        judged,
        impact.of_profile(newest.slug) if newest else [],
        _policies_at_odds(newest.slug, wish) if newest else [],
    )


def save(wish: Wish, *, newest: CertificateProfile | None, seen: int, by: UUID) -> CertificateProfile:
    longest = longest_life(wish.trust)
    if newest is None:
        return profiles.create_profile(wish, longest_life=longest, by=by)
    return profiles.new_version(newest.slug, wish, seen=seen, longest_life=longest, by=by)


def longest_life(trust: str) -> timedelta | None:
    """How long certificates of a trust class may live if they are issued today (BR 6.3.2)."""
    return in_force(LONGEST_LIFE.get(trust, {}), clock.now().date())


def _policies_at_odds(slug: str, wish: Wish) -> list[str]:
    """What the policies in force could no longer say of the profile as it would be: they stay, and need a change."""
    subject = subject_with(wish.trust, wish.terms)
    return [
        f"{wording.OPERATIONS[operation].title}: {complaint}"
        for operation, policy in selectors.of_profile(slug).items()
        for complaint in complaints_about(Standing(operation, Asks.of(policy), subject))
        if complaint.is_refused
    ]


def begun(start: str) -> Wish:
    """What a new profile begins with that takes one of the portal's own starts."""
    chosen = STARTS[start]
    authority = next(iter(choosable_authorities(None)), UUID(int=0))
    return Wish("", "", chosen.trust, authority, {**chosen.content, "fixed_subject": _organisation(authority)})


def _organisation(authority: UUID) -> dict[str, str]:
    """What the authority's own certificate says of whom it belongs to: its subscribers are mostly of the same."""
    row = CertificateAuthority.objects.filter(pk=authority).first()
    if row is None:
        return {}
    named = {"country": NameOID.COUNTRY_NAME, "organization": NameOID.ORGANIZATION_NAME}
    found = {name: row.certificate.subject.get_attributes_for_oid(oid) for name, oid in named.items()}
    return {name: str(attributes[0].value) for name, attributes in found.items() if attributes}


def every_authority() -> dict[UUID, str]:
    rows = CertificateAuthority.objects.only("pk", "name", "version", "tenant_id")
    return {row.pk: _("{name}, version {number}").format(name=row.name, number=row.version) for row in rows}


def choosable_authorities(kept: UUID | None) -> dict[UUID, str]:
    """The newest version of each authority, those that have one above them first; and the one that is in use."""
    newest = CertificateAuthority.objects.order_by("slug", "-version").distinct("slug")
    rows = sorted(newest, key=lambda row: (row.parent_id is None, row.name))
    names = every_authority()
    chosen = {row.pk: names[row.pk] for row in rows}
    return chosen if kept is None or kept in chosen else {kept: names[kept], **chosen}
