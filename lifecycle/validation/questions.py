"""What is asked about a name, wherever it is asked from, and what was seen there.

The primary and every remote perspective answer the same questions with the same code; what
the answers are worth is decided by whoever asked, from what was seen.  Imports no Django
and reads no environment: a remote perspective has neither.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol


class Asked(StrEnum):
    CAA = "caa"  # the records that count for a name, climbing (RFC 8659 3)
    TXT = "txt"
    CNAME = "cname"
    FILE = "file"  # over HTTP, from the host itself (BR 3.2.2.4.18)


@dataclass(frozen=True, slots=True)
class Question:
    asked: Asked
    name: str
    """The name whose records are asked for, a wildcard with its star for CAA; or the host."""
    path: str = ""
    """Of a file, from its slash on; else empty."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What one place saw.  *found* is JSON, bounded, and whatever a stranger wrote in it is escaped already."""

    question: Question
    at: datetime
    reason: str
    """Why nothing could be seen, a code of `caa.Reason` or `fetcher.Reason`; "" where there was an answer."""
    found: Mapping[str, Any]


class Place(Protocol):
    """Somewhere that questions can be asked from: this worker, or a perspective far away."""

    name: str

    def observe(self, questions: Sequence[Question], *, patience: float) -> list[Observation]:
        """Answer every question, in their order, within *patience* seconds; never raises for what a stranger did.

        Raises `OSError` where the place itself could not be asked.
        """
        ...
