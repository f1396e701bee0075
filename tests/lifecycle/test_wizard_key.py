"""The step that takes the signing request: what it accepts, and what it says about each thing it does not."""

import base64
import re
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_public_key
from django.core.files.uploadedfile import SimpleUploadedFile

from lifecycle.authorities.keys import spki, spki_fingerprint
from lifecycle.certificates import services as certificates
from lifecycle.certificates.models import Certificate
from lifecycle.requests.models import CertificateRequest
from portal.foundation.tenancy.context import acting_for
from tests.web.browsing import Visitor, nothing_happens
from tests.world import begun, carry_out, csr, filled, issued, serving

EMPTY, SHA256 = x509.Name([]), hashes.SHA256()


def pem(key, digest=None):
    builder = x509.CertificateSigningRequestBuilder().subject_name(EMPTY)
    return builder.sign(key, digest).public_bytes(Encoding.PEM).decode()


@cache
def small_rsa():
    return rsa.generate_private_key(65537, 1024)


@cache
def odd_exponent():
    return rsa.generate_private_key(3, 2048)


@cache
def dsa_key():
    return dsa.generate_private_key(2048)


def new_ed25519():
    return ed25519.Ed25519PrivateKey.generate()


@cache
def long_ec():
    return ec.generate_private_key(ec.SECP521R1())


def der_of(text):
    return base64.b64decode("".join(text.splitlines()[1:-1]))


def in_pem(der):
    body = base64.encodebytes(der).decode()
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n"


def _in_sha1():
    """Say that the signature is one with SHA-1: what makes it forgeable is judged before whether it is right."""
    sha256, sha1 = (bytes.fromhex(f"06092a864886f70d0101{last}") for last in ("0b", "05"))  # RFC 8017 A.2.4
    return in_pem(der_of(csr("rsa-2048")).replace(sha256, sha1))


def _another_signature():
    der = bytearray(der_of(csr("rsa-2048")))
    der[-1] ^= 1
    return in_pem(bytes(der))


def _private_key():
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def at_key(person, tenant):
    """Walk to the step that asks for the key; return the page and the draft."""
    draft = begun(person, tenant)
    page = Visitor(person).open(f"/t/acme/requests/{draft.pk}/subject/").press("Next", common_name="Petra")
    assert page.address.endswith("/key/")
    return page, draft


REFUSED = {
    # the check                  what is given                              what is said
    "nothing":                   (lambda: "  \n ",                          "Nothing was pasted or uploaded"),
    "no CSR":                    (lambda: "Hello, is anybody there?",       "cannot be read as a certificate"),
    "cut off":                   (lambda: csr()[:200],                      "The end of this certificate"),
    "several":                   (lambda: csr() + csr(),                    "There are 2 certificate signing"),
    "a private key":             (_private_key,                             "must never leave the machine"),
    "too large":                 (lambda: "A" * 70_000,                     "(CSR) has at most 64 KB"),
    "no proof of possession":    (_another_signature,                       "it does not prove that you hold"),
    "a forgeable signature":     (_in_sha1,                                 "SHA-1, which can be forged"),
    "a key too small":           (lambda: pem(small_rsa(), SHA256),         "1024 bits; at least 2048"),
    "a kind of key nobody has":  (lambda: pem(dsa_key(), SHA256),           "is of a kind (DSA)"),
    "another kind of key":       (lambda: pem(new_ed25519()),               "is of a kind (Ed25519)"),
    "a curve the profile lacks": (lambda: pem(long_ec(), SHA256),           "not issued for EC secp521r1"),
    "a weak exponent":           (lambda: pem(odd_exponent(), SHA256),      "its public exponent is not 65537"),
}  # fmt: skip
"""One row for each check that looks at the request alone."""


@pytest.mark.rule("1.R16", "1.R17", "1.R18")
@pytest.mark.parametrize("how", ["pasted", "uploaded"])
@pytest.mark.parametrize("check", REFUSED)
def test_each_failing_check_has_its_own_message_and_goes_no_further(petra, acme, owner, check, how):
    given, sentence = REFUSED[check][0](), REFUSED[check][1]
    page, draft = at_key(petra, acme)

    with nothing_happens(owner):
        refused = page.press("Next", **({"csr": given} if how == "pasted" else {"csr_file": given.encode()}))

    assert refused.status == 422
    assert refused.address == page.address
    [complaint] = refused.complaints
    assert sentence in complaint
    if how == "pasted" and check != "a private key":
        assert refused.value("csr").strip() == given.strip()
    assert refused.visitor.open(f"/t/acme/requests/{draft.pk}/confirm/").address == page.address


def test_the_messages_are_all_different():
    sentences = [sentence for _given, sentence in REFUSED.values()]
    assert len(set(sentences)) == len(sentences)


@pytest.mark.rule("1.R18")
@pytest.mark.parametrize("how", ["pasted", "uploaded"])
def test_a_private_key_is_never_sent_back_or_stored(petra, acme, owner, how):
    private = _private_key()
    page, _draft = at_key(petra, acme)

    with nothing_happens(owner):
        refused = page.press("Next", **({"csr": private} if how == "pasted" else {"csr_file": private.encode()}))

    assert "PRIVATE KEY" not in refused.response.content.decode()
    assert private.splitlines()[1] not in refused.response.content.decode()


@pytest.mark.rule("0.R4")
def test_the_key_of_the_source_is_refused_with_its_own_message(petra, acme, owner):
    request = csr()
    source = issued(petra, acme, csr=request)
    draft = begun(petra, acme, source=source)
    page = Visitor(petra).open(f"/t/acme/requests/{draft.pk}/key/")

    with nothing_happens(owner):
        refused = page.press("Next", csr=request)

    assert refused.complaints == [
        "This is the key of the old certificate. A rekey needs a new key: make a new key pair and a new CSR."
    ]


