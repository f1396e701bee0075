"""The fences as PostgreSQL itself describes them: its catalogue is asked, not our migrations."""

import re
from collections import defaultdict

import pytest
from django.apps import apps

from portal.demo.postgresql import OWNER, SERVICE_ROLES
from portal.grants import GRANTS

pytestmark = pytest.mark.django_db

PLATFORM_TABLES = {
    "access_user": "a person exists before and beside any tenant",
    "audit_journalkey": "one key signs the checkpoints of every tenant; public halves only",
    "audit_unsealed": "the sealer finds through it which tenants have something to seal; ids only",
    "auth2fa_failedsignins": "whoever signs in is nobody yet; keyed hashes only",
    "auth2fa_signedin": "a session is found by its key before anybody knows whose it is",
    "certificates_compromisedkey": "such a key is bad for every tenant; fingerprints only",
    "django_content_type": "Django's list of models; no row is anybody's",
    "django_migrations": "which migrations ran",
    "outbox_errand": "workers claim over all tenants and learn whose unit of work to open; ids only",
    "outbox_heartbeat": "one row a process",
    "tenancy_tenant": "every request finds its tenant by its slug",
    "auth_group": "comes with django.contrib.auth; empty, nobody is granted anything on it",
    "auth_group_permissions": "as auth_group",
    "auth_permission": "as auth_group; Django fills it with names of models",
}
"""Every other table belongs to a tenant or to a person."""

PERSON_TABLES = {"auth2fa_challenge", "auth2fa_enrolment"}

_MINE = {
    "tenant": "(tenant_id = (NULLIF(current_setting('portal.tenant'::text, true), ''::text))::uuid)",
    "person": "(person_id = (NULLIF(current_setting('portal.person'::text, true), ''::text))::uuid)",
}
_JOURNAL_WRITE = f"({_MINE['tenant']} OR (tenant_id = '00000000-0000-0000-0000-000000000000'::uuid))"

EXPECTED_POLICIES = {
    # every policy that is not simply "mine to read, mine to write"
    "audit_auditevent": {("tenant_isolation", "*", _MINE["tenant"], _JOURNAL_WRITE)},
    "access_membership": {
        ("tenant_isolation", "*", _MINE["tenant"], _MINE["tenant"]),
        ("own_rows", "r", _MINE["person"], None),
    },
    "access_look": {
        ("tenant_isolation", "*", _MINE["tenant"], _MINE["tenant"]),
        ("own_rows", "r", _MINE["person"], None),
    },
}


@pytest.fixture
def ask(owner):
    def asking(query, *args):
        owner.execute(query, args)
        return owner.fetchall()

    return asking


@pytest.fixture
def tables(ask):
    return {
        name
        for (name,) in ask(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        )
    }


@pytest.fixture
def tenant_tables(tables):
    return tables - set(PLATFORM_TABLES) - PERSON_TABLES


def test_the_list_of_platform_and_person_tables_names_only_tables_that_exist(tables):
    assert set(PLATFORM_TABLES) | PERSON_TABLES <= tables


def test_every_other_table_says_in_every_row_whose_it_is(ask, tenant_tables):
    columns = dict(
        ask(
            "SELECT c.relname, a.attnotnull FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attname = 'tenant_id'"
        )
    )
    assert {table: columns.get(table) for table in tenant_tables} == dict.fromkeys(tenant_tables, True)
    assert len(tenant_tables) >= 14


def test_row_level_security_is_on_and_binds_the_owner_on_every_table_that_belongs_to_somebody(ask, tenant_tables):
    fenced = {
        name
        for (name,) in ask(
            "SELECT relname FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace AND relrowsecurity AND relforcerowsecurity"
        )
    }
    assert fenced == tenant_tables | PERSON_TABLES


def test_every_policy_is_the_one_that_is_meant_for_reading_and_for_writing(ask, tenant_tables):
    found = defaultdict(set)
    for table, name, command, using, check, permissive, everybody in ask(
        "SELECT polrelid::regclass::text, polname, polcmd::text, pg_get_expr(polqual, polrelid),"
        " pg_get_expr(polwithcheck, polrelid), polpermissive, polroles = '{0}' FROM pg_policy"
    ):
        assert permissive, f"{table}: {name}"
        assert everybody, f"{table}: {name} leaves roles out"
        found[table].add((name, command, using, check))
    mine = {table: {("tenant_isolation", "*", _MINE["tenant"], _MINE["tenant"])} for table in tenant_tables}
    persons = {table: {("person_isolation", "*", _MINE["person"], _MINE["person"])} for table in PERSON_TABLES}
    assert found == {**mine, **persons, **EXPECTED_POLICIES}


def foreign_keys(ask):
    return ask(
        "SELECT k.conrelid::regclass::text, k.confrelid::regclass::text, k.convalidated,"
        " ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS n(num, place)"
        "        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = n.num ORDER BY place),"
        " ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS n(num, place)"
        "        JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = n.num ORDER BY place)"
        " FROM pg_constraint k WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace"
    )


