"""What programs read of a request: its state, its steps, what it waits for."""

from collections.abc import Iterable, Iterator
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from rest_framework import serializers

from auth2fa.challenges import window_of
from auth2fa.models import Challenge
from lifecycle.certificates.models import Certificate
from lifecycle.requests import reviewing
from lifecycle.requests.kinds import Kind
from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.states import LIFE, Event, State
from lifecycle.wizards import presentation as shown
from lifecycle.wizards.api.domain_showing import DomainSerializer, domain
from lifecycle.wizards.checking import confirm_context
from lifecycle.wizards.domains import DomainsForm
from lifecycle.wizards.flow import Flow, Step, StepForm
from lifecycle.wizards.forms import ConfirmForm
from lifecycle.wizards.identity import NameLines
from lifecycle.wizards.request_pages import SAID, detail_of, why_not_reviewed
from lifecycle.wizards.steps import STEPS
from portal.foundation.access.permissions import Permission
from portal.foundation.tenancy.middleware import TenantRequest

SLUGS = [step.slug for step in STEPS]
NOT_FOR_PROGRAMS = frozenset({"csr_file"})  # a program sends the text of the file
STATUSES = ["settled", "open", "ahead"]


class RequestSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    number = serializers.CharField(help_text="What people call it, such as RQ-7K2M-9PQX.")
    kind = serializers.ChoiceField([kind.value for kind in Kind])
    title = serializers.CharField()
    state = serializers.ChoiceField([state.value for state in State])
    profile = serializers.CharField()
    predecessor = serializers.UUIDField(allow_null=True, help_text="The certificate that it starts from.")
    requested_by = serializers.UUIDField()
    made_at = serializers.DateTimeField()
    changed_at = serializers.DateTimeField()
    submitted_at = serializers.DateTimeField(allow_null=True)


class StepSerializer(serializers.Serializer[Any]):
    slug = serializers.ChoiceField(SLUGS)
    title = serializers.CharField()
    status = serializers.ChoiceField(STATUSES)


class ApprovalsSerializer(serializers.Serializer[Any]):
    given = serializers.IntegerField()
    needed = serializers.IntegerField()


class DeedSerializer(serializers.Serializer[Any]):
    """Something that the caller may do with the request, and what stands against it now, if anything."""

    deed = serializers.ChoiceField(["answer", "submit", "withdraw", "approve", "reject"])
    why_not = serializers.CharField(allow_blank=True)


class ConfirmationSerializer(serializers.Serializer[Any]):
    """A second factor that was asked for, for what the request says now."""

    mechanism = serializers.CharField()
    sent_to = serializers.CharField(allow_blank=True, help_text="Masked; empty where the person has the code.")
    digits = serializers.IntegerField()
    expires_at = serializers.DateTimeField()
    resend_at = serializers.DateTimeField(help_text="Before that no other code is sent.")
    tries_left = serializers.IntegerField()


class RequestDetailSerializer(RequestSerializer):
    said = serializers.CharField(help_text="Its state, as a sentence.")
    why = serializers.CharField(allow_blank=True, help_text="Why it failed or was rejected, or what it waits for.")
    certificate = serializers.UUIDField(allow_null=True, help_text="What was issued, once it is completed.")
    approvals = ApprovalsSerializer()
    steps = StepSerializer(many=True, help_text="Empty once it was submitted.")
    open_step = serializers.ChoiceField(SLUGS, allow_null=True)
    factor = serializers.CharField(allow_null=True, help_text="The second factor that submitting it will ask for.")
    confirmation = ConfirmationSerializer(allow_null=True)
    may = DeedSerializer(many=True)


def plain(request: CertificateRequest) -> dict[str, Any]:
    """What a list says of a request."""
    return {
        "id": str(request.pk),
        "number": request.number,
        "kind": request.kind,
        "title": shown.title_of(request),
        "state": request.state,
        "profile": request.profile.slug,
        "predecessor": str(request.predecessor_id) if request.predecessor_id else None,
        "requested_by": str(request.requested_by),
        "made_at": request.made_at.isoformat(),
        "changed_at": request.changed_at.isoformat(),
        "submitted_at": request.submitted_at.isoformat() if request.submitted_at else None,
    }


def in_full(asked: TenantRequest, request: CertificateRequest) -> dict[str, Any]:
    """All of it, for the person of the caller's unit of work."""
    state = State(request.state)
    made = Certificate.objects.filter(made_from=request.pk).values_list("pk", flat=True).first()
    flow = Flow(request, STEPS) if request.is_draft and request.requested_by == asked.person.pk else None
    return {
        **plain(request),
        "said": str(SAID[state]),
        "why": detail_of(request, state),
        "certificate": str(made) if made else None,
        "approvals": {"given": reviewing.given(request), "needed": request.policy.approvals},
        "steps": [_step(flow, step) for step in flow.steps] if flow else [],
        "open_step": flow.open_step.slug if flow and flow.open_step else None,
        "factor": request.policy.factor or None,
        "confirmation": _confirmation(request),
        "may": list(_deeds(asked, request, flow)),
    }


def _step(flow: Flow, step: Step) -> dict[str, str]:
    return {"slug": step.slug, "title": str(step.title), "status": status_of(flow, step)}


def status_of(flow: Flow, step: Step) -> str:
    if flow.open_step is None:
        return "settled"
    here, reached = flow.steps.index(step), flow.steps.index(flow.open_step)
    return "settled" if here < reached else "open" if here == reached else "ahead"


