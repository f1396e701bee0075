"""Looking at every label above a name, for the adviser: the validation worker's work, and reading what it left.

A survey decides nothing.  It does what a look does and then goes on where that ends, and past a label that could not
be asked, because people want to see what is overruled and what is broken.
"""

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

from lifecycle.validation import evidence
from lifecycle.validation.caa import (
    PATIENCE,
    LookupFailed,
    Reason,
    Record,
    RelevantSet,
    Resolver,
    Terms,
    climb,
    relevant_set,
)
from lifecycle.validation.models import CaaSurvey
from lifecycle.validation.outside import our_resolver
from portal.foundation import clock
from portal.foundation.audit.models import record
from portal.foundation.outbox.models import Errand
from portal.foundation.states import ChangedMeanwhile
from portal.foundation.tenancy.context import acting_for
from portal.foundation.writing import change, together

ROBOT = "worker:validation"

MOST_LABELS = 12
"""Labels of one name that are shown; beyond that, those nearest to the root are left out."""

_NOBODY = Terms(())


def answer(errand: Errand, pk: UUID, resolver: Resolver | None = None) -> None:
    """Look and write down what stood on each label; a survey that is answered stays as it is."""
    with acting_for(errand.tenant_id):
        waiting = CaaSurvey.objects.filter(pk=pk, answered_at=None).first()
    if waiting:
        seen = looked_at(waiting.name, resolver or our_resolver())
        with suppress(ChangedMeanwhile), acting_for(errand.tenant_id):  # another worker has answered it
            _store(waiting, seen)
    with acting_for(errand.tenant_id):
        errand.finish()


def _store(survey: CaaSurvey, seen: dict[str, Any]) -> None:
    with together():
        change(
            CaaSurvey,
            where={"id": survey.pk, "answered_at": None},
            to={"answered_at": clock.now(), "seen": seen},
            otherwise=ChangedMeanwhile(thing="survey"),
        )
        record(actor=ROBOT, code="caa:survey", subject=survey.pk, name=survey.name, labels=len(seen["levels"]))


def looked_at(name: str, resolver: Resolver, *, patience: float = PATIENCE) -> dict[str, Any]:
    """What a look at *name* comes to, and what stands on each label, within twice *patience* seconds in all."""
    try:
        found: RelevantSet | LookupFailed = relevant_set(name, resolver, patience=patience)
    except LookupFailed as failure:
        found = failure
    kept = evidence.of_found(name, found, None, _NOBODY)
    kept["reason"] = found.reason if isinstance(found, LookupFailed) else ""
    ends = time.monotonic() + patience
    return {"found": kept, "levels": [_level(label, resolver, ends) for label in [*climb(name)][:MOST_LABELS]]}


def _level(label: str, resolver: Resolver, ends: float) -> dict[str, Any]:
    try:
        said = resolver.caa(label, ends)
    except LookupFailed as failure:
        return {"label": label, "reason": failure.reason}
    records = [{"flags": each.flags, "tag": each.tag, "value": evidence.escaped(each.value)} for each in said.records]
    return {
        "label": label,
        "reason": "",
        "owner": said.owner,
        "records": records,
        "ttl": said.ttl,
        "authentic": said.authentic,
    }


def found_by(survey: CaaSurvey) -> RelevantSet | LookupFailed:
    """What a look would have come to; of a survey that was answered."""
    kept = survey.seen["found"]
    if kept["reason"]:
        return LookupFailed(Reason(kept["reason"]), kept["asked"][-1], kept["detail"], kept["resolver"])
    return evidence.seen(survey.name, kept)


def records_on(level: Mapping[str, Any]) -> tuple[Record, ...]:
    """The records that stood on one label."""
    return tuple(
        Record(each["flags"], each["tag"], evidence.unescaped(each["value"])) for each in level.get("records", ())
    )
