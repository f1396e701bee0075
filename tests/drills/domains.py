"""What the workers are promised about domains, each promise made by people: errands for F9."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from django.db import connection

from lifecycle.validation import contacts, control, observing, proving, reproving, surveying, surveys, tasks, warning
from lifecycle.validation.models import DomainControl
from lifecycle.validation.publishing import carrying, outcomes, sealing
from lifecycle.validation.publishing import tasks as publishing
from lifecycle.validation.publishing.reaching import Reach
from lifecycle.validation.publishing.resting import Resting
from lifecycle.validation.publishing.services import Wanted, add_way, try_way
from lifecycle.validation.questions import Asked
from lifecycle.validation.resolver import Records
from portal.config import config
from portal.foundation import clock
from portal.foundation.access.models import User
from portal.foundation.outbox.drain import run
from portal.foundation.outbox.models import Errand, send
from portal.foundation.outbox.registry import Task
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import Tenant
from tests.fakes.web_server import Names, WebServer, answer, certificate, saying, web_server
from tests.fakes.zone import TTL, Zone
from tests.lifecycle.validation.proofs import added, begun, looked, shown
from tests.plugins.services import surroundings
from tests.world import serving

HOOK = "hooks.acme.example"


@dataclass(frozen=True)
class Promised:
    """An errand whose turn it is, and whether its effect is a row, a mail, or both."""

    errand: Errand
    mails: int = 0


def newest(task: Task) -> Errand:
    return Errand.objects.filter(task=task.name, done_at=None).latest("pk")


Promises = dict[Task, Callable[[], Promised]]


def run_once(errand: Errand) -> None:
    with serving(errand.queue):
        run(errand)
    errand.refresh_from_db()
    connection.close_if_unusable_or_obsolete()


@dataclass(frozen=True)
class Texts(Zone):
    """The DNS as a table: TXT records by name, and a CAA record nowhere."""

    texts: dict[str, list[bytes]] = field(default_factory=dict)

    def records(self, name: str, kind: Asked, ends: float) -> Records:  # noqa: ARG002 - the protocol's
        held = self.texts.get(name, ()) if kind is Asked.TXT else ()
        return Records(name, tuple(held), TTL, "192.0.2.53:53", authentic=True)

    def show(self, attempt: DomainControl) -> None:
        """Publish what *attempt* asks for."""
        self.texts.update({name: values for (_kind, name), values in shown(attempt).items()})


def of_publishing(acme: Tenant, ada: User) -> Promises:
    """Through a hook of the drill's own; each promise is about a domain of its own."""
    names = (f"n{number}.acme.example" for number in count())

    def under_way() -> DomainControl:
        return carried(acme, ada, next(names))

    def published() -> Promised:
        under_way()
        return Promised(newest(publishing.publish))

    def withdrawn() -> Promised:
        attempt = under_way()
        with acting_for(acme.pk, person=ada.pk):
            control.retire(attempt.domain, by=ada.pk)
        return Promised(newest(publishing.withdraw))

    def tried() -> Promised:
        way = under_way().domain.publishing
        with acting_for(acme.pk, person=ada.pk):
            try_way(way, by=ada.pk)
        return Promised(newest(publishing.try_way))

    def news() -> Promised:
        attempt = under_way()
        with acting_for(acme.pk, person=ada.pk):
            return Promised(send(outcomes.published, attempt.pk))

    def fallen_back() -> Promised:
        attempt = under_way()
        with acting_for(acme.pk, person=ada.pk):
            return Promised(send(outcomes.fell_back, attempt.pk, attempt.domain.publishing.pk, "test"))

    return {
        publishing.publish: published,
        publishing.withdraw: withdrawn,
        publishing.try_way: tried,
        outcomes.published: news,
        outcomes.fell_back: fallen_back,
    }


