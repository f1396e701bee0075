"""Telling people that a proof comes to its end, or that the portal could not publish one: the messages worker's work.

One mail a day and person says everything; each proof is told of 30, 14, 7 and 1 days before its end, once each.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import IntegrityError
from django.template.loader import render_to_string

from lifecycle.validation.models import Domain, DomainControl, ProofNotice
from lifecycle.validation.proofs import longest_proofs, renews_alone, until_of
from portal.config import config
from portal.foundation import clock
from portal.foundation.access.models import Membership, User
from portal.foundation.access.permissions import Permission, Role, permissions_of
from portal.foundation.access.words import harmless
from portal.foundation.audit.models import record, rehearse
from portal.foundation.outbox.drain import TryLater
from portal.foundation.outbox.models import Errand, send
from portal.foundation.outbox.registry import errand
from portal.foundation.tenancy.context import acting_for, current_tenant_id
from portal.foundation.tenancy.models import Tenant
from portal.foundation.writing import insert

ROBOT = "worker:messages"

BEFORE = (30, 14, 7, 1)
"""Days before a proof's end."""

ALONE = 7
"""Days before the end from which on a domain that ought to renew itself is told of, too: then it did not."""

FELL_BACK, REFUSED = "fall-back", "refused"
"""Besides the ends of proofs: a way to publish failed (4.R20); whoever reads the mailbox pressed “Not me”."""

MOST_LISTED = 50


@dataclass(frozen=True, slots=True)
class Ending:
    """A proof that somebody is to be told of."""

    proof: DomainControl
    until: datetime
    days: int
    """Which of `BEFORE` it is."""

    @property
    def occasion(self) -> str:
        return f"{self.days}-days"


@errand(queue="messages", rests=True)
def warn(promised: Errand) -> None:
    """Promise one mail to everybody who has something to be told today."""
    with acting_for(promised.tenant_id):
        endings = endings_at(clock.now())
        people = {person for person, theirs in told_to(endings).items() if _untold(person, theirs)}
        for person in sorted(people):
            send(warn_person, person)
        promised.finish()


@errand(queue="messages", tries=150, rests=True)  # ten minutes apart: a day, then the next day's mail says it
def warn_person(promised: Errand) -> None:
    """Send one person all that they are to be told.  A mail may come twice, never not at all."""
    person_id = UUID(promised.args[0])
    with acting_for(promised.tenant_id):
        theirs = _untold(person_id, told_to(endings_at(clock.now())).get(person_id, ()))
        if not theirs:
            promised.finish()
            return
        mail = _compose(User.objects.get(pk=person_id), theirs)
        rehearse(actor=ROBOT, code="domain:warn", subject=person_id)
    _deliver(promised, mail, person_id, {ending.proof: ending.occasion for ending in theirs})


@errand(queue="messages", rests=True)
def tell_people(promised: Errand) -> None:
    """Promise a mail about what became of an attempt, `FELL_BACK` or `REFUSED`, to each of its domain's people."""
    control_id, occasion = promised.args
    with acting_for(promised.tenant_id):
        control = DomainControl.objects.select_related("domain").filter(pk=UUID(control_id)).first()
        for person in sorted(people_of([control.domain])[control.domain.pk]) if control else ():
            send(tell_person, control_id, person, occasion)
        promised.finish()


@errand(queue="messages", tries=150, rests=True)  # ten minutes apart: a day; it stands on the domain's page in any case
def tell_person(promised: Errand) -> None:
    """Tell one of them.  A mail may come twice, never not at all."""
    control_id, person_id, occasion = UUID(promised.args[0]), UUID(promised.args[1]), promised.args[2]
    with acting_for(promised.tenant_id):
        control = DomainControl.objects.select_related("domain", "tenant").filter(pk=control_id).first()
        told = ProofNotice.objects.filter(person_id=person_id, control=control_id, occasion=occasion)
        if control is None or person_id not in people_of([control.domain])[control.domain.pk] or told.exists():
            promised.finish()
            return
        person = User.objects.get(pk=person_id)
        url = _page(control.tenant, control.domain)
        mail = _mail(person, occasion, {"domain": control.domain.name, "address": control.sent_to, "url": url})
        rehearse(actor=ROBOT, code="domain:warn", subject=person_id)
    _deliver(promised, mail, person_id, {control: occasion})


