"""A request's permanent page, and the fragment that keeps it fresh."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from lifecycle.certificates.models import Certificate
from lifecycle.requests import reviewing
from lifecycle.requests.errors import AlreadyJudged, CommentNeeded, OwnRequest
from lifecycle.requests.kinds import UseCase
from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.orders import alternative_names_of, subject_of
from lifecycle.requests.states import LIFE, OVER, Event, State
from lifecycle.wizards import presentation as shown
from lifecycle.wizards.sight import requests_visible_to
from portal.foundation import clock
from portal.foundation.access.permissions import Permission
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.middleware import TenantRequest

STOP_POLLING = 286
"""What htmx takes as "do not ask again"."""

UNPROCESSABLE = 422
SLOW = timedelta(seconds=30)
OFTEN, LESS_OFTEN, AT_FIRST = 2, 5, 30  # seconds

STAGES: tuple[tuple[str | Promise, tuple[State, ...]], ...] = (
    (gettext_lazy("Submitted"), (State.VALIDATING,)),
    (gettext_lazy("Approved"), (State.IN_REVIEW,)),
    (gettext_lazy("Waiting"), (State.READY,)),
    (gettext_lazy("Signing"), (State.EXECUTING,)),
    (gettext_lazy("Ready"), (State.COMPLETED,)),
)

SAID: dict[State, str | Promise] = {
    State.DRAFT: gettext_lazy("This request is a draft: nothing was asked for yet."),
    State.VALIDATING: gettext_lazy("The request is being checked."),
    State.IN_REVIEW: gettext_lazy("The request waits for a reviewer."),
    State.READY: gettext_lazy("The request waits for the certificate authority."),
    State.EXECUTING: gettext_lazy("The certificate authority is signing your certificate."),
    State.COMPLETED: gettext_lazy("Your certificate is ready."),
    State.FAILED: gettext_lazy("No certificate was issued."),
    State.REJECTED: gettext_lazy("A reviewer rejected the request; nothing was issued."),
    State.WITHDRAWN: gettext_lazy("The request was withdrawn; nothing was issued."),
}


SLOW_SIGNING = gettext_lazy(
    "Since {time} UTC, which is longer than usual: the certificate authority may be away for a while. "
    "Nothing is lost, and we try again by ourselves."
)
SLOW_SAID: dict[State, str | Promise] = {
    State.VALIDATING: gettext_lazy(
        "Since {time} UTC, which is longer than usual: its names are looked up or proven again, and somebody's "
        "servers may be slow. Nothing is lost, and we try again by ourselves."
    ),
}


def request_of(request: TenantRequest, pk: UUID) -> CertificateRequest:
    found = CertificateRequest.objects.select_related("profile__authority", "policy", "predecessor", "tenant")
    wanted = found.filter(pk=pk, **requests_visible_to(request)).first()
    if wanted is None:
        raise NotHere
    return wanted


def request_page(request: TenantRequest, pk: UUID) -> HttpResponse:
    with acting_for(request.tenant.pk):
        return _page(request, request_of(request, pk), ReviewForm())


def _page(request: TenantRequest, wanted: CertificateRequest, form: "ReviewForm", status: int = 200) -> HttpResponse:
    context = {
        **_status(request, wanted),
        "number": wanted.number,
        "facts": _facts(request, wanted),
        "events": shown.happenings([wanted.pk]),
        "review": _review(request, wanted),
        "form": form,
    }
    return render(request, "requests/progress.html", context, status=status)


class ReviewForm(forms.Form):
    comment = forms.CharField(
        label=gettext_lazy("Comment"),
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("Needed to reject: whoever asked for the certificate reads it."),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if len({"approve", "reject"} & set(self.data)) != 1:
            raise forms.ValidationError(_("Nothing was decided: press either “Approve” or “Reject”."))
        if "reject" in self.data and not cleaned.get("comment", "").strip() and not self.errors:
            self.add_error("comment", f"{CommentNeeded()} {CommentNeeded().advice}")
        return cleaned


def request_review(request: TenantRequest, pk: UUID) -> HttpResponse:
    """Take a reviewer's word: the button that was pressed says which (C7)."""
    with acting_for(request.tenant.pk, person=request.person.pk):
        wanted = request_of(request, pk)
        form = ReviewForm(request.POST)
        if not form.is_valid():
            return _page(request, wanted, form, status=UNPROCESSABLE)
        comment = form.cleaned_data["comment"]
        if "reject" in request.POST:
            reviewing.reject(pk, by=request.person.pk, comment=comment)
        elif "approve" in request.POST:
            reviewing.approve(pk, by=request.person.pk, comment=comment)
    return redirect("request-page", tenant=request.tenant.slug, pk=pk)


