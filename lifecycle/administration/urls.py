"""The addresses of policies, profiles and agreements; included under `/t/<tenant>/`."""

from django.urls import path
from django.views.decorators.http import require_http_methods, require_safe

from lifecycle.administration import agreement_pages, policy_changes, policy_pages, profile_pages, rules_by_date_pages
from portal.foundation.access.guards import guard
from portal.foundation.access.permissions import Permission

form = require_http_methods(["GET", "HEAD", "POST"])
READ, CHANGE = Permission.RULES_READ, Permission.RULES_CHANGE
TEXT = "agreements/<slug:agreement>/<slug:language>/<int:version>/"

urlpatterns = [
    path("policies/", guard(READ, require_safe(policy_pages.policy_list)), name="policy-list"),
    path("policies/export.csv", guard(READ, require_safe(policy_pages.policy_export)), name="policy-export"),
    path("policies/<slug:profile>/", guard(READ, require_safe(policy_pages.policy_page)), name="policy-page"),
    path("policies/<slug:profile>/change/", guard(CHANGE, form(policy_changes.policy_change)), name="policy-change"),
    path("profiles/", guard(READ, require_safe(profile_pages.profile_list)), name="profile-list"),
    path("profiles/export.csv", guard(READ, require_safe(profile_pages.profile_export)), name="profile-export"),
    path("profiles/new/", guard(CHANGE, form(profile_pages.profile_new)), name="profile-new"),
    path("profiles/<slug:profile>/", guard(READ, require_safe(profile_pages.profile_page)), name="profile-page"),
    path(
        "profiles/<slug:profile>/compare/",
        guard(READ, require_safe(profile_pages.profile_compare)),
        name="profile-compare",
    ),
    path("profiles/<slug:profile>/change/", guard(CHANGE, form(profile_pages.profile_change)), name="profile-change"),
    path("agreements/", guard(READ, require_safe(agreement_pages.agreement_list)), name="agreement-list"),
    path("agreements/new/", guard(CHANGE, form(agreement_pages.agreement_new)), name="agreement-new"),
    path(
        "agreements/<slug:agreement>/", guard(READ, require_safe(agreement_pages.agreement_page)), name="agreement-page"
    ),
    path(
        "agreements/<slug:agreement>/<slug:language>/change/",
        guard(CHANGE, form(agreement_pages.agreement_change)),
        name="agreement-change",
    ),
    path(
        "administration/rules-by-date/",
        guard(READ, require_safe(rules_by_date_pages.rules_by_date_page)),
        name="rules-by-date",
    ),
    path(
        "administration/rules-by-date/<slug:change>/",
        guard(READ, require_safe(rules_by_date_pages.rules_by_date_change)),
        name="rules-by-date-change",
    ),
    path(TEXT, guard(READ, require_safe(agreement_pages.agreement_version)), name="agreement-version"),
    path(
        f"{TEXT}acceptances.csv",
        guard(READ, require_safe(agreement_pages.agreement_acceptances)),
        name="agreement-acceptances",
    ),
]
