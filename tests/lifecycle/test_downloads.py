"""Fetching a certificate: four forms, their names and media types, and a chain that OpenSSL accepts."""

import re
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs7

from tests.web.browsing import Visitor, nothing_happens
from tests.world import carry_out, issued, submitted

FORMS = {
    # form     media type                                 ends with        what OpenSSL calls its spelling
    "der":    ("application/pkix-cert",                   ".cer",          "DER"),
    "base64": ("application/x-x509-user-cert",            "-base64.cer",   "PEM"),
    "pem":    ("application/pem-certificate-chain",       ".pem",          "PEM"),
    "p7b":    ("application/x-pkcs7-certificates",        ".p7b",          "DER"),
}  # fmt: skip


def certificates_in(content, form):
    match form:
        case "der":
            return [x509.load_der_x509_certificate(content)]
        case "p7b":
            return pkcs7.load_der_pkcs7_certificates(content)
        case _:
            return x509.load_pem_x509_certificates(content)


@pytest.mark.rule("1.R30", "2.R18", "2.R19")
@pytest.mark.parametrize("form", FORMS)
def test_each_form_has_its_media_type_name_and_content(petra, acme, form):
    certificate = issued(petra, acme, name="Petra Nováková")
    media_type, ending, _spelling = FORMS[form]
    visitor = Visitor(petra)
    page = visitor.open(f"/t/acme/certificates/{certificate.pk}/")
    [address] = {link.get("href") for link in page.all("a") if link.get("href", "").endswith(f"/download/{form}")}

    response = visitor.client.get(address)

    assert response.status_code == 200
    assert response["Content-Type"] == media_type
    assert response["Content-Disposition"] == f'attachment; filename="Petra-Novakova{ending}"'
    assert "no-store" in response["Cache-Control"] or "private" in response["Cache-Control"]
    found = certificates_in(response.content, form)
    assert certificate.x509 in found
    assert len(found) == (3 if form in {"pem", "p7b"} else 1)
    assert response.content.startswith(b"-----BEGIN CERTIFICATE-----") == (FORMS[form][2] == "PEM")


@pytest.mark.rule("2.R18")
def test_there_are_no_other_forms(petra, acme):
    certificate = issued(petra, acme)
    visitor = Visitor(petra)
    page = visitor.open(f"/t/acme/certificates/{certificate.pk}/")

    assert {link.rsplit("/", 1)[-1] for link in page.leads_to if "/download/" in link} == set(FORMS)
    for odd in ("pfx", "key", "DER", "pem2", "x" * 200):
        assert visitor.open(f"/t/acme/certificates/{certificate.pk}/download/{odd}").status == 404


@pytest.mark.parametrize("rekeyed", [False, True])
def test_openssl_verifies_the_certificate_against_the_chain_that_comes_with_it(petra, acme, tmp_path, rekeyed):
    certificate = issued(petra, acme)
    if rekeyed:
        certificate = issued(petra, acme, source=certificate)
    visitor = Visitor(petra)
    at = f"/t/acme/certificates/{certificate.pk}/download/"
    chain = re.findall(
        r"-----BEGIN.*?END CERTIFICATE-----\n", visitor.client.get(at + "pem").content.decode(), re.DOTALL
    )
    files = {}
    for name, text in zip(("leaf", "issuing", "root"), chain, strict=True):
        files[name] = tmp_path / f"{name}.pem"
        files[name].write_text(text)
    alone = tmp_path / "alone.cer"
    alone.write_bytes(visitor.client.get(at + "der").content)
    bundle = tmp_path / "bundle.p7b"
    bundle.write_bytes(visitor.client.get(at + "p7b").content)

    for leaf, form in ((files["leaf"], "PEM"), (alone, "DER")):
        converted = tmp_path / "converted.pem"
        _openssl("x509", "-inform", form, "-in", leaf, "-out", converted)
        told = _openssl("verify", "-x509_strict", "-CAfile", files["root"], "-untrusted", files["issuing"], converted)
        assert told.strip().endswith(": OK")
    assert _openssl("pkcs7", "-inform", "DER", "-in", bundle, "-print_certs", "-noout").count("subject=") == 3


def _openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.rule("1.R30")
def test_the_mail_and_the_request_page_lead_to_the_download(petra, acme):
    done = carry_out(submitted(petra, acme))
    visitor = Visitor(petra)

    page = visitor.open(f"/t/acme/requests/{done.pk}/")

    assert "Your certificate is ready." in page.text
    assert sum("/download/" in link for link in page.leads_to) == len(FORMS)


@pytest.mark.parametrize(("who", "status"), [("dan", 404), ("hank", 404), ("wei", 200), ("vera", 200), ("jonas", 403)])
def test_who_may_see_a_certificate_may_fetch_it_and_nobody_else(request, petra, acme, owner, who, status):
    certificate = issued(petra, acme)
    with nothing_happens(owner):
        page = Visitor(request.getfixturevalue(who)).client.get(f"/t/acme/certificates/{certificate.pk}/download/der")
    assert page.status_code == status
    assert (bytes(certificate.der) == page.content) == (status == 200)
