"""The signing worker judges the looks (0.R27, C17): old ones go back to validation, one that forbids ends it all."""

import json
from datetime import timedelta

import pytest
from django.core import mail
from django.db import DatabaseError, connection

from lifecycle.certificates.models import Certificate
from lifecycle.requests import rechecking, reviewing
from lifecycle.requests.looks import caa_terms
from lifecycle.requests.models import IssuanceAttempt, request_of
from lifecycle.validation.caa import Reason, Terms
from lifecycle.validation.models import CaaCheck
from lifecycle.validation.selectors import FRESH
from portal.foundation import clock
from portal.foundation.audit.models import AuditEvent
from portal.foundation.outbox.drain import TryLater, run
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_for
from tests.fakes.zone import Zone
from tests.lifecycle.test_limits import public
from tests.world import carry_out, forbid, issuer_domain, next_policies, permit, recheck, serving, submitted

pytestmark = pytest.mark.django_db

NAMES = ("api.acme.example", "shop.acme.example", "www.acme.example")


def asked(petra, acme, **wish):
    return submitted(petra, acme, profile="tls-server", dns="\n".join(NAMES), **wish)


def age(owner, by, *names):
    """Let the looks at *names* have happened earlier, as time would."""
    owner.execute("SET session_replication_role = replica")
    owner.execute(
        "UPDATE validation_caacheck SET checked_at = checked_at - %s, asked_at = asked_at - %s WHERE name = ANY (%s)",
        [by, by, list(names)],
    )
    assert owner.rowcount == len(names)
    owner.execute("SET session_replication_role = origin")


def nothing_was_signed(request):
    with acting_for(request.tenant_id):
        return not (IssuanceAttempt.objects.filter(request=request).exists() or certificate_of(request))


def certificate_of(request):
    return Certificate.objects.filter(made_from=request.pk).first()


def codes_of(request):
    with acting_for(request.tenant_id):
        return [event.code for event in AuditEvent.objects.filter(subject=str(request.pk)).order_by("pk")]


@pytest.mark.rule("0.R27", "0.R28")
@pytest.mark.parametrize("forbidden", NAMES)
def test_of_n_names_the_one_that_forbids_by_now_is_not_signed(petra, acme, forbidden):
    request = asked(petra, acme)
    forbid(request, forbidden)

    done = carry_out(request)

    assert done.state == "failed"
    assert [name for name in NAMES if name in done.why_failed] == [forbidden]
    assert nothing_was_signed(done)


@pytest.mark.rule("0.R27", "0.R28")
@pytest.mark.parametrize("old", NAMES)
def test_of_n_names_the_one_whose_look_is_old_sends_the_request_back(petra, acme, owner, old):
    request = asked(petra, acme)
    age(owner, FRESH, old)

    done = carry_out(request)

    assert done.state == "validating"
    assert nothing_was_signed(done)
    before = looks_at(acme)
    again = recheck(done, Zone())
    assert again.state == "ready"
    assert looks_at(acme) - before == {(old, "verified")}, "only the old one was looked at again"
    assert carry_out(again).state == "completed"
    [*_before, passed, approved, executed] = [code for code in codes_of(request) if code != "request:complete"]
    assert (passed, approved, executed) == ("request:pass validation", "request:approve", "request:execute")


def looks_at(tenant):
    with acting_for(tenant.pk):
        recent = clock.now() - timedelta(hours=1)
        return {(check.name, check.state) for check in CaaCheck.objects.filter(checked_at__gt=recent)}


def test_a_second_before_seven_hours_a_look_still_counts(petra, acme, owner):
    request = asked(petra, acme)
    age(owner, FRESH - timedelta(minutes=1), *NAMES)

    assert carry_out(request).state == "completed"


@pytest.mark.parametrize("lost", NAMES)
def test_a_look_that_is_gone_is_made_again(petra, acme, owner, lost):
    request = asked(petra, acme)
    owner.execute("SET session_replication_role = replica")
    owner.execute("DELETE FROM validation_caacheck WHERE name = %s", [lost])
    owner.execute("SET session_replication_role = origin")

    done = carry_out(request)

    assert done.state == "validating"
    assert carry_out(recheck(done, Zone())).state == "completed"


@pytest.mark.parametrize(
    "other",
    [
        {"identities": ["ca.globex.example"]},
        {"identities": []},
        {"identities": ["ca.acme.example", "other.example"]},
        {"account": "acct:globex@portal.example"},
        {"methods": ["ca-tbr-18"]},
        {"mail": True},
        {"corroborated": True},
    ],
    ids=lambda other: str(*other),
)
def test_a_look_on_other_terms_counts_for_nothing(petra, acme, owner, other):
    request = asked(petra, acme)
    owner.execute("SET session_replication_role = replica")
    owner.execute("UPDATE validation_caacheck SET terms = terms || %s::jsonb", [json.dumps(other)])
    owner.execute("SET session_replication_role = origin")

    assert carry_out(request).state == "validating"
    assert nothing_was_signed(request)


@pytest.mark.parametrize("forbidden", NAMES)
def test_a_name_that_forbids_when_it_is_looked_at_again_ends_the_request(petra, acme, owner, forbidden):
    request = asked(petra, acme)
    age(owner, FRESH, *NAMES)
    sent_back = carry_out(request)

    done = recheck(sent_back, Zone({forbidden: ("other.example",)}))

    assert done.state == "failed"
    assert [name for name in NAMES if name in done.why_failed] == [forbidden]
    assert nothing_was_signed(done)
    for errand in Errand.objects.filter(done_at=None, task__endswith="send_notice"):
        with serving("messages"):
            run(errand)
    assert forbidden in str(mail.outbox[-1].body)


