"""The addresses of the journal for programs; included under `/api/v1/t/<tenant>/`."""

from django.urls import path

from portal.foundation.access.guards import program_guard
from portal.foundation.access.permissions import Permission
from portal.web.journal import api

READ = {"GET": Permission.JOURNAL_READ}
DO = {"POST": Permission.JOURNAL_READ}  # whoever reads it may have it proven, and take it along

urlpatterns = [
    path("journal", program_guard(READ, api.JournalList.as_view()), name="api-journal"),
    path("journal/standing", program_guard(READ, api.JournalStanding.as_view()), name="api-journal-standing"),
    path(
        "journal/verifications", program_guard(DO, api.JournalVerifications.as_view()), name="api-journal-verifications"
    ),
    path("journal/exports", program_guard(DO, api.JournalExports.as_view()), name="api-journal-exports"),
    path(
        "journal/exports/<uuid:pk>/file",
        program_guard(READ, api.JournalExportFile.as_view()),
        name="api-journal-export-file",
    ),
    path("journal/<uuid:pk>", program_guard(READ, api.JournalLine.as_view()), name="api-journal-line"),
]
