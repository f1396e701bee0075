"""The ways to prove control of a domain or a mailbox: one object for each, with its number in the rules and its dates.

Pure: an object says what somebody has to publish, what to ask the world, and what the answers are worth.  Covering and
dates are those of BR 2.3.0 (its table in 3.2.2.4, in force since 2026-11-15) and S/MIME BR 1.0.10.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from hashlib import sha256
from types import MappingProxyType

from django.utils.translation import gettext_lazy as _

from lifecycle.validation import reading
from lifecycle.validation.method import (
    DNS,
    MAILBOX,
    SEEN,
    Finding,
    Instruction,
    Method,
    day_of,
    fresh_value,
    is_fresh_value,
    rules_on,
)
from lifecycle.validation.questions import Asked, Observation, Question

__all__ = [
    "DNS",
    "MAILBOX",
    "METHODS",
    "SEEN",
    "ByMail",
    "Finding",
    "Instruction",
    "Method",
    "day_of",
    "fresh_value",
    "rules_on",
    "usable_on",
]

MAILBOXES_OF_A_DOMAIN = ("admin", "administrator", "webmaster", "hostmaster", "postmaster")  # BR 3.2.2.4.4


class DnsChange(Method):
    """A TXT record, or a CNAME to a name of the portal's, that carries the value (BR 3.2.2.4.7).

    A value with a dot in it is the target of a CNAME.
    """

    publishes, automatic = True, True
    PREFIX = "_portal-validation"

    def fits(self, kind: str, value: str, host: str) -> bool:
        return super().fits(kind, value, host) and is_fresh_value(value.removesuffix(f".{host}"))

    def new_value(self, *, cname_under: str = "", issuer: str = "") -> str:  # noqa: ARG002
        return f"{fresh_value()}.{cname_under}" if cname_under else fresh_value()

    def instruction(self, domain: str, value: str, account: str) -> Instruction:  # noqa: ARG002
        owner = f"{self.PREFIX}.{domain}"
        if "." in value:
            return Instruction("cname", owner, f"{value}.", f"{owner}. CNAME {value}.")
        return Instruction("txt", owner, value, f'{owner}. TXT "{value}"')

    def questions(self, domain: str, value: str) -> tuple[Question, ...]:
        kind = Asked.CNAME if "." in value else Asked.TXT
        return (Question(kind, f"{self.PREFIX}.{domain}"),)

    def astray(self, domain: str, value: str) -> tuple[Question, ...]:
        """Where a value lands by mistake: on the domain itself, and twice below a zone where the dot is missing."""
        kind, owner = (Asked.CNAME if "." in value else Asked.TXT), f"{self.PREFIX}.{domain}"
        doubled = tuple(Question(kind, f"{owner}.{zone}") for zone in reading.zones_of(domain))
        apex = () if kind == Asked.CNAME else (Question(kind, domain),)
        return (*apex, *doubled, *((Question(Asked.CNAME, owner),) if kind == Asked.TXT else ()))

    def judge(
        self,
        observations: Sequence[Observation],
        domain: str,
        value: str,
        account: str,  # noqa: ARG002
        now: datetime,  # noqa: ARG002
    ) -> Finding:
        return Finding(*reading.record(observations, f"{self.PREFIX}.{domain}", value))


class HttpFile(Method):
    """A file on the host itself whose whole content is the value (BR 3.2.2.4.18).

    Its name is made of the value and does not tell it: the value may not stand in the request.
    """

    publishes, automatic = True, True
    FOLDER = "/.well-known/pki-validation/"

    def fits(self, kind: str, value: str, host: str) -> bool:
        return super().fits(kind, value, host) and is_fresh_value(value)

    def path(self, value: str) -> str:
        return f"{self.FOLDER}{sha256(value.encode()).hexdigest()[:16]}.txt"

    def instruction(self, domain: str, value: str, account: str) -> Instruction:  # noqa: ARG002
        address = f"http://{domain}{self.path(value)}"
        return Instruction("file", address, value, address)

    def questions(self, domain: str, value: str) -> tuple[Question, ...]:
        return (Question(Asked.FILE, domain, self.path(value)),)

    def judge(
        self,
        observations: Sequence[Observation],
        domain: str,
        value: str,
        account: str,  # noqa: ARG002
        now: datetime,  # noqa: ARG002
    ) -> Finding:
        return Finding(*reading.file(observations, domain, value))


class DnsPersist(Method):
    """A TXT record that stays: it names an issuer and the tenant's account there (BR 3.2.2.4.22).

    The value is the issuer's domain name.  The record has to permit wildcards in so many words, although the rules
    do not ask for that, because the proof covers them.
    """

    publishes, automatic, stays = True, True, True
    PREFIX = "_validation-persist"

    def new_value(self, *, cname_under: str = "", issuer: str = "") -> str:  # noqa: ARG002
        return issuer

    def instruction(self, domain: str, value: str, account: str) -> Instruction:
        owner, text = f"{self.PREFIX}.{domain}", f"{value}; accounturi={account}; policy=wildcard"
        return Instruction("txt", owner, text, f'{owner}. TXT "{text}"')

    def questions(self, domain: str, value: str) -> tuple[Question, ...]:  # noqa: ARG002
        return (Question(Asked.TXT, f"{self.PREFIX}.{domain}"),)

    def judge(
        self, observations: Sequence[Observation], domain: str, value: str, account: str, now: datetime
    ) -> Finding:
        return Finding(*reading.persistent(observations, f"{self.PREFIX}.{domain}", value, account, now))


class ByMail(Method):
    """A link in a mail, and somebody who approves on the page behind it.  *value* is the mailbox it was sent to."""

    by_mail = True

    def new_value(self, *, cname_under: str = "", issuer: str = "") -> str:  # noqa: ARG002
        return ""

    def instruction(self, domain: str, value: str, account: str) -> Instruction:  # noqa: ARG002
        return Instruction("mail", value, "", value)

    def questions(self, domain: str, value: str) -> tuple[Question, ...]:  # noqa: ARG002
        return ()

    def addresses(self, domain: str) -> tuple[str, ...]:  # noqa: ARG002
        """The mailboxes that can be known without asking anybody."""
        return ()

    def contacts(self, observations: Sequence[Observation], domain: str) -> tuple[str, ...]:  # noqa: ARG002
        """The mailboxes that the DNS names; empty where the method asks for none."""
        return ()

    def judge(
        self,
        observations: Sequence[Observation],
        domain: str,
        value: str,
        account: str,  # noqa: ARG002
        now: datetime,  # noqa: ARG002
    ) -> Finding:
        """Whether the mail may go to *value*; that somebody followed its link, the row says."""
        if failed := reading.failure(observations):
            return Finding(*failed)
        known = (*self.addresses(domain), *self.contacts(observations, domain))
        if value in known:
            return Finding(SEEN, reading.told(observations))
        return Finding("no-such-contact", {**reading.told(observations), "contacts": list(known)})


class ConstructedMail(ByMail):
    """To one of five mailboxes that every domain ought to have (BR 3.2.2.4.4)."""

    def addresses(self, domain: str) -> tuple[str, ...]:
        return tuple(f"{local}@{domain}" for local in MAILBOXES_OF_A_DOMAIN)


class CaaMail(ByMail):
    """To a mailbox that the domain's CAA records name by `contactemail` (BR 3.2.2.4.13, appendix A.1.1)."""

    def questions(self, domain: str, value: str) -> tuple[Question, ...]:  # noqa: ARG002
        return (Question(Asked.CAA, domain),)

    def contacts(self, observations: Sequence[Observation], domain: str) -> tuple[str, ...]:  # noqa: ARG002
        return reading.caa_contacts(observations)


