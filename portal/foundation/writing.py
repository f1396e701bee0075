"""Rows written without Django's query compiler, and several of them in one statement.

A statement costs a round trip, and Django half a millisecond to compose it, whatever it
says.  The signing worker writes eight of them for one certificate, so it wraps them in
`together`, and they travel as one.  Nothing else changes: the same unit of work, the
same triggers and fences, and a guard that found no row undoes everything.

For rows that bring their own id, as all of ours do.
"""

# ruff: noqa: S608, SLF001 - names come from the models, values travel apart; `_meta` is Django's documented interface

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from django.db import connection, models

from portal.foundation.tenancy.context import current_tenant_id


@dataclass(frozen=True, slots=True)
class _Write:
    sql: str
    values: list[Any]
    otherwise: Exception | None = None  # what it means that no row was there


_waiting: ContextVar[list[_Write] | None] = ContextVar("writes_waiting", default=None)


def insert(*rows: models.Model) -> None:
    """Add *rows*, all of one model."""
    if not rows:
        return
    fields, head = _inserting(type(rows[0]))
    each = f"({', '.join(['%s'] * len(fields))})"
    values = [field.get_db_prep_save(getattr(row, field.attname), connection) for row in rows for field in fields]
    _write(_Write(f"{head} {', '.join([each] * len(rows))}", values))
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias


def change(
    model: type[models.Model], *, where: Mapping[str, Any], to: Mapping[str, Any], otherwise: Exception | None = None
) -> None:
    """Set columns of the rows that *where* describes; raise *otherwise*, where given, if there is none.

    The tenant is added to *where* for rows that have one.  None in *where* means "is null".
    """
    if any(field.name == "tenant" for field in model._meta.concrete_fields):
        where = {"tenant_id": current_tenant_id(), **where}
    columns, values = _prepared(model, to)
    setting = ", ".join(f"{column} = %s" for column in columns)
    columns, compared = _prepared(model, where)
    matching = " AND ".join(
        f"{column} IS NULL" if value is None else f"{column} = %s"
        for column, value in zip(columns, compared, strict=True)
    )
    values += [value for value in compared if value is not None]
    table = connection.ops.quote_name(model._meta.db_table)
    _write(_Write(f"UPDATE {table} SET {setting} WHERE {matching}", values, otherwise))


@contextmanager
def together() -> Iterator[None]:
    """Keep what the block writes and send all of it as one statement when the block ends.

    What the block reads does not see it yet, guards speak up at the end, and no row may be
    written twice.  A block that raises has written nothing.
    """
    token = _waiting.set([])
    try:
        yield
        writes = _waiting.get() or []
    finally:
        _waiting.reset(token)
    _send(writes)


def _write(write: _Write) -> None:
    waiting = _waiting.get()
    if waiting is None:
        _send([write])
    else:
        waiting.append(write)


def _send(writes: list[_Write]) -> None:
    """Send all as data-modifying CTEs: PostgreSQL runs every one of them to its end, whoever reads them or not."""
    if not writes:
        return
    guards = {f"w{number}": write.otherwise for number, write in enumerate(writes) if write.otherwise}
    parts = [
        f"w{number} AS ({write.sql}{' RETURNING 1' if write.otherwise else ''})" for number, write in enumerate(writes)
    ]
    found = ", ".join(f"EXISTS (SELECT 1 FROM {name})" for name in guards) or "true"
    with connection.cursor() as cursor:
        cursor.execute(f"WITH {', '.join(parts)} SELECT {found}", [value for write in writes for value in write.values])
        for otherwise, there in zip(guards.values(), cursor.fetchone(), strict=False):
            if not there:
                raise otherwise


@cache
def _inserting(model: type[models.Model]) -> tuple[tuple["models.Field[Any, Any]", ...], str]:
    fields = tuple(model._meta.concrete_fields)
    columns = ", ".join(map(_column, fields))
    return fields, f"INSERT INTO {connection.ops.quote_name(model._meta.db_table)} ({columns}) VALUES"


def _prepared(model: type[models.Model], told: Mapping[str, Any]) -> tuple[list[str], list[Any]]:
    """Return the columns that *told* names and its values as the database takes them."""
    fields = [cast("models.Field[Any, Any]", model._meta.get_field(name)) for name in told]
    values = [field.get_db_prep_save(value, connection) for field, value in zip(fields, told.values(), strict=True)]
    return list(map(_column, fields)), values


def _column(field: "models.Field[Any, Any]") -> str:
    return connection.ops.quote_name(cast(str, field.column))
