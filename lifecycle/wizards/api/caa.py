"""The CAA adviser for programs: what the DNS says about a name, the verdict for every profile, and what would be."""

from typing import Any
from uuid import UUID

from django.urls import reverse
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from lifecycle.validation import advice, surveying, surveys
from lifecycle.validation.account import account_uri
from lifecycle.validation.advice import LONGEST_LINE, MOST_LINES
from lifecycle.validation.errors import SurveyUnanswered, UnreadableLine
from lifecycle.validation.models import CaaSurvey
from lifecycle.wizards.domain_ledger import verdicts
from lifecycle.wizards.domain_ledger.adviser import NameForm, WhatIfForm, survey_of
from portal.foundation import clock
from portal.foundation.api.bodies import judged, posted, taken
from portal.foundation.api.endpoint import Endpoint
from portal.foundation.api.errors import Invalid, fault
from portal.foundation.tenancy.models import Tenant


class NameSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=320, help_text="A host, a wildcard, a mailbox, or @ and a domain.")


class WhatIfSerializer(serializers.Serializer[Any]):
    records = serializers.CharField(
        allow_blank=True,
        trim_whitespace=False,
        max_length=MOST_LINES * LONGEST_LINE // 10,
        help_text="Lines of a zone file; they take the place of what stands on their labels.",
    )


class LevelSerializer(serializers.Serializer[Any]):
    """One label of the name, from itself towards the root.  Records are a stranger's text."""

    label = serializers.CharField()  # type: ignore[assignment]
    records = serializers.ListField(child=serializers.CharField())
    alias = serializers.CharField(allow_blank=True)
    remark = serializers.CharField(allow_blank=True)
    decides = serializers.BooleanField(help_text="Whether its records are those that count.")


class VerdictSerializer(serializers.Serializer[Any]):
    """What the records mean for one profile."""

    profile = serializers.CharField(help_text="Its title.")
    permitted = serializers.BooleanField()
    sentence = serializers.CharField()
    next_step = serializers.CharField(allow_blank=True)
    publish = serializers.CharField(allow_blank=True, help_text="The record that would permit it.")
    clause = serializers.CharField(allow_blank=True)


class OnlyOursSerializer(serializers.Serializer[Any]):
    """Records that let one authority issue, for this organisation alone."""

    authority = serializers.CharField()
    records = serializers.ListField(child=serializers.CharField())


class SurveySerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    asked_at = serializers.DateTimeField()
    answered_at = serializers.DateTimeField(allow_null=True, help_text="Null while it is being looked up.")
    account = serializers.CharField(help_text="The organisation's account URI (RFC 8657).")
    levels = LevelSerializer(many=True)
    verdicts = VerdictSerializer(many=True)
    only_ours = OnlyOursSerializer(many=True)


class ImaginedSerializer(serializers.Serializer[Any]):
    verdicts = VerdictSerializer(many=True)


def plain(tenant: Tenant, survey: CaaSurvey) -> dict[str, Any]:
    now, done = clock.now(), survey.answered_at is not None
    said = verdicts.verdicts_of(tenant, survey.name, surveying.found_by(survey), now) if done else []
    ours = verdicts.only_ours(tenant, survey.name, now) if done else []
    return {
        "id": str(survey.pk),
        "name": survey.name,
        "asked_at": survey.asked_at.isoformat(),
        "answered_at": survey.answered_at.isoformat() if survey.answered_at else None,
        "account": account_uri(tenant),
        "levels": [
            {
                "label": level.label,
                "records": level.records,
                "alias": level.alias,
                "remark": level.remark,
                "decides": level.decides,
            }
            for level in verdicts.levels_of(survey)
        ],
        "verdicts": [_verdict(each) for each in said],
        "only_ours": [
            {"authority": authority, "records": [each.line for each in records]} for authority, records in ours
        ],
    }


def _verdict(said: verdicts.Verdict) -> dict[str, Any]:
    return {
        "profile": said.title,
        "permitted": said.status.tone == "good",
        "sentence": said.sentence,
        "next_step": said.next_step,
        "publish": said.publish.line if said.publish else "",
        "clause": said.clause,
    }


@extend_schema_view(
    post=extend_schema(
        operation_id="caa_surveys_ask",
        summary="Ask what CAA records say about a name",
        description="Answers at once; read the survey until `answered_at` is there. "
        "One of a moment ago is answered again.",
        request=NameSerializer,
        responses={202: SurveySerializer},
        examples=[OpenApiExample("Host", value={"name": "www.example.com"}, request_only=True)],
    )
)
class SurveyList(Endpoint):
    def post(self, request: Request) -> Response:
        given = taken(request.data, NameSerializer)
        name = judged(NameForm(posted(given))).cleaned_data["name"]
        survey = surveys.ask(name, by=self.asked.person.pk)
        where = reverse("api-caa-survey", kwargs={"tenant": self.asked.tenant.slug, "pk": survey.pk})
        return Response(plain(self.asked.tenant, survey), status=202, headers={"Location": where})


@extend_schema_view(
    get=extend_schema(operation_id="caa_surveys_read", summary="Read a survey", responses=SurveySerializer)
)
class SurveyDetail(Endpoint):
    """What stands on every label, and what that means for every profile."""

    def get(self, _request: Request, pk: UUID) -> Response:
        return Response(plain(self.asked.tenant, survey_of(pk)))


@extend_schema_view(
    post=extend_schema(
        operation_id="caa_surveys_imagine",
        summary="Ask what other records would mean",
        description="Publishes nothing and looks nothing up.",
        request=WhatIfSerializer,
        responses=ImaginedSerializer,
    )
)
class SurveyThoughts(Endpoint):
    def post(self, request: Request, pk: UUID) -> Response:
        given = taken(request.data, WhatIfSerializer)
        survey = survey_of(pk)
        if survey.answered_at is None:
            raise SurveyUnanswered(name=survey.name)
        text = judged(WhatIfForm(posted(given))).cleaned_data["records"]
        try:
            found = advice.imagined(survey.name, text, stands=verdicts.stands(survey))
        except UnreadableLine as refused:
            raise Invalid([fault("/records", refused.code, f"{refused} {refused.advice}")]) from None
        said = verdicts.verdicts_of(self.asked.tenant, survey.name, found, clock.now())
        return Response({"verdicts": [_verdict(each) for each in said]})
