"""The addresses of domains, of the CAA adviser and of publishing ways; included under `/t/<tenant>/`."""

from django.urls import path
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lifecycle.wizards.domain_ledger import acts, adviser, ledger, pages, ways
from portal.foundation.access.guards import guard
from portal.foundation.access.permissions import Permission

form = require_http_methods(["GET", "HEAD", "POST"])
READ, MANAGE = Permission.DOMAIN_READ, Permission.DOMAIN_MANAGE
RULES, PUBLISHING = Permission.RULES_READ, Permission.PUBLISHING_MANAGE

urlpatterns = [
    path("domains/", guard(READ, require_safe(ledger.domain_list)), name="domain-list"),
    path("domains/export.csv", guard(READ, require_safe(ledger.domain_export)), name="domain-export"),
    path("domains/calendar/", guard(READ, require_safe(ledger.domain_calendar)), name="domain-calendar"),
    path("domains/add/", guard(MANAGE, form(acts.domain_add)), name="domain-add"),
    path("domains/<uuid:pk>/", guard(READ, require_safe(pages.domain_page)), name="domain-page"),
    path("domains/<uuid:pk>/standing/", guard(READ, require_safe(pages.domain_standing)), name="domain-standing"),
    path("domains/<uuid:pk>/looks/", guard(READ, require_safe(pages.domain_looks)), name="domain-looks"),
    path("domains/<uuid:pk>/prove/", guard(MANAGE, require_POST(acts.domain_prove)), name="domain-prove"),
    path("domains/<uuid:pk>/contact/", guard(MANAGE, require_POST(acts.domain_contact)), name="domain-contact"),
    path("domains/<uuid:pk>/look/", guard(MANAGE, require_POST(acts.domain_look)), name="domain-look"),
    path(
        "domains/<uuid:pk>/publishing/", guard(MANAGE, require_POST(acts.domain_publishing)), name="domain-publishing"
    ),
    path("domains/<uuid:pk>/retire/", guard(MANAGE, form(acts.domain_retire)), name="domain-retire"),
    path("caa/", guard(READ, form(adviser.caa_adviser)), name="caa-adviser"),
    path("caa/<uuid:pk>/", guard(READ, require_safe(adviser.caa_survey)), name="caa-survey"),
    path("caa/<uuid:pk>/found/", guard(READ, require_safe(adviser.caa_found)), name="caa-found"),
    path("publishing/", guard(RULES, require_safe(ways.publishing_list)), name="publishing-list"),
    path("publishing/export.csv", guard(RULES, require_safe(ways.publishing_export)), name="publishing-export"),
    path("publishing/add/", guard(PUBLISHING, form(ways.publishing_add)), name="publishing-add"),
    path("publishing/<uuid:pk>/", guard(RULES, require_safe(ways.publishing_page)), name="publishing-page"),
    path(
        "publishing/<uuid:pk>/standing/",
        guard(RULES, require_safe(ways.publishing_standing)),
        name="publishing-standing",
    ),
    path("publishing/<uuid:pk>/try/", guard(PUBLISHING, require_POST(ways.publishing_try)), name="publishing-try"),
    path("publishing/<uuid:pk>/retire/", guard(PUBLISHING, form(ways.publishing_retire)), name="publishing-retire"),
]
