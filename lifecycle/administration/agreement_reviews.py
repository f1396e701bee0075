"""What publishing an agreement's next text would do; pages and programs are told the same.

The caller is inside `acting_for(tenant)`.
"""

import difflib
from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils.text import slugify

from lifecycle.administration import impact
from lifecycle.administration.impact import Reached
from lifecycle.policies import selectors
from lifecycle.policies.errors import AgreementChangedMeanwhile, NothingChanged
from lifecycle.policies.models import AgreementAcceptance, SubscriberAgreement
from lifecycle.requests.models import CertificateRequest
from portal.foundation.access.models import User
from portal.foundation.tenancy.errors import NotHere

LONGEST_SLUG = 60
MOST_LINES = 1_000
"""In both texts together; comparing takes time with the square of them."""

_BIGGEST_VERSION = 2**31 - 1  # PostgreSQL's integer


@dataclass(frozen=True, slots=True)
class Review:
    """The text as subscribers will read it, line by line what is different, and who has to agree anew."""

    title: str
    text: str
    lines: list[tuple[str, str]]
    too_long: bool  # to be compared
    reached: list[Reached]


def review(slug: str, *, before: SubscriberAgreement | None, title: str, text: str, seen: int) -> Review:
    """Say what publishing would do; raise what publishing would: changed meanwhile, nothing changed.

    *slug* is empty for an agreement that is new, *seen* the version that its author looked at.
    """
    if (before.version if before else 0) != seen:
        raise AgreementChangedMeanwhile(version=before.version if before else 0)
    title = " ".join(title.split())
    if before and (before.title, before.text) == (title, text):
        raise NothingChanged
    comparable = before is not None and _is_comparable(before.text, text)
    return Review(
        title,
        text,
        _difference(before.text, text) if before and comparable else [],
        before is not None and not comparable,
        impact.of_agreement(uses().get(slug, set())) if slug else [],
    )


def uses() -> dict[str, set[tuple[str, str]]]:
    """Which profile and operation ask for which agreement."""
    found: dict[str, set[tuple[str, str]]] = {}
    for key, policy in selectors.all_in_force().items():
        if policy.agreement and policy.enabled:
            found.setdefault(policy.agreement, set()).add(key)
    return found


def newest_text(slug: str, language: str) -> SubscriberAgreement | None:
    return SubscriberAgreement.objects.filter(slug=slug, language=language).order_by("-version").first()


def text_of(agreement: str, language: str, version: int) -> SubscriberAgreement:
    """One version; raise `NotHere` where there is none."""
    found = None
    if version <= _BIGGEST_VERSION:
        found = SubscriberAgreement.objects.filter(slug=agreement, language=language, version=version).first()
    if found is None:
        raise NotHere
    return found


def acceptances_of(text: SubscriberAgreement, wanted: str) -> QuerySet[AgreementAcceptance]:
    """Who accepted it, narrowed to a request's number or a part of a person's name where *wanted* says one."""
    found = selectors.acceptances_of(text)
    if not wanted:
        return found
    numbered = CertificateRequest.objects.filter(number=wanted.upper()).values("pk")
    people = User.objects.filter(name__icontains=wanted).values("pk")
    return found.filter(certificate_request__in=numbered) | found.filter(person_id__in=people)


def free_slug(title: str) -> str:
    """A name for addresses, made of the title; a number is added where it is taken or would read like a page."""
    wanted = slugify(title)[: LONGEST_SLUG - 5].strip("-") or "agreement"
    taken = set(SubscriberAgreement.objects.filter(slug__startswith=wanted).values_list("slug", flat=True)) | {"new"}
    names = (wanted if number == 1 else f"{wanted}-{number}" for number in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def _is_comparable(before: str, after: str) -> bool:
    return len(before.splitlines()) + len(after.splitlines()) <= MOST_LINES


def _difference(before: str, after: str) -> list[tuple[str, str]]:
    """Line by line: `ins`, `del` or nothing, and the line; lines that stay are shown only around those that do not."""
    found = difflib.unified_diff(before.splitlines(), after.splitlines(), n=1, lineterm="")
    kinds = {"+": "ins", "-": "del", " ": ""}
    return [(kinds[line[0]], line[1:]) for line in list(found)[2:] if line[0] in kinds]
