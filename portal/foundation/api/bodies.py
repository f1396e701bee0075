"""What programs send, read by the forms and serializers that say what is asked for.

The rules are the forms' that people fill in, so there is one set of them; here JSON is put into their shape, and
what they complain of is told by RFC 6901 pointers.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from rest_framework import serializers

from portal.foundation.api.errors import Invalid, fault

Form = TypeVar("Form", bound=forms.BaseForm)


def taken(body: Any, serializer: type[serializers.Serializer[Any]], **kwargs: Any) -> dict[str, Any]:
    """Return *body* as *serializer* reads it; raise `Invalid`, also for a field that it does not know."""
    if not isinstance(body, dict):
        raise Invalid([fault("", "not-an-object", _("One JSON object is wanted here."))])
    reading = serializer(data=body, **kwargs)
    unknown = sorted(str(name) for name in body if name not in reading.fields)
    faults = [fault(f"/{_escaped(name)}", "unknown", _("There is no such field.")) for name in unknown]
    if not reading.is_valid():
        faults += faults_of(reading.errors)
    if faults:
        raise Invalid(faults)
    return dict(reading.validated_data)


def judged(form: Form, *, prefix: str = "") -> Form:
    """Return *form* if it is valid; raise `Invalid` with everything that it complains of."""
    if form.is_valid():
        return form
    faults = []
    for name, errors in form.errors.as_data().items():
        pointer = f"{prefix}/{_escaped(name)}" if name != "__all__" else prefix
        faults += [fault(pointer, str(error.code or ""), message) for error in errors for message in error.messages]
    raise Invalid(faults)


def posted(body: Mapping[str, Any]) -> QueryDict:
    """The fields of a JSON object in the shape in which a browser would post them: lists whole, null as empty."""
    data = QueryDict(mutable=True)
    for name, value in body.items():
        data.setlist(name, value if isinstance(value, list) else ["" if value is None else value])
    return data


def faults_of(errors: Any, pointer: str = "") -> list[dict[str, str]]:
    """What rest_framework complains of, one entry for each place."""
    return list(_walked(errors, pointer))


def _walked(errors: Any, pointer: str) -> Iterator[dict[str, str]]:
    if isinstance(errors, Mapping):
        for name, inner in errors.items():
            yield from _walked(inner, pointer if name == "non_field_errors" else f"{pointer}/{_escaped(str(name))}")
    elif isinstance(errors, Sequence) and not isinstance(errors, str):
        for inner in errors:
            yield from _walked(inner, pointer)
    else:
        yield fault(pointer, getattr(errors, "code", ""), errors)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
