"""Looks for proofs as workers make them: what is stored of them, what they decide, and which names a proof covers."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection
from django.db.utils import ProgrammingError

from lifecycle.validation import control, diagnosis, proving
from lifecycle.validation.models import ControlLook, Domain, DomainControl
from lifecycle.validation.observing import everywhere
from lifecycle.validation.proofs import State, proof_for, proofs_for, standing_of, standings_of
from lifecycle.validation.questions import Asked
from lifecycle.validation.states import ControlState
from portal.foundation import clock
from portal.foundation.audit.models import AuditEvent
from portal.foundation.outbox.drain import run
from portal.foundation.outbox.models import send
from portal.foundation.tenancy.context import acting_for
from tests.fakes.everywhere import PLACES, Everywhere
from tests.lifecycle.validation.proofs import (
    added,
    begun,
    looked,
    looks_at,
    promised,
    proven,
    reread,
    shown,
    work,
)
from tests.world import serving

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _nobody_asks_for_more(monkeypatch):
    """Whether perspectives have to agree, each test says by itself: what the profiles say is tested with requests."""
    monkeypatch.setattr(proving, "_needs", [])


def asked(tenant, person, name="shop.example", method="dns-change", **wishes):
    """An attempt that somebody has a look made for."""
    attempt = begun(tenant, person, added(tenant, person, name), method, **wishes)
    looked(tenant, person, attempt)
    return attempt


def journal(tenant, attempt):
    with acting_for(tenant.pk):
        lines = AuditEvent.objects.filter(subject=str(attempt.pk)).order_by("at", "id")
        return [(line.code, line.actor) for line in lines]


# --- one look ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["dns-change", "http-file", "dns-persist"])
def test_what_is_there_is_proven(acme, petra, method):
    attempt = asked(acme, petra, method=method)
    internet = work(Everywhere(shown(attempt)))
    proof = reread(attempt)
    assert (proof.state, proof.reason) == ("proved", "seen")
    assert reread(attempt.domain).proved_at == proof.proved_at
    [look] = looks_at(attempt)
    assert (look.reason, look.at) == ("seen", proof.proved_at)
    assert internet.units == [None]
    assert journal(acme, attempt)[-1] == ("control:prove", "worker:validation")
    assert promised(proving.prove) == []


def test_what_is_not_there_can_be_looked_for_again(acme, petra):
    attempt = asked(acme, petra)
    work(Everywhere({(Asked.TXT, "_portal-validation.shop.example"): [b"something else"]}))
    missed = reread(attempt)
    assert (missed.state, missed.reason, missed.proved_at) == ("pending", "other-value", None)
    [look] = looks_at(attempt)
    assert diagnosis.told(look).found == ("something else",)
    with clock.frozen(clock.now() + timedelta(minutes=1)):
        looked(acme, petra, attempt)
        work(Everywhere(shown(attempt)))
    assert reread(attempt).state == "proved"
    assert len(looks_at(attempt)) == 2


def test_an_earlier_attempts_value_proves_nothing_and_is_known(acme, petra):
    domain = added(acme, petra, "shop.example")
    first = begun(acme, petra, domain, "dns-change")
    internet = Everywhere(shown(first))
    second = begun(acme, petra, domain, "dns-change")
    looked(acme, petra, second)
    work(internet)
    assert (reread(second).state, reread(second).reason) == ("pending", "old-value")


@pytest.mark.parametrize("method", ["dns-change", "http-file"])
def test_a_value_is_bound_to_tenant_domain_and_method(acme, globex, petra, hank, method):
    """Whoever publishes another attempt's value at the place of this one has proven nothing."""
    mine = asked(acme, petra, method=method)
    [place] = shown(mine)
    others = [
        begun(globex, hank, added(globex, hank, "shop.example"), method),
        begun(acme, petra, added(acme, petra, "other.example"), method),
        begun(acme, petra, added(acme, petra, "third.example"), "dns-change"),
    ]
    values = [value for other in others for [value] in shown(other).values()]
    work(Everywhere({place: values}))
    assert reread(mine).state == "pending"
    assert {reread(other).state for other in others} == {"pending"}


def test_the_deadline_passes(acme, petra):
    attempt = asked(acme, petra)
    with clock.frozen(attempt.ends_at):
        internet = work(Everywhere(shown(attempt)))
    assert (reread(attempt).state, reread(attempt).reason) == ("failed", "too-late")
    assert internet.asked == []
    assert looks_at(attempt) == []


