"""F7: the mail server is down for half an hour, in every way; what waits for it, and who waits for a code.

The worker is a real process with the drill's own mail server.  Half an hour is not waited
for: between two rounds all that is put off is moved nearer by as much as its wait.
"""

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from auth2fa import tasks as account
from auth2fa.couriers import LONGEST
from lifecycle.requests.models import CertificateRequest
from portal.demo.child import Child, wait_until
from portal.demo.supervisor import worker_command
from portal.foundation import clock
from portal.foundation.audit.models import AuditEvent
from portal.foundation.outbox.bell import ring
from portal.foundation.outbox.drain import LONGEST_WAIT
from portal.foundation.outbox.models import send
from portal.foundation.tenancy.context import acting_as, acting_for
from tests.drills import invariants
from tests.fakes.post_office import REFUSES, WAYS, PostOffice
from tests.plugins.services import ROOT, surroundings
from tests.world import ask_for_codes, carry_out, filled, invited, signed_in, submit, submitted

pytestmark = pytest.mark.django_db

OUTAGE = timedelta(minutes=30)
LONGEST_DELAY = timedelta(hours=24)
SENT = {"notice:send", "invitation:send", "account:tell"}


@pytest.fixture
def office() -> Iterator[PostOffice]:
    office = PostOffice()
    office.start()
    yield office
    office.stop()


@pytest.fixture
def worker(office, broker, tmp_path) -> Iterator[Child]:
    """Start the messages worker, with the drill's mail server for its own."""
    environment = {**surroundings().environment("messages"), "MAIL_URL": office.url}
    command = worker_command("messages", f"f7-{office.port}@localhost")
    child = Child("messages", command, environment, tmp_path / "messages.log", folder=ROOT)
    child.start()
    assert wait_until(lambda: not child.alive or " ready." in child.log.read_text(), 60.0), child.last_lines(30)
    assert child.alive, child.last_lines(30)
    yield child
    child.stop()


class Mailbags:
    """The messages that were promised, and how much time was skipped for them."""

    def __init__(self, owner) -> None:
        self._owner = owner
        self.skipped = timedelta()
        self.longest_wait = timedelta()

    def _ask(self, statement: str, *values: object) -> object:
        self._owner.execute(statement, values)
        return self._owner.fetchone()[0]

    def open(self) -> int:
        return self._ask("SELECT count(*) FROM outbox_errand WHERE queue = 'messages' AND done_at IS NULL")

    def work_until(self, tries: int) -> None:
        """Let the worker try everything that is open until each has been tried so often."""
        behind = "SELECT count(*) FROM outbox_errand WHERE queue = 'messages' AND done_at IS NULL AND parked_at IS NULL"
        behind += " AND (tries < %s OR leased_until IS NOT NULL)"
        assert wait_until(
            lambda: ring("messages") and not self._ask(behind, tries), 120.0, every=0.2
        ), (  # as the relay
            f"{self._ask(behind, tries)} messages were not tried {tries} times"
        )

    def skip(self) -> None:
        """Let as much time pass as the one that waits longest has to."""
        wait = self._ask(
            "SELECT greatest(max(due_at) - now(), interval '0') FROM outbox_errand"
            " WHERE queue = 'messages' AND done_at IS NULL"
        )
        self.longest_wait = max(self.longest_wait, wait)
        self.skipped += wait
        self._owner.execute(
            "UPDATE outbox_errand SET due_at = due_at - %s WHERE queue = 'messages' AND done_at IS NULL", [wait]
        )


