"""What programs read and send of profiles."""

from collections.abc import Iterable, Iterator
from typing import Any

from rest_framework import serializers

from lifecycle.administration import profile_wording as words
from lifecycle.administration.api.showing import DRY_RUN, DifferenceSerializer, ReachedSerializer
from lifecycle.administration.starts import STARTS
from lifecycle.authorities.keys import KEY_KINDS
from lifecycle.authorities.models import CertificateProfile, Terms, Trust
from lifecycle.authorities.names import NAME_KINDS
from lifecycle.authorities.profile_rules import LONGEST_DAYS, LONGEST_VALUE, MOST_PURPOSES
from lifecycle.authorities.profiles import LABELS, Wish
from lifecycle.authorities.purposes import ASKED, FITTING_USES, USES


def _some_of(choices: Any, **kwargs: Any) -> serializers.ListField:
    return serializers.ListField(child=serializers.ChoiceField(list(choices)), max_length=len(list(choices)), **kwargs)


class KeyUsageSerializer(serializers.Serializer[Any]):
    """Of the families of `key_types` alone."""

    ec = _some_of([use for use in USES if use in FITTING_USES["ec"]], required=False)
    rsa = _some_of([use for use in USES if use in FITTING_USES["rsa"]], required=False)


class FixedSubjectSerializer(serializers.Serializer[Any]):
    country = serializers.CharField(required=False, max_length=2)
    organization = serializers.CharField(required=False, max_length=LONGEST_VALUE)
    organizational_unit = serializers.CharField(required=False, max_length=LONGEST_VALUE)
    common_name = serializers.CharField(required=False, max_length=LONGEST_VALUE)


class ContentSerializer(serializers.Serializer[Any]):
    """What a version says; all of it, so that nothing is lost by being left out."""

    title = serializers.CharField(max_length=LABELS["title"])
    about = serializers.CharField(max_length=LABELS["about"], allow_blank=True)
    authority = serializers.UUIDField(help_text="One of `profile-choices`.")
    key_types = _some_of(KEY_KINDS, min_length=1)
    key_usage = KeyUsageSerializer()
    extended_key_usages = serializers.ListField(
        child=serializers.RegexField(r"^[0-2](\.(0|[1-9][0-9]{0,15})){2,30}$"),
        max_length=MOST_PURPOSES,
        help_text="Object identifiers with dots.",
    )
    subject = _some_of(ASKED, help_text="What is asked of the subscriber.")
    fixed_subject = FixedSubjectSerializer(help_text="What is the same in every certificate.")
    alternative_names = _some_of(NAME_KINDS)
    common_name_from = serializers.ChoiceField(
        list(NAME_KINDS), allow_blank=True, help_text="Empty: it is asked for, fixed, or left out."
    )
    days = serializers.IntegerField(min_value=1, max_value=LONGEST_DAYS)
    krs = serializers.BooleanField(help_text="Whether keys are archived, so that they can be recovered.")


class ProfileSerializer(serializers.Serializer[Any]):
    slug = serializers.CharField(help_text="Its name in addresses; stays for good.")
    version = serializers.IntegerField()
    trust = serializers.ChoiceField(Trust.values)
    area = serializers.CharField(help_text="The product area whose menu shows its certificates.")
    content = ContentSerializer()
    made_at = serializers.DateTimeField()
    made_by = serializers.CharField(allow_blank=True, help_text="A person's id, or which part of the portal it was.")


class ProfileMakingSerializer(serializers.Serializer[Any]):
    trust = serializers.ChoiceField(Trust.values, help_text="Stays for good.")
    area = serializers.RegexField(
        r"^[a-z0-9]+([-_][a-z0-9]+)*$",
        max_length=LABELS["area"],
        required=False,
        help_text="Stays for good; left out, it is made of the title.",
    )
    content = ContentSerializer()
    dry_run = serializers.BooleanField(default=False, help_text=DRY_RUN)


class ProfileChangeSerializer(serializers.Serializer[Any]):
    content = ContentSerializer()
    dry_run = serializers.BooleanField(default=False, help_text=DRY_RUN)


class ProfileReviewSerializer(serializers.Serializer[Any]):
    saved = serializers.BooleanField(help_text="False after a dry run.")
    changes = DifferenceSerializer(many=True, help_text="Against the version before; none for a first one.")
    advice = serializers.ListField(child=serializers.CharField(), help_text="What the rules say against it.")
    reached = ReachedSerializer(many=True)
    policies = serializers.ListField(child=serializers.CharField(), help_text="Policies in force that no longer fit.")
    profile = ProfileSerializer(allow_null=True, help_text="As it is now; null after a dry run of a first version.")


class ProfileStartSerializer(serializers.Serializer[Any]):
    slug = serializers.ChoiceField(list(STARTS))
    title = serializers.CharField()
    hint = serializers.CharField()
    trust = serializers.ChoiceField(Trust.values)
    content = ContentSerializer(help_text="Everything but a title.")


class AuthoritySerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    title = serializers.CharField()


class ProfileChoicesSerializer(serializers.Serializer[Any]):
    starts = ProfileStartSerializer(many=True)
    authorities = AuthoritySerializer(many=True)


class ProfileComparisonSerializer(serializers.Serializer[Any]):
    older = serializers.IntegerField()
    newer = serializers.IntegerField()
    changes = DifferenceSerializer(many=True)


def plain(profile: CertificateProfile) -> dict[str, Any]:
    return {
        "slug": profile.slug,
        "version": profile.version,
        "trust": profile.trust,
        "area": profile.area,
        "content": content_of(words.as_wish(profile)),
        "made_at": profile.made_at.isoformat(),
        "made_by": profile.made_by,
    }


def content_of(wish: Wish) -> dict[str, Any]:
    terms: Terms = wish.terms
    return {
        "title": wish.title,
        "about": str(wish.content.get("about", "")),
        "authority": str(wish.authority),
        "key_types": list(terms.key_types),
        "key_usage": {family: list(uses) for family, uses in terms.key_usage.items()},
        "extended_key_usages": list(terms.extended_key_usages),
        "subject": list(terms.subject),
        "fixed_subject": {name: value for name, value in terms.fixed_subject.items() if value},
        "alternative_names": list(terms.alternative_names),
        "common_name_from": terms.common_name_from,
        "days": terms.days,
        "krs": terms.krs,
    }


def rows(found: list[CertificateProfile]) -> Iterator[dict[str, Any]]:
    return map(plain, found)


def differences(found: Iterable[words.Difference]) -> list[dict[str, Any]]:
    return [{"field": row.field, "title": str(row.label), "before": row.before, "after": row.after} for row in found]
