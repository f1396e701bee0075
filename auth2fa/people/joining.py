"""The page of an invitation's link: where its addressee, and nobody else, joins."""

from http import HTTPStatus
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from auth2fa.account.forms import new_password
from auth2fa.errors import AccountExists, PasswordTooWeak
from auth2fa.login import carried, passwords
from auth2fa.login.services import sign_in_proven
from auth2fa.posting import posted
from portal.foundation import clock
from portal.foundation.access import services
from portal.foundation.access.errors import InvitedAsAnother, NameNotReadable
from portal.foundation.access.invitations import standing
from portal.foundation.access.links import read_link
from portal.foundation.access.models import LOCAL, Invitation, User
from portal.foundation.access.permissions import Role
from portal.foundation.access.words import LONGEST_NAME, readable
from portal.foundation.audit.models import record
from portal.foundation.ids import uuid7
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import PLATFORM, Tenant

_LINK = "invitation-link"  # the cookie that keeps the link while its page is open


class JoinForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Your name"),
        max_length=LONGEST_NAME,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
        error_messages={"required": gettext_lazy("Enter your name.")},
    )
    new = new_password()


@never_cache
@sensitive_post_parameters("new")
def invitation(request: HttpRequest) -> HttpResponse:
    """Show who invites and as what, and take the answer; raise `InvitationOver` for any link that counts no more."""
    if link := request.GET.get("link", ""):
        read_link(link)
        return carried.keep(redirect("invitation"), _LINK, link, path=reverse("invitation"))
    tenant, pk = read_link(carried.kept(request, _LINK))
    with acting_for(tenant):
        invited = standing(pk)
        organisation = invited.tenant
    person = request.user if isinstance(request.user, User) else None
    form = None
    if person is None and not _is_known(invited.email):
        form = JoinForm(posted(request), initial={"name": invited.name})
    if request.method == "POST":
        if person is not None:
            _join(tenant, pk, person)
            return _joined(request, organisation)
        if form is not None and form.is_valid() and (made := _make(invited, tenant, form)):
            sign_in_proven(request, made, how="invitation")
            return _joined(request, organisation)
    context = {
        "organisation": organisation.name,
        "invitation": invited,
        "roles": ", ".join(str(Role(role).label) for role in invited.roles),
        "form": form,
        "person": person,
        "other": InvitedAsAnother() if person and person.email.lower() != invited.email else None,
    }
    refused = bool(form and form.is_bound)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if refused else HTTPStatus.OK
    return render(request, "people/invitation.html", context, status=status)


def _is_known(email: str) -> bool:
    """Only the mailbox's owner comes here, so this tells nobody else whether there is an account."""
    return User.objects.filter(issuer=LOCAL, subject=email).exists()


def _join(tenant: UUID, pk: UUID, person: User) -> None:
    with acting_for(tenant, person=person.pk):
        services.accept(pk, person)


def _make(invited: Invitation, tenant: UUID, form: JoinForm) -> User | None:
    """Make the account and seat it, both or neither; None with the form's errors where that is not possible.

    The link came by mail, so the address is proven by its use.
    """
    name, password = " ".join(form.cleaned_data["name"].split()), form.cleaned_data["new"]
    if not readable(name):
        form.add_error("name", str(NameNotReadable(most=LONGEST_NAME)))
        return None
    person = User(id=uuid7(), subject=invited.email, email=invited.email, name=name, created_at=clock.now())
    try:
        passwords.judge(password, person)
    except PasswordTooWeak as weak:
        form.add_error("new", f"{weak} {weak.advice}")
        return None
    person.set_password(password)
    try:
        with acting_for(tenant, person=person.pk):
            person.save(force_insert=True)
            record(actor=person.pk, code="person:join", subject=person.pk, how="invitation")
            services.accept(invited.pk, person)
    except IntegrityError as error:
        raise AccountExists from error  # made at the same moment, by a second press or through another invitation
    return person


def _joined(request: HttpRequest, organisation: Tenant) -> HttpResponse:
    messages.success(request, _("You belong to {tenant} now.").format(tenant=organisation.name))
    onward = (
        redirect("platform-overview")
        if organisation.pk == PLATFORM
        else redirect("tenant-home", tenant=organisation.slug)
    )
    return carried.forget(onward, _LINK, path=reverse("invitation"))
