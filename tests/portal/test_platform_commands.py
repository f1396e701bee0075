"""How the first operator and the first tenant get into an empty database: `create_operator`, `create_tenant`."""

import io
import re
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command

from portal.foundation.access.models import Invitation, Membership
from portal.foundation.access.permissions import Role
from portal.foundation.audit.models import AuditEvent
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import PLATFORM, Tenant
from tests.rows import everything
from tests.web.browsing import Visitor
from tests.world import serving

pytestmark = pytest.mark.django_db

PASSWORD = "nobody-guesses-this"
INITECH = {"slug": "initech", "name": "Initech", "administrator": "Bill Lumbergh", "email": "bill@initech.example"}


def printed(command, **given) -> str:
    said = io.StringIO()
    with serving("owner"):
        call_command(command, **given, stdout=said)
    return said.getvalue()


def path_in(text) -> str:
    [address] = re.findall(r"https?://\S+", text)
    return f"{urlsplit(address).path}?{urlsplit(address).query}"


def test_whoever_has_the_printed_address_operates_the_platform_once(db):
    path = path_in(printed("create_operator", name="Olu Bello", email="Olu@portal.example"))
    page = Visitor().open(path).press("Accept invitation", name="Olu Bello", new=PASSWORD)
    assert (page.status, page.address) == (200, "/platform/")
    assert Visitor().open(path).status == 409
    with acting_for(PLATFORM):
        assert [row.role for row in Membership.objects.all()] == [Role.OPERATOR]
        made = AuditEvent.objects.get(code="invitation:make")
    assert made.actor == "command:create_operator"


def test_asked_again_it_prints_the_same_invitation(db):
    first, again = (printed("create_operator", name="Olu Bello", email="olu@portal.example") for _ in range(2))
    assert path_in(first).partition(":")[0] == path_in(again).partition(":")[0]
    with acting_for(PLATFORM):
        assert Invitation.objects.count() == 1


def test_a_tenant_is_made_with_the_address_of_its_first_administrator(db):
    path = path_in(printed("create_tenant", **INITECH))
    page = Visitor().open(path).press("Accept invitation", name="Bill Lumbergh", new=PASSWORD)
    assert page.address == "/t/initech/"
    with acting_for(Tenant.objects.get(slug="initech").pk):
        assert [row.role for row in Membership.objects.all()] == [Role.ADMINISTRATOR]
    with acting_for(PLATFORM):
        assert AuditEvent.objects.filter(code="tenant:create", actor="command:create_tenant").exists()


@pytest.mark.parametrize(
    ("command", "given"),
    [
        ("create_operator", {"name": "Olu", "email": "nobody"}),
        ("create_operator", {"name": " ", "email": "olu@portal.example"}),
        ("create_tenant", {**INITECH, "slug": "platform"}),
        ("create_tenant", {**INITECH, "name": ""}),
        ("create_tenant", {**INITECH, "email": "nobody"}),
        ("create_tenant", {**INITECH, "administrator": "\u202e"}),
    ],
)
def test_what_is_refused_has_made_nothing(owner, db, command, given):
    before = everything(owner)
    with pytest.raises(CommandError, match=r"Nobody was invited|No tenant was made"):
        printed(command, **given)
    assert everything(owner) == before
