"""Two tenants with people, authorities in the real token, profiles, policies, an agreement; and what people do there.

A pytest plugin: every test may ask for `acme`, `globex`, or a person by name.  The fixtures write what has no
service yet (tenants, people, policies) as the owner; everything else goes through services as a named person:

    begun(petra, acme)                        a draft, nothing answered yet
    filled(petra, acme)                       a draft with every question answered
    submitted(petra, acme)                    a request that waits for the signing worker
    issued(petra, acme)                       the certificate, signed by the token
    issued(petra, acme, source=certificate)   the same for a rekey of an earlier certificate

All four take the same wishes: `profile`, `source`, `name`, `email`, `dns`, `days`, `key` (its kind), `csr`, `use_case`,
`message`.  Names in the DNS are looked at by `permit` when the wizard asks for that, and proven by `prove_all`; nothing
asks a real name server.
Each opens its own units of work, so call them outside any.  The first policies ask for no second factor;
`ask_for_codes(acme)` makes the next version of each, which does.

    acme     petra and dan (subscribers), wei (reviewer), jonas (recovery officer), ada (administrator), vera (auditor)
    globex   hank and mina (subscribers), vera (auditor)
    olu      operates the platform and belongs to no tenant
"""

import re
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from django.contrib.auth.hashers import make_password
from django.core import mail
from django.db import connection
from django.test import Client
from django_otp.oath import TOTP
from psycopg2 import sql

from auth2fa import challenges, enrolments
from auth2fa.models import Enrolment
from auth2fa.protocol import Person
from lifecycle.authorities.addresses import crl_url, issuer_url
from lifecycle.authorities.backends.pkcs11 import key_in
from lifecycle.authorities.ceremony import Charter, Superior, self_signed, subordinate
from lifecycle.authorities.keys import KEY_KINDS
from lifecycle.authorities.models import CertificateAuthority, CertificateProfile, Trust
from lifecycle.authorities.order import last_second
from lifecycle.certificates.models import Certificate
from lifecycle.policies.models import Policy, SubscriberAgreement
from lifecycle.requests import services
from lifecycle.requests.controls import proven
from lifecycle.requests.kinds import Kind
from lifecycle.requests.looks import caa_terms
from lifecycle.requests.models import CertificateRequest, request_of
from lifecycle.requests.orders import longest_days
from lifecycle.requests.rechecking import look_again
from lifecycle.validation import attempts, control, proving
from lifecycle.validation.looking import check_now, look_at, opened, settle
from lifecycle.validation.methods import Finding
from lifecycle.validation.models import Domain, DomainControl
from lifecycle.validation.observing import Views
from lifecycle.validation.outside import our_fetcher
from lifecycle.validation.perspectives.protocol import Attested
from lifecycle.validation.perspectives.quorum import Remote, agreed
from lifecycle.validation.questions import Asked, Observation, Question
from lifecycle.validation.states import ControlEvent, ControlState
from lifecycle.validation.witness import Witness
from lifecycle.wizards.flow import Flow, as_posted
from lifecycle.wizards.forms import seen
from lifecycle.wizards.steps import STEPS
from portal.config import config
from portal.demo.postgresql import OWNER, SERVICE_ROLES
from portal.demo.texts import AGREEMENT, PROFILES
from portal.foundation import clock
from portal.foundation.access import services as access
from portal.foundation.access import tokens
from portal.foundation.access.models import ApiToken, Invitation, Membership, User
from portal.foundation.access.permissions import Role, permissions_of
from portal.foundation.access.scopes import useful_to
from portal.foundation.outbox.drain import run
from portal.foundation.outbox.models import Errand
from portal.foundation.outbox.registry import task_named
from portal.foundation.tenancy.context import acting_as, acting_for
from portal.foundation.tenancy.models import PLATFORM, Tenant
from portal.foundation.token import token_at
from portal.perspectives import Perspective, Place
from tests.fakes.zone import Zone

PASSWORD = "everybody-has-this-one"
FOUNDED = timedelta(days=900)
"""How long ago the authorities began; a test may freeze the clock anywhere after that."""

REGIONS = ("RIPE", "ARIN")

TENANTS = {"acme": ("Acme Industries", "CZ"), "globex": ("Globex Corporation", "US")}

