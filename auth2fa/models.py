"""Challenges, and the counters that slow down guessing at sign-in."""

from datetime import datetime
from typing import ClassVar, Self

from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models import F, Q

from portal.foundation.access.models import User
from portal.foundation.ids import uuid7
from portal.foundation.tenancy.models import PersonManager, Tenant


class Challenge(models.Model):
    """A question only one person can answer, put for one deed, answered once and spent once.

    It belongs to the person: row-level security hides it from everybody else.  Its life,
    asked -> answered -> spent or over, is told by facts and not by a state, and the
    database lets none of them un-happen (`0002_fences`).  While a message is under way,
    and if it could not be handed over, `expires_at` is the moment it was asked: it has
    lapsed before it began, so that nothing has to be undone.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False, null=True)
    factor = models.CharField(max_length=20)
    settings = models.JSONField()  # the factor's limits as they were when it asked
    purpose = models.CharField(max_length=60)
    about = models.TextField()  # the deed in the words that the person was shown
    deed = models.CharField(max_length=64)  # SHA-256 over purpose and payload, in hexadecimal
    notes = models.JSONField(default=dict)  # the factor's own; no secret in clear
    prompt = models.JSONField(default=dict)  # what may be shown, so that the page can be shown again
    tries = models.PositiveSmallIntegerField(default=0)
    sends = models.PositiveSmallIntegerField(default=1)
    asked_at = models.DateTimeField()
    sent_at = models.DateTimeField()  # when the newest message set out, whether or not it arrived
    expires_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    spent_at = models.DateTimeField(null=True)

    objects: ClassVar[PersonManager[Self]] = PersonManager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(answered_at=None) | Q(tries__gt=0), name="challenge_answered_by_a_counted_try"
            ),
            models.CheckConstraint(
                condition=Q(spent_at=None) | Q(spent_at__gte=F("answered_at"), answered_at__isnull=False),
                name="challenge_spent_after_answered",
            ),
        ]
        indexes = [
            models.Index(fields=["person", "sent_at"], name="challenge_by_sending"),
            models.Index(fields=["person", "deed"], name="challenge_by_deed"),
        ]

    def __str__(self) -> str:
        return f"{self.factor} for {self.purpose}"

    @property
    def tries_left(self) -> int:
        return max(0, int(self.settings["tries"]) - self.tries)

    def may_be_answered(self, at: datetime) -> bool:
        return self.answered_at is None and self.tries_left > 0 and at < self.expires_at


class FailedSignIns(models.Model):
    """How often sign-in failed of late for one account name, or from one address.

    A platform table: whoever signs in is nobody yet, so there is neither a person nor a
    tenant to fence it by.  It holds keyed hashes, no names and no addresses, and lives in
    the database, so that a Redis which lost its memory opens no door.  Rows go a day
    after the last failure.
    """

    key = models.CharField(max_length=64, primary_key=True)
    failures = models.PositiveIntegerField(default=0)
    failed_at = models.DateTimeField(db_index=True)
    turned_away = models.PositiveIntegerField(default=0)  # attempts since then that were not even looked at

    def __str__(self) -> str:
        return f"{self.failures} since {self.failed_at}"


class Enrolment(models.Model):
    """A second factor that a person owns: a TOTP secret, sealed; later a passkey.  Row-level security keeps it theirs.

    It counts once `confirmed_at` is set: whoever shows the first right code has the secret.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    factor = models.CharField(max_length=20)
    label = models.CharField(max_length=60)
    secret = models.BinaryField()  # sealed with the second-factor key, bound to person and row
    memory = models.JSONField(default=dict)  # what was used last, so that it is not used again
    made_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)
    removed_at = models.DateTimeField(null=True)

    objects: ClassVar[PersonManager[Self]] = PersonManager()

    class Meta:
        indexes = [models.Index(fields=["person", "factor"], name="enrolment_by_person")]


class SignedIn(AbstractBaseSession):
    """A session, with whose it is, so that a person and their administrator can see and end it.

    A platform table: a session is looked up by its key before anybody is known.
    """

    person_id = models.UUIDField(null=True, db_index=True)
    began_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)
    address = models.CharField(max_length=45, default="")
    agent = models.CharField(max_length=200, default="")

    class Meta:
        db_table = "auth2fa_signedin"
        indexes = [models.Index(fields=["expire_date"], name="signedin_by_end")]
