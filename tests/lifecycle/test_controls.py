"""Control of every name is proven before a certificate is asked for, and when it is signed (1.R20, BR 3.2.2.4)."""

from datetime import timedelta

import pytest
from django.core import mail
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from lifecycle.certificates.models import Certificate
from lifecycle.policies.rules import PolicyForbids
from lifecycle.requests import judgement, rechecking
from lifecycle.requests.controls import names_to_prove, needs_proofs, prove_again
from lifecycle.requests.models import IssuanceAttempt, request_of
from lifecycle.validation.models import ControlLook, Domain, DomainControl, PublishingWay
from portal.foundation import clock
from portal.foundation.outbox.drain import TryLater, run
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_for
from tests.fakes.zone import Zone
from tests.lifecycle.test_limits import public
from tests.web.browsing import nothing_happens
from tests.world import (
    carry_out,
    filled,
    forbid,
    next_policies,
    prove,
    recheck,
    see,
    serving,
    submit,
    submitted,
)

pytestmark = pytest.mark.django_db

NAMES = ("api.acme.example", "shop.acme.example", "www.acme.example")


@pytest.fixture
def strict(acme):
    """Acme, whose policies want control proven of whatever a certificate names."""
    next_policies(acme, proves_control=True)
    return acme


def asked(petra, acme, **wish):
    return submitted(petra, acme, profile="tls-server", dns="\n".join(NAMES), **wish)


def past_triggers(owner, statement, *values):
    owner.execute("SET session_replication_role = replica")
    owner.execute(statement, list(values))
    owner.execute("SET session_replication_role = origin")
    assert owner.rowcount, statement


def age(owner, by, *domains):
    """Let the proofs of *domains* have been made earlier, as time would."""
    past_triggers(
        owner,
        "UPDATE validation_domaincontrol c SET proved_at = c.proved_at - %s, asked_at = c.asked_at - %s"
        " FROM validation_domain d WHERE d.id = c.domain_id AND c.proved_at IS NOT NULL AND d.name = ANY (%s)",
        by,
        by,
        list(domains),
    )


def forget(owner, domain):
    past_triggers(
        owner,
        "DELETE FROM validation_domaincontrol c USING validation_domain d WHERE d.id = c.domain_id AND d.name = %s",
        domain,
    )


def nothing_was_signed(request):
    with acting_for(request.tenant_id):
        attempts = IssuanceAttempt.objects.filter(request=request)
        return not (attempts.exists() or Certificate.objects.filter(made_from=request.pk).exists())


def refused(draft, person):
    with pytest.raises(PolicyForbids) as refusal:
        submit(draft, person)
    return refusal.value


def named(text):
    return [name for name in NAMES if name in text]


# --- when it is asked for ---------------------------------------------------------------------------------------------


@pytest.mark.rule("1.R20")
@pytest.mark.parametrize("lost", NAMES)
def test_of_n_names_the_one_that_is_not_proven_stops_the_submission(petra, strict, owner, lost):
    draft = filled(petra, strict, profile="tls-server", dns="\n".join(NAMES))
    forget(owner, lost)

    with nothing_happens(owner):
        refusal = refused(draft, petra)

    assert "domain-proven" in [broken.rule.slug for broken in refusal.broken]
    [complaint] = [str(broken) for broken in refusal.broken if broken.rule.slug == "domain-proven"]
    assert named(complaint) == [lost]
    assert "page “Domains”" in refusal.advice


@pytest.mark.rule("1.R20")
def test_where_nobody_wants_it_proven_nothing_has_to_be(petra, acme):
    done = carry_out(asked(petra, acme))

    assert done.state == "completed"
    with acting_for(acme.pk):
        assert not Domain.objects.exists()
        assert not needs_proofs(done)


@pytest.mark.rule("1.R20")
def test_what_is_proven_is_issued(petra, strict):
    assert carry_out(asked(petra, strict)).state == "completed"


def test_one_domain_stands_behind_all_its_names_and_wildcards(petra, strict):
    prove(strict, "acme.example", by=petra)
    request = submitted(petra, strict, profile="tls-server", dns="*.acme.example\nacme.example\na.b.acme.example")

    assert carry_out(request).state == "completed"
    with acting_for(strict.pk):
        assert [domain.name for domain in Domain.objects.all()] == ["acme.example"]


def test_a_file_on_one_host_proves_neither_the_names_below_it_nor_a_wildcard(petra, strict, owner):
    draft = filled(petra, strict, profile="tls-server", dns="acme.example\n*.acme.example\nwww.acme.example")
    for domain in ("acme.example", "www.acme.example"):
        forget(owner, domain)
    prove(strict, "acme.example", by=petra, method="http-file")

    with nothing_happens(owner):
        refusal = refused(draft, petra)

    [complaint] = [str(broken) for broken in refusal.broken if broken.rule.slug == "domain-proven"]
    assert complaint == ("It is not proven that these names are under your control: *.acme.example, www.acme.example.")


