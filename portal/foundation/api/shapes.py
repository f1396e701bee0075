"""Whether JSON has the types that a serializer's document promises, before anything turns one type into another."""

from collections.abc import Callable, Iterator
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from portal.foundation.api.errors import fault

Field = serializers.Field[Any, Any, Any, Any]
_Kinds = tuple[type[Any], ...]


def _is_whole(value: Any) -> bool:
    return not isinstance(value, bool) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))


_LISTS = (serializers.ListSerializer, serializers.ListField, serializers.MultipleChoiceField)
_TEXTS = (
    serializers.CharField,
    serializers.ChoiceField,
    serializers.DateField,
    serializers.DateTimeField,
    serializers.DecimalField,
    serializers.UUIDField,
)
_TYPES: tuple[tuple[_Kinds, Callable[[Any], bool], Promise], ...] = (
    # a field of this kind     takes                               and says otherwise
    (_LISTS, lambda value: isinstance(value, list), _("A list is wanted here.")),
    ((serializers.BooleanField,), lambda value: isinstance(value, bool), _("true or false is wanted here.")),
    ((serializers.IntegerField,), _is_whole, _("A whole number is wanted here.")),
    (_TEXTS, lambda value: isinstance(value, str), _("A text is wanted here.")),
)


def misfits(field: Field, value: Any, pointer: str = "") -> Iterator[dict[str, str]]:
    """Complain of every place of *value* that has another type than *field* says, or that it does not know.

    What may be null, missing or empty is the field's own to judge.
    """
    if value is None:
        return
    if isinstance(field, serializers.Serializer):
        yield from _of_object(field, value, pointer)
        return
    for kinds, takes, words in _TYPES:
        if isinstance(field, kinds):
            if not takes(value):
                yield fault(pointer, "wrong-type", words)
            elif kinds is _LISTS:
                yield from _of_list(field, value, pointer)
            return


def _of_list(field: Field, value: list[Any], pointer: str) -> Iterator[dict[str, str]]:
    child = getattr(field, "child", None) or serializers.CharField()  # one choice of several is a text
    for at, inner in enumerate(value):
        yield from misfits(child, inner, f"{pointer}/{at}")


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
