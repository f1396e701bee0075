"""What one does with portalctl, from the token to the certificate, against the portal as it runs."""

import json
import stat
import subprocess
import time
from datetime import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from lifecycle.certificates.models import Certificate
from portal.demo import records
from portal.foundation import clock
from portal.foundation.access.models import User
from portal.foundation.tenancy.models import Tenant
from tests.ctl.conftest import SignIn
from tests.ctl.terminal import Terminal
from tests.ctl.wire import Wire
from tests.journeys.live import Portal
from tests.plugins.services import surroundings
from tests.world import ask_for_codes, next_policies, prove

PASSPHRASE = "correct horse battery"
CONSENT = r"\[y/N\]"


@pytest.mark.usefixtures("name_server")
def test_a_rekey_at_a_terminal(
    portal: Portal, wire: Wire, sits: SignIn, server: Certificate, petra: User, acme: Tenant
) -> None:
    ask_for_codes(acme)
    terminal = sits(petra, acme)
    done = terminal.talk(
        ["rekey", "plain.demo.test", "--use-case", "lost"],
        [
            ("Passphrase", PASSPHRASE),
            ("The same again", PASSPHRASE),
            (CONSENT, "y"),
            ("Code sent to", portal.code),
        ],
    )
    assert done.code == 0, done.out
    assert "The certificate is issued." in done.out
    downloaded = terminal.run("download", "plain.demo.test", "--json")
    chain = x509.load_pem_x509_certificates((terminal.home / downloaded.json["file"]).read_bytes())
    key_file = terminal.home / "plain.demo.test.key"
    key = load_pem_private_key(key_file.read_bytes(), PASSPHRASE.encode())
    assert chain[0].public_key() == key.public_key()
    assert chain[0].subject == server.x509.subject
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert_never_sent(wire, key_file, PASSPHRASE)


def assert_never_sent(wire: Wire, key_file: Path, passphrase: str) -> None:
    """Nothing of the private key, nor its passphrase, was in any request."""
    lines = [line for line in key_file.read_text().splitlines() if not line.startswith("-----")]
    everything = "".join(f"{one.path}{one.headers}{one.body.decode()}" for one in wire.sent)
    assert wire.sent
    assert "PRIVATE KEY" not in everything
    assert passphrase not in everything
    assert not [line for line in lines if line in everything]


def test_a_request_without_a_terminal_stops_at_the_code_and_goes_on_with_it(
    portal: Portal, sits: SignIn, petra: User, acme: Tenant
) -> None:
    ask_for_codes(acme)
    terminal = sits(petra, acme)
    (terminal.home / "secret").write_text(f"{PASSPHRASE}\n")
    options = ["--passphrase-file", "secret", "--agree", "--json"]
    stopped = terminal.run("request", "desktop-signing", "--name", "Petra by program", *options)
    assert stopped.code == 9, stopped.err
    number = stopped.error["number"]
    assert f"portalctl submit {number} --code" in stopped.error["detail"]
    wrong = terminal.run("submit", number, "--code", "not-it", "--json")
    assert (wrong.code, wrong.error["code"]) == (3, "wrong-answer")
    done = terminal.run("submit", number, "--code", portal.code(), "--json")
    assert done.code == 0, done.err
    made = terminal.run("show", done.json["request"]["certificate"], "--json").json
    assert (made["name"], made["status"]) == ("Petra by program", "active")


def test_a_program_reads_the_code_itself(portal: Portal, sits: SignIn, petra: User, acme: Tenant) -> None:
    ask_for_codes(acme)
    terminal = sits(petra, acme)
    script = terminal.home / "read-the-code"
    script.write_text(
        f"#!/bin/sh\nfor i in $(seq 100); do code=$(grep -hoE '^ {{4}}[0-9]+' {portal.mails}/* | tr -d ' ')\n"
        '[ -n "$code" ] && echo "$code" && exit; sleep 0.2; done; exit 1\n'
    )
    script.chmod(0o700)
    done = terminal.run(
        *("request", "desktop-signing", "--name", "Robot", "--no-passphrase", "--agree"),
        *("--code-command", str(script), "--json"),
    )
    assert done.code == 0, done.err
    assert done.json["request"]["state"] == "completed"
    assert "without a passphrase" in done.err
    key = (terminal.home / done.json["key_file"]).read_bytes()
    load_pem_private_key(key, None)


