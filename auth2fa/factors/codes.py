"""Codes that are sent to a person and typed in again.

A code factor is a courier, a way to find and hide the address, and a wording; what a
code is and how it is judged is the same for all.  The code itself is nowhere but in
the message: the challenge keeps a keyed hash of it, over its own id as well, so that
neither the database nor a copied row gives a code away or lets one be used elsewhere
(ASVS 5.0 6.5.2; a plain hash of six digits is read back by trying a million).
"""

import hmac
import secrets
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django.template.loader import render_to_string
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from auth2fa.couriers import Courier, Message
from auth2fa.protocol import AskForCode, Limits, Memory, Person, Rejected
from portal.config import config

_LONGEST_ANSWER = 64  # characters that are looked at; nobody groups ten digits that generously


@dataclass(frozen=True)
class CodeSettings(Limits):
    """0.R37.  Six digits are the least (ASVS 5.0 6.5.4)."""

    digits: int = 6

    def __post_init__(self) -> None:
        super().__post_init__()
        self._between("digits", 6, 10)


class SentCode(ABC):
    """Base of all code factors; a row beside `EmailCode` names where to, how that is hidden, and the wording."""

    slug: ClassVar[str]
    label: ClassVar[str | Promise]
    wording: ClassVar[str]

    def __init__(self, courier: Courier, settings: CodeSettings) -> None:
        self._courier = courier
        self._settings = settings

    @property
    def limits(self) -> CodeSettings:
        return self._settings

    @abstractmethod
    def address(self, person: Person) -> str:
        """Where the courier takes it; empty if the person has no such thing."""

    @abstractmethod
    def masked(self, person: Person) -> str:
        """The same with most of it hidden, for pages."""

    def suits(self, person: Person) -> bool:
        return bool(self.address(person))

    def begin(self, person: Person, notes: dict[str, Any], about: str) -> AskForCode:
        digits = self._settings.digits
        code = f"{secrets.randbelow(10**digits):0{digits}}"
        notes["hash"] = _keyed_hash(notes["challenge"], code)
        self._courier.deliver(self.address(person), self._message(person, about, code))
        return AskForCode(masked=self.masked(person), digits=digits)

    def verify(self, person: Person, notes: Mapping[str, Any], answer: Mapping[str, str]) -> Memory:
        del person  # the challenge is theirs already
        given = _keyed_hash(notes["challenge"], digits_of(answer.get("code", "")))
        if not hmac.compare_digest(given, notes["hash"]):
            raise Rejected("wrong code", _("This is not the code that we sent to you last."))
        return Memory()

    def _message(self, person: Person, about: str, code: str) -> Message:
        context = {
            "person": person,
            "about": " ".join(about.split()),
            "code": code,
            "minutes": self._settings.lifetime // 60,
            "seconds": self._settings.lifetime,
            "origin": config.origin,
        }
        # the subject does not carry the code: mail servers write subjects into their logs, telephones show them locked
        subject = " ".join(render_to_string(f"{self.wording}-subject.txt", context).split())
        return Message(subject, render_to_string(f"{self.wording}.txt", context))


class EmailCode(SentCode):
    slug = "email-code"
    label: ClassVar[str | Promise] = _("Code by e-mail")
    wording = "auth2fa/mail/code"

    def address(self, person: Person) -> str:
        return person.email

    def masked(self, person: Person) -> str:
        """`a•••@example.com`: enough to know the mailbox by, whatever the length of the name."""
        name, _at, host = person.email.rpartition("@")
        return f"{name[:1]}•••@{host}"


def _keyed_hash(challenge: str, code: str) -> str:
    return hmac.digest(config.factor_key, f"code\0{challenge}\0{code}".encode(errors="replace"), "sha256").hex()


def digits_of(answer: str) -> str:
    """Forgive what people and their programs put between digits: spaces, hyphens and dashes of every width."""
    plain = unicodedata.normalize("NFKC", answer[:_LONGEST_ANSWER])
    return "".join(sign for sign in plain if unicodedata.category(sign) not in {"Zs", "Cc", "Cf", "Pd"})
