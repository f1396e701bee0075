"""The pages of a forgotten password, for people who are nobody yet."""

from http import HTTPStatus

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from auth2fa.account.forms import ForgottenForm, NewPasswordForm
from auth2fa.errors import PasswordTooWeak, TooManyAttempts
from auth2fa.login import carried, passwords
from auth2fa.login.links import person_of
from auth2fa.posting import posted

_LINK = "password-link"  # the cookie that keeps the link while its page is open


@never_cache
def password_forgotten(request: HttpRequest) -> HttpResponse:
    """Ask for the user name; say the same to everybody."""
    form, refusal = ForgottenForm(posted(request)), None
    if form.is_bound and form.is_valid():
        try:
            passwords.forget(request, form.cleaned_data["username"])
        except TooManyAttempts as too_many:
            refusal = too_many
        else:
            return render(request, "auth2fa/password_sent.html")
    return _page(request, "auth2fa/password_forgotten.html", form, refusal)


@never_cache
@sensitive_post_parameters("new")
def password_new(request: HttpRequest) -> HttpResponse:
    """Set a new password, with a link that leaves the address at once: an address bar is read over shoulders."""
    if link := request.GET.get("link", ""):
        person_of(link)
        return carried.keep(redirect("password-new"), _LINK, link, path=reverse("password-new"))
    link = carried.kept(request, _LINK)
    person = person_of(link)
    form = NewPasswordForm(posted(request))
    if form.is_bound and form.is_valid():
        try:
            passwords.set_by_link(link, form.cleaned_data["new"])
        except PasswordTooWeak as weak:
            form.add_error("new", f"{weak} {weak.advice}")
        else:
            request.session.flush()
            messages.success(request, _("Your new password is set. Sign in with it."))
            return carried.forget(redirect("sign-in"), _LINK, path=reverse("password-new"))
    return _page(request, "auth2fa/password_new.html", form, None, username=person.subject)


def _page(
    request: HttpRequest, template: str, form: ForgottenForm | NewPasswordForm, refusal: object, **context: object
) -> HttpResponse:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
    if isinstance(refusal, TooManyAttempts):
        status = refusal.status
    response = render(request, template, {"form": form, "refusal": refusal, **context}, status=status)
    if isinstance(refusal, TooManyAttempts):
        response["Retry-After"] = str(refusal.seconds)
    return response
