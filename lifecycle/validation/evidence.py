r"""What a look at the DNS leaves behind: JSON from which its verdict can be computed again.

Whatever a stranger wrote is kept in printable ASCII, everything else as `\DDD` (RFC 1035
5.1), so that no page, log or database trips over it; how much of it there is, the
resolver has limited.  Pages escape it like any other text.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lifecycle.validation.caa import (
    Answer,
    Decision,
    LookupFailed,
    Record,
    RelevantSet,
    Terms,
    climb,
)
from lifecycle.validation.lines import record_to_publish

_ESCAPE = re.compile(rb'[^\x20-\x7e]|["\\]')
_ESCAPED = re.compile(r"\\(\d{3})")


@dataclass(frozen=True, slots=True)
class Look:
    """One finished look at a name: what was found, or why nothing could be."""

    name: str
    started: datetime
    finished: datetime
    found: RelevantSet | LookupFailed


def escaped(value: bytes) -> str:
    return _ESCAPE.sub(lambda match: b"\\%03d" % match[0][0], value).decode("ascii")


def unescaped(text: str) -> bytes:
    return _ESCAPED.sub(lambda match: chr(int(match[1])), text).encode("latin-1")


def shown(record: Record) -> str:
    """A record as a zone file would say it."""
    return f'{record.flags} {record.tag} "{escaped(record.value)}"'


def of_look(look: Look, decision: Decision | None, terms: Terms) -> dict[str, Any]:
    """Return what is kept of a look, and of the decision about it where there was anything to decide."""
    times = {"started": look.started.isoformat(), "finished": look.finished.isoformat()}
    return times | of_found(look.name, look.found, decision, terms)


def of_found(name: str, found: RelevantSet | LookupFailed, decision: Decision | None, terms: Terms) -> dict[str, Any]:
    """The same without when it was."""
    if isinstance(found, LookupFailed):
        failure = found
        asked = [*climb(name)]
        return {
            "asked": asked[: asked.index(failure.asked) + 1],
            "resolver": failure.resolver,
            "detail": escaped(failure.detail.encode()[:200]),
        }
    kept: dict[str, Any] = {
        "asked": list(found.asked),
        "found_at": found.found_at,
        "owner": found.answer.owner,
        "records": [
            {"flags": record.flags, "tag": record.tag, "value": escaped(record.value)} for record in found.records
        ],
        "ttl": found.answer.ttl,
        "resolver": found.answer.resolver,
        "authentic": found.answer.authentic,
        "excused": list(found.excused),
    }
    if decision is not None:
        kept |= {
            "clause": decision.clause,
            "governing": decision.governing,
            "issuers": list(decision.issuers),
            "record": shown(decision.record) if decision.record else "",
            "publish": "" if decision.permitted else record_to_publish(found, decision, terms),
        }
    return kept


def seen(name: str, kept: dict[str, Any]) -> RelevantSet:
    """Return what was found, from what was kept; `caa.permits` says of it today what it said then."""
    records = tuple(Record(each["flags"], each["tag"], unescaped(each["value"])) for each in kept["records"])
    answer = Answer(kept["owner"], records, kept["ttl"], kept["resolver"], kept["authentic"])
    return RelevantSet(name, kept["found_at"], answer, tuple(kept["asked"]), tuple(kept.get("excused", ())))
