"""Lists and files: all pages or one, for people, spreadsheets and programs; nothing is written over."""

import csv
import io
from pathlib import Path

from cryptography import x509

from lifecycle.certificates.models import Certificate
from portal.foundation.access.models import User
from portal.foundation.tenancy.models import Tenant
from tests.ctl.conftest import SignIn
from tests.ctl.wire import Wire
from tests.journeys.live import Portal
from tests.world import issued


def test_all_follows_the_cursors(portal: Portal, wire: Wire, sits: SignIn, petra: User, acme: Tenant) -> None:
    with portal.nobody_signs():
        made = [issued(petra, acme, name=f"Petra {number}") for number in range(3)]
    terminal = sits(petra, acme)
    first = terminal.run("list", "--limit", "2", "--json").json
    assert len(first["results"]) == 2
    assert first["next"]
    wire.sent.clear()
    whole = terminal.run("list", "--limit", "1", "--all", "--sort", "name", "--json").json
    assert [row["name"] for row in whole["results"]] == [one.name for one in made]
    assert whole["next"] is None
    assert len(wire.said("GET", "/certificates")) == 3


def test_a_list_for_a_spreadsheet_has_no_formulas(portal: Portal, sits: SignIn, petra: User, acme: Tenant) -> None:
    with portal.nobody_signs():
        issued(petra, acme, name="=1+1")
    rows = list(csv.reader(io.StringIO(sits(petra, acme).run("list", "--csv").out)))
    assert [row[0] for row in rows] == ["NAME", "'=1+1"]


def test_colours_are_for_terminals(sits: SignIn, paper: Certificate, petra: User, acme: Tenant) -> None:
    terminal = sits(petra, acme)
    assert "\x1b[" not in terminal.run("list").out
    assert "\x1b[" in terminal.talk(["list"], []).out
    terminal.environment["NO_COLOR"] = "1"
    assert "\x1b[" not in terminal.talk(["list"], []).out


def test_a_name_means_the_newest_of_its_lineage(portal: Portal, sits: SignIn, petra: User, acme: Tenant) -> None:
    with portal.nobody_signs():
        old = issued(petra, acme, name="Petra")
        new = issued(petra, acme, source=old)
        other = issued(petra, acme, name="Petra", profile="secure-email")
    terminal = sits(petra, acme)
    ambiguous = terminal.run("show", "Petra")
    assert ambiguous.code == 2
    assert str(new.pk) in ambiguous.err
    assert str(other.pk) in ambiguous.err
    assert str(old.pk) not in ambiguous.err
    for word in (str(old.pk), old.serial, f"0{old.serial.upper()}"):
        found = terminal.run("show", word, "--json")
        assert (word, found.code, found.err) == (word, 0, "")
        assert found.json["id"] == str(old.pk)


def test_files_are_not_written_over(sits: SignIn, paper: Certificate, petra: User, acme: Tenant) -> None:
    terminal = sits(petra, acme)
    done = terminal.run("download", str(paper.pk), "--json")
    file = terminal.home / done.json["file"]
    [leaf, *chain] = x509.load_pem_x509_certificates(file.read_bytes())
    assert (leaf, len(chain)) == (paper.x509, 2)
    file.write_text("mine")
    refused = terminal.run("download", str(paper.pk))
    assert (refused.code, file.read_text()) == (2, "mine")
    assert terminal.run("download", str(paper.pk), "--force").code == 0
    assert file.read_text() != "mine"
    assert [path.name for path in terminal.home.iterdir() if path.name != ".config"] == [file.name]
    assert terminal.run("download", str(paper.pk), "--form", "exe").code == 2
    der = terminal.run("download", str(paper.pk), "--form", "base64", "--out", "-")
    assert x509.load_pem_x509_certificate(der.out.encode()) == paper.x509


def test_what_comes_from_others_does_not_steer_the_terminal(
    portal: Portal, sits: SignIn, petra: User, wei: User, acme: Tenant
) -> None:
    terminal = sits(petra, acme)
    said = ["--message", "red\x1b[31m\u202e", "--no-passphrase", "--agree", "--no-wait", "--json"]
    done = terminal.run("request", "desktop-signing", "--name", "Petra", *said)
    shown = terminal.run("requests", "show", done.json["request"]["number"])
    assert "\x1b" not in shown.out
    assert "\u202e" not in shown.out


def test_certificates_of_others_are_uploaded_and_no_key_is(
    wire: Wire, sits: SignIn, paper: Certificate, mina: User, globex: Tenant
) -> None:
    terminal = sits(mina, globex, "certificates:upload")
    file: Path = terminal.home / "partner.der"
    file.write_bytes(bytes(paper.der))
    tried = terminal.run("upload", "partner.der", "--dry-run", "--json").json
    assert (tried["saved"], tried["found"][0]["was_here"]) == (False, False)
    assert terminal.run("upload", "partner.der", "--json").json["saved"]
    file.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    wire.sent.clear()
    assert terminal.run("upload", "partner.der").code == 2
    assert wire.sent == []
