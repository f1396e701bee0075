"""The request machine under everything at once: people, workers, clocks and faults, in any order (I1-I7).

After every step all invariants hold.  At the end of a walk every fault ends, and what was accepted comes to its own
end, or waits for somebody by name.
"""

from datetime import timedelta

from hypothesis.stateful import invariant

from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.states import OVER, State
from portal.foundation.access import services as access
from portal.foundation.access.permissions import Permission
from portal.foundation.tenancy import services as tenancy
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import Tenant
from tests.drills import invariants
from tests.stateful.administrators import Administrators
from tests.stateful.people import People
from tests.stateful.stage import SEATS, Stage
from tests.stateful.workers import Workers
from tests.web.browsing import Visitor

TICK = timedelta(milliseconds=1)


class RequestMachine(People, Administrators, Workers):
    """One walk.  It is broken once an invariant did not hold: then nothing more is asked of it."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage
        self.is_broken = False

    @invariant()
    def everything_holds(self) -> None:
        self.is_broken = True
        self.stage.judge()
        self.is_broken = False
        self.stage.counts.steps += 1
        self.stage.time.go(TICK)

    def teardown(self) -> None:
        try:
            if not self.is_broken:
                self._come_to_an_end()
        finally:
            self.stage.close()

    def _come_to_an_end(self) -> None:
        self.settle()
        self.stage.touched |= {tenant.pk for tenant in self.stage.tenants.values()}
        self.stage.judge()
        states = {asked: self._state_of(asked.pk, asked.tenant) for asked in self.stage.requests if asked.accepted}
        stuck = {asked.pk: state for asked, state in states.items() if state not in OVER | {State.IN_REVIEW}}
        assert not stuck, f"I1: nobody will ever hear of {stuck}"
        ended = [asked.pk for asked, state in states.items() if state in OVER]
        signed = self.stage.fingerprints
        invariants.at_rest(self.stage.owner, ended, signed=signed, trials=0)
        self._whoever_asked_sees_what_comes_next()

    def _state_of(self, pk: object, tenant: Tenant) -> State:
        with acting_for(tenant.pk):
            return State(CertificateRequest.objects.get(pk=pk).state)

    def _whoever_asked_sees_what_comes_next(self) -> None:
        """The page of the newest request of each tenant opens for its owner, and says how to go on (I7)."""
        newest = {asked.tenant.pk: asked for asked in self.stage.requests}
        for asked in newest.values():
            page = Visitor(self.stage.people[asked.owner]).open(f"/t/{asked.tenant.slug}/requests/{asked.pk}/")
            assert page.status == 200, page.status

    def _let_everybody_work(self) -> None:
        olu = self.stage.people["olu"].pk
        for tenant in Tenant.objects.filter(suspended_at__isnull=False):
            tenancy.resume_tenant(tenant, by=olu)
        for name, slug in SEATS.items():
            tenant = self.stage.tenants[slug]
            if not self.stage.rights(name, tenant) & {Permission.TENANT_ENTER}:
                with acting_for(tenant.pk):
                    access.unsuspend(self.stage.people[name].pk, by=olu)