PEOPLE: dict[str, tuple[str, str, dict[str, tuple[Role, ...]]]] = {
    "petra": ("Petra Nováková", "petra@acme.example", {"acme": (Role.SUBSCRIBER,)}),
    "dan": ("Dan Král", "dan@acme.example", {"acme": (Role.SUBSCRIBER,)}),
    "wei": ("Li Wei", "wei@acme.example", {"acme": (Role.REVIEWER,)}),
    "jonas": ("Jonas Meyer", "jonas@acme.example", {"acme": (Role.RECOVERY_OFFICER,)}),
    "ada": ("Ada Osei", "ada@acme.example", {"acme": (Role.ADMINISTRATOR,)}),
    "vera": ("Vera Lind", "vera@audit.example", {"acme": (Role.AUDITOR,), "globex": (Role.AUDITOR,)}),
    "hank": ("Hank Scorpio", "hank@globex.example", {"globex": (Role.SUBSCRIBER,)}),
    "mina": ("Mina Park", "mina@globex.example", {"globex": (Role.SUBSCRIBER,)}),
    "olu": ("Olu Bello", "olu@portal.example", {"platform": (Role.OPERATOR,)}),
}


# --- who one is --------------------------------------------------------------------------------------------------


@contextmanager
def serving(service: str) -> Iterator[None]:
    """Have the database grants of *service* on this thread's connection; `owner` is `portal_owner`."""
    roles = {**SERVICE_ROLES, "owner": OWNER}
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        before = cursor.fetchone()[0]
        cursor.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(roles[service])))
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(before)))


def signed_in(client: Client, person: User) -> Client:
    """Give *client* a session of *person*, without the password's hundred milliseconds."""
    client.force_login(person)
    return client


def as_person(user: User) -> Person:
    return Person(id=user.pk, name=user.name, email=user.email)


# --- what is there before anybody does anything ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Minted:
    """An authority's key in the token and its certificate, made once a process; its rows are new in every test."""

    key_id: bytes
    der: bytes


@dataclass(frozen=True, slots=True)
class World:
    tenants: dict[str, Tenant]
    people: dict[str, User]


@cache
def _minted(slug: str) -> tuple[Minted, Minted]:
    """Return root and issuing authority of a tenant."""
    token = token_at(config.pkcs11_module, config.pkcs11_token, config.pkcs11_pin_file)
    root_id, issuing_id = secrets.token_bytes(16), secrets.token_bytes(16)
    for key_id in (root_id, issuing_id):
        token.generate("ec-p256", key_id)
    root = self_signed(_charter(slug, "Root CA", 7300, path_length=None), key_in(token, root_id))
    superior = Superior(
        certificate=root,
        key=key_in(token, root_id),
        aia_issuer_url=issuer_url(slug, "root", 1),
        crl_url=crl_url(slug, "root", 1, 1),
    )
    charter = _charter(slug, "Issuing CA", 3650, path_length=0)
    issuing = subordinate(charter, key_in(token, issuing_id).public_key(), superior)
    return Minted(root_id, root.public_bytes(Encoding.DER)), Minted(issuing_id, issuing.public_bytes(Encoding.DER))


def _charter(slug: str, word: str, days: int, *, path_length: int | None) -> Charter:
    name, country = TENANTS[slug]
    not_before = clock.now().replace(microsecond=0) - FOUNDED
    attributes = {
        NameOID.COUNTRY_NAME: country,
        NameOID.ORGANIZATION_NAME: name,
        NameOID.COMMON_NAME: f"{name} {word}",
    }
    return Charter(
        subject=x509.Name([x509.NameAttribute(oid, text) for oid, text in attributes.items()]),
        not_before=not_before,
        not_after=last_second(not_before, timedelta(days=days)),
        path_length=path_length,
    )


@cache
def _hashed() -> str:
    return make_password(PASSWORD)


def build() -> World:
    with serving("owner"):
        now = clock.now()
        made = [Tenant(slug=slug, name=name, created_at=now) for slug, (name, _country) in TENANTS.items()]
        tenants = {tenant.slug: tenant for tenant in Tenant.objects.bulk_create(made)}
        people = {
            short: User(subject=email, email=email, name=name, password=_hashed(), created_at=now)
            for short, (name, email, _seats) in PEOPLE.items()
        }
        User.objects.bulk_create(people.values())
        places = {**{slug: tenant.pk for slug, tenant in tenants.items()}, "platform": PLATFORM}
        for slug, pk in places.items():
            with acting_for(pk):
                Membership.objects.bulk_create(
                    Membership(person=people[short], role=role)
                    for short, (_name, _email, seats) in PEOPLE.items()
                    for role in seats.get(slug, ())
                )
                if slug in TENANTS:
                    _equip(slug)
    return World(tenants, people)


