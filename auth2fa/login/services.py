"""Signing in and out.  Everything of it stands in the platform's journal: nobody belongs to a tenant yet."""

from django.contrib.auth import authenticate, login, logout
from django.http import HttpRequest

from auth2fa.errors import NotRecognised, TooManyAttempts
from auth2fa.login import throttle
from auth2fa.login.sessions import note_surroundings, sweep
from portal.foundation import clock
from portal.foundation.access.models import LOCAL, User
from portal.foundation.audit.models import record
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import PLATFORM

_BACKEND = "auth2fa.login.backend.LocalPassword"
NOBODY = "nobody"  # who acts before being recognised


def sign_in(request: HttpRequest, *, name: str, password: str) -> None:
    """Give the request's session to the person with this name and password.

    Raises `TooManyAttempts` without having looked at the password, or `NotRecognised`,
    which says the same of unknown names, wrong passwords and accounts switched off.
    """
    address = request.META.get("REMOTE_ADDR", "")
    with acting_for(PLATFORM):
        verdict = throttle.count_an_attempt(name, address)
        if verdict.is_news:  # once a wait: whoever hammers on does not fill the journal
            _note("throttle", name, address, seconds=verdict.seconds)
    if verdict.seconds:
        raise TooManyAttempts(seconds=verdict.seconds)

    user = authenticate(request, username=name, password=password)
    with acting_for(PLATFORM):
        if isinstance(user, User):
            throttle.forgive(name, address)
            _accepted(user, address, how="password")
        else:
            _note("refuse", name, address)
    if not isinstance(user, User):
        raise NotRecognised
    _begin(request, user)


def sign_in_proven(request: HttpRequest, person: User, *, how: str) -> None:
    """Give the session to somebody who has just proved who they are: by a link from their mailbox."""
    with acting_for(PLATFORM):
        _accepted(person, request.META.get("REMOTE_ADDR", ""), how=how)
    _begin(request, person)


def _accepted(person: User, address: str, *, how: str) -> None:
    record(actor=person.pk, code="sign-in:accept", subject=person.pk, address=address, how=how)


def _begin(request: HttpRequest, person: User) -> None:
    login(request, person, backend=_BACKEND)  # a new session key, whatever was known before
    note_surroundings(request)
    sweep()
    started = int(clock.now().timestamp())
    request.session["since"] = request.session["seen"] = started


def sign_out(request: HttpRequest) -> None:
    """End the session, here and on the server; do nothing for somebody who has none."""
    if not request.user.is_authenticated:
        return
    with acting_for(PLATFORM):
        record(
            actor=request.user.pk,
            code="sign-in:end",
            subject=request.user.pk,
            address=request.META.get("REMOTE_ADDR", ""),
        )
    logout(request)


def _note(deed: str, name: str, address: str, **facts: object) -> None:
    known = User.objects.filter(issuer=LOCAL, subject=name.strip().lower()).values_list("pk", flat=True).first()
    account = throttle.account_key(name)[:16]  # enough to see that two lines tell of the same name
    record(actor=NOBODY, code=f"sign-in:{deed}", subject=known or "unknown", address=address, account=account, **facts)
