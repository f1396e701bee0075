"""Every page there is, in the states that look different, and how to get there.

The list is checked against the URL resolver: a route that is missing here fails `test_pages.py`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.serialization import Encoding
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from auth2fa import challenges
from auth2fa.login.links import link_for
from lifecycle.authorities.models import CertificateProfile
from lifecycle.certificates import services as certificates
from lifecycle.certificates.bundles import read_bundle
from lifecycle.certificates.models import Certificate, Reason
from lifecycle.policies.models import Policy
from lifecycle.requests import reviewing, services
from lifecycle.requests.looks import caa_terms
from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.states import Event
from lifecycle.validation import contacts, control, surveying, surveys
from lifecycle.validation.caa import Reason as CaaReason
from lifecycle.validation.models import Domain, PublishingWay
from lifecycle.validation.publishing.services import Wanted, add_way, try_way
from lifecycle.validation.questions import Asked
from lifecycle.validation.services import ask
from lifecycle.validation.tasks import survey as survey_task
from portal.demo.texts import AGREEMENT
from portal.foundation import clock
from portal.foundation.access import services as access
from portal.foundation.access import tokens
from portal.foundation.access.guards import takes_token
from portal.foundation.access.links import address_of
from portal.foundation.access.looks import begin_look
from portal.foundation.access.models import Membership, User
from portal.foundation.access.permissions import Role
from portal.foundation.audit.models import AuditSeal
from portal.foundation.audit.sealer import seal_everything
from portal.foundation.audit.verify import verify
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy import services as tenancy
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import PLATFORM, Tenant
from portal.notary.services import note_verification
from tests.fakes.everywhere import PLACES, Everywhere
from tests.fakes.zone import Zone
from tests.lifecycle.validation.proofs import added as domain_added
from tests.lifecycle.validation.proofs import begun as control_begun
from tests.lifecycle.validation.proofs import looked as looked_for
from tests.lifecycle.validation.proofs import proven as proven_by
from tests.lifecycle.validation.proofs import work as prove_by
from tests.world import (
    PASSWORD,
    World,
    as_person,
    at_domains,
    begun,
    carry_out,
    csr,
    enrolled,
    fill,
    filled,
    invited,
    issued,
    look,
    next_policies,
    parked,
    prove,
    serving,
    signed_in,
    submitted,
    token_of,
    waiting,
)

NO_PAGE = {
    "sign-out": "takes a POST and leads to the sign-in page",
    "sessions-end": "takes a POST and leads to My account",
    "authenticator-qr": "is a picture",
    "people-export": "is a file",
    "token-export": "is a file",
    "api-schema": "is for programs",
    "api-reference": "tells what programs do in the words of the OpenAPI document; tests/api/test_reference.py looks",
    "invitation-act": "takes a POST and leads to the list of people",
    "request-discard": "takes a POST and leads to the request's page",
    "request-verify": "takes a POST and leads back to the step",
    "request-leave-out": "takes a POST and leads back to the step",
    "request-prove": "takes a POST and leads on to the page of a domain",
    "request-review": "takes a POST and leads to the request's page",
    "request-status": "is a part of the request's page, which shows it",
    "certificate-download": "is a file",
    "domain-export": "is a file",
    "domain-standing": "is a part of the domain's page, which shows it",
    "domain-prove": "takes a POST and leads to the domain's page",
    "domain-contact": "takes a POST and leads to the domain's page",
    "domain-look": "takes a POST and leads to the domain's page",
    "domain-publishing": "takes a POST and leads to the domain's page",
    "caa-found": "is a part of the survey's page, which shows it",
    "publishing-export": "is a file",
    "publishing-standing": "is a part of the way's page, which shows it",
    "publishing-try": "takes a POST and leads to the way's page",
    "journal-verify": "takes a POST and leads to the journal",
    "journal-export": "is a file",
    "policy-export": "is a file",
    "profile-export": "is a file",
    "agreement-acceptances": "is a file",
    "platform-journal-verify": "takes a POST and leads to the journal",
    "platform-journal-export": "is a file",
    "platform-tenants-export": "is a file",
    "platform-look-end": "takes a POST and leads to the tenant's page",
    "certificate-export": "is a file",
    "certificate-export-area": "is a file",
    "request-export": "is a file",
    "request-export-area": "is a file",
    "issuer-certificate": "is a file",
    "healthz": "is for programs",
    "readyz": "is for programs",
    "demo-mail": "shows a mail as it was sent, in the mail's own words",
}
"""Routes that no person looks at, and why."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One look at a page: as whom, where, and what is pressed there before one looks."""

    route: str
    state: str
    who: User | None
    path: str
    press: str = ""
    answers: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200

    def __str__(self) -> str:
        return f"{self.route} ({self.state})"


def routes() -> set[str]:
    """The names of every route of the resolver that people may open; those for programs are in `tests/api`."""
    return set(_named(get_resolver().url_patterns))


def _named(patterns: list[URLPattern | URLResolver]) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _named(pattern.url_patterns)
        else:
            assert pattern.name, f"{pattern} has no name"
            if not takes_token(pattern.callback):
                yield pattern.name


def visits(world: World) -> list[Visit]:
    """Fill the world with one of everything and say where it can be looked at."""
    parts = (
        _front,
        _account,
        _people,
        _tokens,
        _certificates,
        _uploads,
        _requests,
        _servers,
        _proofs,
        _reviews,
        _domains,
        _publishing,
        _adviser,
        _wizard,
        _administration,
        _platform,
        _journal,
        _problems,
    )
    return [visit for part in parts for visit in part(world)]


