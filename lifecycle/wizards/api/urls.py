"""The addresses of certificates and requests for programs; included under `/api/v1/t/<tenant>/`."""

from django.urls import path

from lifecycle.wizards.api import caa, certificates, domains, publishing, requests, steps, token, uploads
from portal.foundation.access.guards import program_guard
from portal.foundation.access.permissions import Permission

READ = {"GET": Permission.CERTIFICATE_READ}
REQUESTS = {"GET": Permission.REQUEST_READ}
MAKE = {"POST": Permission.REQUEST_MAKE}
DOMAINS = {"GET": Permission.DOMAIN_READ}
PROVE = {"POST": Permission.DOMAIN_MANAGE}
WAYS = {"GET": Permission.RULES_READ}
SET_UP = {"POST": Permission.PUBLISHING_MANAGE}

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
    path("domains", program_guard(DOMAINS | PROVE, domains.DomainList.as_view()), name="api-domains"),
    path("domains/<uuid:pk>", program_guard(DOMAINS, domains.DomainDetail.as_view()), name="api-domain"),
    path(
        "domains/<uuid:pk>/attempts", program_guard(PROVE, domains.DomainAttempts.as_view()), name="api-domain-attempts"
    ),
    path(
        "domains/<uuid:pk>/looks",
        program_guard(DOMAINS | PROVE, domains.DomainLooks.as_view()),
        name="api-domain-looks",
    ),
    path(
        "domains/<uuid:pk>/publishing",
        program_guard(PROVE, domains.DomainPublishing.as_view()),
        name="api-domain-publishing",
    ),
    path(
        "domains/<uuid:pk>/retirement",
        program_guard(PROVE, domains.DomainRetirement.as_view()),
        name="api-domain-retirement",
    ),
    path("domains/<uuid:pk>/revival", program_guard(PROVE, domains.DomainRevival.as_view()), name="api-domain-revival"),
    path(
        "caa-surveys",
        program_guard({"POST": Permission.DOMAIN_READ}, caa.SurveyList.as_view()),
        name="api-caa-surveys",
    ),
    path("caa-surveys/<uuid:pk>", program_guard(DOMAINS, caa.SurveyDetail.as_view()), name="api-caa-survey"),
    path(
        "caa-surveys/<uuid:pk>/thoughts",
        program_guard({"POST": Permission.DOMAIN_READ}, caa.SurveyThoughts.as_view()),
        name="api-caa-survey-thoughts",
    ),
    path("publishing-ways", program_guard(WAYS | SET_UP, publishing.WayList.as_view()), name="api-publishing-ways"),
    path("publishing-ways/<uuid:pk>", program_guard(WAYS, publishing.WayDetail.as_view()), name="api-publishing-way"),
    path(
        "publishing-ways/<uuid:pk>/trial",
        program_guard(SET_UP, publishing.WayTrial.as_view()),
        name="api-publishing-way-trial",
    ),
    path(
        "publishing-ways/<uuid:pk>/retirement",
        program_guard(SET_UP, publishing.WayRetirement.as_view()),
        name="api-publishing-way-retirement",
    ),
]
