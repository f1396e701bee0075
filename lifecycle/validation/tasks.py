"""Doorways for the validation worker.  No decisions here."""

from uuid import UUID

from lifecycle.validation import looking, surveying
from lifecycle.validation.contacts import find_contacts, send_approval
from lifecycle.validation.proving import prove
from lifecycle.validation.reproving import renew
from lifecycle.validation.resolving import resolver_state
from lifecycle.validation.standing_report import perspectives_state
from lifecycle.validation.warning import tell_people, tell_person, warn, warn_person
from portal.foundation.outbox.models import Errand
from portal.foundation.outbox.registry import errand

__all__ = [
    "find_contacts",
    "look",
    "perspectives_state",
    "prove",
    "renew",
    "resolver_state",
    "send_approval",
    "survey",
    "tell_people",
    "tell_person",
    "warn",
    "warn_person",
]


@errand(queue="validation", rests=True)
def look(promised: Errand) -> None:
    looking.answer(promised, [UUID(arg) for arg in promised.args])


@errand(queue="validation", tries=5, rests=True)
def survey(promised: Errand) -> None:
    surveying.answer(promised, UUID(promised.args[0]))
