"""Promised work that waits, is tried again, or was parked for the operator."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db import models
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from lifecycle.wizards.presentation import Chip
from portal.foundation import clock
from portal.foundation.lists.paging import page_of
from portal.foundation.outbox import services
from portal.foundation.outbox.models import Errand
from portal.foundation.outbox.registry import QUEUES
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.middleware import TenantRequest
from portal.foundation.tenancy.models import PLATFORM, Tenant
from portal.web.platform.overview import TITLES

Text = str | Promise


@dataclass(frozen=True, slots=True)
class Work:
    """What an errand's task is for people, and why it cannot simply be given up, where it cannot."""

    title: Text
    must_be_done: Text = ""


_A_REQUEST_WAITS = gettext_lazy(
    "A request waits for it. Mend what stands in its way and try again, or let its requester withdraw it."
)
_PROMISED = gettext_lazy("What it does was promised to everybody who trusts these certificates.")

WORK: Mapping[str, Work] = {
    "lifecycle.requests.tasks.execute_request": Work(gettext_lazy("Sign a certificate"), _A_REQUEST_WAITS),
    "lifecycle.requests.tasks.look_again": Work(gettext_lazy("Check names again before signing"), _A_REQUEST_WAITS),
    "lifecycle.requests.tasks.revoke_compromised": Work(gettext_lazy("Revoke a compromised certificate"), _PROMISED),
    "lifecycle.requests.notices.send_notice": Work(gettext_lazy("Tell a person what became of a request")),
    "lifecycle.validation.tasks.look": Work(gettext_lazy("Look up CAA records")),
    "lifecycle.validation.contacts.find_contacts": Work(gettext_lazy("Find out whom the DNS names for a domain")),
    "lifecycle.validation.contacts.send_approval": Work(gettext_lazy("Send the mail that proves a domain")),
    "lifecycle.validation.proving.prove": Work(gettext_lazy("Look for the proof of a domain")),
    "lifecycle.validation.reproving.renew": Work(gettext_lazy("Begin to prove domains again in time")),
    "lifecycle.validation.warning.tell_people": Work(gettext_lazy("Tell people what became of a proof")),
    "lifecycle.validation.warning.tell_person": Work(gettext_lazy("Tell a person what became of a proof")),
    "lifecycle.validation.warning.warn": Work(gettext_lazy("Find out whose proofs end soon")),
    "lifecycle.validation.warning.warn_person": Work(gettext_lazy("Tell a person whose proofs end soon")),
    "lifecycle.validation.tasks.survey": Work(gettext_lazy("Look up CAA records for the adviser")),
    "lifecycle.validation.publishing.outcomes.fell_back": Work(gettext_lazy("Leave a domain's proof to people")),
    "lifecycle.validation.publishing.outcomes.published": Work(gettext_lazy("Look for a proof that was published")),
    "lifecycle.validation.publishing.tasks.publish": Work(gettext_lazy("Publish the proof of a domain")),
    "lifecycle.validation.publishing.tasks.try_way": Work(gettext_lazy("Try a way to publish")),
    "lifecycle.validation.publishing.tasks.withdraw": Work(gettext_lazy("Withdraw the proof of a domain")),
    "portal.foundation.access.tasks.send_invitation": Work(gettext_lazy("Send an invitation")),
    "portal.foundation.access.tasks.tell_of_look": Work(gettext_lazy("Tell an administrator of an operator's look")),
    "auth2fa.tasks.tell": Work(gettext_lazy("Tell a person what happened to their account")),
    "auth2fa.tasks.warn_of_end": Work(gettext_lazy("Tell a person that their token ends soon")),
    "auth2fa.tasks.send_reset": Work(gettext_lazy("Send a link for a new password")),
    "portal.notary.tasks.sign_chain": Work(gettext_lazy("Sign a checkpoint of a journal"), _PROMISED),
    "portal.notary.tasks.verify_chain": Work(gettext_lazy("Verify a journal")),
    "portal.notary.tasks.compare_chain": Work(gettext_lazy("Compare a journal with what is kept of it elsewhere")),
}
"""A task without a row is shown by its name and cannot be given up; a test sees to the rows."""


