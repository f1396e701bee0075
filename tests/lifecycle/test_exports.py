"""Downloads are what they say they are: judged by openssl, not by the library that wrote them."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from lifecycle.authorities import issuance
from lifecycle.authorities.ceremony import Superior, self_signed, subordinate
from lifecycle.authorities.keys import KEY_KINDS
from lifecycle.certificates.exports import FORMATS, file_name
from tests.fakes import orders
from tests.fakes.authority import InMemoryAuthority


def openssl(*arguments: str, given: bytes = b"") -> str:
    ended = subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr.decode()
    return ended.stdout.decode()


@pytest.fixture(scope="module", params=["ec-p256", "rsa-2048"])
def issued(request):
    """Return a certificate, then its issuer, then the root."""
    root_key, key = (KEY_KINDS[request.param].make() for _ in range(2))
    root = self_signed(orders.charter("Acme Root CA", path_length=1), root_key)
    superior = Superior(
        certificate=root,
        key=root_key,
        aia_issuer_url="http://pki.acme.example/authorities/root.cer",
        crl_url="http://pki.acme.example/crl/root.crl",
    )
    issuing = subordinate(orders.charter(), key.public_key(), superior)
    authority = InMemoryAuthority(issuing, key)
    linted = issuance.rehearse(orders.order(), issuing, ())
    return [issuance.check_delivery(linted, authority.issue(linted), issuing), issuing, root]


def written(issued: list[x509.Certificate], slug: str) -> bytes:
    return FORMATS[slug].write(issued[0], issued[1:])


AT = str(int(datetime(2026, 3, 10, tzinfo=UTC).timestamp()))


def test_the_downloaded_chain_verifies_the_downloaded_certificate(issued, tmp_path: Path):
    (tmp_path / "chain.pem").write_bytes(written(issued, "pem"))
    (tmp_path / "mine.cer").write_bytes(written(issued, "base64"))
    root = tmp_path / "root.pem"
    root.write_bytes(issued[-1].public_bytes(Encoding.PEM))
    names = [str(tmp_path / name) for name in ("chain.pem", "mine.cer")]
    assert openssl("verify", "-x509_strict", "-attime", AT, "-CAfile", names[0], names[1]).endswith("mine.cer: OK\n")
    told = ["-attime", AT, "-CAfile", str(root), "-untrusted", *names]
    assert openssl("verify", "-x509_strict", *told).endswith(": OK\n")


@pytest.mark.parametrize(("slug", "form"), [("der", "DER"), ("base64", "PEM")])
def test_a_single_certificate_is_read_in_its_form(issued, slug, form):
    serial = openssl("x509", "-inform", form, "-noout", "-serial", given=written(issued, slug))
    assert serial == f"serial={issued[0].serial_number:X}\n"


def test_the_chain_begins_with_the_certificate_and_ends_with_the_root(issued):
    assert x509.load_pem_x509_certificates(written(issued, "pem")) == issued


def test_a_collection_holds_the_whole_chain(issued):
    """As a set: DER sorts a SET OF (X.690 11.6), so a reader finds the order by the names."""
    printed = openssl("pkcs7", "-inform", "DER", "-print_certs", "-noout", given=written(issued, "p7b"))
    assert {line for line in printed.splitlines() if line.startswith("subject=")} == {
        f"subject=C = GB, O = Acme Ltd, CN = {common}" for common in ("Ada Lovelace", "Acme Issuing CA", "Acme Root CA")
    }


def test_every_format_has_its_media_type_and_its_ending():
    told = {slug: (form.media_type, file_name(orders.issuer()[0], form)) for slug, form in FORMATS.items()}
    assert told == {
        "der": ("application/pkix-cert", "Acme-Issuing-CA.cer"),
        "base64": ("application/x-x509-user-cert", "Acme-Issuing-CA-base64.cer"),
        "pem": ("application/pem-certificate-chain", "Acme-Issuing-CA.pem"),
        "p7b": ("application/x-pkcs7-certificates", "Acme-Issuing-CA.p7b"),
    }


def test_formats_without_a_chain_leave_it_out(issued):
    for form in FORMATS.values():
        alone, all_of_it = form.write(issued[0], []), form.write(issued[0], issued[1:])
        assert (alone != all_of_it) is form.with_chain


@pytest.mark.parametrize(
    ("common_name", "stem"),
    [
        ("Ada Lovelace", "Ada-Lovelace"),
        ("ada@acme.example", "ada@acme.example"),
        ("Žofie Nováková", "Zofie-Novakova"),
        ("../../etc/passwd", "etc-passwd"),
        ('a"; filename="b.exe\r\nX: y', "a-filename-b.exe-X-y"),
        ("x" * 64, "x" * 64),
        ("...", "certificate-"),
        ("Ада", "certificate-"),
        ("CON", "certificate-"),
        ("nul.txt", "certificate-"),
    ],
)
def test_a_file_name_is_safe_everywhere(common_name, stem):
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    certificate = x509.load_der_x509_certificate(
        issuance.rehearse(orders.order(subject=subject), orders.issuer()[0], ()).rehearsal
    )
    assert file_name(certificate, FORMATS["der"]).startswith(stem)
    assert file_name(certificate, FORMATS["der"]).isascii()
    assert not set(file_name(certificate, FORMATS["der"])) & set('/\\:*?"<>|\r\n; ')


def test_a_nameless_certificate_is_called_by_its_serial_number():
    certificate = x509.load_der_x509_certificate(
        issuance.rehearse(orders.order(subject=x509.Name([]), serial=0xABCDEF << 60), orders.issuer()[0], ()).rehearsal
    )
    assert file_name(certificate, FORMATS["p7b"]) == "certificate-abcdef000000000000000.p7b"
