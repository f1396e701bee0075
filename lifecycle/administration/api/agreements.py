"""Agreements for programs: their texts in every language and version, publishing the next, and who agreed to which."""

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from lifecycle.administration.agreement_forms import LANGUAGES, AgreementForm
from lifecycle.administration.agreement_reviews import acceptances_of, free_slug, newest_text, review, text_of, uses
from lifecycle.administration.api.showing import DRY_RUN, ReachedSerializer, reached
from lifecycle.policies.models import FALLBACK, AgreementAcceptance, SubscriberAgreement
from lifecycle.policies.services import LONGEST_AGREEMENT, LONGEST_TITLE, publish_agreement
from portal.foundation.api.bodies import judged, posted, taken
from portal.foundation.api.endpoint import Endpoint
from portal.foundation.api.lists import PAGING, Listing, page_serializer, parameters_of
from portal.foundation.api.seeing import TAKES_TAG, demand_seen
from portal.foundation.lists import narrowing
from portal.foundation.tenancy.errors import NotHere


class AgreementSerializer(serializers.Serializer[Any]):
    """One version in one language, without its text."""

    id = serializers.UUIDField()
    agreement = serializers.CharField(help_text="Its name in addresses, the same in all languages.")
    language = serializers.CharField()
    version = serializers.IntegerField()
    title = serializers.CharField()
    made_at = serializers.DateTimeField()
    made_by = serializers.CharField(allow_blank=True, help_text="A person's id, or which part of the portal it was.")


class AgreementInFullSerializer(AgreementSerializer):
    text = serializers.CharField()


class UseSerializer(serializers.Serializer[Any]):
    profile = serializers.CharField()
    operation = serializers.CharField()


AGREEMENTS = page_serializer(AgreementSerializer, "Agreement")


class AgreementDetailSerializer(serializers.Serializer[Any]):
    agreement = serializers.CharField()
    texts = AgreementSerializer(many=True, help_text="The newest version in each language.")
    uses = UseSerializer(many=True, help_text="Which policies ask for it.")


class AgreementChangeSerializer(serializers.Serializer[Any]):
    title = serializers.CharField(max_length=LONGEST_TITLE)
    text = serializers.CharField(
        max_length=LONGEST_AGREEMENT,
        trim_whitespace=False,
        help_text="An empty line begins a new paragraph. Markup is shown as it is written.",
    )
    dry_run = serializers.BooleanField(default=False, help_text=DRY_RUN)


class ComparedLineSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(["inserted", "deleted", "kept"])
    text = serializers.CharField(allow_blank=True)


class AgreementReviewSerializer(serializers.Serializer[Any]):
    saved = serializers.BooleanField(help_text="False after a dry run.")
    lines = ComparedLineSerializer(
        many=True, help_text="What is different; empty for a first version, and for long texts."
    )
    compared = serializers.BooleanField(help_text="False for a first version, and for texts too long to compare.")
    reached = ReachedSerializer(many=True)
    agreement = AgreementInFullSerializer(
        allow_null=True, help_text="As it is now; null after a dry run of a first version."
    )


class AcceptanceSerializer(serializers.Serializer[Any]):
    person = serializers.UUIDField()
    request = serializers.UUIDField()
    language = serializers.CharField()
    version = serializers.IntegerField()
    at = serializers.DateTimeField()


class AcceptanceFilters(narrowing.Filters):
    BESIDES = {"q": "A request's number, or a part of a person's name."}

    def __init__(self, asked: Any) -> None:
        super().__init__(asked)
        del self.fields["sort"]


def plain(text: SubscriberAgreement) -> dict[str, Any]:
    return {
        "id": str(text.pk),
        "agreement": text.slug,
        "language": text.language,
        "version": text.version,
        "title": text.title,
        "made_at": text.made_at.isoformat(),
        "made_by": text.made_by,
    }


def in_full(text: SubscriberAgreement) -> dict[str, Any]:
    return {**plain(text), "text": text.text}


def _rows(rows: list[SubscriberAgreement]) -> Iterator[dict[str, Any]]:
    return map(plain, rows)


def _newest() -> QuerySet[SubscriberAgreement]:
    newest = SubscriberAgreement.objects.order_by("slug", "language", "-version").distinct("slug", "language")
    return SubscriberAgreement.objects.filter(pk__in=newest.values("pk"))


@extend_schema_view(
    get=extend_schema(
        operation_id="agreements_list",
        summary="List agreements",
        parameters=PAGING,
        responses=AGREEMENTS,
    ),
    post=extend_schema(
        operation_id="agreements_make",
        summary="Write a new agreement",
        description="First in English, which everybody falls back to. It counts where a policy asks for it.",
        request=AgreementChangeSerializer,
        responses={200: AgreementReviewSerializer, 201: AgreementReviewSerializer},
    ),
)
class AgreementList(Listing):
    """The newest version of each in each language."""

    def get(self, _request: Request) -> Response:
        return self.page(_newest(), _rows, by="slug", descending=False)

    def post(self, request: Request) -> Response:
        given = taken(request.data, AgreementChangeSerializer)
        answer, made = _written(self, given, "", FALLBACK, None)
        return _response(self, answer, made)


