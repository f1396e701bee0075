"""Certificates and requests as pages show them: tones, words and facts, no decisions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lifecycle.authorities.keys import KEY_KINDS
from lifecycle.certificates.models import Certificate, Status
from lifecycle.certificates.naming import alternative_names, printable
from lifecycle.requests.kinds import MEANING, Kind
from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.orders import common_name_of
from lifecycle.requests.states import WORDS, State
from portal.foundation import clock
from portal.foundation.access.models import User
from portal.foundation.audit.models import AuditEvent

Text = str | Promise

SOON = timedelta(days=30)
"""When a certificate counts as expiring: 30 days before its end or in its last third, whichever is later (C6)."""

_ICONS = {"good": "good", "watch": "watch", "bad": "bad", "busy": "busy", "wait": "wait", "plain": "off"}


@dataclass(frozen=True, slots=True)
class Chip:
    tone: str
    word: Text

    @property
    def icon(self) -> str:
        return _ICONS[self.tone]


@dataclass(frozen=True, slots=True)
class Fact:
    label: Text
    value: Any
    note: Text = ""
    url: str = ""
    code: bool = False
    wide: bool = False
    moment: str = ""


@dataclass(frozen=True, slots=True)
class Act:
    """Something that can be done with a certificate, or why it can't."""

    kind: str
    word: Text
    hint: Text = ""
    refusal: Text = ""