def test_a_name_that_cannot_be_looked_up_is_tried_again_and_never_taken_for_consent(petra, acme, owner):
    request = asked(petra, acme)
    age(owner, FRESH, *NAMES)
    sent_back = carry_out(request)
    silent = Zone({"shop.acme.example": Reason.TIMED_OUT})

    for tries in range(1, rechecking.PATIENCE):
        with pytest.raises(TryLater, match="shop"):
            recheck(sent_back, silent, tries=tries)
    done = recheck(sent_back, silent, tries=rechecking.PATIENCE)

    assert done.state == "failed"
    assert "could not be looked up: shop.acme.example" in done.why_failed
    assert nothing_was_signed(done)


def test_it_goes_on_by_itself_when_the_name_can_be_looked_up_again(petra, acme, owner):
    request = asked(petra, acme)
    age(owner, FRESH, *NAMES)
    sent_back = carry_out(request)
    with pytest.raises(TryLater):
        recheck(sent_back, Zone({"shop.acme.example": Reason.SERVER_FAILED}))

    assert carry_out(recheck(sent_back, Zone(), tries=2)).state == "completed"


def test_looking_again_twice_is_looking_again_once(petra, acme, owner):
    request = asked(petra, acme)
    age(owner, FRESH, *NAMES)
    sent_back = carry_out(request)
    recheck(sent_back, Zone())
    before = codes_of(request)

    assert recheck(sent_back, Zone({"shop.acme.example": ("other.example",)})).state == "ready"

    assert codes_of(request) == before
    assert Errand.objects.filter(task__endswith="execute_request", done_at=None).count() == 1


def test_names_that_a_taken_over_web_service_left_out_of_the_check_are_not_signed(petra, acme, owner):
    request = asked(petra, acme)
    owner.execute("SET session_replication_role = replica")
    for kept in ('["api.acme.example"]', "[]", '"www.acme.example"', "null", '{"a": 1}'):
        owner.execute(
            "UPDATE requests_certificaterequest SET answers = jsonb_set(answers, '{domains,names}', %s::jsonb)"
            " WHERE id = %s",
            [kept, str(request.pk)],
        )
    owner.execute("SET session_replication_role = origin")

    done = carry_out(request)

    assert done.state == "failed"
    assert "not those that the certificate would have" in done.why_failed


def test_a_taken_over_web_service_can_ask_and_not_decide(petra, acme):
    terms = Terms((issuer_domain("acme"),)).spelled()
    mine = {"name": "evil.example", "terms": terms, "asked_by": str(petra.pk)}
    with serving("web"), acting_for(acme.pk):
        CaaCheck(**mine).save(force_insert=True)
    for columns in ({"state": "verified", "checked_at": clock.now()}, {"state": "failed", "checked_at": clock.now()}):
        with serving("web"), pytest.raises(DatabaseError), acting_for(acme.pk):
            CaaCheck(**{**mine, "name": "worse.example", **columns}).save(force_insert=True)
        with serving("web"), pytest.raises(DatabaseError, match="permission denied"), acting_for(acme.pk):
            CaaCheck.objects.filter(name="evil.example").update(**columns)
    with serving("web"), pytest.raises(DatabaseError, match="permission denied"), acting_for(acme.pk):
        CaaCheck.objects.filter(name="evil.example").delete()
    with serving("web"), acting_for(acme.pk), connection.cursor() as cursor:
        cursor.execute("SELECT state, count(*) FROM validation_caacheck WHERE name LIKE %s GROUP BY 1", ["%evil%"])
        assert cursor.fetchall() == [("verifying", 1)]


def test_a_review_that_was_given_still_stands_after_the_second_look(petra, acme, wei, owner):
    next_policies(acme, approvals=1)
    request = asked(petra, acme)
    approve(request, wei)
    age(owner, FRESH, *NAMES)
    sent_back = carry_out(request)

    again = recheck(sent_back, Zone())

    assert again.state == "ready"
    assert carry_out(again).state == "completed"


def approve(request, reviewer):
    with acting_for(request.tenant_id, person=reviewer.pk):
        return reviewing.approve(request.pk, by=reviewer.pk)


def test_somebody_who_asks_for_another_look_takes_nothing_away(petra, acme):
    request = asked(petra, acme)
    with serving("web"), acting_for(acme.pk):
        terms = caa_terms(request_of(request.pk))[NAMES[0]].spelled()
        CaaCheck(name=NAMES[0], terms=terms, asked_by="test").save(force_insert=True)

    assert carry_out(request).state == "completed"


def test_permitting_again_after_a_refusal_is_what_counts(petra, acme):
    request = asked(petra, acme)
    forbid(request, NAMES[1])
    permit(request)

    assert carry_out(request).state == "completed"


def test_public_trust_is_judged_by_the_looks_whatever_the_policy_says(petra, acme):
    public(acme)
    next_policies(acme, checks_caa=False)
    request = submitted(petra, acme, profile="tls-server", dns="www.acme.com")
    forbid(request, "www.acme.com")

    done = carry_out(request)

    assert done.state == "failed"
    assert "www.acme.com" in done.why_failed
    assert nothing_was_signed(done)


def test_public_trust_without_names_that_were_checked_is_not_signed(petra, acme, owner):
    public(acme)
    next_policies(acme, checks_caa=False)
    request = submitted(petra, acme, profile="tls-server", dns="www.acme.com")
    owner.execute("SET session_replication_role = replica")
    owner.execute(
        "UPDATE requests_certificaterequest SET answers = answers - 'domains' WHERE id = %s", [str(request.pk)]
    )
    owner.execute("DELETE FROM validation_caacheck")
    owner.execute("SET session_replication_role = origin")

    done = carry_out(request)

    assert done.state == "failed"
    assert "not those that the certificate would have" in done.why_failed
    assert nothing_was_signed(done)
