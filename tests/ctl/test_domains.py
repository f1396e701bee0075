"""Domains, publishing ways, the CAA adviser and the rules' calendar from a command line."""

import base64
import csv
import io

import pytest

from lifecycle.validation.models import ControlLook, Domain, DomainControl, PublishingWay
from portal.demo import records
from portal.foundation.access.models import User
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import Tenant
from tests.ctl.conftest import SignIn
from tests.ctl.terminal import Terminal
from tests.journeys.live import Portal
from tests.plugins.services import surroundings

PROVING = ("domains:manage",)
NAME = "shop.demo.test"
OWNER = f"_portal-validation.{NAME}"


def publish(owner: str, *values: str) -> None:
    records.replace(surroundings().names.stage, owner, {"TXT": values})


def attempts(tenant: Tenant) -> list[DomainControl]:
    with acting_for(tenant.pk):
        return list(DomainControl.objects.order_by("asked_at"))


def test_a_domain_is_added_and_told_part_by_part(portal: Portal, sits: SignIn, petra: User, acme: Tenant) -> None:
    with portal.nobody_works():
        terminal = sits(petra, acme, *PROVING)
        added = terminal.run("domain", "add", f"*.{NAME}")
        assert (added.code, f"portalctl domain prove {NAME}" in added.out) == (0, True), added.err
        told = terminal.run("domain", "prove", NAME)
        [attempt] = attempts(acme)
        for part in (OWNER, attempt.value, f'{OWNER}. TXT "{attempt.value}"', "in the zone demo.test"):
            assert part in told.out
        assert f"portalctl domain look {NAME}" in told.out
        shown = terminal.run("domain", "show", NAME.upper()).out
        assert "pending" in shown
        assert "dns-change (BR 3.2.2.4.7)" in shown
        by_file = terminal.run("domain", "prove", NAME, "--method", "http-file", "--json").json["attempt"]
        assert by_file["instruction"]["kind"] == "file"
        assert [each.state for each in attempts(acme)] == ["failed", "pending"]
        mail = terminal.run(*("domain", "prove", NAME, "--method", "constructed-email", "--mailbox", f"admin@{NAME}"))
        assert f"admin@{NAME}" in mail.out
        listed = list(csv.DictReader(io.StringIO(terminal.run("domain", "list", "--csv").out)))
        assert [(row["NAME"], row["STATE"], row["METHOD"]) for row in listed] == [
            (NAME, "pending", "constructed-email")
        ]
        assert terminal.run("domain", "list", "--state", "proved", "--json").json["results"] == []


def test_what_cannot_be_is_refused_and_nothing_is_done(portal: Portal, sits: SignIn, petra: User, acme: Tenant) -> None:
    with portal.nobody_works():
        terminal = sits(petra, acme, *PROVING)
        for wish, code, said in (
            (("domain", "add", "com"), 3, "domain-unusable"),
            (("domain", "show", NAME), 4, "not-found"),
            (("ways", "list"), 5, "may-not"),
            (("rules-by-date",), 5, "may-not"),
        ):
            refused = terminal.run(*wish, "--json")
            assert (refused.code, refused.error["code"]) == (code, said), refused.err
        assert "portalctl domain add" in terminal.run("domain", "show", NAME).err
        with acting_for(acme.pk):
            assert not Domain.objects.exists()
        terminal.run("domain", "add", NAME)
        assert terminal.run("domain", "prove", NAME, "--method", "pigeon").code == 2
        odd = terminal.run("domain", "prove", NAME, "--mailbox", f"admin@{NAME}", "--json")
        assert (odd.code, odd.error["errors"][0]["pointer"]) == (3, "/sent_to")
        assert terminal.run("domain", "look", NAME, "--json").error["code"] == "attempt-over"
        assert terminal.run("domain", "wait", NAME, "--timeout", "1").code == 6
        assert attempts(acme) == []


