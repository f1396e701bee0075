"""The filters of a list: a form that is sent with GET, and a chip for each of them to take it back.

What is not understood narrows nothing and says why beside its field; the list is shown
all the same, since an address that somebody kept must not stop working.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.foundation.access.models import User

ANY = ("", gettext_lazy("Any"))
LONGEST = 250


class Filters(forms.Form):
    """Base of them all; the sort order stands last."""

    SORTS: Sequence[tuple[str, Any]] = ()
    DEFAULT_SORT = ""
    BESIDES: ClassVar[Mapping[str, str]] = {}
    """Parameters that narrow as well and have their field elsewhere on the page, with a line about each."""

    def __init__(self, asked: Mapping[str, str]) -> None:
        # a NUL is nothing a database can be asked for
        super().__init__({name: value.replace("\0", "")[:LONGEST] for name, value in asked.items()})
        choices = [("", gettext_lazy("What fits")), *self.SORTS]
        self.fields["sort"] = forms.ChoiceField(label=_("Order"), required=False, choices=choices)

    def chosen(self, name: str) -> Any:
        """The valid answer to one filter, or nothing."""
        self.is_valid()
        return self.cleaned_data.get(name) or ""

    @property
    def sort(self) -> str:
        return str(self.chosen("sort") or self.DEFAULT_SORT)

    @property
    def chips(self) -> list[dict[str, Any]]:
        """What the list is narrowed to, in words."""
        return [
            {"param": name, "label": field.label, "value": self._word(name, field)}
            for name, field in self.fields.items()
            if name != "sort" and self.chosen(name)
        ]

    def _word(self, name: str, field: forms.Field) -> Any:
        value = self.chosen(name)
        if isinstance(field, forms.ChoiceField):
            return dict(field.choices).get(value, value)  # type: ignore[arg-type]
        if isinstance(value, date):
            return f"{value:%Y-%m}" if isinstance(field, MonthField) else value.isoformat()
        return value


class DayField(forms.DateField):
    def __init__(self, label: Any) -> None:
        widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
        super().__init__(label=label, required=False, input_formats=["%Y-%m-%d"], widget=widget)


class MonthField(forms.DateField):
    def __init__(self, label: Any) -> None:
        widget = forms.DateInput(format="%Y-%m", attrs={"type": "month"})
        super().__init__(label=label, required=False, input_formats=["%Y-%m"], widget=widget)


class PersonField(forms.CharField):
    """Somebody by their e-mail address; where several people have it, the first who came."""

    def __init__(self, label: Any) -> None:
        help_text = gettext_lazy("Their e-mail address")
        super().__init__(label=label, required=False, max_length=254, help_text=help_text)


def person_with(address: str) -> UUID:
    """Whose address it is, or nobody's id: a stranger and a person without rows here look the same."""
    found = User.objects.filter(email=address.strip()).order_by("pk").values_list("pk", flat=True).first()
    return found or UUID(int=0)


def beginning(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def day_after(day: date) -> date:
    """The next day; the last one there is stays."""
    return day if day == date.max else day + timedelta(days=1)


def month_after(day: date) -> date:
    """The first of the next month; after the last month there is, its last day."""
    if (day.year, day.month) == (date.max.year, 12):
        return date.max
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)
