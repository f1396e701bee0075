"""My account: who one is here, one's password, authenticators and sessions."""

from http import HTTPStatus
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from auth2fa import enrolments
from auth2fa.account import changes
from auth2fa.account.agents import in_words
from auth2fa.account.forms import AddAuthenticatorForm, ChangePasswordForm, FirstCodeForm, ProveForm
from auth2fa.account.qr import as_svg
from auth2fa.challenges import Window
from auth2fa.errors import (
    EnrolmentOver,
    PasswordTooWeak,
    TooManyAttempts,
    WrongFirstCode,
    WrongPassword,
)
from auth2fa.factors.totp import base32, key_uri
from auth2fa.login import passwords, sessions
from auth2fa.login.views import path_here
from auth2fa.models import Enrolment
from auth2fa.posting import posted
from auth2fa.protocol import Person
from auth2fa.stepping_up import CodePage, Deed
from portal.config import config
from portal.foundation.access.models import LOCAL
from portal.foundation.audit.models import record
from portal.foundation.errors import Refusal
from portal.foundation.tenancy.context import acting_as, acting_for
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.middleware import PersonRequest
from portal.foundation.tenancy.models import PLATFORM

_ONWARD = "after_enrolment"  # where in the session the page to return to is kept


def account(request: PersonRequest) -> HttpResponse:
    person = request.person
    mine = sessions.of_person(person.pk)
    seats = [seat for seat in request.seats if not seat.of_platform]
    with acting_as(person.pk):
        context = {
            "has_password": person.issuer == LOCAL and person.has_usable_password(),
            "authenticators": enrolments.confirmed(),
            "may_add": len(enrolments.confirmed()) < enrolments.MOST,
            "seats": seats,
            "sessions": [
                {
                    "handle": sessions.handle_of(row.session_key),
                    "began_at": row.began_at,
                    "seen_at": row.seen_at,
                    "browser": in_words(row.agent),
                    "address": row.address,
                    "current": row.session_key == request.session.session_key,
                }
                for row in mine
            ],
            "others": any(row.session_key != request.session.session_key for row in mine),
        }
    return render(request, "account/account.html", context)


def sessions_end(request: PersonRequest) -> HttpResponse:
    """End one other session of one's own, or all the others."""
    here, wanted = request.session.session_key, request.POST.get("which", "")
    others = [row for row in sessions.of_person(request.person.pk) if row.session_key != here]
    ending = others if wanted == "others" else [r for r in others if sessions.handle_of(r.session_key) == wanted]
    if ending:
        with acting_for(PLATFORM):
            ended = sessions.end(request.person.pk, [row.session_key for row in ending])
            record(actor=request.person.pk, code="session:end", subject=request.person.pk, count=ended)
        messages.success(request, _("Ended. Whoever used it has to sign in again."))
    return redirect("account")


@sensitive_post_parameters("old", "new")
def password_change(request: PersonRequest) -> HttpResponse:
    form, refusal = ChangePasswordForm(posted(request)), None
    if form.is_bound and form.is_valid():
        given = form.cleaned_data
        try:
            passwords.change(request, request.person, old=given["old"], new=given["new"])
        except WrongPassword as wrong:
            form.add_error("old", str(wrong))
        except PasswordTooWeak as weak:
            form.add_error("new", str(weak))
        except TooManyAttempts as too_many:
            refusal = too_many
        else:
            messages.success(request, _("Your password is changed. Your other sessions were ended."))
            return redirect("account")
    return _page(request, "account/password.html", form, refusal)


@sensitive_post_parameters("password")
def authenticator_add(request: PersonRequest) -> HttpResponse:
    """Name it, show the password, then a code; only after both there is a secret to see."""
    if onward := path_here(request.GET.get("next", "")):
        request.session[_ONWARD] = onward
    form, refusal = AddAuthenticatorForm(posted(request)), None
    if form.is_bound and form.is_valid():
        try:
            passwords.prove(request, request.person, form.cleaned_data["password"])
            changes.ask(request.session, _asked(request), changes.adding(form.cleaned_data["label"]))
        except WrongPassword as wrong:
            form.add_error("password", str(wrong))
        except Refusal as refused:
            refusal = refused
        else:
            return redirect("authenticator-code")
    return _page(request, "account/authenticator_add.html", form, refusal)


