"""The real nginx, with the configuration that we ship, in front of the real web service on a unix socket.

Only places differ from a container's: ports, folders, the certificate.
"""

import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from portal.demo.child import Child, bare_environment, wait_until
from portal.demo.embedded import free_port
from portal.foundation import clock
from portal.web.middleware import LARGEST_BODY
from tests.plugins.services import ROOT, surroundings
from tests.portal.composed import services

pytestmark = pytest.mark.django_db(transaction=True)

NGINX = ROOT / "deploy" / "nginx"
HOST = "portal.example"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


@dataclass
class Front:
    folder: Path
    plain: int
    tls: int
    web: Child
    nginx: Child

    def ask(self, path, *, tls=True, method="GET", body=None, headers=(), chunked=False) -> Answer:
        """Ask nginx as a browser would that typed the portal's address."""
        trusting = ssl.create_default_context(cafile=self.folder / "tls_certificate")
        trusting.check_hostname = False  # the address is loopback; the certificate is checked all the same
        connection = (
            http.client.HTTPSConnection("127.0.0.1", self.tls, timeout=20, context=trusting)
            if tls
            else http.client.HTTPConnection("127.0.0.1", self.plain, timeout=20)
        )
        with closing(connection):
            with suppress(BrokenPipeError, ConnectionResetError):  # who refuses a body need not read it
                connection.request(method, path, body, {"Host": HOST, **dict(headers)}, encode_chunked=chunked)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())


def configured(folder: Path, plain: int, tls: int) -> Path:
    """Write the configuration down for this machine; every place has to be one that a container has."""
    text = (NGINX / "nginx.conf").read_text()
    for theirs, ours in {
        "/tmp/": f"{folder}/",  # first, since the others may lead there
        "/run/secrets/": f"{folder}/",
        "/run/portal/": f"{folder}/",
        "/etc/nginx/pages": str(NGINX / "pages"),
        "[::]:8080": f"[::1]:{plain}",
        "[::]:8443": f"[::1]:{tls}",
        "listen 8080": f"listen 127.0.0.1:{plain}",
        "listen 8443": f"listen 127.0.0.1:{tls}",
    }.items():
        assert theirs in text
        text = text.replace(theirs, ours)
    (folder / "nginx.conf").write_text(text)
    return folder / "nginx.conf"