def test_another_tenants_proof_is_nobody_elses(petra, hank, strict, globex, owner):
    draft = filled(petra, strict, profile="tls-server", dns="www.acme.example")
    forget(owner, "www.acme.example")
    prove(globex, "acme.example", by=hank)

    with nothing_happens(owner):
        assert "domain-proven" in [broken.rule.slug for broken in refused(draft, petra).broken]


def test_a_domain_that_was_given_up_proves_nothing(petra, strict, owner):
    from lifecycle.validation import control  # noqa: PLC0415

    prove(strict, "acme.example", by=petra)
    draft = filled(petra, strict, profile="tls-server", dns="www.acme.example")
    with acting_for(strict.pk, person=petra.pk):
        control.retire(Domain.objects.get(name="acme.example"), by=petra.pk)

    with nothing_happens(owner):
        assert "domain-proven" in [broken.rule.slug for broken in refused(draft, petra).broken]


@pytest.mark.rule("1.R20")
@pytest.mark.parametrize("through", ["petra@acme.example", "acme.example"])
def test_a_mailbox_is_proven_by_itself_or_by_its_domain(petra, dan, strict, owner, through):
    prove(strict, through, by=petra)
    draft = filled(petra, strict, profile="secure-email")
    with acting_for(strict.pk, person=petra.pk):
        assert names_to_prove(draft) == ["petra@acme.example"]
        assert list(Domain.objects.values_list("name", flat=True)) == [through]

    assert carry_out(submit(draft, petra)).state == "completed"


def test_one_mailbox_says_nothing_about_another(petra, strict, owner):
    draft = filled(petra, strict, profile="secure-email")
    forget(owner, "acme.example")
    prove(strict, "dan@acme.example", by=petra)

    with nothing_happens(owner):
        assert [broken.rule.slug for broken in refused(draft, petra).broken] == ["domain-proven"]


# --- when it is signed ------------------------------------------------------------------------------------------------


@pytest.mark.rule("1.R20")
@pytest.mark.parametrize("lost", NAMES)
def test_of_n_names_the_one_that_is_not_proven_by_now_is_not_signed(petra, strict, owner, lost):
    request = asked(petra, strict)
    forget(owner, lost)

    sent_back = carry_out(request)

    assert sent_back.state == "validating"
    assert nothing_was_signed(request)
    done = recheck(sent_back, Zone())
    assert done.state == "failed"
    assert named(done.why_failed) == [lost]
    assert nothing_was_signed(request)


@pytest.mark.rule("1.R20")
@pytest.mark.parametrize("old", NAMES)
def test_of_n_names_the_one_whose_proof_grew_too_old_ends_in_words(petra, strict, owner, old):
    request = asked(petra, strict)
    age(owner, timedelta(days=200), old)

    done = recheck(carry_out(request), Zone())

    assert done.state == "failed"
    assert named(done.why_failed) == [old]
    assert nothing_was_signed(request)
    for errand in Errand.objects.filter(done_at=None, task__endswith="send_notice"):
        with serving("messages"):
            run(errand)
    assert old in str(mail.outbox[-1].body)


def test_a_proof_counts_to_its_last_second(petra, strict, owner):
    first, second = asked(petra, strict), asked(petra, strict)
    with acting_for(strict.pk):
        proofs = list(DomainControl.objects.filter(state="proved"))
    age(owner, timedelta(days=199, hours=23), *NAMES)
    assert carry_out(first).state == "completed"
    age(owner, timedelta(hours=1), *NAMES)
    assert carry_out(second).state == "validating"
    assert len(proofs) == len(NAMES)


def test_proven_once_more_it_goes_on(petra, strict, owner):
    request = asked(petra, strict)
    age(owner, timedelta(days=200), *NAMES)
    sent_back = carry_out(request)
    prove(strict, "acme.example", by=petra)

    again = recheck(sent_back, Zone())

    assert again.state == "ready"
    assert carry_out(again).state == "completed"


