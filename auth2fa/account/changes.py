"""What changes who holds a second factor, after the password and a code: adding an authenticator, removing one.

Whoever has an authenticator answers with it, whoever has none with a code from their mailbox: a password
alone gives nobody a factor and takes none away.  The code is for one browser, one deed and one factor, so
that nothing another browser asked or answered counts here.
"""

from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from django.contrib.sessions.backends.base import SessionBase
from django.utils.translation import gettext as _

from auth2fa import challenges, enrolments
from auth2fa.errors import ChallengeOver, TooManyEnrolments
from auth2fa.factors.codes import EmailCode
from auth2fa.factors.totp import AuthenticatorCode
from auth2fa.login.sessions import handle_of
from auth2fa.models import Enrolment
from auth2fa.protocol import Person
from portal.foundation.tenancy.context import acting_as

ADD, REMOVE = "enrolment:add", "enrolment:remove"
_KEPT = "enrolment_change"  # where in the session the change that waits for its code is kept


@dataclass(frozen=True, slots=True)
class Change:
    """What the password was shown for: *subject* is the name of a new authenticator, or the id of one to remove."""

    purpose: str
    subject: str
    label: str
    challenge: str = ""

    @property
    def title(self) -> str:
        words = {ADD: _("Add the authenticator “{name}”"), REMOVE: _("Remove the authenticator “{name}”")}
        return words[self.purpose].format(name=self.label)


def ask(session: SessionBase, person: Person, change: Change) -> UUID:
    """Put the question for *change* and keep both with the session; return the question's id.

    Raises `TooManyEnrolments`, and what `challenges.ask` raises.
    """
    with acting_as(person.id):
        if change.purpose == ADD and len(enrolments.confirmed()) >= enrolments.MOST:
            raise TooManyEnrolments(most=enrolments.MOST)
        factor = _factor()
    asked = challenges.ask(
        factor,
        person=person,
        tenant=None,
        purpose=change.purpose,
        payload=_payload(session, change, factor),
        about=change.title,
    )
    session[_KEPT] = asdict(change) | {"challenge": str(asked.pk)}
    return asked.pk


def resend(session: SessionBase, person: Person, change: Change) -> None:
    """Ask once more: send a new code to the question that stands, or put it anew where it is over."""
    asked = ask(session, person, change)
    if str(asked) == change.challenge:
        challenges.resend(asked, person)


def kept(session: SessionBase) -> Change | None:
    """Return the change that waits for its code in this session, if any."""
    known: dict[str, Any] | None = session.get(_KEPT)
    return Change(**known) if known else None


def carry_out(session: SessionBase, person: Person, change: Change) -> Enrolment | None:
    """Do what was confirmed, in the unit of work in which its code is spent; return what was begun, if anything.

    Raises `ChallengeOver` also where another factor would be asked for by now.
    """
    with acting_as(person.id):
        payload = _payload(session, change, _factor())
        challenges.spend(_asked(change), person=person.id, purpose=change.purpose, payload=payload)
        begun = enrolments.begin_totp(change.subject) if change.purpose == ADD else None
        if begun is None:
            enrolments.remove(UUID(change.subject))
    session.pop(_KEPT, None)
    session.cycle_key()
    return begun


def answer(person: Person, change: Change, code: str) -> None:
    """Judge a code; raise `WrongAnswer` or `ChallengeOver`."""
    challenges.answer(_asked(change), person, {"code": code})


def window(person: Person, change: Change) -> challenges.Window:
    return challenges.shown(_asked(change), person, deed=change.title, number=_("My account"))


def _asked(change: Change) -> UUID:
    if not change.challenge:
        raise ChallengeOver
    return UUID(change.challenge)


def _factor() -> str:
    return AuthenticatorCode.slug if enrolments.confirmed() else EmailCode.slug


def _payload(session: SessionBase, change: Change, factor: str) -> str:
    return f"{factor} {handle_of(session.session_key or '')} {change.subject}"
