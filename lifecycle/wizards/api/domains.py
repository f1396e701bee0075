"""Domains and mailboxes for programs: the ledger, proving one, looking for the proof, retiring."""

from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from lifecycle.validation import control
from lifecycle.validation.methods import METHODS, ByMail, Method
from lifecycle.validation.models import ControlLook, Domain, PublishingWay
from lifecycle.validation.proofs import standing_of
from lifecycle.wizards.api.domain_shapes import ClaimDetailSerializer, ClaimSerializer, LookSerializer, in_full, looks
from lifecycle.wizards.api.domain_shapes import rows as shown
from lifecycle.wizards.domain_ledger.acts import FIRST, open_attempt
from lifecycle.wizards.domain_ledger.filters import DomainFilters
from lifecycle.wizards.domain_ledger.forms import AddForm, ContactForm, ProveForm, PublishForm
from lifecycle.wizards.domain_ledger.pages import contacts_in, domain_of, newest_look
from portal.foundation import clock
from portal.foundation.api.bodies import NothingSerializer, judged, posted, taken
from portal.foundation.api.endpoint import Endpoint
from portal.foundation.api.errors import Invalid, fault
from portal.foundation.api.lists import PAGING, Listing, page_serializer, parameters_of

_LONGEST_MAILBOX = 254


class AddSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=320, help_text="A domain, or a mailbox.")


class ProveSerializer(serializers.Serializer[Any]):
    method = serializers.ChoiceField(sorted(METHODS))
    sent_to = serializers.CharField(
        required=False, max_length=_LONGEST_MAILBOX, help_text="The mailbox, for methods by mail."
    )
    cname = serializers.BooleanField(required=False, help_text="For `dns-change`: an alias instead of a text record.")


def _judge_what_it_needs(method: Method, given: dict[str, Any]) -> None:
    """Raise `Invalid` for what *method* does not ask for, and a program would wait for in vain."""
    unasked = {"cname"} if method.slug != "dns-change" else set()
    if not isinstance(method, ByMail) or method.slug == "mailbox":
        unasked.add("sent_to")
    given_in_vain = sorted(name for name in unasked if given.get(name))
    if given_in_vain:
        raise Invalid([fault(f"/{name}", "unasked", _("This method does not ask for it.")) for name in given_in_vain])


class PublisherSerializer(serializers.Serializer[Any]):
    way = serializers.UUIDField(allow_null=True, help_text="Null: somebody publishes by hand.")


@extend_schema_view(
    get=extend_schema(
        operation_id="domains_list",
        summary="List domains",
        parameters=parameters_of(DomainFilters),
        responses=page_serializer(ClaimSerializer, "Domain"),
    ),
    post=extend_schema(
        operation_id="domains_add",
        summary="Add a domain or a mailbox",
        description="Nothing is proven yet: begin an attempt next.",
        request=AddSerializer,
        responses={201: ClaimDetailSerializer},
        examples=[OpenApiExample("Domain", value={"name": "example.com"}, request_only=True)],
    ),
)
class DomainList(Listing):
    """What the organisation claims, and how each of it stands."""

    def get(self, _request: Request) -> Response:
        filters = DomainFilters(self.asked)
        by, descending = filters.order
        return self.page(filters.found(), shown, by=by, descending=descending, filters=filters)

    def post(self, request: Request) -> Response:
        given = taken(request.data, AddSerializer)
        form = judged(AddForm(posted(given)))
        method = FIRST.get(form.kind, "dns-change")
        domain = control.add(form.cleaned_data["name"], kind=form.kind, method=method, by=self.asked.person.pk)
        where = reverse("api-domain", kwargs={"tenant": self.asked.tenant.slug, "pk": domain.pk})
        return Response(in_full(domain_of(domain.pk)), status=201, headers={"Location": where})


@extend_schema_view(
    get=extend_schema(operation_id="domains_read", summary="Read a domain", responses=ClaimDetailSerializer)
)
class DomainDetail(Endpoint):
    """How it stands, what proves it, what is to be published, and by which methods it can be proven today."""

    def get(self, _request: Request, pk: UUID) -> Response:
        return Response(in_full(domain_of(pk)))