def _review(request: TenantRequest, wanted: CertificateRequest) -> dict[str, Any] | None:
    """What the page says of reviews while it waits for them; None where there is nothing to review."""
    if wanted.state != State.IN_REVIEW:
        return None
    given, needed = reviewing.given(wanted), wanted.policy.approvals
    said = ngettext("{given} of {needed} review is done.", "{given} of {needed} reviews are done.", needed)
    mine = Permission.REQUEST_APPROVE in request.seat.permissions
    why_not = why_not_reviewed(wanted, request.person.pk) if mine else ""
    url = reverse("request-review", kwargs={"tenant": request.tenant.slug, "pk": wanted.pk})
    return {
        "said": said.format(given=given, needed=needed),
        "why_not": why_not,
        "url": url if mine and not why_not else "",
        "names": [str(name.value) for name in alternative_names_of(wanted)],
        "subject": subject_of(wanted).rfc4514_string(),
    }


def why_not_reviewed(wanted: CertificateRequest, reviewer: UUID) -> str:
    """Why this reviewer cannot review this request, which is in review; "" where they can."""
    if wanted.requested_by == reviewer:
        return f"{OwnRequest()} {OwnRequest().advice}"
    if wanted.approvals.filter(reviewer=reviewer).exists():
        return str(AlreadyJudged(missing=wanted.policy.approvals - reviewing.given(wanted)))
    return ""


def request_status(request: TenantRequest, pk: UUID) -> HttpResponse:
    """The part of the page that changes by itself; 286 once there is nothing to wait for."""
    with acting_for(request.tenant.pk):
        wanted = request_of(request, pk)
        context = {**_status(request, wanted), "fragment": True}
        status = STOP_POLLING if context["poll_seconds"] is None else 200
        return render(request, "requests/_status.html", context, status=status)


def _status(request: TenantRequest, wanted: CertificateRequest) -> dict[str, Any]:
    state = State(wanted.state)
    certificate = Certificate.objects.filter(made_from=wanted.pk).first() if state is State.COMPLETED else None
    age = (clock.now() - wanted.changed_at).total_seconds()
    waits_for_machine = state not in OVER | {State.DRAFT, State.IN_REVIEW}
    who = shown.names_of([wanted.requested_by]).get(str(wanted.requested_by), "")
    return {
        "pk": wanted.pk,
        "title": shown.title_of(wanted),
        "status": shown.chip_of_request(wanted),
        "asked_by": who,
        "submitted": wanted.submitted_at is not None,
        "asked_at": wanted.submitted_at or wanted.made_at,
        "said": SAID[state],
        "detail": detail_of(wanted, state),
        "stages": _stages(state),
        "poll_seconds": (OFTEN if age < AT_FIRST else LESS_OFTEN) if waits_for_machine else None,
        "moving": waits_for_machine,
        "notice": _notice() if waits_for_machine else None,
        "certificate": certificate
        and {
            "pk": certificate.pk,
            "name": certificate.name,
            "serial": int(certificate.serial, 16),
        },
        "predecessor": _old_one(wanted),
        "open_step": _open_step(request, wanted),
        "withdraw_url": _withdraw_url(request, wanted),
        "fragment": False,
    }


