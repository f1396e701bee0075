"""What a resolver does wrong, and that none of it is consent (F6).  A real name server cannot be made to do these."""

import threading
import time

import dns.flags
import dns.rdatatype
import pytest

from lifecycle.validation import resolver as module
from lifecycle.validation.caa import LookupFailed, Reason, Terms, permits, relevant_set
from lifecycle.validation.questions import Asked
from lifecycle.validation.resolver import FORGETS, MOST_BYTES, MOST_RECORDS, DnsResolver, Records
from tests.fakes.faulty_dns import code, faulty, made, nobody_listens, pause, saying, silence

US = Terms(("ca.portal.example",))
OURS = '@ CAA 0 issue "ca.portal.example"'

DNSSEC_BOGUS, SIGNATURE_EXPIRED, NO_REACHABLE_AUTHORITY, NETWORK_ERROR = 6, 7, 22, 23  # RFC 8914 4


def ask(fault, name="www.test", **wish):
    """Look *name* up at a server with this fault; return what was found or why not, and what the server was asked."""
    with faulty(fault) as server:
        try:
            return relevant_set(name, DnsResolver([server.server]), **wish), server.asked
        except LookupFailed as failure:
            return failure, server.asked


def truncated(question, tcp):
    """Say over UDP that the answer does not fit; say it over TCP."""
    if tcp:
        return saying(OURS)(question, tcp)
    answer = made(question, dns.flags.RA | dns.flags.TC)
    return answer.to_wire()


def always_truncated(question, _tcp):
    return made(question, dns.flags.RA | dns.flags.TC).to_wire()


def garbage(_question, _tcp):
    return b"\x00" * 40


def of_another_question(question, _tcp):
    answer = made(question)
    answer.question[0].name = answer.question[0].name.parent()
    return answer.to_wire()


def other_id(question, _tcp):
    question.id ^= 1
    return saying(OURS)(question, False)


def cut_off(question, tcp):
    return saying(OURS)(question, tcp)[:-3]


def tag_of_blanks(question, tcp):
    return saying(OURS)(question, tcp).replace(b"\x05issue", b"\x05is ue")


def records_though_nxdomain(question, tcp):
    wire = bytearray(saying(OURS)(question, tcp))
    wire[3] |= 3
    return bytes(wire)


def neither_recursive_nor_authoritative(question, _tcp):
    return made(question, 0).to_wire()


def over(count, size=0):
    lines = [f'@ CAA 0 issue "ca{number}.{"x" * size}.example"' for number in range(count - 1)]
    big = saying(*lines, OURS)

    def fault(question, tcp):
        return big(question, tcp) if tcp else made(question, dns.flags.RA | dns.flags.TC).to_wire()

    return fault


FAULTS = {
    "silence": (silence, Reason.TIMED_OUT),
    "SERVFAIL": (code("SERVFAIL"), Reason.SERVER_FAILED),
    "SERVFAIL, no authority": (code("SERVFAIL", NO_REACHABLE_AUTHORITY), Reason.SERVER_FAILED),
    "SERVFAIL, bogus": (code("SERVFAIL", DNSSEC_BOGUS), Reason.BOGUS),
    "SERVFAIL, expired": (code("SERVFAIL", SIGNATURE_EXPIRED, NO_REACHABLE_AUTHORITY), Reason.BOGUS),
    "SERVFAIL, the resolver's own": (code("SERVFAIL", NETWORK_ERROR), Reason.SERVER_FAILED),
    "REFUSED": (code("REFUSED"), Reason.REFUSED),
    "FORMERR": (code("FORMERR"), Reason.BAD_ANSWER),
    "NOTIMP": (code("NOTIMP"), Reason.BAD_ANSWER),
    "YXDOMAIN": (code("YXDOMAIN"), Reason.BAD_ANSWER),
    "truncated over TCP as well": (always_truncated, Reason.BAD_ANSWER),
    "garbage": (garbage, Reason.BAD_ANSWER),
    "an answer to another question": (of_another_question, Reason.BAD_ANSWER),
    "an answer with another id": (other_id, Reason.BAD_ANSWER),
    "cut off": (cut_off, Reason.BAD_ANSWER),
    "a tag outside the alphabet": (tag_of_blanks, Reason.BAD_ANSWER),
    "records and NXDOMAIN": (records_though_nxdomain, Reason.BAD_ANSWER),
    "no recursion": (neither_recursive_nor_authoritative, Reason.BAD_ANSWER),
    "an alias of itself": (saying("www.test. CNAME www.test."), Reason.ALIAS_LOOP),
    "a circle": (saying("@ CNAME a.test.", "a.test. CNAME b.test.", "b.test. CNAME a.test."), Reason.ALIAS_LOOP),
    "1001 records": (over(1001), Reason.TOO_MUCH),
    "one record too many": (over(MOST_RECORDS + 1), Reason.TOO_MUCH),
    "64 kB": (over(MOST_RECORDS, 600), Reason.TOO_MUCH),
}


