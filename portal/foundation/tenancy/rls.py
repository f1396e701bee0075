"""Migration operations that make PostgreSQL hold the same lines as the code.

Nothing newer than PostgreSQL 15 stands here.
"""

from collections.abc import Sequence

from django.db.migrations.operations.base import Operation
from django.db.migrations.operations.special import RunSQL

# a used connection answers '' and not NULL for a setting that was SET LOCAL before
_TENANT = "NULLIF(current_setting('portal.tenant', true), '')::uuid"
_PERSON = "NULLIF(current_setting('portal.person', true), '')::uuid"
_PLATFORM = "'00000000-0000-0000-0000-000000000000'::uuid"


def isolate(table: str, *, platform_may_be_written: bool = False) -> RunSQL:
    """Rows of other tenants do not exist, for the owner of the table included.

    With *platform_may_be_written* everybody may add rows of the platform's own tenant,
    which only a unit of work of the platform can read again: its journal needs that.
    """
    mine = f"tenant_id = {_TENANT}"
    writable = f"{mine} OR tenant_id = {_PLATFORM}" if platform_may_be_written else mine
    return RunSQL(
        f"""
        ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
        ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
        CREATE POLICY tenant_isolation ON {table} USING ({mine}) WITH CHECK ({writable});
        ALTER TABLE {table} ADD CONSTRAINT {table}_tenant_key UNIQUE (tenant_id, id);
        """,
        f"""
        ALTER TABLE {table} DROP CONSTRAINT {table}_tenant_key;
        DROP POLICY tenant_isolation ON {table};
        ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY;
        ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;
        """,
    )


def isolate_person(table: str) -> RunSQL:
    """Rows of other people do not exist: for tables that belong to a person and not to a tenant."""
    mine = f"person_id = {_PERSON}"
    return RunSQL(
        f"""
        ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
        ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
        CREATE POLICY person_isolation ON {table} USING ({mine}) WITH CHECK ({mine});
        """,
        f"""
        DROP POLICY person_isolation ON {table};
        ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY;
        ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;
        """,
    )


def own_rows_may_be_read(table: str) -> RunSQL:
    """A person sees their own rows of a tenant table in whatever tenant: how they learn where they belong."""
    return RunSQL(
        f"CREATE POLICY own_rows ON {table} FOR SELECT USING (person_id = {_PERSON});",
        f"DROP POLICY own_rows ON {table};",
    )


def same_tenant(table: str, column: str, target: str) -> RunSQL:
    """Foreign keys are checked behind row-level security's back, so the tenant is part of the key."""
    return RunSQL(
        f"""ALTER TABLE {table} ADD CONSTRAINT {table}_{column}_same_tenant
            FOREIGN KEY (tenant_id, {column}) REFERENCES {target} (tenant_id, id) DEFERRABLE INITIALLY IMMEDIATE;""",
        f"ALTER TABLE {table} DROP CONSTRAINT {table}_{column}_same_tenant;",
    )


def never_changes(table: str, *, but: Sequence[str] = ()) -> RunSQL:
    """An UPDATE or DELETE fails, whoever sends it; columns named in *but* may change."""
    frozen = f"(to_jsonb(NEW) - '{{{','.join(but)}}}'::text[])"
    before = frozen.replace("NEW", "OLD")
    return RunSQL(
        f"""
        CREATE OR REPLACE FUNCTION {table}_never_changes() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'UPDATE' AND {frozen} = {before} THEN RETURN NEW; END IF;
            RAISE EXCEPTION 'rows of {table} never change' USING ERRCODE = 'check_violation';
        END $$;
        CREATE OR REPLACE TRIGGER never_changes BEFORE UPDATE OR DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION {table}_never_changes();
        """,
        f"DROP TRIGGER never_changes ON {table}; DROP FUNCTION {table}_never_changes();",
    )


def enforce_machine(
    table: str,
    *,
    initial: str,
    arrows: Sequence[tuple[str, str]],
    column: str = "state",
    before: Sequence[tuple[str, str]] = (),
) -> RunSQL:
    """An INSERT that does not start at *initial*, or an UPDATE that follows no arrow, fails, whoever sends it.

    The arrows are written out in the migration (one that imports today's table would
    change its own past); a test compares them with the code's table.  *before* are the
    arrows that an earlier migration had enforced: going back enforces those again.
    """
    backwards = (
        _machine(table, initial, before, column)
        if before
        else f"DROP TRIGGER follows_machine ON {table}; DROP FUNCTION {table}_follows_machine();"
    )
    return RunSQL(_machine(table, initial, arrows, column), backwards)


def _machine(table: str, initial: str, arrows: Sequence[tuple[str, str]], column: str) -> str:
    pairs = ", ".join(f"('{source}', '{target}')" for source, target in arrows)
    return f"""
        CREATE OR REPLACE FUNCTION {table}_follows_machine() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'INSERT' AND NEW.{column} <> '{initial}' THEN
                RAISE EXCEPTION '{table} starts at {initial}, not at %', NEW.{column} USING ERRCODE = 'check_violation';
            ELSIF TG_OP = 'UPDATE' AND NEW.{column} <> OLD.{column}
                  AND (OLD.{column}, NEW.{column}) NOT IN ({pairs}) THEN
                RAISE EXCEPTION '{table} has no arrow from % to %', OLD.{column}, NEW.{column}
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END $$;
        CREATE OR REPLACE TRIGGER follows_machine BEFORE INSERT OR UPDATE OF {column} ON {table}
            FOR EACH ROW EXECUTE FUNCTION {table}_follows_machine();
        """


def with_rls_lifted(*operations: Operation, tables: Sequence[str]) -> list[Operation]:
    """Run *operations* with the owner seeing every row of *tables*.

    FORCE binds the owner too: a data migration would update nothing and succeed, and
    a new composite key over a row that breaks it would be accepted.  So whatever reads,
    writes or constrains rows that exist goes through here, in one transaction.
    """
    down = tuple(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY" for table in tables)
    # a table cannot be altered while keys of its new rows wait to be checked, and Django's wait until the commit
    up = ("SET CONSTRAINTS ALL IMMEDIATE", *(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY" for table in tables))
    return [RunSQL(down, up), *operations, RunSQL(up, down)]
