"""People, and the tenants they belong to."""

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
        return cls._base_manager.select_related("tenant").order_by("tenant__name", "role")
