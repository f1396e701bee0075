"""F9: the journal takes no lines (its grant was taken away; its disk is full), and nothing happens without one.

Every address of the table in `tests/isolation/table_pages.py` is posted to, by everybody who
might have an effect there, while the journal is shut and then once it is open again: what has
an effect then must have had none before, was answered honestly, and has its line now.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core import mail
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from auth2fa.enrolments import secret_of
from auth2fa.login.links import link_for
from lifecycle.requests.models import CertificateRequest
from lifecycle.validation import contacts
from lifecycle.validation.models import Domain
from lifecycle.validation.questions import Asked
from portal.foundation.access.links import address_of
from portal.foundation.access.looks import begin_look
from portal.foundation.access.models import User
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import PLATFORM, Tenant
from tests.drills import invariants
from tests.drills.domains import newest
from tests.fakes.everywhere import Everywhere
from tests.fakes.shut_journal import JOURNAL, WAYS, shut
from tests.isolation.principals import STRANGERS
from tests.isolation.table_pages import TABLE, address, payload
from tests.isolation.things import a_mail, hers
from tests.lifecycle.test_uploads import made, pem
from tests.lifecycle.validation.proofs import added, begun
from tests.rows import everything
from tests.web.browsing import Page, Visitor
from tests.world import (
    PASSWORD,
    World,
    code_at,
    filled,
    invited,
    next_policies,
    serving,
    signed_in,
    submitted,
    waiting,
)

pytestmark = pytest.mark.django_db

NOBODYS = {"auth2fa_signedin", "auth2fa_failedsignins", "audit_unsealed"}
"""Sessions and counters of guesses: no effect that the journal tells of.  Nor is the number of tries at a code."""

SAID: dict[str, dict[str, str]] = {
    "sign-in": {"username": "dan@acme.example", "password": PASSWORD},
    "password-forgotten": {"username": "dan@acme.example"},
    "authenticator-add": {"label": "Telephone", "password": PASSWORD},
    "people-invite": {"name": "New Person", "email": "new.person@acme.example", "roles": "subscriber"},
    "people-import": {"rows": "name,email,roles\nAnn,ann@acme.example,subscriber", "confirmed": "1"},
    "publishing-add": {"title": "Hook", "kind": "webhook", "address": "https://hooks.acme.example/"},
    "person-roles": {"roles": ["subscriber", "reviewer"], "confirmed": "1"},
}
"""What has to be posted for an effect, where the table's own payload only has to be refused."""

LAST = (
    "publishing-retire", "person-act", "platform-tenant-deed, a look", "platform-look-end", "platform-tenant-deed",
    "sessions-end", "sign-out",
)  # fmt: skip
"""What takes a way, a seat, a session or a whole tenant away comes after what needs them."""

NO_LINE = {
    "request-step": "answers a draft's question: a draft is nothing yet, its submission has the line",
    "request-leave-out": "changes a draft's answer: a draft is nothing yet, its submission has the line",
    "request-code": "a wrong code counts a try; the right one is pressed below",
    "request-review": "of these, nobody may judge this request; one is judged below",
    "certificate-upload": "the table's is nonsense; a real one is uploaded below",
    "authenticator": "the table's code is none; the right one is pressed below",
    "authenticator-code": "comes behind a step that has no effect while the journal is shut",
    "authenticator-remove": "comes behind a step that has no effect while the journal is shut",
    "invitation": "has to be led to by a mail's link, which is followed below",
    "password-new": "has to be led to by a mail's link, which is followed below",
    "password-change": "is pressed below",
    "policy-change": "is pressed below",
    "agreement-new": "is pressed below, as a next version",
    "agreement-change": "is pressed below",
    "token-new": "asks for a code first, as for every second factor",
    "token-code": "comes behind a step that has no effect while the journal is shut",
    "platform-look-end": "is pressed below, where there is a look to end",
    "domain-contact": "the table's is nobody's mailbox; one that the DNS names is chosen below",
    "profile-new": "is made by the same services as the next version of one",
    "profile-change": "is reviewed on a page before, and saved by one service with the policies'",
    "request-start, of a certificate": "a request for this certificate is begun already, by certificate-action",
    "domain-approval": "has to be led to by a mail's link, which is followed below",
    "demo-perspectives": "what the demo's perspectives lie about: nothing of a tenant's",
    "demo-dns": "the demo's name server: nothing of a tenant's",
    "demo-dns-name": "the demo's name server: nothing of a tenant's",
    "demo-files": "the demo's web server: nothing of a tenant's",
}
"""Addresses whose POST, as the table has it, changes nothing that the journal would tell of, and why."""


