"""Who asks: people with a browser, and programs with a token.

The world's people, and those whom only the matrix needs: a suspended member, an operator who looks inside, somebody
with every role whose tokens have one scope each.
"""

from dataclasses import dataclass
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.test.client import ClientHandler

from portal.foundation import clock
from portal.foundation.access import tokens
from portal.foundation.access.looks import LONGEST, begin_look
from portal.foundation.access.models import Membership, User
from portal.foundation.access.permissions import Role
from portal.foundation.access.scopes import SCOPES
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import PLATFORM, Tenant
from tests.world import World, serving, signed_in, token_of

MEMBERS = ("jonas", "dan", "wei", "vera", "ada", "petra")
"""A recovery officer, another subscriber, a reviewer, an auditor (of both tenants), an administrator, the owner."""

STRANGERS = ("nobody", "ended", "hank", "olu", "looking", "sam", *MEMBERS)
"""Nobody; somebody whose session ended; a member of another tenant; an operator; one who looks inside; a suspended
member; the members."""

ROLES = {
    "jonas": Role.RECOVERY_OFFICER, "dan": Role.SUBSCRIBER, "wei": Role.REVIEWER, "vera": Role.AUDITOR,
    "ada": Role.ADMINISTRATOR, "petra": Role.SUBSCRIBER,
}  # fmt: skip

UNRECOGNISED = {
    "no token": "token-wanted", "nonsense": "token-wanted", "no bearer": "token-wanted", "a cookie": "token-wanted",
    "hank": "token-wanted", "sam": "token-wanted", "expired": "token-over", "revoked": "token-over",
}  # fmt: skip
"""Programs that are turned away at every door, and what they are told."""

PROGRAMS = (*UNRECOGNISED, *MEMBERS, *SCOPES)
"""And those of members with all scopes that their roles can use, and one of each scope alone."""


class _Line(RequestFactory):
    """Django's test client without what it keeps of every template, which costs more than the answer."""

    def __init__(self) -> None:
        super().__init__()
        self._handler = ClientHandler(enforce_csrf_checks=False)

    def request(self, **environment: Any) -> HttpResponse:
        answer: HttpResponse = self._handler(self._base_environ(**environment))
        return answer


_line = _Line()


@dataclass
class Caller:
    """A browser or a program.  What one answer leaves behind in its cookies, the next call does not bring."""

    cookie: str = ""
    authorization: str = ""

    def ask(self, method: str, url: str, body: str = "", kind: str = "", **headers: str) -> HttpResponse:
        _line.cookies = SimpleCookie({settings.SESSION_COOKIE_NAME: self.cookie} if self.cookie else {})
        if self.authorization:
            headers["Authorization"] = self.authorization
        told: dict[str, Any] = {"data": body, "content_type": kind} if kind else {}
        return _line.generic(method, url, headers=headers, **told)


def _browser(person: User) -> Caller:
    client = signed_in(Client(), person)
    return Caller(cookie=client.cookies[settings.SESSION_COOKIE_NAME].value)


@dataclass(frozen=True)
class Further:
    """People whom only the matrix needs."""

    sam: User
    grace: User
    max: User


def further(acme: Tenant) -> Further:
    """Seat a member who will be suspended (`suspend`), an operator who looks inside, and somebody with all roles."""
    now = clock.now()
    names = {"sam": "Sam Ondra", "grace": "Grace Adeyemi", "max": "Max Every"}
    people = {
        short: User(subject=f"{short}@acme.example", email=f"{short}@acme.example", name=name, created_at=now)
        for short, name in names.items()
    }
    every = [role for role in Role if role is not Role.OPERATOR]
    with serving("owner"):
        User.objects.bulk_create(people.values())
        with acting_for(acme.pk):
            seats = {"sam": [Role.SUBSCRIBER, Role.ADMINISTRATOR], "max": every}
            Membership.objects.bulk_create(
                Membership(person=people[short], role=role) for short, roles in seats.items() for role in roles
            )
        with acting_for(PLATFORM):
            Membership(person=people["grace"], role=Role.OPERATOR).save(force_insert=True)
    begin_look(acme, person=people["grace"].pk, reason="A complaint.", minutes=LONGEST)
    return Further(**people)


def suspend(person: User, tenant: Tenant) -> None:
    with serving("owner"), acting_for(tenant.pk):
        Membership.objects.filter(person=person).update(suspended_at=clock.now())


def browsers(world: World, more: Further) -> dict[str, Caller]:
    """By short name, those of `STRANGERS`."""
    ended = signed_in(Client(), world.people["petra"])
    key = ended.cookies[settings.SESSION_COOKIE_NAME].value
    ended.session.flush()
    found = {"nobody": Caller(), "ended": Caller(cookie=key)}
    people = {**world.people, "sam": more.sam, "looking": more.grace}
    return found | {short: _browser(people[short]) for short in STRANGERS if short not in found}


def programs(world: World, more: Further) -> dict[str, Caller]:
    """By name, those of `PROGRAMS`; to be called before sam is suspended."""
    acme, globex = (world.tenants[slug] for slug in ("acme", "globex"))
    petra, jonas, hank = (world.people[short] for short in ("petra", "jonas", "hank"))
    with clock.frozen(clock.now() - timedelta(days=3)):
        expired = token_of(petra, acme, days=1)[1]
    row, revoked = token_of(petra, acme)
    with acting_for(acme.pk, person=petra.pk):
        tokens.revoke(row.pk, by=petra.pk, may_all=False)
    secrets = {
        "no token": "", "nonsense": f"cpt_{'x' * 43}", "a cookie": "", "expired": expired, "revoked": revoked,
        "hank": token_of(hank, globex)[1], "sam": token_of(more.sam, acme)[1],
        "jonas": _of_former_subscriber(jonas, acme),
    }  # fmt: skip
    secrets |= {short: token_of(world.people[short], acme)[1] for short in MEMBERS if short != "jonas"}
    secrets |= {scope: token_of(more.max, acme, scope)[1] for scope in SCOPES}
    found = {name: Caller(authorization=f"Bearer {secret}" if secret else "") for name, secret in secrets.items()}
    found["a cookie"].cookie = _browser(world.people["ada"]).cookie
    found["no bearer"] = Caller(authorization=f"Basic {secrets['ada']}")
    return found


def _of_former_subscriber(person: User, tenant: Tenant) -> str:
    """The secret of a token with scopes that the person's roles could use once, and cannot any more."""
    with serving("owner"), acting_for(tenant.pk):
        extra = Membership(person=person, role=Role.SUBSCRIBER)
        extra.save(force_insert=True)
    secret = token_of(person, tenant)[1]
    with serving("owner"), acting_for(tenant.pk):
        extra.delete()
    return secret
