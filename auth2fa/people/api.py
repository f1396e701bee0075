"""People for programs: who belongs to a tenant and who is invited, inviting, roles, suspension, removal.

What proves a person - password, authenticators - is theirs, and what a page asks an administrator's own password for
is no program's to do (docs/adr/0026).
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django import forms
from django.urls import reverse
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from auth2fa.people import listing
from auth2fa.people.acts import ACTS
from auth2fa.people.api_shapes import (
    EntrySerializer,
    ImportedSerializer,
    ImportSerializer,
    InvitationSerializer,
    InviteSerializer,
    PersonSerializer,
    RolesSerializer,
)
from auth2fa.people.forms import ImportForm, InviteForm, RolesForm
from auth2fa.people.inviting import sorted_out
from auth2fa.people.views import Member, member
from portal.foundation import clock
from portal.foundation.access import services
from portal.foundation.access.invitations import Invitee, offered_roles
from portal.foundation.access.models import Invitation
from portal.foundation.access.permissions import Role
from portal.foundation.api.bodies import NothingSerializer, judged, posted, taken
from portal.foundation.api.endpoint import Endpoint, between_units
from portal.foundation.api.errors import Invalid, fault
from portal.foundation.api.lists import Listing, page_serializer, parameters_of
from portal.foundation.lists import narrowing
from portal.foundation.tenancy.errors import NotHere


class PeopleFilters(narrowing.Filters):
    role = forms.ChoiceField(
        label=gettext_lazy("Role"),
        required=False,
        choices=[narrowing.ANY, *((role.value, role.label) for role in Role if role is not Role.OPERATOR)],
    )
    state = forms.ChoiceField(
        label=gettext_lazy("State"), required=False, choices=[narrowing.ANY, *listing.STATES.items()]
    )

    SORTS = tuple((f"{sign}{name}", f"{sign}{name}") for name in listing.SORTS for sign in ("", "-"))
    DEFAULT_SORT = "name"
    BESIDES = {"q": "A part of the name or the e-mail address."}


def plain(person: Member) -> dict[str, Any]:
    return {
        "id": str(person.person.pk),
        "name": person.person.name,
        "email": person.person.email,
        "roles": sorted(person.roles),
        "state": "suspended" if person.suspended else "active",
        "account_since": person.person.created_at.isoformat(),
    }


def invited(row: Invitation) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "name": row.name,
        "email": row.email,
        "roles": sorted(row.roles),
        "state": _state(row),
        "invited_by": str(row.invited_by),
        "invited_at": row.invited_at.isoformat(),
        "sent_at": row.sent_at.isoformat() if row.sent_at else None,
        "expires_at": row.expires_at.isoformat(),
        "taken_by": str(row.taken_by) if row.taken_by else None,
    }


def _state(row: Invitation) -> str:
    if row.taken_at:
        return "taken"
    if row.withdrawn_at:
        return "withdrawn"
    return "lapsed" if row.expires_at <= clock.now() else "waiting"


@extend_schema_view(
    get=extend_schema(
        operation_id="people_list",
        summary="List people and invitations",
        parameters=parameters_of(PeopleFilters),
        responses=page_serializer(EntrySerializer, "Entry"),
    )
)
class PeopleList(Listing):
    """Who belongs to the organisation, and whose invitation waits, in one list."""

    def get(self, request: Request) -> Response:
        asked = request.query_params
        self.judge_query(listing.is_cursor, PeopleFilters(asked))
        page = listing.page(listing.Wanted.read(asked), asked, size=self.limit)
        return self.answered(map(_entry, page.rows), before=page.before, after=page.after)


def _entry(row: listing.Entry) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "kind": "invitation" if row.invited else "person",
        "name": row.name,
        "email": row.email,
        "roles": sorted(row.roles),
        "state": "lapsed" if row.lapsed else row.state,
    }


@extend_schema_view(
    get=extend_schema(operation_id="people_read", summary="Read a person", responses=PersonSerializer),
    delete=extend_schema(
        operation_id="people_remove",
        summary="Remove a person from the organisation",
        description="Their account, their certificates and what they did stay; submitted requests are finished.",
        responses={204: None},
    ),
)
class PersonDetail(Endpoint):
    """As this organisation knows them."""

    def get(self, _request: Request, pk: UUID) -> Response:
        return Response(plain(member(pk)))

    def delete(self, _request: Request, pk: UUID) -> Response:
        services.remove(pk, by=self.asked.person.pk)
        return Response(status=204)


@extend_schema_view(
    get=extend_schema(operation_id="people_read_roles", summary="Read a person's roles", responses=RolesSerializer),
    put=extend_schema(
        operation_id="people_change_roles",
        summary="Change a person's roles",
        description="The person holds exactly these afterwards, from their next request on.",
        request=RolesSerializer,
        responses=PersonSerializer,
    ),
)
class PersonRoles(Endpoint):
    """What somebody may do here."""

    def get(self, _request: Request, pk: UUID) -> Response:
        return Response({"roles": sorted(member(pk).roles)})

    def put(self, request: Request, pk: UUID) -> Response:
        member(pk)
        form = judged(RolesForm(posted(taken(request.data, RolesSerializer))))
        services.change_roles(pk, [Role(role) for role in form.cleaned_data["roles"]], by=self.asked.person.pk)
        return Response(plain(member(pk)))


@extend_schema_view(
    post=extend_schema(
        operation_id="people_suspend",
        summary="Suspend a person",
        description="They cannot enter any more; their roles, drafts and certificates stay as they are.",
        request=NothingSerializer,
        responses=PersonSerializer,
    )
)
class PersonSuspension(Endpoint):
    """Does nothing to somebody who is suspended already."""

    def post(self, request: Request, pk: UUID) -> Response:
        taken(request.data, NothingSerializer)
        services.suspend(pk, by=self.asked.person.pk)
        return Response(plain(member(pk)))


@extend_schema_view(
    post=extend_schema(
        operation_id="people_unsuspend",
        summary="End a person's suspension",
        request=NothingSerializer,
        responses=PersonSerializer,
    )
)
class PersonReadmission(Endpoint):
    """They can enter again with the roles that they had."""

    def post(self, request: Request, pk: UUID) -> Response:
        taken(request.data, NothingSerializer)
        services.unsuspend(pk, by=self.asked.person.pk)
        return Response(plain(member(pk)))


@extend_schema_view(
    post=extend_schema(
        operation_id="people_sign_out",
        summary="End every session of a person",
        description="Of somebody who belongs to no other organisation. They are told by e-mail.",
        request=NothingSerializer,
        responses=PersonSerializer,
    )
)
class PersonSignOut(Endpoint):
    """They have to sign in again everywhere."""

    @between_units
    def post(self, request: Request, pk: UUID) -> Response:
        taken(request.data, NothingSerializer)
        with self.unit():
            member(pk)  # their own rows are opened only once it is certain that they are one
        ACTS["end-sessions"].do(self.asked.tenant.pk, pk, self.asked.person.pk)
        with self.unit():
            return Response(plain(member(pk)))


@extend_schema_view(
    post=extend_schema(
        operation_id="invitations_make",
        summary="Invite a person",
        description="A link goes to the address; whoever has the mailbox joins by it, and nobody else.",
        request=InviteSerializer,
        responses={201: InvitationSerializer},
    )
)
class Invitations(Endpoint):
    """The only way in."""

    def post(self, request: Request) -> Response:
        given = judged(InviteForm(posted(taken(request.data, InviteSerializer)))).cleaned_data
        roles = [Role(role) for role in given["roles"]]
        row = services.invite(email=given["email"], name=given["name"], roles=roles, by=self.asked.person.pk)
        where = reverse("api-invitation", kwargs={"tenant": self.asked.tenant.slug, "pk": row.pk})
        return Response(invited(row), status=201, headers={"Location": where})


@extend_schema_view(
    post=extend_schema(
        operation_id="invitations_import",
        summary="Invite a file of people",
        description="All of them or none; who belongs here or is invited already is left as they are.",
        request=ImportSerializer,
        responses={200: ImportedSerializer, 201: ImportedSerializer},
    )
)
class InvitationImport(Endpoint):
    """The file that the page takes, with everything that is wrong in it told at once."""

    @between_units
    def post(self, request: Request) -> Response:
        given = taken(request.data, ImportSerializer)
        with self.unit():
            offered = offered_roles()
        # between the units, because a long file takes its time
        form = judged(ImportForm(posted({"rows": given["rows"]}), offered=offered))
        if form.roster is None or form.roster.faults:
            raise Invalid([fault("/rows", "line", str(each)) for each in (form.roster.faults if form.roster else ())])
        with self.unit():
            invitees, members, waiting = sorted_out(form.roster.invitees)
            saved = bool(invitees) and not given["dry_run"]
            if saved:
                services.invite_all(invitees, by=self.asked.person.pk)
        answer = {"saved": saved, "people": list(_told(invitees)), "members": members, "invited": waiting}
        return Response(answer, status=201 if saved else 200)


def _told(invitees: list[Invitee]) -> Iterator[dict[str, Any]]:
    for each in invitees:
        yield {"name": each.name, "email": each.email, "roles": sorted(each.roles)}


@extend_schema_view(
    get=extend_schema(operation_id="invitations_read", summary="Read an invitation", responses=InvitationSerializer)
)
class InvitationDetail(Endpoint):
    """Who was invited as what, and what became of it."""

    def get(self, _request: Request, pk: UUID) -> Response:
        return Response(invited(_invitation(pk)))


@extend_schema_view(
    post=extend_schema(
        operation_id="invitations_resend",
        summary="Send an invitation again",
        request=NothingSerializer,
        responses=InvitationSerializer,
    )
)
class InvitationResending(Endpoint):
    """Its link is good for seven days from now."""

    def post(self, request: Request, pk: UUID) -> Response:
        taken(request.data, NothingSerializer)
        _invitation(pk)
        services.resend(pk, by=self.asked.person.pk)
        return Response(invited(_invitation(pk)))


@extend_schema_view(
    post=extend_schema(
        operation_id="invitations_withdraw",
        summary="Withdraw an invitation",
        request=NothingSerializer,
        responses=InvitationSerializer,
    )
)
class InvitationWithdrawal(Endpoint):
    """Its link is dead at once."""

    def post(self, request: Request, pk: UUID) -> Response:
        taken(request.data, NothingSerializer)
        _invitation(pk)
        services.withdraw(pk, by=self.asked.person.pk)
        return Response(invited(_invitation(pk)))


def _invitation(pk: UUID) -> Invitation:
    found = Invitation.objects.filter(pk=pk).first()
    if found is None:
        raise NotHere
    return found