def _front(world: World) -> Iterator[Visit]:
    people = world.people
    yield Visit("sign-in", "empty", None, "/sign-in/?next=/t/acme/")
    yield Visit("sign-in", "refused", None, "/sign-in/", "Sign in", status=422)
    wrong = {"username": "petra", "password": "wrong"}
    yield Visit("sign-in", "not recognised", None, "/sign-in/", "Sign in", wrong, 403)
    yield Visit("home", "several tenants", people["vera"], "/")
    yield Visit("home", "an operator's", people["olu"], "/")
    yield Visit("demo-mailbox", "mails or none", None, "/demo/mailbox/")
    yield Visit("demo-dns", "as it starts", None, "/demo/dns/")
    wrong = {"name": "www.example.org", "kind": "CAA", "value": "ca.acme.example"}
    yield Visit("demo-dns", "nobody's name, no record", None, "/demo/dns/", "Add the record", wrong, 422)
    yield Visit("demo-dns-name", "records", None, "/demo/dns/www.demo.test/")
    wrong = {"caa": "ca.acme.example"}
    yield Visit("demo-dns-name", "no record", None, "/demo/dns/www.demo.test/", "Replace the records", wrong, 422)
    yield Visit("demo-files", "none", None, "/demo/files/")
    wrong = {"address": "ftp://www.demo.test/x", "text": "x"}
    yield Visit("demo-perspectives", "all are told the truth", None, "/demo/perspectives/")
    yield Visit("demo-files", "no address", None, "/demo/files/", "Put the file there", wrong, 422)
    yield Visit("tenant-home", "nothing yet", people["mina"], "/t/globex/")
    yield Visit("tenant-home", "no right to read", people["jonas"], "/t/acme/")


def _account(world: World) -> Iterator[Visit]:
    petra, jonas, dan = world.people["petra"], world.people["jonas"], world.people["dan"]
    yield Visit("account", "no authenticator", jonas, "/account/")
    kept, _secret = enrolled(petra)
    for person in (petra, petra):
        signed_in(Client(), person)
    yield Visit("account", "authenticators and sessions", petra, "/account/")
    yield Visit("password-change", "empty", petra, "/account/password/")
    yield Visit("password-change", "refused", petra, "/account/password/", "Change password", status=422)
    weak = {"old": PASSWORD, "new": "short"}
    yield Visit("password-change", "too weak", petra, "/account/password/", "Change password", weak, 422)
    yield Visit("authenticator-add", "empty", petra, "/account/authenticators/add/")
    yield Visit("authenticator-add", "refused", petra, "/account/authenticators/add/", "Next", status=422)
    named = {"label": "Spare", "password": PASSWORD}
    yield Visit("authenticator-code", "from the app", petra, "/account/authenticators/add/", "Next", named)
    yield Visit("authenticator-code", "by e-mail", jonas, "/account/authenticators/add/", "Next", named)
    setting_up = f"/account/authenticators/{waiting(dan).pk}/"
    yield Visit("authenticator", "waiting for the first code", dan, setting_up)
    yield Visit("authenticator", "refused", dan, setting_up, "Finish set-up", {"code": "1"}, 422)
    removing = f"/account/authenticators/{kept.pk}/remove/"
    yield Visit("authenticator-remove", "asks for the password", petra, removing)
    wrong = {"password": "wrong"}
    yield Visit("authenticator-remove", "refused", petra, removing, "Next", wrong, 422)
    yield Visit("password-forgotten", "empty", None, "/password/forgotten/")
    yield Visit("password-forgotten", "refused", None, "/password/forgotten/", "Send the link", status=422)
    asked = {"username": "petra@acme.example"}
    yield Visit("password-forgotten", "sent", None, "/password/forgotten/", "Send the link", asked)
    link = f"/password/new/?link={link_for(world.people['wei'])}"  # who has not signed in since
    yield Visit("password-new", "empty", None, link)
    yield Visit("password-new", "refused", None, link, "Set password", {"new": "short"}, 422)
    yield Visit("password-new", "over", None, "/password/new/?link=nothing", status=409)


