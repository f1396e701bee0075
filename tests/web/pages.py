"""Every page there is, in the states that look different, and how to get there.

The list is checked against the URL resolver: a route that is missing here fails `test_pages.py`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from auth2fa import challenges
from lifecycle.certificates import services as certificates
from lifecycle.certificates.models import Reason
from lifecycle.requests import services
from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.states import Event
from portal.foundation import clock
from portal.foundation.access.models import User
from portal.foundation.tenancy.context import acting_for
from tests.world import (
    World,
    as_person,
    begun,
    carry_out,
    csr,
    fill,
    filled,
    issued,
    next_policies,
    serving,
    submitted,
)

NO_PAGE = {
    "sign-out": "takes a POST and leads to the sign-in page",
    "request-discard": "takes a POST and leads to the request's page",
    "request-status": "is a part of the request's page, which shows it",
    "certificate-download": "is a file",
    "certificate-export": "is a file",
    "certificate-export-area": "is a file",
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
    return [*_front(world), *_certificates(world), *_requests(world), *_wizard(world), *_problems(world)]


def _front(world: World) -> Iterator[Visit]:
    people = world.people
    yield Visit("sign-in", "empty", None, "/sign-in/?next=/t/acme/")
    yield Visit("sign-in", "refused", None, "/sign-in/", "Sign in", status=422)
    wrong = {"username": "petra", "password": "wrong"}
    yield Visit("sign-in", "not recognised", None, "/sign-in/", "Sign in", wrong, 403)
    yield Visit("home", "several tenants", people["vera"], "/")
    yield Visit("home", "no tenant", people["olu"], "/")
    yield Visit("demo-mailbox", "mails or none", None, "/demo/mailbox/")
    yield Visit("tenant-home", "nothing yet", people["mina"], "/t/globex/")
    yield Visit("tenant-home", "no right to read", people["jonas"], "/t/acme/")


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


def _problems(world: World) -> Iterator[Visit]:
    people = world.people
    nothing = "00000000-0000-0000-0000-000000000000"
    yield Visit("certificate-detail", "not there", people["petra"], f"/t/acme/certificates/{nothing}/", status=404)
    yield Visit("tenant-home", "not theirs", people["petra"], "/t/globex/", status=404)
    yield Visit("request-start", "not allowed", people["wei"], "/t/acme/requests/begin/issue/", status=403)
    yield Visit("home", "no such address", None, "/nowhere/", status=404)
