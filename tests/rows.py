"""What stands in the database, whoever's it is: so that a test can say that nothing happened.

`everything` are the rows themselves, for a difference that can be read; `prints` are their fingerprints, for the
matrix, which asks thousands of times.
"""

from collections.abc import Collection
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

NOBODYS = {"auth2fa_signedin", "django_migrations"}
"""Sessions, which are nobody's work, and the list of migrations."""

_ASIDE = ["last_used_at"]
"""When a token was used last is noted also where it was refused something."""

_PRINT = """
SELECT {name}, md5(coalesce(string_agg(h, '' ORDER BY h), '')),
       md5(coalesce(string_agg(h, '' ORDER BY h) FILTER (WHERE theirs), ''))
  FROM (SELECT md5(j::text) AS h,
               ARRAY[j->>'tenant_id', j->>'id', j->>'person_id', j->>'owner'] && %(theirs)s AS theirs
          FROM (SELECT to_jsonb(t) - %(aside)s::text[] AS j FROM {table} t) AS plain) AS hashed
"""


def tables(owner: Cursor) -> list[str]:
    owner.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'")
    return sorted({table for (table,) in owner.fetchall()} - NOBODYS)


def everything(owner: Cursor, *, but: Collection[str] = ()) -> dict[str, list[Any]]:
    """Every row of every table, except for sessions, and for what *but* names."""
    found = {}
    for table in tables(owner):
        if table not in but:
            named = sql.Identifier(table)
            owner.execute(sql.SQL("SELECT to_jsonb(t) FROM {} t ORDER BY to_jsonb(t)::text").format(named))
            found[table] = [row for (row,) in owner.fetchall()]
    return found


class Prints:
    """The fingerprint of each table, and of those of its rows that belong to any of *theirs*, all in one query."""

    def __init__(self, owner: Cursor, *, theirs: Collection[str]) -> None:
        self._owner = owner
        parts = [
            sql.SQL(_PRINT).format(name=sql.Literal(table), table=sql.Identifier(table)) for table in tables(owner)
        ]
        told = {"theirs": list(theirs), "aside": _ASIDE}
        owner.execute(sql.SQL("PREPARE prints AS {}").format(sql.SQL(" UNION ALL ").join(parts)), told)

    def take(self) -> dict[str, tuple[str, str]]:
        self._owner.execute("EXECUTE prints")
        return {table: (whole, foreign) for table, whole, foreign in self._owner.fetchall()}
