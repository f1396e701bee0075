"""Every address, every kind of stranger, every method: what nobody wrote into the table fails.

The routes come from the resolver: one without a row, and a row without one, are failures.
Whatever is answered with a refusal has touched nothing, in any table, of any tenant.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.core import mail
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from psycopg2 import sql

from lifecycle.authorities.models import CertificateAuthority
from portal.config import config
from portal.demo.mailbox import _delivered
from portal.foundation.audit.models import AuditEvent
from portal.foundation.outbox.drain import run
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_for
from tests.world import (
    at_domains,
    begun,
    enrolled,
    filled,
    invited,
    issued,
    parked,
    serving,
    signed_in,
    submitted,
    token_of,
    waiting,
)

pytestmark = pytest.mark.django_db

STRANGERS = ("nobody", "ended", "hank", "olu", "jonas", "dan", "vera", "petra")
"""Nobody; somebody whose session ended; a member of another tenant; a member of none; a member without the permission;
one with it who does not own the object; one who may read everything and change nothing; the owner."""

# What is answered to a method that the view does not know: whoever the guard turns away learns nothing of methods.
#              nobody ended hank olu jonas dan vera petra
ANYBODY = (405, 405, 405, 405, 405, 405, 405, 405)
SIGNED_IN = (302, 302, 405, 405, 405, 405, 405, 405)
MEMBERS = (302, 302, 404, 404, 405, 405, 405, 405)
READERS = (302, 302, 404, 404, 403, 405, 405, 405)
MAKERS = (302, 302, 404, 404, 403, 405, 403, 405)
AUDITORS = (302, 302, 404, 404, 403, 403, 405, 403)
ADMINISTRATORS = (302, 302, 404, 404, 403, 403, 403, 403)  # of these, nobody is one
OPERATORS = (302, 302, 404, 405, 404, 404, 404, 404)
INSIDE = (MEMBERS, READERS, MAKERS, AUDITORS, ADMINISTRATORS)


@dataclass(frozen=True)
class Row:
    door: tuple[int, ...]
    get: tuple[int, ...]
    post: tuple[int, ...]
    arguments: tuple[str, ...] = ()  # names of things in `Things`
    fixed: tuple[tuple[str, str], ...] = ()
    payload: tuple[tuple[str, str], ...] = ()  # of POST; values in braces are things


TABLE = {
    # --- outside any tenant                  nobody ended hank olu jonas dan vera petra
    "home": Row(SIGNED_IN, get=(302, 302, 302, 302, 302, 302, 200, 302), post=SIGNED_IN),
    "sign-in": Row(ANYBODY, get=(200, 200, 302, 302, 302, 302, 302, 302), post=(422,) * 8),
    "sign-out": Row(ANYBODY, get=ANYBODY, post=(302,) * 8),
    # without a link of a mail there is nothing at these: tests/portal/test_people_invitations.py has those
    "invitation": Row(ANYBODY, get=(409,) * 8, post=(409,) * 8),
    "password-new": Row(ANYBODY, get=(409,) * 8, post=(409,) * 8),
    "password-forgotten": Row(ANYBODY, get=(200,) * 8, post=(422,) * 8),
    "account": Row(SIGNED_IN, get=(302, 302, 200, 200, 200, 200, 200, 200), post=SIGNED_IN),
    "password-change": Row(
        SIGNED_IN, get=(302, 302, 200, 200, 200, 200, 200, 200), post=(302, 302, 422, 422, 422, 422, 422, 422)
    ),
    "sessions-end": Row(SIGNED_IN, get=SIGNED_IN, post=(302,) * 8, payload=(("which", "others"),)),
    "authenticator-add": Row(
        SIGNED_IN, get=(302, 302, 200, 200, 200, 200, 200, 200), post=(302, 302, 422, 422, 422, 422, 422, 422)
    ),
    # before the password was shown there is nothing at this: tests/portal/test_people_accounts.py has the rest
    "authenticator-code": Row(SIGNED_IN, get=(302,) * 8, post=(302,) * 8),
    "authenticator": Row(
        SIGNED_IN,
        get=(302, 302, 404, 404, 404, 404, 404, 200),
        post=(302, 302, 404, 404, 404, 404, 404, 422),
        arguments=("pk:waiting",),
    ),
    "authenticator-qr": Row(
        SIGNED_IN,
        get=(302, 302, 404, 404, 404, 404, 404, 200),
        post=SIGNED_IN,
        arguments=("pk:waiting",),
    ),
    "authenticator-remove": Row(
        SIGNED_IN,
        get=(302, 302, 404, 404, 404, 404, 404, 200),
        post=(302, 302, 404, 404, 404, 404, 404, 422),
        arguments=("pk:enrolled",),
    ),
    "healthz": Row(ANYBODY, get=(200,) * 8, post=ANYBODY),
    "readyz": Row(ANYBODY, get=(200,) * 8, post=ANYBODY),
    "issuer-certificate": Row(
        ANYBODY,
        get=(200,) * 8,
        post=ANYBODY,
        fixed=(("tenant_slug", "acme"), ("authority", "issuing"), ("version", "1")),
    ),
    "api-reference": Row(ANYBODY, get=(200,) * 8, post=ANYBODY),
    "api-schema": Row(ANYBODY, get=(200,) * 8, post=ANYBODY),
    "platform-journal": Row(OPERATORS, get=(302, 302, 404, 200, 404, 404, 404, 404), post=OPERATORS),
    "platform-journal-verify": Row(OPERATORS, get=OPERATORS, post=(302, 302, 404, 302, 404, 404, 404, 404)),
    "platform-journal-export": Row(OPERATORS, get=OPERATORS, post=(302, 302, 404, 200, 404, 404, 404, 404)),
    "platform-journal-line": Row(
        OPERATORS,
        get=(302, 302, 404, 404, 404, 404, 404, 404),  # a line of acme's is not one of the platform's
        post=OPERATORS,
        arguments=("pk:line",),
    ),
    "platform-overview": Row(OPERATORS, get=(302, 302, 404, 200, 404, 404, 404, 404), post=OPERATORS),
    "platform-tenants": Row(OPERATORS, get=(302, 302, 404, 200, 404, 404, 404, 404), post=OPERATORS),
    "platform-tenants-export": Row(OPERATORS, get=(302, 302, 404, 200, 404, 404, 404, 404), post=OPERATORS),
    "platform-tenant-new": Row(
        OPERATORS,
        get=(302, 302, 404, 200, 404, 404, 404, 404),
        post=(302, 302, 404, 302, 404, 404, 404, 404),
        payload=(("name", "Initech"), ("slug", "initech"), ("administrator", "Bill"), ("email", "bill@acme.example")),
    ),
    "platform-tenant": Row(
        OPERATORS,
        get=(302, 302, 404, 200, 404, 404, 404, 404),
        post=OPERATORS,
        fixed=(("slug", "acme"),),
    ),
    "platform-tenant-deed": Row(
        OPERATORS,
        get=(302, 302, 404, 200, 404, 404, 404, 404),
        post=(302, 302, 404, 302, 404, 404, 404, 404),
        fixed=(("slug", "acme"), ("deed", "suspend")),
        payload=(("reason", "Because."),),
    ),
    "platform-tenant-deed, a look": Row(
        OPERATORS,
        get=(302, 302, 404, 200, 404, 404, 404, 404),
        post=(302, 302, 404, 302, 404, 404, 404, 404),
        fixed=(("slug", "acme"), ("deed", "look")),
        payload=(("reason", "Because."), ("minutes", "15")),
    ),
    "platform-look-end": Row(
        OPERATORS,
        get=OPERATORS,
        post=(302, 302, 404, 302, 404, 404, 404, 404),
        fixed=(("slug", "acme"),),
    ),
    "platform-authorities": Row(OPERATORS, get=(302, 302, 404, 200, 404, 404, 404, 404), post=OPERATORS),
    "platform-errands": Row(OPERATORS, get=(302, 302, 404, 200, 404, 404, 404, 404), post=OPERATORS),
    "platform-errand-deed": Row(
        OPERATORS,
        get=(302, 302, 404, 200, 404, 404, 404, 404),
        post=(302, 302, 404, 302, 404, 404, 404, 404),
        arguments=("pk:errand",),
        fixed=(("deed", "again"),),
    ),
    "demo-mailbox": Row(ANYBODY, get=(200,) * 8, post=ANYBODY),
    "demo-dns": Row(ANYBODY, get=(200,) * 8, post=(302,) * 8),
    "demo-dns-name": Row(
        ANYBODY,
        get=(200,) * 8,
        post=(302,) * 8,
        fixed=(("label", "plain"),),
        payload=(("records", '0 issue "ca.acme.example"'),),
    ),
    "demo-mail": Row(ANYBODY, get=(200,) * 8, post=ANYBODY, arguments=("name:mail",)),
    # --- inside acme                         nobody ended hank olu jonas dan vera petra
    "tenant-home": Row(MEMBERS, get=(302, 302, 404, 404, 200, 200, 200, 200), post=MEMBERS),
    "certificate-list": Row(READERS, get=(302, 302, 404, 404, 403, 200, 200, 200), post=READERS),
    "certificate-list-area": Row(
        READERS,
        get=(302, 302, 404, 404, 403, 200, 200, 200),
        post=READERS,
        fixed=(("area", "desktop-signing"),),
    ),
    "certificate-export": Row(READERS, get=(302, 302, 404, 404, 403, 200, 200, 200), post=READERS),
    "certificate-export-area": Row(
        READERS,
        get=(302, 302, 404, 404, 403, 200, 200, 200),
        post=READERS,
        fixed=(("area", "desktop-signing"),),
    ),
    "certificate-upload": Row(
        (302, 302, 404, 404, 403, 405, 403, 405),
        get=(302, 302, 404, 404, 403, 200, 403, 200),
        post=(302, 302, 404, 404, 403, 422, 403, 422),
        payload=(("text", "nonsense"), ("confirmed", "yes")),
    ),
    "certificate-detail": Row(
        READERS,
        get=(302, 302, 404, 404, 403, 404, 200, 200),
        post=READERS,
        arguments=("pk:certificate",),
    ),
    "certificate-action": Row(
        READERS,
        get=(302, 302, 404, 404, 403, 404, 200, 200),
        post=(302, 302, 404, 404, 403, 404, 422, 302),
        arguments=("pk:certificate",),
        payload=(("action", "rekey"), ("confirmation", "on")),
    ),
    "certificate-download": Row(
        READERS,
        get=(302, 302, 404, 404, 403, 404, 200, 200),
        post=READERS,
        arguments=("pk:certificate",),
        fixed=(("form", "der"),),
    ),
    "request-list": Row(READERS, get=(302, 302, 404, 404, 403, 200, 200, 200), post=READERS),
    "request-list-area": Row(
        READERS,
        get=(302, 302, 404, 404, 403, 200, 200, 200),
        post=READERS,
        fixed=(("area", "desktop-signing"), ("kind", "rekey")),
    ),
    "people-list": Row(AUDITORS, get=(302, 302, 404, 404, 403, 403, 200, 403), post=AUDITORS),
    "people-export": Row(AUDITORS, get=(302, 302, 404, 404, 403, 403, 200, 403), post=AUDITORS),
    "person": Row(
        AUDITORS,
        get=(302, 302, 404, 404, 403, 403, 200, 403),
        post=AUDITORS,
        arguments=("pk:person",),
    ),
    "people-invite": Row(
        ADMINISTRATORS,
        get=ADMINISTRATORS,
        post=ADMINISTRATORS,
        payload=(("name", "Eve"), ("email", "eve@evil.example"), ("roles", "administrator")),
    ),
    "people-import": Row(
        ADMINISTRATORS,
        get=ADMINISTRATORS,
        post=ADMINISTRATORS,
        payload=(("rows", "name,email,roles\nEve,eve@evil.example,administrator"), ("confirmed", "1")),
    ),
    "person-roles": Row(
        ADMINISTRATORS,
        get=ADMINISTRATORS,
        post=ADMINISTRATORS,
        arguments=("pk:person",),
        payload=(("roles", "administrator"), ("confirmed", "1")),
    ),
    "person-act": Row(
        ADMINISTRATORS,
        get=ADMINISTRATORS,
        post=ADMINISTRATORS,
        arguments=("pk:person",),
        fixed=(("act", "remove"),),
    ),
    "invitation-act": Row(
        ADMINISTRATORS,
        get=ADMINISTRATORS,
        post=ADMINISTRATORS,
        arguments=("pk:invitation",),
        fixed=(("act", "withdraw"),),
    ),
    "token-list": Row(MEMBERS, get=(302, 302, 404, 404, 200, 200, 200, 200), post=MEMBERS),
    "token-export": Row(MEMBERS, get=(302, 302, 404, 404, 200, 200, 200, 200), post=MEMBERS),
    "token-new": Row(
        MEMBERS, get=(302, 302, 404, 404, 200, 200, 200, 200), post=(302, 302, 404, 404, 422, 422, 422, 422)
    ),
    # before the password was shown there is nothing at this: tests/api/test_tokens.py has the rest
    "token-code": Row(
        MEMBERS, get=(302, 302, 404, 404, 302, 302, 302, 302), post=(302, 302, 404, 404, 302, 302, 302, 302)
    ),
    "token-revoke": Row(  # an auditor sees everybody's and ends none
        MEMBERS,
        get=(302, 302, 404, 404, 404, 404, 404, 200),
        post=(302, 302, 404, 404, 404, 404, 404, 302),
        arguments=("pk:token",),
    ),
    "journal": Row(AUDITORS, get=(302, 302, 404, 404, 403, 403, 200, 403), post=AUDITORS),
    "journal-verify": Row(AUDITORS, get=AUDITORS, post=(302, 302, 404, 404, 403, 403, 302, 403)),
    "journal-export": Row(AUDITORS, get=AUDITORS, post=(302, 302, 404, 404, 403, 403, 200, 403)),
    "journal-line": Row(
        AUDITORS,
        get=(302, 302, 404, 404, 403, 403, 200, 403),
        post=AUDITORS,
        arguments=("pk:line",),
    ),
    "policy-list": Row(
        AUDITORS,
        get=(302, 302, 404, 404, 403, 403, 200, 403),
        post=AUDITORS,
    ),
    "policy-export": Row(
        AUDITORS,
        get=(302, 302, 404, 404, 403, 403, 200, 403),
        post=AUDITORS,
    ),
    "policy-page": Row(
        AUDITORS,
        get=(302, 302, 404, 404, 403, 403, 200, 403),
        post=AUDITORS,
        fixed=(("profile", "desktop-signing"),),
    ),
    "policy-change": Row(
        ADMINISTRATORS,
        get=ADMINISTRATORS,
        post=ADMINISTRATORS,
        fixed=(("profile", "desktop-signing"),),
    ),
    "profile-list": Row(
        AUDITORS,
        get=(302, 302, 404, 404, 403, 403, 200, 403),
        post=AUDITORS,
    ),
    "profile-export": Row(
        AUDITORS,
        get=(302, 302, 404, 404, 403, 403, 200, 403),
        post=AUDITORS,
    ),
    "profile-new": Row(
        ADMINISTRATORS,
        get=ADMINISTRATORS,
        post=ADMINISTRATORS,
    ),
    "profile-page": Row(
        AUDITORS,
        get=(302, 302, 404, 404, 403, 403, 200, 403),
        post=AUDITORS,
        fixed=(("profile", "desktop-signing"),),
    ),
    "profile-compare": Row(
        AUDITORS,
        get=(302, 302, 404, 404, 403, 403, 200, 403),
        post=AUDITORS,
        fixed=(("profile", "desktop-signing"),),
    ),
    "profile-change": Row(
        ADMINISTRATORS,
        get=ADMINISTRATORS,
        post=ADMINISTRATORS,
        fixed=(("profile", "desktop-signing"),),
    ),
    "agreement-list": Row(
        AUDITORS,
        get=(302, 302, 404, 404, 403, 403, 200, 403),
        post=AUDITORS,
    ),
    "agreement-new": Row(
        ADMINISTRATORS,
        get=ADMINISTRATORS,
        post=ADMINISTRATORS,
    ),
    "agreement-page": Row(
        AUDITORS,
        get=(302, 302, 404, 404, 403, 403, 200, 403),
        post=AUDITORS,
        fixed=(("agreement", "subscriber"),),
    ),
    "agreement-change": Row(
        ADMINISTRATORS,
        get=ADMINISTRATORS,
        post=ADMINISTRATORS,
        fixed=(
            ("agreement", "subscriber"),
            ("language", "en"),
        ),
    ),
    "agreement-version": Row(
        AUDITORS,
        get=(302, 302, 404, 404, 403, 403, 200, 403),
        post=AUDITORS,
        fixed=(
            ("agreement", "subscriber"),
            ("language", "en"),
            ("version", "1"),
        ),
    ),
    "agreement-acceptances": Row(
        AUDITORS,
        get=(302, 302, 404, 404, 403, 403, 200, 403),
        post=AUDITORS,
        fixed=(
            ("agreement", "subscriber"),
            ("language", "en"),
            ("version", "1"),
        ),
    ),
    "request-export": Row(READERS, get=(302, 302, 404, 404, 403, 200, 200, 200), post=READERS),
    "request-export-area": Row(
        READERS,
        get=(302, 302, 404, 404, 403, 200, 200, 200),
        post=READERS,
        fixed=(("area", "desktop-signing"), ("kind", "rekey")),
    ),
    "request-start": Row(
        MAKERS,
        get=(302, 302, 404, 404, 403, 200, 403, 200),
        post=(302, 302, 404, 404, 403, 302, 403, 302),
        fixed=(("kind", "issue"),),
        payload=(("profile", "desktop-signing"),),
    ),
    "request-start, of a certificate": Row(
        MAKERS,
        get=(302, 302, 404, 404, 403, 404, 403, 404),
        post=(302, 302, 404, 404, 403, 404, 403, 302),
        fixed=(("kind", "rekey"),),
        payload=(("certificate", "{certificate}"),),
    ),
    "request-page": Row(
        READERS,
        get=(302, 302, 404, 404, 403, 404, 200, 200),
        post=READERS,
        arguments=("pk:request",),
    ),
    "request-status": Row(
        READERS,
        get=(302, 302, 404, 404, 403, 404, 200, 200),
        post=READERS,
        arguments=("pk:request",),
    ),
    "request-discard": Row(
        MAKERS,
        get=MAKERS,
        post=(302, 302, 404, 404, 403, 404, 403, 302),
        arguments=("pk:draft",),
    ),
    "request-verify": Row(
        MAKERS,
        get=MAKERS,
        post=(302, 302, 404, 404, 403, 404, 403, 302),
        arguments=("pk:named",),
        payload=(("name", "www.acme.example"),),
    ),
    "request-review": Row(  # of these, nobody is a reviewer: tests/lifecycle/test_reviews.py has those
        (302, 302, 404, 404, 403, 403, 403, 403),
        get=(302, 302, 404, 404, 403, 403, 403, 403),
        post=(302, 302, 404, 404, 403, 403, 403, 403),
        arguments=("pk:request",),
        payload=(("approve", ""),),
    ),
    "request-code": Row(
        MAKERS,
        get=(302, 302, 404, 404, 403, 404, 403, 302),
        post=(302, 302, 404, 404, 403, 404, 403, 302),
        arguments=("pk:draft",),
        payload=(("code", "000000"),),
    ),
    "request-step": Row(
        MAKERS,
        get=(302, 302, 404, 404, 403, 404, 403, 200),
        post=(302, 302, 404, 404, 403, 404, 403, 302),
        arguments=("pk:draft",),
        fixed=(("step", "subject"),),
        payload=(("common_name", "Somebody Else"),),
    ),
}

OBJECTS = {name for name, row in TABLE.items() if any(said.startswith("pk:") for said in row.arguments)}


def routes() -> Iterator[tuple[str, URLPattern]]:
    def walk(patterns: list[Any]) -> Iterator[URLPattern]:
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns)
            else:
                yield pattern

    for pattern in walk(get_resolver().url_patterns):
        yield str(pattern.name), pattern


def test_every_route_has_a_row_and_every_row_a_route():
    assert {name for name, _pattern in routes()} == {name.partition(",")[0] for name in TABLE}
    assert all(len(line) == len(STRANGERS) for row in TABLE.values() for line in (row.door, row.get, row.post))


@pytest.fixture
def things(world, acme, petra):
    """What petra owns, by the names that rows use."""
    folder = Path(config.mail.folder)
    mail_text = f"To: petra@acme.example\nSubject: Hello\nDate: {formatdate()}\n\nHello.\n" + "-" * 79 + "\n"
    (folder / "test.log").write_text(mail_text)
    certificate = issued(petra, acme)
    yield {
        "certificate": str(certificate.pk),
        "request": str(submitted(petra, acme).pk),
        "draft": str(filled(petra, acme).pk),
        "named": str(at_domains(petra, acme).pk),
        "line": line_of(acme),
        "mail": _delivered()[0].name,
        "person": str(petra.pk),
        "invitation": str(invited(acme, world.people["ada"]).pk),
        "enrolled": str(enrolled(petra)[0].pk),
        "waiting": str(waiting(petra).pk),
        "errand": str(parked(acme).pk),
        "token": str(token_of(petra, acme)[0].pk),
    }
    (folder / "test.log").unlink()


def line_of(tenant) -> str:
    """The newest line of a tenant's journal."""
    with acting_for(tenant.pk):
        return str(AuditEvent.objects.latest("pk").pk)


