"""The steps of a draft for programs, its second factor, and its submission.

The forms are the pages' own; `ANSWERS` says of each step which of their fields are asked, and of which type.
"""

from contextlib import suppress
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from auth2fa import challenges
from auth2fa.errors import ChallengeOver
from lifecycle.authorities.names import NAME_KINDS
from lifecycle.requests.errors import CodeWanted, NothingToConfirm, StepIsAhead, StepsOpen, SubmittedAlready
from lifecycle.requests.kinds import UseCase
from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.orders import names_to_check
from lifecycle.wizards.answering import (
    ask_for_code,
    draft_of,
    have_looked_up,
    keep,
    person_of,
    step_of,
    submit,
)
from lifecycle.wizards.api.showing import SLUGS, RequestDetailSerializer, StepDetailSerializer, in_full, step_in_full
from lifecycle.wizards.domains import DomainsForm
from lifecycle.wizards.flow import Flow, Step
from lifecycle.wizards.forms import LARGEST_CSR, LONGEST_MESSAGE
from lifecycle.wizards.identity import LONGEST_NAME, LONGEST_WRITTEN
from lifecycle.wizards.leaving import leave_out
from lifecycle.wizards.request_pages import request_of
from lifecycle.wizards.steps import STEPS
from portal.foundation.api.bodies import NothingSerializer, judged, posted, taken
from portal.foundation.api.endpoint import Endpoint, between_units
from portal.foundation.api.errors import Invalid, fault


class SubjectAnswerSerializer(serializers.Serializer[Any]):
    common_name = serializers.CharField(max_length=LONGEST_NAME, required=False, allow_blank=True)
    organizational_unit = serializers.CharField(max_length=LONGEST_NAME, required=False, allow_blank=True)


class NamesAnswerSerializer(serializers.Serializer[Any]):
    """Names by their kind."""

    def get_fields(self) -> dict[str, Any]:
        return {slug: serializers.ListField(child=_Name(), required=False) for slug in NAME_KINDS}


class _Name(serializers.CharField):
    def __init__(self) -> None:
        super().__init__(max_length=LONGEST_WRITTEN)


class ValidityAnswerSerializer(serializers.Serializer[Any]):
    days = serializers.IntegerField(required=False, min_value=1, max_value=36500)


class KeyAnswerSerializer(serializers.Serializer[Any]):
    csr = serializers.CharField(max_length=LARGEST_CSR, help_text="PEM, or Base64 alone.")


class DomainsAnswerSerializer(serializers.Serializer[Any]):
    """An empty object, which settles the step when all is known of every name; or names to go on without."""

    leave_out = serializers.ListField(
        child=serializers.CharField(max_length=260),
        required=False,
        min_length=1,
        max_length=200,
        help_text="Names that are taken out of the request; what is known of the others stays.",
    )


class ConfirmAnswerSerializer(serializers.Serializer[Any]):
    seen = serializers.CharField(max_length=16, help_text="The value of the field `seen`, as it was read.")
    agreement = serializers.CharField(max_length=36, required=False, allow_blank=True, help_text="Likewise.")
    use_case = serializers.ChoiceField(UseCase.values, required=False, help_text="Why a key is replaced.")
    message = serializers.CharField(max_length=LONGEST_MESSAGE, required=False, allow_blank=True)
    consent = serializers.BooleanField(help_text="Must be true: to the operation, and to the agreement.")


ANSWERS: dict[str, type[serializers.Serializer[Any]]] = {
    "subject": SubjectAnswerSerializer,
    "names": NamesAnswerSerializer,
    "validity": ValidityAnswerSerializer,
    "key": KeyAnswerSerializer,
    "domains": DomainsAnswerSerializer,
    "confirm": ConfirmAnswerSerializer,
}
"""By the step's slug.  A test holds them against the forms."""

STEP = OpenApiParameter("step", str, "path", enum=SLUGS, description="Those of `steps` in the request.")


@extend_schema_view(
    get=extend_schema(
        operation_id="steps_read", summary="Read a step", parameters=[STEP], responses=StepDetailSerializer
    ),
    put=extend_schema(
        operation_id="steps_answer",
        summary="Answer a step",
        description="The object's fields are those that the step lists and does not lock. "
        "An answer may be given again; later steps whose answers no longer fit are open again.",
        parameters=[STEP],
        request=PolymorphicProxySerializer("StepAnswer", list(ANSWERS.values()), resource_type_field_name=None),
        responses=RequestDetailSerializer,
    ),
)
class RequestStep(Endpoint):
    """One question of a draft; any settled step can be read and answered, and the first open one."""

    def get(self, _request: Request, pk: UUID, step: str) -> Response:
        draft = self._draft(pk)
        flow, here = self._reach(draft, step)
        form = here.form(draft=draft, initial=dict(draft.answers.get(here.slug) or {}))
        return Response(step_in_full(flow, here, form))

    def put(self, request: Request, pk: UUID, step: str) -> Response:
        draft = self._draft(pk)
        _flow, here = self._reach(draft, step)
        given = taken(request.data, ANSWERS[here.slug])
        if here.slug == "domains" and (names := given.pop("leave_out", [])):
            return self._left_out(draft, names)
        form = here.form(posted(given), draft=draft)
        asked = {name for name, field in form.fields.items() if not field.disabled}
        if strange := sorted(given.keys() - asked):
            raise Invalid([fault(f"/{name}", "unknown", _("This step does not ask that now.")) for name in strange])
        keep(draft, here, judged(form))
        return Response(in_full(self.asked, request_of(self.asked, pk)))

    def _left_out(self, draft: CertificateRequest, names: list[str]) -> Response:
        """The request without *names*, all of them or none; the step is settled where nothing is left to be done."""
        if strange := sorted(set(names) - {row.name for row in DomainsForm(draft=draft).rows}):
            raise Invalid([_not_its_name("/leave_out", name) for name in strange])
        for name in dict.fromkeys(names):
            leave_out(draft, name)
        _flow, here = step_of(draft, "domains")
        form = here.form({}, draft=draft)
        if here.slug == "domains" and form.is_valid():
            keep(draft, here, form)
        return Response(in_full(self.asked, request_of(self.asked, draft.pk)))

    def _draft(self, pk: UUID) -> CertificateRequest:
        draft = draft_of(self.asked, pk)
        if not draft.is_draft:
            raise SubmittedAlready(number=draft.number)
        return draft

    @staticmethod
    def _reach(draft: CertificateRequest, slug: str) -> tuple[Flow, Step]:
        flow, here = step_of(draft, slug)
        if here.slug != slug:
            raise StepIsAhead(open=here.title)
        return flow, here


