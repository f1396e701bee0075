"""What programs read and send of the journal."""

from typing import Any

from rest_framework import serializers

from portal.foundation.lists.narrowing import LONGEST
from portal.web.journal.words import SENTENCES


class JournalLineSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    at = serializers.DateTimeField()
    actor = serializers.CharField(help_text="A person's id, or which part of the portal it was.")
    actor_name = serializers.CharField()
    code = serializers.CharField(help_text="thing:deed")
    subject = serializers.CharField()
    said = serializers.CharField(help_text="The line as a sentence.")
    facts = serializers.DictField()


class SealSerializer(serializers.Serializer[Any]):
    """Its place in the chain."""

    row = serializers.IntegerField()
    previous = serializers.CharField(help_text="Seal of the line before, hexadecimal.")
    digest = serializers.CharField(help_text="Seal of this line, hexadecimal.")


class CheckpointSerializer(serializers.Serializer[Any]):
    """The signed statement that covers it."""

    row = serializers.IntegerField()
    at = serializers.DateTimeField()
    key = serializers.CharField(help_text="Fingerprint of the key, hexadecimal.")


class JournalLineDetailSerializer(JournalLineSerializer):
    digest = serializers.CharField(help_text="SHA-256 of the line, hexadecimal.")
    intact = serializers.BooleanField(help_text="Whether the line says what was digested.")
    seal = SealSerializer(allow_null=True, help_text="Null for the second or two until it is sealed.")
    checkpoint = CheckpointSerializer(allow_null=True, help_text="Null until one covers it, within five minutes.")
    before = serializers.UUIDField(allow_null=True)
    after = serializers.UUIDField(allow_null=True)


class JournalVerificationSerializer(serializers.Serializer[Any]):
    line = serializers.UUIDField(help_text="The line of the journal that says so.")
    at = serializers.DateTimeField()
    intact = serializers.BooleanField()
    rows = serializers.IntegerField()
    checkpoints = serializers.IntegerField()
    signed_to = serializers.IntegerField(help_text="Up to which row a checkpoint vouches for it.")
    finding = serializers.CharField(allow_null=True, help_text="Which row is not as it was written, and how.")


class JournalStandingSerializer(serializers.Serializer[Any]):
    rows = serializers.IntegerField()
    signed_to = serializers.IntegerField()
    unsigned_since = serializers.DateTimeField(allow_null=True, help_text="When the first unsigned line was written.")
    verified = JournalVerificationSerializer(allow_null=True, help_text="The newest verification.")
    verifying = serializers.BooleanField(help_text="Whether a worker is at it.")
    notice = serializers.CharField(allow_null=True, help_text="What a reader must know first.")


class JournalExportingSerializer(serializers.Serializer[Any]):
    """The filters of the list; without any, all of the journal."""

    since = serializers.DateField(required=False, help_text="From this day on.")
    until = serializers.DateField(required=False, help_text="This day included.")
    who = serializers.CharField(required=False, max_length=LONGEST)
    deed = serializers.ChoiceField(sorted(SENTENCES), required=False)
    about = serializers.CharField(required=False, max_length=LONGEST)
    words = serializers.CharField(required=False, max_length=LONGEST)


class JournalExportSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(help_text="The line of the journal that says so.")
    whole = serializers.BooleanField()
    file = serializers.CharField(help_text="The address of the file.")
    until = serializers.DateTimeField(help_text="Until when the file can be had.")
