"""Doorways for the validation worker.  No decisions here."""

from uuid import UUID

from lifecycle.validation import looking
from portal.foundation.outbox.models import Errand
from portal.foundation.outbox.registry import errand


@errand(queue="validation", rests=True)
def look(promised: Errand) -> None:
    looking.answer(promised, [UUID(arg) for arg in promised.args])
