"""Tokens for programs: one's own, everybody's for whoever sees people, a new one, and the end of one."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from auth2fa import stepping_up
from auth2fa.challenges import Window
from auth2fa.errors import WrongPassword
from auth2fa.login import passwords
from auth2fa.people.listing import Chip
from auth2fa.posting import posted
from auth2fa.protocol import Person
from auth2fa.stepping_up import CodePage, Deed
from auth2fa.tokens import making
from auth2fa.tokens.forms import TokenFilters, TokenForm, working
from auth2fa.tokens.making import Plan
from portal.config import config
from portal.foundation import clock
from portal.foundation.access.models import ApiToken
from portal.foundation.access.permissions import Permission
from portal.foundation.access.scopes import SCOPES, Scope, useful_to
from portal.foundation.access.tokens import MOST
from portal.foundation.errors import Refusal
from portal.foundation.lists import tables
from portal.foundation.lists.paging import page_of
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.middleware import TenantRequest

MOST_EXPORTED = 5000


class _Shown(str):
    """A secret on its one page: what logs a page's context, as Django does at DEBUG, logs this and not the secret."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "…"


@dataclass(frozen=True, slots=True)
class TokenRow:
    pk: UUID
    name: str
    prefix: str
    whose: str
    own: bool
    scopes: list[str]
    words: str
    made_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    status: Chip
    works: bool


def token_list(request: TenantRequest) -> HttpResponse:
    with acting_for(request.tenant.pk):
        filters = TokenFilters(request)
        by, descending = filters.order
        page = page_of(filters.found(), by=by, descending=descending, asked=request.GET)
        context = {
            "tokens": list(_rows(request, page.rows)),
            "of_all": filters.is_of_all,
            "sort": filters.sort,
            "filters": filters.chips,
            "filter_form": filters,
            "pages": page,
            "searched": bool(filters.chips),
            "may_make": bool(_offered(request)),
            "may_all": _may_all(request),
        }
        return render(request, "tokens/list.html", context)


def token_export(request: TenantRequest) -> HttpResponse:
    """What the list shows, as CSV; never a secret, since nobody has one."""
    with acting_for(request.tenant.pk):
        filters = TokenFilters(request)
        by, descending = filters.order
        sign = "-" if descending else ""
        found = list(filters.found().order_by(f"{sign}{by}", f"{sign}pk")[: MOST_EXPORTED + 1])
        rows = list(_rows(request, found[:MOST_EXPORTED]))
        return tables.as_file(
            "tokens.csv",
            [
                _("Name"),
                _("Begins with"),
                _("Belongs to"),
                _("Scopes"),
                _("State"),
                _("Made"),
                _("Ends"),
                _("Last used"),
            ],
            (
                [row.name, row.prefix, row.whose, " | ".join(row.scopes), row.status.word]
                + [at.isoformat() if at else "" for at in (row.made_at, row.expires_at, row.last_used_at)]
                for row in rows
            ),
            cut=len(found) > MOST_EXPORTED,
        )


@sensitive_post_parameters("password")
def token_new(request: TenantRequest) -> HttpResponse:
    """Say what it shall be, show the password, then a code; only after both there is a token."""
    offered = _offered(request)
    form, refusal = TokenForm(posted(request), offered=offered), None
    if form.is_bound and form.is_valid():
        given = form.cleaned_data
        try:
            passwords.prove(request, request.person, given["password"])
            plan = Plan(given["name"], sorted(given["scopes"]), given["days"])
            stepping_up.ask(request.session, _person(request), making.deed_of(plan, request.tenant))
        except WrongPassword as wrong:
            form.add_error("password", str(wrong))
        except Refusal as refused:
            refusal = refused
        else:
            return redirect("token-code", tenant=request.tenant.slug)
    with acting_for(request.tenant.pk):
        full = ApiToken.objects.filter(working(), person=request.person.pk).count() >= MOST
        context = {"offered": bool(offered), "full": full, "most": MOST}
        return _page(request, "tokens/new.html", form, refusal, **context)


