"""Whether a zone is proven to be unsigned (RFC 4035 4.3), as a table: what was seen on the way down proves what."""

from pathlib import Path

import dns.message
import dns.rrset
import pytest

from lifecycle.validation import dnssec
from lifecycle.validation.dnssec import Delegation, is_insecure
from tests.drills.mutants import mutants

SECURE = {"authentic": True, "has_ds": True}
INSIDE = {"authentic": True, "types": frozenset({"A", "RRSIG", "NSEC"})}
EMPTY = {"authentic": True}
UNSIGNED = {"authentic": True, "types": frozenset({"NS", "RRSIG", "NSEC"})}
OPTED_OUT = {"authentic": False, "opted_out": True}

CASES = {
    # what it is about                                        proven   the way down
    "a child without DS, by NSEC":                             (True,  [SECURE, UNSIGNED]),
    "a top-level domain without DS":                           (True,  [UNSIGNED]),
    "a child in a span that opted out":                        (True,  [SECURE, OPTED_OUT]),
    "below an unsigned zone nothing is looked at":             (True,  [UNSIGNED, {"authentic": True, "denied": True}]),
    "an empty name between":                                   (True,  [SECURE, EMPTY, UNSIGNED]),
    "a name of the same zone between":                         (True,  [SECURE, INSIDE, UNSIGNED]),

    "signed down to the end":                                  (False, [SECURE, SECURE]),
    "a name inside a signed zone":                             (False, [SECURE, INSIDE]),
    "an empty name inside a signed zone":                      (False, [SECURE, EMPTY]),
    "nothing was asked":                                       (False, []),
    "a name that does not exist":                              (False, [SECURE, {**UNSIGNED, "denied": True}]),
    "a name that does not exist in a span that opted out":     (False, [SECURE, {**OPTED_OUT, "denied": True}]),
    "no signature, and no span that opted out":                (False, [SECURE, {"authentic": False}]),
    "types of a delegation that nobody signed":                (False, [SECURE, {**UNSIGNED, "authentic": False}]),
    "an opted-out span beside a record at the name itself":    (False, [SECURE, {**UNSIGNED, **OPTED_OUT}]),
    "an opted-out span beside a DS record":                    (False, [SECURE, {**OPTED_OUT, "has_ds": True}]),
    "a DS record that nobody signed":                          (False, [SECURE, {**SECURE, "authentic": False}]),
    "a gap in the chain, and a proof below it":                (False, [{"authentic": False}, UNSIGNED]),
    "a delegation that is said to have DS":                    (False, [SECURE, {**UNSIGNED, "types": {"NS", "DS"}}]),
    "the child's own word at its apex":                        (False, [SECURE, {**UNSIGNED, "types": {"NS", "SOA"}}]),
    "DS and a proof that there is none":                       (False, [{**UNSIGNED, "has_ds": True}]),
    "a signed span that opted out":                            (False, [SECURE, {**OPTED_OUT, "authentic": True}]),
}  # fmt: skip


def way(steps):
    return [Delegation(f"n{number}", **step) for number, step in enumerate(steps)]


@pytest.mark.parametrize("case", CASES, ids=list(CASES))
def test_a_zone_is_unsigned_where_a_signed_parent_says_so_and_nowhere_else(case):
    proven, steps = CASES[case]
    assert is_insecure(True, way(steps)) is proven


@pytest.mark.parametrize("case", CASES, ids=list(CASES))
def test_a_resolver_that_does_not_validate_proves_nothing(case):
    assert not is_insecure(False, way(CASES[case][1]))


def test_every_condition_of_the_proof_is_tested_by_a_case():
    every = [*mutants(Path(str(dnssec.__file__)).read_text(), {"is_insecure"})]
    assert len(every) > 30
    assert [str(mutant) for mutant in every if not is_noticed(mutant)] == []


def is_noticed(mutant):
    module = mutant.module(Delegation=Delegation)
    try:
        return any(module.is_insecure(True, way(steps)) is not proven for proven, steps in CASES.values()) or any(
            module.is_insecure(False, way(steps)) for _proven, steps in CASES.values()
        )
    except Exception:  # noqa: BLE001 - whoever runs into it notices
        return True


def test_no_two_cases_are_the_same():
    seen = [str(steps) for _proven, steps in CASES.values()]
    assert len(seen) == len(set(seen))


def test_a_hash_that_nobody_knows_is_not_computed():
    """RFC 5155 11 has one algorithm; the answer of an unsigned zone may say anything."""
    question = dns.message.make_query("www.odd.test", "DS", want_dnssec=True)
    response = dns.message.make_response(question)
    owner = "0" * 32
    response.authority.append(dns.rrset.from_text(f"{owner}.odd.test.", 60, "IN", "NSEC3", f"2 1 0 - {'1' * 32} NS"))
    seen = dnssec.seen("www.odd.test", response)
    assert (seen.types, seen.opted_out) == (None, False)
