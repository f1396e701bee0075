"""What the journal is narrowed by: when, who, what happened, to what, and words of the facts."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lifecycle.certificates.models import Certificate
from lifecycle.requests.models import CertificateRequest
from portal.foundation.access.models import Membership, User
from portal.foundation.audit.export import Narrow
from portal.foundation.audit.models import AuditEvent
from portal.foundation.lists import narrowing
from portal.web.journal import words

ITSELF = "portal"
SEARCHED = 20_000
"""In how many of the newest lines that fit the other filters words are looked for."""


class JournalFilters(narrowing.Filters):
    since = narrowing.DayField(label=gettext_lazy("From"))
    until = narrowing.DayField(label=gettext_lazy("Until"))
    who = forms.CharField(
        label=gettext_lazy("Who"),
        required=False,
        help_text=gettext_lazy("A name, an e-mail address, or “portal” for what it did by itself"),
    )
    deed = forms.ChoiceField(label=gettext_lazy("What happened"), required=False)
    about = forms.CharField(
        label=gettext_lazy("To what"),
        required=False,
        help_text=gettext_lazy("A request's number, a certificate's serial, an e-mail address or an id"),
    )
    words = forms.CharField(
        label=gettext_lazy("Words"),
        required=False,
        help_text=gettext_lazy("Looked for in the details of the newest 20,000 lines that fit the rest"),
    )

    SORTS = (("", gettext_lazy("Newest first")), ("oldest", gettext_lazy("Oldest first")))
    DEFAULT_SORT = ""

    def __init__(self, asked: Any) -> None:
        super().__init__(asked)
        self.fields["deed"].choices = [narrowing.ANY, *words.choices(words.SENTENCES)]  # type: ignore[attr-defined]

    @property
    def narrow(self) -> Narrow | None:
        """The filters as something to do with a queryset; None where there are none."""
        return self._narrow if self.chips else None

    def lines(self) -> QuerySet[AuditEvent]:
        return self._narrow(AuditEvent.objects.all())

    def told(self) -> dict[str, str]:
        """The filters as they were typed, for the manifest of an export."""
        return {name: str(self.chosen(name)) for name in self.fields if self.chosen(name)}

    def _narrow(self, lines: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        if since := self.chosen("since"):
            lines = lines.filter(at__gte=narrowing.beginning(since))
        if until := self.chosen("until"):
            lines = lines.filter(at__lt=narrowing.beginning(narrowing.day_after(until)))
        if deed := self.chosen("deed"):
            lines = lines.filter(code=deed)
        if who := self.chosen("who"):
            lines = lines.filter(_by(who))
        if about := self.chosen("about"):
            lines = lines.filter(subject__in=_subjects(about))
        if said := self.chosen("words"):
            newest = lines.order_by("-at", "-pk").values("pk")[:SEARCHED]
            lines = AuditEvent.objects.filter(pk__in=newest, facts__icontains=said)
        return lines


def _by(who: str) -> Q:
    if who.strip().lower() == ITSELF:
        return Q(actor__contains=":")
    return Q(actor__in=[who.strip(), *_ids(_people(who.strip()))])


def _people(who: str) -> QuerySet[User]:
    """Members by a part of their name; anybody by their whole name or address."""
    members = Membership.objects.values("person_id")
    named = Q(pk__in=members, name__icontains=who) | Q(name__iexact=who) | Q(email__iexact=who)
    return User.objects.filter(named)[:100]


def _subjects(about: str) -> list[str]:
    """Return what *about* may stand for: the thing itself, and what it is the number, serial or address of."""
    text = about.strip()
    found = [text, text.lower()]
    found += _ids(CertificateRequest.objects.filter(number=text.upper()))
    serial = text.replace(":", "").replace(" ", "").lower()
    for certificate in Certificate.objects.filter(serial__in={serial, serial.lstrip("0")}).only("pk", "made_from"):
        found += [str(certificate.pk), *([str(certificate.made_from)] if certificate.made_from else [])]
    if "@" in text:
        found += _ids(User.objects.filter(email__iexact=text)[:100])
    return found


def _ids(rows: Iterable[Any]) -> list[str]:
    return [str(row.pk) for row in rows]


def uuids(texts: Iterable[str]) -> list[UUID]:
    """Return those of *texts* that are ids."""
    found = []
    for text in texts:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return found


def none_yet(filters: JournalFilters) -> str:
    return (
        _("No line of this journal fits the filters above.") if filters.chips else _("Nothing has happened here yet.")
    )
