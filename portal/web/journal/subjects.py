"""What lines are about, in words, with a link where the reader may open it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from lifecycle.authorities.models import CertificateAuthority
from lifecycle.certificates.models import Certificate
from lifecycle.requests.models import CertificateRequest
from lifecycle.validation.models import CaaCheck, CaaSurvey, Domain, DomainControl, PublishingWay
from lifecycle.wizards.presentation import names_of, short_serial
from lifecycle.wizards.sight import certificates_visible_to, requests_visible_to
from portal.foundation.access.models import ApiToken
from portal.foundation.access.permissions import Permission
from portal.foundation.audit.models import AuditEvent
from portal.foundation.tenancy.middleware import TenantRequest
from portal.foundation.tenancy.models import PLATFORM, Tenant
from portal.web.journal import words
from portal.web.journal.filters import uuids

_SHORT = 13  # characters of an id: what tells two of them apart at a glance


@dataclass(frozen=True, slots=True)
class Thing:
    word: str
    url: str = ""
    is_id: bool = False

    @property
    def shown(self) -> SafeString:
        if self.url:
            return format_html('<a href="{}">{}</a>', self.url, self.word)
        return format_html("<code>{}</code>" if self.is_id else "{}", self.word)


@dataclass(frozen=True, slots=True)
class Line:
    """An event as a list shows it."""

    event: AuditEvent
    who: str
    what: Thing

    @property
    def said(self) -> SafeString:
        sentence = words.sentence(self.event.code, format_html("<b>{}</b>", self.who), self.what.shown)
        return words.through(sentence, self.event.facts.get("through_token"))

    @property
    def title(self) -> str:
        return words.sentence(self.event.code, self.who, self.what.word).replace("<code>", "").replace("</code>", "")


def lines_of(request: TenantRequest, events: Iterable[AuditEvent]) -> list[Line]:
    """Put *events* in words; a handful of queries, however many they are.  Inside the unit of work."""
    rows = list(events)
    things = _things(request, {row.subject for row in rows})
    people = names_of(row.actor for row in rows)
    return [Line(row, words.name_of(row.actor, people), things.get(row.subject) or _bare(row.subject)) for row in rows]


def _bare(subject: str) -> Thing:
    return Thing(subject if len(subject) <= _SHORT else f"{subject[:_SHORT]}…", is_id=True)


def _things(request: TenantRequest, subjects: set[str]) -> dict[str, Thing]:
    ids = uuids(subjects)
    found = {str(PLATFORM): Thing(_("the platform"))}
    found |= {pk: Thing(name) for pk, name in names_of(subjects).items()}
    found |= {
        str(tenant.pk): Thing(tenant.name) for tenant in Tenant.objects.filter(pk__in=ids) if tenant.pk != PLATFORM
    }
    found |= {str(one.pk): Thing(one.name) for one in CertificateAuthority.objects.filter(pk__in=ids)}
    found |= {str(one.pk): Thing(f"{one.name} ({one.prefix}…)") for one in ApiToken.objects.filter(pk__in=ids)}
    return found | _requests(request, ids) | _certificates(request, ids) | _domains(request, ids)


def _requests(request: TenantRequest, ids: list[UUID]) -> dict[str, Thing]:
    rows = CertificateRequest.objects.filter(pk__in=ids).only("pk", "number", "requested_by")
    reads, owner = Permission.REQUEST_READ in request.seat.permissions, requests_visible_to(request).get("requested_by")

    def url(row: CertificateRequest) -> str:
        return _address(request, "request-page", row.pk) if reads and owner in (None, row.requested_by) else ""

    return {str(row.pk): Thing(_("request {number}").format(number=row.number), url(row)) for row in rows}


def _certificates(request: TenantRequest, ids: list[UUID]) -> dict[str, Thing]:
    rows = Certificate.objects.filter(pk__in=ids).only("pk", "name", "serial", "owner")
    reads, owner = Permission.CERTIFICATE_READ in request.seat.permissions, certificates_visible_to(request)

    def url(row: Certificate) -> str:
        return _address(request, "certificate-detail", row.pk) if reads and owner in (None, row.owner) else ""

    told = _("the certificate of {name}, {serial}")
    return {str(row.pk): Thing(told.format(name=row.name, serial=short_serial(row.serial)), url(row)) for row in rows}


def _domains(request: TenantRequest, ids: list[UUID]) -> dict[str, Thing]:
    """Domains, and by their domain the attempts to prove them; publishing ways, and what is known of names' CAA."""
    claims = {row.pk: row.name for row in Domain.objects.filter(pk__in=ids)}
    attempts = DomainControl.objects.filter(pk__in=ids).values_list("pk", "domain_id", "domain__name")
    looks = CaaCheck.objects.filter(pk__in=ids).values_list("pk", "name")
    surveys = CaaSurvey.objects.filter(pk__in=ids).values_list("pk", "name")
    may, rules = (one in request.seat.permissions for one in (Permission.DOMAIN_READ, Permission.RULES_READ))

    def thing(name: str, route: str, pk: UUID, *, opens: bool) -> Thing:
        return Thing(name, _address(request, route, pk) if opens else "")

    return {
        **{str(pk): Thing(name) for pk, name in looks},
        **{str(pk): thing(name, "caa-survey", pk, opens=may) for pk, name in surveys},
        **{str(pk): thing(name, "domain-page", pk, opens=may) for pk, name in claims.items()},
        **{str(pk): thing(name, "domain-page", domain, opens=may) for pk, domain, name in attempts},
        **{
            str(way.pk): thing(way.title, "publishing-page", way.pk, opens=rules)
            for way in PublishingWay.objects.filter(pk__in=ids)
        },
    }


def _address(request: TenantRequest, name: str, pk: Any) -> str:
    return reverse(name, kwargs={"tenant": request.tenant.slug, "pk": pk})