@pytest.fixture
def strangers(world):
    def make(short: str) -> Client:
        client = Client()
        if short == "ended":
            signed_in(client, world.people["petra"])
            client.session.flush()
        elif short != "nobody":
            signed_in(client, world.people[short])
        return client

    return {short: make(short) for short in STRANGERS}


def address(name: str, row: Row, things: dict[str, str], tenant: str = "acme") -> str:
    route = name.partition(",")[0]
    kwargs = dict(row.fixed)
    kwargs |= {said.partition(":")[0]: things[said.partition(":")[2]] for said in row.arguments}
    inside = {"tenant": tenant} if row.door in INSIDE else {}
    return reverse(route, kwargs={**kwargs, **inside})


def payload(row: Row, things: dict[str, str]) -> dict[str, str]:
    return {field: value.format(**things) for field, value in row.payload}


def everything(owner, *, but: set[str] = frozenset()) -> dict[str, list[Any]]:
    """Every row of every table, except for sessions and heartbeats, which are nobody's work."""
    owner.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'")
    tables = {table for (table,) in owner.fetchall()} - {"auth2fa_signedin", "django_migrations", *but}
    found = {}
    for table in sorted(tables):
        owner.execute(sql.SQL("SELECT to_jsonb(t) FROM {} t ORDER BY to_jsonb(t)::text").format(sql.Identifier(table)))
        found[table] = [row for (row,) in owner.fetchall()]
    return found


