"""A service whose database role the fences do not hold does not work."""

import pytest

from portal.foundation.tenancy.role import Unfenced, refuse_unfenced_role
from tests.world import serving


@pytest.fixture(autouse=True)
def _asked_anew():
    refuse_unfenced_role.cache_clear()
    yield
    refuse_unfenced_role.cache_clear()


@pytest.mark.parametrize("service", ["web", "signing", "messages", "relay"])
def test_a_services_own_role_is_fenced(db, service):
    with serving(service):
        refuse_unfenced_role()


def test_the_owner_is_refused(db):
    with serving("owner"), pytest.raises(Unfenced, match="owns tables"):
        refuse_unfenced_role()


def test_a_role_that_bypasses_row_level_security_is_refused(db, owner):
    owner.execute("ALTER ROLE portal_relay BYPASSRLS")
    try:
        with serving("relay"), pytest.raises(Unfenced, match="bypasses row-level security"):
            refuse_unfenced_role()
    finally:
        owner.execute("ALTER ROLE portal_relay NOBYPASSRLS")


def test_the_web_service_is_not_ready_as_the_owner(db, client):
    with serving("owner"):
        answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "owns tables" in answer.json()["database"]


def test_nobody_is_let_into_a_tenant_as_the_owner(client, petra, acme):
    client.force_login(petra)
    client.raise_request_exception = False
    with serving("owner"):
        answer = client.get("/t/acme/certificates/")
    assert answer.status_code == 500
