"""The first answers to requests that must not be carried out twice."""

from django.db import models

from portal.foundation import clock
from portal.foundation.access.models import ApiToken
from portal.foundation.tenancy.models import TenantKey, TenantModel


class FirstAnswer(TenantModel):
    """What a POST with an `Idempotency-Key` was answered, so that the same POST gets the same answer again.

    Where the whole deed is one unit of work, row, effect and answer are committed together; elsewhere the row
    is there first, and *status* is null until the answer is known.
    """

    token = TenantKey(ApiToken, related_name="+")
    key = models.CharField(max_length=255, db_collation="C")
    path = models.CharField(max_length=250)
    body_sha256 = models.CharField(max_length=64)
    made_at = models.DateTimeField(default=clock.now)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.JSONField(null=True)
    location = models.CharField(max_length=250, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "token", "key"], name="first_answer_once_a_key")]
        indexes = [models.Index(fields=["tenant", "made_at"], name="first_answer_oldest")]
