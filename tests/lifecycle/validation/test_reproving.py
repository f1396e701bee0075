"""Proving again in time, by itself or by people who were told; and falling back to people."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail

from lifecycle.validation import contacts, control, proving, reproving, warning
from lifecycle.validation.models import DomainControl, ProofNotice, PublishingWay
from lifecycle.validation.proofs import State, standing_of
from lifecycle.validation.publishing import outcomes
from lifecycle.validation.publishing import tasks as publishing
from portal.foundation import clock
from portal.foundation.access import services as access
from portal.foundation.audit.models import AuditEvent
from portal.foundation.outbox.drain import run
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_for
from tests.fakes.everywhere import Everywhere
from tests.lifecycle.validation.proofs import added, begun, looked, promised, proven, reread, shown, work
from tests.rows import everything
from tests.world import serving

pytestmark = pytest.mark.django_db(transaction=True)

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
ENDS = datetime(2027, 3, 15, tzinfo=UTC)  # of what was proven at START
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _nobody_asks_for_more(monkeypatch):
    monkeypatch.setattr(proving, "_needs", [])


def a_way(tenant):
    with acting_for(tenant.pk):
        way = PublishingWay(
            title="Zones", kind="webhook", address="https://x.example", sealed_secret=b"x", made_by="test"
        )
        way.save()
        return way


def given_to(tenant, person, domain, way):
    with acting_for(tenant.pk, person=person.pk):
        control.publish_by(domain, way, by=person.pk)


def day(moment):
    """Do what the relay, the validation worker and the messages worker do on one day; return the day's letters."""
    before = len(mail.outbox)
    with clock.frozen(moment):
        with serving("relay"):
            reproving.Days().go()
        for _round in range(4):
            for queue in ("validation", "messages"):
                for errand in Errand.objects.filter(queue=queue, done_at=None, parked_at=None, due_at__lte=moment):
                    if errand.task not in {proving.prove.name, contacts.find_contacts.name}:
                        with serving(queue):
                            run(errand)
                        errand.refresh_from_db()
                        assert errand.done_at, errand.last_error
    return mail.outbox[before:]


def attempts(domain):
    with acting_for(domain.tenant_id):
        return list(DomainControl.objects.filter(domain=domain).order_by("asked_at", "id"))


# --- by itself -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["dns-change", "http-file"])
def test_what_the_portal_publishes_is_proven_again_in_time(acme, petra, method):
    with clock.frozen(START):
        domain = proven(acme, petra, "shop.example", method)
        given_to(acme, petra, domain, a_way(acme))
    due = ENDS - (ENDS - START) / 3
    assert day(due - timedelta(minutes=1)) == []
    assert len(attempts(domain)) == 1
    assert day(due + DAY) == []
    first, second = attempts(domain)
    assert (second.automatic, second.state, second.asked_by) == (True, "pending", "worker:validation")
    assert second.value != first.value
    assert [errand.args for errand in promised(publishing.publish)] == [[str(second.pk)]]
    day(due + 2 * DAY)
    assert len(attempts(domain)) == 2  # one is under way
    with clock.frozen(due + 2 * DAY):
        with acting_for(acme.pk):
            control.look_now(second, by="worker:validation")
        work(Everywhere(shown(second)))
    assert reread(domain).proved_at == due + 2 * DAY
    assert [errand.args for errand in promised(publishing.withdraw)] == [[str(second.pk)]]


def test_a_record_that_stays_is_looked_at_again(acme, petra):
    """Ten days (BR 3.2.2.4.22), of which seven are left when it is looked at again."""
    with clock.frozen(START):
        domain = proven(acme, petra, "shop.example", "dns-persist", issuer="ca.example")
    internet = Everywhere(shown(attempts(domain)[0]))
    day(START + 2 * DAY)
    assert len(attempts(domain)) == 1
    day(START + 3 * DAY)
    again = attempts(domain)[-1]
    assert (again.value, again.state) == ("ca.example", "verifying")
    with clock.frozen(START + 3 * DAY):
        work(internet)
    assert reread(domain).proved_at == START + 3 * DAY