def test_whoever_reads_only_proves_nothing(portal: Portal, sits: SignIn, petra: User, acme: Tenant) -> None:
    with portal.nobody_works():
        terminal = sits(petra, acme, "domains:read")
        refused = terminal.run("domain", "prove", NAME, "--json")
        assert (refused.code, refused.error["code"]) == (5, "token-may-not")
        with acting_for(acme.pk):
            assert not Domain.objects.exists()


@pytest.mark.usefixtures("name_server")
def test_a_look_says_what_everybody_saw_and_a_proof_that_is_there_counts(
    sits: SignIn, petra: User, acme: Tenant
) -> None:
    terminal = sits(petra, acme, *PROVING)
    value = terminal.run("domain", "prove", NAME, "--json").json["attempt"]["instruction"]["value"]
    publish(OWNER, "another's")
    missed = terminal.run("domain", "look", NAME)
    assert missed.code == 3, missed.out
    assert "another's" in missed.out
    assert "This portal" in missed.out
    assert "Add the record beside what is there" in missed.err
    publish(OWNER, "another's", value)
    done = terminal.run("domain", "wait", NAME, "--timeout", "60")
    assert done.code == 0, done.err
    assert "is proven by “DNS record”" in done.out
    assert "verifying" in done.err
    shown = terminal.run("domain", "show", NAME, "--json").json
    assert (shown["state"], shown["attempt"], shown["proof"]["method"]) == ("proved", None, "dns-change")
    with acting_for(acme.pk):
        assert list(ControlLook.objects.order_by("at").values_list("reason", flat=True)) == ["other-value", "seen"]
    listed = terminal.run("domain", "looks", NAME, "--json").json["results"]
    assert [row["reason"] for row in listed] == ["seen", "other-value"]
    assert terminal.run("domain", "looks", NAME, "--limit", "1").out.count("UTC") == 1
    assert terminal.run("domain", "retire", NAME, "--json").json["state"] == "retired"
    assert terminal.run("domain", "revive", NAME, "--json").json["state"] == "proved"


@pytest.mark.usefixtures("name_server")
def test_a_look_that_comes_too_early_waits_until_it_may(sits: SignIn, petra: User, acme: Tenant) -> None:
    terminal = sits(petra, acme, *PROVING)
    begun = terminal.run("domain", "prove", f"www.{NAME}", "--json").json
    value = begun["attempt"]["instruction"]["value"]
    assert terminal.run("domain", "look", f"www.{NAME}", "--json").error["code"] == "not-proven"
    publish(f"_portal-validation.www.{NAME}", value)
    seen = terminal.run("domain", "look", begun["id"], "--json")
    assert seen.code == 0, seen.err
    assert "The portal asks us to wait" in seen.err
    assert (seen.json["look"]["reason"], seen.json["domain"]["state"]) == ("seen", "proved")
    assert [place["saw"] for place in seen.json["look"]["places"]] == [[value]]


@pytest.mark.usefixtures("name_server")
def test_a_wait_ends_with_the_time_and_what_was_begun_stays(sits: SignIn, petra: User, acme: Tenant) -> None:
    terminal = sits(petra, acme, *PROVING)
    late = terminal.run("domain", "prove", NAME, "--wait", "--timeout", "5")
    assert late.code == 7, late.err
    assert OWNER in late.out
    assert f"portalctl domain wait {NAME}" in late.err
    assert [each.state for each in attempts(acme)] in (["pending"], ["verifying"])
    assert terminal.run("domain", "prove", NAME, "--wait", "--timeout", "0").code == 7


@pytest.mark.usefixtures("name_server")
def test_a_wait_for_a_mail_ends_where_a_mailbox_has_to_be_chosen(sits: SignIn, petra: User, acme: Tenant) -> None:
    terminal = sits(petra, acme, *PROVING)
    publish(f"_validation-contactemail.{NAME}", f"it@{NAME}")
    asked = terminal.run("domain", "prove", NAME, "--method", "txt-email", "--wait", "--timeout", "60", "--json")
    assert (asked.code, asked.error["code"]) == (3, "choose-contact"), asked.err
    assert f"it@{NAME}" in asked.error["title"]
    chosen = terminal.run("domain", "prove", NAME, "--method", "txt-email", "--mailbox", f"it@{NAME}", "--json").json
    assert chosen["attempt"]["instruction"]["owner"] == f"it@{NAME}"


