"""Certificate signing requests: sloppy pastes are forgiven, bad ones refused with a sentence that says why."""

import base64
import html
from datetime import timedelta
from ipaddress import ip_address
from types import MappingProxyType

import gmpy2
import pytest
from badkeys.checks import checkrsa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs7,
    pkcs12,
)
from cryptography.x509.oid import NameOID
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lifecycle.authorities import errors
from lifecycle.authorities.csr import Csr, read_csr, refuse_weak
from lifecycle.authorities.keys import spki
from lifecycle.authorities.pasted import LIMIT
from portal.foundation.errors import Refusal
from tests.fakes import orders
from tests.fakes.orders import csr_der, in_pem, subscriber_key

KEY = subscriber_key()
DER = csr_der()
PEM = in_pem(DER)
BODY = "".join(PEM.splitlines()[1:-1])
BEGIN, END = "-----BEGIN CERTIFICATE REQUEST-----", "-----END CERTIFICATE REQUEST-----"


def private_pem(encryption: serialization.KeySerializationEncryption | None = None) -> str:
    return KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()).decode()


def pfx() -> bytes:
    return pkcs12.serialize_key_and_certificates(b"me", KEY, None, None, NoEncryption())


# --- what is forgiven ---------------------------------------------------------------------------

SLOPPY = {
    "DER": DER,
    "DER with a line end": DER + b"\r\n",
    "PEM": PEM,
    "PEM in bytes": PEM.encode(),
    "bare base64": BODY,
    "bare base64 in lines": "\n".join(PEM.splitlines()[1:-1]),
    "the old label": PEM.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"),
    "another label": PEM.replace("CERTIFICATE REQUEST", "CERTIFICATE"),
    "Windows line ends": PEM.replace("\n", "\r\n"),
    "old Macintosh line ends": PEM.replace("\n", "\r"),
    "all on one line": PEM.replace("\n", ""),
    "spaces for line ends": PEM.replace("\n", " "),
    "escaped line ends": PEM.replace("\n", "\\n"),
    "escaped Windows line ends": PEM.replace("\n", "\\r\\n"),
    "indented": "\n".join("    " + line for line in PEM.splitlines()),
    "blank lines between": PEM.replace("\n", "\n\n"),
    "quoted in a mail": "\n".join("> " + line for line in PEM.splitlines()),
    "quoted twice": "\n".join(">> | " + line for line in PEM.splitlines()),
    "in quotation marks": f'"{PEM}"',
    "in curly quotation marks": f"\u201c{PEM}\u201d",
    "in a code block": f"```\n{PEM}```",
    "as a JSON string": f'{{"csr": "{PEM}"}}'.replace("\n", "\\n"),
    "en dashes": PEM.replace("-", "\u2013"),
    "em dashes": PEM.replace("-----", "\u2014\u2014-"),
    "minus signs": PEM.replace("-", "\u2212"),
    "soft hyphens": PEM.replace("-----", "\u00ad-\u00ad----"),
    "too few dashes": PEM.replace("-----", "---"),
    "too many dashes": PEM.replace("-----", "-------"),
    "no dashes": PEM.replace("-----", ""),
    "small letters": PEM.replace("BEGIN CERTIFICATE REQUEST", "begin certificate request"),
    "no first line": PEM.split("\n", 1)[1],
    "no last line": PEM.rsplit("\n", 2)[0],
    "no padding": PEM.replace("=", ""),
    "non-breaking spaces": PEM.replace(" ", "\u00a0").replace("\n", "\u00a0\n"),
    "zero-width spaces": PEM.replace("\n", "\u200b\n"),
    "HTML": "<pre>" + html.escape(PEM).replace("\n", "<br>") + "</pre>",
    "HTML entities": PEM.replace("-", "&#45;").replace(" ", "&nbsp;"),
    "UTF-8 with a byte order mark": PEM.encode("utf-8-sig"),
    "UTF-16": PEM.encode("utf-16"),
    "UTF-16, the other way round": "\ufeff".encode("utf-16-be") + PEM.encode("utf-16-be"),
    "an old editor's dashes": PEM.replace("-", "\u2013").encode("cp1252"),
    "a greeting above": f"Hello,\nplease find my CSR below.\n\n{PEM}",
    "a greeting below": f"{PEM}\nThanks\nAda",
    "a greeting around bare base64": f"Hello,\nmy CSR:\n{BODY}\nThanks\nAda",
    "what openssl prints above it": f"Certificate Request:\n    Data:\n        Version: 1 (0x0)\n{PEM}",
    "header lines of RFC 1421": PEM.replace(f"{BEGIN}\n", f"{BEGIN}\nVersion: 1\nComment: mine\n\n"),
    "a certificate behind it": PEM + orders.issuer()[0].public_bytes(Encoding.PEM).decode(),
}