@extend_schema_view(
    get=extend_schema(operation_id="agreements_read", summary="Read an agreement", responses=AgreementDetailSerializer)
)
class AgreementDetail(Endpoint):
    """Its languages, and the policies that ask for it."""

    def get(self, _request: Request, agreement: str) -> Response:
        texts = list(_newest().filter(slug=agreement).order_by("language"))
        if not texts:
            raise NotHere
        asked_by = sorted(uses().get(agreement, set()))
        return Response(
            {
                "agreement": agreement,
                "texts": list(_rows(texts)),
                "uses": [{"profile": profile, "operation": operation} for profile, operation in asked_by],
            }
        )


@extend_schema_view(
    get=extend_schema(
        operation_id="agreements_read_text",
        summary="Read an agreement in one language",
        responses=AgreementInFullSerializer,
    ),
    put=extend_schema(
        operation_id="agreements_publish",
        summary="Publish an agreement's next version in one language",
        description=(
            "Whoever submits a request from now on agrees to it. The first version in a language needs no If-Match, "
            f"every other one does. Languages: {', '.join(LANGUAGES)}."
        ),
        request=AgreementChangeSerializer,
        responses={200: AgreementReviewSerializer, 201: AgreementReviewSerializer},
        extensions=TAKES_TAG,
    ),
)
class AgreementText(Endpoint):
    """Its newest version."""

    def get(self, _request: Request, agreement: str, language: str) -> Response:
        found = newest_text(agreement, language)
        if found is None:
            raise NotHere
        return Response(in_full(found))

    def put(self, request: Request, agreement: str, language: str) -> Response:
        given = taken(request.data, AgreementChangeSerializer)
        before = newest_text(agreement, language)
        known = SubscriberAgreement.objects.filter(slug=agreement).exists()
        if before is None and not (known and language in LANGUAGES):
            raise NotHere
        demand_seen(request, in_full(before) if before else None)
        answer, made = _written(self, given, agreement, language, before)
        return Response(answer) if before else _response(self, answer, made)


def _written(
    endpoint: Endpoint, given: dict[str, Any], slug: str, language: str, before: SubscriberAgreement | None
) -> tuple[dict[str, Any], SubscriberAgreement | None]:
    """Review and, unless it is a dry run, publish; return what is answered, and the version that was made."""
    form = judged(AgreementForm(posted({"title": given["title"], "text": given["text"]})))
    title, text, seen = form.cleaned_data["title"], form.cleaned_data["text"], before.version if before else 0
    told = review(slug, before=before, title=title, text=text, seen=seen)
    made = None
    if not given["dry_run"]:
        made = publish_agreement(
            slug=slug or free_slug(title),
            language=language,
            title=title,
            text=text,
            seen=seen,
            by=endpoint.asked.person.pk,
        )
    now = made or before
    kinds = {"ins": "inserted", "del": "deleted", "": "kept"}
    answer = {
        "saved": made is not None,
        "lines": [{"kind": kinds[kind], "text": line} for kind, line in told.lines],
        "compared": before is not None and not told.too_long,
        "reached": reached(endpoint.asked, told.reached),
        "agreement": in_full(now) if now else None,
    }
    return answer, made


def _response(endpoint: Endpoint, answer: dict[str, Any], made: SubscriberAgreement | None) -> Response:
    """Say where a first version is."""
    if made is None:
        return Response(answer)
    names = {"tenant": endpoint.asked.tenant.slug, "agreement": made.slug, "language": made.language}
    return Response(answer, status=201, headers={"Location": reverse("api-agreement-text", kwargs=names)})


@extend_schema_view(
    get=extend_schema(
        operation_id="agreements_versions",
        summary="List an agreement's versions in one language",
        parameters=PAGING,
        responses=AGREEMENTS,
    )
)
class AgreementVersions(Listing):
    """Newest first."""

    def get(self, _request: Request, agreement: str, language: str) -> Response:
        found = SubscriberAgreement.objects.filter(slug=agreement, language=language)
        if not found.exists():
            raise NotHere
        return self.page(found, _rows, by="version", descending=True)


@extend_schema_view(
    get=extend_schema(
        operation_id="agreements_read_version",
        summary="Read a version of an agreement",
        responses=AgreementInFullSerializer,
    )
)
class AgreementVersion(Endpoint):
    """The text that was agreed to then."""

    def get(self, _request: Request, agreement: str, language: str, version: int) -> Response:
        return Response(in_full(text_of(agreement, language, version)))


@extend_schema_view(
    get=extend_schema(
        operation_id="agreements_acceptances",
        summary="List who accepted a version",
        parameters=parameters_of(AcceptanceFilters),
        responses=page_serializer(AcceptanceSerializer, "Acceptance"),
    )
)
class AgreementAcceptances(Listing):
    """Who agreed when, for which request; newest first."""

    def get(self, _request: Request, agreement: str, language: str, version: int) -> Response:
        filters = AcceptanceFilters(self.request.query_params)
        wanted = self.request.query_params.get("q", "").replace("\0", "").strip()[: narrowing.LONGEST]
        found = acceptances_of(text_of(agreement, language, version), wanted)
        return self.page(found, _accepted, by="at", descending=True, filters=filters)


def _accepted(rows: list[AgreementAcceptance]) -> list[dict[str, Any]]:
    return [
        {
            "person": str(row.person_id),
            "request": str(row.certificate_request),
            "language": row.language,
            "version": row.version,
            "at": row.at.isoformat(),
        }
        for row in rows
    ]
