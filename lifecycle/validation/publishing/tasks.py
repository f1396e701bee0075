"""Doorways for the publishing worker.  No decisions here."""

from uuid import UUID

from lifecycle.validation.publishing import carrying
from portal.foundation.outbox.models import Errand
from portal.foundation.outbox.registry import errand

TRIES = 10
"""Five seconds apart, then twice as long each time: half an hour, after which people publish by hand (4.R20)."""


@errand(queue="publishing", tries=TRIES, rests=True)
def publish(promised: Errand) -> None:
    """Publish the value of a `DomainControl`."""
    carrying.publish(promised, UUID(promised.args[0]), last=promised.tries >= TRIES)


@errand(queue="publishing", tries=TRIES, rests=True)
def withdraw(promised: Errand) -> None:
    """Take the value of a `DomainControl` away again."""
    carrying.withdraw(promised, UUID(promised.args[0]), last=promised.tries >= TRIES)


@errand(queue="publishing", tries=TRIES, rests=True)
def try_way(promised: Errand) -> None:
    """Publish something through a `PublishingWay` and withdraw it, to see whether it works."""
    carrying.try_way(promised, UUID(promised.args[0]))