def test_a_second_before_the_deadline_it_counts(acme, petra):
    attempt = asked(acme, petra)
    with clock.frozen(attempt.ends_at - timedelta(seconds=1)):
        work(Everywhere(shown(attempt)))
    assert reread(attempt).state == "proved"


def test_a_bogus_zone_proves_nothing(acme, petra):
    attempt = asked(acme, petra)
    work(Everywhere({(Asked.TXT, "_portal-validation.shop.example"): "bogus"}))
    assert (reread(attempt).state, reread(attempt).reason) == ("pending", "bogus")


@pytest.mark.parametrize(("authentic", "state"), [(True, "secure"), (False, "insecure")])
def test_whether_the_answer_was_signed_is_kept(acme, petra, authentic, state):
    attempt = asked(acme, petra)
    work(Everywhere(shown(attempt), authentic=authentic))
    assert reread(attempt).dnssec == state


def test_what_strangers_wrote_is_bounded_and_printable(acme, petra):
    attempt = asked(acme, petra)
    work(Everywhere({(Asked.TXT, "_portal-validation.shop.example"): [b"\x00\xff<script>" + b"y" * 400] * 40}))
    [look] = looks_at(attempt)
    assert json.dumps(look.evidence).isprintable()
    told = diagnosis.told(look)
    assert told.sentence.isprintable()
    assert len(told.sentence) < 1000


# --- errands -------------------------------------------------------------------------------------------------------


def test_twice_is_once(acme, petra):
    attempt = asked(acme, petra)
    [errand] = promised(proving.prove)
    internet = Everywhere(shown(attempt))
    with serving("validation"):
        proving.answer(errand, attempt.pk, internet)
        proving.answer(errand, attempt.pk, internet)
    assert len(looks_at(attempt)) == 1
    assert [code for code, _actor in journal(acme, attempt)].count("control:prove") == 1


def test_two_workers_at_once_decide_once(acme, petra):
    attempt = asked(acme, petra)
    [errand] = promised(proving.prove)
    internet = Everywhere(shown(attempt))

    def worker(_number):
        try:
            with serving("validation"):
                proving.answer(errand, attempt.pk, internet)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(worker, range(4)))
    assert reread(attempt).state == "proved"
    assert [look.reason for look in looks_at(attempt)] == ["seen"]
    assert [code for code, _actor in journal(acme, attempt)].count("control:prove") == 1


def test_a_worker_that_dies_is_followed_by_another(acme, petra):
    attempt = asked(acme, petra)

    class Died(Exception):
        pass

    def dies(*_args, **_kwargs):
        raise Died

    [errand] = promised(proving.prove)
    with serving("validation"), pytest.raises(Died):
        proving.answer(errand, attempt.pk, dies)
    assert reread(attempt).state == "verifying"
    work(Everywhere(shown(attempt)))
    assert reread(attempt).state == "proved"


def test_the_doorway_asks_the_world(acme, petra):
    """Without a resolver in the tests' configuration, nobody can be asked, and nothing is proven."""
    attempt = asked(acme, petra)
    [errand] = promised(proving.prove)
    with serving("validation"):
        run(errand)
    assert reread(attempt).state == "pending"
    assert reread(attempt).reason in {"unreachable", "timed-out", "server-failed", "refused", "nothing-there"}


def test_everywhere_is_what_the_doorway_asks():
    assert proving.answer.__defaults__ == (everywhere,)


# --- fences --------------------------------------------------------------------------------------------------------


def test_the_web_service_cannot_plant_a_proof(acme, petra):
    attempt = asked(acme, petra)
    to = {"state": "proved", "proved_at": clock.now()}
    with serving("web"):
        with pytest.raises(IntegrityError, match="no look saw"), acting_for(acme.pk):
            DomainControl.objects.filter(pk=attempt.pk).update(**to)
        with pytest.raises(ProgrammingError, match="denied"), acting_for(acme.pk):
            ControlLook(control=attempt, reason="seen", evidence={}).save(force_insert=True)
    assert reread(attempt).state == "verifying"


@pytest.mark.parametrize("seen", [True, False])
def test_what_an_attempt_came_to_never_changes(acme, petra, seen):
    attempt = asked(acme, petra)
    if seen:
        work(Everywhere(shown(attempt)))
    else:
        with clock.frozen(attempt.ends_at):
            work()
    before = reread(attempt)
    for change in ({"state": "pending"}, {"corroborated": True}, {"reason": "other"}, {"value": "x"}, {"method": "x"}):
        with pytest.raises(IntegrityError), acting_for(acme.pk):
            DomainControl.objects.filter(pk=attempt.pk).update(**change)
    assert vars(reread(attempt)).items() >= {"state": before.state, "value": before.value}.items()


