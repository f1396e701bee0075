"""The addresses of certificates and requests for programs; included under `/api/v1/t/<tenant>/`."""

from django.urls import path

from lifecycle.wizards.api import certificates
from portal.foundation.access.guards import program_guard
from portal.foundation.access.permissions import Permission

READ = {"GET": Permission.CERTIFICATE_READ}

urlpatterns = [
    path(
        "certificates", program_guard(READ, certificates.CertificateList.as_view()), name="api-certificates"
    ),
    path(
        "certificates/<uuid:pk>",
        program_guard(READ, certificates.CertificateDetail.as_view()),
        name="api-certificate",
    ),
    path(
        "certificates/<uuid:pk>/files/<slug:form>",
        program_guard(READ, certificates.CertificateFile.as_view()),
        name="api-certificate-file",
    ),
]
