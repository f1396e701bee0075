"""The addresses of people; included under `/t/<tenant>/people/`."""

from django.urls import path
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from auth2fa.people import inviting, views
from portal.foundation.access.guards import guard
from portal.foundation.access.permissions import Permission

form = require_http_methods(["GET", "HEAD", "POST"])
READ, CHANGE = Permission.PEOPLE_READ, Permission.PEOPLE_CHANGE

urlpatterns = [
    path("", guard(READ, require_safe(views.people_list)), name="people-list"),
    path("export.csv", guard(READ, require_safe(views.people_export)), name="people-export"),
    path("invite/", guard(CHANGE, form(inviting.invite)), name="people-invite"),
    path("import/", guard(CHANGE, form(inviting.people_import)), name="people-import"),
    path("<uuid:pk>/", guard(READ, require_safe(views.person_page)), name="person"),
    path("<uuid:pk>/roles/", guard(CHANGE, form(views.person_roles)), name="person-roles"),
    path("<uuid:pk>/<slug:act>/", guard(CHANGE, form(views.person_act)), name="person-act"),
    path(
        "invitations/<uuid:pk>/<slug:act>/",
        guard(CHANGE, require_POST(inviting.invitation_act)),
        name="invitation-act",
    ),
]
