"""What every operation of the API answers to every program: written down by what roles and scopes are for.

A row says of each method of an address who may (`Who`), and what they are answered about things of Petra's.  What is
answered about somebody else's follows (`Row.answer`).
"""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import uuid4

from django.urls import reverse

from portal.foundation.access.scopes import SCOPES
from tests.isolation.principals import MEMBERS, UNRECOGNISED
from tests.isolation.things import HERS, HIS, NOTHING, THEIRS, Things
from tests.lifecycle.test_uploads import made, pem

JSON = "application/json"

Read = Callable[[str], Any]
"""Reads an address of acme's API with an administrator's token."""


@dataclass(frozen=True)
class Who:
    """Members whose roles are for it, scopes that are for it, and those of both who see everybody's things."""

    members: frozenset[str]
    scopes: frozenset[str]
    all: frozenset[str]


def _who(members: str, scopes: str, sees: str = "") -> Who:
    """All of them by their names, with spaces between."""
    return Who(frozenset(members.split()), frozenset(scopes.split()), frozenset(sees.split()))


MEMBER = _who(" ".join(MEMBERS), " ".join(SCOPES))
READ_CERTIFICATES = _who(
    "petra dan wei vera ada",
    "certificates:read certificates:upload requests:make",
    sees="wei vera ada certificates:read",
)
UPLOAD = _who("petra dan ada", "certificates:upload")
READ_REQUESTS = _who(
    "petra dan wei vera ada",
    "requests:read requests:make requests:review",
    sees="wei vera ada requests:read requests:review",
)
MAKE = _who("petra dan", "requests:make")
REVIEW = _who("wei", "requests:review", sees="wei requests:review")
READ_RULES = _who("vera ada", "rules:read rules:change publishing:manage")
CHANGE_RULES = _who("ada", "rules:change")
READ_DOMAINS = _who("petra dan wei vera ada", "domains:read domains:manage publishing:manage")
PROVE = _who("petra dan ada", "domains:manage")
PUBLISH = _who("ada", "publishing:manage")
READ_PEOPLE = _who("vera ada", "people:read people:change")
CHANGE_PEOPLE = _who("ada", "people:change")
JOURNAL = _who("vera ada", "journal:read")


@dataclass(frozen=True)
class Deed:
    """What one method answers."""

    who: Who
    status: int = 200
    every: int | None = None
    """What those are answered who see everybody's, where that is something else."""
    body: Any = None
    """JSON, values in braces are things; or made by what reads the API."""
    tag: str = ""
    """The address, with things in braces, whose ETag If-Match has to name."""


@dataclass(frozen=True)
class Row:
    deeds: Mapping[str, Deed]
    """By method.  The first one's guard also stands before methods that there are not."""
    arguments: tuple[str, ...] = ()
    fixed: tuple[tuple[str, str], ...] = ()
    owners: tuple[str, str] | None = None
    """Who owns what is called Petra's and Dan's; of other things, everybody who is let in sees all in the tenant."""

    absent: tuple[int, str] = (404, "not-found")
    """What whoever is let in is told of what is not there for them."""

    @property
    def of_things(self) -> bool:
        return bool(self.arguments) or any(map(_names_a_thing, self.deeds.values()))

    @property
    def classes(self) -> tuple[str, ...]:
        return (HERS, HIS, THEIRS, NOTHING) if self.of_things else (HERS,)

    def deed(self, method: str) -> Deed | None:
        return self.deeds.get("GET" if method == "HEAD" else method)

    def answer(self, program: str, method: str, whose: str) -> tuple[int, str]:
        """What *program* is told: the status, and for whom the guard turns away, the code."""
        if program in UNRECOGNISED:
            return 401, UNRECOGNISED[program]
        deed = self.deed(method)
        who = (deed or next(iter(self.deeds.values()))).who
        if program not in who.members | who.scopes:
            return 403, "token-may-not" if program in SCOPES else "may-not"
        if deed is None:
            return 405, "wrong-method"
        if whose in {THEIRS, NOTHING}:
            return self.absent
        if self.owners and program != self.owners[whose == HIS]:
            return (deed.every or deed.status, "") if program in who.all else (404, "not-found")
        return deed.status, ""


