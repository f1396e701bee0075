"""Whether the table of CAA cases tests every condition of the decision: each is changed once; a case has to notice."""

import ast
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from lifecycle.validation import caa, grammar
from tests.drills.mutants import Mutant, mutants, shortened
from tests.lifecycle.validation.caa_table import TABLE

DECISION = {
    "UNDERSTOOD", "_CRITICAL", "_NEAREST", "Record", "canonical", "host_of", "climb", "relevant_set", "_tried_again",
    "permits", "_governing", "_stands", "_satisfied",
}  # fmt: skip
READERS, PATTERNS = {"IssueValue", "_text"}, {"_BLANK", "_WORD", "_PARAMETER", "_ISSUE_VALUE", "URI", "LABELS"}
TAKEN_OVER = ("IssueValue", "Malformed", "URI", "LABELS")
"""What `caa` imports of `grammar`."""

CAA, GRAMMAR = (Path(str(module.__file__)).read_text() for module in (caa, grammar))

KEPT = "what is kept of an answer's signatures, and decides nothing; tests/real/test_dnssec.py is about it"
POSSESSIVE = "it reads the same, and takes its time with what is made to keep it busy; test_permits.py is about that"

EQUIVALENT = {
    "_CRITICAL: 128 -> 129": "the other bit is in it anyway",
    "_text: 'ascii' -> 'ascii~'": "Python knows the codec by that name, too",
    "relevant_set: 0 -> 1": "the TTL of an answer that nobody gave",
    "relevant_set: True -> False": KEPT,
    "relevant_set: authentic and answer.authentic -> authentic or answer.authentic": KEPT,
    "relevant_set: authentic and answer.authentic -> answer.authentic": KEPT,
    "relevant_set: authentic and answer.authentic -> authentic": KEPT,
    "relevant_set: authentic and (not failures) -> authentic or not failures": KEPT,
    "relevant_set: authentic and (not failures) -> not failures": KEPT,
    "relevant_set: authentic and (not failures) -> authentic": KEPT,
    "relevant_set: not failures -> failures": KEPT,
    r"_BLANK: b'[ \\t]*+' -> b'[ \\t]*'": POSSESSIVE,
    "_WORD: b'[A-Za-z0-9](?:-*+[A-Za-z0-9])*+' -> b'[A-Za-z0-9](?:-*[A-Za-z0-9])*+'": POSSESSIVE,
    "_WORD: b'[A-Za-z0-9](?:-*+[A-Za-z0-9])*+' -> b'[A-Za-z0-9](?:-*+[A-Za-z0-9])*'": POSSESSIVE,
    r"_PARAMETER: b'[\\x21-\\x3a\\x3c-\\x7e]*+' -> b'[\\x21-\\x3a\\x3c-\\x7e]*'": POSSESSIVE,
    "_ISSUE_VALUE: b')*+)?)?' -> b')*)?)?'": POSSESSIVE,
    "_ISSUE_VALUE: b')*+)?' -> b')*)?'": POSSESSIVE,
}
"""Mutants that decide the same, with the reason."""


@pytest.mark.drill(
    "CAA", goal="whichever condition of the decision is changed or left out, a case of the table notices"
)
def test_every_condition_of_the_decision_is_tested_by_a_case(drill):
    every = [*_every()]
    step = drill.times(6, soak=1)
    tried = every[::step]
    survivors = {str(mutant) for mutant in tried if not _is_noticed(mutant)}

    unnoticed = survivors - set(EQUIVALENT)
    drill.measured(mutants=f"{len(tried)} of {len(every)}", unnoticed=len(unnoticed), equivalent=len(EQUIVALENT))
    assert unnoticed == set()
    assert set(EQUIVALENT) <= {str(mutant) for mutant in every}, "the list has mutants that are none any more"


def _every() -> Iterator[Mutant]:
    yield from mutants(CAA, DECISION)
    yield from mutants(GRAMMAR, READERS)
    yield from shortened(GRAMMAR, PATTERNS)


def _is_noticed(mutant: Mutant) -> bool:
    try:
        module = _judging(mutant)
        return any(case.outcome(module) != case.expected for case in TABLE)
    except Exception:  # noqa: BLE001 - whoever runs into it notices
        return True


def _judging(mutant: Mutant) -> ModuleType:
    """The module `caa`, with the change or with a grammar that has it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of regular expressions that look odd
        made = mutant.module()
    if mutant.where in DECISION:
        return made
    return Mutant("", "", "", ast.parse(CAA)).module(**{name: getattr(made, name) for name in TAKEN_OVER})