def _people(world: World) -> Iterator[Visit]:
    acme, ada, vera, dan = world.tenants["acme"], world.people["ada"], world.people["vera"], world.people["dan"]
    new = invited(acme, ada)
    known = invited(acme, ada, email="hank@globex.example")
    link = urlsplit(address_of(acme.pk, new.pk))
    path = f"{link.path}?{link.query}"
    yield Visit("invitation", "nobody known", None, path)
    yield Visit("invitation", "refused", None, path, "Accept invitation", {"new": "short"}, 422)
    yield Visit("invitation", "somebody else", ada, path)
    link = urlsplit(address_of(acme.pk, known.pk))
    path = f"{link.path}?{link.query}"
    yield Visit("invitation", "has an account", None, path)
    yield Visit("invitation", "accepts", world.people["hank"], path)
    yield Visit("invitation", "over", None, "/invitation/?link=nothing", status=409)
    for name, presses in (("approved", ("", "Approve")), ("refused", ("Not me",))):
        mailed = {"method": "constructed-email", "sent_to": f"admin@{name}.example"}
        domain = domain_added(acme, dan, f"{name}.example", method="constructed-email")
        link = urlsplit(contacts.address_of(control_begun(acme, dan, domain, **mailed)))
        for press in presses:
            yield Visit("domain-approval", press or "asked", None, f"{link.path}?{link.query}", press)
    yield Visit("domain-approval", "over", None, "/approval/?link=nothing", status=409)
    with acting_for(acme.pk):
        access.suspend(world.people["jonas"].pk, by=ada.pk)
    people = "/t/acme/people/"
    yield Visit("people-list", "an administrator's", ada, people)
    yield Visit("people-list", "an auditor's", vera, f"{people}?sort=-email&state=active")
    yield Visit("people-list", "nothing matches", ada, f"{people}?q=nobody")
    yield Visit("people-invite", "empty", ada, f"{people}invite/")
    yield Visit("people-invite", "refused", ada, f"{people}invite/", "Send invitation", status=422)
    yield Visit("people-import", "empty", ada, f"{people}import/")
    rows = {"rows": "name,email,roles\n=cmd,nobody,king"}
    yield Visit("people-import", "faults", ada, f"{people}import/", "Check the lines", rows, 422)
    rows = {"rows": "name,email,roles\nEva Malá,eva@acme.example,subscriber\nDan,dan@acme.example,auditor"}
    yield Visit("people-import", "preview", ada, f"{people}import/", "Check the lines", rows)
    yield Visit("person", "active", ada, f"{people}{dan.pk}/")
    yield Visit("person", "suspended", ada, f"{people}{world.people['jonas'].pk}/")
    yield Visit("person", "an auditor's", vera, f"{people}{dan.pk}/")
    yield Visit("person-roles", "chosen", ada, f"{people}{dan.pk}/roles/")
    roles = {"roles": "auditor"}
    yield Visit("person-roles", "preview", ada, f"{people}{dan.pk}/roles/", "See what changes", roles)
    for act in ("suspend", "unsuspend", "end-sessions", "reset-factors", "remove"):
        yield Visit("person-act", act, ada, f"{people}{dan.pk}/{act}/")
    yield Visit("person-act", "refused", ada, f"{people}{ada.pk}/remove/", "Remove", status=409)
    with acting_for(acme.pk):
        access.unsuspend(world.people["jonas"].pk, by=ada.pk)


def _tokens(world: World) -> Iterator[Visit]:
    acme, petra, ada = world.tenants["acme"], world.people["petra"], world.people["ada"]
    path = "/t/acme/tokens/"
    yield Visit("token-list", "empty", petra, path)
    yield Visit("token-list", "nothing to make", world.people["jonas"], path)
    with clock.frozen(clock.now() - timedelta(days=100)):
        over, _secret = token_of(petra, acme, name="A new machine.")
        soon, _secret = token_of(petra, acme, "requests:read", days=104, name="Hello")
    revoked, _secret = token_of(petra, acme, name="Hello")
    with acting_for(acme.pk):
        tokens.revoke(revoked.pk, by=petra.pk, may_all=False)
    theirs, _secret = token_of(world.people["dan"], acme, name="A new machine.")
    yield Visit("token-list", "every state", petra, path)
    yield Visit("token-list", "everybody's", ada, f"{path}?whose=all&sort=-name")
    yield Visit("token-list", "an auditor's", world.people["vera"], f"{path}?whose=all")
    yield Visit("token-list", "nothing matches", ada, f"{path}?state=revoked")
    yield Visit("token-new", "empty", petra, f"{path}new/")
    yield Visit("token-new", "nothing to choose", world.people["jonas"], f"{path}new/")
    yield Visit("token-new", "refused", petra, f"{path}new/", "Next", status=422)
    answers = {"name": "Hello", "scopes": "certificates:read", "days": "30", "password": PASSWORD}
    yield Visit("token-code", "by e-mail or from the app", petra, f"{path}new/", "Next", answers)
    yield Visit("token-revoke", "one's own", petra, f"{path}{soon.pk}/revoke/")
    yield Visit("token-revoke", "somebody else's", ada, f"{path}{theirs.pk}/revoke/")
    yield Visit("token-revoke", "over already", petra, f"{path}{over.pk}/revoke/")


def _certificates(world: World) -> Iterator[Visit]:
    acme, petra, hank = world.tenants["acme"], world.people["petra"], world.people["hank"]
    yield Visit("certificate-list", "empty", hank, "/t/globex/certificates/")
    with clock.frozen(clock.now() - timedelta(days=400)):
        expired = issued(petra, acme, name="Petra Nováková (archive)")
    with clock.frozen(clock.now() - timedelta(days=350)):
        expiring = issued(petra, acme, profile="secure-email", email="petra@acme.example\nnovakova@acme.example")
    old = issued(petra, acme, key="rsa-2048", name="Wolfeschlegelsteinhausenbergerdorff Petra Magdalena von Beispiel")
    new = issued(petra, acme, source=old, use_case="changed", message="A new machine.")
    busy = issued(petra, acme)
    submitted(petra, acme, source=busy)
    revoked = issued(petra, acme)
    with serving("signing"), acting_for(acme.pk):
        certificates.revoke(revoked, reason=Reason.KEY_COMPROMISE, by=petra.pk)
    filled(petra, acme)
    yield Visit("tenant-home", "something to do", petra, "/t/acme/")
    yield Visit("certificate-list", "rows", petra, "/t/acme/certificates/")
    yield Visit("certificate-list", "everybody's", world.people["vera"], "/t/acme/certificates/?sort=-expires")
    yield Visit("certificate-list", "narrowed", petra, "/t/acme/certificates/?status=active&q=petra&sort=name")
    yield Visit("certificate-list", "nothing matches", petra, "/t/acme/certificates/?q=nobody")
    yield Visit("certificate-list-area", "rows", petra, "/t/acme/areas/desktop-signing/certificates/")
    states = {"expired": expired, "expiring": expiring, "replaced": old, "rekeyed": new, "busy": busy}
    for state, certificate in {**states, "revoked": revoked}.items():
        yield Visit("certificate-detail", state, petra, f"/t/acme/certificates/{certificate.pk}/")
    yield Visit("certificate-detail", "an auditor's", world.people["vera"], f"/t/acme/certificates/{new.pk}/")
    yield Visit("certificate-action", "possible", petra, f"/t/acme/certificates/{new.pk}/action/")
    yield Visit("certificate-action", "not possible", petra, f"/t/acme/certificates/{revoked.pk}/action/")
    refused = f"/t/acme/certificates/{new.pk}/action/"
    yield Visit("certificate-action", "refused", petra, refused, "View request", status=422)


