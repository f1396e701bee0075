"""What a tenant allows, and what a subscriber agrees to.  Versioned rows that never change.

A request names the versions it was judged under, so that years later one can read
what was in force.  A change is a new row; the newest counts for the very next request.
"""

from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from portal.foundation import clock
from portal.foundation.tenancy.models import TenantKey, TenantManager, TenantModel

FALLBACK = "en"
"""The language of an agreement that is read where there is none in the person's own."""


class SubscriberAgreement(TenantModel):
    """One version of the text, in one language, that a subscriber must agree to (0.R12, 0.R13)."""

    slug = models.SlugField(max_length=60, db_index=False)
    version = models.PositiveIntegerField()
    language = models.CharField(max_length=10, default="en")
    title = models.CharField(max_length=120)
    text = models.TextField()
    made_at = models.DateTimeField(default=clock.now)
    made_by = models.CharField(max_length=60, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "slug", "language", "version"], name="agreement_version_once")
        ]

    def __str__(self) -> str:
        return f"{self.title}, version {self.version}"

    @classmethod
    def in_force(cls, slug: str, language: str = FALLBACK) -> Self:
        """The newest version in *language*, else in English, else in whatever language there is.

        Raises `DoesNotExist` where a policy names an agreement nobody wrote.
        """
        newest = cls.objects.filter(slug=slug).order_by("language", "-version").distinct("language")
        by_language = {agreement.language: agreement for agreement in newest}
        for wanted in (language, language.partition("-")[0], FALLBACK, *sorted(by_language)):
            if wanted in by_language:
                return by_language[wanted]
        raise cls.DoesNotExist(f"no agreement {slug!r}")


class Policies(TenantManager["Policy"]):
    def in_force(self, *, profile: str, operation: str) -> "Policy | None":
        """The newest version for one profile and operation; None where nobody ever allowed it."""
        return self.filter(profile=profile, operation=operation).order_by("-version").first()


class Policy(TenantModel):
    """Whether an operation is possible for a profile, and what it asks for (0.R10, 0.R31)."""

    profile = models.SlugField(max_length=60, db_index=False)
    operation = models.CharField(max_length=10)
    version = models.PositiveIntegerField()
    enabled = models.BooleanField()
    factor = models.CharField(max_length=20, blank=True, default="")
    factor_settings = models.JSONField(default=dict)  # what the factor's own limits are set to (0.R37)
    agreement = models.SlugField(max_length=60, blank=True, default="", db_index=False)
    checks_caa = models.BooleanField(default=False)  # for names in the DNS (0.R25, C15)
    proves_control = models.BooleanField(default=False)  # of every name: BR 3.2.2.4, S/MIME BR 3.2.2 (1.R20)
    corroborates = models.BooleanField(default=False)  # remote perspectives have to agree (BR 3.2.2.9)
    approvals = models.PositiveSmallIntegerField(default=0)  # how many reviewers, none of them the requester (C7)
    limits = models.JSONField(default=dict)  # by their slug in `lifecycle.policies.limits`
    made_at = models.DateTimeField(default=clock.now)
    made_by = models.CharField(max_length=60)

    objects: ClassVar[Policies] = Policies()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "profile", "operation", "version"], name="policy_version_once"),
            models.CheckConstraint(
                condition=Q(operation__in=["issue", "rekey", "reissue", "renew", "revoke", "recover"]),
                name="policy_operation_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.profile}: {self.operation}, version {self.version}"

    def since(self) -> "Policy":
        """The version that switched the operation on or off as it is now: every later one left it so.

        What a refusal names, so that one can find out when it came about and whom to ask (0.R11).
        """
        versions = Policy.objects.filter(
            profile=self.profile, operation=self.operation, version__lte=self.version
        ).order_by("-version")
        other = versions.exclude(enabled=self.enabled).first()
        return versions.filter(version__gt=other.version if other else 0).reverse()[0]


class AgreementAcceptance(TenantModel):
    """Who agreed to which version, when, for which request, in which language.  Never changes (0.R13)."""

    agreement = TenantKey(SubscriberAgreement, related_name="+")
    version = models.PositiveIntegerField()
    language = models.CharField(max_length=10)
    person_id = models.UUIDField()
    certificate_request = models.UUIDField()  # requests stand above policies, so this is an id and no key
    at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "certificate_request", "agreement"], name="acceptance_once_a_request"
            )
        ]
        indexes = [models.Index(fields=["tenant", "agreement", "at", "id"], name="acceptance_by_agreement")]