def _names_a_thing(deed: Deed) -> bool:
    return isinstance(deed.body, dict) and any("{" in str(value) for value in deed.body.values())


SUBSCRIBERS = ("petra", "dan")
_PK = ("pk:certificate",)
_OF_PROFILE = ("profile:profile",)
_OF_AGREEMENT = ("agreement:agreement",)
_ENGLISH = (("language", "en"),)
_FIRST = (*_ENGLISH, ("version", "1"))


@cache
def _foreign() -> str:
    """A certificate that somebody else issued."""
    return pem(made()[0]).decode()


def _upload(_read: Read) -> dict[str, Any]:
    return {"text": _foreign()}


def _next_policies(read: Read) -> dict[str, Any]:
    operations = read("policies/desktop-signing")["operations"]
    return {
        "operations": {
            "issue": next(row["asks"] for row in operations if row["operation"] == "issue") | {"approvals": 1}
        }
    }


def _next_profile(read: Read) -> dict[str, Any]:
    return {"content": read("profiles/desktop-signing")["content"] | {"days": 80}}


def _new_profile(read: Read) -> dict[str, Any]:
    start = next(each for each in read("profile-choices")["starts"] if each["slug"] == "tls-server")
    return {"trust": start["trust"], "content": start["content"] | {"title": "Gateways"}}


_DOMAIN = ("pk:domain",)
_WAY = {
    "title": "Eve's",
    "kind": "webhook",
    "address": "https://hooks.evil.example/",
    "secret": f"whsec_{b64encode(bytes(32)).decode()}",
}
_TEXT = {"title": "Terms", "text": "You keep the key."}
_INVITED = {"name": "Eve", "email": "eve@evil.example", "roles": ["administrator"]}