def _uploads(world: World) -> Iterator[Visit]:
    acme, petra = world.tenants["acme"], world.people["petra"]
    with acting_for(acme.pk):
        ours = Certificate.objects.filter(source="issued").earliest("pk")
        issuing, root = ours.authority.chain()
        [theirs] = certificates.upload(read_bundle(issuing.public_bytes(Encoding.DER)).found, by=petra.pk)
    path = "/t/acme/certificates/upload/"
    fresh, known = (each.public_bytes(Encoding.PEM).decode() for each in (root, ours.x509))
    yield Visit("certificate-upload", "empty", petra, path)
    yield Visit("certificate-upload", "refused", petra, path, "Check", {"text": "nonsense"}, 422)
    yield Visit("certificate-upload", "found", petra, path, "Check", {"text": fresh})
    yield Visit("certificate-upload", "here already", petra, path, "Check", {"text": known})
    yield Visit("certificate-detail", "uploaded", petra, f"/t/acme/certificates/{theirs.pk}/")
    yield Visit("certificate-action", "uploaded", petra, f"/t/acme/certificates/{theirs.pk}/action/")
    every = "?source=uploaded&status=active&key=ec-p256&issuer=Acme+Industries+Root+CA&ends_from=2020-01-01&sort=name"
    yield Visit("certificate-list", "many filters", petra, f"/t/acme/certificates/{every}")
    yield Visit(
        "request-list", "narrowed", world.people["vera"], "/t/acme/requests/?state=completed&kind=rekey&person=x"
    )


def _requests(world: World) -> Iterator[Visit]:
    acme, petra, hank = world.tenants["acme"], world.people["petra"], world.people["hank"]
    yield Visit("request-list", "empty", hank, "/t/globex/requests/")
    yield Visit("request-list", "rows", petra, "/t/acme/requests/")
    yield Visit("request-list-area", "rows", petra, "/t/acme/areas/desktop-signing/requests/rekey/")
    yield Visit("request-list-area", "nothing", petra, "/t/acme/areas/secure-email/requests/rekey/")
    for state, request in _in_every_state(world).items():
        yield Visit("request-page", state, petra, f"/t/acme/requests/{request.pk}/")
    with acting_for(acme.pk):
        rekeyed = CertificateRequest.objects.filter(kind="rekey", state="completed")[0]
    yield Visit("request-page", "a rekey", petra, f"/t/acme/requests/{rekeyed.pk}/")


def _in_every_state(world: World) -> dict[str, CertificateRequest]:
    acme, petra = world.tenants["acme"], world.people["petra"]
    failing = submitted(petra, acme)
    with serving("signing"), acting_for(acme.pk):
        certificates.report_compromised(failing.answers["key"]["spki"], how_known="test")
    withdrawn, reviewed = filled(petra, acme), filled(petra, acme)
    with acting_for(acme.pk, person=petra.pk):
        services.withdraw(withdrawn.pk, by=petra.pk)
        reviewed.advance(Event.SUBMIT, actor=petra.pk)
        reviewed.advance(Event.PASS_VALIDATION, actor="test")
    return {
        "draft": begun(petra, acme),
        "in review": reviewed,
        "ready": submitted(petra, acme),
        "completed": carry_out(submitted(petra, acme)),
        "failed": carry_out(failing),
        "withdrawn": withdrawn,
    }


