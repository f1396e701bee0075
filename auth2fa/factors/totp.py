"""Codes from an authenticator app (TOTP, RFC 6238): nothing is sent, the person has the secret.

30 seconds a step, six digits, SHA-1: what every app does, and SHA-1 is sound inside HMAC.  One
step to either side is forgiven, since telephones run fast and people type slowly.  A step that
was used once is never used again (RFC 6238 5.2): `challenges` keeps the last one, under a lock.
"""

import base64
import hmac
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django_otp.oath import TOTP

from auth2fa.factors.codes import digits_of
from auth2fa.protocol import AskForCode, Enrolled, Limits, Memory, Person, Rejected
from auth2fa.sealing import unseal

STEP = 30  # seconds
DIGITS = 6
DRIFT = 1  # steps
SECRET = 20  # bytes: RFC 4226 4 recommends 160 bits


@dataclass(frozen=True)
class TotpLimits(Limits):
    """0.R37.  Nothing is sent, so nothing has to cool down; how often one may be asked still bounds guessing."""

    cool_down: int = 0
    sends_per_hour: int = 20


class AuthenticatorCode:
    slug: ClassVar[str] = "totp"
    label: ClassVar[str | Promise] = _("Code from an authenticator app")

    def __init__(self, limits: TotpLimits) -> None:
        self._limits = limits

    @property
    def limits(self) -> TotpLimits:
        return self._limits

    def suits(self, person: Person) -> bool:
        return any(self._of(person))

    def begin(self, person: Person, notes: dict[str, Any], about: str) -> AskForCode:
        del person, notes, about  # the app knows nothing of the deed, and the code is nowhere but in it
        return AskForCode(digits=DIGITS)

    def verify(self, person: Person, notes: Mapping[str, Any], answer: Mapping[str, str]) -> Memory:
        given = digits_of(answer.get("code", ""))
        for enrolled in self._of(person):
            secret = unseal(enrolled.secret, person=person.id, row=enrolled.id)
            step = step_of(secret, given, at=notes["at"])
            if step is not None:
                return Memory(enrolment=enrolled.id, counter=step)
        raise Rejected("wrong code", _("This is not the code that your authenticator shows now."))

    def _of(self, person: Person) -> Iterator[Enrolled]:
        return (enrolled for enrolled in person.enrolled if enrolled.factor == self.slug)


def new_secret() -> bytes:
    return secrets.token_bytes(SECRET)


def step_of(secret: bytes, given: str, *, at: datetime) -> int | None:
    """Return the step that *given* is the code of, of the one *at* that moment and its neighbours; None if of none.

    All three are computed and compared in constant time, whichever it is.
    """
    totp = TOTP(secret, step=STEP, digits=DIGITS)
    totp.time = at.timestamp()
    found = None
    for drift in range(-DRIFT, DRIFT + 1):
        totp.drift = drift
        code = f"{totp.token():0{DIGITS}}"
        if hmac.compare_digest(code.encode(), given.encode(errors="replace")):
            found = totp.t()
    return found


def base32(secret: bytes) -> str:
    """Write a secret as apps take it by hand: RFC 4648 6, without padding."""
    return base64.b32encode(secret).decode().rstrip("=")


def key_uri(secret: bytes, *, account: str, issuer: str) -> str:
    """Return the `otpauth:` address that an app reads from the QR code."""
    query = urlencode({"secret": base32(secret), "issuer": issuer, "digits": DIGITS, "period": STEP}, quote_via=quote)
    return f"otpauth://totp/{quote(issuer, safe='')}:{quote(account, safe='')}?{query}"
