"""Policies for programs: what each profile allows, how that came about, and changing it.

The form, its review and its service are the page's.  What the page has no field for, since nobody decides it, is
refused here where it is sent otherwise than it is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from lifecycle.administration import wording
from lifecycle.administration.api.policy_showing import (
    MatrixSerializer,
    PolicyChangeSerializer,
    PolicyReviewSerializer,
    PolicySerializer,
    PolicyVersionSerializer,
    changes,
    matrix,
    plain,
)
from lifecycle.administration.api.showing import reached
from lifecycle.administration.policy_forms import PolicyForm
from lifecycle.administration.policy_pages import profile_of, versions_of
from lifecycle.administration.policy_reviews import review
from lifecycle.administration.subjects import subject_of
from lifecycle.policies import selectors
from lifecycle.policies.asks import Asks
from lifecycle.policies.errors import PolicyUnfit
from lifecycle.policies.limits import FACTOR_SETTINGS, LIMITS
from lifecycle.policies.models import Policy
from lifecycle.policies.services import change_policies
from lifecycle.policies.standing import Subject
from portal.foundation.api.bodies import judged, posted, taken
from portal.foundation.api.endpoint import Endpoint
from portal.foundation.api.errors import Invalid, fault
from portal.foundation.api.lists import PAGING, Listing, page_serializer, parameters_of
from portal.foundation.api.seeing import NEEDS_TAG, demand_seen
from portal.foundation.lists import narrowing
from portal.foundation.tenancy.errors import NotHere

OPERATION = OpenApiParameter("operation", str, "path", enum=list(wording.OPERATIONS))
_BIGGEST_VERSION = 2**31 - 1  # PostgreSQL's integer


class PolicyFilters(narrowing.Filters):
    profile = forms.SlugField(label=gettext_lazy("Profile"), required=False, max_length=60)
    operation = forms.ChoiceField(
        label=gettext_lazy("Operation"),
        required=False,
        choices=[narrowing.ANY, *((each.slug, each.title) for each in wording.OPERATIONS.values())],
    )

    def __init__(self, asked: Any) -> None:
        super().__init__(asked)
        del self.fields["sort"]


@extend_schema_view(
    get=extend_schema(
        operation_id="policies_list",
        summary="List policies",
        parameters=parameters_of(PolicyFilters),
        responses=page_serializer(PolicySerializer, "Policy"),
    )
)
class PolicyList(Listing):
    """Those in force, one for each profile and operation that somebody decided something about."""

    def get(self, _request: Request) -> Response:
        filters = PolicyFilters(self.request.query_params)
        narrowed = {name: filters.chosen(name) for name in filters.fields if filters.chosen(name)}
        newest = Policy.objects.order_by("profile", "operation", "-version").distinct("profile", "operation")
        found = Policy.objects.filter(pk__in=newest.values("pk"), **narrowed)
        return self.page(found, _rows, by="profile", descending=False, filters=filters)


def _rows(rows: list[Policy]) -> Iterator[dict[str, Any]]:
    return map(plain, rows)


@extend_schema_view(
    get=extend_schema(
        operation_id="policies_of_profile", summary="Read a profile's policies", responses=MatrixSerializer
    ),
    put=extend_schema(
        operation_id="policies_change",
        summary="Change a profile's policies",
        description="All of them or none; what is saved counts for the very next request.",
        request=PolicyChangeSerializer,
        responses=PolicyReviewSerializer,
        extensions=NEEDS_TAG,
    ),
)
class ProfilePolicies(Endpoint):
    """The matrix of one profile."""

    def get(self, _request: Request, profile: str) -> Response:
        return Response(matrix(profile_of(profile), selectors.of_profile(profile)))

    def put(self, request: Request, profile: str) -> Response:
        given = taken(request.data, PolicyChangeSerializer)
        found, in_force = profile_of(profile), selectors.of_profile(profile)
        demand_seen(request, matrix(found, in_force))
        agreements, subject = selectors.agreement_titles(), subject_of(found)
        sent = {name: Asks(**asks) for name, asks in given["operations"].items()}
        wanted = _wanted(sent, in_force, subject, agreements)
        seen = {name: policy.version for name, policy in in_force.items()}
        with _pointing_there():
            told = review(found, wanted, seen=seen, in_force=in_force, agreements=agreements)
            if not given["dry_run"]:
                change_policies(profile, wanted, seen=seen, subject=subject, by=self.asked.person.pk)
        return Response(
            {
                "saved": not given["dry_run"],
                "changes": changes(told.changes),
                "advice": told.advice,
                "reached": reached(self.asked, told.reached),
                "later": list(map(str, told.later)),
                "policies": matrix(found, selectors.of_profile(profile)),
            }
        )


def _wanted(
    sent: dict[str, Asks], in_force: dict[str, Policy], subject: Subject, agreements: dict[str, str]
) -> dict[str, Asks]:
    """What was sent, as the page's form reads it; raise `Invalid` for what it refuses, or would pass over."""
    current = {name: Asks.of(policy) for name, policy in in_force.items()}
    fields: dict[str, Any] = {}
    for name, asks in {**{name: Asks() for name in wording.OPERATIONS}, **current, **sent}.items():
        content = asks.content()
        fields |= {f"{name}-{field}": value for field, value in content.items() if not isinstance(value, dict)}
        fields |= {f"{name}-{slug}": value for slug, value in {**asks.factor_settings, **asks.limits}.items()}
    form = PolicyForm(posted(fields), subject=subject, agreements=agreements, current=current, versions={})
    try:
        judged(form)
    except Invalid as refusal:
        raise Invalid([{**each, "pointer": _place(each["pointer"])} for each in refusal.faults]) from None
    passed_over = [
        fault(_pointer(name, field), "settled", _("Nobody decides this here: it stays {value}.").format(value=stays))
        for name, asks in sent.items()
        for field, _wish, stays in asks.differences(form.wanted[name])
    ]
    if passed_over:
        raise Invalid(passed_over)
    return {name: form.wanted[name] for name in sent}


