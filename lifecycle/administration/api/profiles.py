"""Profiles for programs: what is issued, made and given new versions, and compared version by version.

The form, its review and its service are the page's; `content` here is what the form's fields come to.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from lifecycle.administration import profile_wording as words
from lifecycle.administration.api.profile_showing import (
    ProfileChangeSerializer,
    ProfileChoicesSerializer,
    ProfileComparisonSerializer,
    ProfileMakingSerializer,
    ProfileReviewSerializer,
    ProfileSerializer,
    content_of,
    differences,
    plain,
    rows,
)
from lifecycle.administration.api.showing import reached
from lifecycle.administration.policy_pages import profile_of
from lifecycle.administration.profile_forms import ProfileForm
from lifecycle.administration.profile_reviews import begun, choosable_authorities, every_authority, review, save
from lifecycle.administration.starts import STARTS
from lifecycle.authorities.models import CertificateProfile
from lifecycle.authorities.profiles import ProfileUnfit, Wish
from lifecycle.authorities.purposes import FITTING_USES, PURPOSES, SUBJECT_TITLES
from portal.foundation.api.bodies import judged, posted, taken
from portal.foundation.api.endpoint import Endpoint
from portal.foundation.api.errors import Invalid, fault
from portal.foundation.api.lists import PAGING, Listing, page_serializer
from portal.foundation.api.seeing import NEEDS_TAG, demand_seen
from portal.foundation.tenancy.errors import NotHere

_BIGGEST_VERSION = 2**31 - 1  # PostgreSQL's integer
PROFILES = page_serializer(ProfileSerializer, "Profile")
_NUMBER = {"type": "integer", "minimum": 1, "maximum": _BIGGEST_VERSION}


@extend_schema_view(
    get=extend_schema(
        operation_id="profiles_list",
        summary="List profiles",
        parameters=PAGING,
        responses=PROFILES,
    ),
    post=extend_schema(
        operation_id="profiles_make",
        summary="Make a profile",
        description="Nothing can be done with it before policies allow something.",
        request=ProfileMakingSerializer,
        responses={200: ProfileReviewSerializer, 201: ProfileReviewSerializer},
    ),
)
class ProfileList(Listing):
    """The newest version of each."""

    def get(self, _request: Request) -> Response:
        newest = CertificateProfile.objects.order_by("slug", "-version").distinct("slug")
        found = CertificateProfile.objects.filter(pk__in=newest.values("pk"))
        return self.page(found, rows, by="slug", descending=False)

    def post(self, request: Request) -> Response:
        given = taken(request.data, ProfileMakingSerializer)
        wish = _wish(given["content"], None, {"trust": given["trust"], "area": given.get("area", "")})
        answer, saved = _told(self, wish, None, dry=given["dry_run"])
        if saved is None:
            return Response(answer)
        where = reverse("api-profile", kwargs={"tenant": self.asked.tenant.slug, "profile": saved.slug})
        return Response(answer, status=201, headers={"Location": where})


@extend_schema_view(
    get=extend_schema(operation_id="profiles_read", summary="Read a profile", responses=ProfileSerializer),
    put=extend_schema(
        operation_id="profiles_change",
        summary="Make a profile's next version",
        description="Certificates keep the version that they were issued under; drafts go over to the new one.",
        request=ProfileChangeSerializer,
        responses=ProfileReviewSerializer,
        extensions=NEEDS_TAG,
    ),
)
class ProfileDetail(Endpoint):
    """Its newest version."""

    def get(self, _request: Request, profile: str) -> Response:
        return Response(plain(profile_of(profile)))

    def put(self, request: Request, profile: str) -> Response:
        given = taken(request.data, ProfileChangeSerializer)
        newest = profile_of(profile)
        demand_seen(request, plain(newest))
        return Response(_told(self, _wish(given["content"], newest, {}), newest, dry=given["dry_run"])[0])


def _told(
    endpoint: Endpoint, wish: Wish, newest: CertificateProfile | None, *, dry: bool
) -> tuple[dict[str, Any], CertificateProfile | None]:
    """Review and, unless it is a dry run, save; return what is answered, and the version that was made."""
    seen = newest.version if newest else 0
    with _pointing_there():
        told = review(wish, newest=newest, seen=seen)
        saved = None if dry else save(wish, newest=newest, seen=seen, by=endpoint.asked.person.pk)
    now = saved or newest
    answer = {
        "saved": saved is not None,
        "changes": differences(told.changes),
        "advice": list(map(str, told.advice)),
        "reached": reached(endpoint.asked, told.reached),
        "policies": told.policies,
        "profile": plain(now) if now else None,
    }
    return answer, saved


def _wish(content: dict[str, Any], newest: CertificateProfile | None, named: dict[str, Any]) -> Wish:
    """What was sent, as the page's form reads it; raise `Invalid` for what it refuses, or would pass over."""
    oids = list(dict.fromkeys(content["extended_key_usages"]))
    plainly = ("title", "about", "key_types", "subject", "alternative_names", "common_name_from", "days", "krs")
    form = ProfileForm(
        posted(
            {
                **named,
                **{name: content[name] for name in plainly},
                "authority": str(content["authority"]),
                **{f"key_usage_{family}": list(uses) for family, uses in content["key_usage"].items()},
                "purposes": [oid for oid in oids if oid in PURPOSES],
                "other_purposes": " ".join(oid for oid in oids if oid not in PURPOSES),
                **{f"fixed_{name}": value for name, value in content["fixed_subject"].items()},
            }
        ),
        authorities=choosable_authorities(newest.authority_id if newest else None),
        kept=words.as_wish(newest) if newest else None,
    )
    try:
        judged(form)
    except Invalid as refusal:
        raise Invalid([{**each, "pointer": _place(each["pointer"])} for each in refusal.faults]) from None
    wish = form.wish
    idle = [family for family, uses in content["key_usage"].items() if uses and family not in wish.terms.key_usage]
    if idle:
        sentence = _("No kind of key of this family is allowed, so its uses would count for nothing.")
        raise Invalid([fault(f"/content/key_usage/{family}", "idle", sentence) for family in idle])
    return wish


