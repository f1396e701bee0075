"""The addresses of certificates and requests; included under `/t/<tenant>/`."""

from django.urls import path
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lifecycle.wizards import certificate_lists, confirming, entering, inventory, request_lists, uploading, views
from lifecycle.wizards import request_pages as pages
from portal.foundation.access.guards import guard
from portal.foundation.access.permissions import Permission

form = require_http_methods(["GET", "HEAD", "POST"])
READ, REQUESTS, MAKE = Permission.CERTIFICATE_READ, Permission.REQUEST_READ, Permission.REQUEST_MAKE
REVIEW, PROVE = Permission.REQUEST_APPROVE, Permission.DOMAIN_MANAGE

urlpatterns = [
    path("certificates/", guard(READ, require_safe(certificate_lists.certificate_list)), name="certificate-list"),
    path(
        "areas/<slug:area>/certificates/",
        guard(READ, require_safe(certificate_lists.certificate_list)),
        name="certificate-list-area",
    ),
    path(
        "certificates/export.csv",
        guard(READ, require_safe(certificate_lists.certificate_export)),
        name="certificate-export",
    ),
    path(
        "areas/<slug:area>/certificates/export.csv",
        guard(READ, require_safe(certificate_lists.certificate_export)),
        name="certificate-export-area",
    ),
    path(
        "certificates/upload/",
        guard(Permission.CERTIFICATE_UPLOAD, form(uploading.certificate_upload)),
        name="certificate-upload",
    ),
    path("certificates/<uuid:pk>/", guard(READ, require_safe(inventory.certificate_detail)), name="certificate-detail"),
    path("certificates/<uuid:pk>/action/", guard(READ, form(inventory.certificate_action)), name="certificate-action"),
    path(
        "certificates/<uuid:pk>/download/<slug:form>",
        guard(READ, require_safe(inventory.certificate_download)),
        name="certificate-download",
    ),
    path("requests/", guard(REQUESTS, require_safe(request_lists.request_list)), name="request-list"),
    path(
        "areas/<slug:area>/requests/<slug:kind>/",
        guard(REQUESTS, require_safe(request_lists.request_list)),
        name="request-list-area",
    ),
    path("requests/export.csv", guard(REQUESTS, require_safe(request_lists.request_export)), name="request-export"),
    path(
        "areas/<slug:area>/requests/<slug:kind>/export.csv",
        guard(REQUESTS, require_safe(request_lists.request_export)),
        name="request-export-area",
    ),
    path("requests/begin/<slug:kind>/", guard(MAKE, form(entering.request_start)), name="request-start"),
    path("requests/<uuid:pk>/", guard(REQUESTS, require_safe(pages.request_page)), name="request-page"),
    path("requests/<uuid:pk>/status/", guard(REQUESTS, require_safe(pages.request_status)), name="request-status"),
    path("requests/<uuid:pk>/discard/", guard(MAKE, require_POST(views.request_discard)), name="request-discard"),
    path("requests/<uuid:pk>/domains/verify/", guard(MAKE, require_POST(views.request_verify)), name="request-verify"),
    path("requests/<uuid:pk>/domains/prove/", guard(PROVE, require_POST(views.request_prove)), name="request-prove"),
    path(
        "requests/<uuid:pk>/domains/leave-out/",
        guard(MAKE, require_POST(views.request_leave_out)),
        name="request-leave-out",
    ),
    path("requests/<uuid:pk>/review/", guard(REVIEW, require_POST(pages.request_review)), name="request-review"),
    path("requests/<uuid:pk>/confirmation/", guard(MAKE, form(confirming.request_code)), name="request-code"),
    path("requests/<uuid:pk>/<slug:step>/", guard(MAKE, form(views.request_step)), name="request-step"),
]