# --- perspectives --------------------------------------------------------------------------------------------------

LIE = {(Asked.TXT, "_portal-validation.shop.example"): [b"a liar's"]}


@pytest.mark.parametrize(
    ("lied_to", "silent", "reached"),
    [(0, 0, True), (1, 0, True), (0, 1, True), (1, 1, False), (2, 0, False), (5, 0, False)],
)
@pytest.mark.parametrize("needs", [True, False])
def test_perspectives(acme, petra, monkeypatch, lied_to, silent, reached, needs):
    """BR 3.2.2.9: of five, one may disagree or be silent.  Where nobody asks for them, what we saw is a proof."""
    monkeypatch.setattr(proving, "_needs", [lambda: needs])
    names = [name for name, _region in PLACES]
    there = dict.fromkeys(names[:lied_to], LIE) | dict.fromkeys(names[lied_to : lied_to + silent])
    attempt = asked(acme, petra)
    work(Everywhere(shown(attempt), there, PLACES))
    found = reread(attempt)
    assert found.state == ("proved" if reached or not needs else "pending")
    assert found.corroborated is reached
    [look] = looks_at(attempt)
    assert look.reason == ("seen" if reached or not needs else "not-corroborated")
    dissenting = {each["name"] for each in look.evidence["perspectives"] if not each["ok"]}
    assert dissenting == set(names[: lied_to + silent])
    if found.state == "pending":
        assert all(name in diagnosis.told(look).sentence for name in dissenting)


def test_too_few_perspectives_are_nobodys_fault_in_the_dns(acme, petra, monkeypatch):
    """BR 3.2.2.9: at least five from 2026-12-15 on, and four before."""
    monkeypatch.setattr(proving, "_needs", [lambda: True])
    for day, state in ((datetime(2026, 12, 14, tzinfo=UTC), "proved"), (datetime(2026, 12, 15, tzinfo=UTC), "pending")):
        with clock.frozen(day):
            attempt = asked(acme, petra, f"shop{day.day}.example")
            work(Everywhere(shown(attempt), places=PLACES[:4]))
        assert reread(attempt).state == state
    assert reread(attempt).reason == "too-few-perspectives"
    [look] = looks_at(attempt)
    assert "operator" in diagnosis.told(look).next_step


def test_perspectives_prove_nothing_that_we_do_not_see(acme, petra):
    attempt = asked(acme, petra)
    there = dict.fromkeys([name for name, _region in PLACES], shown(attempt))
    work(Everywhere({}, there, PLACES))
    assert (reread(attempt).state, reread(attempt).corroborated) == ("pending", False)


def test_a_persistent_record_of_another_account_does_not_corroborate(acme, petra, monkeypatch):
    """BR 3.2.2.4.22: to corroborate, the same accounturi has to be seen."""
    monkeypatch.setattr(proving, "_needs", [lambda: True])
    attempt = asked(acme, petra, method="dns-persist")
    other = {place: [value.replace(b"acct:acme", b"acct:globex")] for place, [value] in shown(attempt).items()}
    work(Everywhere(shown(attempt), {"ashburn": other, "tokyo": other}, PLACES))
    assert reread(attempt).reason == "not-corroborated"


# --- which names a proof covers ------------------------------------------------------------------------------------


def covering(tenant, name, *, trust="public-tls", corroborated=False, moment=None):
    with acting_for(tenant.pk):
        found = proof_for(name, trust=trust, corroborated=corroborated, moment=moment or clock.now())
    return found.domain_id if found else None


@pytest.mark.rule("1.R20")
@pytest.mark.parametrize(
    ("method", "name", "covered"),
    [
        ("dns-change", "shop.example", True),
        ("dns-change", "www.shop.example", True),
        ("dns-change", "a.b.c.shop.example", True),
        ("dns-change", "*.shop.example", True),
        ("dns-change", "*.www.shop.example", True),
        ("dns-change", "petra@shop.example", True),
        ("dns-change", "petra@mail.shop.example", True),
        ("dns-change", "evilshop.example", False),
        ("dns-change", "shop.example.evil.example", False),
        ("dns-change", "example", False),
        ("dns-change", "*.example", False),
        ("http-file", "shop.example", True),
        ("http-file", "www.shop.example", False),
        ("http-file", "*.shop.example", False),
        ("http-file", "petra@shop.example", True),
        ("dns-persist", "*.www.shop.example", True),
    ],
)
def test_cover(acme, petra, method, name, covered):
    domain = proven(acme, petra, "shop.example", method)
    assert covering(acme, name) == (domain.pk if covered else None)


