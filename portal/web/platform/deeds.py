"""What an operator can do to a tenant: rows of a table, each with its question, its words and its service."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.foundation.access import looks
from portal.foundation.tenancy import services
from portal.foundation.tenancy.models import Tenant

Text = str | Promise


class TenantForm(forms.Form):
    """A deed's question about one tenant."""

    def __init__(self, *args: Any, tenant: Tenant, **kwargs: Any) -> None:
        self.tenant = tenant
        super().__init__(*args, **kwargs)


class ReasonForm(TenantForm):
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("It stands in the platform's journal and in the tenant's, where its people read it."),
        error_messages={"required": gettext_lazy("Say why: the tenant's people will read it.")},
    )


class CloseForm(ReasonForm):
    days = forms.IntegerField(
        label=gettext_lazy("Waiting period in days"),
        initial=services.USUAL_WAIT,
        min_value=services.SHORTEST_WAIT,
        max_value=services.LONGEST_WAIT,
        help_text=gettext_lazy("Until it is over, closing can be taken back and everybody works on."),
    )
    slug = forms.CharField(
        label=gettext_lazy("Short name"),
        max_length=40,
        help_text=gettext_lazy("Type the tenant's short name to confirm that it is this one."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}),
    )
    field_order = ("reason", "days", "slug")

    def clean_slug(self) -> str:
        given = str(self.cleaned_data["slug"]).strip()
        if given != self.tenant.slug:
            raise forms.ValidationError(_("This is not the short name of {tenant}.").format(tenant=self.tenant.name))
        return given


class RenameForm(TenantForm):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=120)

    def __init__(self, *args: Any, tenant: Tenant, **kwargs: Any) -> None:
        super().__init__(*args, tenant=tenant, **{**kwargs, "initial": {"name": tenant.name}})


class LookForm(ReasonForm):
    minutes = forms.IntegerField(
        label=gettext_lazy("Minutes"),
        initial=30,
        min_value=looks.SHORTEST,
        max_value=looks.LONGEST,
        help_text=gettext_lazy("Afterwards the tenant is closed to you again by itself."),
    )


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing an operator can do to a tenant."""

    slug: str
    title: Text
    about: Text  # what comes of it
    form: type[TenantForm]
    do: Callable[[Tenant, Mapping[str, Any], UUID], object]
    stands: Callable[[Tenant, datetime], bool]  # whether the tenant is in a state that it can be done in
    otherwise: Text  # why not, where it does not
    done: Text
    tone: str = ""

    def refusal(self, tenant: Tenant, now: datetime) -> str:
        return "" if self.stands(tenant, now) else str(self.otherwise)


def _open(tenant: Tenant, now: datetime) -> bool:
    return not tenant.is_closed(now)


DEEDS: dict[str, Deed] = {
    deed.slug: deed
    for deed in (
        Deed(
            "look",
            gettext_lazy("Look inside"),
            gettext_lazy(
                "You read what an auditor reads and change nothing. The tenant's people are told now, and every page "
                "you open stands in their journal."
            ),
            LookForm,
            lambda tenant, given, by: looks.begin_look(
                tenant, person=by, reason=given["reason"], minutes=given["minutes"]
            ),
            lambda _tenant, _now: True,
            "",
            gettext_lazy("You are looking inside {tenant}. Everything you open is written down."),
        ),
        Deed(
            "rename",
            gettext_lazy("Rename"),
            gettext_lazy("The short name stays: certificates that were issued point to it."),
            RenameForm,
            lambda tenant, given, by: services.rename_tenant(tenant, given["name"], by=by),
            _open,
            gettext_lazy("It is closed."),
            gettext_lazy("Renamed."),
        ),
        Deed(
            "suspend",
            gettext_lazy("Suspend"),
            gettext_lazy(
                "From this moment nobody of this tenant can enter, and nothing is signed for it. What is under way "
                "waits. Certificates that were issued stay valid, and keys reported as compromised are still revoked."
            ),
            ReasonForm,
            lambda tenant, given, by: services.suspend_tenant(tenant, given["reason"], by=by),
            lambda tenant, now: _open(tenant, now) and tenant.suspended_at is None,
            gettext_lazy("It is suspended or closed already."),
            gettext_lazy("{tenant} is suspended."),
            tone="bad",
        ),
        Deed(
            "resume",
            gettext_lazy("Resume"),
            gettext_lazy("Its people can enter again, and what waited goes on."),
            TenantForm,
            lambda tenant, _given, by: services.resume_tenant(tenant, by=by),
            lambda tenant, now: _open(tenant, now) and tenant.suspended_at is not None,
            gettext_lazy("It is not suspended."),
            gettext_lazy("{tenant} works again."),
        ),
        Deed(
            "close",
            gettext_lazy("Close the tenant"),
            gettext_lazy(
                "After the waiting period nobody enters any more and nothing is issued. Records, journal and "
                "revocation lists are kept. Its people are told on every page until then."
            ),
            CloseForm,
            lambda tenant, given, by: services.close_tenant(tenant, given["days"], given["reason"], by=by),
            lambda tenant, _now: tenant.closes_at is None,
            gettext_lazy("Its closing is settled already."),
            gettext_lazy("{tenant} will be closed."),
            tone="bad",
        ),
        Deed(
            "keep",
            gettext_lazy("Take closing back"),
            gettext_lazy("The tenant stays, as if nothing had been said."),
            TenantForm,
            lambda tenant, _given, by: services.keep_tenant(tenant, by=by),
            lambda tenant, now: tenant.closes_at is not None and _open(tenant, now),
            gettext_lazy("Nothing is to be taken back."),
            gettext_lazy("{tenant} stays."),
        ),
    )
}