def test_others_are_not_begun_for(acme, petra):
    with clock.frozen(START):
        domain = proven(acme, petra, "shop.example")
        retired = proven(acme, petra, "old.example", "dns-persist", issuer="ca.example")
        with acting_for(acme.pk, person=petra.pk):
            control.retire(retired, by=petra.pk)
    day(ENDS - DAY)
    assert len(attempts(domain)) == 1
    assert len(attempts(retired)) == 1


def test_days_are_promised_once_whatever_relays_do(acme, globex):
    with clock.frozen(START), serving("relay"):
        for _relay in range(3):
            days = reproving.Days()
            days.go()
            days.go()
    for task in (reproving.renew, warning.warn):
        tenants = [errand.tenant_id for errand in promised(task)]
        assert len(tenants) == len(set(tenants))
        assert {acme.pk, globex.pk} <= set(tenants)


def test_nothing_is_promised_before_its_hour():
    with clock.frozen(START.replace(hour=3, minute=59)), serving("relay"):
        reproving.Days().go()
    assert promised(reproving.renew) == []


def test_attempts_that_took_too_long_are_over(acme, petra):
    with clock.frozen(START):
        attempt = begun(acme, petra, added(acme, petra, "shop.example"), "dns-change")
    day(START + 29 * DAY)
    assert reread(attempt).state == "pending"
    day(START + 30 * DAY)
    assert (reread(attempt).state, reread(attempt).reason) == ("failed", "too-late")


# --- publishing that is not seen -----------------------------------------------------------------------------------


def automatic(tenant, person, name="shop.example"):
    domain = added(tenant, person, name)
    given_to(tenant, person, domain, a_way(tenant))
    return begun(tenant, person, domain, "dns-change")


def test_what_was_published_is_looked_for_ever_more_seldom(acme, petra):
    with clock.frozen(START):
        attempt = automatic(acme, petra)
        looked(acme, petra, attempt)
        pauses, now = [], START
    for _look in range(5):
        with clock.frozen(now):
            work()
            [later] = promised(proving.prove)
        pauses.append(int((later.due_at - now).total_seconds()))
        now = later.due_at
    assert pauses == [30, 60, 120, 240, 480]


def test_looking_oneself_doubles_nothing(acme, petra):
    attempt = automatic(acme, petra)
    looked(acme, petra, attempt)
    work()
    with clock.frozen(clock.now() + timedelta(seconds=12)):
        looked(acme, petra, attempt)
        assert len(promised(proving.prove)) == 2
        now, later = promised(proving.prove)[::-1]
        with serving("validation"):
            proving.answer(now, attempt.pk, Everywhere())
    assert [errand.pk for errand in promised(proving.prove)] == [later.pk]


@pytest.mark.rule("4.R20")
def test_what_is_not_seen_for_a_day_falls_back_to_people(acme, petra, ada):
    with clock.frozen(START):
        attempt = automatic(acme, petra)
    with clock.frozen(START + DAY):
        looked(acme, petra, attempt)
        work()
    [errand] = promised(outcomes.fell_back)
    assert day(START + DAY + timedelta(minutes=1))
    assert reread(attempt.domain).publishing_id is None
    assert reread(attempt).state == "pending"  # with the same value, which people can publish
    told = [letter for letter in mail.outbox if "by hand" in letter.subject]
    assert sorted(letter.to[0] for letter in told) == [ada.email, petra.email]
    with acting_for(acme.pk):
        stands = standing_of(reread_in(attempt.domain), START + DAY)
        assert AuditEvent.objects.filter(code="control:fall-back", subject=str(attempt.pk)).exists()
    assert (stands.state, stands.next_step) == (State.PENDING, "publish")
    assert errand.args[1:] == [str(attempt.domain.publishing_id), "not-seen"]


def reread_in(domain):
    return type(domain).objects.get(pk=domain.pk)


# --- people are told -----------------------------------------------------------------------------------------------


def test_people_are_told_four_times_and_no_more(acme, petra, ada, owner):
    with clock.frozen(START):
        proven(acme, petra, "shop.example")
    told = {}
    for left in (31, 30, 29, 15, 14, 13, 8, 7, 6, 2, 1, 0, -1):
        for letter in day(ENDS - left * DAY + timedelta(hours=6)):
            told.setdefault(letter.to[0], []).append(left)
    assert told == {ada.email: [30, 14, 7, 1], petra.email: [30, 14, 7, 1]}
    owner.execute("SELECT count(*) FROM validation_proofnotice")
    assert owner.fetchone() == (8,)