@pytest.mark.rule("1.R20")
def test_a_proof_below_covers_nothing_above(acme, petra):
    proven(acme, petra, "www.shop.example")
    assert covering(acme, "shop.example") is None
    assert covering(acme, "*.shop.example") is None
    assert covering(acme, "mail.shop.example") is None


@pytest.mark.rule("1.R20")
def test_anothers_proof_counts_for_nobody(acme, globex, petra):
    proven(acme, petra, "shop.example")
    assert covering(globex, "shop.example") is None


def test_a_retired_domains_proof_counts_for_nothing(acme, petra):
    domain = proven(acme, petra, "shop.example")
    with acting_for(acme.pk, person=petra.pk):
        control.retire(domain, by=petra.pk)
    assert covering(acme, "shop.example") is None
    with acting_for(acme.pk, person=petra.pk):
        control.revive(domain, by=petra.pk)
    assert covering(acme, "shop.example") == domain.pk


def test_a_proof_ends(acme, petra):
    with clock.frozen(NOW):
        domain = proven(acme, petra, "shop.example")
    ends = datetime(2027, 3, 15, tzinfo=UTC)  # 114 days old when 100 begin to count
    assert covering(acme, "shop.example", moment=ends - timedelta(seconds=1)) == domain.pk
    assert covering(acme, "shop.example", moment=ends) is None
    assert covering(acme, "petra@shop.example", trust="public-smime", moment=ends) == domain.pk


def test_corroboration_is_asked_for_where_there_is_something_to_corroborate(acme, petra):
    alone = proven(acme, petra, "shop.example")
    assert covering(acme, "shop.example") == alone.pk
    assert covering(acme, "shop.example", corroborated=True) is None
    attempt = begun(acme, petra, alone, "dns-change")
    looked(acme, petra, attempt)
    work(Everywhere(shown(attempt), places=PLACES))
    assert covering(acme, "shop.example", corroborated=True) == alone.pk


def test_an_attempt_is_no_proof(acme, petra):
    asked(acme, petra)
    assert covering(acme, "shop.example") is None


def test_many_names_cost_one_query(acme, petra, django_assert_max_num_queries):
    for number in range(3):
        proven(acme, petra, f"shop{number}.example")
    names = [f"{host}.shop{number}.example" for number in range(3) for host in ("a", "b", "*")] + ["other.example"]
    with acting_for(acme.pk), django_assert_max_num_queries(1):
        found = proofs_for(names, trust="public-tls", corroborated=False, moment=clock.now())
    assert sorted(found) == sorted(names[:-1])


# --- how a domain stands -------------------------------------------------------------------------------------------


def standing(tenant, domain, moment=None):
    with acting_for(tenant.pk):
        return standing_of(Domain.objects.get(pk=domain.pk), moment or clock.now())


def test_a_domain_through_its_life(acme, petra):
    with clock.frozen(NOW):
        domain = added(acme, petra, "shop.example")
        assert (standing(acme, domain).state, standing(acme, domain).next_step) == (State.NEW, "begin")
        attempt = begun(acme, petra, domain, "dns-change")
        assert (standing(acme, domain).state, standing(acme, domain).next_step) == (State.PENDING, "publish")
        looked(acme, petra, attempt)
        assert (standing(acme, domain).state, standing(acme, domain).next_step) == (State.VERIFYING, "wait")
        work(Everywhere(shown(attempt)))
        stands = standing(acme, domain)
        assert (stands.state, stands.next_step, stands.usable_until) == (
            State.PROVED,
            "",
            datetime(2027, 3, 15, tzinfo=UTC),
        )
    soon = datetime(2027, 2, 14, tzinfo=UTC)
    assert standing(acme, domain, soon - timedelta(days=1)).state == State.PROVED
    assert standing(acme, domain, soon).state == State.ENDS_SOON
    assert standing(acme, domain, soon).next_step == "prove-again"
    assert standing(acme, domain, datetime(2027, 3, 15, tzinfo=UTC)).state == State.LAPSED
    with acting_for(acme.pk, person=petra.pk):
        control.retire(domain, by=petra.pk)
    assert (standing(acme, domain).state, standing(acme, domain).next_step) == (State.RETIRED, "revive")