def authenticator_code(request: PersonRequest) -> HttpResponse:
    """Take the code that lets the change go on for which the password was shown; without one there is nothing here."""
    change = changes.kept(request.session)
    if change is None:
        return redirect("account")
    page = CodePage(
        reverse("authenticator-code"),
        carry_out=lambda: _carried_out(request, change),
        draw=lambda form, refusal, window: _code_page(request, change, form, refusal, window),
    )
    return page.answer(request, _asked(request), change)


def _carried_out(request: PersonRequest, change: Deed) -> HttpResponse:
    begun = changes.carry_out(request.session, _asked(request), change)
    if begun is not None:
        return redirect("authenticator", pk=begun.pk)
    messages.success(request, _("“{name}” is removed.").format(name=change.label))
    return redirect("account")


def _code_page(
    request: PersonRequest, change: Deed, form: forms.Form, refusal: Refusal | None, window: Window
) -> HttpResponse:
    adds = change.purpose == changes.ADD
    context = {
        "title": change.title,
        "prompt": window,
        "back_url": reverse("authenticator-add") if adds else reverse("authenticator-remove", args=[change.subject]),
        "button": _("Show the QR code") if adds else _("Remove authenticator"),
    }
    return _page(request, "account/authenticator_code.html", form, refusal, **context)


def authenticator(request: PersonRequest, pk: UUID) -> HttpResponse:
    """Show the secret, as a QR code and to type, until the first right code proves that it arrived."""
    form = FirstCodeForm(posted(request))
    if form.is_bound and form.is_valid():
        with acting_as(request.person.pk):
            _mine(pk)
            enrolments.count_a_try(pk)
        try:
            with acting_as(request.person.pk):
                enrolments.confirm(pk, form.cleaned_data["code"])
        except WrongFirstCode as wrong:
            form.add_error("code", f"{wrong} {wrong.advice}")
        else:
            messages.success(request, _("The authenticator is set up. It can confirm what you do from now on."))
            onward = path_here(request.session.pop(_ONWARD, ""))
            return redirect(onward or "account")
    with acting_as(request.person.pk):
        waiting = _mine(pk)
        secret = base32(enrolments.secret_of(waiting))
    context = {
        "groups": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        "enrolment": waiting,
        "account_name": request.person.email,
        "tries_left": enrolments.TRIES - waiting.memory.get("tries", 0),
    }
    return _page(request, "account/authenticator.html", form, None, **context)


def authenticator_qr(request: PersonRequest, pk: UUID) -> HttpResponse:
    """The same secret as a picture, never stored by anybody on the way."""
    with acting_as(request.person.pk):
        secret = enrolments.secret_of(_mine(pk))
    uri = key_uri(
        secret, account=request.person.email, issuer=_("Certificate portal at {host}").format(host=config.host)
    )
    return HttpResponse(as_svg(uri), content_type="image/svg+xml", headers={"Cache-Control": "no-store"})


@sensitive_post_parameters("password")
def authenticator_remove(request: PersonRequest, pk: UUID) -> HttpResponse:
    with acting_as(request.person.pk):
        standing = _mine(pk)
        if standing.confirmed_at is None:
            raise EnrolmentOver
    form, refusal = ProveForm(posted(request)), None
    if form.is_bound and form.is_valid():
        try:
            passwords.prove(request, request.person, form.cleaned_data["password"])
            changes.ask(request.session, _asked(request), changes.removing(standing))
        except WrongPassword as wrong:
            form.add_error("password", str(wrong))
        except Refusal as refused:
            refusal = refused
        else:
            return redirect("authenticator-code")
    return _page(request, "account/authenticator_remove.html", form, refusal, enrolment=standing)


def _asked(request: PersonRequest) -> Person:
    return Person(id=request.person.pk, name=request.person.name, email=request.person.email)


def _mine(pk: UUID) -> Enrolment:
    found = Enrolment.objects.filter(pk=pk).first()
    if found is None:
        raise NotHere
    if found.removed_at:
        raise EnrolmentOver
    return found


def _page(
    request: HttpRequest, template: str, form: forms.Form, refusal: Refusal | None, **context: object
) -> HttpResponse:
    status = refusal.status if refusal else HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
    return render(request, template, {"form": form, "refusal": refusal, **context}, status=status)
