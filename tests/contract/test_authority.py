"""One suite for every authority, so that the one in memory fails like the real one."""

import secrets
from collections.abc import Callable
from typing import Any

import pkcs11
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pkcs11 import Attribute, KeyType, MechanismFlag
from pkcs11.util.ec import encode_named_curve_parameters

from lifecycle.authorities import issuance
from lifecycle.authorities.backends.base import Authority, AuthorityNotReached, AuthorityRefused, OutcomeUnknown
from lifecycle.authorities.backends.pkcs11 import TokenAuthority, key_in
from lifecycle.authorities.ceremony import self_signed
from lifecycle.authorities.issuance import Linted
from lifecycle.authorities.keys import KEY_KINDS, kind_of
from portal.foundation.token import Token, token_at
from tests.fakes import orders
from tests.fakes.authority import InMemoryAuthority

KINDS = ("ec-p256", "ec-p384", "rsa-2048")


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
    """Makes the same with a real token, whose failures are provoked and not pretended."""

    def __init__(self, token: Any) -> None:
        self._token = token_at(token.module, token.label, str(token.pin_file))

    def sound(self, kind: str) -> Authority:
        key_id = self._new_key(kind)
        certificate = self_signed(orders.charter(), key_in(self._token, key_id))
        return TokenAuthority(certificate, self._token, key_id)

    def absent(self) -> Authority:
        nowhere = Token(self._token.module, "no such token", self._token.pin_file)
        return TokenAuthority(orders.issuer()[0], nowhere, b"\x01")

    def silent(self) -> Authority:
        """An RSA mechanism over an EC key: SoftHSM answers CKR_GENERAL_ERROR, which says nothing."""
        return TokenAuthority(orders.issuer("rsa-2048")[0], self._token, self._new_key("ec-p256"))

    def refusing(self) -> Authority:
        """A key that may verify and not sign."""
        key_id = secrets.token_bytes(8)

        def make(session: pkcs11.Session) -> None:
            with session.token.open(rw=True) as writing:
                parameters = {Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
                domain = writing.create_domain_parameters(KeyType.EC, parameters, local=True)
                domain.generate_keypair(id=key_id, store=True, capabilities=MechanismFlag.VERIFY)

        self._token._ask("making a key that may not sign", make)
        return TokenAuthority(orders.issuer("ec-p256")[0], self._token, key_id)

    def _new_key(self, kind: str) -> bytes:
        key_id = secrets.token_bytes(8)
        self._token.generate(kind, key_id)
        return key_id


@pytest.fixture(params=["in memory", "in a token"])
def make(request: pytest.FixtureRequest, token: Any) -> InMemory | InToken:
    return InMemory() if request.param == "in memory" else InToken(token)


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