def is_refused(short: str, method: str, status: int) -> bool:
    return status in {403, 404, 405, 422} or (short in {"nobody", "ended"} and status == 302)


@pytest.mark.parametrize("name", TABLE)
def test_a_route_answers_every_stranger_as_the_table_says_and_a_refusal_has_touched_nothing(
    owner, globex, things, strangers, name
):
    row = TABLE[name]
    lines = {
        "GET": row.get, "HEAD": row.get, "PUT": row.door, "PATCH": row.door, "DELETE": row.door,
        "OPTIONS": row.door, "TRACE": row.door, "POST": row.post,
    }  # fmt: skip
    calls = [(short, method, line[STRANGERS.index(short)]) for method, line in lines.items() for short in STRANGERS]
    refused = [call for call in calls if is_refused(*call)]
    before = everything(owner)
    answers = {
        (short, method): ask(strangers[short], method, name, things).status_code for short, method, _status in refused
    }
    assert everything(owner) == before
    assert mail.outbox == []
    for short, method, _status in calls:
        if (short, method) not in answers:
            answers[short, method] = ask(strangers[short], method, name, things).status_code
    assert answers == {(short, method): status for short, method, status in calls}
    after = everything(owner)
    assert [_of(globex, after[table]) for table in after] == [_of(globex, before[table]) for table in before]