class TxtMail(ByMail):
    """To a mailbox in a TXT record (BR 3.2.2.4.14, appendix A.2.1)."""

    PREFIX = "_validation-contactemail"

    def questions(self, domain: str, value: str) -> tuple[Question, ...]:  # noqa: ARG002
        return (Question(Asked.TXT, f"{self.PREFIX}.{domain}"),)

    def contacts(self, observations: Sequence[Observation], domain: str) -> tuple[str, ...]:
        return reading.txt_contacts(observations, f"{self.PREFIX}.{domain}")


class Mailbox(ByMail):
    """To the mailbox that is to be proven (S/MIME BR 3.2.2.2)."""

    def addresses(self, domain: str) -> tuple[str, ...]:
        return (domain,)


_MAIL_ENDS = date(2028, 3, 15)

METHODS: Mapping[str, Method] = MappingProxyType({method.slug: method for method in (
    DnsChange(slug="dns-change", title=_("DNS record"), number="3.2.2.4.7", since=date(2017, 3, 1)),
    HttpFile(
        slug="http-file", title=_("File on the web server"), number="3.2.2.4.18", since=date(2020, 3, 3),
        covers_subnames=False, covers_wildcards=False,
    ),
    DnsPersist(slug="dns-persist", title=_("DNS record that stays"), number="3.2.2.4.22", since=date(2025, 11, 10)),
    ConstructedMail(
        slug="constructed-email", title=_("E-mail to a well-known mailbox"), number="3.2.2.4.4",
        since=date(2017, 3, 1), until=_MAIL_ENDS,
    ),
    CaaMail(
        slug="caa-email", title=_("E-mail to a contact in CAA records"), number="3.2.2.4.13",
        since=date(2019, 2, 1), until=_MAIL_ENDS,
    ),
    TxtMail(
        slug="txt-email", title=_("E-mail to a contact in a TXT record"), number="3.2.2.4.14",
        since=date(2019, 2, 1), until=_MAIL_ENDS,
    ),
    Mailbox(
        slug="mailbox", title=_("E-mail to the mailbox"), number="3.2.2.2", document="S/MIME BR",
        since=date(2023, 9, 1), kinds=(MAILBOX,), covers_subnames=False, covers_wildcards=False,
        deadline=timedelta(hours=24),
    ),
)})  # fmt: skip
"""By slug, in the order in which they are offered."""


def usable_on(day: date, kind: str) -> list[Method]:
    """The methods by which something of this *kind* can be proven on *day*."""
    return [method for method in METHODS.values() if kind in method.kinds and method.usable_on(day)]
