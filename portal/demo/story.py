"""The demo's story, told through the same services that people use, at the times when it happened.

Nothing is written past them: requests are begun, answered, submitted and carried out by
the signing code, with keys that are made here and thrown away.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from lifecycle.authorities.keys import KEY_KINDS
from lifecycle.authorities.models import CertificateAuthority, CertificateProfile, Trust
from lifecycle.authorities.services import Plan, create_authority
from lifecycle.certificates import services as certificates
from lifecycle.certificates.models import Certificate, Reason
from lifecycle.policies.models import Policy, SubscriberAgreement
from lifecycle.requests import services
from lifecycle.requests.kinds import Kind
from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.orders import longest_days
from lifecycle.wizards.flow import Flow, as_posted
from lifecycle.wizards.forms import seen
from lifecycle.wizards.steps import STEPS
from portal.config import config
from portal.demo import claims
from portal.demo.management.commands.seed_demo import DONE
from portal.demo.people import PEOPLE
from portal.demo.texts import AGREEMENT, PROFILES
from portal.foundation import clock
from portal.foundation.access.models import Membership, User
from portal.foundation.audit.models import record
from portal.foundation.outbox.drain import run
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import PLATFORM, Tenant
from portal.foundation.token import token_at

ROBOT = "demo:story"
TENANTS = {"acme": ("Acme Industries", "CZ"), "globex": ("Globex Corporation", "US")}
FOUNDED = timedelta(days=900)
FACTOR_SINCE = timedelta(days=20)


@dataclass(frozen=True, slots=True)
class Chapter:
    """One certificate's life: who asked, when, for which name, and what became of it."""

    tenant: str
    email: str
    profile: str
    name: str
    days_ago: float
    fate: str = "kept"  # kept, rekeyed, revoked, failed, withdrawn, draft
    key: str = "ec-p256"
    more: tuple[str, ...] = ()  # further names of a server

    @property
    def names(self) -> str:
        return "\n".join((self.name, *self.more))


def _chapters() -> Iterator[Chapter]:
    petra = partial(Chapter, "acme", "petra@acme.example", "desktop-signing")
    yield petra("Petra Nováková", 510)
    yield petra("Petra Nováková", 300, "rekeyed")
    yield petra("Petra Nováková (contracts)", 340)
    yield petra("Petra Nováková (tenders)", 352)
    yield petra("Petra Nováková (payroll)", 200, "revoked")
    yield petra("Petra Nováková (customs)", 120, key="rsa-3072")
    yield petra("Petra Nováková (board)", 90, "rekeyed")
    yield petra("Petra Nováková (quality)", 60)
    yield petra("Petra Nováková (archive)", 33, key="rsa-2048")
    yield petra("Petra Nováková (site)", 12)
    yield petra("Petra Nováková (press)", 3, "failed")
    yield petra("Petra Nováková (travel)", 2, "withdrawn")
    yield petra("Petra Nováková (legal)", 0.2, "draft")
    mail = partial(Chapter, "acme", "petra@acme.example", "secure-email")
    yield mail("Petra Nováková", 280)
    yield mail("Petra Nováková", 341, key="rsa-2048")
    dan = partial(Chapter, "acme", "dan@acme.example", "desktop-signing")
    yield dan("Dan Král", 480)
    yield dan("Dan Král", 359)
    yield dan("Dan Král (plant 2)", 250, "rekeyed")
    yield dan("Dan Král (plant 2)", 180, "revoked")
    yield dan("Dan Král (scanner)", 70)
    yield dan("Dan Král (archive)", 40, key="ec-p384")
    server = partial(Chapter, "acme", "petra@acme.example", "tls-server")
    yield server("www.demo.test", 30, more=("shop.demo.test", "forbidden.demo.test"))
    yield server("plain.demo.test", 70, "rekeyed")
    yield Chapter("acme", "dan@acme.example", "tls-server", "wild.demo.test", 83, more=("*.wild.demo.test",))
    yield Chapter("acme", "dan@acme.example", "secure-email", "Dan Král", 355)
    yield Chapter("acme", "dan@acme.example", "secure-email", "Dan Král", 15)
    hank = partial(Chapter, "globex", "hank@globex.example", "desktop-signing")
    yield hank("Hank Scorpio", 420)
    yield hank("Hank Scorpio", 350)
    yield hank("Hank Scorpio (volcano)", 160, "rekeyed")
    yield hank("Hank Scorpio (hammocks)", 150, "revoked")
    yield hank("Hank Scorpio (sugar)", 45)
    yield Chapter("globex", "hank@globex.example", "tls-server", "www.demo.test", 40, key="rsa-3072")
    mina = partial(Chapter, "globex", "mina@globex.example", "secure-email")
    for days in (500, 362, 345, 100, 50, 8):
        yield mina("Mina Park", days)
    yield mina("Mina Park", 220, "rekeyed")
    yield Chapter("globex", "mina@globex.example", "desktop-signing", "Mina Park", 30)
    yield Chapter("globex", "mina@globex.example", "desktop-signing", "Mina Park (import)", 5, "failed")