@pytest.mark.parametrize("how", SLOPPY)
def test_a_sloppy_paste_is_forgiven(how):
    assert read_csr(SLOPPY[how]).der == DER


@pytest.mark.rule("1.R18")
@pytest.mark.parametrize("kind", ["ec-p256", "ec-p384", "rsa-2048", "rsa-3072"])
def test_a_good_request_is_read_as_pem_and_as_der(kind):
    key = subscriber_key(kind)
    for given_as in (in_pem(csr_der(key)), csr_der(key)):
        csr = read_csr(given_as, allowed=[kind])
        assert csr.key_kind.slug == kind
        assert csr.public_key == spki(key.public_key())


def test_names_are_there_to_be_shown():
    names = (
        x509.RFC822Name("ada@acme.example"),
        x509.DNSName("ada.acme.example"),
        x509.DirectoryName(orders.name("Somebody")),
        x509.UniformResourceIdentifier("urn:ada"),
    )
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "Ada\x00\u202eLovelace\n"),
            x509.NameAttribute(NameOID.EMAIL_ADDRESS, "countess@acme.example"),
        ]
    )
    csr = read_csr(csr_der(subject=subject, names=names))
    assert csr.common_name == "Ada\ufffd\ufffdLovelace\ufffd"
    assert csr.emails == ("ada@acme.example", "countess@acme.example")
    assert csr.alternative_names[:2] == ("ada@acme.example", "ada.acme.example")
    assert "CN=Somebody" in csr.alternative_names[2]
    assert "\x00" not in csr.subject


def test_a_request_without_names_is_a_request():
    csr = read_csr(csr_der(subject=x509.Name([]), names=()))
    assert (csr.common_name, csr.emails, csr.alternative_names) == ("", (), ())


def test_a_key_is_recognised_whatever_else_the_request_says():
    once, again = read_csr(csr_der(names=())), read_csr(csr_der(subject=orders.name("Somebody Else")))
    assert once.der != again.der
    assert once.spki_fingerprint == again.spki_fingerprint
    assert read_csr(csr_der(ec.generate_private_key(ec.SECP256R1()))).spki_fingerprint != once.spki_fingerprint


# --- what is refused, each with its own words ---------------------------------------------------


def _resigned(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, digest: hashes.HashAlgorithm) -> bytes:
    """A CSR whose algorithm identifiers say a hash that `cryptography` no longer signs with."""
    sound = csr_der(key)
    replaced = {
        "sha1": ("2a864886f70d01010b", "2a864886f70d010105"),
        "md5": ("2a864886f70d01010b", "2a864886f70d010104"),
    }[digest.name]
    return sound.replace(*(bytes.fromhex(part) for part in replaced))


def _of(key: object) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(orders.name("Ada"))
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, digest).public_bytes(Encoding.DER)


def _with_point(change: int) -> bytes:
    point = KEY.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    off = point[:-1] + bytes([point[-1] ^ change])
    return DER.replace(point, off)


def _compressed() -> bytes:
    """The same key, written as a compressed point: SPKI and everything around it 32 bytes shorter."""
    point = KEY.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    short = KEY.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    algorithm = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")
    subject = x509.Name([]).public_bytes()
    shorter_spki = _sequence(algorithm + b"\x03\x22\x00" + short)
    body = _sequence(b"\x02\x01\x00" + subject + shorter_spki + b"\xa0\x00")
    signature = KEY.sign(body, ec.ECDSA(hashes.SHA256()))
    assert len(point) == 65
    return _sequence(
        body + bytes.fromhex("300a06082a8648ce3d040302") + b"\x03" + bytes([len(signature) + 1]) + b"\x00" + signature
    )


def _sequence(content: bytes) -> bytes:
    length = bytes([len(content)]) if len(content) < 128 else b"\x81" + bytes([len(content)])
    return b"\x30" + length + content


