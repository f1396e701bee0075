"""The addresses of policies, profiles and agreements for programs; included under `/api/v1/t/<tenant>/`."""

from django.urls import path

from lifecycle.administration.api import agreements, policies, profiles, rules_by_date
from portal.foundation.access.guards import program_guard
from portal.foundation.access.permissions import Permission

READ = {"GET": Permission.RULES_READ}
CHANGE = {**READ, "PUT": Permission.RULES_CHANGE}
MAKE = {**READ, "POST": Permission.RULES_CHANGE}
TEXT = "agreements/<slug:agreement>/<slug:language>"

urlpatterns = [
    path("policies", program_guard(READ, policies.PolicyList.as_view()), name="api-policies"),
    path(
        "policies/<slug:profile>",
        program_guard(CHANGE, policies.ProfilePolicies.as_view()),
        name="api-profile-policies",
    ),
    path(
        "policies/<slug:profile>/versions",
        program_guard(READ, policies.PolicyHistory.as_view()),
        name="api-policy-history",
    ),
    path(
        "policies/<slug:profile>/operations/<slug:operation>",
        program_guard(READ, policies.PolicyDetail.as_view()),
        name="api-policy",
    ),
    path(
        "policies/<slug:profile>/operations/<slug:operation>/versions/<int:version>",
        program_guard(READ, policies.PolicyVersion.as_view()),
        name="api-policy-version",
    ),
    path("profiles", program_guard(MAKE, profiles.ProfileList.as_view()), name="api-profiles"),
    path("profiles/<slug:profile>", program_guard(CHANGE, profiles.ProfileDetail.as_view()), name="api-profile"),
    path(
        "profiles/<slug:profile>/versions",
        program_guard(READ, profiles.ProfileVersions.as_view()),
        name="api-profile-versions",
    ),
    path(
        "profiles/<slug:profile>/versions/<int:version>",
        program_guard(READ, profiles.ProfileVersion.as_view()),
        name="api-profile-version",
    ),
    path(
        "profiles/<slug:profile>/comparison",
        program_guard(READ, profiles.ProfileComparison.as_view()),
        name="api-profile-comparison",
    ),
    path("profile-choices", program_guard(READ, profiles.ProfileChoices.as_view()), name="api-profile-choices"),
    path("agreements", program_guard(MAKE, agreements.AgreementList.as_view()), name="api-agreements"),
    path(
        "agreements/<slug:agreement>", program_guard(READ, agreements.AgreementDetail.as_view()), name="api-agreement"
    ),
    path(TEXT, program_guard(CHANGE, agreements.AgreementText.as_view()), name="api-agreement-text"),
    path(
        f"{TEXT}/versions",
        program_guard(READ, agreements.AgreementVersions.as_view()),
        name="api-agreement-versions",
    ),
    path(
        f"{TEXT}/versions/<int:version>",
        program_guard(READ, agreements.AgreementVersion.as_view()),
        name="api-agreement-version",
    ),
    path(
        f"{TEXT}/versions/<int:version>/acceptances",
        program_guard(READ, agreements.AgreementAcceptances.as_view()),
        name="api-agreement-acceptances",
    ),
    path("rules-by-date", program_guard(READ, rules_by_date.RulesByDate.as_view()), name="api-rules-by-date"),
]
