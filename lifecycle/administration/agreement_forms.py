"""What an administrator is asked about an agreement's text."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy

from lifecycle.administration.policy_forms import _BIGGEST_VERSION
from lifecycle.policies.services import LONGEST_AGREEMENT, LONGEST_TITLE, why_unfit
from lifecycle.wizards.identity import printable

LANGUAGES = {
    "en": gettext_lazy("English"),
    "cs": gettext_lazy("Czech"),
    "de": gettext_lazy("German"),
    "pl": gettext_lazy("Polish"),
    "zh-hans": gettext_lazy("Chinese (simplified)"),
}
"""The languages an agreement can be written in; where a person's own is missing, they read the English text."""


class AgreementForm(forms.Form):
    title = forms.CharField(
        label=gettext_lazy("Title"),
        max_length=LONGEST_TITLE,
        validators=[printable],
        error_messages={"required": gettext_lazy("Enter a title.")},
    )
    text = forms.CharField(
        label=gettext_lazy("Text"),
        max_length=LONGEST_AGREEMENT,
        widget=forms.Textarea(attrs={"rows": 18}),
        help_text=gettext_lazy("An empty line begins a new paragraph. Markup is shown as it is written."),
        error_messages={"required": gettext_lazy("Enter the text.")},
    )
    seen = forms.IntegerField(min_value=0, max_value=_BIGGEST_VERSION, required=False, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, title: str = "", text: str = "", version: int = 0) -> None:
        super().__init__(data, initial={"title": title, "text": text, "seen": version})

    def clean_text(self) -> str:
        text = "\n".join(str(self.cleaned_data["text"]).splitlines()).strip()
        if why := why_unfit(self.cleaned_data.get("title") or "-", text):
            raise ValidationError(why)
        return text


class AcceptanceFilter(forms.Form):
    """Narrows who accepted: by the number of the request, or by the person's name."""

    q = forms.CharField(label=gettext_lazy("Person or request"), required=False, max_length=120)