def _equip(slug: str) -> None:
    name, country = TENANTS[slug]
    root, issuing = (
        CertificateAuthority(slug=part, name=f"{name} {word}", key_id=minted.key_id.hex(), certificate_der=minted.der)
        for part, word, minted in zip(("root", "issuing"), ("Root CA", "Issuing CA"), _minted(slug), strict=True)
    )
    issuing.parent = root
    issuing.caa_identities = [issuer_domain(slug)]
    CertificateAuthority.objects.bulk_create([root, issuing])
    SubscriberAgreement(slug="subscriber", version=1, **AGREEMENT).save(force_insert=True)
    CertificateProfile.objects.bulk_create(
        CertificateProfile(
            slug=profile,
            title=promised["title"],
            area=profile,
            trust=Trust.PRIVATE,
            authority=issuing,
            content={**promised["content"], "fixed_subject": {"organization": name, "country": country}},
        )
        for profile, promised in PROFILES.items()
    )
    Policy.objects.bulk_create(
        Policy(
            profile=profile,
            operation=kind,
            version=1,
            enabled=True,
            agreement="subscriber",
            checks_caa=promised.get("checks_caa", False),
            made_by="test",
        )
        for profile, promised in PROFILES.items()
        for kind in Kind
    )


def issuer_domain(tenant: str) -> str:
    """Return what a CAA record must name to permit *tenant*'s authority."""
    return f"ca.{tenant}.example"


def next_policies(tenant: Tenant, **changes: Any) -> None:
    """Give every policy of *tenant* a next version, like the newest but for *changes*."""
    with serving("owner"), acting_for(tenant.pk):
        newest = Policy.objects.order_by("profile", "operation", "-version").distinct("profile", "operation")
        for policy in list(newest):
            same = {name: getattr(policy, name) for name in _KEPT}
            fresh = {**same, **changes, "version": policy.version + 1, "made_by": "test"}
            Policy(**fresh).save(force_insert=True)


_KEPT = (
    "profile",
    "operation",
    "enabled",
    "agreement",
    "factor",
    "factor_settings",
    "checks_caa",
    "proves_control",
    "corroborates",
    "approvals",
    "limits",
)


def ask_for_codes(tenant: Tenant) -> None:
    """Let every operation of *tenant* ask for a code by e-mail from now on."""
    next_policies(tenant, factor="email-code")


# --- what people do there -------------------------------------------------------------------------------------------