def _of(tenant, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if str(tenant.pk) in (row.get("tenant_id"), row.get("id"))]


def ask(client: Client, method: str, name: str, things: dict[str, str], tenant: str = "acme") -> HttpResponse:
    row = TABLE[name]
    url = address(name, row, things, tenant)
    if method != "POST":
        return client.generic(method, url)
    return client.generic(method, url, urlencode(payload(row, things)), "application/x-www-form-urlencoded")


# --- what does not exist and what is somebody else's are the same from outside --------------------------------------

_UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?")
_CSRF = re.compile(rb'name="csrfmiddlewaretoken" value="[^"]*"')


def masked(response) -> tuple[int, bytes, list[tuple[str, str]]]:
    body = response.content
    for pattern in (_UUID, _TIME, _CSRF):
        body = pattern.sub(b"*", body)
    headers = sorted((key, value) for key, value in response.items() if key not in {"X-Request-ID", "Content-Length"})
    return response.status_code, body, headers


@pytest.mark.parametrize("short", ["petra", "vera"])
def test_another_tenants_object_and_one_that_never_was_get_the_same_answer(owner, world, globex, strangers, short):
    hank = world.people["hank"]
    theirs = {"certificate": str(issued(hank, globex).pk), "request": str(submitted(hank, globex).pk)}
    theirs["draft"] = str(filled(hank, globex).pk)
    theirs["named"] = str(at_domains(hank, globex).pk)
    theirs["line"] = line_of(globex)
    theirs["person"], theirs["invitation"] = str(hank.pk), str(invited(globex, hank).pk)
    theirs["enrolled"], theirs["waiting"] = str(enrolled(hank)[0].pk), str(waiting(hank).pk)
    theirs["errand"] = str(parked(globex).pk)
    theirs["token"] = str(token_of(hank, globex)[0].pk)
    nothing = dict.fromkeys(theirs, str(uuid4()))
    before = everything(owner)
    for name in sorted(OBJECTS | {"request-start, of a certificate"}):
        for method in ("GET", "HEAD", "POST"):
            there, nowhere = (ask(strangers[short], method, name, wanted) for wanted in (theirs, nothing))
            assert masked(there) == masked(nowhere), (method, name)
            assert there.status_code in {403, 404, 405}, (method, name)
    assert everything(owner) == before


