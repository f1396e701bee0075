"""Each lint refuses what it names, and pkilint's findings are all there although its walk is shortened."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st
from pkilint import loader
from pkilint.validation import ValidationResult

from lifecycle.authorities import lints, standards
from lifecycle.authorities.keys import KEY_KINDS, spki
from lifecycle.authorities.lints import ALWAYS, Candidate
from lifecycle.authorities.order import Order, write
from tests.fakes import orders
from tests.fakes.orders import BEGINNING


def candidate(order: Order, certificate: x509.Certificate | None = None, kind: str = "ec-p256") -> Candidate:
    issuer, key = orders.issuer(kind)
    certificate = certificate or write(order, issuer, key)
    return Candidate(order, issuer, certificate, certificate.public_bytes(Encoding.DER))


def broken(subject: Candidate) -> set[str]:
    return {complaint.lint.slug for complaint in lints.complaints_about(subject, ALWAYS)}


@pytest.mark.parametrize("kind", ["ec-p256", "ec-p384", "rsa-2048"])
@pytest.mark.parametrize("order", [orders.order(), orders.email_order()], ids=["signing", "e-mail"])
def test_a_good_certificate_leaves_nothing_to_say(kind, order):
    assert lints.complaints_about(candidate(order, kind=kind), ALWAYS) == ()


SPOILED = {
    "lifetime": orders.order(days=91),
    "nested": orders.order(
        not_before=BEGINNING - timedelta(days=31), not_after=BEGINNING - timedelta(days=1, seconds=1)
    ),
    "serial": orders.order(serial=0x7FFF_FFFF),
    "end-entity": orders.order(key_usages=frozenset({"digital_signature", "crl_sign"})),
    "own-key": orders.order(public_key=spki(orders.issuer()[1].public_key())),
    "pointers": orders.order(aia_issuer_url="https://pki.acme.example/authorities/1.cer"),
}


@pytest.mark.parametrize("slug", SPOILED)
def test_each_lint_finds_its_own_fault_and_no_other(slug):
    assert broken(candidate(SPOILED[slug])) == {slug}


def _signed_otherwise(order: Order, digest: hashes.SHA384) -> x509.Certificate:
    issuer, key = orders.issuer()
    sound = write(order, issuer, key)
    builder = (
        x509.CertificateBuilder()
        .serial_number(order.serial)
        .issuer_name(issuer.subject)
        .subject_name(order.subject)
        .not_valid_before(order.not_before)
        .not_valid_after(order.not_after)
        .public_key(sound.public_key())
    )
    for extension in sound.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return builder.sign(key, digest)


def test_a_hash_that_does_not_suit_the_key_is_found():
    order = orders.order()
    assert broken(candidate(order, _signed_otherwise(order, hashes.SHA384()))) == {"hash"}


def test_another_issuers_name_is_found():
    order = orders.order()
    subject = candidate(order)
    other = x509.CertificateBuilder(issuer_name=orders.name("Globex CA"))
    certificate = (
        other.serial_number(order.serial)
        .subject_name(order.subject)
        .not_valid_before(order.not_before)
        .not_valid_after(order.not_after)
        .public_key(subject.certificate.public_key())
    )
    for extension in subject.certificate.extensions:
        certificate = certificate.add_extension(extension.value, extension.critical)
    assert "issuer" in broken(candidate(order, certificate.sign(orders.issuer()[1], hashes.SHA256())))


@pytest.mark.parametrize(
    "changed",
    [
        {"serial": 1 << 158},
        {"subject": orders.name("Mallory")},
        {"public_key": spki(KEY_KINDS["ec-p256"].make().public_key())},
        {"not_after": BEGINNING + timedelta(days=2)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_certificate_that_says_something_else_is_found(changed):
    order = orders.order()
    certificate = candidate(order).certificate
    assert "as-ordered" in broken(candidate(replace(order, **changed), certificate))


def test_every_lint_names_its_source_and_every_slug_is_its_own():
    assert all(lint.source for lint in ALWAYS)
    assert len({lint.slug for lint in ALWAYS}) == len(ALWAYS)


def said_by_the_standards(order: Order) -> str:
    [complaint] = [each for each in lints.complaints_about(candidate(order), ALWAYS) if each.lint.slug == "standards"]
    return complaint.sentence


def test_what_a_certificate_is_for_decides_which_rules_bind_it():
    assert standards.rules_for([orders.DOCUMENT_SIGNING, orders.EMAIL_PROTECTION]) == "smime"
    assert standards.rules_for([orders.DOCUMENT_SIGNING]) == standards.rules_for([]) == "pkix"


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (orders.email_order(alternative_names=(x509.DNSName("a.example"),)), "san_does_not_contain_email_address"),
        (orders.email_order(alternative_names=()), "cabf.smime.san_extension_missing"),
        (orders.email_order(key_usages=frozenset({"key_encipherment"})), "unknown_certificate_key_usage_type"),
        (orders.email_order(extended_key_usages=(orders.EMAIL_PROTECTION, "1.3.6.1.5.5.7.3.1")), "prohibited_eku"),
        (orders.email_order(days=826, longest_life=timedelta(days=9999)), "exceeds_825_days"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_mail_certificate_that_breaks_a_mail_rule_is_refused(order, code):
    assert code in said_by_the_standards(order)


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (orders.order(policies=("2.5.29.32.0", "2.5.29.32.0")), "duplicate"),
        (orders.order(alternative_names=(x509.RFC822Name("not a mailbox"),)), "pkix.invalid_email_address_syntax"),
        (orders.order(alternative_names=(x509.DNSName("a..example"),)), "pkix.invalid_domain_name"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_rfc_5280_forbids_is_refused(order, code):
    assert code in said_by_the_standards(order)


def _told(results: list[ValidationResult]) -> Iterator[tuple[str, str, str, str]]:
    for result in results:
        for description in result.finding_descriptions:
            yield result.validator.name, result.node.path, str(description.finding), str(description.message)


def _same(rules: str, der: bytes) -> int:
    """Compare pkilint's own walk with ours; return how many validators spoke."""
    plain = standards.RULES[rules]()
    theirs = plain.validate(loader.load_der_certificate(der).root)
    ours = standards._validator(rules).validate(loader.load_der_certificate(der).root)
    assert list(_told(ours)) == list(_told(theirs))
    assert [(each.validator.name, each.node.path) for each in ours] == [
        (each.validator.name, each.node.path) for each in theirs
    ]
    return len(ours)


@pytest.mark.parametrize("rules", standards.RULES)
@pytest.mark.parametrize("kind", ["ec-p256", "rsa-2048"])
def test_the_shortened_walk_asks_whom_pkilint_would_ask(rules, kind):
    samples = [orders.order(), orders.email_order(), *SPOILED.values()]
    for sample in samples:
        assert _same(rules, candidate(sample, kind=kind).der) > 50
    for authority in map(orders.issuer, ("ec-p256", "ec-p384", "rsa-2048")):
        assert _same(rules, authority[0].public_bytes(Encoding.DER)) > 40


_SAMPLE = candidate(orders.email_order(alternative_names=(x509.RFC822Name("a@b.example"), x509.DNSName("c.example"))))


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(st.integers(0, len(_SAMPLE.der) - 1), st.integers(0, 255)), min_size=1, max_size=3))
def test_the_shortened_walk_finds_the_same_in_broken_certificates(changes):
    der = bytearray(_SAMPLE.der)
    for position, value in changes:
        der[position] = value
    try:
        loader.load_der_certificate(bytes(der))
    except ValueError:
        return  # no certificate at all, for either walk
    for rules in standards.RULES:
        _same(rules, bytes(der))
