"""People, and the tenants they belong to."""

from datetime import datetime
from typing import ClassVar, Self

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models

from portal.foundation.access.permissions import Role
from portal.foundation.ids import uuid7
from portal.foundation.tenancy.models import TenantModel

LOCAL = "local"
"""The issuer of people who sign in here with a password."""


class People(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        """Find somebody who signs in here by the name they sign in with."""
        return self.get(issuer=LOCAL, subject=(username or "").strip().lower())


class User(AbstractBaseUser):
    """A person, known by (issuer, subject) and never by their e-mail address alone.

    Two identity providers may name two people with the same address; only the pair is
    an identity.  A platform row: a person exists before and beside any tenant.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    issuer = models.CharField(max_length=200, default=LOCAL)
    subject = models.CharField(max_length=200)
    email = models.EmailField()
    name = models.CharField(max_length=120)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    objects: ClassVar[People] = People()

    USERNAME_FIELD = "id"  # Django wants one unique column; nobody signs in with it

    class Meta:
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="user_is_an_issuers_subject")]

    def __str__(self) -> str:
        return self.name


class Membership(TenantModel):
    """A person's role in a tenant; somebody with three roles has three rows."""

    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=20, choices=Role)
    suspended_at = models.DateTimeField(null=True)  # the person keeps their account and other tenants

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "person", "role"], name="membership_once"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="membership_role_is_known"),
        ]

    @classmethod
    def of_person(cls) -> models.QuerySet[Self]:
        """The memberships that the unit of work's person may see: in `acting_as`, their own everywhere.

        It bypasses the tenant manager on purpose, since it answers which tenants there are;
        row-level security lets through nobody else's rows.
        """
        rows = cls._base_manager.filter(suspended_at=None)
        return rows.select_related("tenant").order_by("tenant__name", "role")


class Invitation(TenantModel):
    """A place in a tenant that waits for somebody to take it: who may join, as what, until when.

    The link in the mail is signed and names this row, so the row holds no secret.  Its end is a
    fact: taken, withdrawn, or past `expires_at`.
    """

    email = models.EmailField()
    name = models.CharField(max_length=120)
    roles = models.JSONField()
    invited_by = models.UUIDField()
    invited_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)  # of the newest mail
    expires_at = models.DateTimeField()
    taken_at = models.DateTimeField(null=True)
    taken_by = models.UUIDField(null=True)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "email"],
                condition=models.Q(taken_at=None, withdrawn_at=None),
                name="invitation_one_open_an_address",
            ),
            models.CheckConstraint(
                condition=models.Q(taken_at=None) | models.Q(withdrawn_at=None), name="invitation_has_one_end"
            ),
        ]


class Look(TenantModel):
    """An operator's time-boxed look inside a tenant: who, why, until when (architecture 8)."""

    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=500)
    began_at = models.DateTimeField()
    until = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "person"], condition=models.Q(ended_at=None), name="look_one_at_a_time"
            )
        ]

    @classmethod
    def of_person(cls, at: datetime) -> models.QuerySet[Self]:
        """The looks that the unit of work's person may take at this moment, in whatever tenant."""
        return cls._base_manager.select_related("tenant").filter(ended_at=None, until__gt=at).order_by("-began_at")


class ApiToken(TenantModel):
    """What lets a program act as a person in one tenant, for some scopes and for some time.

    The secret is shown once and kept as its digest; *prefix* is the part of it that may be shown, so that
    somebody who finds a token can tell which one it is.
    """

    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=16, db_collation="C")
    secret_sha256 = models.CharField(max_length=64, db_collation="C")
    scopes = models.JSONField()
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)  # to the minute
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "secret_sha256"], name="api_token_by_secret"),
            models.UniqueConstraint(fields=["tenant", "prefix"], name="api_token_by_prefix"),
        ]
        indexes = [models.Index(fields=["tenant", "person", "id"], name="api_token_of_person")]

    def is_over(self, at: datetime) -> bool:
        return self.revoked_at is not None or self.expires_at <= at
