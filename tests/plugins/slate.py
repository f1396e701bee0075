"""Wipes a test's rows: everything, in one statement batch, past every trigger; what migrations wrote stays."""

from collections.abc import Sequence
from functools import cache

import psycopg2
from psycopg2 import sql
from psycopg2.errors import DeadlockDetected

from tests.plugins.services import superuser_url

ATTEMPTS = 3

_TABLES = """
    SELECT c.relname,
           (SELECT array_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '')
      FROM pg_class c
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
       AND c.relname <> 'django_migrations'
"""


class Slate:
    def __init__(self) -> None:
        self._connection = psycopg2.connect(superuser_url())
        self._connection.autocommit = True
        with self._connection.cursor() as cursor:
            # replica: no trigger and no foreign key has a say; the timeout names a test that left a transaction open
            cursor.execute("SET session_replication_role = replica; SET lock_timeout = '5s'")
            cursor.execute(_TABLES)
            tables = cursor.fetchall()
            self._batch = "; ".join(self._statements(cursor, tables))

    def wipe(self) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self._connection.cursor() as cursor:
                    cursor.execute(self._batch)
            except DeadlockDetected:  # a worker of the journeys, let go on a moment ago, writes to the same rows
                if attempt == ATTEMPTS:
                    raise
            else:
                return

    def close(self) -> None:
        self._connection.close()

    def _statements(self, cursor: psycopg2.extensions.cursor, tables: Sequence[tuple[str, list[str]]]) -> list[str]:
        statements = []
        for name, columns in tables:
            table, kept = sql.Identifier("public", name), sql.Identifier(f"kept_{name}")
            statements.append(sql.SQL("DELETE FROM {}").format(table))
            cursor.execute(sql.SQL("SELECT EXISTS (SELECT 1 FROM {})").format(table))
            if cursor.fetchone() == (True,):
                cursor.execute(sql.SQL("CREATE TEMP TABLE {} AS TABLE {}").format(kept, table))
                listed = sql.SQL(", ").join(map(sql.Identifier, columns))
                statements.append(
                    sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {}").format(
                        table, listed, listed, kept
                    )
                )
        return [statement.as_string(cursor) for statement in statements]


@cache
def slate() -> Slate:
    """Return this process's one; made before the first test writes anything."""
    return Slate()
