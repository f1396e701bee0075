"""What portalctl does when the network, the portal or its token fail, and what it never does."""

import ssl
import stat
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from lifecycle.certificates.models import Certificate
from lifecycle.requests.models import CertificateRequest
from portal.foundation import clock
from portal.foundation.access.models import ApiToken, User
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import Tenant
from tests.ctl.conftest import SUBSCRIBING, SignIn, token_of
from tests.ctl.terminal import Terminal
from tests.ctl.wire import Wire
from tests.journeys.live import Portal

ASK = ("request", "desktop-signing", "--name", "Once", "--no-passphrase", "--agree", "--json")


@pytest.mark.parametrize("fault", ["lose", "cut", "busy"])
def test_a_change_whose_answer_is_lost_is_repeated_and_done_once(
    wire: Wire, sits: SignIn, petra: User, acme: Tenant, fault: str
) -> None:
    terminal = sits(petra, acme)
    wire.faults, wire.only = [fault, "", fault, fault], "POST"
    done = terminal.run(*ASK)
    assert done.code == 0, done.err
    begun, submitted = wire.said("POST", "/requests"), wire.said("POST", "/submission")
    assert (len(begun), len(submitted)) == (2, 3)
    for posts in (begun, submitted):
        assert len({one.headers["Idempotency-Key"] for one in posts}) == 1
        assert len({one.body for one in posts}) == 1
    with acting_for(acme.pk):
        assert CertificateRequest.objects.count() == 1
        assert Certificate.objects.filter(name="Once").count() == 1


def test_every_deed_has_a_key_of_its_own(wire: Wire, sits: SignIn, petra: User, acme: Tenant) -> None:
    terminal = sits(petra, acme)
    for _ in range(2):
        assert terminal.run(*ASK).code == 0
    keys = [one.headers["Idempotency-Key"] for one in wire.sent if one.method == "POST"]
    assert len(keys) == len(set(keys)) == 4


def test_retry_after_is_kept(wire: Wire, sits: SignIn, petra: User, acme: Tenant) -> None:
    terminal = sits(petra, acme)
    wire.faults = ["slow"]
    done = terminal.run("whoami")
    assert done.code == 0
    assert "trying again in 1 s" in done.err


def test_a_portal_that_stays_away_ends_with_its_own_code(wire: Wire, sits: SignIn, petra: User, acme: Tenant) -> None:
    terminal = sits(petra, acme)
    wire.faults = ["busy"] * 10
    gone = terminal.run("list", "--json")
    assert gone.code == 8
    assert len(wire.sent) == 6


def test_an_address_where_nobody_listens(tmp_path: Path, acme: Tenant, petra: User) -> None:
    gone = Terminal(tmp_path, _environment("http://127.0.0.1:9", acme, petra)).run("whoami", "--json")
    assert (gone.code, gone.error["code"]) == (8, "unreachable")
    assert "6 tries: Connection refused" in gone.error["title"]


def _environment(url: str, tenant: Tenant, person: User, *scopes: str) -> dict[str, str]:
    secret = token_of(person, tenant, *(scopes or SUBSCRIBING))
    return {"PORTALCTL_URL": url, "PORTALCTL_TENANT": tenant.slug, "PORTALCTL_TOKEN": secret}


def test_the_environment_is_enough_and_leaves_nothing(
    wire: Wire, tmp_path: Path, paper: Certificate, petra: User, acme: Tenant
) -> None:
    terminal = Terminal(tmp_path, _environment(wire.origin, acme, petra))
    assert terminal.run("list", "--json").json["results"][0]["id"] == str(paper.pk)
    assert not terminal.config.exists()
    half = Terminal(tmp_path, {"PORTALCTL_URL": wire.origin})
    assert half.run("list").code == 2


def test_a_token_is_no_option(wire: Wire, tmp_path: Path, petra: User, acme: Tenant) -> None:
    terminal = Terminal(tmp_path, _environment(wire.origin, acme, petra))
    assert terminal.run("list", "--from-environment", "cpt_x").code == 2
    assert terminal.run("login", wire.origin, "acme", "--from-environment", "cpt_x").code == 2
    assert wire.sent == []


def test_a_token_that_is_over_is_not_allowed(sits: SignIn, petra: User, acme: Tenant) -> None:
    terminal = sits(petra, acme)
    with acting_for(acme.pk):
        ApiToken.objects.update(revoked_at=clock.now() - timedelta(seconds=1))
    refused = terminal.run("list", "--json")
    assert (refused.code, refused.error["code"]) == (5, "token-over")
    assert refused.error["request_id"]