def _confirmation(request: CertificateRequest) -> dict[str, Any] | None:
    asked = Challenge.objects.filter(pk=request.challenge).first() if request.is_draft and request.challenge else None
    if asked is None:
        return None
    window = window_of(asked, deed="", number="")
    return {
        "mechanism": asked.factor,
        "sent_to": window.masked,
        "digits": window.digits,
        "expires_at": window.lapses_at.isoformat(),
        "resend_at": window.resend_at.isoformat(),
        "tries_left": window.tries_left,
    }


def _deeds(asked: TenantRequest, request: CertificateRequest, flow: Flow | None) -> Iterator[dict[str, str]]:
    events, may = LIFE.events_from(State(request.state)), asked.seat.permissions
    mine = request.requested_by == asked.person.pk and Permission.REQUEST_MAKE in may
    if mine and flow:
        why_not = _("This step is open: {step}.").format(step=flow.open_step.title) if flow.open_step else ""
        yield {"deed": "answer", "why_not": ""}
        yield {"deed": "submit", "why_not": why_not}
    if mine and Event.WITHDRAW in events:
        yield {"deed": "withdraw", "why_not": ""}
    if Event.APPROVE in events and Permission.REQUEST_APPROVE in may:
        why_not = why_not_reviewed(request, asked.person.pk)
        yield {"deed": "approve", "why_not": why_not}
        yield {"deed": "reject", "why_not": why_not}


class ChoiceSerializer(serializers.Serializer[Any]):
    value = serializers.CharField(allow_blank=True)
    label = serializers.CharField()  # type: ignore[assignment]
    hint = serializers.CharField(allow_blank=True)


class FieldSerializer(serializers.Serializer[Any]):
    """A question of a step, as the page puts it."""

    name = serializers.CharField()
    label = serializers.CharField(allow_blank=True)  # type: ignore[assignment]
    help = serializers.CharField(allow_blank=True)
    type = serializers.ChoiceField(["text", "number", "yes-or-no", "list", "choice"])
    required = serializers.BooleanField()  # type: ignore[assignment]
    locked = serializers.BooleanField(help_text="It stays as it is: leave it out of the answer.")
    choices = ChoiceSerializer(many=True)
    value = serializers.JSONField(allow_null=True, help_text="What was answered, or what it begins with.")


class AgreementTextSerializer(serializers.Serializer[Any]):
    title = serializers.CharField()
    version = serializers.IntegerField()
    paragraphs = serializers.ListField(child=serializers.CharField())


class ChangeSerializer(serializers.Serializer[Any]):
    label = serializers.CharField()  # type: ignore[assignment]
    before = serializers.CharField(allow_blank=True)
    after = serializers.CharField(allow_blank=True)


class StepDetailSerializer(StepSerializer):
    heading = serializers.CharField(allow_blank=True)
    lead = serializers.CharField(allow_blank=True)
    fields = FieldSerializer(many=True)  # type: ignore[assignment]
    domains = DomainSerializer(many=True, help_text="Of the step `domains` alone.")
    changes = ChangeSerializer(many=True, help_text="Of the step `confirm` alone: what the operation changes.")
    agreement = AgreementTextSerializer(allow_null=True, help_text="What consent to the step `confirm` agrees to.")


def step_in_full(flow: Flow, step: Step, form: StepForm) -> dict[str, Any]:
    """A step with its questions; *form* is unbound and holds what was answered before."""
    context = confirm_context(flow.draft, "") if isinstance(form, ConfirmForm) else {}
    return {
        **_step(flow, step),
        "heading": str(form.heading or context.get("heading") or step.heading),
        "lead": str(form.lead or context.get("lead") or step.lead),
        "fields": [_field(form, name, field) for name, field in form.fields.items() if name not in NOT_FOR_PROGRAMS],
        "domains": [domain(row) for row in form.rows] if isinstance(form, DomainsForm) else [],
        "changes": [_change(change) for change in context.get("changes", ())],
        "agreement": context.get("agreement"),
    }


def _field(form: StepForm, name: str, field: forms.Field) -> dict[str, Any]:
    hints = getattr(field, "choice_hints", {})
    choices = [(str(value), label) for value, label in getattr(field, "choices", ())]
    value = form.initial.get(name, field.initial)
    return {
        "name": name,
        "label": str(field.label or ""),
        "help": str(field.help_text or ""),
        "type": _type(field),
        "required": field.required and not field.disabled,
        "locked": field.disabled,
        "choices": [{"value": each, "label": str(label), "hint": str(hints.get(each, ""))} for each, label in choices],
        "value": value if isinstance(value, (str, int, bool, list, type(None))) else str(value),
    }


_TYPES: tuple[tuple[type[forms.Field], str], ...] = (
    (forms.BooleanField, "yes-or-no"),
    (forms.IntegerField, "number"),
    (forms.ChoiceField, "choice"),
    (NameLines, "list"),
)


def _type(field: forms.Field) -> str:
    return next((word for kind, word in _TYPES if isinstance(field, kind)), "text")


def _change(change: dict[str, Any]) -> dict[str, str]:
    return {name: str(change[name]) for name in ("label", "before", "after")}


def rows(requests: Iterable[CertificateRequest]) -> Iterator[dict[str, Any]]:
    return map(plain, requests)