def token_code(request: TenantRequest) -> HttpResponse:
    """Take the code, make the token and show its secret, this once; without a question there is nothing here."""
    deed = making.kept(request.session, request.tenant)
    if deed is None:
        return redirect("token-list", tenant=request.tenant.slug)
    page = CodePage(
        reverse("token-code", args=[request.tenant.slug]),
        carry_out=lambda: _made(request, deed),
        draw=lambda form, refusal, window: _code_page(request, form, refusal, window),
    )
    return page.answer(request, _person(request), deed)


@sensitive_variables("secret", "context")
def _made(request: TenantRequest, deed: Deed) -> HttpResponse:
    """Answer the very request that made it: the secret is stored nowhere, so no later page could show it."""
    made, secret = making.carry_out(request.session, _person(request), deed)
    api = f"{config.origin}/api/v1/t/{request.tenant.slug}"
    context = {
        "token": made,
        "secret": _Shown(secret),
        "words": _words(made),
        "login": f"portalctl login {config.origin} {request.tenant.slug}",
        "curl": f'curl -H "Authorization: Bearer $PORTALCTL_TOKEN" {api}/token',
    }
    with acting_for(request.tenant.pk):  # the frame lists the tenant's product areas
        response = render(request, "tokens/made.html", context)
    response["Cache-Control"] = "no-store"
    return response


def _code_page(request: TenantRequest, form: forms.Form, refusal: Refusal | None, window: Window) -> HttpResponse:
    with acting_for(request.tenant.pk):
        return _page(request, "tokens/code.html", form, refusal, prompt=window)


def token_revoke(request: TenantRequest, pk: UUID) -> HttpResponse:
    """Say what ends, and end it once that is confirmed: one's own, or anybody's for an administrator."""
    may_all = _may_all(request)
    with acting_for(request.tenant.pk):
        own = {} if may_all else {"person": request.person.pk}
        token = ApiToken.objects.select_related("person").filter(pk=pk, **own).first()
        if token is None:
            raise NotHere
        if request.method == "POST":
            making.revoke(pk, by=request.person.pk, may_all=may_all)
            messages.success(request, _("The token “{name}” works no more.").format(name=token.name))
            whose = "" if token.person_id == request.person.pk else "?whose=all"
            return redirect(reverse("token-list", args=[request.tenant.slug]) + whose)
        [row] = _rows(request, [token])
        return render(request, "tokens/revoke.html", {"row": row})


def _rows(request: TenantRequest, tokens: Iterable[ApiToken]) -> Iterator[TokenRow]:
    now = clock.now()
    for token in tokens:
        yield TokenRow(
            pk=token.pk,
            name=token.name,
            prefix=token.prefix,
            whose=token.person.name,
            own=token.person_id == request.person.pk,
            scopes=token.scopes,
            words=_words(token),
            made_at=token.made_at,
            expires_at=token.expires_at,
            last_used_at=token.last_used_at,
            status=_status(token, now),
            works=not token.is_over(now),
        )


def _words(token: ApiToken) -> str:
    """What it may do; a scope that is not known any more allows nothing, and is named as it is."""
    return "; ".join(str(SCOPES[name].label) if name in SCOPES else name for name in token.scopes)


def _status(token: ApiToken, now: datetime) -> Chip:
    if token.revoked_at:
        return Chip("plain", "off", _("Revoked"))
    if token.expires_at <= now:
        return Chip("plain", "off", _("Came to its end"))
    if token.expires_at - now <= making.WARNED:
        return Chip("watch", "watch", _("Ends soon"))
    return Chip("good", "good", _("Works"))


def _offered(request: TenantRequest) -> dict[str, Scope]:
    """Scopes that would be good for something; none during a look, since an operator has no seat here."""
    return {} if request.seat.look else useful_to(request.seat.permissions)


def _may_all(request: TenantRequest) -> bool:
    return Permission.PEOPLE_CHANGE in request.seat.permissions


def _person(request: TenantRequest) -> Person:
    return Person(id=request.person.pk, name=request.person.name, email=request.person.email)


def _page(
    request: TenantRequest, template: str, form: forms.Form, refusal: Refusal | None, **context: Any
) -> HttpResponse:
    status = refusal.status if refusal else HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
    return render(request, template, {"form": form, "refusal": refusal, **context}, status=status)