@pytest.mark.parametrize("needs", [True, False])
def test_what_only_we_saw_counts_where_the_policy_wants_no_perspectives(petra, strict, owner, needs):
    draft = filled(petra, strict, profile="secure-email")
    forget(owner, "acme.example")
    prove(strict, "acme.example", by=petra, corroborated=False)
    request = submit(draft, petra)
    if needs:
        next_policies(strict, corroborates=True)
        past_triggers(
            owner,
            "UPDATE requests_certificaterequest r SET policy_id = p.id FROM policies_policy p WHERE r.id = %s"
            " AND p.tenant_id = r.tenant_id AND p.profile = 'secure-email' AND p.operation = 'issue'"
            " AND p.corroborates",
            str(request.pk),
        )
        past_triggers(owner, "UPDATE policies_policy SET made_at = made_at - interval '1 hour'")
        past_triggers(
            owner, "UPDATE requests_certificaterequest SET submitted_at = now() WHERE id = %s", str(request.pk)
        )

    assert carry_out(request).state == ("validating" if needs else "completed")


def test_a_name_that_forbids_ends_it_although_another_thing_is_mended(petra, strict):
    request = asked(petra, strict)
    forbid(request, "shop.acme.example")

    done = carry_out(request)

    assert done.state == "failed"
    assert named(done.why_failed) == ["shop.acme.example"]


def test_what_forbids_a_name_that_is_not_proven_by_now_waits_for_the_proof(petra, strict, owner):
    """Records may permit one way of proving and not another, so that only a proof tells what they come to."""
    prove(strict, "acme.example", by=petra)
    request = asked(petra, strict)
    published(strict, "acme.example", by=petra)
    age(owner, timedelta(days=200), "acme.example")
    forbid(request, "shop.acme.example")

    sent_back = carry_out(request)

    assert sent_back.state == "validating"
    with pytest.raises(TryLater):
        recheck(sent_back, Zone())
    see(*attempts_at(strict, "pending"))
    assert carry_out(recheck(sent_back, Zone(), tries=2)).state == "completed"


def test_public_trust_is_proven_whatever_the_policy_says(petra, acme, owner):
    public(acme)
    draft = filled(petra, acme, profile="tls-server", dns="www.acme.com")
    with acting_for(acme.pk, person=petra.pk):
        policy = request_of(draft.pk).policy
        assert not policy.proves_control
        assert not policy.corroborates
        assert names_to_prove(request_of(draft.pk)) == ["www.acme.com"]
    request = submit(draft, petra)
    forget(owner, "www.acme.com")

    done = recheck(carry_out(request), Zone())

    assert done.state == "failed"
    assert "www.acme.com" in done.why_failed


def test_public_trust_takes_no_proof_that_perspectives_did_not_see(petra, acme, owner):
    public(acme)
    draft = filled(petra, acme, profile="tls-server", dns="www.acme.com")
    forget(owner, "www.acme.com")
    prove(acme, "www.acme.com", by=petra, corroborated=False)

    with nothing_happens(owner):
        assert "domain-proven" in [broken.rule.slug for broken in refused(draft, petra).broken]


# --- proving again without anybody ------------------------------------------------------------------------------------


def published(tenant, *domains, by):
    """Let a way of *tenant* publish for *domains* by itself."""
    with serving("web"), acting_for(tenant.pk, person=by.pk):
        way = PublishingWay(
            title="ours", kind="rfc2136", address="192.0.2.53:53", zone="acme.example", key_name="portal",
            algorithm="hmac-sha256", sealed_secret=b"sealed", made_by=str(by.pk),
        )  # fmt: skip
        way.save(force_insert=True)
        Domain.objects.filter(name__in=domains).update(publishing=way)


def attempts_at(tenant, *states):
    with acting_for(tenant.pk):
        return list(DomainControl.objects.filter(state__in=states).select_related("domain").order_by("-asked_at"))


@pytest.mark.rule("1.R20")
def test_what_the_portal_can_publish_itself_is_proven_again_and_the_request_goes_on(petra, strict, owner):
    prove(strict, "acme.example", by=petra)
    request = asked(petra, strict)
    published(strict, "acme.example", by=petra)
    age(owner, timedelta(days=200), "acme.example")
    sent_back = carry_out(request)

    for tries in (1, 2):
        with pytest.raises(TryLater, match="shop"):
            recheck(sent_back, Zone(), tries=tries)
    [attempt] = attempts_at(strict, "pending")
    assert attempt.automatic, "one attempt for all names, however often it is tried"
    see(attempt)

    again = recheck(sent_back, Zone(), tries=3)
    assert again.state == "ready"
    assert carry_out(again).state == "completed"


def test_where_one_of_the_names_needs_somebody_nothing_is_begun_and_the_request_ends(petra, strict, owner):
    request = asked(petra, strict)
    published(strict, "api.acme.example", "shop.acme.example", by=petra)
    age(owner, timedelta(days=200), *NAMES)

    done = recheck(carry_out(request), Zone())

    assert done.state == "failed"
    assert attempts_at(strict, "pending") == []