def test_every_key_to_a_tenants_row_carries_the_tenant_because_foreign_keys_ignore_row_level_security(
    ask, tenant_tables
):
    to_tenants = [key for key in foreign_keys(ask) if key[1] in tenant_tables]
    assert len(to_tenants) >= 18
    for table, target, validated, columns, referred in to_tenants:
        assert validated, f"{table} {columns} was never checked"
        assert (columns[0], referred) == ("tenant_id", ["tenant_id", "id"]), f"{table} {columns} -> {target} {referred}"


def test_every_reference_the_code_makes_to_a_tenants_row_is_a_composite_key_of_the_database(ask, tenant_tables):
    in_database = {(table, target, columns[-1]) for table, target, _, columns, _ in foreign_keys(ask)}
    in_code = {
        (model._meta.db_table, field.related_model._meta.db_table, field.column)
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.get_fields()
        if field.many_to_one and field.concrete and field.related_model._meta.db_table in tenant_tables
    }
    assert in_code <= in_database
    assert len(in_code) >= 18


def test_no_many_to_many_table_of_ours_escapes_the_tenant(tables, tenant_tables):
    made_by_django = {m._meta.db_table for m in apps.get_models(include_auto_created=True) if m._meta.auto_created}
    assert made_by_django & tables == {"auth_group_permissions"}


def test_every_index_of_a_tenants_table_starts_with_the_tenant(ask, tenant_tables):
    """Under row-level security another first column would be read for all tenants, and filtered afterwards."""
    rows = ask(
        "SELECT i.indrelid::regclass::text, i.indexrelid::regclass::text, a.attname::text, i.indisprimary"
        " FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]"
        " JOIN pg_class c ON c.oid = i.indrelid WHERE c.relnamespace = 'public'::regnamespace"
    )
    others = {
        index
        for table, index, first, primary in rows
        if table in tenant_tables and not primary and first != "tenant_id"
    }
    assert {re.sub(r"_[0-9a-f]{8}$", "", index) for index in others} == {
        "access_look_person_id",
        "access_membership_person_id",
    }  # own rows


def test_no_service_is_a_superuser_nor_passes_row_level_security_nor_owns_anything(ask):
    roles = [OWNER, *SERVICE_ROLES.values()]
    rows = ask(
        "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication FROM pg_roles"
        " WHERE rolname = ANY(%s)",
        roles,
    )
    assert {name for name, *_ in rows} == set(roles)
    assert not any(power for _, *powers in rows for power in powers)
    owners = {
        name
        for (name,) in ask(
            "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        )
    }
    assert owners == {OWNER}


def test_no_service_belongs_to_another_role_that_could_do_more(ask):
    rows = ask(
        "SELECT m.rolname, r.rolname FROM pg_auth_members JOIN pg_roles m ON m.oid = member"
        " JOIN pg_roles r ON r.oid = roleid WHERE m.rolname = ANY(%s)",
        list(SERVICE_ROLES.values()),
    )
    assert rows == []


def test_no_function_of_ours_runs_with_its_owners_rights(ask):
    assert ask("SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef") == []
    assert (
        ask("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('v', 'm')") == []
    )


def test_the_grants_in_the_database_are_exactly_those_of_the_table(ask):
    found = defaultdict(set)
    for table, role, privilege in ask(
        "SELECT c.relname::text, a.grantee::regrole::text, a.privilege_type"
        " FROM pg_class c, aclexplode(c.relacl) a"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'S')"
        " AND a.grantee::regrole::text <> %s",
        OWNER,
    ):
        found[table, role].add(privilege)
    wanted = {
        (table, SERVICE_ROLES[service]): privileges
        for table, services in GRANTS.items()
        for service, privileges in services.items()
    }
    assert dict(found) == wanted


def test_no_column_has_grants_of_its_own(ask):
    assert (
        ask(
            "SELECT attrelid::regclass::text, attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
            " WHERE c.relnamespace = 'public'::regnamespace AND attacl IS NOT NULL"
        )
        == []
    )


def test_every_table_is_in_the_table_of_grants_or_no_service_needs_it(tables):
    left_out = tables - set(GRANTS)
    assert left_out == {"auth_group", "auth_group_permissions", "auth_permission", "django_content_type"}
    assert set(GRANTS) <= tables


@pytest.mark.parametrize("role", SERVICE_ROLES.values())
@pytest.mark.parametrize("table", ["audit_auditevent", "audit_auditseal"])
@pytest.mark.parametrize("privilege", ["UPDATE", "DELETE", "TRUNCATE", "TRIGGER", "REFERENCES"])
def test_nobody_but_the_owner_can_change_a_line_of_the_journal(ask, role, table, privilege):
    assert ask("SELECT has_table_privilege(%s, %s, %s)", role, table, privilege) == [(False,)]


@pytest.mark.parametrize("role", SERVICE_ROLES.values())
def test_no_service_can_make_tables_or_functions(ask, role):
    assert ask(
        "SELECT has_schema_privilege(%s, 'public', 'CREATE'), has_database_privilege(%s, current_database(), 'CREATE')",
        role,
        role,
    ) == [(False, False)]
