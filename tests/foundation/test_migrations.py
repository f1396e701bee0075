"""Migrations, run for real in a database of their own: forwards, backwards, and over two tenants' rows."""

from collections.abc import Iterator
from contextlib import closing
from io import StringIO

import psycopg2
import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, connections, migrations
from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import ProjectState
from psycopg2 import sql
from psycopg2.errors import ForeignKeyViolation

from portal.demo.postgresql import OWNER
from portal.foundation.audit.sealer import seal_everything
from portal.foundation.tenancy.rls import isolate, same_tenant, with_rls_lifted
from tests.plugins.services import superuser_url, surroundings
from tests.world import begun, carry_out, serving, submitted

pytestmark = pytest.mark.django_db

OURS = {"tenancy", "access", "audit", "outbox", "auth2fa", "policies", "authorities", "certificates", "requests"}
SCRATCH = "scratch"

_SHAPE = """
    SELECT 'table ' || relname || ' ' || relrowsecurity || relforcerowsecurity FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
    UNION ALL SELECT 'column ' || attrelid::regclass || '.' || attname || ' ' || format_type(atttypid, atttypmod)
           || ' ' || attnotnull || ' ' || attcollation::regcollation
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
     WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped
    UNION ALL SELECT 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
      FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT 'policy ' || polrelid::regclass || ' ' || polname || pg_get_expr(polqual, polrelid)
      FROM pg_policy
"""


def administer(*statements: str) -> None:
    with closing(psycopg2.connect(superuser_url("postgres"))) as opened, opened.cursor() as cursor:
        opened.autocommit = True
        for statement in statements:
            cursor.execute(sql.SQL(statement).format(sql.Identifier(f"{SCRATCH}_{connection.settings_dict['NAME']}")))


@pytest.fixture
def scratch() -> Iterator[psycopg2.extensions.cursor]:
    """Make the default connection the owner's, in an empty database; yield a superuser's cursor there."""
    before = connections["default"]
    name = f"{SCRATCH}_{before.settings_dict['NAME']}"
    administer("DROP DATABASE IF EXISTS {} WITH (FORCE)", "CREATE DATABASE {} OWNER " + OWNER)
    login = psycopg2.extensions.parse_dsn(surroundings().database.url(OWNER, name))
    told = {"NAME": name, "USER": login["user"], "PASSWORD": login["password"], "HOST": login["host"]}
    connections["default"] = fresh = DatabaseWrapper({**before.settings_dict, **told}, "default")
    try:
        with closing(psycopg2.connect(superuser_url(name))) as opened, opened.cursor() as cursor:
            opened.autocommit = True
            yield cursor
    finally:
        fresh.close()
        connections["default"] = before
        administer("DROP DATABASE {} WITH (FORCE)")


def migrate(*targets: tuple[str, str | None]) -> None:
    """Run the plan to *targets*; to the newest of everything where none is named."""
    executor = MigrationExecutor(connection)
    executor.migrate(list(targets) or executor.loader.graph.leaf_nodes())


def shape(cursor) -> list[str]:
    cursor.execute(_SHAPE)
    return sorted(row for (row,) in cursor.fetchall())


def test_there_is_a_migration_for_everything_that_the_models_say():
    call_command("makemigrations", "--check", "--dry-run", stdout=StringIO(), verbosity=0)


def test_everything_can_be_migrated_back_to_nothing_and_forward_again(scratch, owner):
    migrate()
    made = shape(scratch)
    assert made == shape(owner)  # the template that every test runs on came the same way
    apps = MigrationExecutor(connection).loader.migrated_apps
    migrate(*((app, None) for app in sorted(apps)))
    assert {row for row in shape(scratch) if "django_migrations" not in row} == set()
    migrate()
    assert shape(scratch) == made


@pytest.fixture
def two_tenants(acme, globex, petra, hank):
    """Rows in nearly every table, of both tenants."""
    for tenant, person in ((acme, petra), (globex, hank)):
        carry_out(submitted(person, tenant))
        begun(person, tenant)
    with serving("relay"):
        seal_everything()


def rows(cursor) -> dict[str, int]:
    cursor.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'")
    counts = {}
    for table in {table for (table,) in cursor.fetchall()} - {"django_migrations"}:
        cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))
        counts[table] = cursor.fetchone()[0]
    return counts


def columns(cursor, table: str) -> list[str]:
    cursor.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
        " ORDER BY attnum",
        [f'public."{table}"'],
    )
    return [name for (name,) in cursor.fetchall()]


def pour(source, target) -> None:
    """Copy every row of one database into the tables that another one has so far."""
    target.execute("SET session_replication_role = replica")  # what is poured is as it was found, machines and all
    for table in set(rows(target)) & set(rows(source)):
        name, shared = sql.Identifier(table), [c for c in columns(source, table) if c in columns(target, table)]
        listed = sql.SQL(", ").join(map(sql.Identifier, shared))
        buffer = StringIO()
        source.copy_expert(sql.SQL("COPY {} ({}) TO STDOUT").format(name, listed), buffer)
        buffer.seek(0)
        target.execute(sql.SQL("DELETE FROM {}").format(name))
        target.copy_expert(sql.SQL("COPY {} ({}) FROM STDIN").format(name, listed), buffer)
    target.execute("RESET session_replication_role")


