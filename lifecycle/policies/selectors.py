"""Asking about policies and agreements.  The caller is inside `acting_for(tenant)`."""

from django.db.models import QuerySet
from django.utils.translation import get_language

from lifecycle.policies.models import FALLBACK, AgreementAcceptance, Policy, SubscriberAgreement
from portal.foundation.access.models import Membership
from portal.foundation.access.permissions import GRANTED, Permission


def all_in_force() -> dict[tuple[str, str], Policy]:
    """The newest version of every policy, by profile and operation."""
    newest = Policy.objects.order_by("profile", "operation", "-version").distinct("profile", "operation")
    return {(policy.profile, policy.operation): policy for policy in newest}


def of_profile(profile: str) -> dict[str, Policy]:
    """The newest version of every policy of a profile, by operation."""
    newest = Policy.objects.filter(profile=profile).order_by("operation", "-version").distinct("operation")
    return {policy.operation: policy for policy in newest}


def history_of(profile: str) -> QuerySet[Policy]:
    """Every version of every policy of a profile; the caller sorts and pages."""
    return Policy.objects.filter(profile=profile)


def reviewers() -> tuple[int, int]:
    """How many people may approve in this tenant, and how many of them also make requests."""
    rows = Membership.objects.filter(suspended_at=None, person__is_active=True).values_list("person_id", "role")
    may: dict[object, set[Permission]] = {}
    for person, role in rows:
        may.setdefault(person, set()).update(GRANTED.get(role, ()))  # type: ignore[call-overload]
    able = [held for held in may.values() if Permission.REQUEST_APPROVE in held]
    return len(able), sum(Permission.REQUEST_MAKE in held for held in able)


def agreements_in_force() -> list[SubscriberAgreement]:
    """The newest version of every agreement in every language, by agreement and language."""
    return list(SubscriberAgreement.objects.order_by("slug", "language", "-version").distinct("slug", "language"))


def agreement_to_read(policy: Policy) -> SubscriberAgreement | None:
    """The text that *policy* asks for in the language of whoever reads the page; None where it asks for none."""
    return SubscriberAgreement.in_force(policy.agreement, get_language() or FALLBACK) if policy.agreement else None


def in_force_still(slug: str, agreed: str) -> SubscriberAgreement | None:
    """The text with the id *agreed*, where it is what the agreement says in its language now; else None."""
    newest = SubscriberAgreement.objects.filter(slug=slug).order_by("language", "-version").distinct("language")
    return next((text for text in newest if str(text.pk) == agreed), None)


def agreement_titles() -> dict[str, str]:
    """Every agreement's title, English where there is one, by its slug."""
    found = agreements_in_force()
    return {each.slug: each.title for each in sorted(found, key=lambda each: each.language == "en")}


def acceptances_of(agreement: SubscriberAgreement) -> QuerySet[AgreementAcceptance]:
    return AgreementAcceptance.objects.filter(agreement=agreement)