def tell() -> None:
    now = clock.now()
    people: dict[str, User] = {}
    with at(now - FOUNDED):
        tenants = {slug: _found(slug) for slug in TENANTS}
        _populate({**tenants, "platform": Tenant.objects.get(pk=PLATFORM)}, people)
    claims.prove(tenants["acme"], people, now)
    with at(now - FOUNDED):
        for tenant in tenants.values():
            _equip(tenant)
    for chapter in sorted(_chapters(), key=lambda chapter: -chapter.days_ago):
        _live(tenants[chapter.tenant], people[chapter.email], chapter, now)
    claims.begin(tenants["acme"], people, now)
    with at(now - FACTOR_SINCE):
        for tenant in tenants.values():
            _ask_for_codes(tenant)
    with acting_for(PLATFORM):
        record(actor=ROBOT, code=DONE, subject=PLATFORM)


def at(moment: datetime) -> AbstractContextManager[None]:
    return clock.frozen(moment)


def _found(slug: str) -> Tenant:
    name, _country = TENANTS[slug]
    return Tenant.objects.create(slug=slug, name=name, created_at=clock.now())


def _populate(tenants: dict[str, Tenant], people: dict[str, User]) -> None:
    for somebody in PEOPLE:
        user = User(subject=somebody.email, email=somebody.email, name=somebody.name, created_at=clock.now())
        user.set_password(somebody.password)
        user.save()
        people[somebody.email] = user
        for slug in somebody.seats:
            with acting_for(tenants[slug].pk):
                for role in somebody.roles:
                    Membership(person=user, role=role).save()
                    record(actor=ROBOT, code="membership:give", subject=user.pk, role=role)


def _equip(tenant: Tenant) -> None:
    """A root, an issuing authority, profiles with their first policies, and an agreement."""
    name, country = TENANTS[tenant.slug]
    token = token_at(config.pkcs11_module, config.pkcs11_token, config.pkcs11_pin_file)
    root, issuing = (
        Plan(
            slug=slug,
            name=f"{name} {word}",
            organization=name,
            country=country,
            key_type="ec-p256",
            days=days,
            caa_identities=(f"ca.{tenant.slug}.example",) if slug == "issuing" else (),
        )
        for slug, word, days in (("root", "Root CA", 7300), ("issuing", "Issuing CA", 3650))
    )
    above = create_authority(tenant, root, token, by=ROBOT)
    authority = create_authority(tenant, issuing, token, by=ROBOT, parent=above)
    with acting_for(tenant.pk):
        SubscriberAgreement(slug="subscriber", version=1, **AGREEMENT).save()
        for slug, profile in PROFILES.items():
            _offer(slug, profile, authority, {"organization": name, "country": country})
            for kind in Kind:
                Policy(
                    profile=slug,
                    operation=kind,
                    version=1,
                    enabled=True,
                    agreement="subscriber",
                    made_by=ROBOT,
                ).save()


def _offer(slug: str, profile: dict, authority: CertificateAuthority, fixed: dict[str, str]) -> None:  # type: ignore[type-arg]
    CertificateProfile(
        slug=slug,
        title=profile["title"],
        area=slug,
        trust=Trust.PRIVATE,
        authority=authority,
        content={**profile["content"], "fixed_subject": fixed},
    ).save()


