"""Changing policies: one form with two looks, the matrix and the review.

The review says what changes, what that gives up and whom it reaches; it carries the matrix
along, so that nothing is typed twice, and only its own button saves.
"""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from lifecycle.administration import wording
from lifecycle.administration.policy_forms import PolicyForm, factor_reasons
from lifecycle.administration.policy_pages import Version, profile_of, versions_of
from lifecycle.administration.policy_reviews import review, said
from lifecycle.administration.subjects import subject_of
from lifecycle.authorities.models import CertificateProfile
from lifecycle.policies import selectors
from lifecycle.policies.asks import Asks
from lifecycle.policies.errors import PolicyChangedMeanwhile, PolicyUnfit
from lifecycle.policies.models import Policy
from lifecycle.policies.services import change_policies
from portal.foundation.errors import Refusal
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.middleware import TenantRequest

UNPROCESSABLE = 422


def policy_change(request: TenantRequest, profile: str) -> HttpResponse:
    """The matrix, the review, and the save: `edit`, `review` or `save` is the button that was pressed."""
    try:
        with acting_for(request.tenant.pk):
            matrix = _Matrix.read(request, profile)
            if request.method != "POST":
                return matrix.shown()
            if not matrix.form.is_valid() or "edit" in request.POST:
                return matrix.shown(status=200 if matrix.form.is_valid() else UNPROCESSABLE)
            if "save" not in request.POST:
                return matrix.reviewed()
            saved = change_policies(
                profile,
                matrix.form.wanted,
                seen=matrix.form.seen,
                subject=matrix.subject,
                by=request.person.pk,
            )
    except PolicyChangedMeanwhile as overtaken:
        return _overtaken(request, profile, overtaken)
    except Refusal as refusal:
        return _refused(request, profile, refusal)
    words = wording.in_a_row(wording.OPERATIONS[policy.operation].title for policy in saved)
    messages.success(request, _("Saved and in force: {operations}.").format(operations=words))
    return redirect("policy-page", tenant=request.tenant.slug, profile=profile)


def _refused(request: TenantRequest, profile: str, refusal: Refusal) -> HttpResponse:
    with acting_for(request.tenant.pk):
        matrix = _Matrix.read(request, profile)
        matrix.form.is_valid()
        return matrix.shown(refusal=refusal, status=refusal.status)


def _overtaken(request: TenantRequest, profile: str, overtaken: PolicyChangedMeanwhile) -> HttpResponse:
    """The matrix as this person filled it in, beside what somebody else saved; the next save counts from there."""
    with acting_for(request.tenant.pk):
        matrix = _Matrix.read(request, profile)
        theirs = versions_of(
            [policy for name, policy in matrix.in_force.items() if name in overtaken.operations], matrix.agreements
        )
        data = request.POST.copy()
        for name in overtaken.operations:
            data[f"{name}-seen"] = str(matrix.versions.get(name, 0))
        matrix.form = matrix.bound(data)
        matrix.form.is_valid()
        words = [str(wording.OPERATIONS[name].title) for name in overtaken.operations if name in wording.OPERATIONS]
        return matrix.shown(refusal=PolicyChangedMeanwhile(words), theirs=theirs, status=overtaken.status)


@dataclass
class _Matrix:
    """Everything that the pages of one profile's matrix need; read inside a unit of work."""

    request: TenantRequest
    profile: CertificateProfile
    in_force: dict[str, Policy]
    agreements: dict[str, str]
    form: PolicyForm

    @classmethod
    def read(cls, request: TenantRequest, slug: str) -> "_Matrix":
        profile = profile_of(slug)
        matrix = cls(request, profile, selectors.of_profile(slug), selectors.agreement_titles(), None)  # type: ignore[arg-type]
        matrix.form = matrix.bound(request.POST if request.method == "POST" else None)
        return matrix

    @property
    def versions(self) -> dict[str, int]:
        return {name: policy.version for name, policy in self.in_force.items()}

    @property
    def subject(self) -> Any:
        return subject_of(self.profile)

    def bound(self, data: Any) -> PolicyForm:
        return PolicyForm(
            data,
            subject=self.subject,
            agreements=self.agreements,
            current={name: Asks.of(policy) for name, policy in self.in_force.items()},
            versions=self.versions,
        )

    def shown(
        self, *, refusal: Refusal | None = None, theirs: list[Version] | None = None, status: int = 200
    ) -> HttpResponse:
        context = {
            "profile": self.profile,
            "form": self.form,
            "lines": self.form.lines(),
            "refusal": None if isinstance(refusal, PolicyUnfit) else refusal,
            "complaints": [said(each) for each in refusal.complaints] if isinstance(refusal, PolicyUnfit) else [],
            "theirs": theirs or [],
            "reasons": factor_reasons(),
            "is_public": self.subject.is_public,
        }
        return render(self.request, "administration/policy_change.html", context, status=status)

    def reviewed(self) -> HttpResponse:
        """What would be saved; nothing is saved yet.  Raises why it could not be."""
        found = review(
            self.profile,
            self.form.wanted,
            seen=self.form.seen,
            in_force=self.in_force,
            agreements=self.agreements,
        )
        context = {
            "profile": self.profile,
            "form": self.form,
            "changes": found.changes,
            "given_up": found.given_up,
            "advice": found.advice,
            "reached": found.reached,
            "later": found.later,
            "posted": [(field, value) for field, value in self.request.POST.items() if field in self.form.fields],
        }
        return render(self.request, "administration/policy_review.html", context)
