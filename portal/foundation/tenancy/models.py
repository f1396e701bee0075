"""Tenants, and the base of everything that belongs to one.

Fences one and two of four: no unit of work, no rows; and every query names its
tenant.  Three and four, row-level security and composite keys, are PostgreSQL's
(`rls.py`).
"""

from datetime import datetime
from typing import Any, ClassVar, Self, TypeVar
from uuid import UUID

from django.db import models

from portal.foundation.ids import uuid7
from portal.foundation.tenancy import lookups  # noqa: F401 - registers `begins`
from portal.foundation.tenancy.context import current_person_id, current_tenant_id

Row = TypeVar("Row", bound=models.Model)
Set = TypeVar("Set")  # what may be assigned to a key, and what it gives back: the type checker fills them in
Get = TypeVar("Get")

PLATFORM = UUID(int=0)
"""The tenant that stands for the platform itself: its chain of the journal, its operators' memberships."""


class Tenant(models.Model):
    """An organisation that holds certificates here.  A platform row: every request finds it by its slug."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField()
    suspended_at = models.DateTimeField(null=True)  # nobody enters, nothing is signed, until it is taken back
    closes_at = models.DateTimeField(null=True)  # the end of the waiting period; before it, closing can be taken back

    def __str__(self) -> str:
        return self.name

    def is_closed(self, at: datetime) -> bool:
        return self.closes_at is not None and self.closes_at <= at

    def rests(self, at: datetime) -> bool:
        """Whether nobody enters and nothing is signed."""
        return self.suspended_at is not None or self.is_closed(at)


class TenantManager(models.Manager[Row]):
    """Adds the tenant to every query, and raises `NoTenant` where there is none.

    It sits in `get_queryset`, so `exists()`, `explain()` and methods that Django has
    not invented yet are covered as well.
    """

    def get_queryset(self) -> models.QuerySet[Row]:
        return super().get_queryset().filter(tenant_id=current_tenant_id())


class TenantModel(models.Model):
    """A row of one tenant.  Its table needs `isolate` in the migration; the catalogue test sees to it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(
        Tenant, on_delete=models.PROTECT, default=current_tenant_id, editable=False, related_name="+", db_index=False
    )

    objects: ClassVar[TenantManager[Self]] = TenantManager()

    class Meta:
        abstract = True


class PersonManager(models.Manager[Row]):
    """The same for rows that belong to one person rather than to a tenant."""

    def get_queryset(self) -> models.QuerySet[Row]:
        return super().get_queryset().filter(person_id=current_person_id())


class TenantKey(models.ForeignKey[Set, Get]):
    """A key to another row of the same tenant.

    The constraint is the composite one of `rls.same_tenant`, since PostgreSQL checks
    foreign keys behind row-level security's back; Django's own would be a second,
    weaker copy.
    """

    def __init__(self, to: Any, on_delete: Any = models.PROTECT, **kwargs: Any) -> None:
        kwargs.setdefault("db_constraint", False)
        kwargs.setdefault("db_index", False)
        super().__init__(to, on_delete, **kwargs)
