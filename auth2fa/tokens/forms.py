"""The questions about tokens for programs: what a list of them is narrowed to, and what a new one shall be."""

from datetime import timedelta
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.utils import dateformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from auth2fa.account.forms import present_password
from portal.foundation import clock
from portal.foundation.access.errors import TokenNameNotReadable
from portal.foundation.access.models import ApiToken
from portal.foundation.access.permissions import Permission
from portal.foundation.access.scopes import Scope
from portal.foundation.access.tokens import LONGEST_NAME, USUAL
from portal.foundation.access.words import readable
from portal.foundation.lists.narrowing import ANY, Filters, PersonField, person_with
from portal.foundation.tenancy.middleware import TenantRequest

OFFERED_DAYS = (7, 30, USUAL, 180, 366)


def working() -> Q:
    return Q(revoked_at=None, expires_at__gt=clock.now())


class TokenFilters(Filters):
    """One's own; for whoever sees people, also everybody's."""

    state = forms.ChoiceField(
        label=gettext_lazy("State"),
        required=False,
        choices=[
            ANY,
            ("works", gettext_lazy("Works")),
            ("over", gettext_lazy("Came to its end")),
            ("revoked", gettext_lazy("Revoked")),
        ],
    )
    whose = forms.ChoiceField(
        label=gettext_lazy("Whose"),
        required=False,
        choices=[("", gettext_lazy("Mine")), ("all", gettext_lazy("Everybody's"))],
    )
    person = PersonField(label=gettext_lazy("Belongs to"))

    SORTS = (
        ("-made", gettext_lazy("Newest first")),
        ("made", gettext_lazy("Oldest first")),
        ("expires", gettext_lazy("Ends soonest")),
        ("-expires", gettext_lazy("Ends last")),
        ("name", gettext_lazy("Name")),
        ("-name", gettext_lazy("Name, backwards")),
    )
    DEFAULT_SORT = "-made"
    _COLUMNS = {"made": "made_at", "expires": "expires_at", "name": "name"}

    def __init__(self, request: TenantRequest) -> None:
        super().__init__(request.GET)
        self._own = request.person.pk
        self.sees_all = Permission.PEOPLE_READ in request.seat.permissions
        if not self.sees_all:
            del self.fields["whose"]
            del self.fields["person"]

    @property
    def is_of_all(self) -> bool:
        return self.sees_all and bool(self.chosen("whose") or self.chosen("person"))

    @property
    def order(self) -> tuple[str, bool]:
        """The column, and whether it falls."""
        return self._COLUMNS[self.sort.removeprefix("-")], self.sort.startswith("-")

    def found(self) -> QuerySet[ApiToken]:
        """The tokens that are meant; the caller sorts and pages."""
        tokens = ApiToken.objects.select_related("person")
        if not self.is_of_all:
            tokens = tokens.filter(person=self._own)
        elif self.chosen("person"):
            tokens = tokens.filter(person=person_with(self.chosen("person")))
        match self.chosen("state"):
            case "works":
                return tokens.filter(working())
            case "over":
                return tokens.filter(revoked_at=None, expires_at__lte=clock.now())
            case "revoked":
                return tokens.filter(revoked_at__isnull=False)
        return tokens


class TokenForm(forms.Form):
    """A new token: what for, what it may, until when, and the password of whoever makes it."""

    name = forms.CharField(
        label=gettext_lazy("What is it for?"),
        help_text=gettext_lazy("The program and the machine, such as “deploy on web-3”, so that you know it again."),
        max_length=LONGEST_NAME,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": gettext_lazy("Write what the token is for.")},
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("What may it do?"),
        help_text=gettext_lazy("Never more than you may yourself; if you lose a role, so does the token."),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": gettext_lazy("Choose at least one scope.")},
    )
    days = forms.TypedChoiceField(
        label=gettext_lazy("How long?"),
        coerce=int,
        initial=str(USUAL),
        widget=forms.RadioSelect,
        error_messages={"required": gettext_lazy("Choose how long it lasts.")},
    )
    password = present_password()

    def __init__(self, *args: Any, offered: dict[str, Scope], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        scopes, days = self.fields["scopes"], self.fields["days"]
        scopes.choices = [(name, scope.label) for name, scope in offered.items()]  # type: ignore[attr-defined]
        scopes.choice_hints = {name: _("Scope {name}").format(name=name) for name in offered}  # type: ignore[attr-defined]
        days.choices = [(str(count), _days(count)) for count in OFFERED_DAYS]  # type: ignore[attr-defined]
        days.choice_hints = {str(count): _until(count) for count in OFFERED_DAYS}  # type: ignore[attr-defined]

    def clean_name(self) -> str:
        name = " ".join(str(self.cleaned_data["name"]).split())
        if not readable(name):
            refusal = TokenNameNotReadable(most=LONGEST_NAME)
            raise forms.ValidationError(f"{refusal} {refusal.advice}")
        return name


def _days(count: int) -> str:
    return ngettext("{count} day", "{count} days", count).format(count=count)


def _until(count: int) -> str:
    ends = dateformat.format(clock.now() + timedelta(days=count), pgettext("date format", "j F Y"))
    return _("Until {day}").format(day=ends)
