"""Seeing: the questions of a look answered from one place, the same for the primary and every remote perspective.

Imports no Django and reads no environment.  What an answer's `found` holds, by what was asked:

* CAA: `asked`, `found_at`, `owner`, `records` (`flags`, `tag`, `value`), `ttl`, `resolver`, `authentic`, `excused`, of
  which `relevant_set_of` makes what `caa.permits` judges;
* TXT, CNAME: `owner`, `values`, `ttl`, `resolver`, `authentic`;
* a file: what `fetcher` says of it;
* where the DNS gave no answer: `asked` (the label that failed, behind those that did not), `detail`, `resolver`.
"""

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, Protocol

from lifecycle.validation import caa, evidence
from lifecycle.validation.caa import LookupFailed, Reason, RelevantSet, Terms, climb, relevant_set
from lifecycle.validation.questions import Asked, Observation, Question
from lifecycle.validation.sharing import Shared
from portal.foundation import clock

AT_ONCE = 100
"""Questions answered side by side; a thread waits for the network and hardly ever works."""

MOST_FOUND = 32_768
"""Characters of one answer, as JSON.  More than that is told as too much: nobody needs it to decide."""


class Records(Protocol):
    """What the DNS holds under a name: `resolver.Records`."""

    @property
    def owner(self) -> str: ...
    @property
    def values(self) -> tuple[bytes, ...]: ...
    @property
    def ttl(self) -> int: ...
    @property
    def resolver(self) -> str: ...
    @property
    def authentic(self) -> bool: ...


class Resolver(caa.Resolver, Protocol):
    def records(self, name: str, kind: Asked, ends: float) -> Records: ...


class Fetcher(Protocol):
    def observe(self, question: Question, *, patience: float) -> Observation: ...


class Witness:
    """Answers questions with what *resolver* and *fetcher* see from where they stand."""

    def __init__(self, name: str, resolver: Resolver, fetcher: Fetcher) -> None:
        self.name = name
        self._resolver = resolver
        self._fetcher = fetcher

    def observe(self, questions: Sequence[Question], *, patience: float) -> list[Observation]:
        """Answer every question, in their order, within *patience* seconds; never raises for what a stranger did."""
        return [each.result() for each in self.observing(questions, patience=patience)]

    def observing(self, questions: Sequence[Question], *, patience: float) -> list[Future[Observation]]:
        """Begin to answer every question side by side; all are answered, one way or the other, within *patience*."""
        if not questions:
            return []
        ends, climbing = time.monotonic() + patience, Shared(self._resolver)
        pool = ThreadPoolExecutor(min(len(questions), AT_ONCE), thread_name_prefix=self.name)
        begun = [pool.submit(copy_context().run, self._answer, question, climbing, ends) for question in questions]
        pool.shutdown(wait=False)  # nothing more comes; its threads end with their last question
        return begun

    def _answer(self, question: Question, climbing: caa.Resolver, ends: float) -> Observation:
        if question.asked is Asked.FILE:
            return self._fetcher.observe(question, patience=ends - time.monotonic())
        reason, found = self._look_up(question, climbing, ends)
        if len(json.dumps(found)) > MOST_FOUND:
            reason, found = Reason.TOO_MUCH, {"asked": _labels(question)[:1], "detail": "", "resolver": ""}
        return Observation(question, clock.now(), reason, found)

    def _look_up(self, question: Question, climbing: caa.Resolver, ends: float) -> tuple[str, Mapping[str, Any]]:
        try:
            if question.asked is Asked.CAA:
                found = relevant_set(question.name, climbing, patience=ends - time.monotonic())
                return "", evidence.of_found(question.name, found, None, Terms(()))
            return "", _of_records(self._resolver.records(question.name, question.asked, ends))
        except LookupFailed as failure:
            return failure.reason, _of_failure(question, failure)


def relevant_set_of(observation: Observation) -> RelevantSet | LookupFailed:
    """Return what a CAA question's answer says was found, as whoever judges it wants it."""
    found = observation.found
    if observation.reason:
        return LookupFailed(Reason(observation.reason), found["asked"][-1], found["detail"], found["resolver"])
    return evidence.seen(observation.question.name, dict(found))


def _of_records(found: Records) -> dict[str, Any]:
    return {
        "owner": found.owner,
        "values": [evidence.escaped(value) for value in found.values],
        "ttl": found.ttl,
        "resolver": found.resolver,
        "authentic": found.authentic,
    }


def _of_failure(question: Question, failure: LookupFailed) -> dict[str, Any]:
    asked = _labels(question)
    if failure.asked in asked:
        asked = asked[: asked.index(failure.asked) + 1]
    return {
        "asked": asked,
        "detail": evidence.escaped(failure.detail.encode()[:200]),
        "resolver": failure.resolver,
    }


def _labels(question: Question) -> list[str]:
    return [*climb(question.name)] if question.asked is Asked.CAA else [question.name]
