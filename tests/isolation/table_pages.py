"""What every page answers to everybody: written down by what the roles are for, not read off the guards.

A row says what the door of a page answers to a method that its view does not know, and what GET and POST answer about
things of Petra's.  What is answered about somebody else's follows (`answer`): Dan stands where Petra stands for
his own things, and what is another tenant's or nobody's is not there for anybody who is let in.
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from tests.isolation.principals import MEMBERS, STRANGERS
from tests.isolation.things import HERS, HIS, NOTHING, THEIRS, Things

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
FORM = "application/x-www-form-urlencoded"
_READING = {"GET", "HEAD"}

Line = tuple[int, ...]


@dataclass(frozen=True)
class Door:
    """What is answered to a method that the view does not know; whoever is turned away learns nothing of methods.

    Of a door inside the tenant, its six members' answers; of any other, the answers of all `STRANGERS`.
    """

    answers: Line

    @property
    def inside(self) -> bool:
        return len(self.answers) == len(MEMBERS)

    def everybody(self, answers: Line, method: str) -> Line:
        """The answers of all `STRANGERS`: outside the tenant, of one who looks inside, of the suspended, of members."""
        if not self.inside:
            return answers
        looking = answers[MEMBERS.index("vera")] if method in _READING else 403  # an auditor that changes nothing
        return (302, 302, 404, 404, looking, 404, *answers)


#                    jonas dan  wei  vera ada  petra
MEMBER = Door((405, 405, 405, 405, 405, 405))
READER = Door((403, 405, 405, 405, 405, 405))
MAKER = Door((403, 405, 403, 403, 403, 405))
UPLOADER = Door((403, 405, 403, 403, 405, 405))
MANAGER = Door((403, 405, 403, 403, 405, 405))  # of domains
REVIEWER = Door((403, 403, 405, 403, 403, 403))
AUDITOR = Door((403, 403, 403, 405, 405, 403))
ADMINISTRATOR = Door((403, 403, 403, 403, 405, 403))

ALL = (200, 200, 200, 200, 200, 200)  # answers of GET
LISTED = (403, 200, 200, 200, 200, 200)
SEEN = (403, 404, 200, 200, 200, 200)  # Petra's, by herself and by those who see everybody's
AUDITED = (403, 403, 403, 200, 200, 403)
ADMINISTERED = (403, 403, 403, 403, 200, 403)


def _made(own: int) -> Line:
    """What only its owner goes on with."""
    return (403, 404, 403, 403, 403, own)


def _managed(status: int) -> Line:
    """A domain is its tenant's, not somebody's."""
    return (403, status, 403, 403, status, status)


def _administered(status: int) -> Line:
    return (403, 403, 403, 403, status, 403)


def _anybody(status: int) -> Line:
    return (status,) * len(STRANGERS)


def _signed_in(status: int) -> Line:
    return (302, 302, *(status,) * (len(STRANGERS) - 2))


def _operators(status: int) -> Line:
    """Those who operate no platform find none."""
    return (302, 302, 404, status, status, *(404,) * (len(STRANGERS) - 5))


def _petras(status: int) -> Line:
    """What is a person's own, and of no tenant."""
    return (302, 302, *(404,) * (len(STRANGERS) - 3), status)


ANYBODY = Door(_anybody(405))
SIGNED_IN = Door(_signed_in(405))
OPERATOR = Door(_operators(405))


@dataclass(frozen=True)
class Row:
    door: Door
    get: Line | None = None
    post: Line | None = None
    arguments: tuple[str, ...] = ()
    """Of the address, with the kind of thing that each names: `pk:certificate`."""
    fixed: tuple[tuple[str, str], ...] = ()
    payload: tuple[tuple[str, str], ...] = ()
    """Of POST; values in braces are things."""
    absent: tuple[int, int] = (404, 404)
    """What GET and POST answer whoever is let in about what is not there for them."""

    @property
    def of_things(self) -> bool:
        return bool(self.arguments) or any("{" in value for _name, value in self.payload)

    def takes(self, method: str) -> bool:
        return (self.get if method in _READING else self.post if method == "POST" else None) is not None

    def line(self, method: str) -> Line:
        """What each of `STRANGERS` is answered about Petra's things."""
        said = {"GET": self.get, "HEAD": self.get, "POST": self.post}.get(method)
        return self.door.everybody(said or self.door.answers, method)

    def lets_in(self, short: str, method: str) -> bool:
        return self.door.everybody(self.door.answers, method)[STRANGERS.index(short)] == 405

    def answer(self, short: str, method: str, whose: str) -> int:
        """What *short* is answered about the things of one of the four classes."""
        if whose == HIS:
            short = {"dan": "petra", "petra": "dan"}.get(short, short)
        status = self.line(method)[STRANGERS.index(short)]
        if whose in {HERS, HIS} or not self.takes(method):
            return status
        if whose == THEIRS and short == "hank" and self.door == SIGNED_IN:
            return self.line(method)[STRANGERS.index("petra")]  # they are his own, of whatever tenant
        return self.absent[method == "POST"] if self.lets_in(short, method) else status

    @property
    def classes(self) -> tuple[str, ...]:
        """An operator's things are of all tenants; what is fixed in the address is asked for once."""
        if not self.of_things:
            return (HERS,)
        return (HERS, NOTHING) if self.door == OPERATOR else (HERS, HIS, THEIRS, NOTHING)


