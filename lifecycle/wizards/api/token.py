"""What a program may know of itself: whose token it uses, where, and what for."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.foundation.access.permissions import Permission
from portal.foundation.access.scopes import SCOPES
from portal.foundation.api.endpoint import Endpoint


class TenantSerializer(serializers.Serializer[Any]):
    slug = serializers.CharField(help_text="Its name in addresses.")
    name = serializers.CharField()


class BearerSerializer(serializers.Serializer[Any]):
    """The person for whom the program acts."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    email = serializers.CharField()


class TokenSerializer(serializers.Serializer[Any]):
    tenant = TenantSerializer()
    person = BearerSerializer()
    name = serializers.CharField(help_text="What the token was made for.")
    prefix = serializers.CharField(help_text="How it begins; by that its person knows it again.")
    scopes = serializers.ListField(child=serializers.ChoiceField(list(SCOPES)))
    expires_at = serializers.DateTimeField()
    permissions = serializers.ListField(
        child=serializers.ChoiceField([permission.value for permission in Permission]),
        help_text="What both the scopes and the person's roles allow now.",
    )


@extend_schema_view(
    get=extend_schema(operation_id="token_read", summary="Read the token itself", responses=TokenSerializer)
)
class Token(Endpoint):
    """Whose it is, and what it is good for at this moment."""

    def get(self, _request: Request) -> Response:
        asked, token = self.asked, self.token
        return Response(
            {
                "tenant": {"slug": asked.tenant.slug, "name": asked.tenant.name},
                "person": {"id": str(asked.person.pk), "name": asked.person.name, "email": asked.person.email},
                "name": token.name,
                "prefix": token.prefix,
                "scopes": [scope for scope in token.scopes if scope in SCOPES],
                "expires_at": token.expires_at.isoformat(),
                "permissions": sorted(asked.seat.permissions),
            }
        )