def test_nobody_waits_for_a_proof_for_ever(petra, strict, owner):
    request = asked(petra, strict)
    published(strict, *NAMES, by=petra)
    age(owner, timedelta(days=200), *NAMES)
    sent_back = carry_out(request)
    with pytest.raises(TryLater):
        recheck(sent_back, Zone())

    done = recheck(sent_back, Zone(), tries=rechecking.PATIENCE)

    assert done.state == "failed"
    assert named(done.why_failed) == list(NAMES)


def test_a_record_that_stays_is_looked_at_again(petra, strict, owner):
    prove(strict, "acme.example", by=petra, method="dns-persist")
    request = submitted(petra, strict, profile="tls-server", dns="www.acme.example")
    age(owner, timedelta(days=10), "acme.example")
    sent_back = carry_out(request)
    with pytest.raises(TryLater):
        recheck(sent_back, Zone())
    [attempt] = attempts_at(strict, "verifying")
    assert Errand.objects.filter(task="lifecycle.validation.proving.prove", args__0=str(attempt.pk)).exists()
    see(attempt)

    assert carry_out(recheck(sent_back, Zone(), tries=2)).state == "completed"


def test_nothing_is_begun_for_what_is_proven(petra, strict):
    request = asked(petra, strict)
    published(strict, *NAMES, by=petra)
    with serving("validation"), acting_for(strict.pk):
        assert prove_again(request_of(request.pk), by="test") is False
    assert attempts_at(strict, "pending", "verifying") == []


# --- who can say so ---------------------------------------------------------------------------------------------------


def test_a_taken_over_web_service_cannot_plant_a_proof(petra, strict, owner):
    draft = filled(petra, strict, profile="tls-server", dns="www.acme.example")
    request = submit(draft, petra)
    forget(owner, "www.acme.example")
    now = clock.now()
    with serving("web"), acting_for(strict.pk, person=petra.pk):
        domain = Domain.objects.get(name="www.acme.example")
        mine = {
            "domain": domain, "method": "dns-change", "value": "x", "asked_by": "me", "rules": "BR 2.3.0",
            "ends_at": now + timedelta(days=1),
        }  # fmt: skip
        open_one = DomainControl(**mine)
        open_one.save(force_insert=True)
    as_proven = {"state": "proved", "proved_at": now, "corroborated": True}

    def tries():
        yield lambda: DomainControl(**mine, **as_proven).save(force_insert=True)
        yield lambda: DomainControl.objects.filter(pk=open_one.pk).update(**as_proven)
        yield lambda: (
            DomainControl.objects.filter(pk=open_one.pk).update(state="verifying"),
            DomainControl.objects.filter(pk=open_one.pk).update(**as_proven),
        )
        yield lambda: ControlLook(control=open_one, reason="seen", evidence={}).save(force_insert=True)
        yield lambda: ControlLook.objects.update(control=open_one)

    for deed in tries():
        with serving("web"), pytest.raises(DatabaseError), acting_for(strict.pk, person=petra.pk):
            deed()

    with acting_for(strict.pk):
        assert not DomainControl.objects.filter(domain=domain, state="proved").exists()
    assert carry_out(request).state == "validating"
    assert nothing_was_signed(request)


def test_a_proof_cannot_be_moved_to_another_domain_or_made_younger(petra, strict):
    proof = prove(strict, "acme.example", by=petra)
    with acting_for(strict.pk):
        other = Domain(name="evil.example", kind="dns", method="dns-change", added_by="me")
        other.save(force_insert=True)
    for columns in (
        {"domain": other},
        {"proved_at": clock.now() + timedelta(days=100)},
        {"corroborated": False},
        {"method": "http-file"},
        {"state": "pending", "proved_at": None},
    ):
        with serving("web"), pytest.raises(DatabaseError), acting_for(strict.pk):
            DomainControl.objects.filter(pk=proof.pk).update(**columns)
    with serving("web"), pytest.raises(DatabaseError), acting_for(strict.pk):
        Domain.objects.filter(name="acme.example").update(name="evil2.example")


@pytest.mark.parametrize(("wants", "cost"), [(False, 1), (True, 2)])
def test_the_judgement_asks_once_more_where_control_is_wanted_and_never_else(petra, acme, wants, cost):
    next_policies(acme, proves_control=wants)
    first, second = asked(petra, acme), asked(petra, acme)
    for request, counts in ((first, False), (second, True)):
        with serving("signing"), acting_for(acme.pk), CaptureQueriesContext(connection) as said:
            locked = judgement.request_to_judge(request.pk)
            judgement.judge(locked, authority=locked.profile.authority_id)
        if counts:
            assert len(said) == cost, [query["sql"][:80] for query in said]
