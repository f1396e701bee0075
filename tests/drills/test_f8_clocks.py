"""F8: web servers and workers whose clocks are five minutes off, summer time, a leap day: what is decided stays right.

The database's clock is the true one.  A server that is off is this process with another time
of its own; the last drill does it with real processes.
"""

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.core import mail
from django.db import connection

from auth2fa import challenges
from auth2fa.errors import ChallengeOver, LinkOver, WrongAnswer
from auth2fa.login import links
from lifecycle.certificates.models import Certificate
from lifecycle.requests import services
from lifecycle.requests.models import CertificateRequest
from portal.foundation import clock
from portal.foundation.access.models import User
from portal.foundation.outbox import relay
from portal.foundation.outbox.drain import claim, run
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import PLATFORM, Tenant
from tests.drills import invariants
from tests.fakes.post_office import PostOffice
from tests.world import (
    as_person,
    carry_out,
    code_at,
    confirmed,
    enrolled,
    filled,
    issued,
    next_policies,
    serving,
    submit,
    submitted,
)

pytestmark = pytest.mark.django_db

FIVE = timedelta(minutes=5)
BEHIND, AHEAD = -FIVE, FIVE
DAYS = 365


def of_the_database() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        return cursor.fetchone()[0]


@contextmanager
def off_by(error: timedelta) -> Iterator[None]:
    """Be a server whose own clock is wrong."""
    with time_machine.travel(of_the_database() + error):
        yield


@dataclass(frozen=True)
class Scene:
    """One case's tenant, its subscriber, and the database as its superuser sees it."""

    owner: Any
    acme: Tenant
    petra: User
    settings: Any

    def draft(self, factor: str = "email-code", **wish: Any) -> CertificateRequest:
        next_policies(self.acme, factor=factor)
        return filled(self.petra, self.acme, **wish)

    def ask(self, draft: CertificateRequest) -> UUID:
        with acting_for(self.acme.pk, person=self.petra.pk):
            factor, purpose, payload = draft.policy.factor, draft.purpose, draft.digest()
        return challenges.ask(
            factor, person=as_person(self.petra), tenant=self.acme.pk, purpose=purpose, payload=payload, about="a test"
        ).pk

    def answer(self, challenge: UUID, code: str) -> None:
        challenges.answer(challenge, as_person(self.petra), {"code": code})

    def age(self, challenge: UUID, by: timedelta) -> None:
        """Let a question, and its answer, be so much older."""
        columns = ("asked_at", "sent_at", "expires_at", "answered_at")
        aged = ", ".join(f"{column} = {column} - %(by)s" for column in columns)
        self.owner.execute("SET session_replication_role = replica")
        self.owner.execute(f"UPDATE auth2fa_challenge SET {aged} WHERE id = %(id)s", {"by": by, "id": str(challenge)})
        self.owner.execute("SET session_replication_role = origin")


def mailed() -> str:
    [code] = re.findall(r"^ {4}(\d+)\r?$", str(mail.outbox[-1].body), re.MULTILINE)
    return str(code)


# --- a code by mail ---------------------------------------------------------------------------------------------------


def a_code_is_asked_for_and_answered(scene: Scene, error: timedelta) -> None:
    draft = scene.draft()
    with off_by(error):
        assert submit(draft, scene.petra).state == "ready"


def a_code_asked_by_one_server_is_answered_at_another(scene: Scene, error: timedelta) -> None:
    with off_by(error):
        asked = scene.ask(scene.draft())
    scene.age(asked, timedelta(seconds=290))
    with off_by(-error):
        scene.answer(asked, mailed())


def a_code_that_lapsed_is_refused(scene: Scene, error: timedelta) -> None:
    asked = scene.ask(scene.draft())
    scene.age(asked, timedelta(seconds=301))
    with off_by(error), pytest.raises(ChallengeOver):
        scene.answer(asked, mailed())


def an_answer_counts_for_five_minutes_and_no_longer(scene: Scene, error: timedelta) -> None:
    for seconds, counts in ((310, False), (290, True)):
        draft = scene.draft(name=f"After {seconds} seconds")
        answered = confirmed(draft, scene.petra)
        scene.age(answered, timedelta(seconds=seconds))
        with off_by(error), acting_for(scene.acme.pk, person=scene.petra.pk):
            fresh = services.draft_for(draft.pk, by=scene.petra.pk)
            if counts:
                services.submit(fresh, by=scene.petra.pk, challenge=answered)
                continue
            with pytest.raises(ChallengeOver):
                services.submit(fresh, by=scene.petra.pk, challenge=answered)


# --- an authenticator app, and a link in a mail -----------------------------------------------------------------------


def an_authenticator_that_is_right_is_believed(scene: Scene, error: timedelta) -> None:
    _row, secret = enrolled(scene.petra)
    asked = scene.ask(scene.draft("totp"))
    code = code_at(secret)
    with off_by(error):
        scene.answer(asked, code)


def a_code_of_the_servers_own_wrong_time_is_refused(scene: Scene, error: timedelta) -> None:
    """Somebody saw it five minutes ago, or made the telephone show what will come."""
    _row, secret = enrolled(scene.petra)
    asked = scene.ask(scene.draft("totp"))
    code = code_at(secret, steps=int(error / timedelta(seconds=30)))
    with off_by(error), pytest.raises(WrongAnswer):
        scene.answer(asked, code)