def _certificate() -> x509.Certificate:
    return orders.issuer()[0]


def _crl() -> bytes:
    certificate, key = orders.issuer()
    builder = x509.CertificateRevocationListBuilder().issuer_name(certificate.subject)
    builder = builder.last_update(orders.BEGINNING).next_update(orders.BEGINNING + timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


REFUSED = {
    "nothing": ("", errors.CsrEmpty, "Nothing was pasted"),
    "no bytes": (b"", errors.CsrEmpty, "Nothing was pasted"),
    "blanks": (" \r\n\t\u00a0\u200b ", errors.CsrEmpty, "Nothing was pasted"),
    "zeros": (bytes(2000), errors.CsrEmpty, "Nothing was pasted"),
    "too much": ("A" * (LIMIT + 1), errors.CsrTooLarge, "65 KB long"),
    "prose": ("Please issue me a certificate, thank you.", errors.CsrUnreadable, "cannot be read"),
    "an image": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), errors.CsrUnreadable, "cannot be read"),
    "letters that are not base64": (f"{BEGIN}\n{BODY[:40]}%%%{BODY[40:]}\n{END}", errors.CsrUnreadable, "cannot"),
    "a marker with nothing in it": (f"{BEGIN}\n{END}", errors.CsrUnreadable, "cannot be read"),
    "the half of it": (f"{BEGIN}\n{BODY[: len(BODY) // 8 * 4]}\n{END}", errors.CsrCutOff, "end .* is missing"),
    "two": (PEM + in_pem(csr_der(subject=orders.name("Other"))), errors.SeveralCsrs, "are 2 certificate signing"),
    "a certificate": (_certificate().public_bytes(Encoding.PEM), errors.NotACsr, "is a certificate, not"),
    "a certificate in DER": (_certificate().public_bytes(Encoding.DER), errors.NotACsr, "is a certificate, not"),
    "a certificate called a request": (
        _certificate().public_bytes(Encoding.PEM).replace(b"CERTIFICATE", b"CERTIFICATE REQUEST"),
        errors.NotACsr,
        "is a certificate, not",
    ),
    "a revocation list": (_crl(), errors.NotACsr, "a revocation list"),
    "a collection": (
        pkcs7.serialize_certificates([_certificate()], Encoding.DER),
        errors.NotACsr,
        "a collection of certificates",
    ),
    "a public key": (spki(KEY.public_key()), errors.NotACsr, "a bare public key"),
    "an SSH key": (
        KEY.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        errors.NotACsr,
        "an SSH public key",
    ),
    "a PGP key": ("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQ==\n-----END", errors.NotACsr, "a PGP message or key"),
    "a private key": (private_pem(), errors.PrivateKeyGiven, "is a private key. It was not stored"),
    "a private key in DER": (
        KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        errors.PrivateKeyGiven,
        "is a private key",
    ),
    "a private key the old way": (
        KEY.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        errors.PrivateKeyGiven,
        "is a private key",
    ),
    "an encrypted private key": (
        KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")),
        errors.PrivateKeyGiven,
        "is a private key",
    ),
    "an SSH private key": (
        KEY.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()),
        errors.PrivateKeyGiven,
        "is a private key",
    ),
    "a request with its private key": (private_pem() + PEM, errors.PrivateKeyGiven, "is a private key"),
    "a request with its private key behind it": (PEM + private_pem(), errors.PrivateKeyGiven, "is a private key"),
    "a PFX": (pfx(), errors.PrivateKeyGiven, r"PKCS#12 \(PFX\)"),
    "a PFX in base64": (base64.encodebytes(pfx()), errors.PrivateKeyGiven, r"PKCS#12 \(PFX\)"),
    "a changed signature": (DER[:-1] + bytes([DER[-1] ^ 1]), errors.CsrSignatureBroken, "does not prove"),
    "a changed name": (DER.replace(b"Ada Lovelace", b"Eve Lovelace"), errors.CsrSignatureBroken, "does not prove"),
    "SHA-1": (_resigned(subscriber_key("rsa-2048"), hashes.SHA1()), errors.CsrSignatureWeak, "SHA-1"),
    "MD5": (_resigned(subscriber_key("rsa-2048"), hashes.MD5()), errors.CsrSignatureWeak, "MD5"),
    "an unknown hash": (
        DER.replace(bytes.fromhex("2a8648ce3d040302"), bytes.fromhex("2a8648ce3d04037f")),
        errors.CsrSignatureUnsupported,
        "cannot be checked",
    ),
    "Ed25519": (_of(ed25519.Ed25519PrivateKey.generate()), errors.KeyUnsupported, "Ed25519"),
    "DSA": (_of(dsa.generate_private_key(2048)), errors.KeyUnsupported, "DSA"),
    "an unknown algorithm": (
        DER.replace(bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a8648ce3d027f")),
        errors.KeyUnsupported,
        "no certificate is issued for",
    ),
    "P-521": (_of(ec.generate_private_key(ec.SECP521R1())), errors.KeyNotAllowed, "EC secp521r1"),
    "secp256k1": (_of(ec.generate_private_key(ec.SECP256K1())), errors.KeyNotAllowed, "EC secp256k1"),
    "RSA 1024": (_of(rsa.generate_private_key(65537, 1024)), errors.KeyTooSmall, "has 1024 bits; at least 2048"),
    "RSA 2056": (_of(rsa.generate_private_key(65537, 2056)), errors.KeyNotAllowed, "RSA 2056"),
    "an odd exponent": (_of(rsa.generate_private_key(3, 2048)), errors.KeyWeak, "exponent is not 65537"),
    "a point off the curve": (_with_point(1), errors.KeyInvalid, "not a valid key"),
    "a compressed point": (_compressed(), errors.KeyEncodedOddly, "form that is not supported"),
}  # fmt: skip


