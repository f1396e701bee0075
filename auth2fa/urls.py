"""Where people sign in and out, get in by mail, and see to their account.

What mail leads to is open to anybody, since whoever comes is nobody yet; the link says what it opens.
"""

from django.urls import path
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from auth2fa.account import views as account
from auth2fa.login import recovery, views
from auth2fa.people import joining
from portal.foundation.access.guards import Open, guard

form = require_http_methods(["GET", "HEAD", "POST"])
ANYBODY, SELF = Open.ANYBODY, Open.SIGNED_IN

urlpatterns = [
    path("sign-in/", guard(ANYBODY, views.sign_in), name="sign-in"),
    path("sign-out/", guard(ANYBODY, views.sign_out), name="sign-out"),
    path("invitation/", guard(ANYBODY, form(joining.invitation)), name="invitation"),
    path("password/forgotten/", guard(ANYBODY, form(recovery.password_forgotten)), name="password-forgotten"),
    path("password/new/", guard(ANYBODY, form(recovery.password_new)), name="password-new"),
    path("account/", guard(SELF, require_safe(account.account)), name="account"),
    path("account/password/", guard(SELF, form(account.password_change)), name="password-change"),
    path("account/sessions/end/", guard(SELF, require_POST(account.sessions_end)), name="sessions-end"),
    path("account/authenticators/add/", guard(SELF, form(account.authenticator_add)), name="authenticator-add"),
    path("account/authenticators/code/", guard(SELF, form(account.authenticator_code)), name="authenticator-code"),
    path("account/authenticators/<uuid:pk>/", guard(SELF, form(account.authenticator)), name="authenticator"),
    path(
        "account/authenticators/<uuid:pk>/qr.svg",
        guard(SELF, require_safe(account.authenticator_qr)),
        name="authenticator-qr",
    ),
    path(
        "account/authenticators/<uuid:pk>/remove/",
        guard(SELF, form(account.authenticator_remove)),
        name="authenticator-remove",
    ),
]
