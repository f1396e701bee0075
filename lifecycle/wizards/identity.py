"""What a certificate says: its subject, its further names, how long it lives.

Where the operation locks them (0.R22-0.R24) the same pages show what stays, in fields that
are disabled: whatever is posted for those is not looked at, and nothing of it is kept.
"""

import unicodedata
from collections.abc import Callable, Iterable
from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID
from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from lifecycle.authorities.models import Trust
from lifecycle.authorities.names import NAME_KINDS, NameKind
from lifecycle.policies.rules import LONGEST_LIFE, in_force, limit_of
from lifecycle.requests.kinds import Names, Validity
from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.orders import alternative_names_of, longest_days, subject_of
from lifecycle.wizards.flow import StepForm
from portal.foundation import clock
from portal.foundation.names import UnusableName, is_under_public_suffix, unseen_in

LONGEST_NAME = 64  # RFC 5280 appendix A: ub-common-name, ub-organizational-unit-name
MOST_COMPLAINTS = 10
LONGEST_WRITTEN = 512
"""Of one name as people write it, with its separators: letters can be written in several signs (NFD)."""

MOST_WRITTEN = 4
"""How often each name of a full certificate may be repeated, before the rest is not even read."""

LOCKED = gettext_lazy("A rekey changes the key and nothing else, so this stays as it is and cannot be edited here.")


def printable(text: str) -> None:
    """Refuse what a reader of the certificate could not see: control characters, direction marks, a BOM.

    So is U+FFFD, which stands where an encoding was misunderstood.
    """
    if hidden := unseen_in(text.replace(" ", "")):
        raise ValidationError(_("Leave out characters that cannot be seen: {names}.").format(names=", ".join(hidden)))


class NameField(forms.CharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=LONGEST_NAME, validators=[printable], **kwargs)

    def to_python(self, value: Any) -> str:
        return unicodedata.normalize("NFC", " ".join(str(super().to_python(value)).split()))


SUBJECT_FIELDS: dict[str, Callable[[], forms.Field]] = {
    "common_name": lambda: NameField(
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("The person's full name, as it should stand in signatures."),
    ),
    "organizational_unit": lambda: NameField(
        label=gettext_lazy("Department"), required=False, help_text=gettext_lazy("Leave it empty if there is none.")
    ),
}
"""The fields a profile may ask for, by their name in its terms."""

_ATTRIBUTES: dict[x509.ObjectIdentifier, str | Promise] = {
    NameOID.COUNTRY_NAME: gettext_lazy("Country"),
    NameOID.ORGANIZATION_NAME: gettext_lazy("Organisation"),
    NameOID.ORGANIZATIONAL_UNIT_NAME: gettext_lazy("Department"),
    NameOID.COMMON_NAME: gettext_lazy("Common name"),
}


def _fixed(label: str | Promise, value: str, widget: forms.Widget | None = None) -> forms.Field:
    return forms.CharField(label=str(label), initial=value, disabled=True, widget=widget)


class SubjectForm(StepForm):
    """Whose certificate it is (SDN).  What profile or operation fix is shown and not asked."""

    def __init__(self, *args: Any, draft: CertificateRequest, **kwargs: Any) -> None:
        super().__init__(*args, draft=draft, **kwargs)
        asked = draft.profile.terms.subject if draft.meaning.names is Names.EDIT else ()
        for name in asked:
            self.fields[name] = SUBJECT_FIELDS[name]()
        if asked:
            return
        self.heading = _("Whose certificate it is")
        self.lead = str(LOCKED) if draft.meaning.names is Names.LOCKED else _("This is the same in all of these.")
        for number, attribute in enumerate(subject_of(draft)):
            label = _ATTRIBUTES.get(attribute.oid, attribute.rfc4514_attribute_name)
            self.fields[f"fixed_{number}"] = _fixed(label, str(attribute.value))

    def plain_answers(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if name in SUBJECT_FIELDS}


class Lines(forms.Textarea):
    """A text in which each line is an answer; what is kept of it is the list."""

    def value_from_datadict(self, data: Any, _files: Any, name: str) -> str:
        return "\n".join(data.getlist(name) if isinstance(data, QueryDict) else [data.get(name, "")])

    def format_value(self, value: Any) -> str:
        return "\n".join(value) if isinstance(value, list) else str(value or "")


