"""The questions about people: filters, an invitation, a file of them, roles."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from auth2fa.people import roster
from auth2fa.people.listing import STATES
from auth2fa.people.words import LETS
from portal.foundation.access.errors import NameNotReadable, NotAnAddress
from portal.foundation.access.invitations import offered_roles, plain_address
from portal.foundation.access.permissions import Role
from portal.foundation.access.words import LONGEST_NAME, readable


def _of_tenant() -> list[Role]:
    return [role for role in Role if role is not Role.OPERATOR]


class FilterForm(forms.Form):
    """Posted by GET; what it narrows is read from the address, so a link does the same."""

    q = forms.CharField(label=gettext_lazy("Name or e-mail"), required=False, max_length=100)
    role = forms.ChoiceField(label=gettext_lazy("Role"), required=False)
    state = forms.ChoiceField(label=gettext_lazy("State"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        roles = [(role.value, role.label) for role in _of_tenant()]
        self.fields["role"].choices = [("", _("Any")), *roles]  # type: ignore[attr-defined]
        self.fields["state"].choices = [("", _("Any")), *STATES.items()]  # type: ignore[attr-defined]


class RolesField(forms.MultipleChoiceField):
    """Tick boxes, each with what the role lets a person do; offers what the unit of work's tenant gives."""

    def __init__(self) -> None:
        offered = offered_roles()
        super().__init__(
            label=gettext_lazy("Roles"),
            choices=[(role.value, role.label) for role in offered],
            widget=forms.CheckboxSelectMultiple,
            error_messages={"required": gettext_lazy("Choose at least one role.")},
        )
        self.choice_hints = {role.value: LETS[role] for role in offered}


class InviteForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=LONGEST_NAME,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": gettext_lazy("Enter the person's name.")},
    )
    email = forms.CharField(
        label=gettext_lazy("E-mail"),
        help_text=gettext_lazy("The invitation goes there, and it becomes their user name."),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"required": gettext_lazy("Enter the person's e-mail address.")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["roles"] = RolesField()

    def clean_name(self) -> str:
        name = " ".join(str(self.cleaned_data["name"]).split())
        if not readable(name):
            refusal = NameNotReadable(most=LONGEST_NAME)
            raise forms.ValidationError(f"{refusal} {refusal.advice}")
        return name

    def clean_email(self) -> str:
        try:
            return plain_address(self.cleaned_data["email"])
        except NotAnAddress as refusal:
            raise forms.ValidationError(f"{refusal} {refusal.advice}") from refusal


class RolesForm(forms.Form):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["roles"] = RolesField()


class ImportForm(forms.Form):
    """A file or pasted lines; `clean` reads them and leaves `roster`, `text` and `guessed` behind."""

    file = forms.FileField(
        label=gettext_lazy("CSV file"),
        required=False,
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv,text/plain"}),
    )
    rows = forms.CharField(
        label=gettext_lazy("Or paste the lines"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, offered: Sequence[Role], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._offered = offered
        for field in self.fields.values():
            field.one_of_several = True  # type: ignore[attr-defined]
        self.text, self.guessed = "", False
        self.roster: roster.Roster | None = None

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        try:
            self.text, self.guessed = self._text(given.get("file"), given.get("rows", ""))
            self.roster = roster.read(self.text, self._offered)
        except roster.NotReadable as fault:
            self.add_error("file" if given.get("file") else "rows", str(fault))
        return given

    @staticmethod
    def _text(file: "UploadedFile[Any] | None", pasted: str) -> tuple[str, bool]:
        if file is None:
            if len(pasted) > roster.LARGEST:
                raise roster.NotReadable(roster.too_long())
            return pasted, False
        if (file.size or 0) > roster.LARGEST:  # before it is read
            raise roster.NotReadable(roster.too_long())
        return roster.decode(file.read())
