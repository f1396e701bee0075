"""Policies as they are: which operations a profile allows, what each asks for, and how that came about."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from lifecycle.administration import impact, wording
from lifecycle.administration.policy_forms import COLUMNS
from lifecycle.authorities.models import CertificateProfile
from lifecycle.policies import selectors
from lifecycle.policies.asks import CERTIFYING, Asks
from lifecycle.policies.models import Policy
from lifecycle.wizards.presentation import Chip, names_of
from portal.foundation.access.permissions import Permission
from portal.foundation.lists import tables
from portal.foundation.lists.paging import page_of
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.middleware import TenantRequest


@dataclass(frozen=True, slots=True)
class ProfileRow:
    profile: CertificateProfile
    trust: Any
    allowed: str
    changed_at: datetime | None


def policy_list(request: TenantRequest) -> HttpResponse:
    """Every profile with what it allows."""
    with acting_for(request.tenant.pk):
        in_force = selectors.all_in_force()
        rows = []
        for profile in CertificateProfile.objects.all_in_force():
            mine = [policy for (slug, _operation), policy in in_force.items() if slug == profile.slug]
            allowed = [wording.OPERATIONS[each.operation].title for each in mine if each.enabled]
            newest = max((each.made_at for each in mine), default=None)
            rows.append(ProfileRow(profile, wording.TRUST_TITLES[profile.trust], wording.in_a_row(allowed), newest))
        return render(request, "administration/policies.html", {"rows": rows, "may_change": may_change(request)})


def policy_export(request: TenantRequest) -> HttpResponse:
    """Every policy in force, one line each."""
    with acting_for(request.tenant.pk):
        agreements = selectors.agreement_titles()
        policies = [policy for _key, policy in sorted(selectors.all_in_force().items())]
        people = names_of(policy.made_by for policy in policies)
    head = [_("Profile"), _("Operation"), _("Version"), *(wording.FIELD_TITLES[name] for name in COLUMNS)]
    rows = [
        [
            policy.profile,
            policy.operation,
            policy.version,
            *(wording.value_word(name, getattr(policy, name), agreements) for name in COLUMNS),
            wording.in_a_row(f"{label}: {value}" for label, value in wording.rows_of(Asks.of(policy), agreements)),
            policy.made_at.isoformat(),
            people.get(policy.made_by, policy.made_by),
        ]
        for policy in policies
    ]
    return tables.as_file("policies.csv", [*head, _("Limits"), _("Since"), _("Changed by")], rows, cut=False)


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """A policy in force, in words."""

    operation: wording.Operation
    status: Chip
    since: datetime | None
    cells: list[tuple[str, str]]
    details: list[tuple[Any, str]]


@dataclass(frozen=True, slots=True)
class Version:
    """One version in the history, with what it changed."""

    policy: Policy
    operation: wording.Operation
    by: str
    changes: list[wording.Change]


def policy_page(request: TenantRequest, profile: str) -> HttpResponse:
    """What is in force for one profile, and how it came about."""
    with acting_for(request.tenant.pk):
        found = profile_of(profile)
        agreements = selectors.agreement_titles()
        in_force = selectors.of_profile(profile)
        page = page_of(selectors.history_of(profile), by="pk", descending=True, asked=request.GET)
        context = {
            "profile": found,
            "trust": wording.TRUST_TITLES[found.trust],
            "lead": impact.of_certificates(profile).sentence,
            "rows": [_row(name, in_force.get(name), agreements) for name in wording.OPERATIONS],
            "nothing_allowed": not any(policy.enabled for policy in in_force.values()),
            "history": versions_of(page.rows, agreements),
            "pages": page,
            "may_change": may_change(request),
        }
        return render(request, "administration/policy.html", context)


def _row(name: str, policy: Policy | None, agreements: dict[str, str]) -> PolicyRow:
    asks = Asks.of(policy)
    status = Chip("good", _("Allowed")) if asks.enabled else Chip("plain", _("Off"))
    return PolicyRow(
        wording.OPERATIONS[name],
        status,
        policy.since().made_at if policy else None,
        [
            (
                str(wording.FIELD_TITLES[column]),
                wording.value_word(column, getattr(asks, column), agreements)
                if name in CERTIFYING or column in {"factor", "approvals"}
                else _("Not asked"),
            )
            for column in COLUMNS[1:]
        ],
        wording.rows_of(asks, agreements),
    )


def versions_of(rows: list[Policy], agreements: dict[str, str]) -> list[Version]:
    people = names_of(policy.made_by for policy in rows)
    wanted = {(policy.operation, policy.version - 1) for policy in rows}
    earlier = {
        (policy.operation, policy.version): policy
        for policy in (Policy.objects.filter(profile=rows[0].profile) if rows else ())
        if (policy.operation, policy.version) in wanted
    }
    return [
        Version(
            policy,
            wording.OPERATIONS[policy.operation],
            people.get(policy.made_by) or _("the portal itself"),
            wording.changes(
                policy.operation,
                Asks.of(earlier.get((policy.operation, policy.version - 1))),
                Asks.of(policy),
                agreements,
            ),
        )
        for policy in rows
    ]


def profile_of(slug: str) -> CertificateProfile:
    """The newest version of a profile of this tenant, or `NotHere`."""
    found = CertificateProfile.objects.in_force(slug)
    if found is None:
        raise NotHere
    return found


def may_change(request: TenantRequest) -> bool:
    return Permission.RULES_CHANGE in request.seat.permissions