@pytest.mark.parametrize("fault", FAULTS, ids=list(FAULTS))
def test_a_fault_is_a_failure_and_never_a_set_of_records(fault):
    made_by, reason = FAULTS[fault]
    failure, asked = ask(made_by, patience=1.2)
    assert isinstance(failure, LookupFailed), failure
    assert failure.reason == reason
    # nobody climbed past what could not be seen, and of the root it was asked no more than whether it is signed
    assert {name for name, _tcp in asked} <= {"www.test", "."}


def test_nobody_listens():
    with pytest.raises(LookupFailed) as failed:
        relevant_set("www.test", DnsResolver([nobody_listens()]))
    assert failed.value.reason == Reason.UNREACHABLE
    with pytest.raises(LookupFailed) as none_named:
        relevant_set("www.test", DnsResolver([]))
    assert none_named.value.reason == Reason.UNREACHABLE


def test_silence_is_asked_three_times_and_not_longer_than_the_name_may_take():
    began = time.monotonic()
    failure, asked = ask(silence)
    assert (failure.reason, len(asked)) == (Reason.TIMED_OUT, 3)
    assert time.monotonic() - began < sum(module.TRIES) + 1
    began = time.monotonic()
    failure, asked = ask(silence, patience=0.5)
    assert (failure.reason, len(asked)) == (Reason.TIMED_OUT, 1)
    assert time.monotonic() - began < 1.5


def test_a_slow_climb_ends_with_the_patience_of_the_whole_name():
    failure, asked = ask(pause(0.4, saying()), "a.b.c.d.e.f.test", patience=1.0)
    assert failure.reason == Reason.TIMED_OUT
    assert len(asked) <= 3


def test_what_does_not_fit_is_asked_again_over_tcp():
    found, asked = ask(truncated)
    assert permits(found, US).permitted
    assert asked == [("www.test", False), ("www.test", True)]


def test_the_most_records_that_are_read_are_read():
    found, _asked = ask(over(MOST_RECORDS))
    assert len(found.records) == MOST_RECORDS
    assert permits(found, US).permitted
    assert sum(len(each.value) for each in found.records) < MOST_BYTES


def test_a_server_that_is_away_leaves_the_question_to_the_next_one():
    with faulty(saying(OURS)) as good:
        found = relevant_set("www.test", DnsResolver([nobody_listens(), good.server]))
    assert found.answer.resolver == str(good.server)
    assert permits(found, US).permitted


@pytest.mark.parametrize("said", ["SERVFAIL", "REFUSED"])
def test_no_is_an_answer_and_the_next_server_is_not_asked_for_a_better_one(said):
    with faulty(code(said)) as first, faulty(saying(OURS)) as second, pytest.raises(LookupFailed):
        relevant_set("www.test", DnsResolver([first.server, second.server]))
    assert second.asked == []  # nor whether it would have forgiven the first


def test_an_error_below_a_set_that_permits_is_fatal_and_one_above_it_is_not_met():
    def failing_at(label):
        def fault(question, tcp):
            asked = question.question[0].name.to_text(omit_final_dot=True)
            if asked == label:
                return code("SERVFAIL")(question, tcp)
            return (saying(OURS) if asked == "b.test" else saying())(question, tcp)

        return fault

    failure, asked = ask(failing_at("a.b.test"), "a.b.test")
    assert (failure.reason, failure.asked, [name for name, _tcp in asked]) == (
        Reason.SERVER_FAILED, "a.b.test", ["a.b.test", "."],
    )  # fmt: skip
    found, asked = ask(failing_at("test"), "a.b.test")
    assert found.found_at == "b.test"
    assert [name for name, _tcp in asked] == ["a.b.test", "b.test"]


def test_an_alias_whose_target_was_left_to_us_is_followed_and_not_taken_for_empty():
    def fault(question, tcp):
        asked = question.question[0].name.to_text()
        said = {"www.test.": "@ CNAME far.test.", "far.test.": '@ CAA 0 issue "other.example"'}.get(asked)
        return saying(*[said] if said else [], flags=dns.flags.AA)(question, tcp)

    found, asked = ask(fault)
    assert (found.found_at, found.answer.owner, permits(found, US).permitted) == ("www.test", "far.test", False)
    assert [name for name, _tcp in asked] == ["www.test", "far.test"]


def test_an_endless_chain_of_aliases_is_left():
    def fault(question, tcp):
        first = question.question[0].name.labels[0].decode()
        return saying(
            f"@ CNAME {int(first[1:]) + 1 if first[1:].isdigit() else 1:d}.test.".replace("CNAME ", "CNAME n")
        )(question, tcp)

    failure, asked = ask(fault, "n0.test")
    assert failure.reason == Reason.ALIAS_LOOP
    assert len(asked) < 20


def test_signatures_that_hold_are_told():
    found, _asked = ask(saying(OURS, flags=dns.flags.RA | dns.flags.AD))
    assert found.answer.authentic is True


