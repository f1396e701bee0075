"""Certificates of other authorities: read from every kind of file, checked, kept, and never operated on."""

import base64
import secrets
import time
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7, pkcs12
from cryptography.x509.oid import NameOID
from django.core.files.uploadedfile import SimpleUploadedFile

from lifecycle.certificates import errors
from lifecycle.certificates import services as certificates
from lifecycle.certificates.bundles import LARGEST_FILE, MOST, read_bundle
from lifecycle.certificates.models import Certificate, CertificateKey, Reason, Source
from lifecycle.requests import services as requests
from lifecycle.requests.kinds import MEANING, Kind
from portal.foundation import clock
from portal.foundation.audit.models import AuditEvent
from portal.foundation.errors import Refusal
from portal.foundation.tenancy.context import acting_for
from tests.rows import everything
from tests.web.browsing import Visitor, nothing_happens, said
from tests.world import csr, issued

UPLOAD = "/t/acme/certificates/upload/"
OPERATIONS = [kind for kind, meaning in MEANING.items() if meaning.starts_from_certificate]


def _name(common):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def made(common="www.example.com", *, issuer=None, key=None, names=("www.example.com",), days=90, authority=False):
    """Return a certificate and its key: signed by *issuer*, a pair like this one, or by itself."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    above, signer = issuer or (None, key)
    now = clock.now().replace(microsecond=0)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(common))
        .issuer_name(above.subject if above else _name(common))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=days))
    )
    if authority:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    elif names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False)
    digest = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(signer, digest), key


def pem(*found):
    return b"".join(each.public_bytes(Encoding.PEM) for each in found)


def der(certificate):
    return certificate.public_bytes(Encoding.DER)


@pytest.fixture(scope="module")
def family():
    """A root, an authority below it, and a certificate of that, lowest first."""
    root = made("Other Root", authority=True)
    issuing = made("Other Issuing", issuer=root, authority=True)
    return [made(issuer=issuing)[0], issuing[0], root[0]]


# --- what files hold -------------------------------------------------------------------------------------------------

FILES = {
    "PEM alone": lambda leaf, *_: (pem(leaf), 0),
    "DER alone": lambda leaf, *_: (der(leaf), 0),
    "bare base64": lambda leaf, *_: (base64.encodebytes(der(leaf)), 0),
    "a chain in order": lambda leaf, ca, root: (pem(leaf, ca, root), 2),
    "a chain upside down": lambda leaf, ca, root: (pem(root, ca, leaf), 2),
    "a chain without its root": lambda leaf, ca, _: (pem(ca, leaf), 1),
    "the same twice": lambda leaf, ca, _: (pem(leaf, ca, leaf), 1),
    "DER after DER": lambda leaf, ca, root: (der(root) + der(leaf) + der(ca), 2),
    "PKCS#7 in DER": lambda *all_of_it: (pkcs7.serialize_certificates(list(all_of_it), Encoding.DER), 2),
    "PKCS#7 in PEM": lambda *all_of_it: (pkcs7.serialize_certificates(list(all_of_it), Encoding.PEM), 2),
    "with openssl's words": lambda leaf, *_: (b"subject=/CN=x\r\n" + pem(leaf).replace(b"\n", b"\r\n"), 0),
    "UTF-16": lambda leaf, *_: (pem(leaf).decode().encode("utf-16"), 0),
    "openssl's trusted form": lambda leaf, *_: (pem(leaf).replace(b" CERT", b" TRUSTED CERT"), 0),
}  # fmt: skip


@pytest.mark.parametrize("what", FILES)
def test_the_certificate_is_found_in_every_kind_of_file_with_the_chain_that_fits(family, what):
    content, above = FILES[what](*family)

    bundle = read_bundle(content)

    assert [one.certificate for one in bundle.found] == [family[0]]
    assert list(bundle.found[0].chain) == family[1 : above + 1]
    assert bundle.left_out == 0


def test_several_certificates_in_one_file_are_all_found_each_with_its_own_chain(family):
    leaf, ca, root = family
    alone, stranger = made("alone.example")[0], made("Stranger CA", authority=True)[0]

    bundle = read_bundle(pem(alone, ca, leaf, root, stranger))

    assert [(one.certificate, list(one.chain)) for one in bundle.found] == [(alone, []), (leaf, [ca, root])]
    assert bundle.left_out == 1


def test_authorities_alone_are_what_somebody_wants_to_keep(family):
    assert [one.certificate for one in read_bundle(pem(*family[1:])).found] == [family[1]]
    assert [one.certificate for one in read_bundle(pem(family[2])).found] == [family[2]]


def _encrypted(key):
    return key.private_bytes(
        Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
    )


def _plain(key, encoding=Encoding.PEM):
    return key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _pfx(certificate, key):
    return pkcs12.serialize_key_and_certificates(b"x", key, certificate, None, serialization.NoEncryption())


LEAF, KEY = None, ec.generate_private_key(ec.SECP256R1())
OTHERS = {
    "nothing": (lambda: b"", errors.NothingGiven, "Nothing was"),
    "spaces": (lambda: b" \r\n\x00", errors.NothingGiven, "Nothing was"),
    "words": (lambda: b"Dear all, here it is.", errors.CertificateUnreadable, "cannot be read"),
    "noise": (lambda: secrets.token_bytes(900), errors.CertificateUnreadable, "cannot be read"),
    "a picture": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(200), errors.CertificateUnreadable, "cannot be read"),
    "an empty sequence": (lambda: b"\x30\x00", errors.CertificateUnreadable, "cannot be read"),
    "a private key": (lambda: _plain(KEY), errors.SecretGiven, "a private key"),
    "a private key in DER": (lambda: _plain(KEY, Encoding.DER), errors.SecretGiven, "a private key"),
    "a private key in bare base64": (
        lambda: base64.b64encode(_plain(KEY, Encoding.DER)), errors.SecretGiven, "a private key"),
    "an encrypted private key": (lambda: _encrypted(KEY), errors.SecretGiven, "a private key"),
    "a private key after its certificate": (lambda: pem(made(key=KEY)[0]) + _plain(KEY), errors.SecretGiven, "key"),
    "a private key cut off": (lambda: pem(made()[0]) + _plain(KEY)[:90], errors.SecretGiven, "a private key"),
    "a PFX": (lambda: _pfx(made(key=KEY)[0], KEY), errors.SecretGiven, "PKCS#12"),
    "a signing request": (lambda: csr().encode(), errors.NotACertificate, "signing request"),
    "an SSH key": (lambda: b"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ petra", errors.NotACertificate, "SSH"),
    "a public key": (lambda: KEY.public_key().public_bytes(
        Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo), errors.NotACertificate, "public key"),
    "half a certificate": (lambda: pem(made()[0])[:400], errors.CertificateCutOff, "end of a certificate"),
    "an empty collection": (
        lambda: b"\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02",
        errors.CertificateUnreadable, "cannot be read"),
    "one byte too much": (lambda: b"A" * (LARGEST_FILE + 1), errors.UploadTooLarge, "1025 KB"),
    "one name too large": (
        lambda: der(made(names=[f"{n}{'y' * 60}.example" for n in range(999)])[0]),
        errors.CertificateTooLarge, "64 KB"),
}  # fmt: skip


@pytest.mark.parametrize("what", OTHERS)
def test_whatever_else_it_is_is_said(what):
    give, refusal, sentence = OTHERS[what]
    with pytest.raises(refusal, match=sentence) as refused:
        read_bundle(give())
    assert refused.value.advice


def test_more_certificates_than_are_taken_at_once_are_refused():
    key = ec.generate_private_key(ec.SECP256R1())
    found = [made(f"{number}.example", key=key, names=())[0] for number in range(MOST + 1)]
    assert len(read_bundle(pem(*found[:MOST])).found) == MOST
    with pytest.raises(errors.TooManyCertificates):
        read_bundle(pem(*found))


@pytest.mark.parametrize("place", ["its issuer's", "its own"])
def test_a_signature_that_is_not_the_issuers_is_refused_where_the_file_can_tell(family, place):
    leaf, ca, root = family
    spoiled = bytearray(der(leaf if place == "its issuer's" else root))
    spoiled[-1] ^= 1
    with pytest.raises(errors.SignatureBroken, match="damaged or forged"):
        read_bundle(bytes(spoiled) + der(ca))


def test_a_key_of_another_kind_is_kept_as_other():
    for key in (ed25519.Ed25519PrivateKey.generate(), dsa.generate_private_key(2048)):
        assert read_bundle(der(made(key=key)[0])).found


def test_a_hostile_file_does_not_keep_the_portal_busy():
    """Hundreds of authorities of one name, and as many certificates that could be any of theirs."""
    keys = [ec.generate_private_key(ec.SECP384R1()) for _ in range(4)]
    authorities = [made("One Name", key=key, authority=True) for key in keys for _ in range(40)]
    leaves = [made(f"{n}.example", issuer=authorities[0], key=keys[0])[0] for n in range(300)]
    began = time.process_time()
    read_bundle(pem(*(each for each, _key in authorities), *leaves))
    assert time.process_time() - began < 3


# --- thousands of spoiled files --------------------------------------------------------------------------------------


def _spoiled(content: bytes) -> bytes:
    spoiled = bytearray(content)
    for _change in range(secrets.randbelow(3) + 1):
        at = secrets.randbelow(len(spoiled)) if spoiled else 0
        match secrets.randbelow(5):
            case 0 if spoiled:
                spoiled[at] ^= 1 << secrets.randbelow(8)
            case 1 if spoiled:
                spoiled[at] = secrets.randbelow(256)
            case 2:
                del spoiled[at : at + secrets.randbelow(40)]
            case 3:
                spoiled[at:at] = spoiled[at : at + secrets.randbelow(40)]
            case _:
                spoiled[at:at] = secrets.token_bytes(secrets.randbelow(20))
    return bytes(spoiled)


@pytest.mark.parametrize("form", ["DER", "PEM", "PKCS#7", "DER after DER"])
def test_thousands_of_spoiled_files_are_refused_or_hold_what_the_authority_signed(family, form):
    """Nothing but a refusal comes out; what is taken is what its issuer, who is in the file, has signed."""
    whole = {
        "DER": der(family[0]),
        "PEM": pem(*family),
        "PKCS#7": pkcs7.serialize_certificates(family, Encoding.DER),
        "DER after DER": b"".join(map(der, family)),
    }[form]
    refused = 0
    for _number in range(750):
        spoiled = _spoiled(whole)
        try:
            bundle = read_bundle(spoiled)
        except Refusal:
            refused += 1
            continue
        for one in bundle.found:
            certificates._told_by(one.certificate)
            certificates.keys_of(one.certificate)
            for below, above in zip((one.certificate, *one.chain), one.chain, strict=False):
                below.verify_directly_issued_by(above)
            if one.chain and one.certificate.issuer == family[0].issuer:
                assert one.certificate == family[0]
    assert refused > 150


@pytest.mark.parametrize("how", ["pasted", "file"])
def test_spoiled_files_never_break_a_page(petra, acme, owner, family, how):
    visitor = Visitor(petra)
    headers = visitor._token()
    with nothing_happens(owner):
        for _number in range(60):
            spoiled = _spoiled(pem(*family) if how == "pasted" else der(family[0]))
            data = (
                {"text": spoiled.decode("latin-1")} if how == "pasted" else {"file": SimpleUploadedFile("a", spoiled)}
            )
            response = visitor.client.post(UPLOAD, data, headers=headers)
            assert response.status_code in {200, 422}, base64.b64encode(spoiled)


# --- from the file to the list ---------------------------------------------------------------------------------------


def given(person, content):
    page = Visitor(person).open(UPLOAD)
    return page.press("Check", file=content) if isinstance(content, bytes) else page.press("Check", text=content)


def uploaded(person, *found):
    return given(person, pem(*found)).press("Upload")


@pytest.mark.parametrize("who", ["petra", "ada"])
@pytest.mark.parametrize("how", ["pasted", "file"])
def test_what_was_found_is_shown_before_it_is_kept_and_then_it_is_there(request, acme, owner, family, who, how):
    person = request.getfixturevalue(who)
    with nothing_happens(owner):
        check = given(person, pem(*family).decode() if how == "pasted" else pem(*family))
    assert check.heading == "Check the certificate"
    for words in ("www.example.com", "Other Issuing, Other Root", "EC P-256"):
        assert words in check.text

    page = check.press("Upload 1 certificate")

    assert page.heading.startswith("www.example.com")
    assert "Issued by Other Issuing and uploaded here." in page.text
    assert "The lists of other authorities are not watched here." in page.text
    assert "Certificate uploaded" in page.text
    with acting_for(acme.pk):
        [stored] = Certificate.objects.with_facts()
        [event] = AuditEvent.objects.filter(code="certificate:upload")
        found = {(key.kind, key.key) for key in CertificateKey.objects.all()}
    assert (stored.source, stored.owner, bytes(stored.der)) == (Source.UPLOADED, person.pk, der(family[0]))
    assert bytes(stored.chain) == der(family[1]) + der(family[2])
    assert (event.actor, event.subject) == (str(person.pk), str(stored.pk))
    assert {("domain", "www.example.com"), ("domain", "example.com"), ("serial", stored.serial)} <= found


def test_its_download_has_the_chain_that_came_with_it(petra, acme, family):
    page = uploaded(petra, *family)
    content = page.visitor.client.get(f"{page.address}download/pem").content
    assert x509.load_pem_x509_certificates(content) == family
    alone = uploaded(petra, made("alone.example")[0])
    assert len(x509.load_pem_x509_certificates(alone.visitor.client.get(f"{alone.address}download/pem").content)) == 1


def test_several_are_kept_after_one_confirmation_and_each_is_journalled(petra, acme):
    found = [made(f"{number}.example")[0] for number in range(3)]

    page = given(petra, pem(*found)).press("Upload 3 certificates")

    assert page.address.endswith("/certificates/?source=uploaded")
    assert {f"{number}.example" for number in range(3)} <= set(page.links())
    with acting_for(acme.pk):
        assert AuditEvent.objects.filter(code="certificate:upload").count() == 3


def test_what_is_here_already_is_said_and_not_doubled(petra, dan, acme, owner):
    ours, theirs = issued(petra, acme, name="Ours"), made("theirs.example")[0]
    uploaded(petra, theirs)

    with nothing_happens(owner):
        again = given(petra, pem(theirs, ours.x509))
        others = given(dan, pem(theirs, ours.x509))

    assert "Uploaded before" in again.text
    assert "Issued here" in again.text
    assert "there is nothing to store" in again.text
    assert not [button for button in again.buttons() if button.startswith("Upload")]
    assert len([link for link in again.leads_to if link.count("/") == 5 and "upload" not in link]) >= 2
    assert "Issued here" in others.text
    assert f"/t/acme/certificates/{ours.pk}/" not in others.leads_to
    fresh = made("fresh.example")[0]
    page = given(petra, pem(theirs, fresh)).press("Upload 1 certificate")
    assert page.heading.startswith("fresh.example")
    with acting_for(acme.pk):
        assert Certificate.objects.count() == 3


def test_another_tenant_has_its_own(petra, hank, acme, globex):
    found = made()[0]
    uploaded(petra, found)
    page = Visitor(hank).open("/t/globex/certificates/upload/").press("Check", file=pem(found))
    assert "Uploaded before" not in page.text
    assert page.press("Upload").heading.startswith("www.example.com")


@pytest.mark.parametrize("what", ["a private key", "an encrypted private key", "a private key after its certificate"])
def test_a_private_key_is_refused_and_neither_kept_nor_sent_back(petra, acme, owner, what):
    content = OTHERS[what][0]().decode()
    form = Visitor(petra).open(UPLOAD)
    before = everything(owner)

    page = form.press("Check", text=content)

    assert page.status == 422
    assert "a private key must never leave its machine" in page.text
    body = page.response.content.decode()
    assert not [line for line in content.splitlines()[1:-1] if len(line) > 20 and line in body]
    assert everything(owner) == before


def test_the_confirmation_is_read_anew_and_a_forged_one_is_refused(petra, acme, owner, family):
    visitor = Visitor(petra)
    with nothing_happens(owner):
        for text in ("", "nonsense", csr(), _plain(KEY).decode()):
            page = visitor.post(UPLOAD, {"text": text, "confirmed": "yes"})
            assert page.status == 422
            assert page.complaints


def test_two_people_at_the_same_moment_keep_one(petra, dan, acme, monkeypatch):
    found = read_bundle(pem(made()[0])).found
    with acting_for(acme.pk):
        certificates.upload(found, by=petra.pk)
    monkeypatch.setattr(certificates, "already_here", lambda _fingerprints: {})
    with pytest.raises(errors.UploadedMeanwhile), acting_for(acme.pk):
        certificates.upload(found, by=dan.pk)
    with acting_for(acme.pk):
        assert Certificate.objects.get().owner == petra.pk
        assert AuditEvent.objects.filter(code="certificate:upload").count() == 1


def test_more_names_than_one_statement_takes_are_refused_whole(petra, acme, owner):
    found = read_bundle(pem(*(made(names=[f"{n}.{m}.many.example" for n in range(600)])[0] for m in range(20)))).found
    with nothing_happens(owner), pytest.raises(errors.TooManyNames), acting_for(acme.pk):
        certificates.upload(found, by=petra.pk)


# --- what is not done with it ----------------------------------------------------------------------------------------


@pytest.mark.rule("4.R8")
@pytest.mark.parametrize("kind", OPERATIONS)
def test_no_operation_is_offered_and_the_server_refuses_each(petra, acme, owner, family, kind):
    page = uploaded(petra, *family)
    stored = page.address.rstrip("/").rsplit("/", 1)[-1]
    why = "This certificate was uploaded: Other Issuing issued it"
    title = str(MEANING[kind].title)

    screen = page.visitor.open(f"{page.address}action/")
    listed = page.visitor.open("/t/acme/certificates/")

    assert any(why in said(item) and said(item).startswith(title) for item in page.having_class("menu__no"))
    for shown in (page, screen, listed):
        assert not [button for button in shown.buttons() if button.startswith(title)]
    assert f"{why}, so nothing can be done with it here. Ask Other Issuing." in screen.text
    with nothing_happens(owner):
        begun = page.visitor.post(f"/t/acme/requests/begin/{kind}/", {"certificate": stored})
        chosen = page.visitor.post(screen.address, {"action": kind, "confirmation": "on"})
        with pytest.raises(errors.IssuedElsewhere), acting_for(acme.pk, person=petra.pk):
            requests.begin_from_certificate(stored, Kind(kind), by=petra.pk)
    assert begun.status == chosen.status == 422
    assert begun.response.context["code"] == "issued-elsewhere"


@pytest.mark.rule("4.R8")
def test_it_cannot_be_revoked_here_by_the_worker_either(petra, acme, owner, as_service):
    uploaded(petra, made()[0])
    with nothing_happens(owner), as_service("signing"), pytest.raises(errors.IssuedElsewhere), acting_for(acme.pk):
        certificates.revoke(Certificate.objects.get(), reason=Reason.SUPERSEDED, by="test")


@pytest.mark.parametrize(("days", "word"), [(90, "Active"), (10, "Expiring"), (-1, "Expired")])
def test_its_state_is_what_its_dates_say(petra, acme, days, word):
    page = uploaded(petra, made(days=days)[0])
    assert said(page.having_class("chip")[0]) == word


def test_it_is_on_the_home_page_when_it_ends_soon_and_in_the_export(petra, acme):
    page = uploaded(petra, made(days=10)[0])
    home = page.visitor.open("/t/acme/")
    assert "www.example.com" in home.links()
    assert "Issued by www.example.com" in home.text
    exported = page.visitor.client.get("/t/acme/certificates/export.csv").content.decode()
    assert ",Uploaded,,www.example.com,Petra Nováková," in exported