@pytest.mark.rule("1.R18")
@pytest.mark.parametrize("what", REFUSED)
def test_each_failing_check_has_its_own_message(what):
    given_as, refusal, said = REFUSED[what]
    with pytest.raises(refusal, match=said) as refused:
        read_csr(given_as)
    assert refused.value.advice


@pytest.mark.rule("1.R18")
def test_a_key_the_profile_does_not_take_is_refused_with_what_it_takes():
    with pytest.raises(errors.KeyNotAllowed, match="EC secp256r1") as refused:
        read_csr(DER, allowed=["rsa-2048", "rsa-3072"])
    assert refused.value.advice == "Make a new key of one of these kinds: RSA 2048, RSA 3072."


def test_every_refusal_has_a_code_and_words_of_its_own():
    refusals = [each for each in vars(errors).values() if isinstance(each, type) and each.__module__ == errors.__name__]
    assert len({each.code for each in refusals}) == len({str(each.message) for each in refusals}) == len(refusals)
    assert {refusal for _, refusal, _ in REFUSED.values()} >= set(refusals)


def test_no_refusal_repeats_what_was_pasted():
    secret = private_pem().splitlines()[1]
    for given_as in (private_pem(), PEM + private_pem()):
        with pytest.raises(errors.PrivateKeyGiven) as refused:
            read_csr(given_as)
        assert secret not in str(refused.value) + repr(refused.value.facts)


# --- weak keys ------------------------------------------------------------------------------------


def _public(n: int, e: int = 65537) -> rsa.RSAPublicKey:
    return rsa.RSAPublicNumbers(e, n).public_key()


def _prime(seed: int) -> int:
    return int(gmpy2.next_prime(gmpy2.mpz(3) ** seed))