def _wizard(world: World) -> Iterator[Visit]:
    acme, petra = world.tenants["acme"], world.people["petra"]
    yield Visit("request-start", "empty", petra, "/t/acme/requests/begin/issue/")
    yield Visit("request-start", "refused", petra, "/t/acme/requests/begin/issue/", "Next", status=422)

    def step(draft: CertificateRequest, slug: str, state: str, press: str = "", **answers: Any) -> Visit:
        path = f"/t/acme/requests/{draft.pk}/{slug}/"
        return Visit("request-step", f"{slug}: {state}", petra, path, press, answers, 422 if press else 200)

    mailing = begun(petra, acme, profile="secure-email")
    yield step(mailing, "subject", "empty")
    yield step(mailing, "subject", "refused", "Next", common_name="Petra\u202e")
    full = fill(begun(petra, acme, profile="secure-email"), petra)
    yield step(full, "subject", "answered")
    yield step(full, "names", "answered")
    yield step(full, "names", "refused", "Next", email="petra")
    rekey = begun(petra, acme, source=issued(petra, acme))
    yield step(rekey, "key", "empty")
    yield step(rekey, "key", "refused", "Next", csr="nonsense")
    answered = filled(petra, acme, source=issued(petra, acme), csr=csr(), message="Hello")
    yield step(answered, "key", "answered")
    yield step(answered, "confirm", "a rekey")
    yield step(full, "confirm", "a first certificate")
    unsure = filled(petra, acme, source=issued(petra, acme))
    with acting_for(acme.pk):
        key = {"key": unsure.answers["key"]}
        CertificateRequest.objects.filter(pk=unsure.pk).update(answers=key)
    yield step(unsure, "confirm", "nothing ticked", "Rekey")
    coded = filled(petra, acme, source=issued(petra, acme))
    _ask_for_a_code(world, coded)
    yield Visit("request-code", "a code was sent", petra, f"/t/acme/requests/{coded.pk}/confirmation/")
    code = f"/t/acme/requests/{coded.pk}/confirmation/"
    yield Visit("request-code", "refused", petra, code, "Confirm", {"code": "1"}, 422)


def _servers(world: World) -> Iterator[Visit]:
    """The pages for names in the DNS: what is locked, and every state that a name can be in."""
    acme, petra = world.tenants["acme"], world.people["petra"]
    names = [f"{label}.acme.example" for label in ("forbidden", "broken", "good")]

    def step(draft: CertificateRequest, slug: str, state: str, press: str = "", **answers: Any) -> Visit:
        path = f"/t/acme/requests/{draft.pk}/{slug}/"
        return Visit("request-step", f"{slug}: {state}", petra, path, press, answers, 422 if press else 200)

    first = at_domains(petra, acme, *names)
    yield step(first, "subject", "of a server")
    yield step(first, "names", "of a server")
    yield step(first, "names", "of a server, refused", "Next", dns="a..example <b> 10.0.0.1")
    yield step(first, "validity", "answered")
    yield step(first, "validity", "refused", "Next", days="4000")
    yield step(first, "domains", "unverified")
    yield step(first, "domains", "refused", "Next")
    looked = at_domains(petra, acme, *(f"a.{name}" for name in names))
    look(looked, Zone({f"a.{names[0]}": ("<b>other</b>",), f"a.{names[1]}": CaaReason.SERVER_FAILED}))
    yield step(looked, "domains", "one forbids, one is broken")
    verifying = at_domains(petra, acme, "verifying.acme.example")
    with acting_for(acme.pk):
        ask(caa_terms(verifying), by=petra.pk, about=verifying.pk)
    yield step(verifying, "domains", "verifying")
    rekey = begun(petra, acme, source=issued(petra, acme, profile="tls-server", dns="rekeyed.acme.example"))
    full = fill(rekey, petra)
    for slug in ("subject", "names", "validity"):
        yield step(full, slug, "locked")
    yield step(full, "domains", "verified")
    yield step(full, "confirm", "a server's rekey")


def _proofs(world: World) -> Iterator[Visit]:
    """The step “Domain ownership” where control has to be proven: every state that a name can be in."""
    acme, petra = world.tenants["acme"], world.people["petra"]
    with serving("owner"), acting_for(acme.pk):
        old = CertificateProfile.objects.in_force("tls-server")
        same = {name: getattr(old, name) for name in ("title", "area", "trust", "authority")}
        content = {**old.content, "alternative_names": ["dns", "email"]}
        CertificateProfile(slug="proven-server", content=content, **same).save(force_insert=True)
        wants = {"agreement": "subscriber", "checks_caa": True, "proves_control": True, "corroborates": True}
        Policy(profile="proven-server", operation="issue", version=1, enabled=True, made_by="test", **wants).save()
    hosts = [f"{label}.proofs.acme.example" for label in ("proven", "alone", "pending", "nobody")]
    draft = at_domains(petra, acme, *hosts, profile="proven-server", email="x@proofs.acme.example")
    prove(acme, hosts[0], by=petra)
    prove(acme, hosts[1], by=petra, corroborated=False)
    control_begun(acme, petra, domain_added(acme, petra, hosts[2]), "dns-change")
    path = f"/t/acme/requests/{draft.pk}/domains/"
    yield Visit("request-step", "domains: to be proven", petra, path)
    yield Visit("request-step", "domains: not proven yet", petra, path, "Next", status=422)
    looked = at_domains(petra, acme, hosts[0], profile="proven-server", email="x@other.acme.example")
    look(looked, Zone({hosts[0]: ("<i>other</i>",)}))
    yield Visit("request-step", "domains: proven and forbidden", petra, f"/t/acme/requests/{looked.pk}/domains/")


def _reviews(world: World) -> Iterator[Visit]:
    acme, petra, wei = world.tenants["acme"], world.people["petra"], world.people["wei"]
    next_policies(acme, approvals=1)
    waiting, rejected = submitted(petra, acme), submitted(petra, acme)
    with acting_for(acme.pk, person=wei.pk):
        reviewing.reject(rejected.pk, by=wei.pk, comment="This is not your name.")
    next_policies(acme, approvals=0)
    yield Visit("tenant-home", "a reviewer's", wei, "/t/acme/")
    yield Visit("request-page", "a reviewer's", wei, f"/t/acme/requests/{waiting.pk}/")
    yield Visit(
        "request-page", "rejecting without a reason", wei, f"/t/acme/requests/{waiting.pk}/", "Reject", status=422
    )
    yield Visit("request-page", "rejected", petra, f"/t/acme/requests/{rejected.pk}/")