def certify(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(clock.now() - timedelta(hours=1)).not_valid_after(clock.now() + timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
    signed = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(key, hashes.SHA256())
    (folder / "tls_certificate").write_bytes(signed.public_bytes(Encoding.PEM))
    (folder / "tls_key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@pytest.fixture(scope="module")
def front(tmp_path_factory) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("f")
    certify(folder)
    plain, tls = free_port(), free_port()
    told = surroundings().environment("web") | {
        "PORTAL_DEMO": "0",
        "PORTAL_ORIGIN": f"https://{HOST}",
        "PKI_BASE_URL": f"http://{HOST}",
        "MAIL_URL": "smtp://127.0.0.1:1",
        "PORTAL_TRUSTED_PROXIES": "unix",
    }
    command = [part.replace("/run/portal/", f"{folder}/") for part in services()["web"]["command"]]
    web = Child("web", [sys.executable, *command[1:]], told, folder / "web.log", folder=ROOT)
    rights = " user root;" if os.geteuid() == 0 else ""
    nginx = Child(
        "nginx",
        ["/usr/sbin/nginx", "-e", "stderr", "-c", configured(folder, plain, tls), "-g", f"daemon off;{rights}"],
        bare_environment(),
        folder / "nginx.log",
    )
    front = Front(folder, plain, tls, web, nginx)
    web.start()
    nginx.start()
    try:
        assert wait_until(lambda: is_up(front) or not nginx.alive, 60.0, every=0.1)
        assert nginx.alive, nginx.last_lines()
        yield front
    finally:
        nginx.stop()
        web.stop()


def is_up(front: Front) -> bool:
    try:
        return front.ask("/healthz").status == 200
    except OSError:
        return False


def test_nginx_takes_the_configuration_without_a_word_of_doubt(front):
    command = ["/usr/sbin/nginx", "-e", "stderr", "-t", "-q", "-c", front.folder / "nginx.conf"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_page_comes_with_each_promise_once(front):
    shown = front.ask("/sign-in/")
    assert shown.status == 200
    promises = {
        "Strict-Transport-Security": "max-age=31536000",
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Server": "nginx",  # and no version
    }
    assert {name: shown.headers.get_all(name) for name in promises} == {name: [v] for name, v in promises.items()}
    [policy] = shown.headers.get_all("Content-Security-Policy")
    assert "unsafe" not in policy
    assert all("; secure" in cookie.lower() for cookie in shown.headers.get_all("Set-Cookie"))


def test_the_request_id_comes_back_is_the_portals_and_ties_the_logs_together(front):
    shown = front.ask("/sign-in/?next=%2Fsecret", headers={"X-Request-ID": "mine"})
    [known] = shown.headers.get_all("X-Request-ID")
    assert str(UUID(known)) == known

    def lines():
        found = [json.loads(line) for line in front.nginx.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in found if line["request_id"] == known]

    assert wait_until(lambda: len(lines()) == 1, 5.0)
    assert (lines()[0]["status"], lines()[0]["client"], lines()[0]["tls"]) == (200, "127.0.0.1", "TLSv1.3")
    assert known in front.web.log.read_text()
    assert "sign-in" not in front.nginx.log.read_text(), "links in mails open things, so no path is kept"


@pytest.mark.parametrize("path", ["/", "/sign-in/?next=/t/acme/", "/t/acme/certificates/"])
def test_over_plain_http_there_is_nothing_but_the_way_to_tls(front, path):
    shown = front.ask(path, tls=False, method="POST", body=b"password=typed")
    assert (shown.status, shown.headers["Location"]) == (308, f"https://{HOST}{path}")
    assert shown.headers["Set-Cookie"] is None
    assert shown.headers["X-Request-ID"] is None, "the portal was not asked"


def test_what_certificates_point_to_is_fetched_without_tls(front, acme):
    issuer = front.ask(f"/pki/{acme.slug}/issuing-1.cer", tls=False)
    assert issuer.status == 200
    assert "Issuing CA" in x509.load_der_x509_certificate(issuer.body).subject.rfc4514_string()
    assert issuer.headers["Strict-Transport-Security"] is None  # RFC 6797 7.2: never without TLS
    assert front.ask(f"/pki/{acme.slug}/issuing-1.cer").body == issuer.body
    assert front.ask("/pki/nobody/issuing-1.cer", tls=False).status == 404
    assert front.ask(f"/pki/{acme.slug}/issuing-1.cer", tls=False, method="POST", body=b"x").status == 403


@pytest.mark.parametrize(
    ("version", "is_taken"),
    [("TLSv1", False), ("TLSv1_1", False), ("TLSv1_2", True), ("TLSv1_3", True)],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_only_versions_of_tls_that_hold_are_spoken(front, version, is_taken):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")  # so that it is not we who refuse
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    assert handshake(front, context) == is_taken


@pytest.mark.parametrize(
    ("suite", "is_taken"),
    [("ECDHE-ECDSA-AES128-GCM-SHA256", True), ("ECDHE-ECDSA-AES256-SHA384", False), ("ECDHE-ECDSA-AES128-SHA", False)],
)
def test_only_suites_that_hold_are_spoken(front, suite, is_taken):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(suite)
    assert handshake(front, context) == is_taken


def handshake(front: Front, context: ssl.SSLContext) -> bool:
    with socket.create_connection(("127.0.0.1", front.tls), timeout=10) as raw:
        try:
            with context.wrap_socket(raw, server_hostname=HOST):
                return True
        except (ssl.SSLError, ConnectionResetError):
            return False


def test_a_stranger_cannot_say_where_they_are(front, world, owner):
    form = front.ask("/sign-in/")
    cookie = form.headers["Set-Cookie"].split(";")[0]
    token = re.search(rb'name="csrfmiddlewaretoken" value="(\w+)"', form.body)[1].decode()
    told = {
        "Cookie": cookie,
        "Referer": f"https://{HOST}/sign-in/",
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Forwarded-For": "203.0.113.5",
        "X_Forwarded_For": "203.0.113.6",
        "X-Real-IP": "203.0.113.7",
        "Forwarded": "for=203.0.113.8",
    }
    posted = f"csrfmiddlewaretoken={token}&username=nobody&password=wrong"
    assert front.ask("/sign-in/", method="POST", body=posted, headers=told).status != 302
    owner.execute("SELECT facts->>'address' FROM audit_auditevent WHERE code = 'sign-in:refuse'")
    assert owner.fetchall() == [("127.0.0.1",)]


def test_another_host_is_nobody_here(front):
    assert front.ask("/sign-in/", headers={"Host": "evil.example"}).status == 400
    assert front.ask("/sign-in/", headers={"X-Forwarded-Host": "evil.example"}).status == 200


def test_the_proxy_and_the_portal_agree_on_the_largest_body(front):
    [limit] = re.findall(r"client_max_body_size (\d+)m;", (NGINX / "nginx.conf").read_text())
    assert int(limit) * 1024 * 1024 == LARGEST_BODY
    asked = front.web.log.read_text().count('"event": "request"')
    for path, kind in (("/sign-in/", "text/html"), ("/api/v1/t/acme/certificates/", "application/problem+json")):
        refused = front.ask(path, method="POST", body=b"x" * (LARGEST_BODY + 1))
        assert (refused.status, refused.headers.get_content_type()) == (413, kind)
        assert refused.headers.get_all("Strict-Transport-Security") == ["max-age=31536000"]
        assert b"4 MB" in refused.body
    assert front.web.log.read_text().count('"event": "request"') == asked, "the portal was not asked"
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    file = b"x" * (LARGEST_BODY - len(head) - len(b"\r\n--b--\r\n"))
    form = {"Content-Type": "multipart/form-data; boundary=b"}  # so that the portal reads it to its end
    largest = front.ask("/sign-in/", method="POST", body=head + file + b"\r\n--b--\r\n", headers=form)
    assert largest.status == 403  # the portal judged it: it came from no form of ours
    assert largest.headers["X-Request-ID"]


def test_a_body_of_unknown_length_has_one_when_it_reaches_the_portal(front):
    sent = front.ask("/sign-in/", method="POST", body=iter([b"username=", b"nobody"]), chunked=True,
                     headers={"Transfer-Encoding": "chunked"})  # fmt: skip
    assert sent.status == 403
    assert sent.headers["X-Request-ID"]


def test_the_front_end_comes_compressed_and_stays_in_the_browser(front):
    [style] = re.findall(rb'href="(/static/portal-[0-9a-f]+\.css)"', front.ask("/sign-in/").body)
    shown = front.ask(style.decode(), headers={"Accept-Encoding": "br, gzip"})
    assert (shown.status, shown.headers["Content-Encoding"]) == (200, "br")
    assert "immutable" in shown.headers["Cache-Control"]
    assert shown.headers.get_all("Strict-Transport-Security") == ["max-age=31536000"]


def test_a_portal_that_is_away_is_told_in_words_and_the_health_check_sees_it(front):
    def healthy() -> int:
        told = {**bare_environment(), "PORTAL_ORIGIN": f"https://{HOST}"}
        probe = [sys.executable, ROOT / "deploy" / "healthy", front.folder / "web.sock"]
        return subprocess.run(probe, env=told, capture_output=True, check=False).returncode

    assert healthy() == 0
    front.web.stop()
    try:
        assert healthy() != 0
        page, document = front.ask("/sign-in/"), front.ask("/api/v1/t/acme/certificates/")
        assert (page.status, document.status) == (502, 502)
        assert b"try again" in page.body
        assert json.loads(document.body)["code"] == "not-answering"
        assert document.headers.get_content_type() == "application/problem+json"
        assert page.headers.get_all("Strict-Transport-Security") == ["max-age=31536000"]
    finally:
        front.web.start()
        assert wait_until(lambda: is_up(front), 60.0, every=0.1)
