"""What a policy may limit or set: rows, each with its bounds; a tenant sets the number, never the code."""

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

FACTOR_SETTINGS = (
    Limit("digits", _("Length of a code"), _("Longer codes are harder to guess."), _("digits"), 6, 10),
    Limit("lifetime", _("A code lapses after"), _("Five minutes where this is empty."), _("seconds"), 30, 600),
    Limit(
        "tries", _("Tries"), _("Wrong codes until the question is void; five where this is empty."), _("tries"), 1, 10
    ),
    Limit(
        "cool_down",
        _("Pause between codes"),
        _("Before another code can be sent; one minute where this is empty."),
        _("seconds"),
        0,
        3600,
    ),
    Limit(
        "sends_per_hour",
        _("Codes in an hour"),
        _("How many codes one person is sent; five where this is empty."),
        _("codes"),
        1,
        60,
    ),
)
"""What `auth2fa.protocol.Limits` and its kin take (0.R37); a test holds the two together."""
