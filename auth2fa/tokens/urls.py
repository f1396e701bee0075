"""The addresses of tokens; included under `/t/<tenant>/tokens/`."""

from django.urls import path
from django.views.decorators.http import require_http_methods, require_safe

from auth2fa.tokens import views
from portal.foundation.access.guards import guard
from portal.foundation.access.permissions import Permission

form = require_http_methods(["GET", "HEAD", "POST"])
MEMBER = Permission.TENANT_ENTER

urlpatterns = [
    path("", guard(MEMBER, require_safe(views.token_list)), name="token-list"),
    path("export.csv", guard(MEMBER, require_safe(views.token_export)), name="token-export"),
    path("new/", guard(MEMBER, form(views.token_new)), name="token-new"),
    path("code/", guard(MEMBER, form(views.token_code)), name="token-code"),
    path("<uuid:pk>/revoke/", guard(MEMBER, form(views.token_revoke)), name="token-revoke"),
]