@pytest.mark.parametrize("short", ["nobody", "olu", "petra"])
def test_another_tenant_and_one_that_never_was_get_the_same_answer(owner, things, strangers, short):
    before = everything(owner)
    for name in [name for name, row in TABLE.items() if row.door in INSIDE]:
        for method in ("GET", "POST", "HEAD", "DELETE"):
            answers = []
            for tenant in ("globex", "notary", "platform"):
                status, body, headers = masked(ask(strangers[short], method, name, things, tenant))
                answers.append((status, body, str(headers).replace(tenant, "*")))
            assert answers[0] == answers[1] == answers[2], (method, name)
            assert answers[0][0] == (302 if short == "nobody" else 404)
    assert everything(owner) == before


def test_an_authority_of_a_tenant_that_never_was_and_one_that_the_tenant_does_not_have_look_alike(client, world):
    answers = [masked(client.get(f"/pki/{path}.cer")) for path in ("acme/none-1", "none/issuing-1", "acme/issuing-2")]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] == 404


def test_the_certificate_of_an_authority_is_its_own_whatever_tenant_was_looked_at_before(client, acme, globex):
    first, second = (client.get(f"/pki/{slug}/issuing-1.cer").content for slug in ("acme", "globex"))
    assert first != second
    assert b"Acme Industries" in first
    assert b"Globex" in second


