"""Beginning a request, from wherever the person comes."""

from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy

from lifecycle.certificates.models import Certificate
from lifecycle.requests import services
from lifecycle.requests.kinds import MEANING, Kind
from lifecycle.requests.models import CertificateRequest
from lifecycle.wizards.flow import Flow
from lifecycle.wizards.steps import STEPS
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.middleware import TenantRequest

UNPROCESSABLE = 422


class StartForm(forms.Form):
    profile = forms.ChoiceField(
        label=gettext_lazy("Which kind of certificate?"),
        widget=forms.RadioSelect,
        error_messages={"required": gettext_lazy("Choose a kind of certificate.")},
    )

    def __init__(self, *args: Any, profiles: list[Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["profile"]
        field.choices = [(profile.slug, profile.title) for profile in profiles]  # type: ignore[attr-defined]
        field.choice_hints = {profile.slug: profile.content.get("about", "") for profile in profiles}  # type: ignore[attr-defined]


def request_start(request: TenantRequest, kind: str) -> HttpResponse:
    """Begin: from a certificate, whose id a button posts, or from a profile that is chosen here."""
    if kind not in MEANING:
        raise NotHere
    wanted = Kind(kind)
    if MEANING[wanted].starts_from_certificate:
        return _start_from_certificate(request, wanted)
    with acting_for(request.tenant.pk):
        form = StartForm(request.POST or None, profiles=services.may_begin(wanted))
        if request.method != "POST" or not form.is_valid():
            context = {"title": MEANING[wanted].action, "form": form}
            return render(request, "requests/start.html", context, status=UNPROCESSABLE if form.is_bound else 200)
    return redirect(begin_from(request, wanted, profile=form.cleaned_data["profile"]))


def _start_from_certificate(request: TenantRequest, kind: Kind) -> HttpResponse:
    try:
        certificate = UUID(request.POST.get("certificate", ""))
    except ValueError:
        raise NotHere from None
    return redirect(begin_from(request, kind, certificate=certificate))


def begin_from(request: TenantRequest, kind: Kind, *, certificate: UUID | None = None, profile: str = "") -> str:
    """Begin, or go on with what was begun before; return the address of the first open step."""
    with acting_for(request.tenant.pk, person=request.person.pk):
        draft = begun_from(request, kind, certificate=certificate, profile=profile)
        return step_url(request.tenant.slug, draft, Flow(draft, STEPS))


def begun_from(
    request: TenantRequest, kind: Kind, *, certificate: UUID | None = None, profile: str = ""
) -> CertificateRequest:
    """Begin, or go on with what was begun before, in the caller's unit of work."""
    person = request.person.pk
    if certificate is None:
        return services.begin_from_profile(profile, kind, by=person)
    _must_own(certificate, person)
    return services.begin_from_certificate(certificate, kind, by=person)


def _must_own(certificate: UUID, person: UUID) -> None:
    if not Certificate.objects.filter(pk=certificate, owner=person).exists():
        raise NotHere


def step_url(tenant: str, draft: CertificateRequest, flow: Flow) -> str:
    """Where the person goes on: the open step, or the last one when all are settled."""
    step = flow.open_step or flow.steps[-1]
    return reverse("request-step", kwargs={"tenant": tenant, "pk": draft.pk, "step": step.slug})
