"""Rehearsal and delivery: what is signed is what was linted, byte by byte."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from lifecycle.authorities import issuance
from lifecycle.authorities.ceremony import Superior, UnfitAuthority, self_signed, subordinate
from lifecycle.authorities.issuance import FailedLint, Linted, NotWhatWeOrdered
from lifecycle.authorities.keys import KEY_KINDS
from lifecycle.authorities.order import UnusableOrder, last_second, new_serial, write
from portal.foundation.errors import Refusal
from tests.fakes import orders
from tests.fakes.authority import InMemoryAuthority, Killed
from tests.fakes.orders import BEGINNING


@pytest.fixture
def authority():
    return InMemoryAuthority.made()


def rehearsed(authority: InMemoryAuthority) -> Linted:
    return issuance.rehearse(orders.order(), authority.certificate, authority.lints)


def test_only_a_rehearsal_makes_something_that_can_be_signed():
    with pytest.raises(TypeError, match="only rehearse"):
        Linted(orders.order(), b"DER", seal=None)


def test_what_was_linted_cannot_be_changed_afterwards(authority):
    linted = rehearsed(authority)
    with pytest.raises(TypeError, match="does not change"):
        linted.order = orders.order(days=9999)
    assert linted.order.lifetime == timedelta(days=90)


def test_the_rehearsal_is_not_a_certificate_of_the_authority(authority):
    rehearsal = x509.load_der_x509_certificate(rehearsed(authority).rehearsal)
    with pytest.raises(Exception, match=r"^$") as refused:
        rehearsal.verify_directly_issued_by(authority.certificate)
    assert type(refused.value).__name__ == "InvalidSignature"


def test_every_broken_rule_is_named_at_once_and_nothing_is_signed(authority):
    spoiled = orders.order(
        days=9999, crl_url="ldap://pki.acme.example/crl", key_usages=frozenset({"digital_signature", "key_cert_sign"})
    )
    with pytest.raises(FailedLint) as refused:
        issuance.rehearse(spoiled, authority.certificate, authority.lints)
    assert {"lifetime", "nested", "pointers", "end-entity"} <= {
        complaint.lint.slug for complaint in refused.value.complaints
    }
    assert "more than 90 days" in str(refused.value)
    assert isinstance(refused.value, Refusal)
    assert authority.signed == []


def test_the_basic_lints_run_even_if_a_profile_names_none(authority):
    with pytest.raises(FailedLint, match="more than 90 days"):
        issuance.rehearse(orders.order(days=91), authority.certificate, ())


def test_ninety_days_are_ninety_days(authority):
    assert issuance.rehearse(orders.order(days=90), authority.certificate, authority.lints)
    one_second_more = orders.order(not_after=last_second(BEGINNING, timedelta(days=90)) + timedelta(seconds=1))
    with pytest.raises(FailedLint, match="90 days and 0:00:01, more than 90 days"):
        issuance.rehearse(one_second_more, authority.certificate, authority.lints)


@pytest.mark.parametrize("position", range(0, 700, 7))
def test_a_delivery_with_one_bit_changed_is_not_taken(authority, position):
    linted = rehearsed(authority)
    delivered = bytearray(authority.issue(linted))
    delivered[position % len(delivered)] ^= 1
    with pytest.raises(NotWhatWeOrdered):
        issuance.check_delivery(linted, bytes(delivered), authority.certificate)


@pytest.mark.parametrize("garbage", [b"", b"\x30", b"no certificate", b"\x30\x03\x02\x01\x05"])
def test_a_delivery_that_is_no_certificate_is_not_taken(authority, garbage):
    with pytest.raises(NotWhatWeOrdered, match="no certificate"):
        issuance.check_delivery(rehearsed(authority), garbage, authority.certificate)


def test_a_delivery_with_something_behind_it_is_not_taken(authority):
    linted = rehearsed(authority)
    with pytest.raises(NotWhatWeOrdered):
        issuance.check_delivery(linted, authority.issue(linted) + b"\x00", authority.certificate)


def test_another_orders_certificate_is_not_taken(authority):
    first, second = rehearsed(authority), rehearsed(authority)
    with pytest.raises(NotWhatWeOrdered, match="changed what was to be signed"):
        issuance.check_delivery(first, authority.issue(second), authority.certificate)


def test_the_rehearsal_itself_is_not_taken(authority):
    linted = rehearsed(authority)
    with pytest.raises(NotWhatWeOrdered, match="does not verify"):
        issuance.check_delivery(linted, linted.rehearsal, authority.certificate)


def test_a_certificate_signed_by_somebody_elses_key_is_not_taken(authority):
    impostor = InMemoryAuthority(authority.certificate, KEY_KINDS["ec-p256"].make())
    linted = rehearsed(authority)
    with pytest.raises(NotWhatWeOrdered, match="does not verify"):
        issuance.check_delivery(linted, impostor.issue(linted), authority.certificate)


def test_a_stored_rehearsal_is_recognised_in_what_was_signed(authority):
    linted = rehearsed(authority)
    signed = x509.load_der_x509_certificate(authority.issue(linted))
    assert issuance.is_rehearsal_of(linted.rehearsal, signed)
    assert not issuance.is_rehearsal_of(rehearsed(authority).rehearsal, signed)


@pytest.mark.parametrize("moment", ["before_reaching", "before_signing", "after_signing"])
def test_the_authority_in_memory_dies_when_told(moment):
    authority = InMemoryAuthority.made(dies=moment)
    linted = rehearsed(authority)
    with pytest.raises(Killed, match=moment):
        authority.issue(linted)
    assert len(authority.signed) == (moment == "after_signing")


def test_every_certificate_says_where_its_issuer_and_its_revocation_list_are(authority):
    extensions = x509.load_der_x509_certificate(authority.issue(rehearsed(authority))).extensions
    [access] = extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    [point] = extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert access.access_location.value == "http://pki.acme.example/authorities/1.cer"
    assert [name.value for name in point.full_name] == ["http://pki.acme.example/crl/1-1.crl"]
    assert extensions.get_extension_for_class(x509.BasicConstraints).critical
    assert extensions.get_extension_for_class(x509.KeyUsage).critical


def test_the_issuers_own_key_identifier_is_pointed_at(authority):
    issued = x509.load_der_x509_certificate(authority.issue(rehearsed(authority)))
    issuers = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    pointed_at = issued.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert pointed_at.key_identifier == issuers.digest


def test_a_certificate_without_a_subject_is_named_by_critical_alternative_names(authority):
    nameless = orders.order(subject=x509.Name([]))
    certificate = write(nameless, authority.certificate, authority.key)
    assert certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"not_before": datetime(2026, 3, 2, 9, 30)}, "whole second"),  # noqa: DTZ001 - what is refused
        ({"not_before": BEGINNING.replace(microsecond=1)}, "whole second"),
        ({"not_after": BEGINNING - timedelta(seconds=1)}, "before it begins"),
        ({"key_usages": frozenset({"sign_everything"})}, "sign_everything"),
    ],
)
def test_an_order_that_contradicts_itself_cannot_be_written(changes, why):
    with pytest.raises(UnusableOrder, match=why):
        orders.order(**changes)


def test_serials_are_twenty_octets_and_all_different():
    serials = {new_serial() for _ in range(1000)}
    assert len(serials) == 1000
    assert all(len(serial.to_bytes(20, signed=True)) == 20 and serial.bit_length() == 159 for serial in serials)


def test_a_lifetime_is_counted_with_both_ends():
    order = orders.order()
    assert order.lifetime == timedelta(days=90)
    assert replace(order, not_after=order.not_before).lifetime == timedelta(seconds=1)
    assert last_second(datetime(2026, 1, 1, 0, 0, 0, 5, UTC), timedelta(days=1)) == datetime(
        2026, 1, 1, 23, 59, 59, tzinfo=UTC
    )


@pytest.fixture
def superior():
    key = KEY_KINDS["ec-p256"].make()
    return Superior(
        certificate=self_signed(orders.charter("Acme Root CA", path_length=1), key),
        key=key,
        aia_issuer_url="http://pki.acme.example/authorities/root.cer",
        crl_url="http://pki.acme.example/crl/root.crl",
    )


@pytest.mark.parametrize("kind", ["ec-p256", "ec-p384", "rsa-2048"])
def test_a_subordinate_authority_chains_to_its_root(superior, kind):
    certificate = subordinate(orders.charter(), KEY_KINDS[kind].make().public_key(), superior)
    certificate.verify_directly_issued_by(superior.certificate)
    superior.certificate.verify_directly_issued_by(superior.certificate)
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, 0)
    assert (usage.critical, usage.value.key_cert_sign, usage.value.crl_sign) == (True, True, True)
    assert certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints)
    assert certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"not_after": BEGINNING + timedelta(days=3651)}, "cannot outlive"),
        ({"not_before": BEGINNING - timedelta(days=31)}, "cannot outlive"),
        ({"path_length": 1}, "path length"),
        ({"path_length": None}, "path length"),
        ({"subject": x509.Name([])}, "has no name"),
    ],
)
def test_an_authority_is_no_wider_than_its_superior(superior, changes, why):
    with pytest.raises(UnfitAuthority, match=why):
        subordinate(orders.charter(**changes), KEY_KINDS["ec-p256"].make().public_key(), superior)


def test_nothing_follows_below_the_last_authority(superior):
    key = KEY_KINDS["ec-p256"].make()
    last = replace(superior, certificate=subordinate(orders.charter(), key.public_key(), superior), key=key)
    with pytest.raises(UnfitAuthority, match="no authority below"):
        subordinate(orders.charter("Acme Third CA"), KEY_KINDS["ec-p256"].make().public_key(), last)


def test_an_end_entity_does_not_become_an_authoritys_superior(authority, superior):
    issued = x509.load_der_x509_certificate(authority.issue(rehearsed(authority)))
    with pytest.raises(UnfitAuthority, match="no authority below"):
        subordinate(orders.charter(), KEY_KINDS["ec-p256"].make().public_key(), replace(superior, certificate=issued))


def test_warming_leaves_nothing_slow_for_the_first_rehearsal(authority):
    issuance.warm(authority.certificate)
    assert issuance._throw_away_key("ec-p256") is issuance._throw_away_key("ec-p256")
    assert authority.certificate.public_bytes(Encoding.DER)
