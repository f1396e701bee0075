"""Making profiles and their versions.  A version never changes; certificates and requests stay with theirs.

The caller is inside `acting_for(tenant)`.
"""

import json
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from lifecycle.authorities.models import CertificateAuthority, CertificateProfile, Terms, Trust
from lifecycle.authorities.profile_rules import Complaint, Draft, complaints_about
from portal.foundation import clock
from portal.foundation.audit.models import record
from portal.foundation.errors import Conflict, Refusal

LONGEST_SLUG = 60
RESERVED = frozenset({"new", "export"})
"""Slugs that would collide with addresses of the portal."""

LABELS = {"title": 120, "about": 500, "area": 60}
"""What names a profile, and how long each may be, in characters."""


class ProfileUnfit(Refusal):
    """Every reason at once, so that nobody has to mend them one by one."""

    code = "profile-unfit"
    message = "{complaints}"
    next_step = _("Change what is named; nothing was saved.")

    def __init__(self, complaints: Iterable[Complaint]) -> None:
        self.complaints = tuple(complaints)
        super().__init__(complaints=" ".join(map(str, self.complaints)))


class ProfileChangedMeanwhile(Conflict):
    code = "profile-changed-meanwhile"
    message = _("Somebody else saved version {version} of this profile while you were at it. Yours was not saved.")
    next_step = _("Compare the versions, carry your changes over, then review and save again.")


class ProfileUnchanged(Refusal):
    code = "profile-unchanged"
    message = _("The new version would say what the profile says already, so there is nothing to save.")
    next_step = _("Change something first, or leave the page.")


class TrustClassIsForGood(Refusal):
    """Policies, requests and certificates were judged under the class; another one is another profile."""

    code = "profile-trust-class"
    message = _("A profile keeps its trust class and its product area for good.")
    next_step = _("Make a new profile as a copy of this one, with the other class or area.")


class NoSuchAuthority(Refusal):
    code = "profile-no-authority"
    message = _("There is no such authority here.")
    next_step = _("Choose one of the authorities on the page.")


class UnfitLabel(Refusal):
    code = "profile-label"
    message = _("The title, the description or the product area is missing, too long, or has signs nobody can see.")
    next_step = _("Correct it and review the profile again; nothing was saved.")


@dataclass(frozen=True, slots=True)
class Wish:
    """A profile as an administrator wants it; `content` is what `Terms.from_json` reads, with `about` beside."""

    title: str
    area: str
    trust: str
    authority: UUID
    content: dict[str, Any]

    @property
    def terms(self) -> Terms:
        return Terms.from_json(self.content)


def judged(wish: Wish, longest_life: timedelta | None) -> tuple[Complaint, ...]:
    """Everything that the rules say of a profile; *longest_life* is that of its trust class today."""
    authority = CertificateAuthority.objects.filter(pk=wish.authority).first()
    if authority is None or wish.trust not in Trust.values:
        raise NoSuchAuthority
    draft = Draft(
        trust=wish.trust,
        terms=wish.terms,
        authority_ends=authority.certificate.not_valid_after_utc,
        authority_is_root=authority.parent_id is None,
        longest_life=longest_life,
        now=clock.now(),
    )
    return complaints_about(draft)


def create_profile(wish: Wish, *, longest_life: timedelta | None, by: UUID) -> CertificateProfile:
    """Store the first version of a profile.  Nothing can be done with it before policies allow something."""
    _enforce(wish, longest_life)
    return _store(wish, _free_slug(wish.title), 1, by)


def new_version(slug: str, wish: Wish, *, seen: int, longest_life: timedelta | None, by: UUID) -> CertificateProfile:
    """Store the next version; *seen* is the one its author looked at, and another one meanwhile is refused."""
    newest = CertificateProfile.objects.in_force(slug)
    if newest is None or newest.version != seen:
        raise ProfileChangedMeanwhile(version=newest.version if newest else 0)
    if (wish.trust, wish.area) != (newest.trust, newest.area):
        raise TrustClassIsForGood
    if _meaning(wish) == _meaning(Wish(newest.title, newest.area, newest.trust, newest.authority_id, newest.content)):
        raise ProfileUnchanged
    _enforce(wish, longest_life)
    return _store(wish, slug, newest.version + 1, by)


def _meaning(wish: Wish) -> tuple[object, ...]:
    """What counts of a profile: content that leaves out a default says the same as content that states it."""
    return wish.title, wish.authority, wish.terms, wish.content.get("about", "")


def _enforce(wish: Wish, longest_life: timedelta | None) -> None:
    labels = {"title": wish.title, "about": str(wish.content.get("about", "")), "area": wish.area}
    too_long = any(len(labels[name]) > most for name, most in LABELS.items())
    unseen = any(unicodedata.category(sign)[0] == "C" for label in labels.values() for sign in label)
    if too_long or unseen or not wish.title or wish.area != slugify(wish.area) or not wish.area:
        raise UnfitLabel
    if refused := [complaint for complaint in judged(wish, longest_life) if complaint.is_refused]:
        raise ProfileUnfit(refused)


def _free_slug(title: str) -> str:
    """A name for addresses, made of the title; a number is added where it is taken or would read like a page."""
    wanted = slugify(title)[: LONGEST_SLUG - 5].strip("-") or "profile"
    taken = set(CertificateProfile.objects.filter(slug__startswith=wanted).values_list("slug", flat=True)) | RESERVED
    return next(
        slug
        for number in range(1, len(taken) + 2)
        if (slug := wanted if number == 1 else f"{wanted}-{number}") not in taken
    )


def _store(wish: Wish, slug: str, version: int, by: UUID) -> CertificateProfile:
    profile = CertificateProfile(
        slug=slug,
        version=version,
        title=wish.title,
        area=wish.area,
        trust=wish.trust,
        authority_id=wish.authority,
        content=wish.content,
        made_by=str(by),
    )
    try:
        profile.save(force_insert=True)
    except IntegrityError as error:
        if "profile_version_once" in str(error):
            raise ProfileChangedMeanwhile(version=version) from None
        raise
    record(
        actor=by,
        code="profile:create",
        subject=profile.pk,
        slug=slug,
        version=version,
        title=wish.title,
        trust=wish.trust,
        authority=wish.authority,
        content=json.dumps(wish.content, sort_keys=True, separators=(",", ":"), ensure_ascii=False),
    )
    return profile
