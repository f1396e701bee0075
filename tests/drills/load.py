"""People who submit requests through the web service while something is broken, and try again until it is taken."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from uuid import UUID

from lifecycle.requests.models import CertificateRequest
from lifecycle.wizards.flow import as_posted
from portal.foundation.access.models import User
from portal.foundation.tenancy.models import Tenant
from tests.drills.stage import Answer, Browser
from tests.world import filled

ENOUGH = 600.0
"""Seconds after which a drill is over, whatever came of it."""


@dataclass(frozen=True, slots=True)
class Order:
    """A finished draft, and the form that submits it."""

    pk: UUID
    address: str
    form: dict[str, str]


def ordered(person: User, tenant: Tenant, count: int) -> list[Order]:
    """Return drafts of *person* that only have to be sent."""
    return [_order(filled(person, tenant), tenant) for _ in range(count)]


def _order(draft: CertificateRequest, tenant: Tenant) -> Order:
    answers = as_posted(draft.answers["confirm"])
    form = {name: "on" if value is True else str(value) for name, value in answers.items()}
    return Order(draft.pk, f"/t/{tenant.slug}/requests/{draft.pk}", form)


@dataclass
class Load:
    """Several people at once: each order is sent until the portal says that it has it."""

    browser: Browser
    orders: list[Order]
    people: int = 4
    pause: float = 0.0
    accepted: dict[UUID, float] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    def begin(self) -> None:
        waiting = list(reversed(self.orders))
        for _ in range(self.people):
            self._threads.append(threading.Thread(target=self._send_all, args=(waiting,), daemon=True))
            self._threads[-1].start()

    def end(self) -> None:
        """Wait until everybody has sent everything."""
        deadline = time.monotonic() + ENOUGH
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))

    @property
    def statuses(self) -> Counter[int]:
        return Counter(answer.status for answer in self.answers)

    @property
    def slowest(self) -> float:
        return max(answer.seconds for answer in self.answers)

    def _send_all(self, waiting: list[Order]) -> None:
        deadline = time.monotonic() + ENOUGH
        while waiting and time.monotonic() < deadline:
            try:
                order = waiting.pop()
            except IndexError:  # somebody else took the last one
                return
            while not self._is_taken(order) and time.monotonic() < deadline:
                time.sleep(0.5)
            time.sleep(self.pause)

    def _is_taken(self, order: Order) -> bool:
        answer = self.browser.post(f"{order.address}/confirm/", order.form)
        self.answers.append(answer)
        if answer.status == 302:
            assert answer.headers["Location"] == f"{order.address}/", answer.headers["Location"]
            self.accepted[order.pk] = time.monotonic()
        return order.pk in self.accepted


@dataclass
class Looks:
    """Somebody who opens pages all the time, by hand and by program, and keeps what came back."""

    browser: Browser
    pages: tuple[str, ...]
    accepts: tuple[str, ...] = ("text/html", "application/json")
    answers: list[tuple[str, Answer]] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def begin(self) -> None:
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        if self._thread:
            self._thread.join(ENOUGH)

    def _look(self) -> None:
        while not self._over.is_set():
            for page in self.pages:
                for accept in self.accepts:
                    self.answers.append((accept, self.browser.get(page, accept)))
            self._over.wait(0.2)
