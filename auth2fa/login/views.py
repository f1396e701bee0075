"""The pages of the first factor."""

from http import HTTPStatus

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from auth2fa.errors import NotRecognised, TooManyAttempts
from auth2fa.login import services
from auth2fa.login.forms import SignInForm
from portal.foundation.errors import Refusal


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Ask for name and password, then go on to where the person wanted to be."""
    onward = path_here(request.POST.get("next") or request.GET.get("next") or "")
    if request.method != "POST":
        return _go_on(onward) if request.user.is_authenticated else _page(request, SignInForm(), onward)
    form = SignInForm(request.POST)
    if not form.is_valid():
        return _page(request, form, onward, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    name, password = form.cleaned_data["username"], form.cleaned_data["password"]
    try:
        services.sign_in(request, name=name, password=password)
    except NotRecognised as refusal:
        return _page(request, form, onward, refusal, status=refusal.status)
    except TooManyAttempts as refusal:
        response = _page(request, form, onward, refusal, status=refusal.status)
        response["Retry-After"] = str(refusal.seconds)
        return response
    return _go_on(onward)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    services.sign_out(request)
    messages.info(request, _("You are signed out."))
    return redirect("sign-in")


def path_here(wanted: str) -> str:
    """Return *wanted* if it is a path of this very host, and nothing otherwise: a link must not lead elsewhere."""
    leads_here = wanted.startswith("/") and wanted.isprintable() and "\\" not in wanted
    return wanted if leads_here and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None) else ""


def _go_on(onward: str) -> HttpResponse:
    return HttpResponseRedirect(onward) if onward else redirect(settings.LOGIN_REDIRECT_URL)


def _page(
    request: HttpRequest,
    form: SignInForm,
    onward: str,
    refusal: Refusal | None = None,
    status: HTTPStatus = HTTPStatus.OK,
) -> HttpResponse:
    context = {"form": form, "next": onward, "refusal": refusal}
    return render(request, "account/sign_in.html", context, status=status)
