"""Profiles: what is issued.  Listed, made, given new versions, and compared version by version."""

from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from lifecycle.administration import impact, wording
from lifecycle.administration import profile_wording as words
from lifecycle.administration.policy_pages import may_change, profile_of
from lifecycle.administration.profile_forms import ProfileForm, StartForm
from lifecycle.administration.profile_reviews import begun, choosable_authorities, every_authority, review, save
from lifecycle.administration.starts import STARTS
from lifecycle.authorities.models import CertificateProfile
from lifecycle.authorities.profiles import ProfileChangedMeanwhile, ProfileUnfit, Wish
from lifecycle.policies import selectors
from lifecycle.wizards.presentation import names_of
from portal.foundation.errors import Refusal
from portal.foundation.lists import tables
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.middleware import TenantRequest

UNPROCESSABLE = 422


@dataclass(frozen=True, slots=True)
class ProfileLine:
    profile: CertificateProfile
    trust: Any
    keys: str
    days: str
    allowed: str


def profile_list(request: TenantRequest) -> HttpResponse:
    with acting_for(request.tenant.pk):
        allowed = _allowed()
        rows = [_line(profile, allowed.get(profile.slug, "")) for profile in CertificateProfile.objects.all_in_force()]
        return render(request, "administration/profiles.html", {"rows": rows, "may_change": may_change(request)})


def _allowed() -> dict[str, str]:
    """What policies allow, in words, by profile."""
    found: dict[str, list[Any]] = {}
    for (slug, operation), policy in selectors.all_in_force().items():
        if policy.enabled:
            found.setdefault(slug, []).append(wording.OPERATIONS[operation].title)
    return {slug: wording.in_a_row(titles) for slug, titles in found.items()}


def _line(profile: CertificateProfile, allowed: str) -> ProfileLine:
    said = words.words_of(words.as_wish(profile), {})
    return ProfileLine(profile, said["trust"], said["key_types"], said["days"], allowed)


def profile_export(request: TenantRequest) -> HttpResponse:
    """Every profile's newest version, one line each."""
    with acting_for(request.tenant.pk):
        authorities = every_authority()
        found = CertificateProfile.objects.all_in_force()
        rows = [
            [profile.slug, profile.version, *words.words_of(words.as_wish(profile), authorities).values()]
            for profile in found
        ]
    head = [_("Name in addresses"), _("Version"), *words.FIELD_TITLES.values()]
    return tables.as_file("profiles.csv", head, rows, cut=False)


def profile_page(request: TenantRequest, profile: str) -> HttpResponse:
    with acting_for(request.tenant.pk):
        found = profile_of(profile)
        versions = list(CertificateProfile.objects.filter(slug=profile).order_by("-version"))
        people = names_of(version.made_by for version in versions)
        context = {
            "profile": found,
            "lead": impact.of_certificates(profile).sentence,
            "facts": words.facts_of(words.as_wish(found), every_authority()),
            "versions": [(version, people.get(version.made_by) or _("the portal itself")) for version in versions],
            "allowed": _allowed().get(profile, ""),
            "may_change": may_change(request),
        }
        return render(request, "administration/profile.html", context)


def profile_compare(request: TenantRequest, profile: str) -> HttpResponse:
    """Any two versions, field by field; the newest two unless others are chosen."""
    with acting_for(request.tenant.pk):
        newest = profile_of(profile)
        by_number = {version.version: version for version in CertificateProfile.objects.filter(slug=profile)}
        older = _chosen(request.GET.get("from", ""), by_number, max(newest.version - 1, 1))
        newer = _chosen(request.GET.get("to", ""), by_number, newest.version)
        context = {
            "profile": newest,
            "older": older,
            "newer": newer,
            "numbers": sorted(by_number),
            "changes": words.differences(words.as_wish(older), words.as_wish(newer), every_authority()),
        }
        return render(request, "administration/profile_compare.html", context)


def _chosen(text: str, versions: dict[int, CertificateProfile], otherwise: int) -> CertificateProfile:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < len(str(2**31)) else 0
    if text and number not in versions:
        raise NotHere
    return versions[number or otherwise]