class Waiting(models.TextChoices):
    PARKED = "parked", gettext_lazy("Parked")
    OPEN = "open", gettext_lazy("Waiting")


class ErrandFilter(forms.Form):
    state = forms.ChoiceField(
        label=gettext_lazy("State"), required=False, choices=[("", gettext_lazy("Any")), *Waiting.choices]
    )
    queue = forms.ChoiceField(
        label=gettext_lazy("Queue"),
        required=False,
        choices=[("", gettext_lazy("Any")), *((name, TITLES[name]) for name in QUEUES)],
    )


def errand_list(request: TenantRequest) -> HttpResponse:
    """Everything that was promised and is not done, the newest first; parked work can be narrowed to."""
    state, queue = request.GET.get("state", ""), request.GET.get("queue", "")
    found = Errand.objects.filter(done_at=None)
    if state in Waiting.values:
        found = found.filter(parked_at__isnull=state != Waiting.PARKED)
    if queue in QUEUES:
        found = found.filter(queue=queue)
    with acting_for(PLATFORM):
        page = page_of(found, by="pk", descending=True, asked=request.GET)
        tenants = {tenant.pk: tenant for tenant in Tenant.objects.filter(pk__in={row.tenant_id for row in page.rows})}
        filters = [
            {"param": param, "label": label, "value": value}
            for param, label, value in (
                ("state", _("State"), dict(Waiting.choices).get(state)),
                ("queue", _("Queue"), TITLES[queue] if queue in QUEUES else None),
            )
            if value
        ]
        context = {
            "errands": [_shown(row, tenants) for row in page.rows],
            "pages": page,
            "filters": filters,
            "filter_form": ErrandFilter(request.GET or None),
        }
        return render(request, "platform/errands.html", context)


def work_of(errand: Errand) -> Work:
    return WORK.get(errand.task) or Work(errand.task, gettext_lazy("Nobody knows what would be lost."))


def _shown(errand: Errand, tenants: Mapping[UUID, Tenant]) -> dict[str, Any]:
    tenant = tenants.get(errand.tenant_id)
    return {
        "pk": errand.pk,
        "title": work_of(errand).title,
        "tenant": tenant,
        "tries": errand.tries,
        "due_at": errand.due_at,
        "last_error": errand.last_error,
        "status": Chip("bad", Waiting.PARKED.label) if errand.parked_at else Chip("busy", Waiting.OPEN.label),
        "parked": errand.parked_at is not None,
    }


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 3}), required=True
    )


def _again(request: TenantRequest, errand: Errand) -> HttpResponse:
    if "all" in request.POST:
        count = services.try_all_again(errand.task, by=request.person.pk)
    else:
        services.try_again(errand, by=request.person.pk)
        count = 1
    said = ngettext("{count} errand is tried again now.", "{count} errands are tried again now.", count)
    messages.success(request, said.format(count=count))
    return redirect("platform-errands")


def errand_deed(request: TenantRequest, pk: UUID, deed: str) -> HttpResponse:
    """Try a parked errand again, or give it up where nobody waits for what it does."""
    errand = Errand.objects.filter(pk=pk, done_at=None, parked_at__isnull=False).first()
    if errand is None or deed not in {"again", "give-up"}:
        raise NotHere
    work = work_of(errand)
    if deed == "again":
        if request.method == "POST":
            return _again(request, errand)
        form: forms.Form = forms.Form()
    else:
        form = ReasonForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and not work.must_be_done and form.is_valid():
            services.give_up(errand, form.cleaned_data["reason"], by=request.person.pk)
            messages.info(request, _("It was given up and is not tried again."))
            return redirect("platform-errands")
    alike = Errand.objects.filter(task=errand.task, done_at=None, parked_at__isnull=False)
    context = {
        "work": work,
        "errand": errand,
        "alike": alike[: services.MOST_AT_ONCE].count() if deed == "again" else 1,
        "deed": deed,
        "form": form,
        "refused": work.must_be_done if deed == "give-up" else "",
        "since": clock.now() - errand.parked_at if errand.parked_at else None,
    }
    with acting_for(PLATFORM):
        return render(request, "platform/errand.html", context, status=422 if request.method == "POST" else 200)
