"""Whether JSON has the types that a serializer's document promises, before anything turns one type into another."""

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from portal.foundation.api.errors import fault

_TEXTS = (
    serializers.CharField,
    serializers.ChoiceField,
    serializers.DateField,
    serializers.DateTimeField,
    serializers.DecimalField,
    serializers.UUIDField,
)


def misfits(field: serializers.Field[Any, Any, Any, Any], value: Any, pointer: str = "") -> Iterator[dict[str, str]]:
    """Complain of every place of *value* that has another type than *field* says, or that it does not know.

    What may be null, missing or empty is the field's own to judge.
    """
    if value is None or field.read_only:
        return
    match field:
        case serializers.Serializer():
            yield from _of_object(field, value, pointer)
        case serializers.ListSerializer() | serializers.ListField() if isinstance(value, list):
            for at, inner in enumerate(value):
                yield from misfits(field.child, inner, f"{pointer}/{at}")
        case serializers.MultipleChoiceField() if isinstance(value, list):
            if not all(isinstance(each, str) for each in value):
                yield _wrong(pointer, _("Only texts stand in this list."))
        case serializers.ListSerializer() | serializers.ListField() | serializers.MultipleChoiceField():
            yield _wrong(pointer, _("A list is wanted here."))
        case serializers.BooleanField():
            if not isinstance(value, bool):
                yield _wrong(pointer, _("true or false is wanted here."))
        case serializers.IntegerField():
            whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            if isinstance(value, bool) or not whole:
                yield _wrong(pointer, _("A whole number is wanted here."))
        case _ if isinstance(field, _TEXTS) and not isinstance(value, str):
            yield _wrong(pointer, _("A text is wanted here."))


def _of_object(field: serializers.Serializer[Any], value: Any, pointer: str) -> Iterator[dict[str, str]]:
    if not isinstance(value, dict):
        yield fault(pointer, "not-an-object", _("One JSON object is wanted here."))
        return
    for name, inner in value.items():
        place = f"{pointer}/{escaped(str(name))}"
        known = field.fields.get(name)
        if known is None or known.read_only:
            yield fault(place, "unknown", _("There is no such field."))
        else:
            yield from misfits(known, inner, place)


def escaped(name: str) -> str:
    """One part of an RFC 6901 pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def _wrong(pointer: str, words: str) -> dict[str, str]:
    return fault(pointer, "wrong-type", words)