def _ask_for_codes(tenant: Tenant) -> None:
    """The second version of every policy: a code by e-mail confirms the operation, and names in the DNS are checked."""
    with acting_for(tenant.pk):
        for policy in list(Policy.objects.filter(version=1)):
            Policy(
                profile=policy.profile,
                operation=policy.operation,
                version=2,
                enabled=True,
                agreement=policy.agreement,
                factor="email-code",
                **claims.asked(tenant, looked_up=PROFILES[policy.profile].get("checks_caa", False)),
                made_by=ROBOT,
            ).save()


def _live(tenant: Tenant, person: User, chapter: Chapter, now: datetime) -> None:
    asked = now - timedelta(days=chapter.days_ago)
    with at(asked):
        request = _answer(tenant, person, chapter, None)
        if chapter.fate == "draft":
            return
        if chapter.fate == "withdrawn":
            with acting_for(tenant.pk, person=person.pk):
                services.withdraw(request, by=person.pk)
            return
        _submit(tenant, person, request)
        if chapter.fate == "failed":
            with acting_for(tenant.pk):
                spki = CertificateRequest.objects.get(pk=request).answers["key"]["spki"]
                certificates.report_compromised(spki, how_known="found on a public list")
        _work()
    if chapter.fate == "rekeyed":
        with at(asked + timedelta(days=min(60, chapter.days_ago / 2))):
            _submit(tenant, person, _answer(tenant, person, chapter, _issued(tenant, request).pk))
            _work()
    if chapter.fate == "revoked":
        with at(asked + timedelta(days=40)), acting_for(tenant.pk):
            row = Certificate.objects.get(made_from=request)
            certificates.revoke(row, reason=Reason.CESSATION, by=person.pk)


def _issued(tenant: Tenant, request: UUID) -> Certificate:
    with acting_for(tenant.pk):
        return Certificate.objects.get(made_from=request)


def _answer(tenant: Tenant, person: User, chapter: Chapter, source: UUID | None) -> UUID:
    """Fill in every step of the wizard, as the person would."""
    csr = _fresh_csr(chapter)
    with acting_for(tenant.pk, person=person.pk):
        if source is None:
            draft = services.begin_from_profile(chapter.profile, Kind.ISSUE, by=person.pk)
        else:
            draft = services.begin_from_certificate(source, Kind.REKEY, by=person.pk)
        while (step := Flow(draft, STEPS).open_step) is not None:
            if chapter.fate == "draft" and step.slug == "confirm":
                break
            given = {
                "subject": {"common_name": chapter.name},
                "names": {"email": person.email, "dns": chapter.names},
                "validity": {"days": str(longest_days(draft))},
                "key": {"csr": csr},
                "confirm": {
                    "agreement": str(SubscriberAgreement.in_force("subscriber").pk),
                    "seen": seen(draft),
                    "use_case": "lost",
                    "message": "The old laptop was replaced." if source else "",
                    "consent": "on",
                },
            }[step.slug]
            form = step.form(as_posted(given), draft=draft)
            if not form.is_valid():
                raise ValueError(f"{chapter}: {step.slug}: {form.errors.as_json()}")
            services.keep_answer(draft, step.slug, form.plain_answers())
        return draft.pk


def _fresh_csr(chapter: Chapter) -> str:
    kind = KEY_KINDS[chapter.key]
    key = kind.make()
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def _submit(tenant: Tenant, person: User, request: UUID) -> None:
    with acting_for(tenant.pk, person=person.pk):
        services.submit(services.draft_for(request, by=person.pk), by=person.pk, challenge=None)


def _work() -> None:
    """Do what was promised, as a worker would; notices of long ago are not mailed today."""
    for errand in Errand.objects.filter(done_at=None, queue="signing").order_by("due_at"):
        run(errand)
        errand.refresh_from_db()
        if errand.done_at is None:
            raise RuntimeError(f"{errand.task} of the story failed: {errand.last_error}")
    for errand in Errand.objects.filter(done_at=None, queue="messages"):
        errand.finish()