_PLACES = {
    "purposes": "extended_key_usages",
    "other_purposes": "extended_key_usages",
    **{f"key_usage_{family}": f"key_usage/{family}" for family in FITTING_USES},
    **{f"fixed_{name}": f"fixed_subject/{name}" for name in SUBJECT_TITLES},
}


def _place(pointer: str) -> str:
    """Where in the body the field stands that the form calls `key_usage_ec`."""
    name = pointer.removeprefix("/")
    return pointer if name in {"trust", "area", ""} else f"/content/{_PLACES.get(name, name)}"


@contextmanager
def _pointing_there() -> Iterator[None]:
    """Let a refusal by the rules say which field each rule is about."""
    try:
        yield
    except ProfileUnfit as refusal:
        refusal.faults = [
            fault(_place(f"/{each.rule.field}"), each.rule.slug, str(each)) for each in refusal.complaints
        ]
        raise


@extend_schema_view(
    get=extend_schema(
        operation_id="profiles_versions",
        summary="List the versions of a profile",
        parameters=PAGING,
        responses=PROFILES,
    )
)
class ProfileVersions(Listing):
    """Newest first."""

    def get(self, _request: Request, profile: str) -> Response:
        profile_of(profile)
        found = CertificateProfile.objects.filter(slug=profile)
        return self.page(found, rows, by="version", descending=True)


@extend_schema_view(
    get=extend_schema(
        operation_id="profiles_read_version", summary="Read a version of a profile", responses=ProfileSerializer
    )
)
class ProfileVersion(Endpoint):
    """As certificates keep it that were issued under it."""

    def get(self, _request: Request, profile: str, version: int) -> Response:
        return Response(plain(_version(profile, version)))


def _version(profile: str, version: int) -> CertificateProfile:
    known = CertificateProfile.objects.filter(slug=profile)
    found = known.filter(version=version).first() if version <= _BIGGEST_VERSION else None
    if found is None:
        raise NotHere
    return found


@extend_schema_view(
    get=extend_schema(
        operation_id="profiles_compare",
        summary="Compare two versions of a profile",
        parameters=[
            OpenApiParameter("from", _NUMBER, description="The one before the newest unless another is asked for."),
            OpenApiParameter("to", _NUMBER, description="The newest unless another is asked for."),
        ],
        responses=ProfileComparisonSerializer,
    )
)
class ProfileComparison(Endpoint):
    """Field by field."""

    def get(self, request: Request, profile: str) -> Response:
        newest = profile_of(profile)
        asked = request.query_params
        faults = [
            fault(name, "unknown", _("There is no such parameter.")) for name in sorted(set(asked) - {"from", "to"})
        ]
        faults += [
            fault(name, "no-number", _("Send the number of a version."))
            for name in ("from", "to")
            if name in asked and not _is_number(asked[name])
        ]
        if faults:
            raise Invalid(faults)
        older = _version(profile, int(asked.get("from", max(newest.version - 1, 1))))
        newer = _version(profile, int(asked.get("to", newest.version)))
        changes = words.differences(words.as_wish(older), words.as_wish(newer), every_authority())
        return Response({"older": older.version, "newer": newer.version, "changes": differences(changes)})


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < len(str(2**31)) and int(text) > 0


@extend_schema_view(
    get=extend_schema(
        operation_id="profile_choices_read",
        summary="Read what a profile can be made of",
        responses=ProfileChoicesSerializer,
    )
)
class ProfileChoices(Endpoint):
    """Where a new one can begin, and which authorities can issue it; a copy of another begins with its content."""

    def get(self, _request: Request) -> Response:
        return Response(
            {
                "starts": [
                    {
                        "slug": slug,
                        "title": str(start.title),
                        "hint": str(start.hint),
                        "trust": start.trust,
                        "content": content_of(begun(slug)),
                    }
                    for slug, start in STARTS.items()
                ],
                "authorities": [_authority(pk, title) for pk, title in choosable_authorities(None).items()],
            }
        )


def _authority(pk: UUID, title: str) -> dict[str, str]:
    return {"id": str(pk), "title": title}
