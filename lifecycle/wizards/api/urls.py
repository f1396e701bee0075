"""The addresses of certificates and requests for programs; included under `/api/v1/t/<tenant>/`."""

from django.urls import path

from lifecycle.wizards.api import certificates, requests, steps, token, uploads
from portal.foundation.access.guards import program_guard
from portal.foundation.access.permissions import Permission

READ = {"GET": Permission.CERTIFICATE_READ}
REQUESTS = {"GET": Permission.REQUEST_READ}
MAKE = {"POST": Permission.REQUEST_MAKE}

urlpatterns = [
    path("token", program_guard({"GET": Permission.TENANT_ENTER}, token.Token.as_view()), name="api-token"),
    path("certificates", program_guard(READ, certificates.CertificateList.as_view()), name="api-certificates"),
    path(
        "certificates/<uuid:pk>",
        program_guard(READ, certificates.CertificateDetail.as_view()),
        name="api-certificate",
    ),
    path(
        "certificates/uploads",
        program_guard({"POST": Permission.CERTIFICATE_UPLOAD}, uploads.CertificateUpload.as_view()),
        name="api-certificate-uploads",
    ),
    path(
        "certificates/<uuid:pk>/files/<slug:form>",
        program_guard(READ, certificates.CertificateFile.as_view()),
        name="api-certificate-file",
    ),
    path("requests", program_guard(REQUESTS | MAKE, requests.RequestList.as_view()), name="api-requests"),
    path("requests/<uuid:pk>", program_guard(REQUESTS, requests.RequestDetail.as_view()), name="api-request"),
    path(
        "requests/<uuid:pk>/steps/<slug:step>",
        program_guard({"GET": Permission.REQUEST_MAKE, "PUT": Permission.REQUEST_MAKE}, steps.RequestStep.as_view()),
        name="api-request-step",
    ),
    path(
        "requests/<uuid:pk>/domain-checks",
        program_guard(MAKE, steps.DomainChecks.as_view()),
        name="api-request-domain-checks",
    ),
    path(
        "requests/<uuid:pk>/confirmation",
        program_guard(MAKE, steps.Confirmation.as_view()),
        name="api-request-confirmation",
    ),
    path(
        "requests/<uuid:pk>/submission",
        program_guard(MAKE, steps.Submission.as_view()),
        name="api-request-submission",
    ),
    path(
        "requests/<uuid:pk>/withdrawal",
        program_guard(MAKE, requests.RequestWithdrawal.as_view()),
        name="api-request-withdrawal",
    ),
    path(
        "requests/<uuid:pk>/reviews",
        program_guard({"POST": Permission.REQUEST_APPROVE}, requests.RequestReviews.as_view()),
        name="api-request-reviews",
    ),
]
