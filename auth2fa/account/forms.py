"""The questions of My account, and of passwords forgotten and set anew."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from auth2fa.enrolments import LONGEST_LABEL

LEAST_PASSWORD = 12
_LONGEST_PASSWORD = 1000  # hashing more would be work that a stranger chooses for us


def _password(label: Any, *, autocomplete: str, required: Any, hint: Any = "") -> forms.CharField:
    return forms.CharField(
        label=label,
        help_text=hint,
        max_length=_LONGEST_PASSWORD,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": autocomplete}),
        error_messages={"required": required},
    )


def new_password() -> forms.CharField:
    """The one field that asks for a new password: shown once, since a manager or a show-button beats typing twice."""
    return _password(
        _("New password"),
        autocomplete="new-password",
        required=_("Enter a new password."),
        hint=_("At least 12 characters. A few words that do not belong together are easy to keep in mind."),
    )


def present_password() -> forms.CharField:
    return _password(_("Your password"), autocomplete="current-password", required=_("Enter your password."))


class ForgottenForm(forms.Form):
    username = forms.CharField(
        label=_("User name"),
        help_text=_("For most people it is their e-mail address."),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}),
        error_messages={"required": _("Enter your user name.")},
    )


class NewPasswordForm(forms.Form):
    new = new_password()


class ChangePasswordForm(forms.Form):
    old = present_password()
    new = new_password()


class ProveForm(forms.Form):
    password = present_password()


class AddAuthenticatorForm(forms.Form):
    label = forms.CharField(
        label=_("What shall it be called?"),
        help_text=_("The device with the app, so that you know which one to remove when it is lost."),
        max_length=LONGEST_LABEL,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": _("Enter a name, such as “telephone”.")},
    )
    password = present_password()


def _code(*, label: Any, hint: Any, required: Any) -> forms.CharField:
    return forms.CharField(
        label=label,
        help_text=hint,
        max_length=40,
        widget=forms.TextInput(
            attrs={
                "class": "code-field",
                "inputmode": "numeric",
                "autocomplete": "one-time-code",
                "spellcheck": "false",
            }
        ),
        error_messages={"required": required},
    )


class FirstCodeForm(forms.Form):
    code = _code(
        label=_("6-digit code"),
        hint=_("The one that the app shows now. Spaces do no harm."),
        required=_("Enter the code that the app shows."),
    )


class ConfirmForm(forms.Form):
    code = _code(label=_("Code"), hint=_("Spaces do no harm."), required=_("Enter the code."))
