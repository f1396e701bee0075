"""The part of the story about domains: what Acme claims, by which method, and how far each claim has come.

What is proven is proven: values are published in the demo's own DNS, and the worker's code looks for them there.
Globex claims nothing and asks for no proofs, so that both ways can be seen side by side.
"""

from datetime import datetime, timedelta
from functools import partial

from django.db.models import QuerySet

from lifecycle.validation import contacts, control, observing, proving
from lifecycle.validation.account import account_uri
from lifecycle.validation.methods import METHODS
from lifecycle.validation.models import Domain, DomainControl
from lifecycle.validation.publishing import services as publishing
from portal.config import config
from portal.demo import records, zone
from portal.demo.nameserver import TENANTS_KEY, UPDATES
from portal.demo.stage import Stage, read
from portal.foundation import clock
from portal.foundation.access.models import User
from portal.foundation.outbox.drain import run
from portal.foundation.outbox.models import Errand, send
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import Tenant

LONG_AGO = timedelta(days=191)
"""When a proof was made that ends soon: it counts for 200 days (BR 4.2.1)."""
GIVEN_UP = timedelta(days=36)
"""When an attempt was begun that nobody went on with for the 30 days that its value counted."""


def stage() -> Stage | None:
    """What claims are proven with; None where the operator named resolvers of his own, who know no `demo.test`."""
    return read(config.demo_zone)


def prove(tenant: Tenant, people: dict[str, User], now: datetime) -> None:
    """Let people prove *tenant*'s domains, with perspectives that agree; the story is at *now* when it has been told.

    Before anything is signed: a process that has used SoftHSM can make no TLS connections, because the library
    leaves errors of its own in OpenSSL's queue.
    """
    there = stage()
    if there is None:
        return
    petra, dan, ada = (people[f"{name}@acme.example"] for name in ("petra", "dan", "ada"))
    permits = f'0 issue "ca.acme.example; accounturi={account_uri(tenant)}; validationmethods=ca-tbr-7"'
    records.begin_with(there, f"shop.{zone.ORIGIN}", {"CAA": (permits,), "A": (zone.WEB,)})
    with clock.frozen(now - LONG_AGO):
        _proven(tenant, dan, zone.UNSIGNED, there, perspectives=False)
    _proven(tenant, petra, zone.ORIGIN, there)
    _publishes(tenant, ada, zone.ORIGIN, there)


def begin(tenant: Tenant, people: dict[str, User], now: datetime) -> None:
    """Let people begin what is not proven yet, or never will be, and prove what needs nothing but a mailbox."""
    if stage() is None:
        return
    petra, dan = (people[f"{name}@acme.example"] for name in ("petra", "dan"))
    with clock.frozen(now - GIVEN_UP):
        late = _claimed(tenant, dan, f"typo.{zone.ORIGIN}", "dns-change")
    with clock.frozen(now - GIVEN_UP + METHODS[late.method].deadline):
        with acting_for(tenant.pk):
            send(proving.prove, late.pk)
        _work()
    _claimed(tenant, petra, f"files.{zone.ORIGIN}", "http-file")
    _approved(tenant, petra, petra.email)
    _forget_mails()
    _claimed(tenant, dan, dan.email, "mailbox")  # its mail is in the demo's mailbox as soon as a worker sends it


def asked(tenant: Tenant, *, looked_up: bool) -> dict[str, bool]:
    """What policies ask of names in the DNS: at Acme all there is, at Globex as little as a private authority may."""
    proven = looked_up and tenant.slug == "acme" and stage() is not None
    return {"checks_caa": looked_up, "proves_control": proven, "corroborates": proven}


def _claimed(tenant: Tenant, person: User, name: str, method: str) -> DomainControl:
    with acting_for(tenant.pk, person=person.pk):
        kind = METHODS[method].kinds[0]
        domain = control.add(name, kind=kind, method=method, by=person.pk)
        return control.begin(domain, method=method, by=person.pk)


def _proven(tenant: Tenant, person: User, name: str, there: Stage, *, perspectives: bool = True) -> None:
    """Prove *name* with a record; without *perspectives* as it was before there were any."""
    attempt = _claimed(tenant, person, name, "dns-change")
    told = METHODS[attempt.method].instruction(name, attempt.value, account_uri(tenant))
    records.begin_with(there, told.owner, {told.kind.upper(): (told.value,)})
    with acting_for(tenant.pk, person=person.pk):
        control.look_now(attempt, by=person.pk)
    if perspectives:
        _work()
    else:
        proving.answer(_promised().get(), attempt.pk, partial(observing.everywhere, places=()))
    with acting_for(tenant.pk):
        attempt.refresh_from_db()
    if attempt.proved_at is None:
        raise RuntimeError(f"the story could not prove {name}: {attempt.reason}")


def _approved(tenant: Tenant, person: User, mailbox: str) -> None:
    attempt = _claimed(tenant, person, mailbox, "mailbox")
    with acting_for(tenant.pk):
        contacts.approve(attempt.pk, attempt.nonce)
    _work()


def _publishes(tenant: Tenant, person: User, name: str, there: Stage) -> None:
    """Let the portal publish the next proof of *name* by itself."""
    wanted = publishing.Wanted(
        title="Name server of demo.test",
        kind="rfc2136",
        address=UPDATES,
        zone=name,
        key_name=TENANTS_KEY,
        algorithm="hmac-sha256",
        secret=there.tenants_key,
    )
    with acting_for(tenant.pk, person=person.pk):
        way = publishing.add_way(wanted, by=person.pk).way
        control.publish_by(Domain.objects.get(name=name), way, by=person.pk)


def _work() -> None:
    """Do what was promised to the validation worker."""
    for errand in _promised():
        run(errand)
        errand.refresh_from_db()
        if errand.done_at is None:
            raise RuntimeError(f"{errand.task} of the story failed: {errand.last_error}")


def _promised() -> QuerySet[Errand]:
    return Errand.objects.filter(done_at=None, queue="validation").order_by("due_at")


def _forget_mails() -> None:
    """Nobody gets a mail today about what happened long ago."""
    for errand in Errand.objects.filter(done_at=None, queue="messages"):
        errand.finish()
