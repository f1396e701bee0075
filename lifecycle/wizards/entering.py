"""Beginning a request, from wherever the person comes."""

from uuid import UUID

from django.urls import reverse

from lifecycle.certificates.models import Certificate
from lifecycle.requests import services
from lifecycle.requests.kinds import Kind
from lifecycle.requests.models import CertificateRequest
from lifecycle.wizards.flow import Flow
from lifecycle.wizards.steps import STEPS
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.middleware import TenantRequest


def begin_from(request: TenantRequest, kind: Kind, *, certificate: UUID | None = None, profile: str = "") -> str:
    """Begin, or go on with what was begun before; return the address of the first open step."""
    tenant, person = request.tenant, request.person.pk
    with acting_for(tenant.pk, person=person):
        if certificate is not None:
            _must_own(certificate, person)
            draft = services.begin_from_certificate(certificate, kind, by=person)
        else:
            draft = services.begin_from_profile(profile, kind, by=person)
        return step_url(tenant.slug, draft, Flow(draft, STEPS))


def _must_own(certificate: UUID, person: UUID) -> None:
    if not Certificate.objects.filter(pk=certificate, owner=person).exists():
        raise NotHere


def step_url(tenant: str, draft: CertificateRequest, flow: Flow) -> str:
    """Where the person goes on: the open step, or the last one when all are settled."""
    step = flow.open_step or flow.steps[-1]
    return reverse("request-step", kwargs={"tenant": tenant, "pk": draft.pk, "step": step.slug})