_AREA = (("area", "desktop-signing"),)
_KIND = (*_AREA, ("kind", "rekey"))
_PROFILE = ("profile:profile",)
_DOMAIN, _WAY = ("pk:domain",), ("pk:way",)
_VERSION = (("language", "en"), ("version", "1"))

TABLE = {
    # --- outside any tenant
    "home": Row(SIGNED_IN, get=(302, 302, 302, 302, 200, 200, 302, 302, 302, 200, 302, 302)),
    "sign-in": Row(ANYBODY, get=(200, 200, *(302,) * 10), post=_anybody(422)),
    "sign-out": Row(ANYBODY, post=_anybody(302)),
    # without a link of a mail there is nothing at these: tests/portal/test_people_invitations.py has those
    "invitation": Row(ANYBODY, get=_anybody(409), post=_anybody(409)),
    # nor at this: tests/lifecycle/validation/test_contacts.py has it
    "domain-approval": Row(ANYBODY, get=_anybody(409), post=_anybody(409)),
    "password-new": Row(ANYBODY, get=_anybody(409), post=_anybody(409)),
    "password-forgotten": Row(ANYBODY, get=_anybody(200), post=_anybody(422)),
    "account": Row(SIGNED_IN, get=_signed_in(200)),
    "password-change": Row(SIGNED_IN, get=_signed_in(200), post=_signed_in(422)),
    "sessions-end": Row(SIGNED_IN, post=_anybody(302), payload=(("which", "others"),)),
    "authenticator-add": Row(SIGNED_IN, get=_signed_in(200), post=_signed_in(422)),
    # a session that did not show its password is led back: tests/portal/test_people_accounts.py has the rest
    "authenticator-code": Row(SIGNED_IN, get=_anybody(302), post=_anybody(302)),
    "authenticator": Row(SIGNED_IN, get=_petras(200), post=_petras(422), arguments=("pk:waiting",)),
    "authenticator-qr": Row(SIGNED_IN, get=_petras(200), arguments=("pk:waiting",)),
    "authenticator-remove": Row(SIGNED_IN, get=_petras(200), post=_petras(422), arguments=("pk:enrolled",)),
    "healthz": Row(ANYBODY, get=_anybody(200)),
    "readyz": Row(ANYBODY, get=_anybody(200)),
    "issuer-certificate": Row(
        ANYBODY, get=_anybody(200), fixed=(("tenant_slug", "acme"), ("authority", "issuing"), ("version", "1"))
    ),
    "api-reference": Row(ANYBODY, get=_anybody(200)),
    "api-schema": Row(ANYBODY, get=_anybody(200)),
    "platform-journal": Row(OPERATOR, get=_operators(200)),
    "platform-journal-verify": Row(OPERATOR, post=_operators(302)),
    "platform-journal-export": Row(OPERATOR, post=_operators(200)),
    # a line of acme's is not one of the platform's
    "platform-journal-line": Row(OPERATOR, get=_operators(404), arguments=("pk:line",)),
    "platform-overview": Row(OPERATOR, get=_operators(200)),
    "platform-tenants": Row(OPERATOR, get=_operators(200)),
    "platform-tenants-export": Row(OPERATOR, get=_operators(200)),
    "platform-tenant-new": Row(
        OPERATOR,
        get=_operators(200),
        post=_operators(302),
        payload=(("name", "Initech"), ("slug", "initech"), ("administrator", "Bill"), ("email", "bill@acme.example")),
    ),
    "platform-tenant": Row(OPERATOR, get=_operators(200), fixed=(("slug", "acme"),)),
    "platform-tenant-deed": Row(
        OPERATOR,
        get=_operators(200),
        post=_operators(302),
        fixed=(("slug", "acme"), ("deed", "suspend")),
        payload=(("reason", "Because."),),
    ),
    "platform-tenant-deed, a look": Row(
        OPERATOR,
        get=_operators(200),
        post=(302, 302, 404, 302, 409, *(404,) * 7),  # one who looks inside already begins no second look
        fixed=(("slug", "acme"), ("deed", "look")),
        payload=(("reason", "Because."), ("minutes", "15")),
    ),
    "platform-look-end": Row(OPERATOR, post=_operators(302), fixed=(("slug", "acme"),)),
    "platform-authorities": Row(OPERATOR, get=_operators(200)),
    "platform-errands": Row(OPERATOR, get=_operators(200)),
    "platform-errand-deed": Row(
        OPERATOR,
        get=_operators(200),
        post=_operators(302),
        arguments=("pk:errand",),
        fixed=(("deed", "again"),),
    ),
    "demo-mailbox": Row(ANYBODY, get=_anybody(200)),
    "demo-dns": Row(ANYBODY, get=_anybody(200), post=_anybody(302), payload=(("start", "1"),)),
    "demo-dns-name": Row(
        ANYBODY,
        get=_anybody(200),
        post=_anybody(302),
        fixed=(("full", "plain.demo.test"),),
        payload=(("caa", '0 issue "ca.acme.example"'), ("address", "on")),
    ),
    "demo-files": Row(
        ANYBODY, get=_anybody(200), post=_anybody(302), payload=(("remove", "http://nothing.demo.test/"),)
    ),
    "demo-perspectives": Row(ANYBODY, get=_anybody(200), post=_anybody(302), payload=(("lie", "0"),)),
    "demo-mail": Row(ANYBODY, get=_anybody(200), fixed=(("name", "{mail}"),)),
    # --- inside acme
    "tenant-home": Row(MEMBER, get=ALL),
    "certificate-list": Row(READER, get=LISTED),
    "certificate-list-area": Row(READER, get=LISTED, fixed=_AREA),
    "certificate-export": Row(READER, get=LISTED),
    "certificate-export-area": Row(READER, get=LISTED, fixed=_AREA),
    "certificate-upload": Row(
        UPLOADER,
        get=(403, 200, 403, 403, 200, 200),
        post=(403, 422, 403, 403, 422, 422),
        payload=(("text", "nonsense"), ("confirmed", "yes")),
    ),
    "certificate-detail": Row(READER, get=SEEN, arguments=("pk:certificate",)),
    "certificate-action": Row(
        READER,
        get=SEEN,
        post=(403, 404, 422, 422, 422, 302),
        arguments=("pk:spare",),
        payload=(("action", "rekey"), ("confirmation", "on")),
    ),
    "certificate-download": Row(READER, get=SEEN, arguments=("pk:certificate",), fixed=(("form", "der"),)),
    "request-list": Row(READER, get=LISTED),
    "request-list-area": Row(READER, get=LISTED, fixed=_KIND),
    "request-export": Row(READER, get=LISTED),
    "request-export-area": Row(READER, get=LISTED, fixed=_KIND),
    "request-start": Row(
        MAKER,
        get=(403, 200, 403, 403, 403, 200),
        post=(403, 302, 403, 403, 403, 302),
        fixed=(("kind", "issue"),),
        payload=(("profile", "desktop-signing"),),
    ),
    # what is chosen in a form is no address: a profile that is not there is a mistake in the form
    "request-start, of a profile": Row(
        MAKER,
        get=(403, 200, 403, 403, 403, 200),
        post=(403, 302, 403, 403, 403, 302),
        fixed=(("kind", "issue"),),
        payload=(("profile", "{profile}"),),
        absent=(200, 422),
    ),
    "request-start, of a certificate": Row(
        MAKER,
        get=(403, 404, 403, 403, 403, 404),
        post=_made(302),
        fixed=(("kind", "rekey"),),
        payload=(("certificate", "{spare}"),),
    ),
    "request-page": Row(READER, get=SEEN, arguments=("pk:request",)),
    "request-status": Row(READER, get=SEEN, arguments=("pk:request",)),
    "request-discard": Row(MAKER, post=_made(302), arguments=("pk:draft",)),
    "request-verify": Row(MAKER, post=_made(302), arguments=("pk:named",), payload=(("name", "www.acme.example"),)),
    "request-prove": Row(UPLOADER, post=_made(302), arguments=("pk:named",), payload=(("domain", "acme.example"),)),
    "request-leave-out": Row(MAKER, post=_made(422), arguments=("pk:named",), payload=(("name", "www.acme.example"),)),
    "request-review": Row(
        REVIEWER,
        post=(403, 403, 302, 403, 403, 403),
        arguments=("pk:in review",),
        payload=(("approve", ""),),
    ),
    "request-code": Row(MAKER, get=_made(302), post=_made(302), arguments=("pk:draft",), payload=(("code", "000000"),)),
    "request-step": Row(
        MAKER,
        get=_made(200),
        post=_made(302),
        arguments=("pk:draft",),
        fixed=(("step", "subject"),),
        payload=(("common_name", "Somebody Else"),),
    ),
    "domain-list": Row(READER, get=LISTED),
    "domain-export": Row(READER, get=LISTED),
    "domain-calendar": Row(READER, get=LISTED),
    "domain-add": Row(MANAGER, get=_managed(200), post=_managed(302), payload=(("name", "another.acme.example"),)),
    "domain-page": Row(READER, get=LISTED, arguments=_DOMAIN),
    "domain-standing": Row(READER, get=(403, *(286,) * 5), arguments=_DOMAIN),
    "domain-looks": Row(READER, get=LISTED, arguments=_DOMAIN),
    "domain-prove": Row(MANAGER, post=_managed(302), arguments=_DOMAIN, payload=(("method", "http-file"),)),
    "domain-contact": Row(MANAGER, post=_managed(422), arguments=_DOMAIN, payload=(("sent_to", "x@evil.example"),)),
    "domain-look": Row(MANAGER, post=_managed(302), arguments=_DOMAIN),
    "domain-publishing": Row(MANAGER, post=_managed(302), arguments=_DOMAIN, payload=(("way", ""),)),
    # what is chosen in a form is no address: a way that is not there is a mistake in the form
    "domain-publishing, by a way": Row(
        MANAGER, post=_managed(302), arguments=_DOMAIN, payload=(("way", "{way}"),), absent=(404, 404)
    ),
    "domain-retire": Row(MANAGER, get=_managed(200), post=_managed(302), arguments=_DOMAIN),
    "caa-adviser": Row(READER, get=LISTED, post=(403, *(302,) * 5), payload=(("name", "another.acme.example"),)),
    "caa-survey": Row(READER, get=LISTED, arguments=("pk:survey",)),
    "caa-found": Row(READER, get=LISTED, arguments=("pk:survey",)),
    "publishing-list": Row(AUDITOR, get=AUDITED),
    "publishing-export": Row(AUDITOR, get=AUDITED),
    "publishing-add": Row(ADMINISTRATOR, get=ADMINISTERED, post=_administered(422), payload=(("title", "Eve's"),)),
    "publishing-page": Row(AUDITOR, get=AUDITED, arguments=_WAY),
    "publishing-standing": Row(AUDITOR, get=(403, 403, 403, 286, 286, 403), arguments=_WAY),
    "publishing-try": Row(ADMINISTRATOR, post=_administered(302), arguments=_WAY),
    "publishing-retire": Row(ADMINISTRATOR, get=ADMINISTERED, post=_administered(302), arguments=_WAY),
    "rules-by-date": Row(AUDITOR, get=AUDITED),
    "rules-by-date-change": Row(AUDITOR, get=AUDITED, fixed=(("change", "life-public-tls-2027-03-15"),)),
    "people-list": Row(AUDITOR, get=AUDITED),
    "people-export": Row(AUDITOR, get=AUDITED),
    "person": Row(AUDITOR, get=AUDITED, arguments=("pk:person",)),
    "people-invite": Row(
        ADMINISTRATOR,
        get=ADMINISTERED,
        post=_administered(302),
        payload=(("name", "Eve"), ("email", "eve@evil.example"), ("roles", "administrator")),
    ),
    "people-import": Row(
        ADMINISTRATOR,
        get=ADMINISTERED,
        post=_administered(302),
        payload=(("rows", "name,email,roles\nEve,eve@evil.example,administrator"), ("confirmed", "1")),
    ),
    "person-roles": Row(
        ADMINISTRATOR,
        get=ADMINISTERED,
        post=_administered(302),
        arguments=("pk:person",),
        payload=(("roles", "administrator"), ("confirmed", "1")),
    ),
    "person-act": Row(
        ADMINISTRATOR,
        get=ADMINISTERED,
        post=_administered(302),
        arguments=("pk:person",),
        fixed=(("act", "remove"),),
    ),
    "invitation-act": Row(
        ADMINISTRATOR, post=_administered(302), arguments=("pk:invitation",), fixed=(("act", "withdraw"),)
    ),
    "token-list": Row(MEMBER, get=ALL),
    "token-export": Row(MEMBER, get=ALL),
    "token-new": Row(MEMBER, get=ALL, post=(422,) * 6),
    # a session that did not show its password is led back: tests/api/test_tokens.py has the rest
    "token-code": Row(MEMBER, get=(302,) * 6, post=(302,) * 6),
    "token-revoke": Row(  # an auditor sees everybody's and ends none
        MEMBER, get=(404, 404, 404, 404, 200, 200), post=(404, 404, 404, 404, 302, 302), arguments=("pk:token",)
    ),
    "journal": Row(AUDITOR, get=AUDITED),
    "journal-verify": Row(AUDITOR, post=(403, 403, 403, 302, 302, 403)),
    "journal-export": Row(AUDITOR, post=AUDITED),
    "journal-line": Row(AUDITOR, get=AUDITED, arguments=("pk:line",)),
    "policy-list": Row(AUDITOR, get=AUDITED),
    "policy-export": Row(AUDITOR, get=AUDITED),
    "policy-page": Row(AUDITOR, get=AUDITED, arguments=_PROFILE),
    "policy-change": Row(ADMINISTRATOR, get=ADMINISTERED, post=_administered(422), arguments=_PROFILE),
    "profile-list": Row(AUDITOR, get=AUDITED),
    "profile-export": Row(AUDITOR, get=AUDITED),
    "profile-new": Row(ADMINISTRATOR, get=ADMINISTERED, post=_administered(422)),
    "profile-page": Row(AUDITOR, get=AUDITED, arguments=_PROFILE),
    "profile-compare": Row(AUDITOR, get=AUDITED, arguments=_PROFILE),
    "profile-change": Row(ADMINISTRATOR, get=ADMINISTERED, post=_administered(422), arguments=_PROFILE),
    "agreement-list": Row(AUDITOR, get=AUDITED),
    "agreement-new": Row(ADMINISTRATOR, get=ADMINISTERED, post=_administered(422)),
    "agreement-page": Row(AUDITOR, get=AUDITED, arguments=("agreement:agreement",)),
    "agreement-change": Row(
        ADMINISTRATOR,
        get=ADMINISTERED,
        post=_administered(422),
        arguments=("agreement:agreement",),
        fixed=(("language", "en"),),
    ),
    "agreement-version": Row(AUDITOR, get=AUDITED, arguments=("agreement:agreement",), fixed=_VERSION),
    "agreement-acceptances": Row(AUDITOR, get=AUDITED, arguments=("agreement:agreement",), fixed=_VERSION),
}

INSIDE = tuple(name for name, row in TABLE.items() if row.door.inside)
"""The addresses of a tenant's."""


def address(name: str, things: Things, tenant: str = "acme") -> str:
    row = TABLE[name]
    kwargs = {field: value.format(**things) for field, value in row.fixed}
    kwargs |= {said.partition(":")[0]: things[said.partition(":")[2]] for said in row.arguments}
    inside = {"tenant": tenant} if row.door.inside else {}
    return reverse(name.partition(",")[0], kwargs={**kwargs, **inside})


def payload(name: str, things: Things) -> dict[str, str]:
    return {field: value.format(**things) for field, value in TABLE[name].payload}


def call(name: str, method: str, things: Things, tenant: str = "acme") -> dict[str, str]:
    """What to ask: the arguments of `Caller.ask`."""
    said = {"method": method, "url": address(name, things, tenant)}
    return {**said, "body": urlencode(payload(name, things)), "kind": FORM} if method == "POST" else said


def ask(client: Client, method: str, name: str, things: Things, tenant: str = "acme") -> HttpResponse:
    """The same with Django's own client, for tests that ask with the table."""
    said = call(name, method, things, tenant)
    return client.generic(method, said["url"], said.get("body", ""), said.get("kind", "application/octet-stream"))