@pytest.fixture
def things(world: World) -> Iterator[dict[str, str]]:
    with a_mail() as name:
        yield {**hers(world), "mail": name}


def _effects(owner: Any) -> dict[str, list[Any]]:
    """Every row that tells of an effect.

    When somebody was last here is told by the line of their signing in, and of a draft it
    matters that it is there: what it answers is nobody's business until it is submitted.
    """
    found = everything(owner, but=NOBODYS)
    aside = (("auth2fa_challenge", "tries"), ("auth2fa_enrolment", "memory"), ("access_user", "last_login"))
    for table, column in aside:
        found[table] = [{name: value for name, value in row.items() if name != column} for row in found[table]]
    requests = found["requests_certificaterequest"]
    found["requests_certificaterequest"] = [row["id"] if row["state"] == "draft" else row for row in requests]
    return found


def _clients(world: World) -> dict[str, Client]:
    """Browsers of everybody who acts here, none of which shows more of an accident than a page."""
    made = {short: Client(raise_request_exception=False) for short in ("nobody", "petra", "ada", "olu", "vera")}
    for short, client in made.items():
        if short != "nobody":
            signed_in(client, world.people[short])
    return made


def _domain_with_a_contact(acme: Tenant, ada: User) -> Domain:
    """One that is proven by a mail to somebody whom the DNS names, and who was found out."""
    domain = added(acme, ada, "contact.acme.example", method="txt-email")
    begun(acme, ada, domain, "txt-email")
    named = {(Asked.TXT, "_validation-contactemail.contact.acme.example"): [b"pki@acme.example"]}
    with serving("validation"):
        contacts.find(newest(contacts.find_contacts), Everywhere(named))
    return domain


Deed = Callable[[], HttpResponse]


def _posts(clients: dict[str, Client], objects: dict[str, str], name: str) -> list[Deed]:
    """The POST to one address of the table of everybody who is not turned away, and of an administrator."""
    row = TABLE[name]
    said = SAID.get(name) or payload(name, objects)

    def post(short: str) -> HttpResponse:
        posted = urlencode(said, doseq=True)
        return clients[short].generic("POST", address(name, objects), posted, "application/x-www-form-urlencoded")

    let_in = {short for short, status in zip(STRANGERS, row.line("POST"), strict=True) if status < 400 or name in SAID}
    actors = {"nobody"} if name == "sign-in" else let_in & {"petra", "vera", "olu", "nobody"} | {"ada"}
    return [partial(post, short) for short in sorted(actors)]