def test_a_way_takes_its_secret_out_of_a_file_and_nobody_shows_it(
    portal: Portal, sits: SignIn, ada: User, acme: Tenant
) -> None:
    with portal.nobody_works():
        terminal = sits(ada, acme, "publishing:manage", "domains:manage")
        secret = base64.b64encode(b"a secret of 32 bytes, no fewer!!").decode()
        (terminal.home / "dns.key").write_text(f"{secret}\n")
        about = (
            "--zone",
            "demo.test",
            "--key-name",
            "portal",
            "--algorithm",
            "hmac-sha256",
            "--secret-file",
            "dns.key",
        )
        wish = ("ways", "add", "Ours", "--kind", "rfc2136", "--address", "ns1.demo.test", *about)
        added = terminal.run(*wish, "--json")
        assert added.code == 0, added.err
        way = added.json["id"]
        assert terminal.run("ways", "try", way).code == 0
        shown = terminal.run("ways", "show", way)
        listed = terminal.run("ways", "list")
        assert "Ours" in listed.out
        assert secret not in f"{added.out}{shown.out}{listed.out}{terminal.run('ways', 'list', '--json').out}"
        terminal.run("domain", "add", NAME)
        assert way in terminal.run("domain", "publish-by", NAME, way).out
        assert "by itself" in terminal.run("domain", "prove", NAME).out
        assert "by hand" in terminal.run("domain", "publish-by", NAME, "hand").out
        assert "is retired" in terminal.run("ways", "retire", way).out
        (terminal.home / "dns.key").write_text("\n")
        empty = terminal.run(*wish, "--json")
        assert (empty.code, empty.error["errors"][0]["pointer"]) == (3, "/secret")
        assert terminal.run(*wish[:-1], "not-there.key").code == 2
        with acting_for(acme.pk):
            assert PublishingWay.objects.count() == 1


@pytest.mark.usefixtures("name_server")
def test_the_adviser_tells_the_records_and_what_others_would_mean(sits: SignIn, petra: User, acme: Tenant) -> None:
    terminal = sits(petra, acme, "domains:read")
    told = terminal.run("caa", "advise", "forbidden.demo.test")
    assert told.code == 0, told.err
    assert "forbidden.demo.test <- counts" in told.out
    assert row_of(told.out, "TLS Server").startswith("no")
    better = 'CAA 0 issue "ca.acme.example"'
    imagined = terminal.run("caa", "what-if", "forbidden.demo.test", better)
    assert row_of(imagined.out, "TLS Server").startswith("yes")
    (terminal.home / "zone").write_text(better)
    assert terminal.run("caa", "what-if", "forbidden.demo.test", "@zone", "--json").json["verdicts"]
    odd = terminal.run("caa", "what-if", "forbidden.demo.test", "nonsense", "--json")
    assert (odd.code, odd.error["errors"][0]["pointer"]) == (3, "/records")
    assert terminal.run("caa", "advise", "com", "--json").code == 3


def row_of(table: str, title: str) -> str:
    return next(line for line in table.splitlines() if title in line)


def test_the_calendar_of_the_rules(sits: SignIn, vera: User, acme: Tenant) -> None:
    terminal: Terminal = sits(vera, acme, "rules:read")
    coming = terminal.run("rules-by-date", "--json").json["changes"]
    every = terminal.run("rules-by-date", "--all", "--json").json["changes"]
    assert coming
    assert len(every) > len(coming)
    assert not any(each["in_force"] for each in coming)
    assert coming[0]["day"] in terminal.run("rules-by-date").out
