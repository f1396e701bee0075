"""Changing the rules.  Every change is a new row; the newest counts for the very next request.

The caller is inside `acting_for(tenant)`.
"""

import unicodedata
from collections.abc import Mapping
from uuid import UUID

from django.db import IntegrityError
from django.utils.translation import gettext as _

from lifecycle.policies import selectors
from lifecycle.policies.asks import OPERATIONS, Asks
from lifecycle.policies.errors import (
    AgreementChangedMeanwhile,
    AgreementUnfit,
    NothingChanged,
    PolicyChangedMeanwhile,
    PolicyUnfit,
)
from lifecycle.policies.models import Policy, SubscriberAgreement
from lifecycle.policies.standing import Standing, Subject, complaints_about
from portal.foundation.audit.models import record

LONGEST_AGREEMENT = 100_000  # characters
LONGEST_TITLE = 120


def change_policies(
    profile: str, wanted: Mapping[str, Asks], *, seen: Mapping[str, int], subject: Subject, by: UUID
) -> list[Policy]:
    """Store one new version of each policy that differs from the version its author saw; return these.

    *seen* names the versions that the author looked at, 0 where there was none.  What the author
    left as it was stays as it is now, also where somebody else changed it meanwhile; what both
    changed is refused with `PolicyChangedMeanwhile`.  Refuses with every complaint of
    `standing.RULES` at once, and with `NothingChanged`.
    """
    if unknown := set(wanted) - set(OPERATIONS):
        raise ValueError(f"no such operation: {', '.join(sorted(unknown))}")
    newest = selectors.of_profile(profile)
    changed = {operation: asks for operation, asks in wanted.items() if asks != _as_seen(profile, operation, seen)}
    overtaken = [name for name in changed if (newest[name].version if name in newest else 0) != seen.get(name, 0)]
    if overtaken:
        raise PolicyChangedMeanwhile(overtaken)
    if not changed:
        raise NothingChanged
    judged = [each for name, asks in changed.items() for each in complaints_about(Standing(name, asks, subject))]
    if refused := [each for each in judged if each.is_refused]:
        raise PolicyUnfit(refused)
    return [_next_version(profile, name, newest.get(name), asks, by) for name, asks in changed.items()]


def _as_seen(profile: str, operation: str, seen: Mapping[str, int]) -> Asks:
    """What the author looked at; a version that never was counts as one that was overtaken."""
    version = seen.get(operation, 0)
    looked_at = Policy.objects.filter(profile=profile, operation=operation, version=version).first()
    if version and looked_at is None:
        raise PolicyChangedMeanwhile([operation])
    return Asks.of(looked_at)


def _next_version(profile: str, operation: str, before: Policy | None, asks: Asks, by: UUID) -> Policy:
    policy = Policy(
        profile=profile,
        operation=operation,
        version=before.version + 1 if before else 1,
        made_by=str(by),
        **asks.content(),
    )
    try:
        policy.save(force_insert=True)
    except IntegrityError as error:
        if "policy_version_once" in str(error):  # somebody saved at the same moment, and was first
            raise PolicyChangedMeanwhile([operation]) from None
        raise
    record(
        actor=by,
        code="policy:change",
        subject=policy.pk,
        profile=profile,
        operation=operation,
        version=policy.version,
        before=Asks.of(before).journalled() if before else "",
        after=asks.journalled(),
    )
    return policy


def publish_agreement(*, slug: str, language: str, title: str, text: str, seen: int, by: UUID) -> SubscriberAgreement:
    """Make the next version of an agreement in one language; whoever asks next must agree to it.

    *seen* is the version its author looked at, 0 for a first one; another one meanwhile is refused.
    """
    newest = SubscriberAgreement.objects.filter(slug=slug, language=language).order_by("-version").first()
    version = newest.version if newest else 0
    if version != seen:
        raise AgreementChangedMeanwhile(version=version)
    title, text = " ".join(title.split()), "\n".join(text.splitlines()).strip()
    if why := why_unfit(title, text):
        raise AgreementUnfit(why=why)
    if newest and (newest.title, newest.text) == (title, text):
        raise NothingChanged
    fresh = SubscriberAgreement(
        slug=slug, language=language, title=title, text=text, version=version + 1, made_by=str(by)
    )
    try:
        fresh.save(force_insert=True)
    except IntegrityError as error:
        if "agreement_version_once" in str(error):
            raise AgreementChangedMeanwhile(version=version + 1) from None
        raise
    record(
        actor=by, code="agreement:publish", subject=fresh.pk, slug=slug, language=language, version=fresh.version,
        title=title,
    )  # fmt: skip
    return fresh


def why_unfit(title: str, text: str) -> str:
    """Why nobody could agree to this; empty if they could."""
    if not title or not text:
        return _("It needs a title and a text.")
    if len(title) > LONGEST_TITLE or len(text) > LONGEST_AGREEMENT:
        return _("The title has at most {title} characters, the text at most {text}.").format(
            title=LONGEST_TITLE, text=LONGEST_AGREEMENT
        )
    hidden = {sign for sign in title + text if unicodedata.category(sign) in {"Cc", "Cf", "Co", "Cs", "Cn"}} - {"\n"}
    if hidden:
        names = ", ".join(sorted(f"U+{ord(sign):04X}" for sign in hidden))
        return _("Leave out characters that cannot be seen: {names}.").format(names=names)
    return ""
