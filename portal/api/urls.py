"""Every address of the API, and of what describes it."""

from django.urls import include, path
from django.views.decorators.http import require_safe
from drf_spectacular.views import SpectacularJSONAPIView

from portal.foundation.access.guards import Open, guard

urlpatterns = [
    path("schema", guard(Open.ANYBODY, require_safe(SpectacularJSONAPIView.as_view())), name="api-schema"),
    path("t/<slug:tenant>/", include("lifecycle.wizards.api.urls")),
]