def _domains(world: World) -> Iterator[Visit]:
    """A domain in every state, with what perspectives saw of it."""
    acme, petra, vera = world.tenants["acme"], world.people["petra"], world.people["vera"]
    path = "/t/acme/domains/"
    yield Visit("domain-list", "empty", world.people["hank"], "/t/globex/domains/")
    yield Visit("domain-add", "empty", petra, f"{path}add/?next=/t/acme/requests/")
    yield Visit("domain-add", "refused", petra, f"{path}add/", "Add it", {"name": "10.0.0.1"}, 422)

    def page(domain: Domain, state: str, who: User = petra, press: str = "", **answers: Any) -> Visit:
        return Visit("domain-page", state, who, f"{path}{domain.pk}/", press, answers)

    new = domain_added(acme, petra, "new.acme.example")
    yield page(new, "new")
    yield page(domain_added(acme, petra, "someone@acme.example", kind="mailbox", method="mailbox"), "a mailbox")
    record, alias, file = (domain_added(acme, petra, f"{label}.acme.example") for label in ("record", "alias", "file"))
    attempt = control_begun(acme, petra, record, "dns-change")
    control_begun(acme, petra, alias, "dns-change", cname=True)
    control_begun(acme, petra, file, "http-file")
    yield page(record, "a record to publish")
    yield page(alias, "an alias to publish")
    yield page(file, "a file to publish", petra)
    yield page(record, "read only", vera)
    looked_for(acme, petra, attempt)
    yield page(record, "looking")
    others = {(Asked.TXT, "_portal-validation.record.acme.example"): [b"<b>other</b>"]}
    prove_by(Everywhere(others, {"tokyo": {}, "lagos": None}, PLACES))
    yield page(record, "something else there")
    yield Visit("domain-looks", "one in vain", vera, f"{path}{record.pk}/looks/")
    yield Visit("domain-looks", "nobody looked", petra, f"{path}{new.pk}/looks/")
    mailed = domain_added(acme, petra, "mailed.acme.example")
    control_begun(acme, petra, mailed, "constructed-email", sent_to="hostmaster@mailed.acme.example")
    yield page(mailed, "a mail went out")
    found = domain_added(acme, petra, "contact.acme.example")
    control_begun(acme, petra, found, "txt-email")
    yield page(found, "mailboxes are looked up")
    named = {(Asked.TXT, "_validation-contactemail.contact.acme.example"): [b"pki@acme.example"]}
    prove_by(Everywhere(named))
    yield page(found, "mailboxes were found")
    ended = prove(acme, "ended.acme.example", by=petra, at=clock.now() - timedelta(days=300)).domain
    yield page(ended, "ended")
    proven = proven_by(acme, petra, "proven.acme.example")
    yield page(proven, "proven")
    prove(acme, "soon.acme.example", by=petra, method="dns-persist")
    retired = prove(acme, "retired.acme.example", by=petra).domain
    with acting_for(acme.pk, person=petra.pk):
        control.retire(retired, by=petra.pk)
    yield page(retired, "retired")
    yield Visit("domain-retire", "proven", petra, f"{path}{proven.pk}/retire/")
    yield Visit("domain-retire", "take up again", petra, f"{path}{retired.pk}/retire/")
    yield Visit("domain-page", "refused", petra, f"{path}{retired.pk}/retire/", "Take it up again", {}, 200)
    yield Visit("domain-list", "every state", petra, path)
    yield Visit("domain-list", "narrowed", vera, f"{path}?state=attention&kind=dns&ends_before=2030-01-01&sort=-proved")
    yield Visit("domain-list", "nothing matches", petra, f"{path}?name=nobody")
    yield Visit("domain-calendar", "rows", petra, f"{path}calendar/")


def _publishing(world: World) -> Iterator[Visit]:
    acme, ada, vera = world.tenants["acme"], world.people["ada"], world.people["vera"]
    path = "/t/acme/publishing/"
    yield Visit("publishing-list", "nothing to add", vera, "/t/globex/publishing/")
    yield Visit("publishing-add", "empty", ada, f"{path}add/")
    yield Visit("publishing-add", "refused", ada, f"{path}add/", "Add the way", status=422)
    hook = {"title": "Hello", "kind": "webhook", "address": "https://hooks.acme.example/portal"}
    yield Visit("publishing-add", "no address", ada, f"{path}add/", "Add the way", {**hook, "address": "x"}, 422)
    yield Visit("publishing-add", "its secret, once", ada, f"{path}add/", "Add the way", hook)
    with acting_for(acme.pk, person=ada.pk):
        tried, failed, new = (
            add_way(Wanted(title="Hello", kind="webhook", address=hook["address"]), by=ada.pk).way for _each in "123"
        )
        try_way(tried, by=ada.pk)
    with serving("publishing"), acting_for(acme.pk):
        PublishingWay.objects.filter(pk=failed.pk).update(tried_at=clock.now(), said="hook-status 500")
    for way, state in ((tried, "being tried"), (failed, "failed"), (new, "never used")):
        yield Visit("publishing-page", state, ada, f"{path}{way.pk}/")
    yield Visit("publishing-page", "an auditor's", vera, f"{path}{failed.pk}/")
    yield Visit("publishing-retire", "asks", ada, f"{path}{new.pk}/retire/")
    yield Visit("publishing-page", "retired", ada, f"{path}{new.pk}/retire/", "Retire the way")
    yield Visit("publishing-list", "rows", ada, path)
    yield Visit("publishing-list", "nothing matches", ada, f"{path}?state=retired&kind=rfc2136")