def test_a_new_attempt_takes_nothing_from_a_proof(acme, petra):
    domain = proven(acme, petra, "shop.example")
    begun(acme, petra, domain, "http-file")
    stands = standing(acme, domain)
    assert (stands.state, stands.next_step) == (State.PROVED, "publish")
    assert stands.method.slug == "dns-change"
    assert covering(acme, "shop.example") == domain.pk


def test_many_domains_cost_two_queries(acme, petra, django_assert_max_num_queries):
    for number in range(5):
        proven(acme, petra, f"shop{number}.example")
    with acting_for(acme.pk):
        domains = list(Domain.objects.all())
        with django_assert_max_num_queries(2):
            assert {stands.state for stands in standings_of(domains, clock.now()).values()} == {State.PROVED}


def test_states_are_stored_as_the_machine_knows_them():
    assert {state.value for state in ControlState} == {"pending", "verifying", "proved", "failed"}


def test_a_domain_stands_by_the_proof_that_counts_longest(acme, petra):
    """A record that stays proves for ten days; what was proven by a value before goes on counting."""
    with clock.frozen(NOW):
        domain = proven(acme, petra, "shop.example")
    with clock.frozen(NOW + timedelta(days=1)):
        attempt = begun(acme, petra, domain, "dns-persist", issuer="ca.example")
        looked(acme, petra, attempt)
        work(Everywhere(shown(attempt)))
    stands = standing(acme, domain, NOW + timedelta(days=20))
    assert (stands.state, stands.usable_until) == (State.PROVED, datetime(2027, 3, 15, tzinfo=UTC))
    assert covering(acme, "shop.example", moment=NOW + timedelta(days=20)) == domain.pk


# --- a web service that somebody took over ---------------------------------------------------------------------------


def planted(tenant, person, method, *, value="", sent_to="", state="pending"):
    """An attempt as whoever can write the web service's rows would write it."""
    with serving("web"), acting_for(tenant.pk, person=person.pk):
        domain = added_in(tenant, person)
        attempt = DomainControl(
            domain=domain, method=method, value=value, sent_to=sent_to, asked_by="x", rules="BR 2.3.0",
            ends_at=clock.now() + timedelta(days=1),
        )  # fmt: skip
        attempt.save(force_insert=True)
        if state != "pending":
            DomainControl.objects.filter(pk=attempt.pk).update(state=state)
        send(proving.prove, attempt.pk)
    return attempt


def added_in(tenant, person):
    return control.add("victim.example", kind="dns", method="dns-change", by=person.pk)


@pytest.mark.parametrize(
    ("method", "given"),
    [
        ("dns-change", {"value": "v=spf1 -all"}),
        ("dns-change", {"value": "cdn.example.net"}),
        ("http-file", {"value": "ok"}),
        ("mailbox", {"sent_to": "victim.example", "state": "verifying"}),
    ],
)
def test_a_value_that_the_portal_did_not_make_proves_nothing_wherever_it_stands(acme, petra, method, given):
    attempt = planted(acme, petra, method, **given)
    internet = work(Everywhere(shown(attempt)) if given.get("value") else Everywhere({}))
    left = reread(attempt)
    assert (left.state, left.reason) == ("failed", "not-ours")
    assert internet.asked == []
    with acting_for(acme.pk):
        assert not ControlLook.objects.exists()
        wanted = {"trust": "public-tls", "corroborated": False, "moment": clock.now()}
        assert proofs_for(["victim.example", "*.victim.example", "www.victim.example"], **wanted) == {}
    assert diagnosis.said(left.reason, {}).sentence


def test_in_public_trust_a_record_that_stays_names_the_authority_that_issues(acme, petra):
    attempt = begun(acme, petra, added(acme, petra, "shop.example"), "dns-persist", issuer="ca.acme.example")
    looked(acme, petra, attempt)
    work(Everywhere(shown(attempt)))
    with acting_for(acme.pk):
        wanted = {"corroborated": False, "moment": clock.now()}
        for trust, issuers, counts in (
            ("public-tls", ["ca.acme.example"], True),
            ("public-tls", ["ca.other.example"], False),
            ("public-tls", [], False),
            ("private", ["ca.other.example"], True),
        ):
            assert bool(proofs_for(["shop.example"], trust=trust, issuers=issuers, **wanted)) == counts