def test_a_csr_of_ones_own_needs_no_key_here(sits: SignIn, paper: Certificate, petra: User, acme: Tenant) -> None:
    terminal = sits(petra, acme)
    _openssl(terminal, "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj / -keyout a.key -out a.csr")
    done = terminal.run("rekey", str(paper.pk), "--csr", "a.csr", "--use-case", "changed", "--agree", "--json")
    assert done.code == 0, done.err
    assert "key_file" not in done.json
    assert sorted(path.name for path in terminal.home.glob("*.key")) == ["a.key"]


def test_a_private_key_in_the_place_of_a_csr_is_not_sent(
    wire: Wire, sits: SignIn, paper: Certificate, petra: User, acme: Tenant
) -> None:
    terminal = sits(petra, acme)
    _openssl(terminal, "ecparam -name prime256v1 -genkey -noout -out a.key")
    refused = terminal.run("rekey", str(paper.pk), "--csr", "a.key", "--use-case", "changed", "--agree")
    assert refused.code == 2
    assert "holds a private key" in refused.err
    assert b"PRIVATE KEY" not in b"".join(one.body for one in wire.sent)


@pytest.mark.usefixtures("name_server")
def test_names_that_forbid_are_told_with_the_record_and_gone_on_with(sits: SignIn, petra: User, acme: Tenant) -> None:
    terminal = sits(petra, acme)
    said = ["--dns", "plain.demo.test", "--dns", "forbidden.demo.test", "--no-passphrase", "--agree"]
    refused = terminal.run("request", "tls-server", *said)
    assert refused.code == 3
    assert 'forbidden.demo.test. CAA 0 issue "ca.acme.example"' in refused.err
    number = refused.err.split("portalctl submit ")[1].split()[0]
    looked = terminal.run("domains", number, "--json").json["domains"]
    assert {name["name"]: name["state"] for name in looked} == {
        "plain.demo.test": "verified",
        "forbidden.demo.test": "failed",
    }
    records.replace(surroundings().names.stage, "forbidden.demo.test", {"CAA": ('0 issue "ca.acme.example"',)})
    resting = datetime.fromisoformat(max(name["rests_until"] for name in looked if name["rests_until"]))
    time.sleep(max(0.0, (resting - clock.now()).total_seconds()) + 0.5)  # a name that failed rests for ten seconds
    again = terminal.run("domains", number, "--check")
    assert again.code == 0, again.err
    done = terminal.run("submit", number, "--agree", "--json")
    assert done.code == 0, done.err
    assert (terminal.home / "plain.demo.test.key").exists()


def test_names_that_are_not_proven_are_told_with_what_would_prove_them(sits: SignIn, petra: User, acme: Tenant) -> None:
    next_policies(acme, checks_caa=False, proves_control=True)
    prove(acme, "ours.acme.example", by=petra)
    terminal = sits(petra, acme)
    said = ["--dns", "ours.acme.example", "--dns", "www.theirs.example", "--no-passphrase", "--agree"]
    refused = terminal.run("request", "tls-server", *said)
    assert refused.code == 3
    assert "www.theirs.example: Nobody has proven yet" in refused.err
    assert "Prove it: portalctl domain prove theirs.example\n" in refused.err
    assert "Or: portalctl domain prove www.theirs.example\n" in refused.err
    assert "ours.acme.example:" not in refused.err
    number = refused.err.split("portalctl submit ")[1].split()[0]
    shown = terminal.run("domains", number)
    assert "Proven on" in shown.out
    left = terminal.run("domains", number, "--leave-out", "www.theirs.example", "--json").json["domains"]
    assert [(name["name"], name["ready"]) for name in left] == [("ours.acme.example", True)]
    assert terminal.run("domains", number, "--leave-out", "ours.acme.example", "--json").error["code"] == "last-name"


def test_reviewers_approve_and_reject(sits: SignIn, paper: Certificate, petra: User, wei: User, acme: Tenant) -> None:
    next_policies(acme, approvals=1)
    asks, reviews = sits(petra, acme), sits(wei, acme, "requests:review")
    said = ["--no-passphrase", "--agree", "--no-wait", "--json"]
    numbers = [
        asks.run("request", "desktop-signing", "--name", name, *said).json["request"]["number"] for name in ("A", "B")
    ]
    own = asks.run("approve", numbers[0])
    assert own.code == 5
    late = asks.run("wait", numbers[0], "--timeout", "1", "--json")
    assert (late.code, late.error["state"]) == (7, "in review")
    assert reviews.run("approve", numbers[0], "--comment", "fine").code == 0
    assert asks.run("wait", numbers[0]).code == 0
    assert reviews.run("reject", numbers[1]).code == 2  # nobody is rejected without a reason
    assert reviews.run("reject", numbers[1], "--comment", "the department is gone").code == 0
    ended = asks.run("wait", numbers[1])
    assert ended.code == 6
    assert "the department is gone" in ended.err


