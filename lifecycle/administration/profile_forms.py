"""What an administrator is asked about a profile.  The rules judge; the form only reads."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lifecycle.administration.policy_forms import _BIGGEST_VERSION
from lifecycle.administration.profile_wording import FIELD_TITLES
from lifecycle.administration.starts import STARTS
from lifecycle.administration.wording import TRUST_HINTS, TRUST_TITLES
from lifecycle.authorities.keys import KEY_KINDS
from lifecycle.authorities.names import NAME_KINDS, NAME_TITLES
from lifecycle.authorities.profile_rules import LONGEST_DAYS, LONGEST_VALUE
from lifecycle.authorities.profiles import LABELS, Wish
from lifecycle.authorities.purposes import ASKED, FITTING_USES, PURPOSES, SUBJECT_TITLES, USES
from lifecycle.wizards.identity import printable

_FIXED = tuple(SUBJECT_TITLES)


_GROUPS: dict[Any, tuple[str, ...]] = {
    gettext_lazy("What it is called"): ("title", "about", "area"),
    gettext_lazy("Who issues it, under which rules"): ("trust", "authority"),
    gettext_lazy("Keys, and what they may be used for"): (
        "key_types",
        "key_usage_ec",
        "key_usage_rsa",
        "purposes",
        "other_purposes",
    ),
    gettext_lazy("Whom it names"): (
        "subject",
        "alternative_names",
        "common_name_from",
        *(f"fixed_{name}" for name in _FIXED),
    ),
    gettext_lazy("How long it is valid, and whether its key is kept"): ("days", "krs"),
}


class StartForm(forms.Form):
    """Where a new profile begins: one of the portal's own starts, or a copy of a profile."""

    start = forms.ChoiceField(
        label=gettext_lazy("What is it for?"),
        widget=forms.RadioSelect,
        error_messages={
            "required": gettext_lazy("Choose where the profile begins."),
            "invalid_choice": gettext_lazy("Choose one of the options on the page."),
        },
    )

    def __init__(self, data: Any = None, *, profiles: Mapping[str, str]) -> None:
        super().__init__(data)
        copies = {f"copy:{slug}": _("A copy of {title}").format(title=title) for slug, title in profiles.items()}
        field = self.fields["start"]
        field.choices = [*((slug, start.title) for slug, start in STARTS.items()), *copies.items()]  # type: ignore[attr-defined]
        field.choice_hints = {slug: start.hint for slug, start in STARTS.items()}  # type: ignore[attr-defined]


class Ticks(forms.MultipleChoiceField):
    """Any number of options; one that is not offered is refused in words."""

    one_of_several = True  # whether none may be ticked hangs on the others, so nothing says "optional"

    def __init__(self, label: Any, choices: Any, help_text: Any = "") -> None:
        super().__init__(
            label=label,
            choices=choices,
            required=False,
            help_text=help_text,
            widget=forms.CheckboxSelectMultiple,
            error_messages={
                "invalid_choice": gettext_lazy("Choose among the options on the page."),
                "invalid_list": gettext_lazy("Choose among the options on the page."),
            },
        )


def _line(label: Any, longest: int, help_text: Any = "", **more: Any) -> forms.CharField:
    return forms.CharField(label=label, max_length=longest, help_text=help_text, validators=[printable], **more)


def _uses(family: str) -> Ticks:
    return Ticks(
        FIELD_TITLES[f"key_usage_{family}"],
        [(use, title) for use, title in USES.items() if use in FITTING_USES[family]],
    )


