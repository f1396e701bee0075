"""Passwords: forgotten, set anew, changed.  Whoever sets one ends every other session and tells its owner."""

from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from auth2fa import tasks
from auth2fa.errors import LinkOver, PasswordTooWeak, TooManyAttempts, WrongPassword
from auth2fa.login import throttle
from auth2fa.login.links import person_of
from auth2fa.login.sessions import end_all
from portal.foundation.access.models import LOCAL, User
from portal.foundation.audit.models import record
from portal.foundation.ids import uuid7
from portal.foundation.outbox.models import send
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import PLATFORM

NOBODY = "nobody"  # who acts before being recognised


def forget(request: HttpRequest, name: str) -> None:
    """Promise a link to whoever signs in as *name*; known or not, the same is done and takes the same time.

    Raises `TooManyAttempts`: asking is counted like failing to sign in, under a name of its own, so
    that nobody is kept from signing in by a stranger who asks.
    """
    address = request.META.get("REMOTE_ADDR", "")
    with acting_for(PLATFORM):
        verdict = throttle.count_an_attempt(f"forgotten {name}", address)
        if not verdict.seconds:
            known = User.objects.filter(issuer=LOCAL, subject=name.strip().lower()).values_list("pk", flat=True).first()
            send(tasks.send_reset, known or uuid7())
            record(
                actor=NOBODY,
                code="password:forget",
                subject=known or "unknown",
                account=throttle.account_key(name)[:16],
                address=address,
            )
    if verdict.seconds:
        raise TooManyAttempts(seconds=verdict.seconds)


def set_by_link(link: str, password: str) -> User:
    """Give a new password to whose link it is; raise `LinkOver` or `PasswordTooWeak`."""
    person = person_of(link)
    judge(password, person)
    before = person.password
    person.set_password(password)
    with acting_for(PLATFORM):
        # only if nobody set one meanwhile: of two who use the link at the same moment, one comes too late
        if not User.objects.filter(pk=person.pk, password=before).update(password=person.password):
            raise LinkOver
        _changed(person, how="link", ended=end_all(person.pk))
        throttle.forgive_name(person.subject)
    return person


def change(request: HttpRequest, person: User, *, old: str, new: str) -> None:
    """Change one's own password; raise `TooManyAttempts`, `WrongPassword` or `PasswordTooWeak`."""
    prove(request, person, old)
    judge(new, person)
    person.set_password(new)
    with acting_for(PLATFORM):
        User.objects.filter(pk=person.pk).update(password=person.password)
        _changed(person, how="old password", ended=end_all(person.pk, but=request.session.session_key))
    update_session_auth_hash(request, person)  # a new key for this session, once the password is changed for good


def prove(request: HttpRequest, person: User, password: str) -> None:
    """Let somebody who is signed in show that they know their password, within the limits of signing in.

    Raises `TooManyAttempts` without having looked at it, or `WrongPassword`.
    """
    address = request.META.get("REMOTE_ADDR", "")
    with acting_for(PLATFORM):
        verdict = throttle.count_an_attempt(person.subject, address)
    if verdict.seconds:
        raise TooManyAttempts(seconds=verdict.seconds)
    right = person.check_password(password)
    with acting_for(PLATFORM):
        if right:
            throttle.forgive(person.subject, address)
        else:
            record(actor=person.pk, code="password:refuse", subject=person.pk, address=address)
    if not right:
        raise WrongPassword


def judge(password: str, person: User | None = None) -> None:
    """Raise `PasswordTooWeak`, saying everything that is wrong with it."""
    try:
        validate_password(password, person)
    except ValidationError as fault:
        raise PasswordTooWeak(sentences=" ".join(fault.messages)) from fault


def _changed(person: User, *, how: str, ended: int) -> None:
    record(actor=person.pk, code="password:change", subject=person.pk, how=how, sessions_ended=ended)
    send(tasks.tell, person.pk, "password-changed")