def test_every_migration_after_the_first_of_its_app_runs_over_two_tenants_rows_and_loses_none(
    two_tenants, owner, scratch
):
    executor = MigrationExecutor(connection)
    met: dict[str, int] = {}
    for migration, _backwards in executor.migration_plan(executor.loader.graph.leaf_nodes()):
        before: dict[str, int] = {}
        if migration.app_label in OURS and not migration.initial:
            pour(owner, scratch)
            before = rows(scratch)
            met |= {table: count for table, count in before.items() if count}
        migrate((migration.app_label, migration.name))
        after = rows(scratch)
        assert {table: after.get(table) for table in before} == before, f"{migration} lost rows"
    populated = {
        "access_membership", "audit_auditevent", "audit_auditseal", "authorities_certificateprofile",
        "certificates_certificate", "certificates_certificatekey", "policies_policy", "policies_agreementacceptance",
        "requests_certificaterequest", "requests_issuanceattempt",
    }  # fmt: skip
    assert all(met[table] >= 2 for table in populated)
    assert shape(scratch) == shape(owner)


# --- with_rls_lifted ------------------------------------------------------------------------------------------------

ACME, GLOBEX = "00000000-0000-7000-8000-00000000000a", "00000000-0000-7000-8000-00000000000b"
_TABLES = """
    CREATE TABLE shelf (id int PRIMARY KEY, tenant_id uuid NOT NULL REFERENCES house DEFERRABLE INITIALLY DEFERRED);
    CREATE TABLE book (id int PRIMARY KEY, tenant_id uuid NOT NULL REFERENCES house DEFERRABLE INITIALLY DEFERRED,
                       shelf_id int NOT NULL, title text NOT NULL DEFAULT '');
"""


def run(*operations: migrations.operations.base.Operation, backwards: bool = False) -> None:
    """Run operations as a migration does: in one transaction, as the owner."""
    state = ProjectState()
    with connection.schema_editor(atomic=True) as editor:
        for operation in reversed(operations) if backwards else operations:
            if backwards:
                operation.database_backwards("test", editor, state, state)
            else:
                operation.database_forwards("test", editor, state, state)


@pytest.fixture
def library(scratch):
    """Two isolated tables with a row of each tenant; `house` stands for the platform's table of tenants."""
    statements = [
        "CREATE TABLE house (id uuid PRIMARY KEY)",
        f"INSERT INTO house VALUES ('{ACME}'), ('{GLOBEX}')",
        _TABLES,
        f"INSERT INTO shelf VALUES (1, '{ACME}'), (2, '{GLOBEX}')",
        f"INSERT INTO book VALUES (1, '{ACME}', 1, 'one'), (2, '{GLOBEX}', 2, 'two')",
    ]
    run(migrations.RunSQL(statements))
    run(isolate("shelf"), isolate("book"))
    return scratch


def titles(cursor) -> list[str]:
    cursor.execute("SELECT title FROM book ORDER BY id")
    return [title for (title,) in cursor.fetchall()]


def fenced(cursor) -> list[tuple[bool, bool]]:
    cursor.execute("SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE relname IN ('shelf', 'book')")
    return cursor.fetchall()


RENAME = migrations.RunSQL("UPDATE book SET title = upper(title)", "UPDATE book SET title = lower(title)")


def test_a_data_migration_that_forgets_to_lift_the_fence_changes_nothing_and_that_is_why_it_must(library):
    run(RENAME)
    assert titles(library) == ["one", "two"]


def test_with_the_fence_lifted_a_data_migration_sees_the_rows_of_every_tenant(library):
    run(*with_rls_lifted(RENAME, tables=["book"]))
    assert titles(library) == ["ONE", "TWO"]
    assert fenced(library) == [(True, True)] * 2


def test_it_sees_them_on_the_way_back_too(library):
    run(*with_rls_lifted(RENAME, tables=["book"]))
    run(*with_rls_lifted(RENAME, tables=["book"]), backwards=True)
    assert titles(library) == ["one", "two"]
    assert fenced(library) == [(True, True)] * 2


def test_python_in_a_migration_sees_them_as_well_and_may_add_rows(library):
    def copy(_apps, editor):
        with editor.connection.cursor() as cursor:
            cursor.execute("INSERT INTO book SELECT id + 10, tenant_id, shelf_id, title || ' again' FROM book")

    run(*with_rls_lifted(migrations.RunPython(copy), tables=["book"]))
    assert titles(library) == ["one", "two", "one again", "two again"]
    assert fenced(library) == [(True, True)] * 2


def test_a_data_migration_that_fails_leaves_the_fence_standing_and_the_rows_as_they_were(library):
    with pytest.raises(DatabaseError):
        run(*with_rls_lifted(RENAME, migrations.RunSQL("SELECT 1/0"), tables=["book"]))
    assert titles(library) == ["one", "two"]
    assert fenced(library) == [(True, True)] * 2


def test_a_new_composite_key_is_checked_against_the_rows_that_exist_only_with_the_fence_lifted(library):
    library.execute("UPDATE book SET shelf_id = 2 WHERE id = 1")  # acme's book on globex's shelf
    key = same_tenant("book", "shelf_id", "shelf")
    with pytest.raises(DatabaseError) as refused:
        run(*with_rls_lifted(key, tables=["book", "shelf"]))
    assert isinstance(refused.value.__cause__, ForeignKeyViolation)
    assert fenced(library) == [(True, True)] * 2
    run(key)  # the trap: without lifting, PostgreSQL sees no row that could break it
    library.execute("SELECT count(*) FROM pg_constraint WHERE conname = 'book_shelf_id_same_tenant'")
    assert library.fetchone() == (1,)
