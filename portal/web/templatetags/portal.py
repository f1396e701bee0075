"""What templates need Python for: files of the front end, icons, numbers and moments as people read them."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from django import template
from django.contrib.staticfiles import finders
from django.http import QueryDict
from django.templatetags.static import static
from django.utils import dateformat
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from portal.foundation import clock

register = template.Library()

_SHORT_FROM = 12  # hexadecimal digits; anything shorter is shown whole


class FrontEndNotBuilt(Exception):
    """There is no such file in the build of the front end; `npm run build` in static/ makes it."""


@cache
def _manifest() -> Mapping[str, str]:
    found = finders.find("manifest.json")
    if not isinstance(found, str):
        raise FrontEndNotBuilt("static/dist/manifest.json is missing: run `npm ci && npm run build` in static/")
    names: dict[str, str] = json.loads(Path(found).read_text())
    return names


@register.simple_tag
def asset(name: str) -> str:
    """Return the address of a file of the front end, with its content's digest in the name."""
    return static(_manifest()[name])


@register.simple_tag
@cache  # a list draws a hundred, of a dozen kinds
def icon(name: str) -> SafeString:
    """Draw a symbol of icons.svg.  It is never spoken: a word stands beside it or in the control's label."""
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        asset("icons.svg"),
        name,
    )


def _digits(value: int | bytes | str) -> str:
    """Return *value* as hexadecimal digits in pairs."""
    digits = f"{value:X}" if isinstance(value, int) else value.hex() if isinstance(value, bytes) else value
    digits = digits.replace(":", "").upper()
    return digits if len(digits) % 2 == 0 else f"0{digits}"


@register.filter
def colons(value: int | bytes | str) -> str:
    """Write a serial or a fingerprint in full: `5C:1E:…:09:A2`."""
    digits = _digits(value)
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))


@register.filter
def breakable(value: object) -> SafeString:
    """Let a long code break behind its colons, and not within a pair of digits."""
    return mark_safe(conditional_escape(str(value)).replace(":", ":<wbr>"))  # noqa: S308 - escaped just now


@register.filter
def short(value: int | bytes | str) -> str:
    """Write a serial or a fingerprint so that it can be recognised: `5C:1E…09:A2`."""
    digits = _digits(value)
    if len(digits) < _SHORT_FROM:
        return colons(digits)
    return f"{colons(digits[:4])}…{colons(digits[-4:])}"


@register.filter
def initials(name: str) -> str:
    """Return the letters for somebody's mark: of the first and the last word."""
    words = str(name).split()
    return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper()


@register.inclusion_tag("components/lifeline.html")
def lifeline(
    not_before: datetime,
    not_after: datetime,
    opens: datetime | None = None,
    *,
    over: bool = False,
    tall: bool = False,
) -> dict[str, Any]:
    """Draw a validity: what is spent, where renewal opens, and today.  *over*: revoked, so nothing runs any more."""
    now = clock.now()
    whole = max((not_after - not_before).total_seconds(), 1.0)

    def share(moment: datetime) -> float:
        return min(max((moment - not_before).total_seconds() / whole * 100, 0.0), 100.0)

    spent = share(now)
    ended = over or now >= not_after
    window = share(opens) if opens else None
    return {
        "spent": f"{spent:.1f}%",
        "window": None if window is None else f"{window:.1f}%",
        "window_width": None if window is None else f"{100 - window:.1f}%",
        "over": ended,
        "tall": tall,
        "anchor": "start" if spent < 15 else "end" if spent > 85 else "middle",  # noqa: PLR2004 - per cent
        "left": _("It is over") if ended else _("Today, {left}").format(left=time_left(not_after)),
    }


_SPANS = (
    (timedelta(days=2), timedelta(days=1), lambda n: ngettext("%d day left", "%d days left", n) % n),
    (timedelta(hours=2), timedelta(hours=1), lambda n: ngettext("%d hour left", "%d hours left", n) % n),
    (timedelta(), timedelta(minutes=1), lambda n: ngettext("%d minute left", "%d minutes left", n) % n),
)
_SPANS_AGO = (
    (timedelta(days=2), timedelta(days=1), lambda n: ngettext("%d day ago", "%d days ago", n) % n),
    (timedelta(hours=2), timedelta(hours=1), lambda n: ngettext("%d hour ago", "%d hours ago", n) % n),
    (timedelta(minutes=2), timedelta(minutes=1), lambda n: ngettext("%d minute ago", "%d minutes ago", n) % n),
    (timedelta(), timedelta(seconds=1), lambda n: ngettext("%d second ago", "%d seconds ago", n) % n),
)


def _in_words(span: timedelta, table: tuple[tuple[timedelta, timedelta, Any], ...]) -> str:
    return next(str(words(span // unit)) for least, unit, words in table if span >= least)


@register.simple_tag
def time_left(until: datetime) -> str:
    """Say how far away *until* is: `6 days left`; `3 days ago` when it has passed."""
    span = until - clock.now()
    return _in_words(span, _SPANS) if span >= timedelta() else _in_words(-span, _SPANS_AGO)


_STYLES = {
    "day": pgettext_lazy("date format", "j F Y"),
    "short-day": pgettext_lazy("date format", "j M Y"),
    "minute": pgettext_lazy("date format", "j M Y, H:i"),
    "clock": pgettext_lazy("date format", "H:i"),
    "second": pgettext_lazy("date format", "H:i:s"),
    "exact": gettext_lazy("Y-m-d H:i:s \\U\\T\\C"),
}


@register.simple_tag
def moment(value: datetime | None, style: str = "minute") -> str:
    """Write a moment as a `time` element, in UTC; nothing for none.

    Styles: `day`, `short-day`, `minute`, `clock` (no day), and with seconds `second` and `exact`.
    """
    if value is None:
        return ""
    at = value.astimezone(UTC)
    return format_html(
        '<time datetime="{}">{}</time>', at.strftime("%Y-%m-%dT%H:%M:%SZ"), dateformat.format(at, str(_STYLES[style]))
    )


@register.simple_tag
def seconds_until(moment_: datetime) -> int:
    """Return the whole seconds from now until then, at least 0; for a count-down."""
    return max(int((moment_ - clock.now()).total_seconds()), 0)


@register.simple_tag
def query(params: QueryDict, *changes: object) -> str:
    """Return *params* as a query string with pairs of name and value put in; the value None takes one out.

    `{% query request.GET "sort" "name" "after" None %}`
    """
    changed = params.copy()
    for name, value in zip(changes[::2], changes[1::2], strict=True):
        changed.pop(str(name), None)
        if value is not None:
            changed[str(name)] = str(value)
    return f"?{changed.urlencode()}"


@register.inclusion_tag("components/sort_head.html")
def sort_head(params: QueryDict, key: str, label: str, sort: str = "", *, optional: bool = False) -> dict[str, Any]:
    """Draw a column's head whose link sorts by *key*; *sort* is the order in force, `-key` for descending."""
    rising, falling = sort == key, sort == f"-{key}"
    return {
        "label": label,
        "optional": optional,
        "direction": "ascending" if rising else "descending" if falling else "",
        "url": query(params, "sort", f"-{key}" if rising else key, "after", None, "before", None),
    }
