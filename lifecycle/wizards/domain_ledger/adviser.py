"""The CAA adviser: what the DNS says about a name, what that means for each profile, and what other records would mean.

The web service asks no DNS: a survey is promised to the validation worker, and its page waits for it.
"""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lifecycle.authorities.models import CertificateAuthority
from lifecycle.validation import advice, surveying, surveys
from lifecycle.validation.account import account_uri
from lifecycle.validation.advice import LONGEST_LINE, MOST_LINES
from lifecycle.validation.errors import TooManySurveys, UnreadableLine
from lifecycle.validation.methods import METHODS
from lifecycle.validation.models import CaaSurvey
from lifecycle.wizards.domain_ledger import verdicts
from portal.foundation import clock
from portal.foundation.names import UnusableName, dns_name, mailbox
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.middleware import TenantRequest

STOP_POLLING = 286
"""What htmx takes as "do not ask again"."""

OFTEN = 2  # seconds
RECENT = 10


class NameForm(forms.Form):
    """A host, a wildcard, a mailbox, or `@` and the domain of mailboxes."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=320,
        help_text=gettext_lazy("Such as www.example.com, *.example.com, or @example.com for mailboxes."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
        error_messages={"required": gettext_lazy("Write the name.")},
    )

    def clean_name(self) -> str:
        text = str(self.cleaned_data["name"]).strip()
        try:
            if "@" not in text:
                return dns_name(text)
            domain = text[1:] if text.startswith("@") else mailbox(text).rpartition("@")[2]
            return f"@{dns_name(domain)}"
        except UnusableName as refused:
            raise ValidationError(f"{refused} {refused.advice}".strip()) from None


class WhatIfForm(forms.Form):
    """Records that somebody only thinks of, as a zone file says them."""

    records = forms.CharField(
        label=gettext_lazy("CAA records"),
        required=False,
        strip=False,
        max_length=MOST_LINES * LONGEST_LINE // 10,
        widget=forms.Textarea(attrs={"rows": 5, "class": "input--code", "spellcheck": "false", "autocomplete": "off"}),
        help_text=gettext_lazy(
            "One a line. A line without a name stands for the name above; what you write on a label takes the place of"
            " what is there, and nothing is published."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["records"].one_of_several = True  # type: ignore[attr-defined]  # none at all is a thought, too


def caa_adviser(request: TenantRequest) -> HttpResponse:
    """Ask about a name; how records name this portal; and what was asked lately."""
    form = NameForm(request.POST if request.method == "POST" else None)
    status = HTTPStatus.OK
    if form.is_bound:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        if form.is_valid():
            try:
                with acting_for(request.tenant.pk, person=request.person.pk):
                    survey = surveys.ask(form.cleaned_data["name"], by=request.person.pk)
                return redirect("caa-survey", tenant=request.tenant.slug, pk=survey.pk)
            except TooManySurveys as refused:
                form.add_error("name", f"{refused} {refused.advice}")
                status = refused.status
    with acting_for(request.tenant.pk):
        context = {
            "form": form,
            "account": account_uri(request.tenant),
            "identities": _identities(),
            "labels": [(method.label, method.title) for method in METHODS.values() if method.label],
            "recent": list(CaaSurvey.objects.order_by("-id")[:RECENT]),
        }
        return render(request, "domains/caa.html", context, status=status)


def _identities() -> list[tuple[str, str]]:
    """Every authority with each issuer domain name that permits it; the newest version of each."""
    newest = CertificateAuthority.objects.order_by("slug", "-version").distinct("slug")
    return [(authority.name, identity) for authority in newest for identity in authority.caa_identities]


def survey_of(pk: UUID) -> CaaSurvey:
    found = CaaSurvey.objects.filter(pk=pk).first()
    if found is None:
        raise NotHere
    return found


def caa_survey(request: TenantRequest, pk: UUID) -> HttpResponse:
    """What was found, and what other records would come to where somebody wrote some."""
    with acting_for(request.tenant.pk):
        survey = survey_of(pk)
        context = _found(request, survey)
        form: WhatIfForm = context["form"]
        status = HTTPStatus.OK
        if form.is_bound and survey.answered_at:
            status = HTTPStatus.UNPROCESSABLE_ENTITY
            if form.is_valid():
                try:
                    context["imagined"] = _imagined(request, survey, form.cleaned_data["records"])
                    status = HTTPStatus.OK
                except UnreadableLine as refused:
                    form.add_error("records", f"{refused} {refused.advice}")
        return render(request, "domains/survey.html", context, status=status)


def caa_found(request: TenantRequest, pk: UUID) -> HttpResponse:
    """The part of the page that changes by itself; 286 once it is answered."""
    with acting_for(request.tenant.pk):
        context = {**_found(request, survey_of(pk)), "fragment": True}
        status = STOP_POLLING if context["poll_seconds"] is None else HTTPStatus.OK
        return render(request, "domains/_found.html", context, status=status)


def _found(request: TenantRequest, survey: CaaSurvey) -> dict[str, Any]:
    context: dict[str, Any] = {
        "survey": survey,
        "title": title_of(survey.name),
        "poll_seconds": None if survey.answered_at else OFTEN,
        "form": WhatIfForm(
            request.GET if "records" in request.GET else None, initial={"records": verdicts.as_lines(survey)}
        ),
        "imagined": None,
        "fragment": False,
    }
    if survey.answered_at:
        now = clock.now()
        context |= {
            "levels": verdicts.levels_of(survey),
            "verdicts": verdicts.verdicts_of(request.tenant, survey.name, surveying.found_by(survey), now),
            "only_ours": verdicts.only_ours(request.tenant, survey.name, now),
        }
    return context


def _imagined(request: TenantRequest, survey: CaaSurvey, text: str) -> list[verdicts.Verdict]:
    """The verdicts were those records published.  Raises `UnreadableLine`."""
    found = advice.imagined(survey.name, text, stands=verdicts.stands(survey))
    return verdicts.verdicts_of(request.tenant, survey.name, found, clock.now())


def title_of(name: str) -> str:
    return _("Mail of {domain}").format(domain=name[1:]) if name.startswith("@") else name
