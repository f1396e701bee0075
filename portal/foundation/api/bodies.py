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
from portal.foundation.api.shapes import escaped, misfits

Form = TypeVar("Form", bound=forms.BaseForm)


class NothingSerializer(serializers.Serializer[Any]):
    """An empty object: the address says it all."""


def taken(body: Any, serializer: type[serializers.Serializer[Any]], **kwargs: Any) -> dict[str, Any]:
    """Return *body* as *serializer* reads it.

    Raises `Invalid`, also for a field that it does not know, and for a value that rest_framework would turn into the
    right type: who sends `"5"` for a number finds out today, and not when somebody sends `"five"`.
    """
    reading = serializer(data=body, **kwargs)
    faults = list(misfits(reading, body))
    if not reading.is_valid():
        told = {each["pointer"] for each in faults}
        faults += [each for each in faults_of(reading.errors) if each["pointer"] not in told]
    if faults:
        raise Invalid(faults)
    return dict(reading.validated_data)


def judged(form: Form, *, prefix: str = "") -> Form:
    """Return *form* if it is valid; raise `Invalid` with everything that it complains of."""
    if form.is_valid():
        return form
    faults = []
    for name, errors in form.errors.as_data().items():
        pointer = f"{prefix}/{escaped(name)}" if name != "__all__" else prefix
        faults += [fault(pointer, str(error.code or ""), message) for error in errors for message in error.messages]
    raise Invalid(faults)


def posted(body: Mapping[str, Any]) -> QueryDict:
    """The fields of a JSON object in the shape in which a browser would post them: lists whole, null as empty.

    Raises `Invalid` for an object within it, and for a list in a list: no form asks for one.
    """
    data = QueryDict(mutable=True)
    faults = []
    for name, value in body.items():
        values = value if isinstance(value, list) else [value]
        if any(isinstance(each, (dict, list)) for each in values):
            faults.append(fault(f"/{escaped(name)}", "wrong-type", _("Nothing is nested here.")))
        data.setlist(name, ["" if each is None else each for each in values])
    if faults:
        raise Invalid(faults)
    return data


def faults_of(errors: Any, pointer: str = "") -> list[dict[str, str]]:
    """What rest_framework complains of, one entry for each place."""
    return list(_walked(errors, pointer))


def _walked(errors: Any, pointer: str) -> Iterator[dict[str, str]]:
    if isinstance(errors, Mapping):
        for name, inner in errors.items():
            yield from _walked(inner, pointer if name == "non_field_errors" else f"{pointer}/{escaped(str(name))}")
    elif isinstance(errors, Sequence) and not isinstance(errors, str):
        for inner in errors:
            yield from _walked(inner, pointer)
    else:
        yield fault(pointer, getattr(errors, "code", ""), errors)