def _pressed(world: World) -> dict[str, Deed]:
    """What takes more than one page, prepared as far as it goes without an effect."""
    acme, petra, ada, wei, dan = world.tenants["acme"], *map(world.people.get, ("petra", "ada", "wei", "dan"))
    foreign = pem(made()[0]).decode()
    named = _domain_with_a_contact(acme, ada)
    domain = added(acme, ada, "mailed.acme.example", method="constructed-email")
    mailed = contacts.address_of(begun(acme, ada, domain, "constructed-email", sent_to="admin@mailed.acme.example"))
    plain, row = filled(petra, acme, name="Plain"), waiting(dan)
    invitation = invited(acme, ada, email="eve@acme.example")
    with acting_for(PLATFORM):
        link = link_for(world.people["jonas"])
    begin_look(world.tenants["globex"], person=world.people["olu"].pk, reason="Because.", minutes=15)
    next_policies(acme, factor="email-code")
    guarded = filled(petra, acme, name="Guarded")
    next_policies(acme, factor="", approvals=1)
    judged = submitted(petra, acme, name="Judged")

    def opened(person: Any, path: str) -> Page:
        visitor = Visitor(person)
        visitor.client.raise_request_exception = False
        return visitor.open(path)

    def confirm(draft: CertificateRequest) -> Page:
        page = opened(petra, f"/t/acme/requests/{draft.pk}/confirm/")
        return page.press("Request certificate", consent=True)

    return {
        "a look is ended": lambda: (
            opened(world.people["olu"], "/platform/")
            .visitor.post(reverse("platform-look-end", kwargs={"slug": "globex"}), {})
            .response
        ),
        "a request is submitted": lambda: confirm(plain).response,
        "a code is asked for": lambda: confirm(guarded).response,
        "a reviewer approves": lambda: opened(wei, f"/t/acme/requests/{judged.pk}/").press("Approve").response,
        "policies are changed": lambda: (
            opened(ada, "/t/acme/policies/desktop-signing/change/")
            .press("Review the change", **{"rekey-factor": "email-code"})
            .press("Save policies")
            .response
        ),
        "an agreement is published": lambda: (
            opened(ada, "/t/acme/agreements/subscriber/en/change/")
            .press("Review the text", text="You keep the key.")
            .press("Publish this version")
            .response
        ),
        "a certificate is uploaded": lambda: (
            opened(petra, "/t/acme/certificates/upload/")
            .visitor.post("/t/acme/certificates/upload/", {"text": foreign, "confirmed": "yes"})
            .response
        ),
        "a proof is approved by mail": lambda: (
            opened(None, mailed[mailed.index("/approval/") :]).press("Approve").response
        ),
        "a contact is chosen": lambda: (
            opened(ada, f"/t/acme/domains/{named.pk}/").press("Send the mail", sent_to="pki@acme.example").response
        ),
        "an authenticator is confirmed": lambda: (
            opened(dan, f"/account/authenticators/{row.pk}/")
            .press("Finish set-up", code=code_at(secret_of(row)))
            .response
        ),
        "an invitation is accepted": lambda: (
            opened(None, (said := address_of(acme.pk, invitation.pk))[said.index("/invitation/") :])
            .press("Accept invitation", new="a few odd words here")
            .response
        ),
        "a password is set by a link": lambda: (
            opened(None, f"/password/new/?link={link}").press("Set password", new="a few odd words here").response
        ),
        "a password is changed": lambda: (
            opened(wei, "/account/password/")
            .press("Change password", old=PASSWORD, new="other odd words here")
            .response
        ),
    }


def _lines(owner: Any) -> int:
    owner.execute(f"SELECT count(*) FROM {JOURNAL}")
    return int(owner.fetchone()[0])


@pytest.mark.drill("F9", goal="0 effects without their line, an honest page for each")
def test_no_address_has_an_effect_that_the_journal_does_not_tell(drill, owner, world, acme, things):
    deeds: dict[str, list[Deed]] = {name: [deed] for name, deed in _pressed(world).items()}
    every = sorted(TABLE, key=lambda name: (LAST.index(name) if name in LAST else -1, name))
    clients = _clients(world)
    deeds |= {name: _posts(clients, things, name) for name in every}
    names = list(deeds)[:: drill.times(9, soak=1)]
    before = _effects(owner)
    mail.outbox.clear()
    refused: dict[str, list[int]] = {}
    for way in WAYS:
        with shut(owner, way):
            for name in names:
                answers = [deed() for deed in deeds[name]]
                refused[name] = [answer.status_code for answer in answers]
                for answer in answers:
                    if answer.status_code >= 500:
                        page = answer.content.decode()
                        assert "What you can do" in page, (name, page)
                after = _effects(owner)
                if name in NO_LINE:
                    before = after
                assert after == before, (way, name)
                assert mail.outbox == [], (way, name)

    told, silent = 0, set()
    for name in names:
        lines = _lines(owner)
        codes = [deed().status_code for deed in deeds[name]]
        after = _effects(owner)
        if after == before:
            silent.add(name)
            continue
        before = after
        if name in NO_LINE:
            continue
        told += 1
        assert _lines(owner) > lines, f"{name} has an effect that the journal does not tell"
        honest = [code for code, was in zip(codes, refused[name], strict=True) if code < 400 and was >= 500]
        assert honest, (name, codes, refused[name])
    takes = {name for name in names if name not in TABLE or TABLE[name].takes("POST")}
    assert (silent & takes) - set(NO_LINE) == set()
    owner.execute("DELETE FROM outbox_errand WHERE id = %s", [things["errand"]])  # it was parked to be looked at
    invariants.hold(owner)
    drill.measured(addresses=len(names), with_an_effect=told, without_their_line=0, ways=len(WAYS))