def test_a_request_is_withdrawn_once(portal: Portal, sits: SignIn, petra: User, acme: Tenant) -> None:
    terminal = sits(petra, acme)
    with portal.nobody_signs():
        made = terminal.run(
            *("request", "desktop-signing", "--name", "Nobody", "--no-passphrase", "--agree", "--no-wait", "--json")
        ).json["request"]
        assert terminal.run("withdraw", made["number"]).code == 0
    ended = terminal.run("wait", made["number"], "--json")
    assert (ended.code, ended.error["state"]) == (6, "withdrawn")
    assert terminal.run("withdraw", made["number"]).code == 3


def test_ctrl_c_tells_the_number_and_how_to_go_on(
    portal: Portal, sits: SignIn, paper: Certificate, petra: User, acme: Tenant
) -> None:
    ask_for_codes(acme)
    terminal = sits(petra, acme)
    broken_off = terminal.talk(
        ["rekey", str(paper.pk), "--use-case", "lost", "--no-passphrase", "--agree"], [("Code sent to", "\x03")]
    )
    assert broken_off.code == 130
    going_on = broken_off.out.split("portalctl ")[-1].split()
    assert going_on[0] == "submit"
    before = portal.code()
    done = terminal.run(*going_on[:2], "--code", before, "--json")
    assert done.code == 0, done.err


def test_ctrl_c_while_waiting_leaves_the_request_at_work(
    portal: Portal, sits: SignIn, petra: User, acme: Tenant
) -> None:
    terminal = sits(petra, acme)
    with portal.nobody_signs():
        broken_off = terminal.talk(
            ["request", "desktop-signing", "--name", "Patience", "--no-passphrase", "--agree"],
            [("ready|validating", "\x03")],
        )
        assert broken_off.code == 130
    number = broken_off.out.split("portalctl wait ")[-1].split()[0]
    assert terminal.run("wait", number).code == 0


def test_keys_are_never_written_over(sits: SignIn, petra: User, acme: Tenant) -> None:
    terminal = sits(petra, acme)
    for expected in ("Petra.key", "Petra-2.key"):
        done = terminal.run("request", "desktop-signing", "--name", "Petra", "--no-passphrase", "--agree", "--json")
        assert (done.code, done.json["key_file"]) == (0, expected), done.err
    before = (terminal.home / "Petra.key").read_bytes()
    said = ["--name", "Petra", "--no-passphrase", "--agree", "--key-file", "Petra.key"]
    refused = terminal.run("request", "desktop-signing", *said)
    assert refused.code == 2
    assert (terminal.home / "Petra.key").read_bytes() == before


def test_an_answer_that_does_not_fit_is_told_by_its_field(sits: SignIn, petra: User, acme: Tenant) -> None:
    terminal = sits(petra, acme)
    said = ["--name", "x" * 65, "--no-passphrase", "--agree"]
    refused = terminal.run("request", "desktop-signing", *said)
    assert refused.code == 3
    assert "common_name:" in refused.err
    assert "Request ID: " in refused.err
    assert list(terminal.home.glob("*.key")) == []
    strange = terminal.run("request", "desktop-signing", "--set", "subject.colour=blue", "--no-passphrase", "--agree")
    assert strange.code == 2
    assert "colour" in strange.err


def test_a_certificate_that_cannot_be_rekeyed_costs_no_key(
    sits: SignIn, paper: Certificate, petra: User, acme: Tenant
) -> None:
    next_policies(acme, enabled=False)
    terminal = sits(petra, acme)
    refused = terminal.run("rekey", str(paper.pk), "--no-passphrase", "--agree", "--use-case", "lost", "--json")
    assert (refused.code, refused.error["code"]) == (3, "not-offered")
    assert list(terminal.home.glob("*.key")) == []
    assert terminal.run("requests", "list", "--kind", "rekey", "--json").json["results"] == []


def _openssl(terminal: Terminal, arguments: str) -> None:
    subprocess.run(["openssl", *arguments.split()], cwd=terminal.home, check=True, capture_output=True)


def test_json_is_one_document(sits: SignIn, paper: Certificate, petra: User, acme: Tenant) -> None:
    terminal = sits(petra, acme)
    for command in (["list"], ["show", "Petra Nováková"], ["whoami"], ["requests", "list"]):
        done = terminal.run(*command, "--json")
        assert done.code == 0, done.err
        assert json.loads(done.out)
        assert done.err == ""
