"""One suite for every authority, so that the one in memory fails like the real one."""

import secrets
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key

from lifecycle.authorities import issuance
from lifecycle.authorities.backends.base import Authority, AuthorityNotReached, AuthorityRefused, OutcomeUnknown
from lifecycle.authorities.backends.pkcs11 import TokenAuthority, key_in
from lifecycle.authorities.ceremony import self_signed
from lifecycle.authorities.issuance import Linted
from lifecycle.authorities.keys import KEY_KINDS, kind_of
from portal.foundation.token import Token, token_at
from tests.fakes import orders
from tests.fakes.authority import InMemoryAuthority
from tests.fakes.device import Device

KINDS = tuple(KEY_KINDS)
ALGORITHMS = {
    "ec-p256": "ecdsa-with-SHA256",
    "ec-p384": "ecdsa-with-SHA384",
    "rsa-2048": "sha256WithRSAEncryption",
    "rsa-3072": "sha256WithRSAEncryption",
    "rsa-4096": "sha256WithRSAEncryption",
}
SIZES = {"ec-p256": "secp256r1", "ec-p384": "secp384r1", "rsa-2048": 2048, "rsa-3072": 3072, "rsa-4096": 4096}


class InMemory:
    """Makes authorities in memory, sound ones and broken ones."""

    def sound(self, kind: str) -> Authority:
        return InMemoryAuthority.made(kind)

    def absent(self) -> Authority:
        authority = InMemoryAuthority.made()
        authority.absent = "nobody is there"
        return authority

    def silent(self) -> Authority:
        authority = InMemoryAuthority.made()
        authority.fault = OutcomeUnknown("it went quiet")
        return authority

    def refusing(self) -> Authority:
        authority = InMemoryAuthority.made()
        authority.fault = AuthorityRefused("it said no")
        return authority


class InToken:
    """Makes the same with a real token, and with a device that fails where SoftHSM cannot."""

    def __init__(self, token: Any, device: Device) -> None:
        self._token = token_at(token.module, token.label, str(token.pin_file))
        self._device = device

    def sound(self, kind: str) -> Authority:
        key_id = self._new_key(kind)
        certificate = self_signed(orders.charter(), key_in(self._token, key_id))
        return TokenAuthority(certificate, self._token, key_id)

    def absent(self) -> Authority:
        nowhere = Token(self._token.module, "no such token", self._token.pin_file)
        return TokenAuthority(orders.issuer()[0], nowhere, b"\x01")

    def silent(self) -> Authority:
        """The key proves itself, and then fails at the first certificate."""
        return self._failing("silent")

    def refusing(self) -> Authority:
        """The key proves itself, before and after it was refused for this one order."""
        return self._failing("refuses")

    def _failing(self, mode: str) -> Authority:
        authority = self.sound("ec-p256")
        self._device.be(mode, after=1, times=1)
        return authority

    def _new_key(self, kind: str) -> bytes:
        key_id = secrets.token_bytes(8)
        self._token.generate(kind, key_id)
        return key_id


@pytest.fixture(params=["in memory", "in a token"])
def make(
    request: pytest.FixtureRequest, token: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[InMemory | InToken]:
    if request.param == "in memory":
        yield InMemory()
        return
    opened = token_at(token.module, token.label, str(token.pin_file))
    opened.close()
    device = Device(tmp_path)
    device.install(monkeypatch.setattr)
    yield InToken(token, device)
    opened.close()


def linted_for(authority: Authority) -> Linted:
    return issuance.rehearse(orders.order(), authority.certificate, authority.lints)


@pytest.mark.parametrize("kind", KINDS)
def test_it_signs_what_was_rehearsed(make, kind):
    authority = make.sound(kind)
    linted = linted_for(authority)
    authority.reach()
    delivered = issuance.check_delivery(linted, authority.issue(linted), authority.certificate)
    rehearsed = x509.load_der_x509_certificate(linted.rehearsal)
    assert delivered.tbs_certificate_bytes == rehearsed.tbs_certificate_bytes
    assert delivered.signature != rehearsed.signature
    assert delivered.serial_number == linted.order.serial


@pytest.mark.parametrize("kind", KINDS)
def test_the_hash_follows_the_key(make, kind):
    authority = make.sound(kind)
    issued = x509.load_der_x509_certificate(authority.issue(linted_for(authority)))
    assert isinstance(issued.signature_hash_algorithm, KEY_KINDS[kind].digest)
    assert kind_of(authority.certificate.public_key()) is KEY_KINDS[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_openssl_follows_the_chain_and_finds_the_signature_that_the_key_demands(make, kind, tmp_path):
    """RFC 5758 3.2 for EC, RFC 8017 A.2.4 for RSA; somebody else's code verifies what ours made."""
    authority = make.sound(kind)
    issued = x509.load_der_x509_certificate(authority.issue(linted_for(authority)))
    (tmp_path / "ca.pem").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "leaf.pem").write_bytes(issued.public_bytes(Encoding.PEM))
    at = str(int(issued.not_valid_before_utc.timestamp()) + 60)
    told = openssl("verify", "-x509_strict", "-attime", at, "-CAfile", "ca.pem", "leaf.pem", folder=tmp_path)
    assert told == "leaf.pem: OK\n"
    shown = openssl("x509", "-in", "leaf.pem", "-noout", "-text", folder=tmp_path)
    assert f"Signature Algorithm: {ALGORITHMS[kind]}\n" in shown
    public = authority.certificate.public_key()
    assert (public.curve.name if isinstance(public, ec.EllipticCurvePublicKey) else public.key_size) == SIZES[kind]


def openssl(*arguments: str, folder: Path) -> str:
    ended = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_it_carries_the_key_that_was_ordered(make):
    authority = make.sound("ec-p256")
    linted = linted_for(authority)
    issued = x509.load_der_x509_certificate(authority.issue(linted))
    assert issued.public_key() == load_der_public_key(linted.order.public_key)


@pytest.mark.parametrize("deed", [lambda absent: absent.reach(), lambda absent: absent.issue(linted_for(absent))])
def test_an_absent_one_says_so_and_signs_nothing(make, deed: Callable[[Authority], object]):
    with pytest.raises(AuthorityNotReached):
        deed(make.absent())


def test_a_silent_one_leaves_the_outcome_unknown(make):
    authority = make.silent()
    authority.reach()
    with pytest.raises(OutcomeUnknown):
        authority.issue(linted_for(authority))


def test_a_refusal_is_final(make):
    authority = make.refusing()
    authority.reach()
    with pytest.raises(AuthorityRefused):
        authority.issue(linted_for(authority))