def test_no_list_and_no_search_shows_anything_of_another_tenant_or_of_another_subscriber(
    world, acme, globex, strangers
):
    people = world.people
    theirs = [issued(people["hank"], globex, name="Hank's Own"), issued(people["dan"], acme, name="Dan's Own")]
    begun(people["hank"], globex)
    for certificate in theirs:
        asked = [certificate.serial, certificate.fingerprint, certificate.spki_sha256, certificate.name]
        for page in ("certificates/", "certificates/export.csv", "areas/desktop-signing/certificates/"):
            for query in asked:
                shown = strangers["petra"].get(f"/t/acme/{page}", {"q": query}).content.decode()
                assert not {part for part in (str(certificate.pk), str(certificate.made_from)) if part in shown}
        for page in ("requests/", "areas/desktop-signing/requests/issue/", "", "certificates/export.csv"):
            shown = strangers["petra"].get(f"/t/acme/{page}").content.decode()
            assert not {part for part in (str(certificate.made_from), certificate.name, asked[0]) if part in shown}


# --- forms ----------------------------------------------------------------------------------------------------------


def test_no_form_is_taken_that_did_not_come_from_a_page_of_the_session(owner, world, things):
    """Cross-site request forgery: no token, no deed, whoever is signed in."""
    client = signed_in(Client(enforce_csrf_checks=True), world.people["petra"])
    before = everything(owner)
    for name in TABLE:
        answer = ask(client, "POST", name, things)
        assert answer.status_code == 403, name
        assert b"not-asked-here" in answer.content
    assert everything(owner) == before


