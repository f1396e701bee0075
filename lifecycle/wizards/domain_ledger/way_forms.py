"""The questions about publishing ways: what a list of them is narrowed to, and what a new one shall be."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from lifecycle.validation.models import PublishingWay
from lifecycle.validation.publishing.services import ALGORITHMS, MOST_TITLE, RFC2136, WEBHOOK, Wanted
from portal.foundation.lists import narrowing

KINDS: dict[str, str | Promise] = {
    RFC2136: gettext_lazy("DNS update (RFC 2136)"),
    WEBHOOK: gettext_lazy("Hook of yours"),
}
KIND_HINTS = {
    RFC2136: gettext_lazy("The portal writes the record into your zone, signed with a TSIG key that you give it."),
    WEBHOOK: gettext_lazy(
        "The portal calls an https address of yours with what to publish; your program does the rest."
    ),
}


class WayFilters(narrowing.Filters):
    state = forms.ChoiceField(
        label=gettext_lazy("State"),
        required=False,
        choices=[
            narrowing.ANY,
            ("used", gettext_lazy("In use")),
            ("failed", gettext_lazy("Failed last")),
            ("retired", gettext_lazy("Retired")),
        ],
    )
    kind = forms.ChoiceField(label=gettext_lazy("Kind"), required=False, choices=[narrowing.ANY, *KINDS.items()])

    SORTS = (("title", gettext_lazy("Title, A to Z")), ("-title", gettext_lazy("Title, Z to A")))
    DEFAULT_SORT = "title"

    def found(self) -> QuerySet[PublishingWay]:
        rows = PublishingWay.objects.all()
        if kind := self.chosen("kind"):
            rows = rows.filter(kind=kind)
        match self.chosen("state"):
            case "used":
                rows = rows.filter(retired_at=None)
            case "failed":
                rows = rows.filter(retired_at=None).exclude(said="")
            case "retired":
                rows = rows.filter(retired_at__isnull=False)
        return rows


class WayForm(forms.Form):
    """A way as somebody writes it down; what its kind does not need is left out."""

    title = forms.CharField(
        label=gettext_lazy("Title"),
        max_length=MOST_TITLE,
        help_text=gettext_lazy("By which your colleagues choose it."),
        error_messages={"required": gettext_lazy("Write a title.")},
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("What does the portal do?"),
        choices=list(KINDS.items()),
        widget=forms.RadioSelect,
        initial=RFC2136,
        error_messages={"required": gettext_lazy("Choose what the portal does.")},
    )
    address = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=300,
        help_text=gettext_lazy(
            "Of the zone's primary name server, such as ns1.example.com; or of your hook, such as"
            " https://hooks.example.com/portal."
        ),
        error_messages={"required": gettext_lazy("Write the address.")},
    )
    zone = forms.CharField(
        label=gettext_lazy("Zone"),
        required=False,
        max_length=255,
        help_text=gettext_lazy("For DNS updates: the zone that takes them, such as example.com."),
    )
    key_name = forms.CharField(
        label=gettext_lazy("Name of the TSIG key"),
        required=False,
        max_length=255,
        help_text=gettext_lazy("For DNS updates: as the name server's configuration has it."),
    )
    algorithm = forms.ChoiceField(
        label=gettext_lazy("Algorithm of the TSIG key"),
        required=False,
        choices=[(each, each) for each in ALGORITHMS],
        help_text=gettext_lazy("For DNS updates."),
    )
    secret = forms.CharField(
        label=gettext_lazy("Secret"),
        required=False,
        max_length=1000,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=gettext_lazy(
            "Of the TSIG key, in base64. For a hook leave it empty: the portal makes one and shows it once. Nobody can"
            " read it here again."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kind"].choice_hints = KIND_HINTS  # type: ignore[attr-defined]
        for name in ("zone", "key_name", "algorithm", "secret"):
            self.fields[name].one_of_several = True  # type: ignore[attr-defined]

    def wanted(self) -> Wanted:
        return Wanted(
            **{
                name: self.cleaned_data[name]
                for name in ("title", "kind", "address", "zone", "key_name", "algorithm", "secret")
            }
        )
