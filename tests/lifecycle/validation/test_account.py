"""The account by which CAA records name one tenant (RFC 8657 3)."""

import pytest
from django.db import models

from lifecycle.validation.account import account_uri
from lifecycle.validation.caa import Answer, Record, RelevantSet, Terms, permits
from lifecycle.validation.grammar import URI
from portal.config import config

pytestmark = pytest.mark.django_db


def test_an_account_is_the_tenants_name_at_the_portals(acme, globex):
    assert account_uri(acme) == f"acct:acme@{config.host}"
    assert account_uri(acme) != account_uri(globex)


def test_an_account_can_stand_in_a_caa_record_and_permits_its_tenant_alone(acme, globex):
    assert URI.fullmatch(account_uri(acme))
    record = Record(0, "issue", f"ca.example; accounturi={account_uri(acme)}".encode())
    found = RelevantSet("www.test", "www.test", Answer("www.test", (record,), 60), ("www.test",))
    assert permits(found, Terms(("ca.example",), account_uri(acme))).permitted
    assert not permits(found, Terms(("ca.example",), account_uri(globex))).permitted


def test_no_two_tenants_have_the_same_name(acme):
    """Then the account says whose it is, as RFC 8657 5.4 wants."""
    assert any(field.unique for field in acme._meta.fields if field.name == "slug")
    assert isinstance(acme._meta.get_field("slug"), models.SlugField)