def promise(count: int, world, acme, petra) -> None:
    """Promise *count* messages of every kind: a half of them about certificates, which are there already."""
    ada, dan = world.people["ada"], world.people["dan"]
    for number in range(count):
        match number % 4:
            case 0 | 2:
                carry_out(submitted((petra, dan)[number // 2 % 2], acme, name=f"Certificate {number}"))
            case 1:
                invited(acme, ada, email=f"new{number}@acme.example")
            case 3:
                person = list(world.people.values())[number // 4 % len(world.people)]
                with acting_as(person.pk):
                    send(account.tell, person.pk, list(account.NEWS)[number // 4 % len(account.NEWS)])


@pytest.mark.drill("F7", goal="0 lost, each at most twice, tried again within 24 h")
def test_nothing_that_was_promised_is_lost_in_half_an_hour_without_a_mail_server(
    drill, office, owner, world, acme, petra, request
):
    wanted = drill.times(5, soak=200)
    promise(wanted, world, acme, petra)
    bags = Mailbags(owner)
    assert bags.open() == wanted
    request.getfixturevalue("worker")  # only now, so that none was sent before the server failed
    tries, ways = 0, WAYS[: drill.times(-1, soak=len(WAYS))]
    while bags.skipped < OUTAGE:
        with office.failing(ways[tries] if tries < len(ways) else REFUSES):
            tries += 1
            bags.work_until(tries)
        assert bags.open() == wanted
        bags.skip()
    twice = len(office.mails)
    bags.work_until(tries + 1)
    assert bags.open() == 0

    owner.execute("SELECT code, count(*) FROM audit_auditevent WHERE code = ANY(%s) GROUP BY 1", [list(SENT)])
    told = dict(owner.fetchall())
    lost, delay = wanted - sum(told.values()), bags.skipped
    outage = f"{delay.total_seconds() / 60:.0f} min"
    drill.measured(messages=wanted, outage=outage, lost=lost, taken_unsaid=twice, mails=len(office.mails))
    assert (lost, set(told)) == (0, SENT)
    assert twice == wanted  # all of them, in the round in which the server took them and did not say so
    assert len(office.mails) == 2 * wanted
    named = [str(mail["Message-ID"]) for mail in office.mails if "Certificate" in str(mail["Subject"])]
    assert len(set(named)) == len(named) // 2  # a mail program shows two mails of one name once
    assert bags.longest_wait <= LONGEST_WAIT
    assert delay < LONGEST_DELAY
    invariants.at_rest(owner)


@pytest.mark.drill("F7", goal="told within 5 s, nothing lost, no request waits for a mail")
def test_who_waits_for_a_code_is_told_at_once_and_a_request_waits_for_no_mail(
    drill, office, owner, acme, petra, settings
):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", office.port
    client, slowest, fastest_request = signed_in(Client(), petra), 0.0, 0.0
    ways = WAYS[: drill.times(3, soak=len(WAYS))]
    for number, way in enumerate(ways):
        plain = filled(petra, acme, name=f"Plain {number}")
        with office.failing(way):
            began = time.monotonic()
            assert submit(plain, petra).state == "ready"
            fastest_request = max(fastest_request, time.monotonic() - began)
    ask_for_codes(acme)
    for number, way in enumerate(ways):
        draft = filled(petra, acme, name=f"Guarded {number}")
        address = reverse("request-step", kwargs={"tenant": "acme", "pk": draft.pk, "step": "confirm"})
        posted = confirm_answer(client, address)
        with clock.frozen(clock.now() + number * timedelta(hours=2)):
            with office.failing(way):
                began = time.monotonic()
                answer = client.post(address, posted)
                took = time.monotonic() - began
            slowest = max(slowest, took)
            assert answer.status_code == 503, way
            page = answer.content.decode()
            assert "The code could not be sent, so nothing was confirmed." in page
            assert "Wait a minute and ask for a new code" in page
            with acting_for(acme.pk):
                assert CertificateRequest.objects.get(pk=draft.pk).is_draft
                assert AuditEvent.objects.filter(code="factor:fail").count() == number + 1
        with clock.frozen(clock.now() + number * timedelta(hours=2) + timedelta(seconds=61)):
            before = len(office.mails)
            again = client.post(address, posted)
            assert again.status_code == 302, way
            assert again["Location"].endswith("/confirmation/")
            assert len(office.mails) == before + 1
    drill.measured(
        ways_to_fail=len(ways), told_after=f"{slowest:.1f} s at most", request=f"{fastest_request:.2f} s at most"
    )
    assert slowest < LONGEST + 2


def confirm_answer(client: Client, address: str) -> dict[str, str]:
    """Return what the last page's form would post, as a person fills it in."""
    form = client.get(address).context["form"]
    agreement, seen = form["agreement"].value(), form["seen"].value()
    return {"agreement": str(agreement), "seen": str(seen), "use_case": "lost", "message": "", "consent": "on"}
