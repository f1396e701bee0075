"""What needs the password and then a code: a deed is kept with the session until its code comes.

Whoever has an authenticator answers with it, whoever has none with a code from their mailbox.  The code is for one
browser and one deed, so that nothing another browser asked or answered counts here.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from auth2fa import challenges, enrolments
from auth2fa.account.forms import ConfirmForm
from auth2fa.errors import ChallengeOver, WrongAnswer
from auth2fa.factors.codes import EmailCode
from auth2fa.factors.totp import AuthenticatorCode
from auth2fa.login.sessions import handle_of
from auth2fa.posting import posted
from auth2fa.protocol import Person
from portal.foundation.errors import Refusal
from portal.foundation.tenancy.context import acting_as, acting_for

_KEPT = "step_up"  # where in the session the deeds that wait for their code are kept, one of each kind


@dataclass(frozen=True, slots=True)
class Deed:
    """What the password was shown for.

    *subject* says all of it that the code is to stand for; *title* and *place* say it to the person, *label* names
    its object; *tenant* is empty where it is about the account alone.
    """

    purpose: str
    subject: str
    label: str
    title: str
    place: str
    tenant: str = ""
    challenge: str = ""

    @property
    def kind(self) -> str:
        return self.purpose.partition(":")[0]


def unit_of(deed: Deed, person: Person) -> AbstractContextManager[None]:
    """The unit of work in which the deed is done, and its code spent."""
    return acting_for(UUID(deed.tenant), person=person.id) if deed.tenant else acting_as(person.id)


def ask(session: SessionBase, person: Person, deed: Deed) -> UUID:
    """Put the question for *deed* and keep both with the session; return the question's id.

    Raises what `challenges.ask` raises.
    """
    with acting_as(person.id):
        factor = _factor()
    asked = challenges.ask(
        factor,
        person=person,
        tenant=UUID(deed.tenant) if deed.tenant else None,
        purpose=deed.purpose,
        payload=_payload(session, deed, factor),
        about=deed.title,
    )
    session[_KEPT] = {**session.get(_KEPT, {}), deed.kind: asdict(deed) | {"challenge": str(asked.pk)}}
    return asked.pk


def resend(session: SessionBase, person: Person, deed: Deed) -> None:
    """Ask once more: send a new code to the question that stands, or put it anew where it is over."""
    asked = ask(session, person, deed)
    if str(asked) == deed.challenge:
        challenges.resend(asked, person)


def kept(session: SessionBase, kind: str) -> Deed | None:
    """Return the deed of that kind that waits for its code in this session, if any."""
    known: dict[str, Any] | None = session.get(_KEPT, {}).get(kind)
    return Deed(**known) if known else None


def answer(person: Person, deed: Deed, code: str) -> None:
    """Judge a code; raise `WrongAnswer` or `ChallengeOver`."""
    challenges.answer(_asked(deed), person, {"code": code})


def spend(session: SessionBase, person: Person, deed: Deed) -> None:
    """Use the answer up, in the deed's own unit of work.

    Raises `ChallengeOver` also where another factor would be asked for by now.
    """
    challenges.spend(_asked(deed), person=person.id, purpose=deed.purpose, payload=_payload(session, deed, _factor()))


def done(session: SessionBase, deed: Deed) -> None:
    """Forget what waited, once the deed is committed, and give the session a new key (ASVS 5.0 7.2.4)."""
    session[_KEPT] = {kind: waiting for kind, waiting in session.get(_KEPT, {}).items() if kind != deed.kind}
    session.cycle_key()


@dataclass(frozen=True, slots=True)
class CodePage:
    """The page that takes the code: its own address, what a right code leads to, and how it is drawn."""

    here: str
    carry_out: Callable[[], HttpResponse]
    draw: Callable[[forms.Form, Refusal | None, challenges.Window], HttpResponse]

    def answer(self, request: HttpRequest, person: Person, deed: Deed) -> HttpResponse:
        if request.method == "POST" and "resend" in request.POST:
            try:
                resend(request.session, person, deed)
            except Refusal as refused:
                return self._shown(person, deed, ConfirmForm(), refused)
            return redirect(self.here)
        form = ConfirmForm(posted(request))
        refusal: Refusal | None = None
        if form.is_bound and form.is_valid():
            try:
                answer(person, deed, form.cleaned_data["code"])
                return self.carry_out()
            except WrongAnswer as wrong:
                form.add_error("code", f"{wrong} {wrong.advice}".strip())
            except ChallengeOver as over:
                try:  # of two presses at the same moment the code answers one; what it was for is still to be done
                    return self.carry_out()
                except Refusal:
                    refusal = over
            except Refusal as refused:
                refusal = refused
        return self._shown(person, deed, form, refusal)

    def _shown(self, person: Person, deed: Deed, form: forms.Form, refusal: Refusal | None) -> HttpResponse:
        window = challenges.shown(_asked(deed), person, deed=deed.title, number=deed.place)
        form["code"].label = _("{digits}-digit code").format(digits=window.digits)
        return self.draw(form, refusal, window)


def _asked(deed: Deed) -> UUID:
    if not deed.challenge:
        raise ChallengeOver
    return UUID(deed.challenge)


def _factor() -> str:
    return AuthenticatorCode.slug if enrolments.confirmed() else EmailCode.slug


def _payload(session: SessionBase, deed: Deed, factor: str) -> str:
    return f"{factor} {handle_of(session.session_key or '')} {deed.subject}"