class NameLines(forms.CharField):
    """Names of one kind, one on each line; cleaned it is the list, each in its one spelling and once."""

    widget = Lines

    def __init__(self, kind: NameKind, *, most: int, public: bool, **kwargs: Any) -> None:
        super().__init__(validators=[MaxLengthValidator(most * LONGEST_WRITTEN)], **kwargs)
        self.kind, self.most, self.public = kind, most, public

    def clean(self, value: Any) -> Any:
        written = str(super().clean(value)).replace(",", " ").replace(";", " ").split()
        names, complaints = self._read(written[: self.most * MOST_WRITTEN])
        if complaints:
            raise ValidationError(complaints)
        if len(names) > self.most or len(written) > self.most * MOST_WRITTEN:
            raise ValidationError(
                ngettext(
                    "One certificate takes at most {count} name; these are {found}.",
                    "One certificate takes at most {count} names; these are {found}.",
                    self.most,
                ).format(count=self.most, found=len(written))
            )
        return names

    def _read(self, written: Iterable[str]) -> tuple[list[str], list[str]]:
        """Read the names, so that nobody has to mend them one by one; complain of the first few, stop at too many."""
        names: dict[str, None] = {}
        complaints: list[str] = []
        for text in written:
            try:
                names[self._one(text)] = None
            except UnusableName as refusal:
                complaints.append(str(refusal))
            if len(complaints) == MOST_COMPLAINTS or len(names) > self.most:
                break
        return list(names), complaints

    def _one(self, text: str) -> str:
        if len(text) > LONGEST_WRITTEN:
            raise UnusableName(text, _("it is longer than {count} characters"), count=LONGEST_WRITTEN)
        name = self.kind.read(text.strip("<>"))
        if self.public and self.kind.in_dns and not is_under_public_suffix(name):  # CA/B BR 4.2.2
            raise UnusableName(text, _("publicly trusted certificates are for names of the public DNS alone"))
        return name


_NAME_TEXTS: dict[str, tuple[str | Promise, str | Promise]] = {
    "email": (
        gettext_lazy("E-mail addresses"),
        gettext_lazy("One on each line. Mail from and to these addresses can be signed and encrypted."),
    ),
    "dns": (
        gettext_lazy("DNS names"),
        gettext_lazy("One on each line, for example www.example.com or *.example.com. The first is the common name."),
    ),
}


class NamesForm(StepForm):
    """The alternative names (SAN), of every kind that the profile has."""

    def __init__(self, *args: Any, draft: CertificateRequest, **kwargs: Any) -> None:
        super().__init__(*args, draft=draft, **kwargs)
        locked = draft.meaning.names is Names.LOCKED
        if locked:
            self.heading, self.lead = _("The names it is for"), str(LOCKED)
        for slug in draft.profile.terms.alternative_names:
            self.fields[slug] = self._locked(NAME_KINDS[slug]) if locked else self._asked(NAME_KINDS[slug])

    def _asked(self, kind: NameKind) -> forms.Field:
        label, hint = _NAME_TEXTS[kind.slug]
        limit = limit_of("most_names", self.draft.policy.limits)
        return NameLines(
            kind,
            most=kind.most if limit is None else limit,
            public=self.draft.profile.trust == Trust.PUBLIC_TLS,
            label=label,
            help_text=hint,
            widget=Lines(attrs={"rows": 3, "spellcheck": "false", "autocapitalize": "none"}),
        )

    def _locked(self, kind: NameKind) -> forms.Field:
        names = [str(name.value) for name in alternative_names_of(self.draft) if isinstance(name, kind.general_name)]
        rows = forms.Textarea(attrs={"rows": max(2, min(len(names), 8))})
        return _fixed(_NAME_TEXTS[kind.slug][0], "\n".join(names), widget=rows)

    def plain_answers(self) -> dict[str, Any]:
        return {slug: value for slug, value in self.cleaned_data.items() if isinstance(value, list)}


class ValidityForm(StepForm):
    """How long it lives: as asked, within profile, policy and trust class; or as long as the old one (0.R3, 0.R24)."""

    def __init__(self, *args: Any, draft: CertificateRequest, **kwargs: Any) -> None:
        super().__init__(*args, draft=draft, **kwargs)
        if draft.meaning.validity is Validity.SAME_END and draft.predecessor:
            self.heading, self.lead = _("Until when it is valid"), str(LOCKED)
            self.fields["until"] = _fixed(_("Valid to"), f"{draft.predecessor.not_after:%Y-%m-%d %H:%M:%S} UTC")
            return
        most = most_days(draft)
        self.fields["days"] = forms.IntegerField(
            label=_("Days"),
            min_value=1,
            max_value=most,
            initial=most,
            help_text=ngettext(
                "At most {count} day, counted from the moment it is signed.",
                "At most {count} days, counted from the moment it is signed.",
                most,
            ).format(count=most),
            widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
        )

    def plain_answers(self) -> dict[str, Any]:
        return {"days": self.cleaned_data["days"]} if "days" in self.fields else {}


def most_days(draft: CertificateRequest) -> int:
    by_trust = in_force(LONGEST_LIFE.get(draft.profile.trust, {}), clock.now().date())
    return min(longest_days(draft), by_trust.days) if by_trust else longest_days(draft)
