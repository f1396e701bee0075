"""What people do with domains: add one, prove it, have it looked at, choose what publishes it, retire it.

Each act is one service in one unit of work; what it refuses is told on the page that it was pressed on.
"""

from collections.abc import Callable
from http import HTTPStatus
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render

from lifecycle.validation import control
from lifecycle.validation.errors import AlreadyThere, AttemptOver, UnusableDomain
from lifecycle.validation.methods import MAILBOX
from lifecycle.validation.models import Domain, DomainControl, PublishingWay
from lifecycle.validation.proofs import State, standing_of
from lifecycle.validation.states import ControlState
from lifecycle.wizards.domain_ledger import pages
from lifecycle.wizards.domain_ledger.forms import AddForm, ContactForm, ProveForm, PublishForm
from lifecycle.wizards.domain_ledger.pages import address_of, domain_of, page_with, way_back
from portal.foundation import clock
from portal.foundation.errors import Refusal
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.middleware import TenantRequest

UNPROCESSABLE = HTTPStatus.UNPROCESSABLE_ENTITY

FIRST = {MAILBOX: "mailbox"}
"""The method that a new domain begins with, before anybody chose; of a domain in the DNS, its record."""


def domain_add(request: TenantRequest) -> HttpResponse:
    """Add a domain and go on to its page, where it is proven; one that is there already is opened."""
    form = AddForm(request.POST if request.method == "POST" else None)
    status = HTTPStatus.OK
    if form.is_bound:
        status = UNPROCESSABLE
        if form.is_valid():
            try:
                with acting_for(request.tenant.pk, person=request.person.pk):
                    domain = control.add(
                        form.cleaned_data["name"],
                        kind=form.kind,
                        method=FIRST.get(form.kind, "dns-change"),
                        by=request.person.pk,
                    )
                return redirect(address_of(request, domain, way_back(request)))
            except AlreadyThere as there:
                return redirect(address_of(request, _known(request, there), way_back(request)))
            except UnusableDomain as refused:
                form.add_error("name", f"{refused} {refused.advice}")
    with acting_for(request.tenant.pk):
        return render(request, "domains/add.html", {"form": form, "back": way_back(request)}, status=status)


def _known(request: TenantRequest, there: AlreadyThere) -> Domain:
    messages.info(request, str(there))
    with acting_for(request.tenant.pk):
        return Domain.objects.get(name=there.facts["name"])


def domain_prove(request: TenantRequest, pk: UUID) -> HttpResponse:
    """Begin to prove it by the method that was chosen."""
    with acting_for(request.tenant.pk):
        domain = domain_of(pk)
        form = ProveForm(request.POST, domain=domain)
        if not form.is_valid():
            return page_with(request, domain, form=form, status=UNPROCESSABLE)

    def begin() -> None:
        control.begin(domain_of(pk), by=request.person.pk, **form.wanted())

    return _done(request, pk, begin, form=form)


def domain_contact(request: TenantRequest, pk: UUID) -> HttpResponse:
    """Choose one of the mailboxes that the DNS named."""
    with acting_for(request.tenant.pk):
        domain = domain_of(pk)
        standing = standing_of(domain, clock.now())
        look = pages.newest_look(standing)
        form = ContactForm(request.POST, contacts=pages.contacts_in(look))
        if standing.attempt is None or not form.is_valid():
            return page_with(request, domain, form=form, status=UNPROCESSABLE)
        method = standing.attempt.method

    def begin() -> None:
        domain = domain_of(pk)
        control.begin(domain, method=method, sent_to=form.cleaned_data["sent_to"], by=request.person.pk)

    return _done(request, pk, begin)


def domain_look(request: TenantRequest, pk: UUID) -> HttpResponse:
    """Have every place look whether it is there now (4.R43)."""

    def look() -> None:
        control.look_now(open_attempt(domain_of(pk)), by=request.person.pk)

    return _done(request, pk, look)


def open_attempt(domain: Domain) -> DomainControl:
    """What there is to look for; raises `AttemptOver` where there is nothing."""
    open_ones = [ControlState.PENDING, ControlState.VERIFYING]
    newest = DomainControl.objects.filter(domain=domain, state__in=open_ones).order_by("-asked_at").first()
    if newest is None:
        raise AttemptOver(name=domain.name)
    return newest


def domain_publishing(request: TenantRequest, pk: UUID) -> HttpResponse:
    """Choose what publishes its proofs."""
    with acting_for(request.tenant.pk):
        domain = domain_of(pk)
        ways = list(PublishingWay.objects.filter(retired_at=None))
        form = PublishForm(request.POST, ways=ways)
        if not form.is_valid():
            return page_with(request, domain, form=form, status=UNPROCESSABLE)
        way = next((each for each in ways if str(each.pk) == form.cleaned_data["way"]), None)

    def choose() -> None:
        control.publish_by(domain_of(pk), way, by=request.person.pk)

    return _done(request, pk, choose)


def domain_retire(request: TenantRequest, pk: UUID) -> HttpResponse:
    """Say what follows, then retire it; or take a retired one up again."""
    with acting_for(request.tenant.pk):
        domain = domain_of(pk)
        retired = domain.retired_at is not None
        if request.method != "POST":
            context = {
                "domain": domain,
                "retired": retired,
                "counts": standing_of(domain, clock.now()).state in {State.PROVED, State.ENDS_SOON},
                "back": way_back(request),
            }
            return render(request, "domains/retire.html", context)

    def carry_out() -> None:
        deed = control.revive if "revive" in request.POST else control.retire
        deed(domain_of(pk), by=request.person.pk)

    return _done(request, pk, carry_out)


def _done(
    request: TenantRequest, pk: UUID, deed: Callable[[], None], *, form: forms.Form | None = None
) -> HttpResponse:
    """Do it and lead back to the page, or show the page with what was refused."""
    try:
        with acting_for(request.tenant.pk, person=request.person.pk):
            deed()
    except Refusal as refused:
        with acting_for(request.tenant.pk):
            answer = page_with(request, domain_of(pk), form=form, refusal=refused, status=refused.status)
        for name, value in refused.headers.items():
            answer[name] = value
        return answer
    with acting_for(request.tenant.pk):
        return redirect(address_of(request, domain_of(pk), way_back(request)))
