"""DNSSEC through a real resolver (Unbound) in front of real zones (Knot): what does not hold is no consent.

And what may count as "no record" although nobody answered: the exception of BR 3.2.2.8.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from functools import partial

import dns.flags
import dns.rdatatype
import pytest

from lifecycle.validation.caa import PATIENCE, LookupFailed, Reason, Terms, permits, relevant_set
from lifecycle.validation.dnssec import is_insecure
from lifecycle.validation.questions import Asked
from lifecycle.validation.resolver import FORGETS, DnsResolver
from portal.foundation import clock
from tests.fakes.faulty_dns import code, faulty, saying, silence
from tests.fakes.internet import Internet, signed_by_hand
from tests.fakes.unbound import Unbound

US = Terms(("ca.portal.example",))
OURS = '@ CAA 0 issue "ca.portal.example"'
THEIRS = '@ CAA 0 issue "other.example"'

SIGNED = {
    ".": "nsec", "test.": "opt-out", "plain.": "nsec", "hashed.": "nsec3",
    "good.test.": "nsec3", "good.plain.": "nsec", "other-key.test.": "nsec",
}  # fmt: skip


class Twice:
    """A server that fails the first *failures* times that it is asked for CAA records, and then answers."""

    def __init__(self, failures, *said):
        self.left, self.said = failures, said

    def __call__(self, question, tcp):
        if question.question[0].rdtype == dns.rdatatype.CAA and self.left > 0:
            self.left -= 1
            return code("SERVFAIL")(question, tcp)
        return saying(*self.said, flags=dns.flags.AA)(question, tcp)


def knows_no_caa(question, tcp):
    """Fail for a type that it never heard of, as old servers do, and answer for the others."""
    kind = question.question[0].rdtype
    return code("NOTIMP" if kind == dns.rdatatype.CAA else "NOERROR")(question, tcp)


@pytest.fixture(scope="module")
def internet(tmp_path_factory):
    now = clock.now()
    day = timedelta(days=1)
    held, held_ds = signed_by_hand("held.test.", OURS, "www A 192.0.2.1", since=now - day, until=now + day)
    expired, expired_ds = signed_by_hand("expired.test.", OURS, since=now - 9 * day, until=now - day)
    early, early_ds = signed_by_hand("early.test.", OURS, since=now + day, until=now + 9 * day)
    forged, forged_ds = signed_by_hand("forged.test.", THEIRS, since=now - day, until=now + day)
    forged = tuple(line.replace("other.example", "ca.portal.example") for line in forged)
    bare, bare_ds = signed_by_hand("bare.test.", OURS, since=now - day, until=now + day)
    bare = tuple(line for line in bare if "RRSIG CAA" not in line)
    faults = {
        "dead.test.": code("SERVFAIL"), "dead.plain.": code("SERVFAIL"), "dead.hashed.": code("SERVFAIL"),
        "dead.good.test.": code("SERVFAIL"), "dead-signed.test.": code("SERVFAIL"), "lame.test.": code("REFUSED"),
        "old.test.": knows_no_caa, "silent.test.": silence, "again.test.": Twice(1, THEIRS),
    }  # fmt: skip
    with ExitStack() as stack:
        elsewhere = {zone: stack.enter_context(faulty(fault)).server for zone, fault in faults.items()}
        net = Internet(
            tmp_path_factory.mktemp("internet"),
            {
                ".": (), "test.": (), "plain.": (), "hashed.": (),
                "good.test.": (OURS, "www A 192.0.2.1", "far CNAME www.dead.test.", "near CNAME www.dead-signed.test."),
                "good.plain.": (OURS,),
                "unsigned.test.": (OURS, "www A 192.0.2.1", "far CNAME www.dead-signed.test."),
                "held.test.": held, "expired.test.": expired, "early.test.": early, "forged.test.": forged,
                "bare.test.": bare, "other-key.test.": (OURS,), "gone.test.": (OURS,),
            },
            SIGNED,
            elsewhere,
            {
                "held.test.": held_ds, "expired.test.": expired_ds, "early.test.": early_ds, "forged.test.": forged_ds,
                "bare.test.": bare_ds, "other-key.test.": [held_ds[0].replace("held", "other-key")],
                "gone.test.": [held_ds[0].replace("held", "gone")],
                "dead-signed.test.": [held_ds[0].replace("held", "dead-signed")],
            },
        )  # fmt: skip
        net.start()
        yield net
        net.stop()


@pytest.fixture
def resolver(internet):
    return internet.resolver


def soon(seconds=10.0):
    return time.monotonic() + seconds


@pytest.mark.parametrize(
    ("name", "authentic"),
    [("www.good.test", True), ("www.good.plain", True), ("www.held.test", True), ("www.unsigned.test", False)],
)
def test_an_answer_says_whether_signatures_hold(resolver, name, authentic):
    found = relevant_set(name, resolver)
    assert permits(found, US).permitted
    assert found.answer.authentic is authentic


@pytest.mark.parametrize("name", ["forged", "expired", "early", "bare", "other-key", "gone"])
def test_what_does_not_hold_is_no_consent_and_said_to_be_bogus(resolver, name):
    with pytest.raises(LookupFailed) as failed:
        relevant_set(f"{name}.test", resolver)
    assert (failed.value.reason, failed.value.asked) == (Reason.BOGUS, f"{name}.test")
    assert not resolver.forgives(failed.value, soon())


@pytest.mark.parametrize("name", ["expired", "early", "other-key", "gone"])
def test_nor_is_anything_else_believed_of_a_zone_that_does_not_hold(resolver, name):
    for ask in (partial(resolver.records, kind=Asked.TXT), partial(resolver.records, kind=Asked.CNAME)):
        with pytest.raises(LookupFailed) as failed:
            ask(f"{name}.test", ends=soon())
        assert failed.value.reason == Reason.BOGUS
    with pytest.raises(LookupFailed) as failed:
        resolver.addresses(f"{name}.test", soon())
    assert failed.value.reason == Reason.BOGUS


EXCUSED = (
    "www.dead.test", "www.dead.plain", "www.dead.hashed", "www.dead.good.test", "www.lame.test", "www.old.test",
    "far.good.test", "again.test",
)  # fmt: skip


@pytest.fixture(scope="module")
def tried_again(internet):
    """Look at all names that are tried again side by side: each waits until the resolver forgets how it failed."""
    began = time.monotonic()
    with ThreadPoolExecutor(len(EXCUSED)) as pool:
        found = dict(zip(EXCUSED, pool.map(lambda name: relevant_set(name, internet.resolver), EXCUSED), strict=True))
    assert FORGETS <= time.monotonic() - began < PATIENCE
    return found


@pytest.mark.parametrize("name", EXCUSED[:6])
def test_a_failure_in_a_zone_proven_to_be_unsigned_counts_as_no_record_the_second_time(tried_again, name):
    found = tried_again[name]
    assert name in found.excused
    assert not found.answer.authentic
    if found.records:  # somebody above has an opinion
        assert (found.found_at, permits(found, US).reason) == ("good.test", Reason.NAMED)
    else:
        decision = permits(found, US)
        assert (decision.permitted, decision.reason, decision.clause) == (True, Reason.EXCUSED, "BR 3.2.2.8")


def test_of_an_alias_it_is_the_zone_that_fails_that_has_to_be_unsigned(tried_again):
    found = tried_again["far.good.test"]
    assert (found.excused, found.found_at) == (("far.good.test",), "good.test")


def test_what_is_found_at_the_second_look_counts_and_nothing_is_excused(tried_again):
    found = tried_again["again.test"]
    assert (found.found_at, found.excused, permits(found, US).permitted) == ("again.test", (), False)


@pytest.mark.parametrize("name", ["www.dead-signed.test", "near.good.test", "far.unsigned.test"])
def test_a_failure_in_a_zone_that_is_signed_or_not_known_to_be_unsigned_stays_one(resolver, name):
    began = time.monotonic()
    with pytest.raises(LookupFailed) as failed:
        relevant_set(name, resolver)
    assert (failed.value.asked, time.monotonic() - began < 3) == (name, True)


def test_a_server_that_says_nothing_is_our_time_running_out_and_stays_a_failure(resolver):
    with pytest.raises(LookupFailed) as failed:
        relevant_set("www.silent.test", resolver, patience=1.0)
    assert failed.value.reason == Reason.TIMED_OUT


def test_without_the_time_for_a_second_look_nothing_is_excused(resolver):
    with pytest.raises(LookupFailed) as failed:
        relevant_set("www.dead.plain", resolver, patience=FORGETS - 0.2)
    assert (failed.value.reason, failed.value.ours) == (Reason.SERVER_FAILED, True)


def test_a_resolver_that_does_not_validate_excuses_nothing_and_is_found_out(internet, tmp_path):
    stubs = internet.unbound.stubs
    for more in ((), ('module-config: "iterator"',), ("val-permissive-mode: yes", 'domain-insecure: "."')):
        plain = Unbound(tmp_path, stubs, (), more)
        plain.start()
        try:
            resolver = DnsResolver([plain.server])
            assert not resolver.validates(soon())
            with pytest.raises(LookupFailed) as failed:
                relevant_set("www.dead.test", resolver)
            assert failed.value.reason == Reason.SERVER_FAILED
        finally:
            plain.stop()
    assert internet.resolver.validates(soon())


def test_a_zone_that_somebody_told_the_resolver_to_trust_is_not_proven_to_be_unsigned(internet, tmp_path):
    """`domain-insecure` is a local override, which BR 3.2.2.8 does not allow; a signed parent still denies it."""
    lax = Unbound(tmp_path, internet.unbound.stubs, internet.unbound.anchors, ('domain-insecure: "dead-signed.test"',))
    lax.start()
    try:
        with pytest.raises(LookupFailed):
            relevant_set("www.dead-signed.test", DnsResolver([lax.server]))
    finally:
        lax.stop()


def test_while_our_own_network_is_down_nothing_is_excused_though_the_proof_is_still_remembered(tmp_path):
    with faulty(code("SERVFAIL")) as dead:
        net = Internet(tmp_path, {".": (), "test.": ()}, {".": "nsec", "test.": "opt-out"}, {"dead.test.": dead.server})
        net.start()
        try:
            failure = LookupFailed(Reason.SERVER_FAILED, "www.dead.test", resolver=str(net.unbound.server))
            assert net.resolver.forgives(failure, soon())
            net.knot.stop()
            assert is_insecure(net.resolver.validates(soon()), net.resolver.delegations(failure, soon()))
            assert not net.resolver.forgives(failure, soon(1.0))
        finally:
            net.stop()


def test_the_proof_is_read_from_what_the_parents_say(resolver):
    def down_to(name):
        return list(resolver.delegations(LookupFailed(Reason.SERVER_FAILED, name), soon()))

    assert [each.has_ds for each in down_to("www.good.test")] == [True, True, False]
    [_top, plain] = down_to("good.plain")
    assert (plain.authentic, plain.has_ds) == (True, True)
    top, unsigned, *_below = down_to("unsigned.test")
    assert (top.authentic, unsigned.authentic, unsigned.opted_out, unsigned.types) == (True, False, True, None)
