"""What there is to ask for: the same kinds of things of somebody here, of a colleague, of another tenant, of nobody.

Rows name things by their kind; the matrix asks for each of them in all four classes.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from uuid import uuid4

from lifecycle.authorities.models import CertificateAuthority, CertificateProfile
from lifecycle.certificates.models import Certificate
from lifecycle.policies.models import SubscriberAgreement
from lifecycle.requests.models import CertificateRequest
from lifecycle.validation import control, surveys
from lifecycle.validation.caa import Terms
from lifecycle.validation.models import Domain, DomainControl, PublishingWay
from lifecycle.validation.publishing.services import Wanted, add_way
from lifecycle.validation.services import ask
from portal.config import config
from portal.demo.mailbox import _delivered
from portal.demo.texts import AGREEMENT
from portal.foundation.access.looks import SHORTEST, begin_look, end_look
from portal.foundation.access.models import User
from portal.foundation.audit.models import AuditEvent
from portal.foundation.ids import uuid7
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import Tenant
from portal.web.journal.filters import JournalFilters
from portal.web.journal.views import note_export
from tests.world import (
    World,
    at_domains,
    enrolled,
    filled,
    invited,
    issued,
    issuer_domain,
    next_policies,
    parked,
    serving,
    submitted,
    token_of,
    waiting,
)

Things = Mapping[str, str]
"""Ids, and names in addresses, by kind."""

HERS, HIS, THEIRS, NOTHING = "petra's", "dan's", "hank's of globex", "nobody's"

OWN_PROFILE, OWN_AGREEMENT = "only-at-globex", "terms-of-globex"
"""What only globex has; what acme has, is called the same everywhere."""


def things_of(person: User, tenant: Tenant, *, reader: User, email: str = "new@acme.example") -> Things:
    """What *person* owns in *tenant*, and what *reader* took out of its journal."""
    certificate = issued(person, tenant, name=f"{person.name} Signs")
    return {
        "certificate": str(certificate.pk),
        "spare": str(issued(person, tenant).pk),  # no request starts from it
        "request": str(submitted(person, tenant).pk),
        "draft": str(filled(person, tenant).pk),
        "named": str(at_domains(person, tenant).pk),
        "person": str(person.pk),
        "invitation": str(invited(tenant, person, email=email).pk),
        "enrolled": str(enrolled(person)[0].pk),
        "waiting": str(waiting(person).pk),
        "token": str(token_of(person, tenant)[0].pk),
        "errand": str(parked(tenant).pk),
        **_of_domains(person, tenant),
        "control": str(control_of(person, tenant).pk),
        "line": line_of(tenant),
        "export": str(note_export(tenant.pk, JournalFilters({}), by=reader.pk).pk),
        "profile": "desktop-signing",
        "agreement": "subscriber",
    }


def _of_domains(person: User, tenant: Tenant) -> Things:
    """A domain that is being proven, a survey and a way to publish: the tenant's, whoever made them."""
    hook = Wanted(title=f"Hook of {tenant.slug}", kind="webhook", address=f"https://hooks.{tenant.slug}.example/")
    with acting_for(tenant.pk, person=person.pk):
        name = f"proven-by-{tenant.slug}.example"
        domain = Domain.objects.filter(name=name).first()
        if domain is None:
            domain = control.add(name, kind="dns", method="dns-change", by=person.pk)
            control.begin(domain, method="dns-change", by=person.pk)
        survey = surveys.ask(f"surveyed-by-{tenant.slug}.example", by=person.pk)
        way = PublishingWay.objects.first() or add_way(hook, by=person.pk).way
    return {
        "domain": str(domain.pk),
        "domain's name": domain.name,
        "survey": str(survey.pk),
        "survey's name": survey.name,
        "way": str(way.pk),
        "way's title": way.title,
    }


def hers(world: World) -> Things:
    """What Petra owns, for a test that asks with the table and needs no other class."""
    acme, petra = world.tenants["acme"], world.people["petra"]
    [in_review] = _in_review(acme, petra)
    return {**things_of(petra, acme, reader=world.people["vera"]), "in review": in_review}


