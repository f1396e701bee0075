"""What was seen of the names in requests: evidence, immutable once it is there."""

from django.db import models
from django.db.models import Q

from lifecycle.validation.states import CaaState
from portal.foundation import clock
from portal.foundation.tenancy.models import TenantModel

STORED = (CaaState.VERIFYING, CaaState.VERIFIED, CaaState.FAILED)


class CaaCheck(TenantModel):
    """One look at the CAA records that count for one name, from one place (BR 3.2.2.8).

    The verdict can be computed again from `evidence`.  Bound to the tenant and to the issuer
    domain names that were asked for, so that what permits one authority proves nothing for another.
    """

    name = models.CharField(max_length=255, db_collation="C")  # an A-label name, lower case; a wildcard with its star
    identities = models.JSONField()  # our issuer domain names, sorted
    perspective = models.CharField(max_length=60, default="primary")
    state = models.CharField(max_length=12, default=CaaState.VERIFYING, editable=False)
    asked_at = models.DateTimeField(default=clock.now)
    asked_by = models.CharField(max_length=60)
    checked_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=40, default="")  # a code of `lifecycle.validation.words`
    evidence = models.JSONField(default=dict)  # records, where they stood, labels asked, resolver, TTL, times

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "name", "identities", "perspective"],
                condition=Q(state="verifying"),
                name="caa_one_look_at_a_time",
            ),
            models.CheckConstraint(condition=Q(state__in=[s.value for s in STORED]), name="caa_state_is_known"),
            models.CheckConstraint(
                condition=Q(state="verifying") | Q(checked_at__isnull=False),
                name="caa_answered_when_settled",
            ),
        ]
        indexes = [models.Index(fields=["tenant", "name", "asked_at"], name="caa_by_name")]

    def __str__(self) -> str:
        return f"{self.name}: {self.state}"
