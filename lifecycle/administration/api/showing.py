"""What programs are told of a change of the rules, whichever rules: what changes, and whom it reaches."""

from collections.abc import Iterable
from typing import Any

from rest_framework import serializers

from lifecycle.administration.impact import Reached
from portal.foundation.access.permissions import Permission
from portal.foundation.tenancy.middleware import TenantRequest

DRY_RUN = "Say what would happen, and do nothing."


class NumberedSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    number = serializers.CharField()


class ReachedSerializer(serializers.Serializer[Any]):
    """A sentence about whom the change reaches, with some of the requests where the token may see requests."""

    sentence = serializers.CharField()
    requests = NumberedSerializer(many=True)


class DifferenceSerializer(serializers.Serializer[Any]):
    """One field, as people read it."""

    field = serializers.CharField()
    title = serializers.CharField()
    before = serializers.CharField(allow_blank=True)
    after = serializers.CharField(allow_blank=True)


def reached(asked: TenantRequest, found: Iterable[Reached]) -> list[dict[str, Any]]:
    sees = Permission.REQUEST_READ_ALL in asked.seat.permissions
    return [
        {
            "sentence": each.sentence,
            "requests": [{"id": str(row.pk), "number": row.number} for row in each.requests] if sees else [],
        }
        for each in found
    ]
