"""One view for every step of every wizard, and one for the second factor at its end.

A step is read and answered in one unit of work.  The second factor talks to a mail
server, so it stands between units; what it accepted is spent in the unit of work that
submits the request, for exactly what the request says then.
"""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from auth2fa import challenges
from auth2fa.errors import ChallengeOver, WrongAnswer
from auth2fa.models import Challenge
from auth2fa.protocol import Person
from lifecycle.requests import services
from lifecycle.requests.looks import identities_of
from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.orders import names_to_check
from lifecycle.validation.services import ask
from lifecycle.wizards import presentation as shown
from lifecycle.wizards.checking import about, confirm_context
from lifecycle.wizards.domains import DomainsForm
from lifecycle.wizards.flow import Flow, Step, StepForm, as_posted
from lifecycle.wizards.sight import requests_visible_to
from lifecycle.wizards.steps import STEPS
from portal.foundation.errors import Refusal
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.middleware import TenantRequest

UNPROCESSABLE = 422


def request_step(request: TenantRequest, pk: UUID, step: str) -> HttpResponse:
    """Show a step or take its answer; whoever is ahead of the open step lands on the open step."""
    with acting_for(request.tenant.pk, person=request.person.pk):
        draft = _draft(request, pk)
        if not draft.is_draft:
            return redirect(_page(request, pk))
        flow = Flow(draft, STEPS)
        try:
            here = flow.reach(step)
        except LookupError:
            raise NotHere from None
        if here.slug != step:
            return redirect(_step(request, pk, here))
        if request.method != "POST":
            answer = draft.answers.get(here.slug)
            form = here.form(draft=draft, initial=dict(answer or {}))
            return render(request, "wizard/step.html", _step_context(request, flow, here, form))
        form = here.form(request.POST, request.FILES, draft=draft)
        if not form.is_valid():
            context = _step_context(request, flow, here, form)
            return render(request, "wizard/step.html", context, status=UNPROCESSABLE)
        services.keep_answer(draft, here.slug, form.plain_answers())
        following = flow.after(here)
    return redirect(_step(request, pk, following)) if following else _confirmed(request, pk)


def _draft(request: TenantRequest, pk: UUID) -> CertificateRequest:
    """Lock the draft for its owner; whoever may not even read it is told that it is not there."""
    if not CertificateRequest.objects.filter(pk=pk, **requests_visible_to(request)).exists():
        raise NotHere
    return services.draft_for(pk, by=request.person.pk)


def _confirmed(request: TenantRequest, pk: UUID) -> HttpResponse:
    """All is answered: ask for the second factor where the policy does, or submit at once (0.R31)."""
    with acting_for(request.tenant.pk, person=request.person.pk):
        draft = _draft(request, pk)
        if not draft.is_draft:
            return redirect(_page(request, pk))
        if left := Flow(draft, STEPS).open_step:
            return redirect(_step(request, pk, left))
        if not draft.policy.factor:
            services.submit(draft, by=request.person.pk, challenge=None)
            return redirect(_page(request, pk))
    try:
        challenge = _ask(request, draft)
    except Refusal as refusal:
        return _not_asked(request, pk, refusal)
    return _submit(request, pk) if challenge.answered_at else redirect(_code(request, pk))


def _not_asked(request: TenantRequest, pk: UUID, refusal: Refusal) -> HttpResponse:
    """The last step again, complete as it is, with what stood in the way of the code."""
    with acting_for(request.tenant.pk, person=request.person.pk):
        flow = Flow(_draft(request, pk), STEPS)
        last = flow.steps[-1]
        form = last.form(as_posted(flow.draft.answers[last.slug]), draft=flow.draft)
        context = {**_step_context(request, flow, last, form), "refusal": refusal}
        return render(request, "wizard/step.html", context, status=refusal.status)


def _ask(request: TenantRequest, draft: CertificateRequest) -> Challenge:
    """Send a code for what the draft says now, unless one is under way for just that; return the question."""
    person = person_of(request)
    challenge = challenges.ask(
        draft.policy.factor,
        person=person,
        tenant=request.tenant.pk,
        purpose=draft.purpose,
        payload=draft.digest(),
        about=about(draft),
        settings=draft.policy.factor_settings,
    )
    with acting_for(request.tenant.pk, person=request.person.pk):
        services.keep_challenge(draft.pk, challenge.pk, by=request.person.pk)
    return challenge


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
        draft = _draft(request, pk)
        flow = Flow(draft, STEPS) if draft.is_draft else None
        asked = draft.challenge
        if flow is None or flow.open_step or not draft.policy.factor or asked is None:
            return redirect(
                _page(request, pk) if flow is None else _step(request, pk, flow.open_step or flow.steps[-1])
            )
    if request.method == "POST" and "resend" in request.POST:
        return _resend(request, draft, flow, asked)
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            challenges.answer(asked, person_of(request), {"code": form.cleaned_data["code"]})
            return _submit(request, pk)
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
        return _submit(request, pk)
    except ChallengeOver:
        return None


def _submit(request: TenantRequest, pk: UUID) -> HttpResponse:
    with acting_for(request.tenant.pk, person=request.person.pk):
        draft = _draft(request, pk)
        if draft.is_draft:  # a second click finds it submitted and shows the same page
            services.submit(draft, by=request.person.pk, challenge=draft.challenge)
    request.session.cycle_key()
    return redirect(_page(request, pk))


