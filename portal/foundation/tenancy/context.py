"""Which tenant, and which person, the current unit of work belongs to.

`acting_for` and `acting_as` are the only doors to rows that belong to somebody.
They open a transaction, tell PostgreSQL whose rows exist in it, and close both
together, so such data simply is not there outside a unit of work.  That also
keeps slow conversations (token, SMTP, DNS) out of transactions: between two units
of work there is nothing to hold open.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from portal.foundation import clock
from portal.foundation.tenancy.errors import NoTenant


@dataclass(frozen=True, slots=True)
class Unit:
    tenant: UUID | None
    person: UUID | None


_unit: ContextVar[Unit | None] = ContextVar("unit_of_work", default=None)


@contextmanager
def acting_for(tenant_id: UUID, *, person: UUID | None = None) -> Iterator[None]:
    """Open a unit of work in which *tenant_id*'s rows exist, and *person*'s own where one is named.

    Raises `NoTenant` inside another unit of work: nesting would be a savepoint, and
    what a savepoint promised can still be rolled back.
    """
    with _open(Unit(tenant_id, person)):
        yield


@contextmanager
def acting_as(person_id: UUID) -> Iterator[None]:
    """Open a unit of work in which only the rows of one person exist: sign-in, challenges, My account."""
    with _open(Unit(None, person_id)):
        yield


@contextmanager
def _open(unit: Unit) -> Iterator[None]:
    if _unit.get() is not None:
        raise NoTenant("a unit of work is open already; finish it before starting another")
    with transaction.atomic(durable=True):
        token = _unit.set(unit)
        clock_token = None
        try:
            # inside the try: a lost connection must not leave the tenant behind
            clock_token = clock.start_unit(_tell_postgres(unit))
            yield
        finally:
            if clock_token is not None:
                clock.end_unit(clock_token)
            _unit.reset(token)


def _tell_postgres(unit: Unit) -> datetime:
    with connection.cursor() as cursor:
        # one round trip names tenant and person and reads the clock that every decision in this unit of work uses
        cursor.execute(
            "SELECT set_config('portal.tenant', %s, true), set_config('portal.person', %s, true), now()",
            [str(unit.tenant or ""), str(unit.person or "")],
        )
        at: datetime = cursor.fetchone()[2]
        return at


def current_unit() -> Unit | None:
    return _unit.get()


def current_tenant_id() -> UUID:
    unit = _unit.get()
    if unit is None or unit.tenant is None:
        raise NoTenant("this needs a unit of work: with acting_for(tenant_id): …")
    return unit.tenant


def current_person_id() -> UUID:
    unit = _unit.get()
    if unit is None or unit.person is None:
        raise NoTenant("this needs a person: with acting_as(person_id): … or acting_for(tenant_id, person=…)")
    return unit.person