def test_one_resolver_serves_many_threads():
    with faulty(saying(OURS)) as server:
        shared, results = DnsResolver([server.server]), []
        threads = [
            threading.Thread(target=lambda n=n: results.append(relevant_set(f"w{n}.test", shared))) for n in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(found.found_at for found in results) == sorted(f"w{n}.test" for n in range(20))


# --- records and addresses ---------------------------------------------------------------------------------------


def soon():
    return time.monotonic() + 5


def test_the_strings_of_a_text_record_are_one_and_records_stay_apart():
    with faulty(saying('@ TXT "one " "half"', '@ TXT "and\\255 another"', flags=dns.flags.RA | dns.flags.AD)) as server:
        found = DnsResolver([server.server]).records("_proof.www.test", Asked.TXT, soon())
    assert found == Records(
        "_proof.www.test", (b"one half", b"and\xff another"), 60, str(server.server), authentic=True
    )  # fmt: skip


def test_an_alias_is_followed_to_its_text_and_is_itself_the_answer_when_it_is_asked_for():
    said = saying("_proof.test. CNAME Far.Test.", 'far.test. TXT "here"')
    with faulty(said) as server:
        resolver = DnsResolver([server.server])
        text, alias = (resolver.records("_proof.test", kind, soon()) for kind in (Asked.TXT, Asked.CNAME))
    assert (text.owner, text.values) == ("far.test", (b"here",))
    assert (alias.owner, alias.values) == ("_proof.test", (b"far.test",))
    assert not text.authentic


def test_a_name_has_all_its_addresses_or_none_that_anybody_may_use():
    def both(question, tcp):
        kind = dns.rdatatype.to_text(question.question[0].rdtype)
        said = {"A": ("@ A 192.0.2.1", "@ A 127.0.0.1"), "AAAA": ("@ AAAA 2001:db8::1",)}[kind]
        return saying(*said)(question, tcp)

    def only_four(question, tcp):
        return (both if question.question[0].rdtype == dns.rdatatype.A else code("SERVFAIL"))(question, tcp)

    with faulty(both) as server:
        assert DnsResolver([server.server]).addresses("www.test", soon()) == ("192.0.2.1", "127.0.0.1", "2001:db8::1")
    with faulty(saying()) as server:
        assert DnsResolver([server.server]).addresses("www.test", soon()) == ()
    with faulty(only_four) as server, pytest.raises(LookupFailed):
        DnsResolver([server.server]).addresses("www.test", soon())


@pytest.mark.parametrize("fault", [each for each in FAULTS if each not in {"a tag outside the alphabet", "64 kB"}])
@pytest.mark.parametrize("kind", [Asked.TXT, Asked.CNAME])
def test_a_fault_is_no_set_of_other_records_either(fault, kind):
    made_by, _reason = FAULTS[fault]
    with faulty(made_by) as server:
        try:
            found = DnsResolver([server.server]).records("www.test", kind, time.monotonic() + 1.2)
        except LookupFailed:
            return
    of_itself = kind == Asked.CNAME and fault in {"an alias of itself", "a circle"}  # no fault of one who asks for it
    assert of_itself or not found.values


def test_no_more_text_is_read_than_caa_records_are():
    many = saying(*[f'@ TXT "{number} {"x" * 200}"' for number in range(90)])
    with faulty(many) as server, pytest.raises(LookupFailed) as failed:
        DnsResolver([server.server]).records("www.test", Asked.TXT, soon())
    assert failed.value.reason == Reason.TOO_MUCH


# --- what is forgiven (BR 3.2.2.8); a zone's own proofs are in tests/real/test_dnssec.py --------------------------


def forgiven(failure_of, **said):
    """Tell whether a failure of `www.test` is forgiven by a resolver that says of itself what is *said*."""

    def fault(question, tcp):
        name = question.question[0].name.to_text()
        if name == "." and said.get("root"):
            return saying(". SOA ns. a. 1 1 1 1 1", flags=dns.flags.RA | dns.flags.AD)(question, tcp)
        return failure_of(question, tcp)

    with faulty(fault) as server:
        resolver = DnsResolver([server.server])
        with pytest.raises(LookupFailed) as failed:
            resolver.caa("www.test", soon())
        return resolver.forgives(failed.value, soon())


@pytest.mark.parametrize("fault", FAULTS, ids=list(FAULTS))
@pytest.mark.parametrize("root", [True, False])
def test_no_failure_is_forgiven_without_the_proof_that_the_zone_is_unsigned(fault, root):
    made_by, _reason = FAULTS[fault]
    if made_by is not silence:  # it is a failure of nobody's, and there is nothing to ask about it
        assert not forgiven(made_by, root=root)


def test_what_our_own_time_ran_out_for_is_not_forgiven():
    failure = LookupFailed(Reason.SERVER_FAILED, "www.test", resolver="127.0.0.1:1")
    resolver = DnsResolver([nobody_listens()])
    with pytest.raises(LookupFailed) as again:
        resolver.caa_again(failure, time.monotonic() + FORGETS - 0.1)
    assert again.value.ours
    assert not resolver.forgives(again.value, soon())
