import signal
import time
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand
from django.db import Error as DatabaseError
from django.db import connection
from structlog import get_logger

from lifecycle.validation.reproving import Days
from portal.foundation.audit.sealer import seal_everything
from portal.foundation.outbox.heartbeat import beat, forget_the_dead
from portal.foundation.outbox.relay import forget_what_is_done, ring_for_what_is_due, wake_everybody
from portal.foundation.tenancy.role import refuse_unfenced_role
from portal.notary.rounds import Rounds

log = get_logger()
WAKE_EVERY = 5.0  # seconds between the bells that let idle workers say how they are


class Command(BaseCommand):
    help = "Ring for due errands, seal the journal, promise what each day brings, until told to stop."

    def handle(self, *_args: Any, **_options: Any) -> None:
        over = Event()
        for wanted in (signal.SIGTERM, signal.SIGINT):
            signal.signal(wanted, lambda *_: over.set())
        refuse_unfenced_role()
        woken, rounds, days = 0.0, Rounds(), Days()
        while not over.wait(1.0):
            try:
                connection.close_if_unusable_or_obsolete()
                ring_for_what_is_due()
                rounds.go(seal_everything())
                days.go()
                if time.monotonic() - woken > WAKE_EVERY:
                    woken = time.monotonic()
                    beat("relay", broker=wake_everybody())
                    forget_what_is_done()
                    forget_the_dead()
            except DatabaseError as error:
                rounds = Rounds()  # it may not have heard of everything that was sealed, so it looks at every chain
                log.warning("relay.waits", error=str(error))
