"""F8 with real processes: a web server five minutes ahead, workers five minutes behind, and the other way round."""

import http.client
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.test import Client

from lifecycle.certificates.models import Certificate
from lifecycle.requests.models import CertificateRequest
from portal.demo.child import wait_until
from portal.foundation.access.models import User
from portal.foundation.audit.models import AuditEvent
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_for
from tests.drills import invariants
from tests.journeys.live import Portal
from tests.world import ask_for_codes, filled, issued, signed_in

pytestmark = pytest.mark.django_db

FIVE = timedelta(minutes=5)


def off_by(error: timedelta) -> dict[str, str]:
    """What gives a process, and all that it starts, another time of day; files keep theirs."""
    [library] = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    told = {"LD_PRELOAD": str(library), "FAKETIME": f"{error.total_seconds():+.0f}"}
    return told | {"NO_FAKE_STAT": "1"}


Starter = Callable[[timedelta, timedelta], Portal]


@pytest.fixture
def portal_off_by(tmp_path) -> Iterator[Starter]:
    started: list[Portal] = []

    def start(web: timedelta, workers: timedelta) -> Portal:
        folder = tmp_path / str(len(started))
        folder.mkdir()
        portal = Portal(folder)
        portal.web.environment = {**portal.web.environment, **off_by(web)}
        for worker in portal.workers.values():
            worker.environment = {**worker.environment, **off_by(workers)}
        started.append(portal)
        portal.start()
        return portal

    yield start
    for portal in started:
        end(portal)


def end(portal: Portal) -> None:
    """Without a word: a process that was told a wrong time waits for its own farewell."""
    for child in (portal.web, *portal.workers.values()):
        child.sweep()


class Caller:
    """A signed-in person's browser without script: opens pages and sends their forms."""

    def __init__(self, portal: Portal, person: User) -> None:
        self._portal = portal
        session = signed_in(Client(), person).cookies[settings.SESSION_COOKIE_NAME].value
        self._cookies = {settings.SESSION_COOKIE_NAME: session}

    def get(self, path: str) -> str:
        _status, _to, page = self._ask("GET", path)
        return page

    def send(self, path: str, **answers: str) -> str:
        """Fill the form of the page at *path* and send it; return where that leads."""
        page = self.get(path)
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))
        status, to, page = self._ask("POST", path, urlencode({**hidden, **answers}))
        assert status == http.HTTPStatus.FOUND, page
        return to

    def _ask(self, method: str, path: str, body: str | None = None) -> tuple[int, str, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self._portal.port, timeout=30)
        headers = {"Host": f"localhost:{self._portal.port}", "Referer": self._portal.origin}
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        page = answer.read().decode()
        for set_cookie in answer.headers.get_all("Set-Cookie") or ():
            name, _is, value = set_cookie.partition(";")[0].partition("=")
            self._cookies[name] = value
        said = datetime.strptime(answer.headers["Date"], "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
        self.clock = said  # the server's own
        connection.close()
        return answer.status, answer.headers.get("Location", ""), page


@pytest.mark.drill("F8", goal="a journey through servers that disagree by 10 minutes ends right")
def test_a_rekey_with_a_code_goes_through_servers_whose_clocks_disagree(
    drill, owner, acme, petra, portal_off_by, tmp_path
):
    old = issued(petra, acme)
    ask_for_codes(acme)
    journeys = [(FIVE, -FIVE), (-FIVE, FIVE)][: drill.times(1, soak=2)]
    for number, (web, workers) in enumerate(journeys):
        draft = filled(petra, acme, source=old)
        owner.execute("SELECT now()")
        began = owner.fetchone()[0]
        portal = portal_off_by(web, workers)
        caller = Caller(portal, petra)
        here = f"/t/acme/requests/{draft.pk}"
        window = caller.send(f"{here}/confirm/", use_case="lost", consent="on")
        assert abs(caller.clock - began - web) < timedelta(minutes=1)  # it really is off
        assert caller.send(window, code=portal.code()) == f"{here}/"
        assert wait_until(lambda draft=draft: _is_over(draft), 60.0, every=0.2), caller.get(f"{here}/")
        assert wait_until(lambda: not Errand.objects.filter(done_at=None).exists(), 30.0, every=0.2)
        end(portal)
        with acting_for(acme.pk):
            made = Certificate.objects.get(made_from=draft.pk)
            moments = AuditEvent.objects.filter(subject=draft.pk, code="request:complete").values_list("at", flat=True)
            told = AuditEvent.objects.filter(subject=draft.pk, code="notice:send").values_list("at", flat=True)
        assert made.not_after == old.not_after
        for moment in (made.not_before, *moments, *told):
            assert abs(moment - began) < timedelta(minutes=2), (number, moment, began)
    invariants.at_rest(owner)
    drill.measured(journeys=f"{len(journeys)}/{len(journeys)}")


def _is_over(draft: CertificateRequest) -> bool:
    with acting_for(draft.tenant_id):
        return CertificateRequest.objects.get(pk=draft.pk).state == "completed"