def _adviser(world: World) -> Iterator[Visit]:
    acme, petra, vera = world.tenants["acme"], world.people["petra"], world.people["vera"]
    path = "/t/acme/caa/"
    yield Visit("caa-adviser", "nobody asked", world.people["hank"], "/t/globex/caa/")
    yield Visit("caa-adviser", "refused", petra, path, "Look it up", {"name": "10.0.0.1"}, 422)
    with acting_for(acme.pk, person=petra.pk):
        answered, mail, waiting = (
            surveys.ask(name, by=petra.pk) for name in ("*.www.acme.example", "@acme.example", "waiting.acme.example")
        )
    zone = Zone({"www.acme.example": ("<b>other</b>", "ca.elsewhere.example"), "example": CaaReason.SERVER_FAILED})
    with serving("validation"):
        for survey in (answered, mail):
            promised = Errand.objects.get(task=survey_task.name, args=[str(survey.pk)])
            surveying.answer(promised, survey.pk, zone)
    yield Visit("caa-survey", "looking", petra, f"{path}{waiting.pk}/")
    yield Visit("caa-survey", "found", petra, f"{path}{answered.pk}/")
    yield Visit("caa-survey", "of mail", vera, f"{path}{mail.pk}/")
    line = {"records": 'CAA 0 issue "ca.acme.example"'}
    yield Visit("caa-survey", "what if", petra, f"{path}{answered.pk}/", "Judge these records", line)
    yield Visit("caa-survey", "no record", petra, f"{path}{answered.pk}/", "Judge these records", {"records": "x"}, 422)
    yield Visit("caa-adviser", "asked lately", petra, path)


def _ask_for_a_code(world: World, draft: CertificateRequest) -> None:
    """Put the question of the code, without answering it, for a draft of the one operation that asks for one."""
    acme, petra = world.tenants["acme"], world.people["petra"]
    next_policies(acme, factor="email-code")
    with acting_for(acme.pk, person=petra.pk):
        draft = services.draft_for(draft.pk, by=petra.pk)
        wanted = {"purpose": draft.purpose, "payload": draft.digest()}
    asked = challenges.ask("email-code", person=as_person(petra), tenant=acme.pk, about="a look", **wanted)
    with acting_for(acme.pk, person=petra.pk):
        services.keep_challenge(draft.pk, asked.pk, by=petra.pk)


def _administration(world: World) -> Iterator[Visit]:
    ada, vera = world.people["ada"], world.people["vera"]
    policies, profiles, texts = (f"/t/acme/{place}/" for place in ("policies", "profiles", "agreements"))
    yield Visit("policy-list", "rows", ada, policies)
    yield Visit("policy-page", "an administrator's", ada, f"{policies}desktop-signing/")
    yield Visit("policy-page", "an auditor's", vera, f"{policies}secure-email/")
    change = f"{policies}desktop-signing/change/"
    yield Visit("policy-change", "matrix", ada, change)
    yield Visit("policy-change", "nothing changed", ada, change, "Review the change", status=422)
    wanted = {"rekey-factor": "", "rekey-agreement": "", "recover-approvals": "1", "rekey-enabled": False}
    yield Visit("policy-change", "review", ada, change, "Review the change", wanted)
    yield Visit("profile-list", "rows", ada, profiles)
    yield Visit("profile-page", "an administrator's", ada, f"{profiles}desktop-signing/")
    yield Visit("profile-page", "an auditor's", vera, f"{profiles}secure-email/")
    yield Visit("profile-compare", "one version", vera, f"{profiles}desktop-signing/compare/")
    yield Visit("profile-new", "where to begin", ada, f"{profiles}new/")
    yield Visit("profile-new", "a start", ada, f"{profiles}new/?start=tls-server")
    yield Visit("profile-new", "refused", ada, f"{profiles}new/?start=mail", "Review the profile", status=422)
    yield Visit("profile-change", "a new version", ada, f"{profiles}desktop-signing/change/")
    yield Visit("agreement-list", "rows", ada, texts)
    yield Visit("agreement-page", "an administrator's", ada, f"{texts}subscriber/")
    yield Visit("agreement-page", "an auditor's", vera, f"{texts}subscriber/")
    yield Visit("agreement-version", "accepted", vera, f"{texts}subscriber/en/1/")
    yield Visit("agreement-version", "nothing matches", vera, f"{texts}subscriber/en/1/?q=nobody")
    yield Visit("agreement-new", "empty", ada, f"{texts}new/")
    yield Visit("agreement-new", "refused", ada, f"{texts}new/", "Review the text", status=422)
    yield Visit("agreement-change", "a new version", ada, f"{texts}subscriber/en/change/")
    again = {"text": AGREEMENT["text"].partition("\n\n")[0]}
    yield Visit("rules-by-date", "an administrator's", ada, "/t/acme/administration/rules-by-date/")
    for change in ("life-public-tls-2027-03-15", "proofs-2027-03-15", "method-constructed-email-2028-03-15"):
        yield Visit("rules-by-date-change", change, vera, f"/t/acme/administration/rules-by-date/{change}/")
    yield Visit("agreement-change", "review", ada, f"{texts}subscriber/en/change/", "Review the text", again)


