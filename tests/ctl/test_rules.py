"""Policies, profiles, agreements, people and the journal, as administrators and auditors use them."""

import json
import zipfile

from lifecycle.policies.models import Policy
from portal.foundation.access.models import User
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import Tenant
from tests.ctl.conftest import SignIn
from tests.journeys.live import Portal

RULES = ("rules:read", "rules:change")


def _newest(tenant: Tenant) -> Policy:
    with acting_for(tenant.pk):
        return Policy.objects.filter(profile="desktop-signing", operation="rekey").latest("version")


def test_a_policy_is_changed_after_a_dry_run(sits: SignIn, ada: User, acme: Tenant) -> None:
    terminal = sits(ada, acme, *RULES)
    wish = ("policies", "change", "desktop-signing", "rekey", "--set", "approvals=1")
    before = _newest(acme)
    tried = terminal.run(*wish, "--dry-run", "--json").json
    assert (tried["saved"], [one["field"] for one in tried["changes"]]) == (False, ["approvals"])
    assert _newest(acme) == before
    done = terminal.run(*wish)
    assert done.code == 0, done.err
    assert "Saved." in done.out
    after = _newest(acme)
    assert (after.version, after.approvals, after.agreement) == (before.version + 1, 1, before.agreement)
    listed = terminal.run("policies", "list", "--of", "desktop-signing", "--operation", "rekey", "--json").json
    assert [row["asks"]["approvals"] for row in listed["results"]] == [1]
    people = terminal.run("policies", "list", "--of", "tls-server").out
    assert all(word in people for word in ("CONTROL", "CAA", "PERSPECTIVES"))
    proven = terminal.run("policies", "change", "tls-server", "issue", "--set", "proves_control=true", "--json").json
    assert [one["field"] for one in proven["changes"]] == ["proves_control"]
    assert "proven" in terminal.run("policies", "list", "--of", "tls-server").out
    assert "approvals" in terminal.run("policies", "versions", "desktop-signing").out.casefold()
    assert terminal.run("policies", "change", "desktop-signing", "dance", "--set", "approvals=1").code == 2


def test_whoever_may_only_read_changes_nothing(sits: SignIn, ada: User, acme: Tenant) -> None:
    terminal = sits(ada, acme, "rules:read")
    before = _newest(acme)
    refused = terminal.run("policies", "change", "desktop-signing", "rekey", "--set", "enabled=false", "--json")
    assert (refused.code, refused.error["code"]) == (5, "token-may-not")
    assert _newest(acme) == before


def test_a_profile_gets_its_next_version_out_of_a_file(sits: SignIn, ada: User, acme: Tenant) -> None:
    terminal = sits(ada, acme, *RULES)
    content = terminal.run("profiles", "show", "desktop-signing", "--json").json["content"]
    (terminal.home / "content.json").write_text(json.dumps({**content, "days": 200}))
    done = terminal.run("profiles", "change", "desktop-signing", "--content", "content.json", "--json")
    assert done.code == 0, done.err
    assert done.json["saved"]
    compared = terminal.run("profiles", "compare", "desktop-signing", "--from", "1", "--to", "2")
    assert "200" in compared.out
    assert (
        terminal.run("profiles", "show", "desktop-signing", "--version", "1", "--json").json["content"]["days"] == 365
    )
    assert "tls-server" in terminal.run("profiles", "list").out
    (terminal.home / "content.json").write_text(json.dumps({**content, "days": 100}))
    wish = ("profiles", "change", "desktop-signing", "--content", "content.json", "--json")
    late = terminal.run(*wish, "--seen", "1")
    assert (late.code, late.error["code"]) == (3, "changed-since")
    assert terminal.run("profiles", "show", "desktop-signing", "--json").json["version"] == 2
    assert terminal.run(*wish, "--seen", "2").json["profile"]["version"] == 3


def test_an_agreement_is_read_and_written(sits: SignIn, ada: User, acme: Tenant) -> None:
    terminal = sits(ada, acme, *RULES)
    assert "Subscriber agreement, version 1" in terminal.run("agreements", "show", "subscriber").out
    (terminal.home / "new.txt").write_text("You keep the key to yourself.\n\nYou tell us when it is lost.\n")
    wish = ("agreements", "write", "subscriber", "--title", "Subscriber agreement", "--text", "new.txt")
    assert terminal.run(*wish, "--dry-run", "--json").json["saved"] is False
    assert terminal.run(*wish, "--json").json["saved"] is True
    assert "keep the key" in terminal.run("agreements", "show", "subscriber").out
    assert terminal.run("agreements", "acceptances", "subscriber", "1").code == 0


def test_people_are_invited_suspended_and_removed(
    portal: Portal, sits: SignIn, ada: User, dan: User, acme: Tenant
) -> None:
    with portal.nobody_works():
        terminal = sits(ada, acme, "people:read", "people:change")
        made = terminal.run("people", "invite", "jan@acme.example", "--name", "Jan", "--role", "subscriber")
        assert made.code == 0, made.err
        waiting = terminal.run("people", "list", "--state", "invited", "--json").json["results"]
        assert [row["email"] for row in waiting] == ["jan@acme.example"]
        assert terminal.run("people", "withdraw", "jan@acme.example").code == 0
        changed = terminal.run(
            "people", "roles", dan.email, "--role", "subscriber", "--role", "reviewer", "--json"
        ).json
        assert changed["roles"] == ["reviewer", "subscriber"]
        assert terminal.run("people", "suspend", dan.email, "--json").json["state"] == "suspended"
        assert terminal.run("people", "unsuspend", dan.email, "--json").json["state"] == "active"
        assert terminal.run("people", "remove", dan.email).code == 2  # nobody is there to be asked
        assert terminal.run("people", "remove", dan.email, "--yes").code == 0
        assert terminal.run("people", "show", dan.email).code == 4


def test_the_journal_is_read_verified_and_exported(portal: Portal, sits: SignIn, vera: User, acme: Tenant) -> None:
    terminal = sits(vera, acme, "journal:read")
    with portal.nobody_works():
        lines = terminal.run("journal", "list", "--deed", "token:make", "--json").json["results"]
        assert [line["code"] for line in lines] == ["token:make"]
        assert terminal.run("journal", "show", lines[0]["id"]).code == 0
        assert terminal.run("journal", "verify", "--json").code == 0
        assert terminal.run("journal", "standing").code == 0
        done = terminal.run("journal", "export", "--json")
        assert done.code == 0, done.err
        assert zipfile.is_zipfile(terminal.home / done.json["file"])
