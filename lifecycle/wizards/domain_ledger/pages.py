"""One domain: how it stands, what to publish, what every place saw, and every look there was."""

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from math import ceil
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from auth2fa.login.views import path_here
from lifecycle.validation import diagnosis
from lifecycle.validation.control import rests_until
from lifecycle.validation.methods import METHODS
from lifecycle.validation.models import ControlLook, Domain, DomainControl, PublishingWay
from lifecycle.validation.proofs import NextStep, Standing, State, standing_of
from lifecycle.validation.states import ControlState
from lifecycle.wizards import presentation as shared
from lifecycle.wizards.domain_ledger import instructing, seen, wording
from lifecycle.wizards.domain_ledger.forms import ContactForm, ProveForm, PublishForm, why_not
from lifecycle.wizards.domain_ledger.ledger import quorums_of
from lifecycle.wizards.presentation import Chip, Fact
from portal.foundation import clock
from portal.foundation.access.permissions import Permission
from portal.foundation.errors import Refusal
from portal.foundation.lists.paging import page_of
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.middleware import TenantRequest

STOP_POLLING = 286
"""What htmx takes as "do not ask again"."""

OFTEN, SELDOM = 2, 10  # seconds
MOST_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of the history."""

    method: Any
    status: Chip
    asked_at: datetime
    by: str
    why: str
    rules: str


def domain_of(pk: UUID) -> Domain:
    """The domain; the caller is inside the unit of work."""
    found = Domain.objects.select_related("publishing", "tenant").filter(pk=pk).first()
    if found is None:
        raise NotHere
    return found


def may_manage(request: TenantRequest) -> bool:
    return Permission.DOMAIN_MANAGE in request.seat.permissions


def way_back(request: TenantRequest) -> str:
    """The page that led here and wants to be gone back to: one of this tenant's, or none."""
    wanted = path_here(request.POST.get("next", "") or request.GET.get("next", ""))
    return wanted if wanted.startswith(f"/t/{request.tenant.slug}/") else ""


def domain_page(request: TenantRequest, pk: UUID) -> HttpResponse:
    with acting_for(request.tenant.pk):
        return page_with(request, domain_of(pk))


