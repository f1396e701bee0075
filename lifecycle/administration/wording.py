"""The rules as pages show them: operations, settings and their values in words, no decisions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from auth2fa.registry import FACTORS, factor_of
from lifecycle.authorities.models import Trust
from lifecycle.policies.asks import Asks
from lifecycle.policies.limits import FACTOR_SETTINGS, LIMITS, Limit
from lifecycle.requests.kinds import Kind

Text = str | Promise


@dataclass(frozen=True, slots=True)
class Operation:
    slug: str
    title: Text
    hint: Text

    @property
    def is_available(self) -> bool:
        """Whether this release can carry it out; what is not can be set, and counts from the day it can."""
        return self.slug in set(Kind)


OPERATIONS = {
    each.slug: each
    for each in (
        Operation("issue", gettext_lazy("Issue"), gettext_lazy("A first certificate: new names, new key")),
        Operation("rekey", gettext_lazy("Rekey"), gettext_lazy("New key, same names, same end")),
        Operation("reissue", gettext_lazy("Reissue"), gettext_lazy("A new copy of the same product")),
        Operation("renew", gettext_lazy("Renew"), gettext_lazy("New key, the next full period")),
        Operation("revoke", gettext_lazy("Revoke"), gettext_lazy("Ends a certificate before its time")),
        Operation("recover", gettext_lazy("Recover key"), gettext_lazy("Gives an archived key back")),
    )
}

TRUST_TITLES: dict[str, Text] = {
    Trust.PUBLIC_TLS: gettext_lazy("Publicly trusted TLS"),
    Trust.PUBLIC_SMIME: gettext_lazy("Publicly trusted e-mail"),
    Trust.PRIVATE: gettext_lazy("Private trust"),
}
TRUST_HINTS: dict[str, Text] = {
    Trust.PUBLIC_TLS: gettext_lazy("The Baseline Requirements for TLS bind it, and no administrator lifts them."),
    Trust.PUBLIC_SMIME: gettext_lazy("The Baseline Requirements for S/MIME bind it, and no administrator lifts them."),
    Trust.PRIVATE: gettext_lazy("Your own rules; where the public ones say otherwise, you are told what you give up."),
}

FACTOR_STRENGTH: dict[str, tuple[Text, Text]] = {
    "email-code": (gettext_lazy("weaker"), gettext_lazy("Whoever reads the mailbox reads the code.")),
    "totp": (gettext_lazy("stronger"), gettext_lazy("Only the person's own device has it, and it reaches no mailbox.")),
}
"""In a word beside the factor's name, and why."""
FACTOR_ORDER = ("", "email-code", "totp")
"""From the weakest on; a factor that is not named here is taken to be the strongest."""

FIELD_TITLES: dict[str, Text] = {
    "enabled": gettext_lazy("Allowed"),
    "factor": gettext_lazy("Second factor"),
    "approvals": gettext_lazy("Approvals"),
    "proves_control": gettext_lazy("Domain control"),
    "checks_caa": gettext_lazy("CAA check"),
    "corroborates": gettext_lazy("Perspectives"),
    "agreement": gettext_lazy("Agreement"),
    **{f"limits.{limit.slug}": limit.label for limit in LIMITS},
    **{f"factor_settings.{limit.slug}": limit.label for limit in FACTOR_SETTINGS},
}
_LIMITS: dict[str, Limit] = {
    **{f"limits.{limit.slug}": limit for limit in LIMITS},
    **{f"factor_settings.{limit.slug}": limit for limit in FACTOR_SETTINGS},
}


def factor_title(slug: str) -> str:
    """The name of a second factor; one that was taken out of the code keeps its slug."""
    if not slug:
        return _("None")
    return str(factor_of(slug, {}).label) if slug in FACTORS else slug


def factor_strength(slug: str) -> int:
    return FACTOR_ORDER.index(slug) if slug in FACTOR_ORDER else len(FACTOR_ORDER)


