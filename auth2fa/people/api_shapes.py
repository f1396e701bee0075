"""What programs read and send of people."""

from typing import Any

from rest_framework import serializers

from auth2fa.people import roster
from portal.foundation.access.invitations import LONGEST_ADDRESS
from portal.foundation.access.permissions import Role
from portal.foundation.access.words import LONGEST_NAME

ROLES = [role.value for role in Role if role is not Role.OPERATOR]


def _roles(**kwargs: Any) -> serializers.ListField:
    return serializers.ListField(child=serializers.ChoiceField(ROLES), **kwargs)


class EntrySerializer(serializers.Serializer[Any]):
    """A member, or an invitation that waits."""

    id = serializers.UUIDField(help_text="Of the person or, where `kind` says so, of the invitation.")
    kind = serializers.ChoiceField(["person", "invitation"])
    name = serializers.CharField()
    email = serializers.CharField()
    roles = _roles()
    state = serializers.ChoiceField(["active", "suspended", "invited", "lapsed"])


class PersonSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    email = serializers.CharField()
    roles = _roles()
    state = serializers.ChoiceField(["active", "suspended"])
    account_since = serializers.DateTimeField()


class RolesSerializer(serializers.Serializer[Any]):
    roles = _roles(min_length=1, max_length=len(ROLES))


class InviteSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=LONGEST_NAME)
    email = serializers.CharField(max_length=LONGEST_ADDRESS, help_text="Becomes their user name.")
    roles = _roles(min_length=1, max_length=len(ROLES))


class InvitationSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    email = serializers.CharField()
    roles = _roles()
    state = serializers.ChoiceField(["waiting", "lapsed", "taken", "withdrawn"])
    invited_by = serializers.UUIDField()
    invited_at = serializers.DateTimeField()
    sent_at = serializers.DateTimeField(allow_null=True, help_text="Of the newest mail.")
    expires_at = serializers.DateTimeField()
    taken_by = serializers.UUIDField(allow_null=True)


class ImportSerializer(serializers.Serializer[Any]):
    rows = serializers.CharField(
        max_length=roster.LARGEST,
        trim_whitespace=False,
        help_text=(
            f"CSV whose first line names the columns name, email and roles; at most {roster.MOST_ROWS} people, "
            "several roles of one with | between them."
        ),
    )
    dry_run = serializers.BooleanField(default=False, help_text="Say what would happen, and do nothing.")


class InviteeSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    email = serializers.CharField()
    roles = _roles()


class ImportedSerializer(serializers.Serializer[Any]):
    saved = serializers.BooleanField(help_text="False after a dry run, and where nobody was left to invite.")
    people = InviteeSerializer(many=True, help_text="Who is invited.")
    members = serializers.ListField(child=serializers.CharField(), help_text="Who belongs here already.")
    invited = serializers.ListField(child=serializers.CharField(), help_text="Whose invitation waits already.")