def page_with(
    request: TenantRequest,
    domain: Domain,
    *,
    form: forms.Form | None = None,
    refusal: Refusal | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    """The page, with whichever form was refused in the place of its own; the caller is inside the unit of work."""
    context = _now(request, domain)
    standing: Standing = context["standing"]
    manages = may_manage(request) and standing.state is not State.RETIRED
    ways = list(PublishingWay.objects.filter(retired_at=None).order_by("title", "pk")) if manages else []
    context |= _told(domain, standing)
    context |= {
        "prove_form": form if isinstance(form, ProveForm) else ProveForm(domain=domain),
        "publish_form": PublishForm(ways=ways, initial={"way": str(domain.publishing_id or "")}) if ways else None,
        "form": form,
        "refusal": refusal,
        "manages": manages,
        "may_manage": may_manage(request),
        "refused_methods": why_not(domain),
    }
    return render(request, "domains/page.html", context, status=status)


def domain_standing(request: TenantRequest, pk: UUID) -> HttpResponse:
    """The part of the page that changes by itself; 286 once there is nothing to wait for."""
    with acting_for(request.tenant.pk):
        domain = domain_of(pk)
        context = {**_now(request, domain), "fragment": True}
        if not context["moving"]:
            context |= _told(domain, context["standing"])
        status = STOP_POLLING if context["poll_seconds"] is None else HTTPStatus.OK
        return render(request, "domains/_now.html", context, status=status)


def _now(request: TenantRequest, domain: Domain) -> dict[str, Any]:
    """How it stands at this moment, and what is being done about it."""
    now = clock.now()
    standing = standing_of(domain, now)
    open_one = _open(standing, now)
    if open_one is not None:
        open_one.domain = domain  # the instruction needs its name and tenant
        open_one.tenant = domain.tenant
    look = newest_look(standing)
    rests = rests_until(open_one, now) if open_one else None
    moving = bool(open_one and (open_one.state == ControlState.VERIFYING or _is_found_out(open_one)))
    by_mail = bool(open_one and METHODS[open_one.method].by_mail)
    return {
        "domain": domain,
        "standing": standing,
        "status": wording.chip_of(standing),
        "said": wording.sentence_of(domain, standing),
        "next_step": _next_step(standing, open_one, look),
        "control": open_one,
        "to_do": instructing.to_do(open_one) if open_one and (open_one.value or open_one.sent_to) else None,
        "publishes_itself": bool(open_one and open_one.automatic),
        "look": seen.shown(look) if look else None,
        "failed": None if open_one or look else _why_over(standing),
        "contact_form": _contacts(open_one, look),
        "may_look": open_one is not None and may_manage(request) and not moving and not (by_mail and open_one.sent_to),
        "rests_until": rests,
        "moving": moving,
        "poll_seconds": _poll_seconds(rests, moving=moving, waits_by_itself=bool(open_one and open_one.automatic)),
        "by_mail": by_mail,
        "back": way_back(request),
        "may_manage": may_manage(request),
        "now": now,
        "fragment": False,
    }


def _poll_seconds(rests: datetime | None, *, moving: bool, waits_by_itself: bool) -> int | None:
    """Until the page says something else: what a look found, or that it can be looked at again."""
    if moving:
        return OFTEN
    if rests:
        return max(1, ceil((rests - clock.now()).total_seconds()))
    return SELDOM if waits_by_itself else None


def _told(domain: Domain, standing: Standing) -> dict[str, Any]:
    """What stands beside it, and changes once a look has come to its end."""
    return {"facts": _facts(domain, standing), "attempts": _attempts(domain)}


def _open(standing: Standing, now: datetime) -> DomainControl | None:
    attempt = standing.attempt
    over = attempt is None or attempt.state == ControlState.FAILED or attempt.ends_at <= now
    return None if over or standing.state is State.RETIRED else attempt


def _is_found_out(control: DomainControl) -> bool:
    """Whether the mailboxes that the DNS names are being looked up: nobody chose one, and no look came to an end."""
    return METHODS[control.method].by_mail and not control.sent_to and not control.reason


def newest_look(standing: Standing) -> ControlLook | None:
    """Of the attempt that is open or failed last; of what is proven, the one that saw it."""
    control = standing.attempt or standing.proof
    if control is None:
        return None
    return ControlLook.objects.filter(control=control).order_by("-at", "-id").first()


def _why_over(standing: Standing) -> diagnosis.Told | None:
    """Why the last attempt came to nothing, where no look says it."""
    attempt = standing.attempt
    return diagnosis.said(attempt.reason, {}) if attempt and attempt.reason else None


def _next_step(standing: Standing, control: DomainControl | None, look: ControlLook | None) -> Any:
    if control and control.automatic:
        return _("The portal publishes it by itself and looks until it is there.")
    if control and look and look.reason == "choose-contact":
        return _("Choose below where the mail should go.")
    if control and METHODS[control.method].by_mail and not control.sent_to:
        return _("The portal looks up which mailboxes the DNS names.")
    if standing.next_step is NextStep.FOLLOW_LINK and control:
        return _("A mail with a link went to {address}. Whoever reads it approves on the page behind the link.").format(
            address=control.sent_to
        )
    return wording.next_step_of(standing)


def _contacts(control: DomainControl | None, look: ControlLook | None) -> ContactForm | None:
    if control is None or look is None or look.reason != "choose-contact":
        return None
    return ContactForm(contacts=contacts_in(look))


def contacts_in(look: ControlLook | None) -> list[str]:
    """The mailboxes that the DNS named."""
    facts = look.evidence.get("facts") if look else None
    return [str(each) for each in (facts or {}).get("contacts") or ()]


def _facts(domain: Domain, standing: Standing) -> list[Fact]:
    proof = standing.proof
    facts = [Fact(_("Kind"), wording.KINDS[domain.kind])]
    if proof is not None:
        quorum = quorums_of([standing]).get(proof.pk)
        facts += [
            Fact(_("Proven"), proof.proved_at, moment="minute"),
            Fact(_("Usable until"), standing.usable_until, moment="minute"),
            Fact(_("Method"), wording.method_title(proof.method), note=proof.rules),
            Fact(_("Perspectives"), wording.agreement_of(quorum) or _("Not asked")),
        ]
        if proof.dnssec:
            facts.append(Fact(_("DNSSEC"), wording.DNSSEC[proof.dnssec]))
    people = shared.names_of([domain.added_by])
    facts.append(Fact(_("Added"), domain.added_at, moment="short-day", note=people.get(domain.added_by, "")))
    way = domain.publishing.title if domain.publishing else _("Somebody, by hand")
    facts.append(Fact(_("Published by"), way))
    return facts


def _attempts(domain: Domain) -> list[Attempt]:
    controls = list(DomainControl.objects.filter(domain=domain).order_by("-asked_at", "-id")[:MOST_ATTEMPTS])
    people = shared.names_of(control.asked_by for control in controls)
    return [
        Attempt(
            method=wording.method_title(control.method),
            status=wording.chip_of_attempt(control.state),
            asked_at=control.asked_at,
            by=people.get(control.asked_by, str(_("the portal itself"))),
            why=diagnosis.said(control.reason, {}).sentence if control.state == ControlState.FAILED else "",
            rules=control.rules,
        )
        for control in controls
    ]


def domain_looks(request: TenantRequest, pk: UUID) -> HttpResponse:
    """Every look at a domain, with what was seen, page by page."""
    with acting_for(request.tenant.pk):
        domain = domain_of(pk)
        controls = {control.pk: control for control in DomainControl.objects.filter(domain=domain)}
        page = page_of(
            ControlLook.objects.filter(control__in=list(controls)), by="at", descending=True, asked=request.GET, size=10
        )
        looks = [(seen.shown(look), wording.method_title(controls[look.control_id].method)) for look in page.rows]
        return render(request, "domains/looks.html", {"domain": domain, "looks": looks, "pages": page})


def address_of(request: TenantRequest, domain: Domain, back: str = "") -> str:
    """The address of its page, which keeps the way back."""
    url = reverse("domain-page", kwargs={"tenant": request.tenant.slug, "pk": domain.pk})
    return f"{url}?{urlencode({'next': back})}" if back else url