@extend_schema_view(
    post=extend_schema(
        operation_id="domains_prove",
        summary="Begin to prove a domain",
        description="With a new value; what was begun before is given up. For methods that ask the DNS for a mailbox, "
        "leave `sent_to` out first, and choose one of the attempt's `contacts` once they are known.",
        request=ProveSerializer,
        responses={201: ClaimDetailSerializer},
        examples=[OpenApiExample("Record", value={"method": "dns-change"}, request_only=True)],
    )
)
class DomainAttempts(Endpoint):
    def post(self, request: Request, pk: UUID) -> Response:
        given = taken(request.data, ProveSerializer)
        domain = domain_of(pk)
        method = METHODS[given["method"]]
        _judge_what_it_needs(method, given)
        chosen = given.pop("sent_to", "")
        named_by_dns = isinstance(method, ByMail) and not method.addresses(domain.name)
        if chosen and not named_by_dns:
            given["sent_to"] = chosen
        wanted = judged(ProveForm(posted(given), domain=domain)).wanted()
        if chosen and named_by_dns:
            contacts = contacts_in(newest_look(standing_of(domain, clock.now())))
            wanted["sent_to"] = judged(ContactForm(posted({"sent_to": chosen}), contacts=contacts)).cleaned_data[
                "sent_to"
            ]
        control.begin(domain, by=self.asked.person.pk, **wanted)
        return Response(in_full(domain_of(pk)), status=201)


@extend_schema_view(
    get=extend_schema(
        operation_id="domains_looks",
        summary="List the looks at a domain",
        description="The newest first, each with what every perspective saw.",
        parameters=PAGING,
        responses=page_serializer(LookSerializer, "Look"),
    ),
    post=extend_schema(
        operation_id="domains_look",
        summary="Look for the proof now",
        description="Answers at once; the attempt is “verifying” until every perspective has looked.",
        request=NothingSerializer,
        responses={202: ClaimDetailSerializer},
    ),
)
class DomainLooks(Listing):
    def get(self, _request: Request, pk: UUID) -> Response:
        found = ControlLook.objects.filter(control__domain=domain_of(pk))
        return self.page(found, looks, by="at", descending=True)

    def post(self, request: Request, pk: UUID) -> Response:
        taken(request.data, NothingSerializer)
        control.look_now(open_attempt(domain_of(pk)), by=self.asked.person.pk)
        return Response(in_full(domain_of(pk)), status=202)


@extend_schema_view(
    post=extend_schema(
        operation_id="domains_publishing",
        summary="Choose what publishes a domain's proofs",
        description="Counts from the next attempt on.",
        request=PublisherSerializer,
        responses=ClaimDetailSerializer,
    )
)
class DomainPublishing(Endpoint):
    def post(self, request: Request, pk: UUID) -> Response:
        given = taken(request.data, PublisherSerializer)
        domain, ways = domain_of(pk), list(PublishingWay.objects.filter(retired_at=None))
        judged(PublishForm(posted({"way": str(given["way"] or "")}), ways=ways))
        way = next((each for each in ways if each.pk == given["way"]), None)
        control.publish_by(domain, way, by=self.asked.person.pk)
        return Response(in_full(domain_of(pk)))


class _Turn(Endpoint):
    """An act on a domain as a whole."""

    @staticmethod
    def turn(domain: Domain, *, by: object) -> None:
        raise NotImplementedError

    def post(self, request: Request, pk: UUID) -> Response:
        taken(request.data, NothingSerializer)
        self.turn(domain_of(pk), by=self.asked.person.pk)
        return Response(in_full(domain_of(pk)))


@extend_schema_view(
    post=extend_schema(
        operation_id="domains_retire",
        summary="Retire a domain",
        description="What was proven counts no more, and nobody is warned.",
        request=NothingSerializer,
        responses=ClaimDetailSerializer,
    )
)
class DomainRetirement(_Turn):
    turn = staticmethod(control.retire)


@extend_schema_view(
    post=extend_schema(
        operation_id="domains_revive",
        summary="Take a retired domain up again",
        description="What was proven counts again for as long as it is not too old.",
        request=NothingSerializer,
        responses=ClaimDetailSerializer,
    )
)
class DomainRevival(_Turn):
    turn = staticmethod(control.revive)
