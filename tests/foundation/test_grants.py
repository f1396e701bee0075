"""`manage.py grant_roles`: a service gets what its row says, and loses what an earlier version, or a hand, gave it."""

import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError

from portal.demo.postgresql import SERVICE_ROLES
from portal.grants import GRANTS
from tests.world import serving

pytestmark = pytest.mark.django_db

AS_INSTALLED = [f"{service}={role}" for service, role in SERVICE_ROLES.items()]


@pytest.fixture
def granted(owner):
    """Return what a role may do to a table; afterwards every role has its own again."""

    def asking(role: str, table: str) -> set[str]:
        owner.execute(
            "SELECT privilege_type FROM pg_class c, aclexplode(c.relacl) a"
            " WHERE c.relname = %s AND a.grantee = %s::regrole",
            [table, role],
        )
        return {privilege for (privilege,) in owner.fetchall()}

    yield asking
    with serving("owner"):
        call_command("grant_roles", *AS_INSTALLED)


def test_what_the_table_does_not_say_is_taken_away(owner, granted, capsys):
    owner.execute("GRANT UPDATE, DELETE ON audit_auditevent TO portal_web")
    owner.execute("GRANT INSERT ON policies_policy TO portal_signing")
    with serving("owner"):
        call_command("grant_roles", "web=portal_web", "signing=portal_signing")
    assert granted("portal_web", "audit_auditevent") == {"SELECT", "INSERT"}
    assert granted("portal_signing", "policies_policy") == {"SELECT"}
    assert capsys.readouterr().out == "granted: portal_signing, portal_web\n"


def test_one_role_may_serve_all_and_then_has_what_any_of_them_needs_and_no_more(granted):
    with serving("owner"):
        call_command("grant_roles", "all=portal_relay")
    for table, services in GRANTS.items():
        assert granted("portal_relay", table) == set().union(*services.values()), table
    assert not {"UPDATE", "TRUNCATE"} & granted("portal_relay", "audit_auditevent")


@pytest.mark.parametrize("pair", ["web", "web=", "=portal_web", "hsm=portal_web", "portal_web=web"])
def test_a_pair_that_makes_no_sense_grants_nothing(owner, granted, pair):
    owner.execute("REVOKE ALL ON tenancy_tenant FROM portal_web")
    with serving("owner"), pytest.raises(CommandError, match="is not service=role"):
        call_command("grant_roles", "web=portal_web", pair)
    assert granted("portal_web", "tenancy_tenant") == set()


def test_a_role_that_does_not_exist_grants_nothing_to_anybody(owner, granted):
    owner.execute("REVOKE ALL ON tenancy_tenant FROM portal_web")
    with serving("owner"), pytest.raises(ProgrammingError, match="does not exist"):
        call_command("grant_roles", "web=portal_web", "signing=nobody")
    assert granted("portal_web", "tenancy_tenant") == set()


def test_a_service_cannot_grant_itself_anything(granted):
    with serving("web"), pytest.raises(ProgrammingError, match="permission denied"):
        call_command("grant_roles", "web=portal_web")
    assert granted("portal_web", "audit_auditevent") == {"SELECT", "INSERT"}
