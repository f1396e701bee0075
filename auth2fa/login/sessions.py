"""Sessions that know whose they are.

Django's database backend, extended in its documented way: the row also says who, since when,
seen when, from where and with what, so that people can see their sessions and end them.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessions
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from auth2fa.models import SignedIn
from portal.foundation import clock

LONGEST_AGENT = 200
_SWEPT = 100  # expired rows that one sign-in takes away


class SessionStore(DatabaseSessions):
    """What `SESSION_ENGINE` names."""

    @classmethod
    def get_model_class(cls) -> type[SignedIn]:
        return SignedIn

    def create_model_instance(self, data: dict[str, Any]) -> SignedIn:
        row = cast("SignedIn", super().create_model_instance(data))
        row.person_id = _person(data)
        if row.person_id:
            row.began_at, row.seen_at = _moment(data, "since"), _moment(data, "seen")
            row.address, row.agent = data.get("address", ""), data.get("agent", "")
        return row


def note_surroundings(request: HttpRequest) -> None:
    """Keep with the session where and with what it began: for its owner's eyes."""
    request.session["address"] = request.META.get("REMOTE_ADDR", "")[:45]
    agent = request.headers.get("User-Agent", "")
    request.session["agent"] = "".join(sign for sign in agent if sign.isprintable())[:LONGEST_AGENT]


def of_person(person_id: UUID) -> list[SignedIn]:
    """The sessions of a person that have not expired, seen last first."""
    found = SignedIn.objects.filter(person_id=person_id, expire_date__gt=clock.now())
    return list(found.order_by("-seen_at", "session_key"))


def end_all(person_id: UUID, *, but: str | None = None) -> int:
    """End a person's sessions, except for the one with the key *but*; return how many there were."""
    ending = SignedIn.objects.filter(person_id=person_id)
    if but:
        ending = ending.exclude(session_key=but)
    return ending.delete()[0]


def end(person_id: UUID, keys: Sequence[str]) -> int:
    """End some sessions of a person; return how many there were."""
    return SignedIn.objects.filter(person_id=person_id, session_key__in=keys).delete()[0]


def handle_of(session_key: str) -> str:
    """Return what stands for a session on a page: its key opens it, so that is never shown."""
    return salted_hmac("auth2fa.session", session_key, algorithm="sha256").hexdigest()[:32]


def sweep() -> None:
    """Take away a few sessions that expired long ago."""
    old = SignedIn.objects.filter(expire_date__lt=clock.now()).values_list("session_key", flat=True)[:_SWEPT]
    SignedIn.objects.filter(session_key__in=list(old)).delete()


def _person(data: Mapping[str, Any]) -> UUID | None:
    try:
        return UUID(data[SESSION_KEY])
    except (KeyError, ValueError):
        return None


def _moment(data: Mapping[str, Any], name: str) -> datetime:
    seconds = data.get(name)
    return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int) else clock.now()