def _roca() -> int:
    """A modulus with the shape ROCA leaves: a power of 65537 modulo every small prime (CVE-2017-15361)."""
    primorial = int(gmpy2.primorial(167))
    residue = pow(65537, 1234, primorial)
    return residue + primorial * ((1 << 2047) // primorial + 4)


def _wiener() -> tuple[int, int]:
    """A private exponent so small that continued fractions find it."""
    p, q = _prime(646), _prime(645)
    d = 65539
    return p * q, pow(d, -1, (p - 1) * (q - 1))


WEAK = {
    "fermat": (lambda: _public(_prime(646) * int(gmpy2.next_prime(_prime(646)))), "too close together"),
    "smallfactors": (lambda: _public(65521 * int(gmpy2.next_prime(gmpy2.mpz(1) << 2036))), "small factor"),
    "roca": (lambda: _public(_roca() | 1), "ROCA"),
    "smalld": (lambda: _public(*_wiener()), "private exponent is too small"),
}


@pytest.mark.rule("1.R18")
@pytest.mark.parametrize("flaw", WEAK)
def test_a_key_whose_private_half_can_be_computed_is_refused(flaw):
    make, said = WEAK[flaw]
    key = make()
    numbers = key.public_numbers()
    assert checkrsa(numbers.n, e=numbers.e, checks=[flaw])
    with pytest.raises(errors.KeyWeak, match=said):
        refuse_weak(key)


def test_sound_keys_are_not_called_weak():
    for kind in ("ec-p256", "ec-p384", "rsa-2048", "rsa-3072", "rsa-4096"):
        refuse_weak(subscriber_key(kind).public_key())


# --- malformed by the thousand --------------------------------------------------------------------


def outcome(given_as: bytes | str) -> Csr | Refusal:
    """Anything but a CSR or a refusal falls through and fails the test."""
    try:
        return read_csr(given_as)
    except Refusal as refusal:
        return refusal


GOOD = MappingProxyType(
    {
        "ec": DER,
        "rsa": csr_der(subscriber_key("rsa-2048")),
        "names": csr_der(names=(x509.DirectoryName(orders.name("X")), x509.IPAddress(ip_address("10.0.0.1")))),
    }
)


def _never_accepts_another(der: bytes, changed: bytes) -> None:
    """A CSR that is accepted is the good one: a change inside it breaks its signature."""
    if isinstance(read := outcome(changed), Csr):
        assert read.der in {der, changed}
        assert read.public_key == read_csr(der).public_key


@pytest.mark.parametrize("sample", GOOD)
@pytest.mark.parametrize("value", [0x00, 0x01, 0x30, 0x7F, 0x80, 0x84, 0xA0, 0xFF])
def test_every_byte_changed_in_turn_gives_a_refusal_or_the_same_request(sample, value):
    der = GOOD[sample]
    for position in range(len(der)):
        changed = der[:position] + bytes([value]) + der[position + 1 :]
        _never_accepts_another(der, changed)


@pytest.mark.parametrize("sample", GOOD)
def test_every_beginning_and_every_end_gives_a_refusal(sample):
    der = GOOD[sample]
    for cut in range(1, len(der)):
        assert isinstance(outcome(der[:cut]), Refusal)
        assert isinstance(outcome(der[cut:]), Refusal)


@settings(max_examples=1500, deadline=None, derandomize=True, database=None)
@given(
    st.sampled_from(sorted(GOOD)),
    st.lists(
        st.tuples(st.sampled_from("=+-~"), st.integers(0, 2000), st.binary(min_size=1, max_size=6)),
        min_size=1,
        max_size=5,
    ),
)
def test_bytes_set_inserted_removed_and_repeated_give_a_refusal_or_the_same_request(sample, changes):
    der = GOOD[sample]
    changed = bytearray(der)
    for deed, where, what in changes:
        at = where % max(len(changed), 1)
        changed[at : at + (len(what) if deed in "=-" else 0)] = {"=": what, "+": what, "-": b"", "~": what * 40}[deed]
    _never_accepts_another(der, bytes(changed))


@settings(max_examples=1500, deadline=None, derandomize=True, database=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 900),
            st.text(max_size=4) | st.sampled_from(["-", "-----BEGIN ", "\n", "=", "&#", "<", "\x00"]),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_text_with_anything_inserted_gives_a_refusal_or_the_same_request(changes):
    text = PEM
    for where, what in changes:
        at = where % len(text)
        text = text[:at] + what + text[at:]
    if isinstance(read := outcome(text), Csr):
        assert read.der == DER


@settings(max_examples=500, deadline=None, derandomize=True, database=None)
@given(st.binary(max_size=400) | st.text(max_size=400))
@example("\ud800")
@example(b"\xff\xfe\x00")
@example("-----BEGIN CERTIFICATE REQUEST-----" * 1500)
@example("-" * LIMIT)
@example(">" * LIMIT)
@example("BEGIN " * 10_000)
@example("END KEY " * 8_000)
@example("<" * LIMIT)
@example("&amp;" * 13_000)
@example(" " * (LIMIT - 1) + "x")
@example("MII" * 20_000)
@example("\\" * LIMIT)
@example(b"\x30\x84\xff\xff\xff\xff" + bytes(100))
@example(b"\x30\x80" * 30_000)
def test_what_was_never_a_request_gives_a_refusal(anything):
    assert isinstance(outcome(anything), Refusal)