def profile_new(request: TenantRequest) -> HttpResponse:
    """Choose where to begin, fill in, review, make."""
    with acting_for(request.tenant.pk):
        existing = {profile.slug: profile for profile in CertificateProfile.objects.all_in_force()}
        start = StartForm(request.GET or None, profiles={slug: each.title for slug, each in existing.items()})
        if request.method != "POST" and not start.is_valid():
            context = {"form": start}
            return render(request, "administration/profile_start.html", context, status=_status(start))
        begins = _begins(request.GET.get("start", ""), existing)
    return _Editing(request, begins=begins).answer()


def _status(form: StartForm) -> int:
    return UNPROCESSABLE if form.is_bound else 200


def _begins(start: str, existing: dict[str, CertificateProfile]) -> Wish | None:
    if start in STARTS:
        return begun(start)
    copied = existing.get(start.removeprefix("copy:"))
    return words.as_wish(copied) if copied else None


def profile_change(request: TenantRequest, profile: str) -> HttpResponse:
    """The next version: fill in, review, save."""
    with acting_for(request.tenant.pk):
        newest = profile_of(profile)
    return _Editing(request, newest=newest, begins=words.as_wish(newest)).answer()


@dataclass
class _Editing:
    """The form, its review and its save; the same for a first version and for a further one."""

    request: TenantRequest
    newest: CertificateProfile | None = None
    begins: Wish | None = None
    form: ProfileForm = field(init=False)

    def answer(self) -> HttpResponse:
        try:
            with acting_for(self.request.tenant.pk):
                self.form = self._form()
                if self.request.method != "POST":
                    return self._shown()
                if not self.form.is_valid() or "edit" in self.request.POST:
                    return self._shown(status=200 if self.form.is_valid() else UNPROCESSABLE)
                if "save" not in self.request.POST:
                    return self._reviewed()
                saved = self._saved()
        except Refusal as refusal:
            with acting_for(self.request.tenant.pk):
                if isinstance(refusal, ProfileChangedMeanwhile):
                    self._take_up()
                return self._shown(refusal=refusal, status=refusal.status)
        messages.success(
            self.request, _("Saved: {title}, version {number}.").format(title=saved.title, number=saved.version)
        )
        return redirect("profile-page", tenant=self.request.tenant.slug, profile=saved.slug)

    def _take_up(self) -> None:
        """Let what was filled in stand, as a change of the version that somebody else saved meanwhile."""
        if self.newest:
            self.newest = profile_of(self.newest.slug)
            data = self.request.POST.copy()
            data["seen"] = str(self.newest.version)
            self.form = self._form(data)
            self.form.is_valid()

    def _form(self, data: Any = None) -> ProfileForm:
        newest = self.newest
        return ProfileForm(
            data or (self.request.POST if self.request.method == "POST" else None),
            authorities=choosable_authorities(newest.authority_id if newest else None),
            begins=self.begins,
            version=newest.version if newest else 0,
            kept=words.as_wish(newest) if newest else None,
        )

    def _saved(self) -> CertificateProfile:
        seen = self.form.cleaned_data["seen"] or 0
        return save(self.form.wish, newest=self.newest, seen=seen, by=self.request.person.pk)

    def _shown(self, *, refusal: Refusal | None = None, status: int = 200) -> HttpResponse:
        context = {
            "profile": self.newest,
            "form": self.form,
            "refusal": None if isinstance(refusal, ProfileUnfit) else refusal,
            "complaints": refusal.complaints if isinstance(refusal, ProfileUnfit) else (),
            "overtaken": isinstance(refusal, ProfileChangedMeanwhile),
            "trust": wording.TRUST_TITLES[self.newest.trust] if self.newest else "",
        }
        return render(self.request, "administration/profile_change.html", context, status=status)

    def _reviewed(self) -> HttpResponse:
        """What would be saved; nothing is saved yet.  Raises why it could not be."""
        found = review(self.form.wish, newest=self.newest, seen=self.form.cleaned_data["seen"])
        context = {
            "profile": self.newest,
            "form": self.form,
            "changes": found.changes,
            "facts": found.facts,
            "advice": found.advice,
            "reached": found.reached,
            "policies": found.policies,
            "posted": [
                (name, value)
                for name in self.form.fields
                if name in self.request.POST
                for value in self.request.POST.getlist(name)
            ],
        }
        return render(self.request, "administration/profile_review.html", context)
