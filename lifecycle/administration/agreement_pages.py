"""Agreements: the texts that subscribers agree to, in every language and version, and who agreed to which."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from lifecycle.administration import wording
from lifecycle.administration.agreement_forms import LANGUAGES, AcceptanceFilter, AgreementForm
from lifecycle.administration.agreement_reviews import (
    acceptances_of,
    free_slug,
    newest_text,
    review,
    text_of,
    uses,
)
from lifecycle.administration.policy_pages import may_change
from lifecycle.policies import selectors
from lifecycle.policies.errors import AgreementChangedMeanwhile
from lifecycle.policies.models import FALLBACK, AgreementAcceptance, SubscriberAgreement
from lifecycle.policies.services import publish_agreement
from lifecycle.requests.models import CertificateRequest
from lifecycle.wizards.presentation import names_of
from portal.foundation.errors import Refusal
from portal.foundation.lists import tables
from portal.foundation.lists.paging import page_of
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.middleware import TenantRequest

UNPROCESSABLE = 422
MOST_EXPORTED = 10_000


@dataclass(frozen=True, slots=True)
class AgreementRow:
    slug: str
    title: str
    languages: str
    used_by: int
    changed_at: datetime


def agreement_list(request: TenantRequest) -> HttpResponse:
    with acting_for(request.tenant.pk):
        titles, asked_by = selectors.agreement_titles(), uses()
        texts: dict[str, list[SubscriberAgreement]] = {}
        for text in selectors.agreements_in_force():
            texts.setdefault(text.slug, []).append(text)
        rows = [
            AgreementRow(
                slug,
                titles[slug],
                wording.in_a_row(LANGUAGES.get(text.language, text.language) for text in found),
                len(asked_by.get(slug, ())),
                max(text.made_at for text in found),
            )
            for slug, found in texts.items()
        ]
        rows.sort(key=lambda row: row.title)
        return render(request, "administration/agreements.html", {"rows": rows, "may_change": may_change(request)})


@dataclass(frozen=True, slots=True)
class VersionRow:
    agreement: SubscriberAgreement
    language: Any
    by: str
    in_force: bool


def agreement_page(request: TenantRequest, agreement: str) -> HttpResponse:
    """One agreement: its languages, its versions, and the policies that ask for it."""
    with acting_for(request.tenant.pk):
        texts = list(SubscriberAgreement.objects.filter(slug=agreement).order_by("-made_at", "-version"))
        if not texts:
            raise NotHere
        newest = {text.language: text.pk for text in sorted(texts, key=lambda text: text.version)}
        people = names_of(text.made_by for text in texts)
        there = set(newest)
        context = {
            "slug": agreement,
            "title": selectors.agreement_titles()[agreement],
            "versions": [
                VersionRow(
                    text,
                    LANGUAGES.get(text.language, text.language),
                    people.get(text.made_by) or _("the portal itself"),
                    newest[text.language] == text.pk,
                )
                for text in texts
            ],
            "uses": [
                (profile, wording.OPERATIONS[operation].title)
                for profile, operation in sorted(uses().get(agreement, set()))
            ],
            "change_links": [
                (_address(request, agreement, code), LANGUAGES.get(code, code), code in there)
                for code in dict.fromkeys([*LANGUAGES, *sorted(there)])
            ],
            "primary_url": _address(request, agreement, FALLBACK if FALLBACK in there else min(there)),
            "may_change": may_change(request),
        }
        return render(request, "administration/agreement.html", context)


def _address(request: TenantRequest, agreement: str, language: str) -> str:
    where = {"tenant": request.tenant.slug, "agreement": agreement, "language": language}
    return reverse("agreement-change", kwargs=where)


def agreement_version(request: TenantRequest, agreement: str, language: str, version: int) -> HttpResponse:
    """One version's text, and who accepted it when for which request."""
    with acting_for(request.tenant.pk):
        text = text_of(agreement, language, version)
        form = AcceptanceFilter(request.GET)
        wanted = form.cleaned_data["q"].strip() if form.is_valid() else ""
        page = page_of(acceptances_of(text, wanted), by="at", descending=True, asked=request.GET)
        context = {
            "text": text,
            "in_language": LANGUAGES.get(language, language),
            "filter_form": AcceptanceFilter(request.GET or None),
            "filters": [{"param": "q", "label": _("Person or request"), "value": wanted}] if wanted else [],
            "searched": bool(wanted),
            "acceptances": _accepted(page.rows),
            "pages": page,
        }
        return render(request, "administration/agreement_version.html", context)


