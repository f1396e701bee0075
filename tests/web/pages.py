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
from lifecycle.certificates import services as certificates
from lifecycle.certificates.bundles import read_bundle
from lifecycle.certificates.models import Certificate, Reason
from lifecycle.requests import services
from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.states import Event
from portal.foundation import clock
from portal.foundation.access import services as access
from portal.foundation.access.links import address_of
from portal.foundation.access.models import User
from portal.foundation.audit.models import AuditEvent, AuditSeal
from portal.foundation.audit.sealer import seal_everything
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import PLATFORM
from tests.world import (
    PASSWORD,
    World,
    as_person,
    begun,
    carry_out,
    csr,
    enrolled,
    fill,
    filled,
    invited,
    issued,
    next_policies,
    serving,
    signed_in,
    submitted,
    waiting,
)

NO_PAGE = {
    "sign-out": "takes a POST and leads to the sign-in page",
    "sessions-end": "takes a POST and leads to My account",
    "authenticator-qr": "is a picture",
    "people-export": "is a file",
    "invitation-act": "takes a POST and leads to the list of people",
    "request-discard": "takes a POST and leads to the request's page",
    "request-verify": "takes a POST and leads back to the step",
    "request-review": "takes a POST and leads to the request's page",
    "request-status": "is a part of the request's page, which shows it",
    "certificate-download": "is a file",
    "journal-verify": "takes a POST and leads to the journal",
    "journal-export": "is a file",
    "platform-journal-verify": "takes a POST and leads to the journal",
    "platform-journal-export": "is a file",
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
    """The names of every route of the resolver."""
    return set(_named(get_resolver().url_patterns))


def _named(patterns: list[URLPattern | URLResolver]) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _named(pattern.url_patterns)
        else:
            assert pattern.name, f"{pattern} has no name"
            yield pattern.name


def visits(world: World) -> list[Visit]:
    """Fill the world with one of everything and say where it can be looked at."""
    parts = (_front, _account, _people, _certificates, _uploads, _requests, _wizard, _journal, _problems)
    return [visit for part in parts for visit in part(world)]


def _front(world: World) -> Iterator[Visit]:
    people = world.people
    yield Visit("sign-in", "empty", None, "/sign-in/?next=/t/acme/")
    yield Visit("sign-in", "refused", None, "/sign-in/", "Sign in", status=422)
    wrong = {"username": "petra", "password": "wrong"}
    yield Visit("sign-in", "not recognised", None, "/sign-in/", "Sign in", wrong, 403)
    yield Visit("home", "several tenants", people["vera"], "/")
    yield Visit("home", "no tenant", people["olu"], "/")
    yield Visit("demo-mailbox", "mails or none", None, "/demo/mailbox/")
    yield Visit("demo-dns", "as it starts", None, "/demo/dns/")
    yield Visit("demo-dns-name", "records", None, "/demo/dns/www/")
    wrong = {"records": "ca.acme.example"}
    yield Visit("demo-dns-name", "no record", None, "/demo/dns/www/", "Replace the records", wrong, 422)
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
    yield Visit("authenticator-add", "refused", petra, "/account/authenticators/add/", "Show the QR code", status=422)
    setting_up = f"/account/authenticators/{waiting(dan).pk}/"
    yield Visit("authenticator", "waiting for the first code", dan, setting_up)
    yield Visit("authenticator", "refused", dan, setting_up, "Finish set-up", {"code": "1"}, 422)
    removing = f"/account/authenticators/{kept.pk}/remove/"
    yield Visit("authenticator-remove", "asks for the password", petra, removing)
    wrong = {"password": "wrong"}
    yield Visit("authenticator-remove", "refused", petra, removing, "Remove authenticator", wrong, 422)
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
    yield Visit("platform-journal", "rows", olu, "/platform/journal/")
    with acting_for(PLATFORM):
        line = AuditEvent.objects.latest("pk")
    yield Visit("platform-journal-line", "not sealed yet", olu, f"/platform/journal/{line.pk}/")


def _problems(world: World) -> Iterator[Visit]:
    people = world.people
    nothing = "00000000-0000-0000-0000-000000000000"
    yield Visit("certificate-detail", "not there", people["petra"], f"/t/acme/certificates/{nothing}/", status=404)
    yield Visit("tenant-home", "not theirs", people["petra"], "/t/globex/", status=404)
    yield Visit("request-start", "not allowed", people["wei"], "/t/acme/requests/begin/issue/", status=403)
    yield Visit("home", "no such address", None, "/nowhere/", status=404)