def test_only_post_changes_anything(owner, things, strangers):
    """A GET, even with a form's fields in its query, is safe."""
    before = everything(owner)
    for name, row in TABLE.items():
        strangers["petra"].get(address(name, row, things), payload(row, things))
        assert everything(owner) == before, name


# --- doorways of the workers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "arguments", "service"),
    [
        ("lifecycle.requests.tasks.execute_request", ("request", "person", "authority"), "signing"),
        ("lifecycle.requests.tasks.execute_request", ("request", "person", "our authority"), "signing"),
        ("lifecycle.requests.tasks.revoke_compromised", ("request", "person"), "signing"),
        ("lifecycle.requests.notices.send_notice", ("person", "request", "occasion"), "messages"),
    ],
)
def test_an_errand_that_names_another_tenants_row_does_nothing_to_it(
    owner, world, acme, globex, task, arguments, service
):
    hank = world.people["hank"]
    certificate, waiting = issued(hank, globex), submitted(hank, globex)
    with acting_for(acme.pk):
        ours = CertificateAuthority.objects.get(slug="issuing").pk
    theirs = {
        "request": waiting.pk, "person": hank.pk, "authority": certificate.authority_id, "our authority": ours,
        "certificate": certificate.pk, "occasion": "request-completed",
    }  # fmt: skip
    errand = Errand(tenant_id=acme.pk, queue=service, task=task, args=[str(theirs[name]) for name in arguments])
    errand.due_at = waiting.changed_at
    errand.save(force_insert=True)
    before = everything(owner, but={"outbox_errand", "authorities_crlshard"})
    with serving(service):
        run(errand)
    assert everything(owner, but={"outbox_errand", "authorities_crlshard"}) == before
    assert mail.outbox == []
    errand.refresh_from_db()
    assert errand.done_at or errand.parked_at, errand.last_error