def agreement_acceptances(request: TenantRequest, agreement: str, language: str, version: int) -> HttpResponse:
    """The same list as CSV, narrowed alike; at most `MOST_EXPORTED` rows, and the last line says so."""
    with acting_for(request.tenant.pk):
        text = text_of(agreement, language, version)
        form = AcceptanceFilter(request.GET)
        wanted = form.cleaned_data["q"].strip() if form.is_valid() else ""
        found = list(acceptances_of(text, wanted).order_by("-at", "-pk")[: MOST_EXPORTED + 1])
        rows = [
            [row.person, row.number, row.accepted.version, row.accepted.language, row.accepted.at.isoformat()]
            for row in _accepted(found[:MOST_EXPORTED])
        ]
    head = [_("Person"), _("Request"), _("Version"), _("Language"), _("Accepted")]
    return tables.as_file("acceptances.csv", head, rows, cut=len(found) > MOST_EXPORTED)


@dataclass(frozen=True, slots=True)
class Accepted:
    accepted: AgreementAcceptance
    person: str
    number: str


def _accepted(rows: list[AgreementAcceptance]) -> list[Accepted]:
    people = names_of(row.person_id for row in rows)
    requests = CertificateRequest.objects.filter(pk__in=[row.certificate_request for row in rows])
    numbers: dict[UUID, str] = dict(requests.values_list("pk", "number"))
    return [Accepted(row, people.get(str(row.person_id), ""), numbers.get(row.certificate_request, "")) for row in rows]


def agreement_new(request: TenantRequest) -> HttpResponse:
    """Another agreement, first in English: the language that everybody falls back to."""
    return _Writing(request, slug="", language=FALLBACK).answer()


def agreement_change(request: TenantRequest, agreement: str, language: str) -> HttpResponse:
    """The next version in one language, or the first one in a further language."""
    with acting_for(request.tenant.pk):
        texts = SubscriberAgreement.objects.filter(slug=agreement)
        languages = set(texts.values_list("language", flat=True))
        if not languages or language not in {*LANGUAGES, *languages}:
            raise NotHere
    return _Writing(request, slug=agreement, language=language).answer()


@dataclass
class _Writing:
    """The text, its preview, and publishing it."""

    request: TenantRequest
    slug: str
    language: str
    before: SubscriberAgreement | None = None
    form: AgreementForm = field(init=False)

    def answer(self) -> HttpResponse:
        try:
            with acting_for(self.request.tenant.pk):
                self._read()
                if self.request.method != "POST":
                    return self._shown()
                if not self.form.is_valid() or "edit" in self.request.POST:
                    return self._shown(status=200 if self.form.is_valid() else UNPROCESSABLE)
                if "publish" not in self.request.POST:
                    return self._reviewed()
                published = self._published()
        except Refusal as refusal:
            with acting_for(self.request.tenant.pk):
                self._read()
                if isinstance(refusal, AgreementChangedMeanwhile):
                    self._take_up()
                self.form.is_valid()
                return self._shown(refusal=refusal, status=refusal.status)
        messages.success(
            self.request,
            _("Published: {title}, version {number}.").format(title=published.title, number=published.version),
        )
        return redirect("agreement-page", tenant=self.request.tenant.slug, agreement=published.slug)

    def _read(self) -> None:
        self.before = newest_text(self.slug, self.language) if self.slug else None
        self.form = AgreementForm(
            self.request.POST if self.request.method == "POST" else None,
            title=self.before.title if self.before else "",
            text=self.before.text if self.before else "",
            version=self.before.version if self.before else 0,
        )

    def _take_up(self) -> None:
        """Let what was written stand, as a change of the version that somebody else published meanwhile."""
        data = self.request.POST.copy()
        data["seen"] = str(self.before.version if self.before else 0)
        self.form = AgreementForm(data)

    def _published(self) -> SubscriberAgreement:
        given = self.form.cleaned_data
        return publish_agreement(
            slug=self.slug or free_slug(given["title"]),
            language=self.language,
            title=given["title"],
            text=given["text"],
            seen=given["seen"] or 0,
            by=self.request.person.pk,
        )

    def _shown(self, *, refusal: Refusal | None = None, status: int = 200) -> HttpResponse:
        context = {
            "slug": self.slug,
            "in_language": LANGUAGES.get(self.language, self.language),
            "before": self.before,
            "overtaken": isinstance(refusal, AgreementChangedMeanwhile),
            "form": self.form,
            "refusal": refusal,
        }
        return render(self.request, "administration/agreement_change.html", context, status=status)

    def _reviewed(self) -> HttpResponse:
        """The text as subscribers will read it, what is different, and who has to agree anew; nothing is published."""
        given = self.form.cleaned_data
        found = review(self.slug, before=self.before, title=given["title"], text=given["text"], seen=given["seen"] or 0)
        context = {
            "slug": self.slug,
            "in_language": LANGUAGES.get(self.language, self.language),
            "before": self.before,
            "form": self.form,
            "title": found.title,
            "text": found.text,
            "lines": found.lines,
            "too_long": found.too_long,
            "reached": found.reached,
            "posted": [(name, self.request.POST.get(name, "")) for name in self.form.fields],
        }
        return render(self.request, "administration/agreement_review.html", context)