def all_things(world: World) -> dict[str, Things]:
    """The four classes."""
    people, acme, globex = world.people, world.tenants["acme"], world.tenants["globex"]
    in_review = dict(zip((HERS, HIS), _in_review(acme, people["petra"], people["dan"]), strict=True))
    [in_review[THEIRS]] = _in_review(globex, people["hank"])
    petras = things_of(people["petra"], acme, reader=people["vera"])
    his = things_of(people["dan"], acme, reader=people["ada"], email="newer@acme.example")
    theirs = things_of(people["hank"], globex, reader=people["hank"], email="new@globex.example")
    _equip_further(globex)
    theirs = {**theirs, "profile": OWN_PROFILE, "agreement": OWN_AGREEMENT}
    found = {}
    for whose, things, tenant, chief in (
        (HERS, petras, acme, "ada"), (HIS, his, acme, "ada"), (THEIRS, theirs, globex, "hank"),
    ):  # fmt: skip
        further = _of_errands(tenant, by=people["olu"])
        found[whose] = {**things, **further, "in review": in_review[whose], "administrator": str(people[chief].pk)}
    nothing = dict.fromkeys(found[HERS], str(uuid4())) | {"profile": "never-was", "agreement": "never-was"}
    return {**found, NOTHING: nothing}


def _in_review(tenant: Tenant, *people: User) -> list[str]:
    """A request of each of *people* that waits for a reviewer; whatever is asked for later goes on without one."""
    next_policies(tenant, approvals=1)
    waiting_ones = [str(submitted(person, tenant).pk) for person in people]
    next_policies(tenant, approvals=0)
    return waiting_ones


def control_of(person: User, tenant: Tenant) -> DomainControl:
    """A domain that *person* has begun to prove by mail, so that an errand for it would find something to do."""
    with acting_for(tenant.pk, person=person.pk):
        name = f"{person.pk.hex}.example"
        domain = control.add(name, kind="dns", method="constructed-email", by=person.pk)
        return control.begin(domain, method="constructed-email", by=person.pk, sent_to=f"admin@{name}")


def _of_errands(tenant: Tenant, *, by: User) -> Things:
    """What only errands name: a look that is over, a look-up that waits, an authority."""
    look = begin_look(tenant, person=by.pk, reason="A complaint.", minutes=SHORTEST)
    end_look(tenant.pk, person=by.pk)
    with acting_for(tenant.pk):
        terms = Terms((issuer_domain(tenant.slug),))
        [check] = ask({f"asked.{tenant.slug}.example": terms}, by="a test", about="a test")
        authority = CertificateAuthority.objects.get(slug="issuing")
    return {"look": str(look.pk), "look-up": str(check.pk), "authority": str(authority.pk)}


def _equip_further(tenant: Tenant) -> None:
    with serving("owner"), acting_for(tenant.pk):
        profile = CertificateProfile.objects.get(slug="desktop-signing")
        profile.pk, profile.slug, profile.title = uuid7(), OWN_PROFILE, "Only at Globex"
        profile.save(force_insert=True)
        told = {**AGREEMENT, "title": "Terms of Globex"}
        SubscriberAgreement(slug=OWN_AGREEMENT, version=1, **told).save(force_insert=True)


def line_of(tenant: Tenant) -> str:
    """The newest line of a tenant's journal."""
    with acting_for(tenant.pk):
        return str(AuditEvent.objects.latest("pk").pk)


@contextmanager
def a_mail() -> Iterator[str]:
    """Let there be a mail in the demo's mailbox; what it is called in addresses."""
    letter = Path(config.mail.folder) / "test.log"
    letter.write_text(f"To: petra@acme.example\nSubject: Hello\nDate: {formatdate()}\n\nHello.\n" + "-" * 79 + "\n")
    yield _delivered()[0].name
    letter.unlink(missing_ok=True)


# --- what gives somebody's things away ------------------------------------------------------------------------------

_SLUGS = {"profile", "agreement"}


def traces(things: Things, person: User, tenant: Tenant) -> set[str]:
    """Every word that somebody else's list, search, export or page would have to hold if it showed any of *things*."""
    with acting_for(tenant.pk):
        certificates = list(Certificate.objects.filter(owner=person.pk))
        requests = CertificateRequest.objects.filter(requested_by=person.pk)
        numbers = {str(pk) for pk in requests.values_list("pk", flat=True)}
    found = {value for kind, value in things.items() if kind not in _SLUGS} | {person.name, person.email}
    for each in certificates:
        found |= {str(each.pk), each.serial, each.fingerprint, each.spki_sha256, each.name}
    return {word.lower() for word in found | numbers}
