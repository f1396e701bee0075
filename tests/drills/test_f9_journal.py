"""F9: the journal takes no lines (its grant was taken away; its disk is full), and nothing happens without one.

Every address of the table in `tests/portal/test_every_url.py` is posted to, by everybody who
might have an effect there, first while the journal is shut and then once it is open again:
what has an effect then must have had none before, and has its line now.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from django.core import mail
from django.db import Error as DatabaseError
from django.http import HttpResponse
from django.test import Client

from auth2fa import tasks as account
from lifecycle.validation.tasks import look
from portal.demo.postgresql import SERVICE_ROLES
from portal.foundation.access.looks import begin_look
from portal.foundation.access.tasks import tell_of_look
from portal.foundation.outbox import registry
from portal.foundation.outbox.drain import run
from portal.foundation.outbox.models import Errand, send
from portal.foundation.outbox.registry import Task
from portal.foundation.tenancy.context import acting_for
from tests.drills import invariants
from tests.portal import test_every_url as addresses
from tests.portal.test_every_url import TABLE, Row, address, everything, things  # noqa: F401 - a fixture among them
from tests.world import PASSWORD, World, carry_out, csr, invited, issued, serving, signed_in, submitted

pytestmark = pytest.mark.django_db

JOURNAL = "audit_auditevent"
WRITERS = sorted({SERVICE_ROLES[service] for service in ("web", "signing", "validation", "messages")})
NOBODYS = {"auth2fa_signedin", "auth2fa_failedsignins", "outbox_heartbeat", "outbox_errand"}
"""Sessions, counters of guesses, and the queue's own notes on its work: no effect that the journal tells of."""


def _shut_by_grant(owner: Any) -> Callable[[], None]:
    owner.execute(f"REVOKE INSERT ON {JOURNAL} FROM {', '.join(WRITERS)}")
    return lambda: owner.execute(f"GRANT INSERT ON {JOURNAL} TO {', '.join(WRITERS)}")


def _shut_by_a_full_disk(owner: Any) -> Callable[[], None]:
    owner.execute(
        "CREATE FUNCTION drill_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;"
        f" CREATE TRIGGER drill_full BEFORE INSERT ON {JOURNAL} EXECUTE FUNCTION drill_full()"
    )
    return lambda: owner.execute("DROP FUNCTION drill_full CASCADE")


WAYS = {"grant revoked": _shut_by_grant, "disk full": _shut_by_a_full_disk}


@pytest.fixture
def shut(owner) -> Iterator[Callable[[str], Any]]:
    """Shut the journal in one of the `WAYS` inside a block; it is open after the test, whatever happens."""
    opening: list[Callable[[], None]] = []

    @contextmanager
    def shutting(way: str) -> Iterator[None]:
        opening.append(WAYS[way](owner))
        yield
        opening.pop()()

    yield shutting
    for each in opening:
        each()


# --- addresses --------------------------------------------------------------------------------------------------------

ACTORS = ("petra", "ada", "wei", "olu", "vera", "nobody")

SAID: dict[str, dict[str, str]] = {
    "sign-in": {"username": "dan@acme.example", "password": PASSWORD},
    "password-forgotten": {"username": "dan@acme.example"},
    "password-change": {"old": PASSWORD, "new": "four words that nobody joins"},
    "authenticator-add": {"label": "Telephone", "password": PASSWORD},
    "people-invite": {"name": "New Person", "email": "new.person@acme.example", "roles": "subscriber"},
    "people-import": {"rows": "name,email,roles\nAnn,ann@acme.example,subscriber", "confirmed": "1"},
    "person-roles": {"roles": "reviewer", "confirmed": "1"},
}
"""What has to be posted for an effect, where the table's own payload only has to be refused."""

LAST = ("platform-tenant-deed", "platform-look-end", "person-act", "person-roles", "sessions-end", "sign-out")
"""What takes a seat, a session or a whole tenant away comes after what needs them."""

NO_EFFECT = {
    "certificate-action": "leads to the wizard",
}
"""Addresses that take a POST and change nothing that the journal would tell of, and why."""


def _clients(world: World) -> dict[str, Client]:
    def make(short: str) -> Client:
        client = Client(raise_request_exception=False)
        return client if short == "nobody" else signed_in(client, world.people[short])

    return {short: make(short) for short in ACTORS}


def _order(name: str) -> tuple[bool, str]:
    return name.partition(",")[0] in LAST, name


def _post(client: Client, name: str, row: Row, objects: dict[str, str]) -> HttpResponse:
    said = SAID.get(name) or addresses.payload(row, objects)
    return client.generic(
        "POST", address(name, row, objects), urlencode(said), "application/x-www-form-urlencoded"
    )


def _effects(owner: Any) -> dict[str, Any]:
    return everything(owner, but=NOBODYS | {"audit_unsealed"})


def test_print(owner, world, things, shut):
    people = _clients(world)
    rows = sorted(TABLE, key=_order)
    def who(short):
        from django.contrib.auth import get_user
        class R: session = people[short].session
        return str(getattr(get_user(R), "subject", None))[:5]
    mine = lambda name: ("nobody",) if name in ("sign-in",) else ACTORS
    base = {short: who(short) for short in ACTORS}
    before = _effects(owner)
    got = {}
    with shut("grant revoked"):
        for name in rows:
            for short in mine(name):
                got[name, short] = _post(people[short], name, TABLE[name], things)
                if who(short) != base[short]:
                    print("WHO", name, short, base[short], who(short), got[name, short].status_code)
                    people[short] = _clients(world)[short]
                if mail.outbox:
                    print("MAIL", name, short)
                    mail.outbox.clear()
            now = _effects(owner)
            if now != before:
                print("CHANGED", name, [t for t in now if now[t] != before[t]], [got[name, x].status_code for x in mine(name)])
                before = now
    print(sorted({(k[0], k[1], v.status_code) for k, v in got.items() if v.status_code >= 500}))
    for name in rows:
        for short in mine(name):
            a = _post(people[short], name, TABLE[name], things)
            now = _effects(owner)
            ch = [t for t in now if now[t] != before[t]]
            before = now
            if ch or mail.outbox:
                print("EFFECT", name, short, a.status_code, "was", got[name, short].status_code, ch, len(mail.outbox))
            if who(short) != base[short]:
                print("WHO", name, short, base[short], who(short), got[name, short].status_code)
                people[short] = _clients(world)[short]
            mail.outbox.clear()