class ProfileForm(forms.Form):
    title = _line(FIELD_TITLES["title"], LABELS["title"], gettext_lazy("What people choose, and what lists show."))
    about = _line(
        FIELD_TITLES["about"],
        LABELS["about"],
        gettext_lazy("One or two sentences for those who choose."),
        required=False,
    )
    area = _line(
        FIELD_TITLES["area"],
        LABELS["area"],
        gettext_lazy("A short name in lower case, whose menu shows the certificates; made of the title where empty."),
        required=False,
    )
    trust = forms.ChoiceField(
        label=gettext_lazy("Trust class"),
        choices=list(TRUST_TITLES.items()),
        widget=forms.RadioSelect,
        error_messages={
            "required": gettext_lazy("Choose a trust class."),
            "invalid_choice": gettext_lazy("Choose one of the trust classes on the page."),
        },
    )
    authority = forms.ChoiceField(
        label=gettext_lazy("Authority"),
        error_messages={
            "required": gettext_lazy("Choose an authority."),
            "invalid_choice": gettext_lazy("Choose one of the authorities on the page."),
        },
    )
    key_types = Ticks(FIELD_TITLES["key_types"], [(kind.slug, kind.title) for kind in KEY_KINDS.values()])
    key_usage_ec = _uses("ec")
    key_usage_rsa = _uses("rsa")
    purposes = Ticks(FIELD_TITLES["purposes"], [(purpose.oid, purpose.title) for purpose in PURPOSES.values()])
    other_purposes = _line(
        gettext_lazy("Further purposes"),
        1000,
        gettext_lazy("Object identifiers with dots, such as 1.3.6.1.4.1.311.20.2.2, with spaces between."),
        required=False,
    )
    subject = Ticks(FIELD_TITLES["subject"], [(name, SUBJECT_TITLES[name]) for name in ASKED])
    common_name_from = forms.ChoiceField(
        label=gettext_lazy("Name is taken from"),
        required=False,
        choices=[("", gettext_lazy("Nowhere: it is asked for, fixed, or left out")), *NAME_TITLES.items()],
        error_messages={"invalid_choice": gettext_lazy("Choose one of the options on the page.")},
    )
    alternative_names = Ticks(FIELD_TITLES["alternative_names"], [(kind, NAME_TITLES[kind]) for kind in NAME_KINDS])
    days = forms.IntegerField(
        label=gettext_lazy("Validity, in days"),
        min_value=1,
        max_value=LONGEST_DAYS,
        widget=forms.NumberInput(attrs={"inputmode": "numeric", "class": "input--half"}),
        error_messages=dict.fromkeys(
            ("required", "invalid", "min_value", "max_value"),
            gettext_lazy("The validity is a whole number of days from 1 to 3650."),
        ),
    )
    krs = forms.BooleanField(
        label=gettext_lazy("Archive the keys, so that they can be recovered (KRS)"),
        required=False,
        help_text=gettext_lazy(
            "Counts for certificates issued from now on. Keys of earlier ones were never archived; archived keys stay."
        ),
    )
    seen = forms.IntegerField(min_value=0, max_value=_BIGGEST_VERSION, required=False, widget=forms.HiddenInput)

    def __init__(
        self,
        data: Any = None,
        *,
        authorities: Mapping[UUID, str],
        begins: Wish | None = None,
        version: int = 0,
        kept: Wish | None = None,
    ) -> None:
        """*begins* fills the form; *kept* is the profile whose trust class and area stay as they are."""
        super().__init__(data, initial={**(_initial(begins) if begins else {}), "seen": version})
        self.kept = kept
        for name in _FIXED:
            longest = 2 if name == "country" else LONGEST_VALUE
            title = _("Always the same: {field}").format(field=SUBJECT_TITLES[name])
            self.fields[f"fixed_{name}"] = _line(title, longest, required=False)
        self.fields["authority"].choices = [("", _("Choose …")), *((str(pk), name) for pk, name in authorities.items())]  # type: ignore[attr-defined]
        self.fields["trust"].choice_hints = TRUST_HINTS  # type: ignore[attr-defined]
        if kept:
            del self.fields["trust"], self.fields["area"]

    def groups(self) -> list[tuple[str, list[forms.BoundField]]]:
        """The fields under headings, in the order in which one decides them."""
        return [(str(title), [self[name] for name in names if name in self.fields]) for title, names in _GROUPS.items()]

    def clean_title(self) -> str:
        return " ".join(str(self.cleaned_data["title"]).split())

    def clean_area(self) -> str:
        area = str(self.cleaned_data.get("area") or "").strip()
        made = area or slugify(self.cleaned_data.get("title", ""))[: LABELS["area"]].strip("-")
        if not made or made != slugify(made):
            raise ValidationError(_("A product area is lower-case letters, digits and hyphens, such as web-servers."))
        return made

    def clean_other_purposes(self) -> list[str]:
        return list(dict.fromkeys(re.split(r"[\s,;]+", self.cleaned_data["other_purposes"].strip()))) or []

    @property
    def wish(self) -> Wish:
        """What a valid form asks for; uses of keys that are not allowed are left out."""
        given = self.cleaned_data
        families = {slug.partition("-")[0] for slug in given["key_types"]}
        fixed = {name: " ".join(given[f"fixed_{name}"].split()) for name in _FIXED if given.get(f"fixed_{name}")}
        content: dict[str, Any] = {
            "about": " ".join(given["about"].split()),
            "key_types": [slug for slug in KEY_KINDS if slug in given["key_types"]],
            "key_usage": {
                family: [use for use in USES if use in given[f"key_usage_{family}"]]
                for family in FITTING_USES
                if family in families
            },
            "extended_key_usages": [
                *(oid for oid in PURPOSES if oid in given["purposes"]),
                *(oid for oid in given["other_purposes"] if oid and oid not in given["purposes"]),
            ],
            "subject": [name for name in ASKED if name in given["subject"]],
            "fixed_subject": fixed,
            "alternative_names": [kind for kind in NAME_KINDS if kind in given["alternative_names"]],
            "common_name_from": given["common_name_from"],
            "days": given["days"],
            "krs": given["krs"],
        }
        return Wish(
            title=given["title"],
            area=self.kept.area if self.kept else given["area"],
            trust=self.kept.trust if self.kept else given["trust"],
            authority=UUID(given["authority"]),
            content=content,
        )


def _initial(wish: Wish) -> dict[str, Any]:
    terms = wish.terms
    return {
        "title": wish.title,
        "about": wish.content.get("about", ""),
        "area": wish.area,
        "trust": wish.trust,
        "authority": str(wish.authority),
        "key_types": list(terms.key_types),
        **{f"key_usage_{family}": list(terms.key_usage.get(family, ())) for family in FITTING_USES},
        "purposes": [oid for oid in terms.extended_key_usages if oid in PURPOSES],
        "other_purposes": " ".join(oid for oid in terms.extended_key_usages if oid not in PURPOSES),
        "subject": list(terms.subject),
        "common_name_from": terms.common_name_from,
        **{f"fixed_{name}": value for name, value in terms.fixed_subject.items()},
        "alternative_names": list(terms.alternative_names),
        "days": terms.days,
        "krs": terms.krs,
    }
