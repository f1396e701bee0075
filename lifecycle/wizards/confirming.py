"""The authentication window: the second factor at the end of a wizard."""

from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from auth2fa import challenges
from auth2fa.errors import ChallengeOver, WrongAnswer
from lifecycle.requests.models import CertificateRequest
from lifecycle.wizards import presentation as shown
from lifecycle.wizards.answering import ask_for_code, draft_of, person_of, submit
from lifecycle.wizards.flow import Flow, Step
from lifecycle.wizards.steps import STEPS
from portal.foundation.errors import Refusal
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.middleware import TenantRequest

UNPROCESSABLE = 422


class CodeForm(forms.Form):
    code = forms.CharField(
        label=gettext_lazy("Code"),
        help_text=gettext_lazy("Spaces do no harm."),
        max_length=40,
        widget=forms.TextInput(
            attrs={
                "class": "code-field",
                "inputmode": "numeric",
                "autocomplete": "one-time-code",
                "spellcheck": "false",
            }
        ),
        error_messages={"required": gettext_lazy("Enter the code.")},
    )


def request_code(request: TenantRequest, pk: UUID) -> HttpResponse:
    """The authentication window (0.R32).  What it accepts submits the request at once; nothing else does (0.R33)."""
    with acting_for(request.tenant.pk, person=request.person.pk):
        draft = draft_of(request, pk)
        flow = Flow(draft, STEPS) if draft.is_draft else None
        asked = draft.challenge
        if flow is None or flow.open_step or not draft.policy.factor or asked is None:
            return redirect(
                page_url(request, pk) if flow is None else step_url(request, pk, flow.open_step or flow.steps[-1])
            )
    if request.method == "POST" and "resend" in request.POST:
        return _resend(request, draft, flow, asked)
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            challenges.answer(asked, person_of(request), {"code": form.cleaned_data["code"]})
            return submitted(request, pk)
        except WrongAnswer as wrong:
            form.add_error("code", f"{wrong} {wrong.advice}".strip())
        except ChallengeOver as over:
            return _submitted_by_a_twin(request, pk) or _code_page(
                request, draft, flow, asked, CodeForm(), refusal=over
            )
    return _code_page(request, draft, flow, asked, form)


def _submitted_by_a_twin(request: TenantRequest, pk: UUID) -> HttpResponse | None:
    """Of two presses at the same moment the code answers one; the other one shows what came of it, too."""
    try:
        return submitted(request, pk)
    except ChallengeOver:
        return None


def _resend(request: TenantRequest, draft: CertificateRequest, flow: Flow, asked: UUID) -> HttpResponse:
    try:
        if ask_for_code(request, draft).pk == asked:  # the question stands, so its code is wanted once more
            challenges.resend(asked, person_of(request))
    except Refusal as refusal:
        return _code_page(request, draft, flow, asked, CodeForm(), refusal=refusal)
    return redirect(code_url(request, draft.pk))


def _code_page(
    request: TenantRequest,
    draft: CertificateRequest,
    flow: Flow,
    asked: UUID,
    form: forms.Form,
    refusal: Refusal | None = None,
) -> HttpResponse:
    last = flow.steps[-1]
    window = challenges.shown(asked, person_of(request), deed=shown.title_of(draft), number=draft.number)
    form["code"].label = _("{digits}-digit code").format(digits=window.digits)
    context = {
        "title": shown.title_of(draft),
        "rail": flow.rail(last),
        "back_url": step_url(request, draft.pk, last),
        "button": _("Confirm: {deed}").format(deed=draft.meaning.title),
        "form": form,
        "prompt": window,
        "refusal": refusal,
    }
    wrong = form.is_bound or refusal is not None
    with acting_for(request.tenant.pk):  # the frame lists the tenant's product areas
        return render(request, "wizard/second_factor.html", context, status=UNPROCESSABLE if wrong else 200)


def submitted(request: TenantRequest, pk: UUID) -> HttpResponse:
    """Submit, and show the request's page."""
    submit(request, pk)
    request.session.cycle_key()
    return redirect(page_url(request, pk))


def step_url(request: TenantRequest, pk: UUID, step: Step) -> str:
    return reverse("request-step", kwargs={"tenant": request.tenant.slug, "pk": pk, "step": step.slug})


def code_url(request: TenantRequest, pk: UUID) -> str:
    return reverse("request-code", kwargs={"tenant": request.tenant.slug, "pk": pk})


def page_url(request: TenantRequest, pk: UUID) -> str:
    return reverse("request-page", kwargs={"tenant": request.tenant.slug, "pk": pk})
