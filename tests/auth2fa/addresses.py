"""The addresses of auth2fa, and a page to come home to."""

from django.http import HttpResponse
from django.urls import include, path

from portal.foundation.access.guards import Open, guard


def _home(request):
    return HttpResponse(f"{request.user}")


urlpatterns = [
    path("", include("auth2fa.urls")),
    path("", guard(Open.ANYBODY, _home), name="home"),
]
