"""Every address of the portal, each with its guard."""

from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.http import require_http_methods, require_safe

from lifecycle.wizards.domain_ledger import approving
from portal.config import config
from portal.foundation.access.guards import Open, guard
from portal.foundation.access.permissions import Permission
from portal.web import authorities, health, home
from portal.web.journal.urls import platform_urlpatterns as platform_journal

handler400 = "portal.web.problems.bad_request"
handler403 = "portal.web.problems.forbidden"
handler404 = "portal.web.problems.not_found"
handler500 = "portal.web.problems.accident"

form = require_http_methods(["GET", "HEAD", "POST"])

urlpatterns: list[URLPattern | URLResolver] = [
    path("", guard(Open.SIGNED_IN, require_safe(home.home)), name="home"),
    path("", include("auth2fa.urls")),
    path("api/v1/", include("portal.api.urls")),
    path("api/v1/t/<slug:tenant>/", include("portal.web.journal.api_urls")),
    path("t/<slug:tenant>/", guard(Permission.TENANT_ENTER, require_safe(home.tenant_home)), name="tenant-home"),
    path("t/<slug:tenant>/", include("lifecycle.wizards.urls")),
    path("t/<slug:tenant>/", include("lifecycle.wizards.domain_ledger.urls")),
    path("t/<slug:tenant>/people/", include("auth2fa.people.urls")),
    path("t/<slug:tenant>/tokens/", include("auth2fa.tokens.urls")),
    path("t/<slug:tenant>/", include("lifecycle.administration.urls")),
    path("t/<slug:tenant>/", include("portal.web.journal.urls")),
    path("platform/", include("portal.web.platform.urls")),
    path("platform/", include(platform_journal)),
    path(
        "pki/<slug:tenant_slug>/<slug:authority>-<int:version>.cer",
        guard(Open.ANYBODY, require_safe(authorities.issuer_certificate)),
        name="issuer-certificate",
    ),
    path("approval/", guard(Open.ANYBODY, form(approving.approval)), name="domain-approval"),
    path("healthz", guard(Open.ANYBODY, require_safe(health.healthz)), name="healthz"),
    path("readyz", guard(Open.ANYBODY, require_safe(health.readyz)), name="readyz"),
]

if config.demo:
    urlpatterns.append(path("demo/", include("portal.demo.urls")))
