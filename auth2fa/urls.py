"""Where people sign in and out; both are open to anybody, since whoever comes is nobody yet or no more."""

from django.urls import path

from auth2fa.login import views
from portal.foundation.access.guards import Open, guard

urlpatterns = [
    path("sign-in/", guard(Open.ANYBODY, views.sign_in), name="sign-in"),
    path("sign-out/", guard(Open.ANYBODY, views.sign_out), name="sign-out"),
]
