"""People of a tenant: the list, a person's page, and what an administrator can do there."""

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_post_parameters

from auth2fa import enrolments
from auth2fa.account.forms import ProveForm
from auth2fa.login import passwords, sessions
from auth2fa.models import SignedIn
from auth2fa.people import acts, listing
from auth2fa.people.forms import FilterForm, RolesForm
from auth2fa.people.listing import Chip, Wanted
from auth2fa.people.tables import as_csv
from auth2fa.people.words import labels, sentences
from auth2fa.posting import posted
from portal.foundation.access import services
from portal.foundation.access.models import Membership, User
from portal.foundation.access.permissions import Permission, Role
from portal.foundation.errors import Refusal
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.middleware import TenantRequest


def people_list(request: TenantRequest) -> HttpResponse:
    wanted = Wanted.read(request.GET)
    with acting_for(request.tenant.pk):
        context = {
            "pages": (page := listing.page(wanted, request.GET)),
            "people": page.rows,
            "filters": wanted.chosen(),
            "filter_form": FilterForm(request.GET.dict() if wanted.narrowed else None),
            "searched": wanted.narrowed,
            "sort": wanted.sort,
            "may_change": _may_change(request),
        }
        return render(request, "people/list.html", context)


def people_export(request: TenantRequest) -> HttpResponse:
    with acting_for(request.tenant.pk):
        content = as_csv(listing.all_of(Wanted.read(request.GET)))
    return HttpResponse(
        content,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="people.csv"', "Cache-Control": "private"},
    )


@dataclass(frozen=True, slots=True)
class Member:
    """A person as the pages of one tenant show them."""

    person: User
    roles: frozenset[Role]
    suspended: bool

    @property
    def status(self) -> Chip:
        if self.suspended:
            return Chip("watch", "watch", _("Suspended"))
        return Chip("good", "good", _("Active"))


def member(pk: UUID) -> Member:
    """Return somebody who belongs to the unit of work's tenant; raise `NotHere` for anybody else."""
    rows = list(Membership.objects.select_related("person").filter(person=pk))
    if not rows:
        raise NotHere
    return Member(rows[0].person, frozenset(Role(row.role) for row in rows), any(row.suspended_at for row in rows))


def person_page(request: TenantRequest, pk: UUID) -> HttpResponse:
    """What a member proves themselves with, and when they were seen, shows only where it is nobody else's business."""
    with acting_for(request.tenant.pk):
        member(pk)  # their own rows are opened only once it is certain that they are one
    with acting_for(request.tenant.pk, person=pk):
        here = member(pk)
        only_here = acts.seated_only_here(pk)
        seen = sessions.of_person(pk) if only_here else []
        authenticators = len(enrolments.confirmed()) if only_here else 0
        context = {
            "member": here,
            "facts": [
                {"label": _("E-mail"), "value": here.person.email},
                {"label": _("Account since"), "value": here.person.created_at, "moment": "day"},
                *(_presence(seen, authenticators) if only_here else ()),
            ],
            "roles": list(sentences(here.roles)),
            "acts": acts.possible(
                suspended=here.suspended,
                only_here=only_here,
                in_session=bool(seen),
                enrolled=bool(authenticators),
                own=pk == request.person.pk,
            ),
            "may_change": _may_change(request),
        }
        return render(request, "people/person.html", context)


def _presence(seen: list[SignedIn], authenticators: int) -> Iterator[dict[str, Any]]:
    yield {"label": _("Sessions"), "value": len(seen)}
    if seen:
        yield {"label": _("Last seen"), "value": seen[0].seen_at, "moment": "minute"}
    else:
        yield {"label": _("Last seen"), "value": _("No session is open")}
    yield {"label": _("Second factor"), "value": _apps(authenticators)}


def person_roles(request: TenantRequest, pk: UUID) -> HttpResponse:
    """Choose roles, see what is gained and lost, and only then change them."""
    with acting_for(request.tenant.pk, person=request.person.pk):
        here = member(pk)
        form = RolesForm(posted(request), initial={"roles": sorted(here.roles)})
        refusal, preview = None, None
        if form.is_bound and form.is_valid():
            wanted = frozenset(Role(role) for role in form.cleaned_data["roles"])
            if "confirmed" not in request.POST and wanted != here.roles:
                preview = {
                    "gained": list(sentences(wanted - here.roles)),
                    "lost": list(sentences(here.roles - wanted)),
                    "roles": sorted(wanted),
                    "words": labels(wanted),
                }
            else:
                try:
                    services.change_roles(pk, wanted, by=request.person.pk)
                except Refusal as refused:
                    refusal = refused
                else:
                    messages.success(request, _("The roles of {name} are changed.").format(name=here.person.name))
                    return redirect("person", tenant=request.tenant.slug, pk=pk)
        context = {"member": here, "form": form, "preview": preview, "refusal": refusal}
        refused_status = refusal.status if refusal else HTTPStatus.UNPROCESSABLE_ENTITY
        status = refused_status if form.is_bound and preview is None else HTTPStatus.OK
        return render(request, "people/roles.html", context, status=status)


@sensitive_post_parameters("password")
def person_act(request: TenantRequest, pk: UUID, act: str) -> HttpResponse:
    """Say what an act means and, once that is confirmed, where the act demands it with the password, do it."""
    wanted = acts.ACTS.get(act)
    with acting_for(request.tenant.pk):
        here = member(pk)
    if wanted is None:
        raise NotHere
    form, refusal = ProveForm(posted(request)) if wanted.proves else None, None
    if request.method == "POST" and (form is None or form.is_valid()):
        try:
            if form is not None:
                passwords.prove(request, request.person, form.cleaned_data["password"])
            wanted.do(request.tenant.pk, pk, request.person.pk)
        except Refusal as refused:
            refusal = refused
        else:
            messages.success(request, str(wanted.done).format(name=here.person.name))
            if wanted.leaves:
                return redirect("people-list", tenant=request.tenant.slug)
            return redirect("person", tenant=request.tenant.slug, pk=pk)
    context: dict[str, Any] = {
        "member": here,
        "act": wanted,
        "title": str(wanted.title).format(name=here.person.name),
        "form": form,
        "refusal": refusal,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form is not None and form.errors else HTTPStatus.OK
    with acting_for(request.tenant.pk):  # the frame lists the tenant's product areas
        return render(request, "people/act.html", context, status=refusal.status if refusal else status)


def _apps(count: int) -> str:
    if not count:
        return _("Code by e-mail")
    return ngettext("{count} authenticator app", "{count} authenticator apps", count).format(count=count)


def _may_change(request: TenantRequest) -> bool:
    return Permission.PEOPLE_CHANGE in request.seat.permissions