def value_word(field: str, value: Any, agreements: Mapping[str, str]) -> str:
    """One setting's value in words; *agreements* are titles by slug."""
    if field in _LIMITS:
        limit = _LIMITS[field]
        nothing = _("Not limited") if field.startswith("limits.") else _("As usual")
        return nothing if value is None else f"{value} {limit.unit}"
    match field:
        case "enabled":
            return _("Allowed") if value else _("Off")
        case "factor":
            return factor_title(value)
        case "approvals":
            return _("None") if not value else ngettext("{n} approval", "{n} approvals", value).format(n=value)
        case "proves_control" | "checks_caa" | "corroborates":
            return _("On") if value else _("Off")
        case _:
            return agreements.get(value, value) if value else _("Not asked")


@dataclass(frozen=True, slots=True)
class Change:
    """One cell of the matrix that changes, as the review and the history show it."""

    label: str
    before: str
    after: str
    gives_up: str = ""
    operation: str = ""
    field: str = ""


def changes(operation: str, before: Asks, after: Asks, agreements: Mapping[str, str]) -> list[Change]:
    """From what to what, field by field, with what a laxer setting gives up."""
    title = str(OPERATIONS[operation].title)
    return [
        Change(
            f"{title}: {FIELD_TITLES[field]}",
            value_word(field, old, agreements),
            value_word(field, new, agreements),
            given_up(field, old, new),
            operation,
            field,
        )
        for field, old, new in before.differences(after)
        if field in FIELD_TITLES
    ]


def given_up(field: str, old: Any, new: Any) -> str:
    """What a laxer setting gives up (requirements section 8); empty where it is stricter, or as strict."""
    match field:
        case "factor":
            return _weaker_factor(old, new)
        case "proves_control" | "checks_caa" | "corroborates" | "agreement":
            slack = bool(old) and not new
        case "approvals" | "factor_settings.digits":
            slack = _shrinks(old, new)
        case _:
            slack = _grows(old, new)
    return str(_GIVEN_UP[field]) if slack and field in _GIVEN_UP else ""


_GIVEN_UP: dict[str, Text] = {
    "approvals": gettext_lazy("Fewer people look at a request before it is carried out."),
    "proves_control": gettext_lazy("Whoever may ask is given a certificate for any name, theirs or not."),
    "corroborates": gettext_lazy("What one network sees is believed, also where somebody bends its routes or its DNS."),
    "checks_caa": gettext_lazy("Owners of domains are no longer heard when they say who may issue for them."),
    "agreement": gettext_lazy("Subscribers no longer promise how they keep their key."),
    "factor_settings.tries": gettext_lazy("A code can be guessed at more often."),
    "factor_settings.lifetime": gettext_lazy("A code that somebody else got hold of works longer."),
    "factor_settings.digits": gettext_lazy("A shorter code is easier to guess."),
    "limits.longest_days": gettext_lazy("A key that was stolen unnoticed can be used longer."),
    "limits.most_names": gettext_lazy("One key can stand for more names."),
    "limits.most_open": gettext_lazy("One person can have more requests under way."),
}


def _weaker_factor(old: str, new: str) -> str:
    if factor_strength(new) >= factor_strength(old):
        return ""
    if not new:
        return _("Whoever sits at a screen that somebody left signed in can do this alone.")
    return _("Whoever reads the person's mailbox can confirm in their place.")


def _grows(old: Any, new: Any) -> bool:
    return type(old) is int and (new is None or new > old)


def _shrinks(old: Any, new: Any) -> bool:
    return type(old) is int and (new is None or new < old)


def rows_of(asks: Asks, agreements: Mapping[str, str]) -> list[tuple[Text, str]]:
    """Everything that a policy sets beyond its columns in the matrix: limits and the factor's settings."""
    named = {
        **{f"factor_settings.{slug}": value for slug, value in asks.factor_settings.items()},
        **{f"limits.{slug}": value for slug, value in asks.limits.items()},
    }
    return [
        (FIELD_TITLES[field], value_word(field, value, agreements))
        for field, value in named.items()
        if field in FIELD_TITLES
    ]


def in_a_row(words: Iterable[object]) -> str:
    return ", ".join(map(str, words))