def _not_its_name(pointer: str, name: str) -> dict[str, str]:
    return fault(pointer, "unknown", _("{name} is none of this request's names.").format(name=name))


class DomainChecksSerializer(serializers.Serializer[Any]):
    names = serializers.ListField(
        child=serializers.CharField(max_length=260),
        required=False,
        min_length=1,
        help_text="Which of the request's names; all of them where it is left out.",
    )


@extend_schema_view(
    post=extend_schema(
        operation_id="domain_checks_ask",
        summary="Have names looked up",
        description="Asks for the CAA records of the request's names; read the step `domains` for what was found.",
        request=DomainChecksSerializer,
        responses={202: RequestDetailSerializer},
    )
)
class DomainChecks(Endpoint):
    """Looked up by a worker; names that rest after a failed look, or are to be proven first, are left out."""

    def post(self, request: Request, pk: UUID) -> Response:
        given = taken(request.data, DomainChecksSerializer)
        draft = draft_of(self.asked, pk)
        if not draft.is_draft:
            raise SubmittedAlready(number=draft.number)
        _flow, here = step_of(draft, "domains")
        if here.slug != "domains":
            raise StepIsAhead(open=here.title)
        names = given.get("names", [])
        if strange := [name for name in names if name not in names_to_check(draft)]:
            raise Invalid([_not_its_name("/names", name) for name in strange])
        have_looked_up(draft, names, by=self.asked.person.pk)
        return Response(in_full(self.asked, request_of(self.asked, pk)), status=202)


@extend_schema_view(
    post=extend_schema(
        operation_id="confirmation_ask",
        summary="Ask for the second factor",
        description="Asked again, it sends another code, which makes the one before void.",
        request=NothingSerializer,
        responses={201: RequestDetailSerializer},
    )
)
class Confirmation(Endpoint):
    """Puts the question that the policy wants answered, for exactly what the request says now."""

    @between_units
    def post(self, request: Request, pk: UUID) -> Response:
        taken(request.data, NothingSerializer)
        with self.unit():
            draft = finished(self.asked, pk)
        if not draft.policy.factor:
            raise NothingToConfirm
        challenge = ask_for_code(self.asked, draft)
        if challenge.pk == draft.challenge and not challenge.answered_at:
            challenges.resend(challenge.pk, person_of(self.asked))
        with self.unit():
            return Response(in_full(self.asked, request_of(self.asked, pk)), status=201)


class SubmissionSerializer(serializers.Serializer[Any]):
    code = serializers.CharField(
        required=False, max_length=40, help_text="What the second factor asked for; left out where none is."
    )


@extend_schema_view(
    post=extend_schema(
        operation_id="requests_submit",
        summary="Submit a request",
        request=SubmissionSerializer,
        responses=RequestDetailSerializer,
    )
)
class Submission(Endpoint):
    """Judges the draft under all rules and sends it on its way, once; what is submitted already stays as it is."""

    @between_units
    def post(self, request: Request, pk: UUID) -> Response:
        given = taken(request.data, SubmissionSerializer)
        with self.unit():
            draft = draft_of(self.asked, pk)
            if draft.is_draft:
                finished(self.asked, pk)
        if draft.is_draft:
            if draft.policy.factor and "code" in given:
                if draft.challenge is None:
                    raise CodeWanted
                # an answer that was taken, by a twin or by a process that died before it submitted, is still good
                # for its deed: whether there is one, `submit` finds out
                with suppress(ChallengeOver):
                    challenges.answer(draft.challenge, person_of(self.asked), {"code": given["code"]})
            elif draft.policy.factor:
                raise CodeWanted
            submit(self.asked, pk)
        with self.unit():
            return Response(in_full(self.asked, request_of(self.asked, pk)))


def finished(asked: Any, pk: UUID) -> CertificateRequest:
    """Lock a draft all of whose steps are settled; raises `SubmittedAlready` or `StepsOpen`."""
    draft = draft_of(asked, pk)
    if not draft.is_draft:
        raise SubmittedAlready(number=draft.number)
    if left := Flow(draft, STEPS).open_step:
        raise StepsOpen(step=left.title)
    return draft
