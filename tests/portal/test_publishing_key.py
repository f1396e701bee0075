"""The command that says the public half of the publishing worker's key, and what is needed for it."""

from dataclasses import replace
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from portal.config import config
from portal.foundation.sealed import public_of, seal, unseal

COMMAND = "portal.management.commands.print_publishing_key.config"


def test_the_public_half_is_printed_as_the_web_service_wants_it(monkeypatch):
    private, said = "7f" * 32, StringIO()
    monkeypatch.setattr(COMMAND, replace(config, publishing_key=private))
    call_command("print_publishing_key", stdout=said)
    name, _equals, public = said.getvalue().strip().partition("=")
    assert (name, public) == ("PUBLISHING_PUBLIC_KEY", public_of(private))
    assert unseal(seal(b"secret", public, bound_to="x"), private, bound_to="x") == b"secret"
    assert private not in said.getvalue()


def test_nobody_else_can_say_it():
    with pytest.raises(CommandError, match="PUBLISHING_KEY_FILE"):
        call_command("print_publishing_key", stdout=StringIO())