def _journal(world: World) -> Iterator[Visit]:
    """After everything else happened, so that there is something to read."""
    acme, vera, olu = world.tenants["acme"], world.people["vera"], world.people["olu"]
    with serving("relay"):
        seal_everything()
    with acting_for(acme.pk):
        sealed = AuditSeal.objects.latest("sequence")
    yield Visit("journal", "rows", vera, "/t/acme/journal/")
    yield Visit("journal", "narrowed", vera, "/t/acme/journal/?deed=request:submit&who=petra&sort=oldest")
    yield Visit("journal", "nothing matches", vera, "/t/acme/journal/?about=nobody")
    yield Visit("journal", "verified", vera, "/t/acme/journal/", "Verify")
    yield Visit("journal-line", "sealed", vera, f"/t/acme/journal/{sealed.event_id}/")
    verdict = verify(PLATFORM)
    with acting_for(PLATFORM):
        line = note_verification(verdict, by=olu.pk, seconds=0.1)
    yield Visit("platform-journal", "rows", olu, "/platform/journal/")
    yield Visit("platform-journal-line", "not sealed yet", olu, f"/platform/journal/{line.pk}/")


def _platform(world: World) -> Iterator[Visit]:
    """As the operator sees it, and what members meet of it: in tenants of its own, since the others are used."""
    olu, mina = world.people["olu"], world.people["mina"]
    closing, suspended = _at_the_operators(olu, mina)
    failed = parked(suspended)
    needed = parked(suspended, "lifecycle.requests.tasks.execute_request")
    tenants = "/platform/tenants/"
    yield Visit("platform-overview", "something to do", olu, "/platform/")
    yield Visit("platform-tenants", "rows", olu, f"{tenants}?sort=-since")
    yield Visit("platform-tenants", "nothing matches", olu, f"{tenants}?q=nobody&state=closed")
    yield Visit("platform-tenant-new", "empty", olu, f"{tenants}new/")
    press = "Create the tenant and invite"
    yield Visit("platform-tenant-new", "refused", olu, f"{tenants}new/", press, status=422)
    reserved = {"name": "Initech", "slug": "api", "administrator": "Eve", "email": "eve@acme.example"}
    yield Visit("platform-tenant-new", "reserved", olu, f"{tenants}new/", press, reserved, 422)
    for slug in ("acme", suspended.slug, closing.slug):
        yield Visit("platform-tenant", slug, olu, f"{tenants}{slug}/")
        for deed in ("look", "rename", "suspend", "resume", "close", "keep"):
            yield Visit("platform-tenant-deed", f"{deed}, {slug}", olu, f"{tenants}{slug}/{deed}/")
    wrong = {"reason": "Over", "days": "3", "slug": "globex"}
    yield Visit("platform-tenant-deed", "refused", olu, f"{tenants}acme/close/", "Close the tenant", wrong, 422)
    yield Visit("platform-authorities", "rows", olu, "/platform/authorities/")
    yield Visit("platform-errands", "rows", olu, "/platform/errands/?state=parked")
    yield Visit("platform-errands", "nothing", olu, "/platform/errands/?queue=validation&state=parked")
    yield Visit("platform-errand-deed", "again", olu, f"/platform/errands/{failed.pk}/again/")
    give_up = f"/platform/errands/{failed.pk}/give-up/"
    yield Visit("platform-errand-deed", "give up", olu, give_up)
    yield Visit("platform-errand-deed", "refused", olu, give_up, "Give up", status=422)
    yield Visit("platform-errand-deed", "must be done", olu, f"/platform/errands/{needed.pk}/give-up/")
    yield Visit("tenant-home", "suspended", mina, f"/t/{suspended.slug}/", status=403)
    yield Visit("tenant-home", "closing", mina, f"/t/{closing.slug}/")
    yield Visit("tenant-home", "looked into", olu, f"/t/{closing.slug}/")


def _at_the_operators(olu: User, mina: User) -> tuple[Tenant, Tenant]:
    """A tenant about to close, which the operator looks into, and a suspended one; Mina belongs to both."""
    made = [tenancy.create_tenant(slug, name, by=olu.pk) for slug, name in (("hooli", "Hooli"), ("initech", "Initech"))]
    for tenant in made:
        with serving("owner"), acting_for(tenant.pk):
            Membership(person=mina, role=Role.SUBSCRIBER).save(force_insert=True)
    closing, suspended = made
    tenancy.close_tenant(closing, 30, "The contract ends.", by=olu.pk)
    begin_look(closing, person=olu.pk, reason="A complaint.", minutes=240)
    tenancy.suspend_tenant(suspended, "Unpaid.", by=olu.pk)
    return closing, suspended


def _problems(world: World) -> Iterator[Visit]:
    people = world.people
    nothing = "00000000-0000-0000-0000-000000000000"
    yield Visit("certificate-detail", "not there", people["petra"], f"/t/acme/certificates/{nothing}/", status=404)
    yield Visit("tenant-home", "not theirs", people["petra"], "/t/globex/", status=404)
    yield Visit("request-start", "not allowed", people["wei"], "/t/acme/requests/begin/issue/", status=403)
    yield Visit("home", "no such address", None, "/nowhere/", status=404)
