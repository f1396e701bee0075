"""Whether the perspectives that the operator named are those that the rules ask for (BR 3.2.2.9).  Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509

from lifecycle.validation.perspectives.quorum import required
from portal.perspectives import Perspective, Perspectives

DISTINCT = 500.0
"""Kilometres in a straight line between any two perspectives, the primary one among them (BR 3.2.2.9)."""

SOON = timedelta(days=30)
"""Before its certificate ends, a perspective is told of."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with the perspectives: `code` says which words, `names` are those it is about."""

    code: str
    names: tuple[str, ...] = ()
    wanted: int = 0
    there: int = 0


def distinct(perspectives: Perspectives) -> tuple[Perspective, ...]:
    """Return those that count: far enough from the primary and from each one before them.

    The others are not asked: their agreement would be one voice heard twice.
    """
    counted: list[Perspective] = []
    for each in perspectives.remote:
        places = [other.place for other in counted] + ([perspectives.primary] if perspectives.primary else [])
        if all(each.place.kilometres_to(place) >= DISTINCT for place in places):
            counted.append(each)
    return tuple(counted)


def faults_of(perspectives: Perspectives, now: datetime) -> list[Fault]:
    """Return what keeps these perspectives from serving public trust on the day of *now*, and what soon will."""
    counted = distinct(perspectives)
    close = tuple(each.name for each in perspectives.remote if each not in counted)
    wanted = required(now.date())
    faults = [Fault("too-close", close)] if close else []
    if len(counted) < wanted.perspectives:
        faults.append(Fault("too-few", _names(counted), wanted.perspectives, len(counted)))
    regions = {each.place.region for each in counted}
    if len(regions) < wanted.regions:
        faults.append(Fault("too-few-regions", tuple(sorted(regions)), wanted.regions, len(regions)))
    ending = tuple(each.name for each in counted if _end_of(each) < now + SOON)
    return [*faults, Fault("ending", ending)] if ending else faults


def _names(perspectives: Iterable[Perspective]) -> tuple[str, ...]:
    return tuple(each.name for each in perspectives)


def _end_of(perspective: Perspective) -> datetime:
    return x509.load_der_x509_certificate(perspective.certificate).not_valid_after_utc
