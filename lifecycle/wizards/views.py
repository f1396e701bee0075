"""One view for every step of every wizard."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from auth2fa import challenges
from lifecycle.requests import services
from lifecycle.requests.models import CertificateRequest
from lifecycle.wizards import presentation as shown
from lifecycle.wizards.answering import (
    ask_for_code,
    draft_of,
    have_looked_up,
    keep,
    person_of,
    step_of,
    to_be_proven,
)
from lifecycle.wizards.checking import confirm_context
from lifecycle.wizards.confirming import code_url, page_url, step_url, submitted
from lifecycle.wizards.domains import DomainsForm
from lifecycle.wizards.flow import Flow, Step, StepForm, as_posted
from lifecycle.wizards.leaving import leave_out
from lifecycle.wizards.steps import STEPS
from portal.foundation.access.permissions import Permission
from portal.foundation.errors import Refusal
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.middleware import TenantRequest

UNPROCESSABLE = 422


def request_step(request: TenantRequest, pk: UUID, step: str) -> HttpResponse:
    """Show a step or take its answer; whoever is ahead of the open step lands on the open step."""
    with acting_for(request.tenant.pk, person=request.person.pk):
        draft = draft_of(request, pk)
        if not draft.is_draft:
            return redirect(page_url(request, pk))
        flow, here = step_of(draft, step)
        if here.slug != step:
            return redirect(step_url(request, pk, here))
        if request.method != "POST":
            answer = draft.answers.get(here.slug)
            form = here.form(draft=draft, initial=dict(answer or {}))
            return render(request, "wizard/step.html", _step_context(request, flow, here, form))
        form = here.form(request.POST, request.FILES, draft=draft)
        if not form.is_valid():
            context = _step_context(request, flow, here, form)
            return render(request, "wizard/step.html", context, status=UNPROCESSABLE)
        keep(draft, here, form)
        following = flow.after(here)
    return redirect(step_url(request, pk, following)) if following else _confirmed(request, pk)


def _confirmed(request: TenantRequest, pk: UUID) -> HttpResponse:
    """All is answered: ask for the second factor where the policy does, or submit at once (0.R31)."""
    with acting_for(request.tenant.pk, person=request.person.pk):
        draft = draft_of(request, pk)
        if not draft.is_draft:
            return redirect(page_url(request, pk))
        if left := Flow(draft, STEPS).open_step:
            return redirect(step_url(request, pk, left))
        if not draft.policy.factor:
            services.submit(draft, by=request.person.pk, challenge=None)
            return redirect(page_url(request, pk))
    try:
        challenge = ask_for_code(request, draft)
    except Refusal as refusal:
        return _not_asked(request, pk, refusal)
    return submitted(request, pk) if challenge.answered_at else redirect(code_url(request, pk))


def _not_asked(request: TenantRequest, pk: UUID, refusal: Refusal) -> HttpResponse:
    """The last step again, complete as it is, with what stood in the way of the code."""
    with acting_for(request.tenant.pk, person=request.person.pk):
        flow = Flow(draft_of(request, pk), STEPS)
        last = flow.steps[-1]
        form = last.form(as_posted(flow.draft.answers[last.slug]), draft=flow.draft)
        context = {**_step_context(request, flow, last, form), "refusal": refusal}
        return render(request, "wizard/step.html", context, status=refusal.status)


def request_discard(request: TenantRequest, pk: UUID) -> HttpResponse:
    """Give a draft up."""
    with acting_for(request.tenant.pk, person=request.person.pk):
        draft_of(request, pk)
        services.withdraw(pk, by=request.person.pk)
    return redirect(page_url(request, pk))


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
        "back_url": step_url(request, draft.pk, before) if before else None,
        "button": draft.meaning.title if last else None,
        "primary_why": _why(request, draft) if last else "",
        "discard_url": reverse("request-discard", kwargs={"tenant": request.tenant.slug, "pk": draft.pk}),
        **(confirm_context(draft, step_url(request, draft.pk, flow.steps[-2])) if last else {}),
        "accepted_keys": getattr(form, "accepted", None),
        "set_up": _set_up(request, draft, here),
        **(_domains(request, form) if isinstance(form, DomainsForm) else {}),
    }


def _domains(request: TenantRequest, form: DomainsForm) -> dict[str, Any]:
    kwargs = {"tenant": request.tenant.slug, "pk": form.draft.pk}
    return {
        "verify_url": reverse("request-verify", kwargs=kwargs),
        "prove_url": reverse("request-prove", kwargs=kwargs),
        "leave_out_url": reverse("request-leave-out", kwargs=kwargs),
        "may_prove": Permission.DOMAIN_MANAGE in request.seat.permissions,
        "here_url": reverse("request-step", kwargs={**kwargs, "step": "domains"}),
        "poll_seconds": form.poll_seconds,
        "not_yet": form.why_not,
        "button": "" if form.why_not else None,
    }


def request_verify(request: TenantRequest, pk: UUID) -> HttpResponse:
    """Have names looked up: the one whose button was pressed, or all that are not verified (0.R26)."""
    with acting_for(request.tenant.pk, person=request.person.pk):
        draft = draft_of(request, pk)
        if not draft.is_draft:
            return redirect(page_url(request, pk))
        _flow, here = step_of(draft, "domains")
        if here.slug == "domains":
            have_looked_up(draft, request.POST.getlist("name"), by=request.person.pk)
    return redirect(step_url(request, pk, here))


def request_leave_out(request: TenantRequest, pk: UUID) -> HttpResponse:
    """Take one name out of the draft; what is known of the others stays."""
    with acting_for(request.tenant.pk, person=request.person.pk):
        draft = draft_of(request, pk)
        if not draft.is_draft:
            return redirect(page_url(request, pk))
        _flow, here = step_of(draft, "domains")
        if here.slug == "domains":
            leave_out(draft, request.POST.get("name", ""))
    return redirect(step_url(request, pk, here))


def request_prove(request: TenantRequest, pk: UUID) -> HttpResponse:
    """Open the page where a domain of the draft's is proven, which leads back here; put it into the ledger before."""
    with acting_for(request.tenant.pk, person=request.person.pk):
        draft = draft_of(request, pk)
        if not draft.is_draft:
            return redirect(page_url(request, pk))
        _flow, here = step_of(draft, "domains")
        back = step_url(request, pk, here)
        if here.slug != "domains":
            return redirect(back)
        domain = to_be_proven(draft, request.POST.get("domain", ""), by=request.person.pk)
    page = reverse("domain-page", kwargs={"tenant": request.tenant.slug, "pk": domain.pk})
    return redirect(f"{page}?{urlencode({'next': back})}")


def _set_up(request: TenantRequest, draft: CertificateRequest, here: Step) -> dict[str, Any] | None:
    """What is missing for the second factor at the end, said before any work is put into the draft."""
    if not draft.policy.factor or not (missing := challenges.lacking(draft.policy.factor, person_of(request))):
        return None
    back = urlencode({"next": step_url(request, draft.pk, here)})
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