def detail_of(wanted: CertificateRequest, state: State) -> str:
    if state is State.FAILED:
        return _("{why} Begin a new request once that is settled; your present certificate goes on working.").format(
            why=wanted.why_failed
        )
    if state is State.REJECTED:
        rejection = wanted.approvals.filter(approves=False).first()
        return _("The reviewer says: {comment}").format(comment=rejection.comment if rejection else "")
    if state in OVER or state is State.DRAFT:
        return ""
    since = f"{wanted.changed_at:%Y-%m-%d %H:%M:%S}"
    if state is State.IN_REVIEW:
        return _("Since {time} UTC. It goes on as soon as the reviews are done.").format(time=since)
    if clock.now() - wanted.changed_at < SLOW:
        return _("Since {time} UTC. Usually it takes less than 10 seconds.").format(time=since)
    return str(SLOW_SAID.get(state, SLOW_SIGNING)).format(time=since)


def _notice() -> dict[str, Any]:
    text = _("You may close this page. We mail you when the certificate is ready; it will be here, too.")
    return {"tone": "plain", "icon": "info", "title": "", "text": text}


def _stages(state: State) -> list[dict[str, Any]]:
    if state in {State.DRAFT, State.WITHDRAWN}:
        return []
    order = [states[0] for _word, states in STAGES]
    reached = order.index(state) if state in order else order.index(State.EXECUTING)
    marks = []
    for index, (word, _states) in enumerate(STAGES):
        if index < reached or state is State.COMPLETED:
            marks.append({"word": word, "status": "done", "note": ""})
        elif index == reached:
            failed = state is State.FAILED
            marks.append(
                {"word": word, "status": "failed" if failed else "current", "note": _("failed") if failed else _("now")}
            )
        else:
            marks.append({"word": word, "status": "ahead", "note": _("not yet")})
    return marks


def _old_one(wanted: CertificateRequest) -> dict[str, Any] | None:
    """The old certificate, while its owner may still have to think of it (1.R4)."""
    if wanted.predecessor is None:
        return None
    old = Certificate.objects.with_facts().filter(pk=wanted.predecessor.pk).first()
    if old is None or old.revoked_at is not None:  # type: ignore[attr-defined]
        return None
    return {"pk": old.pk, "serial": int(old.serial, 16)}


def _open_step(request: TenantRequest, wanted: CertificateRequest) -> dict[str, Any] | None:
    if not wanted.is_draft or wanted.requested_by != request.person.pk:
        return None
    url = reverse("request-step", kwargs={"tenant": request.tenant.slug, "pk": wanted.pk, "step": "confirm"})
    return {"url": url, "word": _("Go on with this request")}


def _withdraw_url(request: TenantRequest, wanted: CertificateRequest) -> str:
    """Where its owner can give the request up, as long as the authority has not begun with it."""
    if wanted.requested_by != request.person.pk or Event.WITHDRAW not in LIFE.events_from(State(wanted.state)):
        return ""
    return reverse("request-discard", kwargs={"tenant": request.tenant.slug, "pk": wanted.pk})


def _facts(request: TenantRequest, wanted: CertificateRequest) -> list[shown.Fact]:
    tenant = request.tenant.slug
    key, confirm = wanted.answers.get("key", {}), wanted.answers.get("confirm", {})
    facts = [
        shown.Fact(_("Request"), wanted.number, code=True),
        shown.Fact(_("Operation"), wanted.meaning.title),
        shown.Fact(_("Profile"), wanted.profile.title),
    ]
    if wanted.predecessor:
        url = reverse("certificate-detail", kwargs={"tenant": tenant, "pk": wanted.predecessor.pk})
        facts.append(shown.Fact(_("Old certificate"), shown.short_serial(wanted.predecessor.serial), url=url))
    if key:
        facts.append(shown.Fact(_("New key"), shown.key_word(key["key_type"])))
    if confirm.get("use_case"):
        facts.append(shown.Fact(_("Reason"), UseCase(confirm["use_case"]).label))
    if confirm.get("message"):
        facts.append(shown.Fact(_("Message"), confirm["message"], wide=True))
    return facts
