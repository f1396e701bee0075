"""The questions about domains: which one, how to prove it, and what publishes the proof."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lifecycle.authorities.models import CertificateAuthority
from lifecycle.validation.methods import DNS, MAILBOX, METHODS, ByMail, Method, day_of, usable_on
from lifecycle.validation.models import Domain, PublishingWay
from lifecycle.wizards.domain_ledger.wording import day
from portal.foundation import clock
from portal.foundation.lists.narrowing import beginning

RECORD_OF_OURS = "cname"


class AddForm(forms.Form):
    """A domain or a mailbox, whichever was written."""

    name = forms.CharField(
        label=gettext_lazy("Domain or mailbox"),
        max_length=320,
        help_text=gettext_lazy(
            "Such as example.com, or somebody@example.com. A domain also stands for the names below it where it is"
            " proven by a DNS record."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
        error_messages={"required": gettext_lazy("Write the domain or the mailbox.")},
    )

    @property
    def kind(self) -> str:
        return MAILBOX if "@" in self.cleaned_data["name"] else DNS


class ProveForm(forms.Form):
    """By which method, and what it needs besides."""

    method = forms.ChoiceField(
        label=gettext_lazy("How do you want to prove it?"),
        widget=forms.RadioSelect,
        error_messages={"required": gettext_lazy("Choose how to prove it.")},
    )
    sent_to = forms.ChoiceField(
        label=gettext_lazy("Mailbox for “E-mail to a well-known mailbox”"),
        required=False,
        help_text=gettext_lazy("Whoever reads it gets a link, and approves on the page behind it."),
    )
    cname = forms.BooleanField(
        label=gettext_lazy("As an alias (CNAME) instead of a text (TXT) record"),
        required=False,
        help_text=gettext_lazy(
            "For DNS editors that take no underscore in a TXT record. Counts for “DNS record” only."
        ),
    )

    def __init__(self, *args: Any, domain: Domain, **kwargs: Any) -> None:
        usable = usable_on(day_of(clock.now()), domain.kind)
        kwargs.setdefault("initial", {"method": domain.method if _among(domain.method, usable) else usable[0].slug})
        super().__init__(*args, **kwargs)
        choices = self.fields["method"]
        choices.choices = [(each.slug, each.title) for each in usable]  # type: ignore[attr-defined]
        choices.choice_hints = {each.slug: hint_of(each) for each in usable}  # type: ignore[attr-defined]
        for name in ("sent_to", "cname"):
            self.fields[name].one_of_several = True  # type: ignore[attr-defined]  # the method decides
        well_known = METHODS["constructed-email"]
        if isinstance(well_known, ByMail) and _among(well_known.slug, usable):
            addresses = [(each, each) for each in well_known.addresses(domain.name)]
            self.fields["sent_to"].choices = addresses  # type: ignore[attr-defined]
        else:
            del self.fields["sent_to"]
        if not _among("dns-change", usable):
            del self.fields["cname"]

    def wanted(self) -> dict[str, Any]:
        """What `control.begin` is asked for; what the method does not need is left out."""
        method = self.cleaned_data["method"]
        sent_to = self.cleaned_data.get("sent_to", "") if method == "constructed-email" else ""
        return {
            "method": method,
            "sent_to": sent_to,
            "cname": method == "dns-change" and self.cleaned_data.get("cname", False),
            "issuer": _issuer() if METHODS[method].stays else "",
        }


def _issuer() -> str:
    """An issuer domain name of the tenant's authorities, for a record that stays; "" where they answer to none."""
    newest = CertificateAuthority.objects.order_by("slug", "-version").distinct("slug")
    return next((identity for authority in newest for identity in authority.caa_identities), "")


class ContactForm(forms.Form):
    """One of the mailboxes that the DNS named."""

    sent_to = forms.ChoiceField(
        label=gettext_lazy("Where should the mail go?"),
        widget=forms.RadioSelect,
        error_messages={"required": gettext_lazy("Choose a mailbox.")},
    )

    def __init__(self, *args: Any, contacts: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["sent_to"].choices = [(each, each) for each in contacts]  # type: ignore[attr-defined]


class PublishForm(forms.Form):
    way = forms.ChoiceField(
        label=gettext_lazy("Who publishes the proof?"),
        required=False,
        help_text=gettext_lazy(
            "Counts from the next attempt on. Where a way fails, it falls back to you, and you are told."
        ),
    )

    def __init__(self, *args: Any, ways: Sequence[PublishingWay], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["way"].one_of_several = True  # type: ignore[attr-defined]
        by_hand = ("", _("Somebody, by hand"))
        self.fields["way"].choices = [by_hand, *((str(way.pk), way.title) for way in ways)]  # type: ignore[attr-defined]


def hint_of(method: Method) -> str:
    """Its number in the rules, what it covers, and until when there is this way."""
    says = [f"{method.document} {method.number}."]
    if method.kinds == (DNS,):
        covers = (
            _("Also proves the names below it, and wildcards.")
            if method.covers_subnames
            else _("Proves this name alone, and no wildcard.")
        )
        says.append(covers)
    if method.until is not None:
        says.append(_("Possible until {day}.").format(day=day(beginning(method.until))))
    return " ".join(says)


def why_not(domain: Domain) -> list[tuple[Any, str]]:
    """The methods by which this cannot be proven today, and why."""
    today, refused = day_of(clock.now()), []
    for method in METHODS.values():
        if domain.kind not in method.kinds:
            why = _("It proves mailboxes.") if MAILBOX in method.kinds else _("It proves domains.")
        elif today < method.since:
            why = _("Possible from {day} on.").format(day=day(beginning(method.since)))
        elif method.until is not None and today >= method.until:
            why = _("The rules allow it no more since {day}.").format(day=day(beginning(method.until)))
        else:
            continue
        refused.append((method.title, why))
    return refused


def _among(slug: str, methods: Sequence[Method]) -> bool:
    return any(method.slug == slug for method in methods)
