"""What a policy may limit: rows, each with its bounds; a tenant sets the number, never the code."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class Limit:
    slug: str
    label: str | Promise
    hint: str | Promise
    unit: str | Promise
    least: int
    most: int

    def of(self, limits: Mapping[str, Any]) -> int | None:
        """What a policy's `limits` set it to; None where nothing is limited."""
        value = limits.get(self.slug)
        return value if isinstance(value, int) else None


LIMITS = (
    Limit(
        "longest_days",
        _("Longest validity"),
        _("Certificates end after this time at the latest, also where the profile allows more."),
        _("days"),
        1,
        3650,
    ),
    Limit("most_names", _("Most names"), _("How many alternative names one certificate may have."), _("names"), 1, 100),
    Limit(
        "most_open",
        _("Open requests"),
        _("How many unfinished requests of this kind one person may have at the same time."),
        _("requests"),
        1,
        1000,
    ),
)
