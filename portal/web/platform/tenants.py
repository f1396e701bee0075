"""Tenants: the list, a new one, one of them, and what can be done to it."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db import models
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lifecycle.wizards.presentation import Chip, Fact
from portal.foundation import clock
from portal.foundation.access.invitations import Invitee
from portal.foundation.access.models import Membership, User
from portal.foundation.access.permissions import Role
from portal.foundation.errors import Refusal
from portal.foundation.lists import tables
from portal.foundation.lists.paging import page_of
from portal.foundation.tenancy import services
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.middleware import TenantRequest
from portal.foundation.tenancy.models import PLATFORM, Tenant
from portal.web.platform.deeds import DEEDS, Deed

MOST_EXPORTED = 10_000
SORTS = {"name": "name", "slug": "slug", "since": "created_at"}


class State(models.TextChoices):
    WORKS = "works", gettext_lazy("Works")
    SUSPENDED = "suspended", gettext_lazy("Suspended")
    CLOSING = "closing", gettext_lazy("Closing")
    CLOSED = "closed", gettext_lazy("Closed")


_TONES = {State.WORKS: "good", State.SUSPENDED: "bad", State.CLOSING: "watch", State.CLOSED: "plain"}


def state_of(tenant: Tenant) -> State:
    """Derived from its dates; what weighs most is said."""
    if tenant.closes_at is not None:
        return State.CLOSED if tenant.is_closed(clock.now()) else State.CLOSING
    return State.SUSPENDED if tenant.suspended_at else State.WORKS


def chip_of(tenant: Tenant) -> Chip:
    state = state_of(tenant)
    return Chip(_TONES[state], state.label)


def _in_state(state: str) -> models.Q:
    now = clock.now()
    return {
        State.WORKS: models.Q(closes_at=None, suspended_at=None),
        State.SUSPENDED: models.Q(closes_at=None, suspended_at__isnull=False),
        State.CLOSING: models.Q(closes_at__gt=now),
        State.CLOSED: models.Q(closes_at__lte=now),
    }.get(State(state) if state in State.values else None, models.Q())  # type: ignore[arg-type]


class TenantFilter(forms.Form):
    q = forms.CharField(label=gettext_lazy("Name or short name begins with"), required=False, max_length=120)
    state = forms.ChoiceField(
        label=gettext_lazy("State"), required=False, choices=[("", gettext_lazy("Any")), *State.choices]
    )


def _found(request: TenantRequest) -> models.QuerySet[Tenant]:
    wanted = request.GET.get("q", "").replace("\0", "").strip()[:120]
    found = Tenant.objects.exclude(pk=PLATFORM).filter(_in_state(request.GET.get("state", "")))
    return found.filter(models.Q(name__istartswith=wanted) | models.Q(slug__startswith=wanted.lower()))


def tenant_list(request: TenantRequest) -> HttpResponse:
    sort = request.GET.get("sort", "")
    by, descending = SORTS.get(sort.removeprefix("-"), "name"), sort.startswith("-")
    with acting_for(PLATFORM):
        page = page_of(_found(request), by=by, descending=descending, asked=request.GET)
        chosen = {"q": _("Begins with"), "state": _("State")}
        shown = {"state": dict(State.choices).get(request.GET.get("state", ""), "")}
        filters = [
            {"param": name, "label": label, "value": shown.get(name) or request.GET[name]}
            for name, label in chosen.items()
            if request.GET.get(name)
        ]
        context = {
            "tenants_shown": [{"tenant": tenant, "status": chip_of(tenant)} for tenant in page.rows],
            "sort": sort,
            "pages": page,
            "filters": filters,
            "filter_form": TenantFilter(request.GET or None),
        }
        return render(request, "platform/tenants.html", context)


def tenant_export(request: TenantRequest) -> HttpResponse:
    with acting_for(PLATFORM):
        rows = list(_found(request).order_by("name")[: MOST_EXPORTED + 1])
    return tables.as_file(
        "tenants.csv",
        [_("Short name"), _("Name"), _("State"), _("Since"), _("Suspended"), _("Closes")],
        [
            [row.slug, row.name, state_of(row).label, *map(_iso, (row.created_at, row.suspended_at, row.closes_at))]
            for row in rows[:MOST_EXPORTED]
        ],
        cut=len(rows) > MOST_EXPORTED,
    )


def _iso(at: Any) -> str:
    return at.isoformat(timespec="seconds") if at else ""


class TenantNewForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=120)
    slug = forms.CharField(
        label=gettext_lazy("Short name"),
        max_length=40,
        help_text=gettext_lazy(
            "Part of every address and of what certificates point to; it can never be changed. Lower-case letters, "
            "digits and single hyphens."
        ),
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )
    administrator = forms.CharField(label=gettext_lazy("First administrator"), max_length=120)
    email = forms.EmailField(
        label=gettext_lazy("Their e-mail address"),
        help_text=gettext_lazy("They get an invitation, and invite everybody else."),
    )


_ASKED_BY = {
    "slug-unusable": "slug",
    "slug-taken": "slug",
    "tenant-name-not-readable": "name",
    "name-not-readable": "administrator",
}
"""Which field a refusal is about."""


def tenant_new(request: TenantRequest) -> HttpResponse:
    form = TenantNewForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            tenant = services.create_tenant(
                given["slug"],
                given["name"],
                by=request.person.pk,
                administrator=Invitee(given["administrator"], given["email"], (Role.ADMINISTRATOR,)),
            )
        except Refusal as refusal:
            form.add_error(_ASKED_BY.get(refusal.code, "email"), f"{refusal} {refusal.advice}")
        else:
            messages.success(request, _("{tenant} was created.").format(tenant=tenant.name))
            return redirect("platform-tenant", slug=tenant.slug)
    with acting_for(PLATFORM):
        return render(request, "platform/tenant_new.html", {"form": form}, status=422 if form.errors else 200)


def tenant_page(request: TenantRequest, slug: str) -> HttpResponse:
    tenant = tenant_at(slug)
    with acting_for(tenant.pk):
        seated = Membership.objects.filter(role=Role.ADMINISTRATOR, suspended_at=None).values("person")
        administrators = list(User.objects.filter(pk__in=seated).order_by("name")[:20])
    now = clock.now()
    with acting_for(PLATFORM):
        context = {
            "tenant_shown": tenant,
            "status": chip_of(tenant),
            "facts": _facts(tenant),
            "administrators": administrators,
            "deeds": [{"deed": deed, "refusal": deed.refusal(tenant, now)} for deed in DEEDS.values()],
        }
        return render(request, "platform/tenant.html", context)


def _facts(tenant: Tenant) -> list[Fact]:
    rows = [
        Fact(_("Short name"), tenant.slug, code=True),
        Fact(_("Since"), tenant.created_at, moment="day"),
    ]
    if tenant.suspended_at:
        rows.append(Fact(_("Suspended"), tenant.suspended_at, moment="minute"))
    if tenant.closes_at:
        rows.append(Fact(_("Closes"), tenant.closes_at, moment="minute"))
    return rows


def tenant_deed(request: TenantRequest, slug: str, deed: str) -> HttpResponse:
    """Ask what a deed needs to know, say what comes of it, and do it."""
    tenant, wanted = tenant_at(slug), DEEDS.get(deed)
    if wanted is None:
        raise NotHere
    refused = wanted.refusal(tenant, clock.now())
    form = wanted.form(request.POST if request.method == "POST" else None, tenant=tenant)
    refusal: Refusal | None = None
    if request.method == "POST" and not refused and form.is_valid():
        try:
            wanted.do(tenant, form.cleaned_data, request.person.pk)
        except Refusal as error:
            refusal = error
        else:
            return _done(request, tenant, wanted)
    context = {"tenant_shown": tenant, "deed": wanted, "form": form, "refused": refused, "refusal": refusal}
    status = 200 if request.method != "POST" else refusal.status if refusal else 422
    with acting_for(PLATFORM):
        return render(request, "platform/deed.html", context, status=status)


def _done(request: TenantRequest, tenant: Tenant, deed: Deed) -> HttpResponse:
    messages.success(request, str(deed.done).format(tenant=tenant.name))
    return (
        redirect("tenant-home", tenant=tenant.slug) if deed.slug == "look" else redirect("platform-tenant", tenant.slug)
    )


def tenant_at(slug: str) -> Tenant:
    tenant = Tenant.objects.exclude(pk=PLATFORM).filter(slug=slug).first()
    if tenant is None:
        raise NotHere
    return tenant