TABLE = {
    "api-token": Row({"GET": Deed(MEMBER)}),
    # --- certificates
    "api-certificates": Row({"GET": Deed(READ_CERTIFICATES)}),
    "api-certificate": Row({"GET": Deed(READ_CERTIFICATES)}, _PK, owners=SUBSCRIBERS),
    "api-certificate-file": Row({"GET": Deed(READ_CERTIFICATES)}, _PK, (("form", "der"),), owners=SUBSCRIBERS),
    "api-certificate-uploads": Row({"POST": Deed(UPLOAD, 201, body=_upload)}),
    # --- requests
    "api-requests": Row(
        {
            "GET": Deed(READ_REQUESTS),
            "POST": Deed(MAKE, 201, body={"kind": "issue", "profile": "desktop-signing"}),
        }
    ),
    "api-requests, of a profile": Row(
        {"POST": Deed(MAKE, 201, body={"kind": "issue", "profile": "{profile}"})},
        absent=(422, "not-offered"),  # what is chosen in a body is no address
    ),
    "api-requests, of a certificate": Row(
        {"POST": Deed(MAKE, 201, body={"kind": "rekey", "certificate": "{spare}"})}, owners=SUBSCRIBERS
    ),
    "api-request": Row({"GET": Deed(READ_REQUESTS)}, ("pk:request",), owners=SUBSCRIBERS),
    "api-request-step": Row(
        {"GET": Deed(MAKE), "PUT": Deed(MAKE, body={"common_name": "Somebody Else"})},
        ("pk:draft",),
        (("step", "subject"),),
        owners=SUBSCRIBERS,
    ),
    "api-request-domain-checks": Row({"POST": Deed(MAKE, 202, body={})}, ("pk:named",), owners=SUBSCRIBERS),
    # the policy asks for no second factor: tests/api/test_requests.py has the rest
    "api-request-confirmation": Row({"POST": Deed(MAKE, 409, body={})}, ("pk:draft",), owners=SUBSCRIBERS),
    "api-request-submission": Row({"POST": Deed(MAKE, body={})}, ("pk:draft",), owners=SUBSCRIBERS),
    "api-request-withdrawal": Row({"POST": Deed(MAKE, body={})}, ("pk:request",), owners=SUBSCRIBERS),
    "api-request-reviews": Row(
        {"POST": Deed(REVIEW, 201, body={"verdict": "approve"})}, ("pk:in review",), owners=SUBSCRIBERS
    ),
    # --- domains
    "api-domains": Row({"GET": Deed(READ_DOMAINS), "POST": Deed(PROVE, 201, body={"name": "another.acme.example"})}),
    "api-domain": Row({"GET": Deed(READ_DOMAINS)}, _DOMAIN),
    "api-domain-attempts": Row({"POST": Deed(PROVE, 201, body={"method": "http-file"})}, _DOMAIN),
    "api-domain-looks": Row({"GET": Deed(READ_DOMAINS), "POST": Deed(PROVE, 202, body={})}, _DOMAIN),
    "api-domain-publishing": Row({"POST": Deed(PROVE, body={"way": None})}, _DOMAIN),
    "api-domain-retirement": Row({"POST": Deed(PROVE, body={})}, _DOMAIN),
    "api-domain-revival": Row({"POST": Deed(PROVE, body={})}, _DOMAIN),
    "api-caa-surveys": Row({"POST": Deed(READ_DOMAINS, 202, body={"name": "another.acme.example"})}),
    "api-caa-survey": Row({"GET": Deed(READ_DOMAINS)}, ("pk:survey",)),
    # nobody has looked it up yet
    "api-caa-survey-thoughts": Row({"POST": Deed(READ_DOMAINS, 409, body={"records": ""})}, ("pk:survey",)),
    "api-publishing-ways": Row({"GET": Deed(READ_RULES), "POST": Deed(PUBLISH, 201, body=_WAY)}),
    "api-publishing-way": Row({"GET": Deed(READ_RULES)}, ("pk:way",)),
    "api-publishing-way-trial": Row({"POST": Deed(PUBLISH, 202, body={})}, ("pk:way",)),
    "api-publishing-way-retirement": Row({"POST": Deed(PUBLISH, body={})}, ("pk:way",)),
    "api-rules-by-date": Row({"GET": Deed(READ_RULES)}),
    # --- rules
    "api-policies": Row({"GET": Deed(READ_RULES)}),
    "api-profile-policies": Row(
        {
            "GET": Deed(READ_RULES),
            "PUT": Deed(CHANGE_RULES, body=_next_policies, tag="policies/desktop-signing"),
        },
        _OF_PROFILE,
    ),
    "api-policy-history": Row({"GET": Deed(READ_RULES)}, _OF_PROFILE),
    "api-policy": Row({"GET": Deed(READ_RULES)}, _OF_PROFILE, (("operation", "issue"),)),
    "api-policy-version": Row({"GET": Deed(READ_RULES)}, _OF_PROFILE, (("operation", "issue"), ("version", "1"))),
    "api-profiles": Row({"GET": Deed(READ_RULES), "POST": Deed(CHANGE_RULES, 201, body=_new_profile)}),
    "api-profile": Row(
        {
            "GET": Deed(READ_RULES),
            "PUT": Deed(CHANGE_RULES, body=_next_profile, tag="profiles/desktop-signing"),
        },
        _OF_PROFILE,
    ),
    "api-profile-versions": Row({"GET": Deed(READ_RULES)}, _OF_PROFILE),
    "api-profile-version": Row({"GET": Deed(READ_RULES)}, _OF_PROFILE, (("version", "1"),)),
    "api-profile-comparison": Row({"GET": Deed(READ_RULES)}, _OF_PROFILE),
    "api-profile-choices": Row({"GET": Deed(READ_RULES)}),
    "api-agreements": Row({"GET": Deed(READ_RULES), "POST": Deed(CHANGE_RULES, 201, body=_TEXT)}),
    "api-agreement": Row({"GET": Deed(READ_RULES)}, _OF_AGREEMENT),
    "api-agreement-text": Row(
        {"GET": Deed(READ_RULES), "PUT": Deed(CHANGE_RULES, body=_TEXT, tag="agreements/subscriber/en")},
        _OF_AGREEMENT,
        _ENGLISH,
    ),
    "api-agreement-versions": Row({"GET": Deed(READ_RULES)}, _OF_AGREEMENT, _ENGLISH),
    "api-agreement-version": Row({"GET": Deed(READ_RULES)}, _OF_AGREEMENT, _FIRST),
    "api-agreement-acceptances": Row({"GET": Deed(READ_RULES)}, _OF_AGREEMENT, _FIRST),
    # --- people
    "api-people": Row({"GET": Deed(READ_PEOPLE)}),
    "api-person": Row({"GET": Deed(READ_PEOPLE), "DELETE": Deed(CHANGE_PEOPLE, 204)}, ("pk:person",)),
    "api-person-roles": Row(
        {"GET": Deed(READ_PEOPLE), "PUT": Deed(CHANGE_PEOPLE, body={"roles": ["reviewer"]})}, ("pk:person",)
    ),
    "api-person-suspension": Row({"POST": Deed(CHANGE_PEOPLE, body={})}, ("pk:person",)),
    "api-person-readmission": Row({"POST": Deed(CHANGE_PEOPLE, body={})}, ("pk:person",)),
    "api-person-sign-out": Row({"POST": Deed(CHANGE_PEOPLE, body={})}, ("pk:person",)),
    "api-invitations": Row({"POST": Deed(CHANGE_PEOPLE, 201, body=_INVITED)}),
    "api-invitation-import": Row(
        {"POST": Deed(CHANGE_PEOPLE, 201, body={"rows": "name,email,roles\nEve,eve@evil.example,administrator"})}
    ),
    "api-invitation": Row({"GET": Deed(READ_PEOPLE)}, ("pk:invitation",)),
    # it was sent only a moment ago: tests/api/test_people.py has the rest
    "api-invitation-resending": Row({"POST": Deed(CHANGE_PEOPLE, 429, body={})}, ("pk:invitation",)),
    "api-invitation-withdrawal": Row({"POST": Deed(CHANGE_PEOPLE, body={})}, ("pk:invitation",)),
    # --- the journal
    "api-journal": Row({"GET": Deed(JOURNAL)}),
    "api-journal-standing": Row({"GET": Deed(JOURNAL)}),
    "api-journal-verifications": Row({"POST": Deed(JOURNAL, 201, body={})}),
    "api-journal-exports": Row({"POST": Deed(JOURNAL, 201, body={})}),
    # whoever noted an export takes it, and nobody else
    "api-journal-export-file": Row({"GET": Deed(JOURNAL)}, ("pk:export",), owners=("vera", "ada")),
    "api-journal-line": Row({"GET": Deed(JOURNAL)}, ("pk:line",)),
}


def address(name: str, things: Things, tenant: str = "acme") -> str:
    row = TABLE[name]
    kwargs = {"tenant": tenant, **dict(row.fixed)}
    kwargs |= {said.partition(":")[0]: things[said.partition(":")[2]] for said in row.arguments}
    return reverse(name.partition(",")[0], kwargs=kwargs)


def written(body: Any, things: Things) -> str:
    """The body as it is sent."""
    return json.dumps(
        {
            field: value.format(**things) if isinstance(value, str) and "{" in value else value
            for field, value in body.items()
        }
    )


def call(
    name: str, method: str, things: Things, body: Any = None, tag: str = "", tenant: str = "acme"
) -> dict[str, str]:
    """What to ask: the arguments of `Caller.ask`."""
    said = {"method": method, "url": address(name, things, tenant)}
    if method == "POST":
        said["Idempotency-Key"] = str(uuid4())
    if method in {"POST", "PUT", "PATCH"}:
        said |= {"body": written(body or {}, things), "kind": JSON}
    return {**said, "If-Match": tag} if tag else said
