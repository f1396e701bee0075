"""Requests for programs: the lists, one of them, and what happens to it as a whole."""

from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from lifecycle.requests import reviewing, services
from lifecycle.requests.errors import CommentNeeded
from lifecycle.requests.kinds import MEANING, Kind
from lifecycle.wizards.api.showing import RequestDetailSerializer, RequestSerializer, in_full, rows
from lifecycle.wizards.entering import begun_from
from lifecycle.wizards.request_lists import RequestFilters
from lifecycle.wizards.request_pages import request_of
from portal.foundation.api.bodies import NothingSerializer, taken
from portal.foundation.api.endpoint import Endpoint
from portal.foundation.api.errors import Invalid, fault
from portal.foundation.api.lists import Listing, page_serializer, parameters_of


class BeginSerializer(serializers.Serializer[Any]):
    """What to begin: an operation on a certificate, or a first certificate of a profile."""

    kind = serializers.ChoiceField([kind.value for kind in Kind])
    certificate = serializers.UUIDField(required=False, help_text="For operations that start from a certificate.")
    profile = serializers.SlugField(required=False, max_length=40, help_text="For first certificates.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        needed, other = ("certificate", "profile")
        if not MEANING[Kind(attrs["kind"])].starts_from_certificate:
            needed, other = other, needed
        faults = [fault(f"/{needed}", "required", _("This kind of request needs it."))] if needed not in attrs else []
        if other in attrs:
            faults.append(fault(f"/{other}", "unknown", _("This kind of request has no use for it.")))
        if faults:
            raise Invalid(faults)
        return attrs


@extend_schema_view(
    get=extend_schema(
        operation_id="requests_list",
        summary="List requests",
        parameters=parameters_of(RequestFilters),
        responses=page_serializer(RequestSerializer, "Request"),
    ),
    post=extend_schema(
        operation_id="requests_begin",
        summary="Begin a request",
        description="Begins a draft, or goes on with the one that this person left behind for the same certificate.",
        request=BeginSerializer,
        responses={201: RequestDetailSerializer},
        examples=[
            OpenApiExample("First", value={"kind": "issue", "profile": "desktop-signing"}, request_only=True),
        ],
    ),
)
class RequestList(Listing):
    """Those that the person may see."""

    def get(self, _request: Request) -> Response:
        filters = RequestFilters(self.asked, "", "")
        return self.page(filters.found(), rows, by="made_at", descending=filters.sort == "-asked", filters=filters)

    def post(self, request: Request) -> Response:
        given = taken(request.data, BeginSerializer)
        draft = begun_from(
            self.asked, Kind(given["kind"]), certificate=given.get("certificate"), profile=given.get("profile", "")
        )
        where = reverse("api-request", kwargs={"tenant": self.asked.tenant.slug, "pk": draft.pk})
        shown = in_full(self.asked, request_of(self.asked, draft.pk))
        return Response(shown, status=201, headers={"Location": where})


@extend_schema_view(
    get=extend_schema(operation_id="requests_read", summary="Read a request", responses=RequestDetailSerializer)
)
class RequestDetail(Endpoint):
    """Where it stands, what it waits for, and what the caller may do with it."""

    def get(self, _request: Request, pk: UUID) -> Response:
        return Response(in_full(self.asked, request_of(self.asked, pk)))


@extend_schema_view(
    post=extend_schema(
        operation_id="requests_withdraw",
        summary="Withdraw a request",
        description="As long as the authority has not begun with it.",
        request=NothingSerializer,
        responses=RequestDetailSerializer,
    )
)
class RequestWithdrawal(Endpoint):
    """Its owner gives it up."""

    def post(self, request: Request, pk: UUID) -> Response:
        taken(request.data, NothingSerializer)
        request_of(self.asked, pk)
        services.withdraw(pk, by=self.asked.person.pk)
        return Response(in_full(self.asked, request_of(self.asked, pk)))


class ReviewSerializer(serializers.Serializer[Any]):
    verdict = serializers.ChoiceField(["approve", "reject"])
    comment = serializers.CharField(
        required=False, allow_blank=True, max_length=1000, default="", help_text="Needed to reject."
    )


@extend_schema_view(
    post=extend_schema(
        operation_id="requests_review",
        summary="Approve or reject a request",
        request=ReviewSerializer,
        responses={201: RequestDetailSerializer},
    )
)
class RequestReviews(Endpoint):
    """A reviewer's word, once each, and never on a request of one's own."""

    def post(self, request: Request, pk: UUID) -> Response:
        given = taken(request.data, ReviewSerializer)
        request_of(self.asked, pk)
        if given["verdict"] == "reject" and not given["comment"].strip():
            raise CommentNeeded
        judge = {"approve": reviewing.approve, "reject": reviewing.reject}[given["verdict"]]
        judge(pk, by=self.asked.person.pk, comment=given["comment"])
        return Response(in_full(self.asked, request_of(self.asked, pk)), status=201)
