"""The addresses of the journal: under `/t/<tenant>/`, and the same under `/platform/` for the platform's own."""

from django.urls import URLPattern, path
from django.views.decorators.http import require_POST, require_safe

from portal.foundation.access.guards import guard
from portal.foundation.access.permissions import Permission
from portal.web.journal import views


def _addresses(needed: Permission, prefix: str) -> list[URLPattern]:
    return [
        path("journal/", guard(needed, require_safe(views.journal_list)), name=f"{prefix}journal"),
        path("journal/verify/", guard(needed, require_POST(views.journal_verify)), name=f"{prefix}journal-verify"),
        path("journal/export/", guard(needed, require_POST(views.journal_export)), name=f"{prefix}journal-export"),
        path("journal/<uuid:pk>/", guard(needed, require_safe(views.journal_line)), name=f"{prefix}journal-line"),
    ]


urlpatterns = _addresses(Permission.JOURNAL_READ, "")
platform_urlpatterns = _addresses(Permission.PLATFORM_OPERATE, "platform-")
