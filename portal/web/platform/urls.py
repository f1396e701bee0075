"""The operators' addresses; included under `/platform/`.  Whoever operates nothing finds nothing there."""

from django.urls import path
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.foundation.access.guards import guard
from portal.foundation.access.permissions import Permission
from portal.web.platform import authorities, errands, looking, overview, tenants

OPERATE = Permission.PLATFORM_OPERATE
form = require_http_methods(["GET", "HEAD", "POST"])

urlpatterns = [
    path("", guard(OPERATE, require_safe(overview.overview)), name="platform-overview"),
    path("tenants/", guard(OPERATE, require_safe(tenants.tenant_list)), name="platform-tenants"),
    path("tenants/export.csv", guard(OPERATE, require_safe(tenants.tenant_export)), name="platform-tenants-export"),
    path("tenants/new/", guard(OPERATE, form(tenants.tenant_new)), name="platform-tenant-new"),
    path("tenants/<slug:slug>/", guard(OPERATE, require_safe(tenants.tenant_page)), name="platform-tenant"),
    path("tenants/<slug:slug>/<slug:deed>/", guard(OPERATE, form(tenants.tenant_deed)), name="platform-tenant-deed"),
    path("looks/<slug:slug>/end/", guard(OPERATE, require_POST(looking.look_end)), name="platform-look-end"),
    path("authorities/", guard(OPERATE, require_safe(authorities.authority_list)), name="platform-authorities"),
    path("errands/", guard(OPERATE, require_safe(errands.errand_list)), name="platform-errands"),
    path("errands/<uuid:pk>/<slug:deed>/", guard(OPERATE, form(errands.errand_deed)), name="platform-errand-deed"),
]