def a_link_is_good_for_half_an_hour_and_no_longer(scene: Scene, error: timedelta) -> None:
    with off_by(error), acting_for(PLATFORM):
        link = links.link_for(scene.petra)
    made, tokens = of_the_database(), links._tokens
    with off_by(-error):
        assert links.person_of(link) == scene.petra
    for seconds, counts in ((links.LIFETIME - 60, True), (links.LIFETIME + 60, False)):
        stamp = tokens._num_seconds((made - timedelta(seconds=seconds)).replace(tzinfo=None))
        token = tokens._make_token_with_timestamp(scene.petra, stamp, tokens.secret)
        with off_by(-error):
            if counts:
                assert links.person_of(f"{scene.petra.pk.hex}.{token}") == scene.petra
                continue
            with pytest.raises(LinkOver):
                links.person_of(f"{scene.petra.pk.hex}.{token}")


# --- what workers do --------------------------------------------------------------------------------------------------


def a_rekey_ends_to_the_second_when_the_old_one_does(scene: Scene, error: timedelta) -> None:
    with off_by(error):
        old = issued(scene.petra, scene.acme)
    with off_by(-error):
        fresh = issued(scene.petra, scene.acme, source=old)
    assert fresh.not_after == old.not_after
    for certificate in (old, fresh):
        assert abs(certificate.not_before - of_the_database()) < timedelta(minutes=2)


def work_is_put_off_and_claimed_by_one_clock(scene: Scene, error: timedelta) -> None:
    carry_out(submitted(scene.petra, scene.acme))
    [promised] = Errand.objects.filter(queue="messages")
    scene.settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    scene.settings.EMAIL_HOST, scene.settings.EMAIL_PORT = "127.0.0.1", PostOffice().port  # nobody listens
    with serving("messages"):
        with off_by(error):
            run(promised)
        promised.refresh_from_db()
        assert timedelta(0) < promised.due_at - of_the_database() <= timedelta(seconds=5)
        with off_by(error):
            assert claim("messages") == []
    scene.owner.execute("UPDATE outbox_errand SET due_at = now() WHERE id = %s", [str(promised.pk)])
    with serving("relay"), off_by(error):
        assert relay.ring_for_what_is_due() == ["messages"]
    with serving("messages"), off_by(-error):
        assert [errand.pk for errand in claim("messages")] == [promised.pk]
    with serving("messages"), off_by(error):
        assert claim("messages") == []  # leased by the other one


# --- the calendar -----------------------------------------------------------------------------------------------------


@contextmanager
def zone(name: str) -> Iterator[None]:
    """Let this machine be set to a zone of people's."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = name
    time.tzset()
    try:
        yield
    finally:
        os.environ.pop("TZ")
        if before is not None:
            os.environ["TZ"] = before
        time.tzset()


def days_have_24_hours(scene: Scene, at: datetime) -> None:
    """A certificate of so many days lasts as many times 86,400 seconds, the last one inclusive (RFC 5280 4.1.2.5)."""
    with zone("Europe/Prague"), clock.frozen(at):
        made = issued(scene.petra, scene.acme, days=DAYS)
        with clock.frozen(at + timedelta(hours=2)):
            fresh = issued(scene.petra, scene.acme, source=made)
    assert made.not_after - made.not_before == timedelta(days=DAYS) - timedelta(seconds=1)
    assert fresh.not_after == made.not_after


OFF: tuple[Callable[[Scene, timedelta], None], ...] = (
    a_code_is_asked_for_and_answered,
    a_code_asked_by_one_server_is_answered_at_another,
    a_code_that_lapsed_is_refused,
    an_answer_counts_for_five_minutes_and_no_longer,
    an_authenticator_that_is_right_is_believed,
    a_code_of_the_servers_own_wrong_time_is_refused,
    a_link_is_good_for_half_an_hour_and_no_longer,
    a_rekey_ends_to_the_second_when_the_old_one_does,
    work_is_put_off_and_claimed_by_one_clock,
)
CALENDAR = {
    "summer time begins": datetime(2027, 3, 28, 0, 59, 59, tzinfo=UTC),
    "it ends, an hour comes twice": datetime(2027, 10, 31, 0, 59, 59, tzinfo=UTC),
    "a leap day": datetime(2028, 2, 29, 12, 0, tzinfo=UTC),
    "the year before one": datetime(2027, 2, 28, 23, 59, 59, tzinfo=UTC),
}
CASES: dict[str, Callable[[Scene], None]] = {
    **{f"{case.__name__}, behind": partial(case, error=BEHIND) for case in OFF},
    **{f"{case.__name__}, ahead": partial(case, error=AHEAD) for case in OFF},
    **{f"days_have_24_hours, {name}": partial(days_have_24_hours, at=at) for name, at in CALENDAR.items()},
}


@pytest.fixture
def scene(owner, acme, petra, settings) -> Scene:
    return Scene(owner, acme, petra, settings)


@pytest.mark.drill("F8", goal="22 of 22 cases are decided right")
@pytest.mark.parametrize("case", CASES)
def test_it_is_decided_by_the_databases_clock(drill, scene, case):
    CASES[case](scene)
    with acting_for(scene.acme.pk):
        assert all(each.not_before < each.not_after for each in Certificate.objects.all())
    invariants.hold(scene.owner)