def endings_at(now: datetime) -> list[Ending]:
    """Every proof that comes to its end and is for people to renew, or ought to have been renewed without them."""
    controls = DomainControl.objects.filter(domain__retired_at=None).select_related("domain")
    found = []
    for proof in longest_proofs(controls).values():
        until = until_of(proof)
        left = until - now
        passed = [days for days in BEFORE if left <= timedelta(days=days)]
        if left > timedelta(0) and passed and (left <= timedelta(days=ALONE) or not renews_alone(proof.domain)):
            found.append(Ending(proof, until, min(passed)))
    return found


def told_to(endings: Collection[Ending]) -> dict[UUID, list[Ending]]:
    """Whom each of *endings* concerns, by person."""
    people = people_of([ending.proof.domain for ending in endings])
    by_person: dict[UUID, list[Ending]] = {}
    for ending in endings:
        for person in people[ending.proof.domain.pk]:
            by_person.setdefault(person, []).append(ending)
    return by_person


def people_of(domains: Collection[Domain]) -> Mapping[UUID, set[UUID]]:
    """Who is told about each of *domains*: whoever added it or proved it last, and the administrators.

    Of these, those alone who have a seat and may do something about it.
    """
    seats: dict[UUID, set[Role]] = {}
    held = Membership.objects.filter(suspended_at=None, person__is_active=True)
    for person, role in held.values_list("person", "role"):
        seats.setdefault(person, set()).add(Role(role))
    able = {p for p, roles in seats.items() if Permission.DOMAIN_MANAGE in permissions_of(frozenset(roles))}
    chiefs = {person for person in able if Role.ADMINISTRATOR in seats[person]}
    newest = DomainControl.objects.filter(domain__in=domains).order_by("domain", "-asked_at", "-id").distinct("domain")
    provers = {control.domain_id: control.asked_by for control in newest}
    return {
        domain.pk: chiefs | {p for p in able if str(p) in {domain.added_by, provers.get(domain.pk, "")}}
        for domain in domains
    }


def _untold(person: UUID, endings: Iterable[Ending]) -> list[Ending]:
    """Those that the person was not told of yet."""
    endings = list(endings)
    told = ProofNotice.objects.filter(person_id=person, control__in=[ending.proof for ending in endings])
    known = set(told.values_list("control", "occasion"))
    return [ending for ending in endings if (ending.proof.pk, ending.occasion) not in known]


def _deliver(promised: Errand, mail: EmailMessage, person_id: UUID, about: Mapping[DomainControl, str]) -> None:
    """Send, and write down afterwards what was told."""
    try:
        mail.send()
    except OSError as error:  # smtplib's errors are OSErrors
        raise TryLater(f"mail: {type(error).__name__}") from error
    try:
        with acting_for(promised.tenant_id):
            insert(
                *(ProofNotice(control=each, person_id=person_id, occasion=occasion) for each, occasion in about.items())
            )
            record(actor=ROBOT, code="domain:warn", subject=person_id, domains=len(about))
            promised.finish()
    except IntegrityError:  # another worker sent it at the same moment and has written it down
        with acting_for(promised.tenant_id):
            promised.finish()


def _compose(person: User, endings: Collection[Ending]) -> EmailMessage:
    tenant = Tenant.objects.get(pk=current_tenant_id())
    first = sorted(endings, key=lambda ending: (ending.until, ending.proof.domain.name))
    listed = [
        {"name": ending.proof.domain.name, "until": ending.until, "url": _page(tenant, ending.proof.domain)}
        for ending in first[:MOST_LISTED]
    ]
    context = {
        "tenant": harmless(tenant.name),
        "endings": listed,
        "count": len(endings),
        "more": len(first[MOST_LISTED:]),
    }
    return _mail(person, "ending", context)


def _mail(person: User, wording: str, context: Mapping[str, object]) -> EmailMessage:
    told = {"name": harmless(person.name), "origin": config.origin, **context}
    return EmailMessage(
        subject=" ".join(render_to_string(f"domains/mail/{wording}-subject.txt", told).split()),
        body=render_to_string(f"domains/mail/{wording}.txt", told),
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[person.email],
        headers={"Auto-Submitted": "auto-generated"},  # RFC 3834: no out-of-office notes back
    )


def _page(tenant: Tenant, domain: Domain) -> str:
    return f"{config.origin}/t/{tenant.slug}/domains/{domain.pk}/"
