"""What programs read and send of policies."""

from collections.abc import Iterable, Mapping
from typing import Any

from rest_framework import serializers

from auth2fa.registry import FACTORS
from lifecycle.administration import wording
from lifecycle.administration.api.showing import DRY_RUN, ReachedSerializer
from lifecycle.administration.subjects import subject_of
from lifecycle.authorities.models import CertificateProfile, Trust
from lifecycle.policies.asks import Asks
from lifecycle.policies.limits import FACTOR_SETTINGS, LIMITS, Limit
from lifecycle.policies.models import Policy
from lifecycle.policies.standing import MOST_APPROVALS, settled


def _numbers(name: str, limits: tuple[Limit, ...]) -> type[serializers.Serializer[Any]]:
    """A serializer with an optional number for each of *limits*."""
    fields: dict[str, Any] = {
        each.slug: serializers.IntegerField(
            required=False,
            min_value=each.least,
            max_value=each.most,
            help_text=f"In {each.unit}. {each.hint}",
        )
        for each in limits
    }
    made: type[serializers.Serializer[Any]] = type(f"{name}Serializer", (serializers.Serializer,), fields)
    return made


LimitsSerializer = _numbers("PolicyLimits", LIMITS)
FactorSettingsSerializer = _numbers("FactorSettings", FACTOR_SETTINGS)


class AsksSerializer(serializers.Serializer[Any]):
    """What a policy asks for: all of it, so that nothing is loosened by being left out."""

    enabled = serializers.BooleanField()
    factor = serializers.ChoiceField(sorted(FACTORS), allow_blank=True, help_text="Empty: none is asked for.")
    factor_settings = FactorSettingsSerializer(help_text="What is left out is as usual.")
    agreement = serializers.CharField(max_length=60, allow_blank=True, help_text="Empty: none is asked for.")
    proves_control = serializers.BooleanField(help_text="Control of every name has to be proven.")
    checks_caa = serializers.BooleanField(help_text="The CAA records of every name have to permit it.")
    corroborates = serializers.BooleanField(help_text="Remote perspectives have to see the same.")
    approvals = serializers.IntegerField(min_value=0, max_value=MOST_APPROVALS)
    limits = LimitsSerializer(help_text="What is left out is not limited.")


class PolicySerializer(serializers.Serializer[Any]):
    profile = serializers.CharField()
    operation = serializers.ChoiceField(list(wording.OPERATIONS))
    title = serializers.CharField(help_text="The operation's name.")
    version = serializers.IntegerField(help_text="0 where nobody has decided anything yet: nothing is allowed.")
    asks = AsksSerializer()
    made_at = serializers.DateTimeField(allow_null=True)
    made_by = serializers.CharField(allow_null=True, help_text="A person's id, or which part of the portal it was.")


class SettingChangeSerializer(serializers.Serializer[Any]):
    """One setting, as people read it, and what a laxer one gives up."""

    operation = serializers.ChoiceField(list(wording.OPERATIONS))
    field = serializers.CharField()
    before = serializers.CharField(allow_blank=True)
    after = serializers.CharField(allow_blank=True)
    gives_up = serializers.CharField(allow_blank=True)


class PolicyVersionSerializer(PolicySerializer):
    changes = SettingChangeSerializer(many=True, help_text="Against the version before it.")


class MatrixRowSerializer(PolicySerializer):
    settled = serializers.ListField(child=serializers.CharField(), help_text="Fields of `asks` that nobody decides.")
    available = serializers.BooleanField(help_text="False: stored, and counts once a release can carry it out.")


class MatrixSerializer(serializers.Serializer[Any]):
    """Everything that a profile allows."""

    profile = serializers.CharField()
    title = serializers.CharField()
    trust = serializers.ChoiceField(Trust.values)
    operations = MatrixRowSerializer(many=True)


class WantedSerializer(serializers.Serializer[Any]):
    """By operation; one that is left out stays as it is."""

    issue = AsksSerializer(required=False)
    rekey = AsksSerializer(required=False)
    reissue = AsksSerializer(required=False)
    renew = AsksSerializer(required=False)
    revoke = AsksSerializer(required=False)
    recover = AsksSerializer(required=False)


class PolicyChangeSerializer(serializers.Serializer[Any]):
    operations = WantedSerializer()
    dry_run = serializers.BooleanField(default=False, help_text=DRY_RUN)


class PolicyReviewSerializer(serializers.Serializer[Any]):
    saved = serializers.BooleanField(help_text="False after a dry run.")
    changes = SettingChangeSerializer(many=True)
    advice = serializers.ListField(child=serializers.CharField(), help_text="What the rules say against it.")
    reached = ReachedSerializer(many=True)
    later = serializers.ListField(child=serializers.CharField(), help_text="Stored, and counts with a later release.")
    policies = MatrixSerializer(help_text="As they are now.")


def plain(policy: Policy) -> dict[str, Any]:
    return {
        "profile": policy.profile,
        "operation": policy.operation,
        "title": str(wording.OPERATIONS[policy.operation].title),
        "version": policy.version,
        "asks": Asks.of(policy).content(),
        "made_at": policy.made_at.isoformat(),
        "made_by": policy.made_by,
    }


def changes(found: Iterable[wording.Change]) -> list[dict[str, Any]]:
    return [
        {
            "operation": each.operation,
            "field": each.field,
            "before": each.before,
            "after": each.after,
            "gives_up": each.gives_up,
        }
        for each in found
    ]


def matrix(profile: CertificateProfile, in_force: Mapping[str, Policy]) -> dict[str, Any]:
    subject = subject_of(profile)
    undecided = {"profile": profile.slug, "version": 0, "asks": Asks().content(), "made_at": None, "made_by": None}
    return {
        "profile": profile.slug,
        "title": profile.title,
        "trust": profile.trust,
        "operations": [
            {
                **(plain(in_force[name]) if name in in_force else undecided),
                "operation": name,
                "title": str(operation.title),
                "settled": sorted(settled(name, subject)),
                "available": operation.is_available,
            }
            for name, operation in wording.OPERATIONS.items()
        ],
    }
