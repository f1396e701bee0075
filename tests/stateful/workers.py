"""What workers do with errands: in any order, several times, two at once, and dying anywhere; and what fails them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from datetime import timedelta
from typing import Any

from django.db import connection
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from lifecycle.requests import services
from lifecycle.validation.caa import Reason
from portal.foundation.errors import Refusal
from portal.foundation.outbox.drain import claim, run
from portal.foundation.outbox.models import Errand
from portal.foundation.outbox.registry import QUEUES
from portal.foundation.outbox.services import try_again
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import PLATFORM
from tests.fakes.authority import Killed
from tests.stateful.stage import Stage
from tests.stateful.surroundings import FAULTS
from tests.world import serving

MOMENTS = ("before_reaching", "before_signing", "after_signing")
DEATHS = st.one_of(st.none(), st.sampled_from(MOMENTS), st.integers(1, 16))
"""At a named moment of the conversation with the token, or at the nth statement of the errand."""

MEANWHILE = st.sampled_from(["", "", "a copy", "a copy after the lease", "the owner withdraws"])
SPANS = st.sampled_from(
    [timedelta(seconds=1), timedelta(seconds=12), timedelta(seconds=31), timedelta(minutes=6), timedelta(minutes=50),
     timedelta(hours=7, minutes=1), timedelta(days=1), timedelta(days=40)]
)  # fmt: skip
LEASE_OVER = timedelta(seconds=31)
FORESEEN = ("TryLater:", "WorldAway:", "ChangedMeanwhile:", "ProgrammingError: permission")
_NEXT = "SELECT min(greatest(due_at, leased_until)) FROM outbox_errand WHERE done_at IS NULL AND parked_at IS NULL"
NAMES = ("www.acme.example", "acme.example", "www.globex.example")
BREAKS: st.SearchStrategy[tuple[str, Any]] = st.one_of(
    st.tuples(st.just("authority"), st.sampled_from(sorted(FAULTS))),
    st.tuples(st.sampled_from(NAMES), st.sampled_from([("other.example",), Reason.TIMED_OUT, Reason.SERVER_FAILED])),
    st.sampled_from([("journal", ""), ("mail", "")]),
)


class Workers(RuleBasedStateMachine):
    stage: Stage

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Errand] = []  # as they were claimed: what a broker would deliver again

    # --- errands ---

    @rule(order=st.integers(0, 5), dies=DEATHS)
    def everybody_works(self, order: int, dies: str | int | None) -> None:
        for queue in QUEUES:
            self.work(queue, order, dies)

    @rule(order=st.integers(0, 5), dies=DEATHS, meanwhile=MEANWHILE)
    def signs(self, order: int, dies: str | int | None, meanwhile: str) -> None:
        self.work("signing", order, dies, meanwhile)

    @rule(order=st.integers(0, 5), dies=DEATHS)
    def looks_names_up(self, order: int, dies: str | int | None) -> None:
        self.work("validation", order, dies, "")

    @rule(order=st.integers(0, 5), dies=DEATHS)
    def sends_mail(self, order: int, dies: str | int | None) -> None:
        self.work("messages", order, dies, "")

    @precondition(lambda self: self.seen)
    @rule(ago=st.integers(0, 7), dies=DEATHS, meanwhile=MEANWHILE)
    def does_again(self, ago: int, dies: str | int | None, meanwhile: str) -> None:
        """An errand comes a second time, however long ago and whatever became of it."""
        if self.seen:
            errand = copy(self.seen[-1 - ago % len(self.seen)])
            with serving(errand.queue), self._dying(dies):
                self._run(errand, meanwhile)

    def work(self, queue: str, order: int = 0, dies: str | int | None = None, meanwhile: str = "") -> int:
        """Claim what is due and do it, beginning with the *order*th; whoever dies leaves the rest leased."""
        with serving(queue):
            batch = claim(queue)
            self.stage.touched |= {errand.tenant_id for errand in batch}
            self.seen += map(copy, batch)
            turned = batch[order % len(batch) :] + batch[: order % len(batch)] if batch else []
            with self._dying(dies):
                for errand in turned:
                    self._run(errand, meanwhile)
        self._an_operator_tries_again_what_was_parked()
        return len(batch)

    def _run(self, errand: Errand, meanwhile: str) -> None:
        self.stage.touched |= {errand.tenant_id, PLATFORM}
        self.stage.authority.meanwhile = self._interruption(meanwhile, copy(errand))
        try:
            run(errand)
        finally:
            self.stage.authority.meanwhile = None

    def _interruption(self, kind: str, errand: Errand) -> Callable[[], None] | None:
        def again() -> None:
            run(errand)

        def later() -> None:
            self.stage.time.go(LEASE_OVER)
            run(errand)

        def withdraws() -> None:
            asked = next(asked for asked in self.stage.requests if str(asked.pk) == errand.args[0])
            by = self.stage.people[asked.owner].pk
            try:
                with serving("web"), acting_for(errand.tenant_id, person=by):
                    services.withdraw(asked.pk, by=by)
            except Refusal:
                return
            raise AssertionError("a request was withdrawn while its certificate was being signed")

        deeds = {"a copy": again, "a copy after the lease": later, "the owner withdraws": withdraws}
        return deeds.get(kind)

    @contextmanager
    def _dying(self, dies: str | int | None) -> Iterator[None]:
        """Let the worker end inside the block, if it gets as far as that: nothing after it is done or caught."""
        statements = 0

        def door(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
            nonlocal statements
            statements += 1
            if statements == dies:
                raise Killed(f"at statement {dies}: {str(sql)[:60]}")  # some are composed
            return execute(sql, *rest)

        self.stage.authority.inner.dies = dies if isinstance(dies, str) else None
        try:
            with connection.execute_wrapper(door):
                yield
        except Killed:
            self.stage.counts.kills += 1
            self.stage.killed += 1
        finally:
            self.stage.authority.inner.dies = None

    def _an_operator_tries_again_what_was_parked(self) -> None:
        """Whatever failed too often waits for this person; what fails in a way that nobody foresaw is a defect."""
        by = self.stage.people["olu"].pk
        for errand in Errand.objects.filter(done_at=None, parked_at__isnull=False):
            assert errand.last_error.startswith(FORESEEN), f"I1: {errand.task} ended in {errand.last_error}"
            if not self.stage.journal.refuses:
                self.stage.touched |= {errand.tenant_id, PLATFORM}
                try_again(errand, by=by)

    # --- time and faults ---

    @rule(span=SPANS)
    def time_goes_on(self, span: timedelta) -> None:
        self.stage.time.go(span)

    @rule(what=BREAKS)
    def something_breaks(self, what: tuple[str, Any]) -> None:
        kind, how = what
        if kind == "authority":
            self.stage.authority.fail(how)
        elif kind == "journal":
            self.stage.journal.refuse()
        elif kind == "mail":
            self.stage.mail.away = True
        else:
            self.stage.dns.said[kind] = how

    @rule(what=st.sampled_from(["everything", "everything", "authority", "journal", "mail", "dns"]))
    def something_heals(self, what: str) -> None:
        stage = self.stage
        deeds: dict[str, Callable[[], object]] = {
            "authority": stage.authority.recover,
            "journal": stage.journal.accept,
            "mail": lambda: setattr(stage.mail, "away", False),
            "dns": stage.dns.said.clear,
        }
        for deed in deeds.values() if what == "everything" else (deeds[what],):
            deed()

    def settle(self) -> None:
        """Let every fault end and the workers have their way, for as long as anything is promised."""
        stage = self.stage
        self.something_heals("everything")
        self._let_everybody_work()
        for _round in range(500):
            while sum(self.work(queue) for queue in QUEUES):
                pass
            stage.owner.execute(_NEXT)
            [due] = stage.owner.fetchone()
            if due is None:
                return
            stage.time.go(max(due - stage.time.now, timedelta(0)) + timedelta(seconds=1))
        raise AssertionError("I1: it does not come to rest")

    def _let_everybody_work(self) -> None:
        raise NotImplementedError