def _resend(request: TenantRequest, draft: CertificateRequest, flow: Flow, asked: UUID) -> HttpResponse:
    try:
        if _ask(request, draft).pk == asked:  # the question stands, so its code is wanted once more
            challenges.resend(asked, person_of(request))
    except Refusal as refusal:
        return _code_page(request, draft, flow, asked, CodeForm(), refusal=refusal)
    return redirect(_code(request, draft.pk))


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
        "back_url": _step(request, draft.pk, last),
        "button": _("Confirm: {deed}").format(deed=draft.meaning.title),
        "form": form,
        "prompt": window,
        "refusal": refusal,
    }
    wrong = form.is_bound or refusal is not None
    with acting_for(request.tenant.pk):  # the frame lists the tenant's product areas
        return render(request, "wizard/second_factor.html", context, status=UNPROCESSABLE if wrong else 200)


def request_discard(request: TenantRequest, pk: UUID) -> HttpResponse:
    """Give a draft up."""
    with acting_for(request.tenant.pk, person=request.person.pk):
        _draft(request, pk)
        services.withdraw(pk, by=request.person.pk)
    return redirect(_page(request, pk))


def person_of(request: TenantRequest) -> Person:
    return Person(id=request.person.pk, name=request.person.name, email=request.person.email)


def _step_context(request: TenantRequest, flow: Flow, here: Step, form: StepForm) -> dict[str, Any]:
    before, last = flow.before(here), flow.after(here) is None
    draft = flow.draft
    return {
        "title": shown.title_of(draft),
        "rail": flow.rail(here),
        "step": here,
        "body": here.body,
        "heading": form.heading or here.heading,
        "lead": form.lead or here.lead,
        "form": form,
        "back_url": _step(request, draft.pk, before) if before else None,
        "button": draft.meaning.title if last else None,
        "primary_why": _why(request, draft) if last else "",
        "discard_url": reverse("request-discard", kwargs={"tenant": request.tenant.slug, "pk": draft.pk}),
        **(confirm_context(draft, _step(request, draft.pk, flow.steps[-2])) if last else {}),
        "accepted_keys": getattr(form, "accepted", None),
        "set_up": _set_up(request, draft, here),
        **(_domains(request, form) if isinstance(form, DomainsForm) else {}),
    }


def _domains(request: TenantRequest, form: DomainsForm) -> dict[str, Any]:
    kwargs = {"tenant": request.tenant.slug, "pk": form.draft.pk}
    return {
        "verify_url": reverse("request-verify", kwargs=kwargs),
        "here_url": reverse("request-step", kwargs={**kwargs, "step": "domains"}),
        "poll_seconds": form.poll_seconds,
        "not_yet": form.why_not,
        "button": "" if form.why_not else None,
    }


def request_verify(request: TenantRequest, pk: UUID) -> HttpResponse:
    """Have names looked up: the one whose button was pressed, or all that are not verified (0.R26)."""
    with acting_for(request.tenant.pk, person=request.person.pk):
        draft = _draft(request, pk)
        if not draft.is_draft:
            return redirect(_page(request, pk))
        try:
            here = Flow(draft, STEPS).reach("domains")
        except LookupError:
            raise NotHere from None
        if here.slug == "domains":
            names = names_to_check(draft)
            pressed = [name for name in names if name in request.POST.getlist("name")]
            ask(pressed or names, identities_of(draft), by=request.person.pk, about=draft.pk)
    return redirect(_step(request, pk, here))


def _set_up(request: TenantRequest, draft: CertificateRequest, here: Step) -> dict[str, Any] | None:
    """What is missing for the second factor at the end, said before any work is put into the draft."""
    if not draft.policy.factor or not (missing := challenges.lacking(draft.policy.factor, person_of(request))):
        return None
    back = urlencode({"next": _step(request, draft.pk, here)})
    return {
        "tone": "watch",
        "icon": "watch",
        "title": str(missing),
        "text": missing.advice,
        "url": f"{reverse('authenticator-add')}?{back}",
        "word": _("Set up your authenticator"),
    }


def _why(request: TenantRequest, draft: CertificateRequest) -> str:
    after = ngettext(
        "Then {count} reviewer has to approve the request.",
        "Then {count} reviewers have to approve the request.",
        draft.policy.approvals,
    ).format(count=draft.policy.approvals)
    if not draft.policy.factor:
        return after if draft.policy.approvals else _("The certificate is made at once.")
    address = challenges.masked_address(draft.policy.factor, person_of(request))
    if not address:
        after = after if draft.policy.approvals else _("When it is accepted, the certificate is made at once.")
        return _("Next, you enter a code from your authenticator. {after}").format(after=after)
    if draft.policy.approvals:
        return _("Next, a code goes to {address}. {after}").format(address=address, after=after)
    return _("Next, a code goes to {address}. When it is accepted, the certificate is made at once.").format(
        address=address
    )


def _step(request: TenantRequest, pk: UUID, step: Step) -> str:
    return reverse("request-step", kwargs={"tenant": request.tenant.slug, "pk": pk, "step": step.slug})


def _code(request: TenantRequest, pk: UUID) -> str:
    return reverse("request-code", kwargs={"tenant": request.tenant.slug, "pk": pk})


def _page(request: TenantRequest, pk: UUID) -> str:
    return reverse("request-page", kwargs={"tenant": request.tenant.slug, "pk": pk})