def _place(pointer: str) -> str:
    """Where in the body the field stands that the form calls `rekey-most_names`."""
    name, _dash, field = pointer.removeprefix("/").partition("-")
    inside = {
        **{each.slug: "limits." for each in LIMITS},
        **{each.slug: "factor_settings." for each in FACTOR_SETTINGS},
    }
    return _pointer(name, f"{inside.get(field, '')}{field}")


def _pointer(operation: str, field: str) -> str:
    return f"/operations/{operation}/{field.replace('.', '/')}"


@contextmanager
def _pointing_there() -> Iterator[None]:
    """Let a refusal by the rules say which field each rule is about."""
    try:
        yield
    except PolicyUnfit as refusal:
        refusal.faults = [
            fault(_pointer(each.operation, each.rule.field), each.rule.slug, str(each)) for each in refusal.complaints
        ]
        raise


@extend_schema_view(
    get=extend_schema(
        operation_id="policies_history",
        summary="List the versions of a profile's policies",
        parameters=PAGING,
        responses=page_serializer(PolicyVersionSerializer, "PolicyVersion"),
    )
)
class PolicyHistory(Listing):
    """Newest first, each with what it changed."""

    def get(self, _request: Request, profile: str) -> Response:
        profile_of(profile)
        agreements = selectors.agreement_titles()

        def shown(rows: list[Policy]) -> Iterator[dict[str, Any]]:
            return ({**plain(each.policy), "changes": changes(each.changes)} for each in versions_of(rows, agreements))

        return self.page(selectors.history_of(profile), shown, by="pk", descending=True)


@extend_schema_view(
    get=extend_schema(
        operation_id="policies_read", summary="Read a policy", parameters=[OPERATION], responses=PolicySerializer
    )
)
class PolicyDetail(Endpoint):
    """What is in force for one operation of one profile."""

    def get(self, _request: Request, profile: str, operation: str) -> Response:
        found = Policy.objects.in_force(profile=profile, operation=operation)
        if found is None:
            raise NotHere
        return Response(plain(found))


@extend_schema_view(
    get=extend_schema(
        operation_id="policies_read_version",
        summary="Read a version of a policy",
        parameters=[OPERATION],
        responses=PolicyVersionSerializer,
    )
)
class PolicyVersion(Endpoint):
    """What was in force, and what it changed."""

    def get(self, _request: Request, profile: str, operation: str, version: int) -> Response:
        versions = selectors.history_of(profile).filter(operation=operation)
        found = versions.filter(version=version).first() if version <= _BIGGEST_VERSION else None
        if found is None:
            raise NotHere
        [told] = versions_of([found], selectors.agreement_titles())
        return Response({**plain(found), "changes": changes(told.changes)})