@dataclass(frozen=True, slots=True)
class Node:
    label: str
    url: str
    status: Chip
    under: str
    current: bool
    children: list["Node"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Happening:
    tone: str
    icon: str
    text: str
    at: datetime
    by: str = ""
    why: str = ""
    url: str = ""
    link: str = ""


def renewal_opens(certificate: Certificate) -> datetime:
    life = certificate.not_after - certificate.not_before
    return certificate.not_after - min(SOON, life / 3)


def chip_of(certificate: Certificate) -> Chip:
    """Needs `with_facts`; says what is under way only where `with_request_under_way` was asked, too."""
    match certificate.status:
        case Status.REVOKED:
            return Chip("plain", _("Revoked"))
        case Status.EXPIRED:
            return Chip("plain", _("Expired"))
    doing = getattr(certificate, "under_way_kind", None)
    if doing:
        return Chip("busy", MEANING[Kind(doing)].doing)
    if renewal_opens(certificate) <= clock.now():
        return Chip("watch", _("Expiring"))
    return Chip("good", _("Active"))


def chip_of_request(request: CertificateRequest) -> Chip:
    tone, word = WORDS[State(request.state)]
    return Chip(tone, word)


def title_of(request: CertificateRequest) -> str:
    """What the request is about, in a few words: "Rekey d.kral@acme.example"."""
    name = subject_word(request)
    return (
        str(request.meaning.about).format(name=name)
        if name
        else _("New certificate: {profile}").format(profile=request.profile.title)
    )


def subject_word(request: CertificateRequest) -> str:
    if request.predecessor is not None:
        return request.predecessor.name
    return common_name_of(request)


def key_word(slug: str) -> str:
    return KEY_KINDS[slug].title if slug in KEY_KINDS else _("Other")


@dataclass(frozen=True, slots=True)
class Row:
    """A certificate in a list."""

    certificate: Certificate
    acts: list[Act]

    @property
    def pk(self) -> UUID:
        return self.certificate.pk

    @property
    def name(self) -> str:
        return self.certificate.name

    @property
    def under(self) -> str:
        return _("Uploaded") if self.certificate.is_uploaded else ""

    @property
    def serial(self) -> int:
        return int(self.certificate.serial, 16)

    @property
    def status(self) -> Chip:
        return chip_of(self.certificate)

    @property
    def is_over(self) -> bool:
        return self.certificate.status is not Status.ACTIVE

    @property
    def not_before(self) -> datetime:
        return self.certificate.not_before

    @property
    def not_after(self) -> datetime:
        return self.certificate.not_after

    @property
    def renewal_opens(self) -> None:
        return None  # nothing renews yet, so the lifeline shows no window that opens

    @property
    def key_word(self) -> str:
        return key_word(self.certificate.key_type)

    @property
    def profile_name(self) -> str:
        return kind_word(self.certificate)


def kind_word(certificate: Certificate) -> str:
    """What kind of certificate it is; of one that was uploaded, whose."""
    if certificate.profile is None:
        return _("Issued by {issuer}").format(issuer=certificate.issuer_word)
    return certificate.profile.title


def facts_of(row: Row, owner: str) -> list[Fact]:
    certificate = row.certificate
    parsed = certificate.x509
    return [
        Fact(_("Subject"), printable(parsed.subject.rfc4514_string()), wide=True),
        *([Fact(_("Alternative names"), ", ".join(names), wide=True)] if (names := alternative_names(parsed)) else []),
        *_provenance(certificate),
        Fact(_("Valid from"), certificate.not_before, moment="exact"),
        Fact(_("Valid to"), certificate.not_after, moment="exact"),
        Fact(_("Key"), row.key_word),
        Fact(_("Owner"), owner),
        Fact(_("Serial"), colons(certificate.serial), code=True, wide=True),
        Fact(_("SHA-256 fingerprint"), colons(certificate.fingerprint), code=True, wide=True),
    ]


def _provenance(certificate: Certificate) -> list[Fact]:
    """Where it comes from.  Of another authority's certificate nobody here knows whether it was revoked."""
    if certificate.authority is not None and certificate.profile is not None:
        return [
            Fact(_("Issuer"), certificate.authority.name),
            Fact(_("Profile"), certificate.profile.title),
        ]
    return [
        Fact(_("Issuer"), printable(certificate.x509.issuer.rfc4514_string()), wide=True),
        Fact(_("Source"), _("Uploaded"), note=_("on {day}").format(day=f"{certificate.issued_at:%Y-%m-%d}")),
        Fact(_("Revocation"), _("Not known"), note=_("The lists of other authorities are not watched here.")),
    ]


def colons(hexadecimal: str) -> str:
    even = hexadecimal.upper().zfill(len(hexadecimal) + len(hexadecimal) % 2)
    return ":".join(even[i : i + 2] for i in range(0, len(even), 2))


def short_serial(hexadecimal: str) -> str:
    text = colons(hexadecimal)
    return text if len(text) <= 14 else f"{text[:5]}…{text[-5:]}"  # noqa: PLR2004 - four groups and the ellipsis


_MADE: dict[str, Text] = {
    "issue": gettext_lazy("Issued on {day}"),
    "rekey": gettext_lazy("Rekeyed on {day}"),
    "upload": gettext_lazy("Uploaded on {day}"),
}


def family_tree(tenant: str, family: Iterable[Certificate], here: UUID, visible: set[UUID]) -> list[Node]:
    """The lineage as nested nodes; what the person may not open has no link."""
    members = list(family)
    known = {member.pk for member in members}

    def grown(member: Certificate) -> Node:
        url = reverse("certificate-detail", kwargs={"tenant": tenant, "pk": member.pk}) if member.pk in visible else ""
        made = _MADE[member.made_by]
        return Node(
            short_serial(member.serial),
            url,
            chip_of(member),
            str(made).format(day=f"{member.issued_at:%Y-%m-%d}"),
            member.pk == here,
            [grown(child) for child in members if child.predecessor_id == member.pk],
        )

    return [grown(member) for member in members if member.predecessor_id not in known]


_TOLD: dict[str, tuple[str, str, Text]] = {
    # journal code             tone    icon           what people read
    "request:begin": ("", "request", gettext_lazy("Request begun")),
    "request:submit": ("busy", "request", gettext_lazy("Request submitted")),
    "agreement:accept": ("good", "good", gettext_lazy("Subscriber agreement accepted")),
    "approval:give": ("good", "good", gettext_lazy("A reviewer approved")),
    "request:approve": ("good", "good", gettext_lazy("Approved")),
    "request:reject": ("bad", "bad", gettext_lazy("Rejected by a reviewer")),
    "request:recheck": ("busy", "request", gettext_lazy("Names are checked again before signing")),
    "request:execute": ("busy", "busy", gettext_lazy("Handed to the authority")),
    "request:complete": ("good", "certificate", gettext_lazy("Certificate issued")),
    "request:fail": ("bad", "bad", gettext_lazy("Failed")),
    "request:withdraw": ("", "off", gettext_lazy("Withdrawn")),
    "certificate:upload": ("", "certificate", gettext_lazy("Certificate uploaded")),
    "certificate:revoke": ("bad", "off", gettext_lazy("Certificate revoked")),
    "notice:send": ("", "mail", gettext_lazy("Notice sent by e-mail")),
}
"""Journal lines that subscribers are shown; the rest is for auditors."""

_ROBOTS: dict[str, Text] = {
    "policy:auto": gettext_lazy("By policy"),
    "worker:signing": gettext_lazy("By itself"),
    "worker:messages": gettext_lazy("By itself"),
    "worker:validation": gettext_lazy("By itself"),
}


def happenings(subjects: Iterable[UUID]) -> list[Happening]:
    """What the journal has about these things, newest first."""
    events = AuditEvent.objects.filter(subject__in=[str(s) for s in subjects], code__in=_TOLD).order_by("-at", "-pk")
    shown = list(events[:50])
    names = names_of(event.actor for event in shown)
    return [
        Happening(
            tone=_TOLD[event.code][0],
            icon=_TOLD[event.code][1],
            text=str(_TOLD[event.code][2]),
            at=event.at,
            by=str(_ROBOTS.get(event.actor) or names.get(event.actor) or ""),
            why=str(event.facts.get("why") or ""),
        )
        for event in shown
    ]


def names_of(people: Iterable[object]) -> Mapping[str, str]:
    """People's names by their ids; robots have none."""
    ids = []
    for person in {str(person) for person in people}:
        try:
            ids.append(UUID(person))
        except ValueError:
            continue
    return {str(user.pk): user.name for user in User.objects.filter(pk__in=ids)}