def csr(kind: str = "ec-p256") -> str:
    """Return a certificate signing request in PEM for a key that nobody had before."""
    made = KEY_KINDS[kind]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(made.make(), hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def begun(
    person: User,
    tenant: Tenant,
    kind: str | None = None,
    *,
    profile: str = "desktop-signing",
    source: Certificate | None = None,
) -> CertificateRequest:
    """Return a draft in which nothing is answered; of a rekey where a *source* is given."""
    wanted = Kind(kind) if kind else Kind.REKEY if source else Kind.ISSUE
    with acting_for(tenant.pk, person=person.pk):
        if source:
            return services.begin_from_certificate(source.pk, wanted, by=person.pk)
        return services.begin_from_profile(profile, wanted, by=person.pk)


def fill(draft: CertificateRequest, person: User, **wish: Any) -> CertificateRequest:
    """Answer every open question of a draft, as the wizard's forms demand."""
    if _answered(draft, person, wish) == "domains":
        prove_all(draft, person)
        permit(draft)
        assert not _answered(draft, person, wish)
    with acting_for(draft.tenant_id, person=person.pk):
        return services.draft_for(draft.pk, by=person.pk)


def _answered(draft: CertificateRequest, person: User, wish: dict[str, Any]) -> str:
    """Answer questions until there is none left, or one that somebody else has to settle; return its step."""
    with acting_for(draft.tenant_id, person=person.pk):
        locked = services.draft_for(draft.pk, by=person.pk)
        while (step := Flow(locked, STEPS).open_step) is not None:
            form = step.form(as_posted(_answer(step.slug, locked, person, wish)), draft=locked)
            if step.slug == "domains" and not form.is_valid():
                return step.slug
            assert form.is_valid(), f"{step.slug}: {form.errors.as_json()}"
            services.keep_answer(locked, step.slug, form.plain_answers())
        return ""


def _answer(step: str, draft: CertificateRequest, person: User, wish: dict[str, Any]) -> dict[str, Any]:
    match step:
        case "subject":
            return {"common_name": wish.get("name", person.name)}
        case "names":
            return {
                "email": wish.get("email", person.email),
                "dns": wish.get("dns", f"www.{person.email.split('@')[1]}"),
            }
        case "validity":
            return {"days": str(wish.get("days", longest_days(draft)))}
        case "domains":
            return {}
        case "key":
            return {"csr": wish.get("csr") or csr(wish.get("key", "ec-p256"))}
        case "confirm":
            return {
                "agreement": str(SubscriberAgreement.in_force("subscriber").pk),
                "seen": seen(draft),
                "use_case": wish.get("use_case", "lost"),
                "message": wish.get("message", ""),
                "consent": "on",
            }
    raise AssertionError(f"the world does not know how to answer {step!r}")


def at_domains(
    person: User,
    tenant: Tenant,
    *names: str,
    source: Certificate | None = None,
    profile: str = "tls-server",
    **wish: Any,
) -> CertificateRequest:
    """Return a draft in which all is answered up to “Domain ownership”; nobody looked at its names, or proved them."""
    draft = begun(person, tenant, profile=profile, source=source)
    assert _answered(draft, person, {"dns": "\n".join(names), **wish} if names else wish) == "domains"
    with acting_for(tenant.pk, person=person.pk):
        return services.draft_for(draft.pk, by=person.pk)


def recheck(request: CertificateRequest, zone: Zone, *, tries: int = 1) -> CertificateRequest:
    """Do what the validation worker does with a request that was sent back, in the *tries*th try."""
    task = "lifecycle.requests.tasks.look_again"
    errand = Errand.objects.filter(task=task, args__0=str(request.pk)).latest("pk")
    errand.tries = tries
    with serving("validation"):
        look_again(errand, request.pk, resolver=zone)
    with acting_for(request.tenant_id):
        return request_of(request.pk)


def prove(
    tenant: Tenant,
    name: str,
    *,
    by: User,
    method: str = "",
    at: datetime | None = None,
    corroborated: bool = True,
) -> DomainControl:
    """Return a proof of the domain or mailbox *name*, made *at* a moment or now.

    *by* claims it and begins; what the look sees, the validation worker writes down, with its grants.  Asks no world.
    """
    kind = "mailbox" if "@" in name else "dns"
    slug = method or {"mailbox": "mailbox", "dns": "dns-change"}[kind]
    with clock.frozen(at) if at else nullcontext():
        with acting_for(tenant.pk, person=by.pk):
            domain = Domain.objects.filter(name=name).first() or control.add(name, kind=kind, method=slug, by=by.pk)
            sent_to = f"postmaster@{name}" if slug == "constructed-email" else ""
            begun_one = control.begin(domain, method=slug, by=by.pk, sent_to=sent_to)
        return see(begun_one, corroborated=corroborated)


def see(attempt: DomainControl, *, corroborated: bool = True) -> DomainControl:
    """Do what the validation worker does when it sees the proof: all of five perspectives agree, or all but two."""
    dissent = 0 if corroborated else 2
    remotes = [Remote(f"p{number}", REGIONS[number % 2], number >= dissent) for number in range(5)]
    quorum = agreed(True, remotes, clock.now().date())
    sight = proving.Sight(Finding("seen", {"authentic": True}), quorum, {"quorum": asdict(quorum)})
    with serving("validation"), acting_for(attempt.tenant_id):
        known = DomainControl.objects.select_related("domain").get(pk=attempt.pk)
        if known.state == ControlState.PENDING:
            attempts.advance(known, ControlEvent.LOOK)
        proving.decide(known, sight, needs=False)
    return known


def prove_all(request: CertificateRequest, person: User) -> None:
    """Let *person* prove every name of *request* that has to be proven and is not: each through its nearest domain."""
    with acting_for(request.tenant_id, person=person.pk):
        known = request_of(request.pk)
        missing = [each.name for each in proven(known) if not each.counts]
        tenant = known.tenant
    for domain in dict.fromkeys(name.rpartition("@")[2].removeprefix("*.") for name in missing):
        prove(tenant, domain, by=person)


def permit(request: CertificateRequest, *, at: datetime | None = None) -> None:
    """Let every name of *request* be looked at, and be found to permit its authority."""
    look(request, Zone(), at=at)


def forbid(request: CertificateRequest, *names: str) -> None:
    """Let every name of *request* be looked at; the CAA records of *names* let only somebody else issue."""
    look(request, Zone(dict.fromkeys(names, ("other.example",))))


def look(request: CertificateRequest, zone: Zone, *, at: datetime | None = None) -> None:
    """Do what the validation worker does when it looks at the names of *request*, with its grants.

    Where perspectives have to agree, there are five, and all see the same.
    """
    with serving("validation"), clock.frozen(at) if at else nullcontext():
        with acting_for(request.tenant_id):
            names = caa_terms(request_of(request.pk))
            corroborated = {name: terms for name, terms in names.items() if terms.corroborated}
            checks, _new = opened(corroborated, by="test", about=request.pk)
        by_name = {check.name: check for check in checks}
        for sight in [each for sights in look_at(corroborated, zone) for each in sights]:
            with acting_for(request.tenant_id):
                settle(by_name[sight.name], replace(sight, views=_five_views(sight.name, zone)))
        others = {name: terms for name, terms in names.items() if name not in corroborated}
        check_now(request.tenant_id, others, by="test", about=request.pk, resolver=zone)


def _five_views(name: str, zone: Zone) -> Views:
    """What five perspectives see of the CAA records of *name*, each with the same resolver."""
    question = Question(Asked.CAA, name)
    places = tuple(Perspective(f"p{n}", Place(REGIONS[n % 2], 0.0, 0.0), f"p{n}.example", 443, b"") for n in range(5))
    seen = {each.name: Witness(each.name, zone, our_fetcher()).observe([question], patience=5) for each in places}
    return Views([], {place: [_signed(place, one) for one in found] for place, found in seen.items()}, places)


def _signed(place: str, seen: Observation) -> Attested:
    return Attested(seen.question, seen.at, seen.reason, seen.found, place, "", "", "")


def filled(
    person: User,
    tenant: Tenant,
    kind: str | None = None,
    *,
    profile: str = "desktop-signing",
    source: Certificate | None = None,
    **wish: Any,
) -> CertificateRequest:
    """Return a draft that could be submitted as it is."""
    return fill(begun(person, tenant, kind, profile=profile, source=source), person, **wish)


def confirmed(draft: CertificateRequest, person: User) -> UUID:
    """Answer the e-mail code for what *draft* says now; return the challenge, which `submit` spends."""
    with acting_for(draft.tenant_id, person=person.pk):
        factor, purpose, payload = draft.policy.factor, draft.purpose, draft.digest()
    asked = challenges.ask(
        factor, person=as_person(person), tenant=draft.tenant_id, purpose=purpose, payload=payload, about="a test"
    )
    [code] = re.findall(r"^ {4}(\d+)\r?$", str(mail.outbox[-1].body), re.MULTILINE)
    challenges.answer(asked.pk, as_person(person), {"code": code})
    with acting_for(draft.tenant_id, person=person.pk):
        services.keep_challenge(draft.pk, asked.pk, by=person.pk)
    return asked.pk


def submit(draft: CertificateRequest, person: User) -> CertificateRequest:
    """Submit a finished draft; where its policy asks for a code, the code is answered first."""
    challenge = confirmed(draft, person) if draft.policy.factor else None
    with acting_for(draft.tenant_id, person=person.pk):
        return services.submit(services.draft_for(draft.pk, by=person.pk), by=person.pk, challenge=challenge)


def submitted(person: User, tenant: Tenant, kind: str | None = None, **wish: Any) -> CertificateRequest:
    """Return a request that waits for the signing worker; its errand is in the queue."""
    return submit(filled(person, tenant, kind, **wish), person)


def errand_of(request: CertificateRequest) -> Errand:
    """Return the errand that promises to carry *request* out."""
    promised = Errand.objects.filter(task="lifecycle.requests.tasks.execute_request", args__0=str(request.pk))
    return promised.latest("pk")


def carry_out(request: CertificateRequest) -> CertificateRequest:
    """Do what the signing worker does with *request*, with its grants and the real token; return it as it is then."""
    errand = errand_of(request)
    with serving("signing"):
        run(errand)
    errand.refresh_from_db()
    assert errand.done_at, f"the errand did not end: {errand.last_error}"
    with acting_for(request.tenant_id):
        return CertificateRequest.objects.select_related("profile", "policy", "predecessor").get(pk=request.pk)


def issued(person: User, tenant: Tenant, kind: str | None = None, **wish: Any) -> Certificate:
    """Return a certificate that *person* asked for and the token signed."""
    done = carry_out(submitted(person, tenant, kind, **wish))
    assert done.state == "completed", done.why_failed
    with acting_for(tenant.pk):
        return Certificate.objects.with_facts().get(made_from=done.pk)


def parked(tenant: Tenant, task: str = "lifecycle.requests.notices.send_notice") -> Errand:
    """Return work of *tenant* that failed too often, and waits for the operator."""
    now = clock.now()
    errand = Errand(tenant_id=tenant.pk, queue=task_named(task).queue, task=task, due_at=now, parked_at=now, tries=150)
    errand.last_error = "TryLater: mail: ConnectionRefusedError"
    errand.save(force_insert=True)
    return errand


def at_once(times: int, deed: Callable[[], object]) -> list[object]:
    """Run *deed* several times at the same moment; return what each run returned or raised."""
    ready = Barrier(times)

    def one() -> object:
        try:
            ready.wait(10)
            return deed()
        except Exception as raised:  # noqa: BLE001 - it is the result
            return raised
        finally:
            connection.close()

    with ThreadPoolExecutor(times) as pool:
        return [running.result() for running in [pool.submit(one) for _ in range(times)]]


# --- people and what they own ---------------------------------------------------------------------------------------


def invited(tenant: Tenant, by: User, *, email: str = "new@acme.example", roles: tuple[Role, ...] = ()) -> Invitation:
    """Return an invitation that waits for its answer; its mail is an errand in the queue."""
    with acting_for(tenant.pk, person=by.pk):
        return access.invite(email=email, name="New Person", roles=roles or (Role.SUBSCRIBER,), by=by.pk)


def token_of(
    person: User, tenant: Tenant, *scopes: str, days: int = 90, name: str = "deploy on web-3"
) -> tuple[ApiToken, str]:
    """Return a token that *person* made for a program, and its secret; with every scope that is of use to them."""
    with acting_for(tenant.pk, person=person.pk):
        offered = useful_to(permissions_of(tokens.roles_of(person.pk)))
        return tokens.make(person.pk, name=name, scopes=scopes or tuple(offered), days=days, by=person.pk)


def waiting(person: User) -> Enrolment:
    """Return an authenticator of *person* whose first code is still to come."""
    with acting_as(person.pk):
        return enrolments.begin_totp("Telephone")


def code_at(secret: bytes, *, steps: int = 0) -> str:
    """Return what an authenticator app shows, *steps* of thirty seconds from now."""
    clockwork = TOTP(secret, drift=steps)
    clockwork.time = clock.now().timestamp()
    return f"{clockwork.token():06}"


def enrolled(person: User) -> tuple[Enrolment, bytes]:
    """Return a confirmed authenticator of *person* with its secret; the code of a minute ago is used up."""
    begun_one = waiting(person)
    secret = enrolments.secret_of(begun_one)
    with clock.frozen(clock.now() - timedelta(minutes=1)), acting_as(person.pk):
        enrolments.confirm(begun_one.pk, code_at(secret))
    return begun_one, secret


# --- fixtures -------------------------------------------------------------------------------------------------------


@pytest.fixture
def world(db: None) -> World:
    return build()


@pytest.fixture
def acme(world: World) -> Tenant:
    return world.tenants["acme"]


@pytest.fixture
def globex(world: World) -> Tenant:
    return world.tenants["globex"]


@pytest.fixture
def petra(world: World) -> User:
    return world.people["petra"]


@pytest.fixture
def dan(world: World) -> User:
    return world.people["dan"]


@pytest.fixture
def wei(world: World) -> User:
    return world.people["wei"]


@pytest.fixture
def jonas(world: World) -> User:
    return world.people["jonas"]


@pytest.fixture
def ada(world: World) -> User:
    return world.people["ada"]


@pytest.fixture
def vera(world: World) -> User:
    return world.people["vera"]


@pytest.fixture
def hank(world: World) -> User:
    return world.people["hank"]


@pytest.fixture
def mina(world: World) -> User:
    return world.people["mina"]


@pytest.fixture
def olu(world: World) -> User:
    return world.people["olu"]