def test_one_mail_a_day_says_everything(acme, petra, dan, ada):
    with clock.frozen(START):
        for number in range(3):
            proven(acme, petra, f"shop{number}.example")
        proven(acme, dan, "dans.example")
    letters = {letter.to[0]: letter.body for letter in day(ENDS - 14 * DAY + timedelta(hours=6))}
    assert set(letters) == {petra.email, dan.email, ada.email}
    assert all(f"shop{number}.example" in letters[petra.email] for number in range(3))
    assert "dans.example" not in letters[petra.email]
    assert "shop0.example" not in letters[dan.email]
    assert "dans.example" in letters[ada.email]
    assert "shop2.example" in letters[ada.email]


def test_a_relay_that_was_away_leaves_nothing_out_and_tells_nothing_twice(acme, petra, ada):
    with clock.frozen(START):
        proven(acme, petra, "shop.example")
    assert len(day(ENDS - 10 * DAY + timedelta(hours=6))) == 2
    assert day(ENDS - 9 * DAY + timedelta(hours=6)) == []


def test_whoever_left_or_was_suspended_is_told_nothing(acme, petra, dan, ada):
    with clock.frozen(START):
        proven(acme, petra, "shop.example")
        proven(acme, dan, "dans.example")
    with acting_for(acme.pk, person=ada.pk):
        access.suspend(petra.pk, by=ada.pk)
    assert {letter.to[0] for letter in day(ENDS - 14 * DAY + timedelta(hours=6))} == {dan.email, ada.email}


def test_what_renews_itself_is_told_of_only_once_it_did_not(acme, petra):
    with clock.frozen(START):
        domain = proven(acme, petra, "shop.example")
        given_to(acme, petra, domain, a_way(acme))
    assert day(ENDS - 20 * DAY + timedelta(hours=6)) == []
    assert len(day(ENDS - 7 * DAY + timedelta(hours=6))) == 2


@pytest.mark.parametrize("deed", ["retire", "prove again"])
def test_what_needs_nobody_any_more_is_not_told(acme, petra, deed):
    with clock.frozen(START):
        domain = proven(acme, petra, "shop.example")
    with clock.frozen(ENDS - 20 * DAY):
        if deed == "retire":
            with acting_for(acme.pk, person=petra.pk):
                control.retire(domain, by=petra.pk)
        else:
            attempt = begun(acme, petra, domain, "dns-change")
            looked(acme, petra, attempt)
            work(Everywhere(shown(attempt)))
    assert day(ENDS - 14 * DAY + timedelta(hours=6)) == []


def test_nobody_is_told_of_another_tenants_domains(acme, globex, petra, hank, mina):
    with clock.frozen(START):
        proven(acme, petra, "shop.example")
        proven(globex, hank, "globex.example")
    letters = day(ENDS - 14 * DAY + timedelta(hours=6))
    assert {letter.to[0] for letter in letters if "shop.example" in letter.body} & {hank.email, mina.email} == set()
    assert [letter.to for letter in letters if "globex.example" in letter.body] == [[hank.email]]


def test_a_mail_that_is_sent_twice_is_written_down_once(acme, petra):
    with clock.frozen(START):
        proven(acme, petra, "shop.example")
    with clock.frozen(ENDS - 14 * DAY + timedelta(hours=6)):
        with serving("relay"):
            reproving.Days().go()
        [errand] = [each for each in promised(warning.warn) if each.tenant_id == acme.pk]
        with serving("messages"):
            run(errand)
        for person in promised(warning.warn_person):
            with serving("messages"):
                run(person)
                warning.warn_person.run(person)
    assert len(mail.outbox) == 2
    with serving("messages"), acting_for(acme.pk):
        assert ProofNotice.objects.count() == 2


def test_a_days_work_with_nothing_to_do_changes_nothing(acme, petra, owner):
    with clock.frozen(START):
        proven(acme, petra, "shop.example")
    before = everything(owner, but={"outbox_errand"})
    assert day(START + DAY) == []
    assert everything(owner, but={"outbox_errand"}) == before
