"""The pages of one certificate: detail, download, and the action screen.

A reading view does its queries and its rendering in one unit of work.  A certificate
of somebody else, of another tenant, or of nobody looks the same from here: 404.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from lifecycle.certificates import exports, selectors
from lifecycle.certificates.errors import IssuedElsewhere
from lifecycle.certificates.models import Certificate, Reason, Status
from lifecycle.certificates.naming import alternative_names
from lifecycle.certificates.selectors import Wanted
from lifecycle.policies.models import Policy
from lifecycle.policies.rules import broken_by
from lifecycle.requests import proposals
from lifecycle.requests.kinds import MEANING, Kind
from lifecycle.requests.models import CertificateRequest
from lifecycle.wizards import presentation as shown
from lifecycle.wizards.entering import begin_from
from lifecycle.wizards.forms import ActionForm
from lifecycle.wizards.sight import certificates_visible_to as visible
from portal.foundation.access.permissions import Permission, roles_with
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.middleware import TenantRequest


@dataclass(frozen=True, slots=True)
class Offers:
    """What a person may begin with certificates of a tenant; read once for a whole page."""

    may: bool
    person: UUID
    policies: dict[tuple[str, str], Policy]

    @classmethod
    def read(cls, request: TenantRequest) -> "Offers":
        newest = Policy.objects.order_by("profile", "operation", "-version").distinct("profile", "operation")
        return cls(
            Permission.REQUEST_MAKE in request.seat.permissions,
            request.person.pk,
            {(policy.profile, policy.operation): policy for policy in newest},
        )

    def acts(self, certificate: Certificate) -> list[shown.Act]:
        """Every operation that starts from a certificate.

        One that is switched off is left out (0.R11); any other that is not possible now says why.
        With a certificate that was issued elsewhere nothing can be done at all (4.R8).
        """
        if certificate.profile is None:
            why = IssuedElsewhere(issuer=certificate.issuer_word)
            return [
                shown.Act(kind.value, meaning.title, meaning.promise, f"{why} {why.advice}")
                for kind, meaning in MEANING.items()
                if meaning.starts_from_certificate
            ]
        acts = []
        for kind, meaning in MEANING.items():
            policy = self.policies.get((certificate.profile.slug, kind.value))
            if not meaning.starts_from_certificate or policy is None or not policy.enabled:
                continue
            broken = broken_by(proposals.of_certificate(certificate, kind, policy))
            refusal = " ".join(str(each) for each in broken) or self._not_theirs(certificate)
            acts.append(shown.Act(kind.value, meaning.title, meaning.promise, refusal))
        return acts

    def _not_theirs(self, certificate: Certificate) -> str:
        if not self.may:
            roles = ", ".join(str(role.label) for role in roles_with(Permission.REQUEST_MAKE))
            return _("This needs the role {roles}.").format(roles=roles)
        if certificate.owner != self.person:
            return _("Only the person who asked for this certificate can do this.")
        return ""


def certificate_of(request: TenantRequest, pk: UUID) -> Certificate:
    """The certificate, if the person may see it; the caller is inside the unit of work."""
    found = proposals.with_request_under_way(selectors.inventory(Wanted(owner=visible(request))))
    certificate = found.filter(pk=pk).first()
    if certificate is None:
        raise NotHere
    return certificate


def certificate_detail(request: TenantRequest, pk: UUID) -> HttpResponse:
    with acting_for(request.tenant.pk):
        certificate = certificate_of(request, pk)
        acts = Offers.read(request).acts(certificate)
        family = selectors.lineage(certificate)
        owner = visible(request)
        row = shown.Row(certificate, acts)
        context = {
            "certificate": row,
            "lead": _lead(certificate),
            "notice": _notice(request.tenant.slug, certificate, family, owner),
            "primary": next((act for act in acts if not act.refusal), None),
            "acts": acts,
            "open_request": _open_request(certificate, request.person.pk),
            "facts": shown.facts_of(row, shown.names_of([certificate.owner]).get(str(certificate.owner), "")),
            "lineage": shown.family_tree(
                request.tenant.slug,
                family,
                certificate.pk,
                {member.pk for member in family if owner in (None, member.owner)},
            ),
            "events": shown.happenings(_subjects(certificate)),
        }
        return render(request, "certificates/detail.html", context)


def _lead(certificate: Certificate) -> str:
    names = alternative_names(certificate.x509)
    if certificate.profile is None:
        return _("Issued by {issuer} and uploaded here. It is kept in view; nothing can be done with it here.").format(
            issuer=certificate.issuer_word
        )
    if names:
        return _("{profile} for {names}.").format(profile=certificate.profile.title, names=", ".join(names))
    return _("{profile} certificate.").format(profile=certificate.profile.title)


def _notice(
    tenant: str, certificate: Certificate, family: list[Certificate], owner: UUID | None
) -> dict[str, Any] | None:
    """What a reader must know before anything else: that it is revoked, or that a newer one exists."""
    if certificate.status is Status.REVOKED:
        text = _("It was revoked on {day}. Reason: {reason}.").format(
            day=f"{certificate.revoked_at:%Y-%m-%d %H:%M}",  # type: ignore[attr-defined]
            reason=Reason(certificate.revoked_for).label,  # type: ignore[attr-defined]
        )
        return {"tone": "watch", "icon": "watch", "title": _("Do not trust this certificate"), "text": text}
    newer = [each for each in family if each.predecessor_id == certificate.pk and owner in (None, each.owner)]
    if not newer:
        return None
    return {
        "tone": "plain",
        "icon": "info",
        "title": _("There is a newer certificate"),
        "text": _("It was rekeyed on {day}.").format(day=f"{newer[-1].issued_at:%Y-%m-%d}"),
        "url": reverse("certificate-detail", kwargs={"tenant": tenant, "pk": newer[-1].pk}),
        "word": _("Open the newer one"),
    }


def _open_request(certificate: Certificate, person: UUID) -> dict[str, Any] | None:
    if certificate.under_way_pk is None:  # type: ignore[attr-defined]
        return None
    wanted = CertificateRequest.objects.get(pk=certificate.under_way_pk)  # type: ignore[attr-defined]
    return {
        "pk": wanted.pk,
        "number": wanted.number,
        "word": _("Open request {number}").format(number=wanted.number),
        "mine": wanted.requested_by == person,
    }


def _subjects(certificate: Certificate) -> list[UUID]:
    """Whatever the journal may have something about."""
    requests = CertificateRequest.objects.filter(predecessor=certificate).values_list("pk", flat=True)
    return [certificate.pk, *([certificate.made_from] if certificate.made_from else []), *requests]


def certificate_download(request: TenantRequest, pk: UUID, form: str) -> HttpResponse:
    """The certificate in one of the forms of `exports.FORMATS` (1.R30, 2.R18)."""
    with acting_for(request.tenant.pk):
        return file_of(request, pk, form)


def file_of(request: TenantRequest, pk: UUID, form: str) -> HttpResponse:
    """The file, for whoever may see the certificate; in the caller's unit of work."""
    chosen = exports.FORMATS.get(form)
    if chosen is None:
        raise NotHere
    certificate = certificate_of(request, pk)
    chain = exports.chain_of(certificate)
    content = chosen.write(certificate.x509, chain)
    name = exports.file_name(certificate.x509, chosen)
    return HttpResponse(
        content,
        content_type=chosen.media_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private"},
    )


def certificate_action(request: TenantRequest, pk: UUID) -> HttpResponse:
    """Choose an action, confirm, and open its request (0.R16, 0.R17)."""
    with acting_for(request.tenant.pk):
        certificate = certificate_of(request, pk)
        acts = Offers.read(request).acts(certificate)
        choices = [(act.kind, MEANING[Kind(act.kind)].action) for act in acts if not act.refusal]
        form = ActionForm(request.POST or None, choices=choices)
        if request.method != "POST" or not form.is_valid():
            context = {
                "certificate": shown.Row(certificate, acts),
                "form": form,
                "refused": [{"word": act.word, "reason": act.refusal} for act in acts if act.refusal],
            }
            return render(request, "certificates/action.html", context, status=422 if form.is_bound else 200)
    return redirect(begin_from(request, Kind(form.cleaned_data["action"]), certificate=pk))
