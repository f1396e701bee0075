"""The addresses of people for programs; included under `/api/v1/t/<tenant>/`."""

from django.urls import path

from auth2fa.people import api
from portal.foundation.access.guards import program_guard
from portal.foundation.access.permissions import Permission

READ = {"GET": Permission.PEOPLE_READ}
CHANGE = {"POST": Permission.PEOPLE_CHANGE}

urlpatterns = [
    path("people", program_guard(READ, api.PeopleList.as_view()), name="api-people"),
    path(
        "people/<uuid:pk>",
        program_guard({**READ, "DELETE": Permission.PEOPLE_CHANGE}, api.PersonDetail.as_view()),
        name="api-person",
    ),
    path(
        "people/<uuid:pk>/roles",
        program_guard({**READ, "PUT": Permission.PEOPLE_CHANGE}, api.PersonRoles.as_view()),
        name="api-person-roles",
    ),
    path(
        "people/<uuid:pk>/suspension",
        program_guard(CHANGE, api.PersonSuspension.as_view()),
        name="api-person-suspension",
    ),
    path(
        "people/<uuid:pk>/readmission",
        program_guard(CHANGE, api.PersonReadmission.as_view()),
        name="api-person-readmission",
    ),
    path(
        "people/<uuid:pk>/sign-out",
        program_guard(CHANGE, api.PersonSignOut.as_view()),
        name="api-person-sign-out",
    ),
    path("invitations", program_guard(CHANGE, api.Invitations.as_view()), name="api-invitations"),
    path("invitations/import", program_guard(CHANGE, api.InvitationImport.as_view()), name="api-invitation-import"),
    path("invitations/<uuid:pk>", program_guard(READ, api.InvitationDetail.as_view()), name="api-invitation"),
    path(
        "invitations/<uuid:pk>/resending",
        program_guard(CHANGE, api.InvitationResending.as_view()),
        name="api-invitation-resending",
    ),
    path(
        "invitations/<uuid:pk>/withdrawal",
        program_guard(CHANGE, api.InvitationWithdrawal.as_view()),
        name="api-invitation-withdrawal",
    ),
]