@pytest.mark.rule("0.R4")
@pytest.mark.parametrize("spelling", ["DER", "another subject", "signed anew"])
def test_the_key_of_the_source_is_known_in_every_spelling(petra, acme, owner, spelling):
    key = ec.generate_private_key(ec.SECP256R1())
    source = issued(petra, acme, csr=pem(key, hashes.SHA256()))
    draft = begun(petra, acme, source=source)
    page = Visitor(petra).open(f"/t/acme/requests/{draft.pk}/key/")
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Somebody else")])
    other = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA384())
    given = {
        "DER": der_of(pem(key, hashes.SHA256())),
        "another subject": other.public_bytes(Encoding.PEM),
        "signed anew": pem(key, hashes.SHA512()).encode(),
    }[spelling]

    with nothing_happens(owner):
        refused = page.press("Next", csr_file=given)

    assert "This is the key of the old certificate." in refused.complaints[0]


@pytest.mark.rule("1.R18")
def test_a_key_that_another_certificate_has_is_refused_with_its_own_message(petra, dan, acme, owner):
    request = csr()
    issued(dan, acme, csr=request)
    page, _draft = at_key(petra, acme)

    with nothing_happens(owner):
        refused = page.press("Next", csr=request)

    assert refused.complaints == ["This key already belongs to another certificate. Make a new key pair and a new CSR."]


@pytest.mark.rule("1.R18")
def test_a_compromised_key_is_refused_with_its_own_message(petra, acme, owner):
    request = csr()
    parsed = x509.load_pem_x509_csr(request.encode())
    page, _draft = at_key(petra, acme)
    with serving("signing"), acting_for(acme.pk):
        certificates.report_compromised(spki_fingerprint(spki(parsed.public_key())), how_known="test")

    with nothing_happens(owner):
        refused = page.press("Next", csr=request)

    assert "This key was reported as compromised and can never be certified." in refused.complaints[0]


@pytest.mark.rule("1.R18")
@pytest.mark.parametrize("as_file", [False, True])
@pytest.mark.parametrize("kind", ["ec-p256", "ec-p384", "rsa-2048", "rsa-3072"])
def test_a_good_request_is_taken_pasted_or_uploaded_in_pem_or_der(petra, acme, kind, as_file):
    request = csr(kind)
    page, draft = at_key(petra, acme)

    page = page.press("Next", **({"csr_file": der_of(request)} if as_file else {"csr": request}))

    assert page.address.endswith("/confirm/")
    with acting_for(acme.pk):
        kept = CertificateRequest.objects.get(pk=draft.pk).answers["key"]
    ours = x509.load_pem_x509_csr(request.encode())
    assert load_der_public_key(base64.b64decode(kept["public_key"])) == ours.public_key()
    assert kept["key_type"] == kind


@pytest.mark.parametrize(
    "sloppy",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "> " + text.replace("\n", "\n> "),
        lambda text: text.replace("-----", "\u2014"),
        lambda text: "Hello,\n\nhere it is:\n" + text + "\nBye",
        lambda text: re.sub(r"-----.*?-----", "", text),
        lambda text: text.replace("\n", " "),
    ],
    ids=["Windows", "quoted", "long dashes", "in a mail", "no markers", "one line"],
)
def test_a_sloppy_paste_is_taken(petra, acme, sloppy):
    page, _draft = at_key(petra, acme)
    assert page.press("Next", csr=sloppy(csr())).address.endswith("/confirm/")


def test_a_file_that_is_much_too_large_is_told_its_true_size(petra, acme, owner):
    page, _draft = at_key(petra, acme)

    with nothing_happens(owner):
        refused = page.press("Next", csr_file=b"A" * 3 * 1024 * 1024)

    assert "This is 3072 KB long" in refused.complaints[0]


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\x00b.csr", "\u202egnp.csr", "x" * 400, "", 'a"b;c.csr'])
def test_an_uploads_name_does_not_matter(petra, acme, name):
    at, _draft = at_key(petra, acme)
    upload = SimpleUploadedFile("any.csr", der_of(csr()))
    upload._name = name  # as a hostile client would send it
    page = at.visitor.post(at.address, {"csr_file": upload, "csr": ""})
    assert page.status in {200, 422}
    assert page.complaints or page.address.endswith("/confirm/")


@pytest.mark.rule("1.R19", "0.R1", "0.R2", "0.R3", "0.R6")
def test_a_good_request_and_going_forward_is_the_new_certificate(petra, acme):
    """The new key, the old names and the old end, and the source is not touched."""
    source = issued(petra, acme, profile="secure-email", email="petra@acme.example\nnovakova@acme.example")
    request = csr()
    draft = filled(petra, acme, source=source, csr=request)
    page = Visitor(petra).open(f"/t/acme/requests/{draft.pk}/confirm/")
    page.press("Rekey", use_case="lost", consent=True)
    with acting_for(acme.pk):
        waiting = CertificateRequest.objects.get(pk=draft.pk)
    assert carry_out(waiting).state == "completed"

    with acting_for(acme.pk):
        fresh = Certificate.objects.get(predecessor=source)
        untouched = Certificate.objects.get(pk=source.pk)
    assert fresh.x509.public_key() == x509.load_pem_x509_csr(request.encode()).public_key()
    assert fresh.x509.subject.public_bytes() == source.x509.subject.public_bytes()
    assert fresh.x509.not_valid_after_utc == source.x509.not_valid_after_utc
    san = x509.SubjectAlternativeName
    assert fresh.x509.extensions.get_extension_for_class(san) == source.x509.extensions.get_extension_for_class(san)
    assert bytes(untouched.der) == bytes(source.der)
