"""Inviting one person or a file of them; sending an invitation again, or taking it back."""

from collections.abc import Callable
from http import HTTPStatus
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from auth2fa.people import roster
from auth2fa.people.forms import ImportForm, InviteForm
from auth2fa.people.words import labels
from auth2fa.posting import posted
from portal.foundation.access import services
from portal.foundation.access.errors import AlreadyInvited, AlreadyMember, InvitationOver, InvitedTooOften
from portal.foundation.access.invitations import (
    MOST_AN_HOUR,
    Invitee,
    emails_invited,
    emails_of_members,
    offered_roles,
)
from portal.foundation.access.models import Invitation
from portal.foundation.access.permissions import Role
from portal.foundation.errors import Refusal
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.middleware import TenantRequest

_ACTS: dict[str, Callable[..., None]] = {"resend": services.resend, "withdraw": services.withdraw}


def invite(request: TenantRequest) -> HttpResponse:
    """One person: name, address, roles."""
    refusal: Refusal | None = None
    with acting_for(request.tenant.pk):
        form = InviteForm(posted(request))
        if form.is_bound and form.is_valid():
            given = form.cleaned_data
            roles = [Role(role) for role in given["roles"]]
            try:
                services.invite(email=given["email"], name=given["name"], roles=roles, by=request.person.pk)
            except (AlreadyMember, AlreadyInvited, InvitedTooOften) as refused:
                form.add_error("email", f"{refused} {refused.advice}")
            except Refusal as refused:
                refusal = refused
            else:
                messages.success(request, _("An invitation goes to {email}.").format(email=given["email"]))
                return redirect("people-list", tenant=request.tenant.slug)
        status = refusal.status if refusal else HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
        return render(request, "people/invite.html", {"form": form, "refusal": refusal}, status=status)


def people_import(request: TenantRequest) -> HttpResponse:
    """A file of people: all its faults or, if it has none, what would happen; one press does it."""
    with acting_for(request.tenant.pk):
        offered = offered_roles()
    form = ImportForm(posted(request), request.FILES if request.method == "POST" else None, offered=offered)
    form.full_clean()  # here, because a long file takes its time and no unit of work should wait for it
    with acting_for(request.tenant.pk):
        context = {"form": form, "most": roster.MOST_ROWS, "most_an_hour": MOST_AN_HOUR}
        if not form.is_bound or not form.is_valid() or form.roster is None:
            return _page(request, context, refused=form.is_bound)
        if form.roster.faults:
            return _page(request, {**context, "faults": list(roster.told(form.roster.faults))}, refused=True)
        invitees, members, invited = sorted_out(form.roster.invitees)
        if "confirmed" not in request.POST or not invitees:
            preview = {
                "text": form.text,
                "guessed": form.guessed,
                "count": len(invitees),
                "members": members,
                "invited": invited,
                "rows": [
                    {"name": invitee.name, "email": invitee.email, "roles": labels(invitee.roles)}
                    for invitee in invitees
                ],
            }
            return _page(request, {**context, "preview": preview}, refused=False)
        try:
            services.invite_all(invitees, by=request.person.pk)
        except Refusal as refused:
            return _page(request, {**context, "refusal": refused}, refused=True)
    count = len(invitees)
    said = ngettext("{count} invitation is on its way.", "{count} invitations are on their way.", count)
    messages.success(request, said.format(count=count))
    return redirect("people-list", tenant=request.tenant.slug)


def invitation_act(request: TenantRequest, pk: UUID, act: str) -> HttpResponse:
    """Send it again, or take it back."""
    if act not in _ACTS:
        raise NotHere
    with acting_for(request.tenant.pk):
        row = Invitation.objects.filter(pk=pk).first()
        if row is None:
            raise NotHere
        try:
            _ACTS[act](pk, by=request.person.pk)
        except (InvitationOver, InvitedTooOften) as refused:
            messages.warning(request, f"{refused} {refused.advice}")
        else:
            said = (
                _("The invitation goes to {email} once more.")
                if act == "resend"
                else _("The invitation of {email} is withdrawn; its link is dead.")
            )
            messages.success(request, said.format(email=row.email))
    return redirect("people-list", tenant=request.tenant.slug)


def sorted_out(invitees: tuple[Invitee, ...]) -> tuple[list[Invitee], list[str], list[str]]:
    """Who is to be invited, who belongs here already, and who is invited already."""
    emails = [invitee.email for invitee in invitees]
    members, invited = emails_of_members(emails), emails_invited(emails)
    known = {*members, *invited}
    return [invitee for invitee in invitees if invitee.email not in known], members, invited


def _page(request: TenantRequest, context: dict[str, object], *, refused: bool) -> HttpResponse:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if refused else HTTPStatus.OK
    return render(request, "people/import.html", context, status=status)
