"""Lists: what they are narrowed by, and the page that a cursor names.

The filters are the ones of the pages (`portal.foundation.lists`).  What a page shrugs off, a program is told: a filter
that is misspelt would otherwise narrow nothing, and the program would take everything for what it asked for.
"""

from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.response import Response

from portal.foundation.api.bodies import judged
from portal.foundation.api.endpoint import Endpoint
from portal.foundation.api.errors import Invalid, fault
from portal.foundation.lists.narrowing import Filters
from portal.foundation.lists.paging import is_cursor, page_of

MOST = 100
_PAGING = {"after", "before", "limit"}


class Listing(Endpoint):
    """An address that lists."""

    def page(
        self,
        rows: QuerySet[Any],
        shown: Callable[[list[Any]], Iterable[dict[str, Any]]],
        *,
        by: str,
        descending: bool,
        filters: Filters | None = None,
    ) -> Response:
        """Answer the page that the query asks for; *shown* makes what is answered of its rows."""
        self.judge_query(lambda text: is_cursor(text, rows.model, by), filters)
        page = page_of(rows, by=by, descending=descending, asked=self.request.query_params, size=self.limit)
        return self.answered(shown(page.rows), before=page.before, after=page.after)

    @property
    def limit(self) -> int:
        """How many rows a page has; only after `judge_query`."""
        return int(self.request.query_params.get("limit", 25))

    def answered(self, rows: Iterable[dict[str, Any]], *, before: str | None, after: str | None) -> Response:
        """Answer a page, in whatever way it was read."""
        return Response(
            {"results": list(rows), "next": self._address("after", after), "previous": self._address("before", before)}
        )

    def judge_query(self, fits: Callable[[str], bool], filters: Filters | None) -> None:
        """Raise `Invalid` for a parameter that is unknown, or is not as it is asked for; *fits* judges cursors."""
        asked = self.request.query_params
        known = _PAGING | set(filters.fields if filters else ()) | set(filters.BESIDES if filters else ())
        faults = [fault(name, "unknown", _("There is no such parameter.")) for name in sorted(set(asked) - known)]
        faults += [
            fault(name, "empty", _("Leave it out where it shall narrow nothing."))
            for name in sorted(known & set(asked) - _PAGING)
            if not asked[name].strip()
        ]
        faults += [
            fault(name, "no-cursor", _("Take cursors from “next” and “previous”."))
            for name in ("after", "before")
            if name in asked and not fits(asked[name])
        ]
        limit = asked.get("limit", "25")
        if not (limit.isascii() and limit.isdigit() and len(limit) < 4 and 1 <= int(limit) <= MOST):  # noqa: PLR2004
            faults.append(fault("limit", "out-of-range", _("From 1 to {most}.").format(most=MOST)))
        if faults:
            raise Invalid(faults)
        if filters is not None:
            judged(filters)

    def _address(self, way: str, cursor: str | None) -> str | None:
        if cursor is None:
            return None
        query = self.request.query_params.copy()
        for name in ("after", "before"):
            query.pop(name, None)
        query[way] = cursor
        return f"{self.request.path}?{query.urlencode()}"


def page_serializer(row: type[serializers.Serializer[Any]], name: str) -> serializers.Serializer[Any]:
    """What a page of *row* looks like, for the schema; *name* is the plural."""
    fields = {
        "results": row(many=True),
        "next": serializers.CharField(allow_null=True, help_text="Address of the next page; null on the last."),
        "previous": serializers.CharField(allow_null=True, help_text="Address of the page before; null on the first."),
    }
    made: type[serializers.Serializer[Any]] = type(f"{name}PageSerializer", (serializers.Serializer,), fields)
    return made()


def parameters_of(filters: type[Filters]) -> list[OpenApiParameter]:
    """The filters of a list as parameters of its query, for the schema."""
    narrowing = [_parameter(name, field) for name, field in filters.base_fields.items()]
    besides = [OpenApiParameter(name, str, description=text) for name, text in filters.BESIDES.items()]
    sorts = OpenApiParameter("sort", str, enum=[slug for slug, _label in filters.SORTS], description="The order.")
    return [*besides, *narrowing, *([sorts] if filters.SORTS else []), *PAGING]


def _parameter(name: str, field: forms.Field) -> OpenApiParameter:
    choices = [str(slug) for slug, _label in getattr(field, "choices", ()) if slug]
    is_day = isinstance(field, forms.DateField) and field.input_formats == ["%Y-%m-%d"]
    kind: Any = OpenApiTypes.DATE if is_day else str if choices else {"type": "string", "pattern": r"\S"}
    return OpenApiParameter(name, kind, enum=choices or None, description=str(field.help_text or field.label or ""))


PAGING = [
    OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": MOST, "default": 25}, description="Rows."),
    OpenApiParameter("after", str, description="Cursor out of “next”."),
    OpenApiParameter("before", str, description="Cursor out of “previous”."),
]
