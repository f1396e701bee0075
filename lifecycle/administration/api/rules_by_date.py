"""“Rules by date” for programs: what the rules change when, and how much of the organisation each change reaches."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from lifecycle.administration import rules_by_date
from lifecycle.administration.reach import reach_of
from lifecycle.administration.rules_by_date import Change, Touches
from lifecycle.authorities.models import CertificateProfile
from lifecycle.validation.methods import day_of
from portal.foundation import clock
from portal.foundation.api.endpoint import Endpoint


class DatedChangeSerializer(serializers.Serializer[Any]):
    slug = serializers.CharField()
    day = serializers.DateField(help_text="From its beginning in UTC on.")
    touches = serializers.ChoiceField([each.value for each in Touches])
    sentence = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    before = serializers.IntegerField(allow_null=True)
    after = serializers.IntegerField()
    in_force = serializers.BooleanField()
    reach = serializers.CharField(allow_blank=True, help_text="Of what is still to come; empty where it reaches none.")


class RulesByDateSerializer(serializers.Serializer[Any]):
    changes = DatedChangeSerializer(many=True)


@extend_schema_view(
    get=extend_schema(
        operation_id="rules_by_date_read", summary="Read what the rules change when", responses=RulesByDateSerializer
    )
)
class RulesByDate(Endpoint):
    """In the order of their days, those that are over among them."""

    def get(self, _request: Request) -> Response:
        today = day_of(clock.now())
        counting, profiles = rules_by_date.in_force(today), CertificateProfile.objects.all_in_force()

        def shown(change: Change) -> dict[str, Any]:
            return {
                "slug": change.slug,
                "day": change.day.isoformat(),
                "touches": change.touches.value,
                "sentence": str(change.said),
                "source": change.source,
                "before": change.before,
                "after": change.after,
                "in_force": change.slug in counting,
                "reach": reach_of(change, profiles).said if change.day > today else "",
            }

        return Response({"changes": [shown(change) for change in rules_by_date.changes()]})