def test_a_scope_that_is_missing_is_named(sits: SignIn, petra: User, acme: Tenant) -> None:
    terminal = sits(petra, acme, "certificates:read")
    refused = terminal.run(*ASK)
    assert (refused.code, refused.error["code"]) == (5, "token-may-not")
    assert "requests:make" in refused.error["title"]
    with acting_for(acme.pk):
        assert not CertificateRequest.objects.exists()


def test_the_certificate_of_somebody_else_is_not_there(
    sits: SignIn, paper: Certificate, dan: User, hank: User, acme: Tenant, globex: Tenant
) -> None:
    for terminal in (sits(dan, acme), sits(hank, globex)):
        for word in (str(paper.pk), paper.name, paper.serial):
            assert terminal.run("show", word).code == 4
            assert terminal.run("download", word).code == 4
        assert list(terminal.home.glob("*.pem")) == []


def test_a_token_of_another_tenant_signs_nobody_in(
    wire: Wire, tmp_path: Path, petra: User, acme: Tenant, globex: Tenant
) -> None:
    terminal = Terminal(tmp_path)
    secret = token_of(petra, acme, *SUBSCRIBING)
    for tenant in ("globex", "nowhere"):
        refused = terminal.run("login", wire.origin, tenant, "--json", stdin=f"{secret}\n")
        assert (refused.code, refused.error["code"]) == (5, "token-wanted")
    assert not terminal.config.exists()
    assert secret not in refused.err


def test_the_token_is_kept_for_its_owner_alone(sits: SignIn, petra: User, acme: Tenant) -> None:
    terminal = sits(petra, acme)
    assert stat.S_IMODE(terminal.config.stat().st_mode) == 0o600
    assert stat.S_IMODE(terminal.config.parent.stat().st_mode) == 0o700
    terminal.config.chmod(0o640)
    refused = terminal.run("whoami")
    assert refused.code == 2
    assert "chmod 600" in refused.err
    terminal.config.chmod(0o600)
    assert terminal.run("logout").code == 0
    assert "cpt_" not in terminal.config.read_text()
    assert terminal.run("whoami").code == 5


def test_the_token_is_typed_unseen(wire: Wire, tmp_path: Path, petra: User, acme: Tenant) -> None:
    secret = token_of(petra, acme, *SUBSCRIBING)
    done = Terminal(tmp_path).talk(["login", wire.origin, "acme"], [("Token", secret)])
    assert done.code == 0, done.out
    assert "Petra Nováková" in done.out
    assert secret not in done.out


def test_a_netrc_does_not_take_the_place_of_the_token(wire: Wire, sits: SignIn, petra: User, acme: Tenant) -> None:
    terminal = sits(petra, acme)
    (terminal.home / ".netrc").write_text("machine localhost login eve password wrong\n")
    assert terminal.run("whoami").code == 0
    assert all(one.headers["Authorization"].startswith("Bearer cpt_") for one in wire.sent)


@pytest.mark.parametrize(
    "url",
    ["http://portal.example.com", "ftp://localhost", "https://user:pass@portal.example.com", "http://10.0.0.1", ""],
)
def test_no_token_is_sent_where_it_could_be_read(tmp_path: Path, url: str) -> None:
    refused = Terminal(tmp_path).run("login", url, "acme", stdin="cpt_x\n")
    assert refused.code == 2, refused.err


def test_tls_is_verified_by_an_authority_that_one_names(
    portal: Portal, tmp_path: Path, petra: User, acme: Tenant
) -> None:
    certificate, key = _self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    wire = Wire(portal.port)
    wire.open(context)
    try:
        terminal, secret = Terminal(tmp_path), token_of(petra, acme, *SUBSCRIBING)
        refused = terminal.run("login", wire.origin, "acme", "--json", stdin=f"{secret}\n")
        assert (refused.code, refused.error["code"]) == (8, "not-trusted")
        assert wire.sent == []
        done = terminal.run("login", wire.origin, "acme", "--ca-file", str(certificate), stdin=f"{secret}\n")
        assert done.code == 0, done.err
        assert terminal.run("whoami").code == 0
    finally:
        wire.close()


def _self_signed(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "tls.pem", folder / "tls.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += [
        "-keyout",
        key,
        "-out",
        certificate,
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
    ]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key
