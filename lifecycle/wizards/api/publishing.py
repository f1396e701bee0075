"""Publishing ways for programs: listed, added, tried, retired.  A secret goes in and never comes out."""

from collections.abc import Collection, Iterator
from typing import Any
from uuid import UUID

from django.db.models import Count
from django.urls import reverse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from lifecycle.validation.models import Domain, PublishingWay
from lifecycle.validation.publishing import services, tasks
from lifecycle.validation.publishing.services import ALGORITHMS, MOST_TITLE
from lifecycle.validation.publishing.words import words_of
from lifecycle.wizards.domain_ledger.way_forms import KINDS, WayFilters, WayForm
from lifecycle.wizards.domain_ledger.ways import way_of
from portal.foundation.api.bodies import NothingSerializer, judged, posted, taken
from portal.foundation.api.endpoint import Endpoint
from portal.foundation.api.lists import Listing, page_serializer, parameters_of
from portal.foundation.outbox.models import waiting
from portal.foundation.tenancy.context import current_tenant_id


class PublishingWaySerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    title = serializers.CharField()
    kind = serializers.ChoiceField(list(KINDS))
    address = serializers.CharField()
    zone = serializers.CharField(allow_blank=True)
    key_name = serializers.CharField(allow_blank=True)
    algorithm = serializers.CharField(allow_blank=True)
    domains = serializers.IntegerField(help_text="How many name it.")
    made_at = serializers.DateTimeField()
    made_by = serializers.CharField()
    retired_at = serializers.DateTimeField(allow_null=True)
    tried_at = serializers.DateTimeField(allow_null=True, help_text="When it was last used.")
    trying = serializers.BooleanField(help_text="Whether a trial is under way.")
    trouble = serializers.CharField(allow_blank=True, help_text="What its last use met; empty where it succeeded.")
    next_step = serializers.CharField(allow_blank=True)


class AddWaySerializer(serializers.Serializer[Any]):
    title = serializers.CharField(max_length=MOST_TITLE)
    kind = serializers.ChoiceField(list(KINDS))
    address = serializers.CharField(max_length=300)
    zone = serializers.CharField(required=False, allow_blank=True, max_length=255)
    key_name = serializers.CharField(required=False, allow_blank=True, max_length=255)
    algorithm = serializers.ChoiceField(ALGORITHMS, required=False)
    # wanted always: the page makes one and shows it once, and an answer that is kept for a repeated call may hold none
    secret = serializers.CharField(
        max_length=1000, help_text="Base64 of the TSIG key; or the hook's secret, which a program makes itself."
    )


def rows(ways: Collection[PublishingWay]) -> Iterator[dict[str, Any]]:
    using = Domain.objects.filter(publishing__in=ways, retired_at=None).values_list("publishing")
    domains = dict(using.annotate(count=Count("pk")))
    return (plain(way, domains.get(way.pk, 0)) for way in ways)


def in_full(pk: UUID) -> dict[str, Any]:
    """One of them; raises `NotHere`."""
    way = way_of(pk)
    [row] = rows([way])
    return row


def plain(way: PublishingWay, domains: int) -> dict[str, Any]:
    """Needs the way's tenant; *domains* is how many name it."""
    met = words_of(way)
    trying = waiting(current_tenant_id(), tasks.try_way, way.pk).filter(parked_at=None).exists()
    return {
        "id": str(way.pk),
        "title": way.title,
        "kind": way.kind,
        "address": way.address,
        "zone": way.zone,
        "key_name": way.key_name,
        "algorithm": way.algorithm,
        "domains": domains,
        "made_at": way.made_at.isoformat(),
        "made_by": way.made_by,
        "retired_at": way.retired_at.isoformat() if way.retired_at else None,
        "tried_at": way.tried_at.isoformat() if way.tried_at else None,
        "trying": trying,
        "trouble": str(met.sentence) if met else "",
        "next_step": str(met.next_step) if met else "",
    }


@extend_schema_view(
    get=extend_schema(
        operation_id="publishing_ways_list",
        summary="List publishing ways",
        parameters=parameters_of(WayFilters),
        responses=page_serializer(PublishingWaySerializer, "PublishingWay"),
    ),
    post=extend_schema(
        operation_id="publishing_ways_add",
        summary="Add a publishing way",
        description="Contacts nobody: try it next. Its secret is sealed for the publishing worker, and read by nobody.",
        request=AddWaySerializer,
        responses={201: PublishingWaySerializer},
    ),
)
class WayList(Listing):
    """How the portal publishes proofs for the organisation by itself."""

    def get(self, _request: Request) -> Response:
        filters = WayFilters(self.asked.GET)
        return self.page(filters.found(), rows, by="title", descending=filters.sort.startswith("-"), filters=filters)

    def post(self, request: Request) -> Response:
        given = taken(request.data, AddWaySerializer)
        added = services.add_way(judged(WayForm(posted(given))).wanted(), by=self.asked.person.pk)
        where = reverse("api-publishing-way", kwargs={"tenant": self.asked.tenant.slug, "pk": added.way.pk})
        return Response(in_full(added.way.pk), status=201, headers={"Location": where})


@extend_schema_view(
    get=extend_schema(
        operation_id="publishing_ways_read", summary="Read a publishing way", responses=PublishingWaySerializer
    )
)
class WayDetail(Endpoint):
    """With what its last use met."""

    def get(self, _request: Request, pk: UUID) -> Response:
        return Response(in_full(pk))


@extend_schema_view(
    post=extend_schema(
        operation_id="publishing_ways_try",
        summary="Try a publishing way",
        description="A value is published through it and withdrawn again; `trying` says until when.",
        request=NothingSerializer,
        responses={202: PublishingWaySerializer},
    )
)
class WayTrial(Endpoint):
    def post(self, request: Request, pk: UUID) -> Response:
        taken(request.data, NothingSerializer)
        services.try_way(way_of(pk), by=self.asked.person.pk)
        return Response(in_full(pk), status=202)


@extend_schema_view(
    post=extend_schema(
        operation_id="publishing_ways_retire",
        summary="Retire a publishing way",
        description="The domains that name it are published by hand from now on.",
        request=NothingSerializer,
        responses=PublishingWaySerializer,
    )
)
class WayRetirement(Endpoint):
    def post(self, request: Request, pk: UUID) -> Response:
        taken(request.data, NothingSerializer)
        services.retire_way(way_of(pk), by=self.asked.person.pk)
        return Response(in_full(pk))
