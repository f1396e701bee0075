"""Every address of the API, and of what describes it."""

from django.urls import include, path
from django.views.decorators.http import require_safe

from portal.api.document import schema
from portal.api.reference import reference
from portal.foundation.access.guards import Open, guard

urlpatterns = [
    path("", guard(Open.ANYBODY, require_safe(reference)), name="api-reference"),
    path("schema", guard(Open.ANYBODY, require_safe(schema)), name="api-schema"),
    path("t/<slug:tenant>/", include("lifecycle.wizards.api.urls")),
    path("t/<slug:tenant>/", include("lifecycle.administration.api.urls")),
    path("t/<slug:tenant>/", include("auth2fa.people.api_urls")),
]