def carried(tenant: Tenant, person: User, name: str) -> DomainControl:
    """Begin to prove *name* by a record that a hook publishes."""
    hook = Wanted(title="Hook", kind="webhook", address=f"https://{HOOK}/")
    domain = added(tenant, person, name)
    with acting_for(tenant.pk, person=person.pk):
        control.publish_by(domain, add_way(hook, by=person.pk).way, by=person.pk)
    return begun(tenant, person, domain, "dns-change")


def of_proving(acme: Tenant, petra: User, dns: Texts) -> Promises:
    """Each promise is about a domain of its own."""
    names = (f"p{number}.acme.example" for number in count())

    def by_mail(method: str, to: str) -> DomainControl:
        name = next(names)
        dns.texts[f"_validation-contactemail.{name}"] = [f"it@{name}".encode()]
        return begun(acme, petra, added(acme, petra, name, method=method), method, sent_to=f"{to}@{name}")

    def found_after_all() -> Promised:
        """Looked for once in vain, so that the worker looks again by itself."""
        attempt = carried(acme, petra, next(names))
        looked(acme, petra, attempt)
        run_once(newest(proving.prove))
        dns.show(attempt)
        return Promised(newest(proving.prove))

    def contact() -> Promised:
        by_mail("txt-email", "it")
        return Promised(newest(contacts.find_contacts))

    def letter() -> Promised:
        by_mail("constructed-email", "admin")
        return Promised(newest(contacts.send_approval), 1)

    def not_me() -> Promised:
        attempt = by_mail("constructed-email", "admin")
        with acting_for(acme.pk):
            contacts.refuse(attempt.pk, attempt.nonce)
        run_once(newest(warning.tell_people))
        return Promised(newest(warning.tell_person), 1)

    def ends_soon() -> Promised:
        _proven_days_ago(acme, petra, next(names), dns)
        with acting_for(acme.pk):
            send(warning.warn)
        run_once(newest(warning.warn))
        return Promised(newest(warning.warn_person), 1)

    def renewed() -> Promised:
        _proven_days_ago(acme, petra, next(names), dns)
        with acting_for(acme.pk):
            return Promised(send(reproving.renew))

    def surveyed() -> Promised:
        with acting_for(acme.pk, person=petra.pk):
            surveys.ask(next(names), by=petra.pk)
        return Promised(newest(tasks.survey))

    return {
        proving.prove: found_after_all,
        contacts.find_contacts: contact,
        contacts.send_approval: letter,
        warning.tell_person: not_me,
        warning.warn_person: ends_soon,
        reproving.renew: renewed,
        tasks.survey: surveyed,
    }


def _proven_days_ago(tenant: Tenant, person: User, name: str, dns: Texts) -> None:
    """By a record that stays, whose proof is good for ten days (BR 3.2.2.4.22): four of them are over."""
    with clock.frozen(clock.now() - timedelta(days=4)):
        domain = added(tenant, person, name, method="dns-persist")
        attempt = begun(tenant, person, domain, "dns-persist", issuer="ca.example")
        dns.show(attempt)
        looked(tenant, person, attempt)
        run_once(newest(proving.prove))


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> Texts:
    """What the validation worker's resolver says."""
    held = Texts()
    for module in (observing, surveying):
        monkeypatch.setattr(module, "our_resolver", lambda: held)
    return held


@pytest.fixture
def hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """A receiver that takes everything, and the publishing worker's key in this process."""
    pem = certificate(tmp_path, HOOK)
    private = surroundings().places.secret("publishing-key").read_text()
    monkeypatch.setattr(sealing, "config", replace(config, publishing_key=private))
    monkeypatch.setattr(carrying, "resting", Resting())
    with web_server(saying(answer(204)), pem) as server:
        routes = {("203.0.113.80", 443): ("127.0.0.1", server.port)}
        reach = Reach(Names({HOOK: [["203.0.113.80"]]}), routes, str(pem))
        monkeypatch.setattr(carrying, "our_reach", lambda: reach)
        yield server
