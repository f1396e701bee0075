"""Reviews (C7): as many different people as the policy wants, none of them the one who asked; one no ends it."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.core import mail
from django.db import DatabaseError, connection

from lifecycle.requests import reviewing, services
from lifecycle.requests.errors import AlreadyJudged, CommentNeeded, OwnRequest
from lifecycle.requests.models import Approval, CertificateRequest, IssuanceAttempt
from lifecycle.requests.tasks import execute_request
from portal.foundation.access.models import Membership
from portal.foundation.access.permissions import Role
from portal.foundation.outbox.drain import run
from portal.foundation.outbox.models import Errand, send
from portal.foundation.states import ChangedMeanwhile, NoSuchArrow
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import NotHere
from tests.web.browsing import Visitor, nothing_happens
from tests.world import carry_out, next_policies, serving, submitted

pytestmark = pytest.mark.django_db


@pytest.fixture
def grace(acme, dan):
    """A second reviewer: dan, who was made one."""
    with serving("owner"), acting_for(acme.pk):
        Membership(person=dan, role=Role.REVIEWER).save()
    return dan


def stored(request):
    with acting_for(request.tenant_id):
        return CertificateRequest.objects.select_related("policy").get(pk=request.pk)


def approve(request, by, comment=""):
    with acting_for(request.tenant_id, person=by.pk):
        return reviewing.approve(request.pk, by=by.pk, comment=comment)


def reject(request, by, comment="The name is not ours."):
    with acting_for(request.tenant_id, person=by.pk):
        return reviewing.reject(request.pk, by=by.pk, comment=comment)


def stored_profile(request):
    return CertificateRequest.objects.select_related("profile").get(pk=request.pk).profile


def promised(request):
    return Errand.objects.filter(task="lifecycle.requests.tasks.execute_request", args__0=str(request.pk)).count()


def test_without_reviews_the_policy_approves_by_itself(petra, acme):
    request = submitted(petra, acme)

    assert request.state == "ready"
    assert promised(request) == 1


def test_a_request_waits_for_its_review_and_goes_on_with_it(petra, acme, wei):
    next_policies(acme, approvals=1)
    request = submitted(petra, acme)
    assert (request.state, promised(request)) == ("in review", 0)
    visitor = Visitor(wei)

    page = visitor.open("/t/acme/").follow("1 request waits for your review")
    assert request.number in page.text
    page = visitor.open(f"/t/acme/requests/{request.pk}/")
    assert "0 of 1 review is done." in page.text
    page = page.press("Approve", comment="Seen.")

    assert stored(request).state == "ready"
    assert "A reviewer approved" in page.text
    assert carry_out(request).state == "completed"


def test_two_reviews_are_two_people(petra, acme, wei, grace, owner):
    next_policies(acme, approvals=2)
    request = submitted(petra, acme)

    approve(request, wei)
    with nothing_happens(owner), pytest.raises(AlreadyJudged):
        approve(request, wei)
    assert (stored(request).state, promised(request)) == ("in review", 0)
    approve(request, grace)

    assert (stored(request).state, promised(request)) == ("ready", 1)
    assert carry_out(request).state == "completed"


def test_two_reviewers_at_the_same_moment_are_two_approvals_and_one_errand(petra, acme, wei, grace):
    next_policies(acme, approvals=2)
    request = submitted(petra, acme)
    ready = Barrier(2)

    def at_once(person):
        try:
            ready.wait(10)
            approve(request, person)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(at_once, [wei, grace]))

    assert stored(request).state == "ready"
    assert promised(request) == 1
    with acting_for(acme.pk):
        assert Approval.objects.filter(request=request).count() == 2


def test_nobody_reviews_their_own_request(petra, acme, wei, owner):
    next_policies(acme, approvals=1)
    with serving("owner"), acting_for(acme.pk):
        Membership(person=petra, role=Role.REVIEWER).save()
    request = submitted(petra, acme)
    visitor = Visitor(petra)

    with nothing_happens(owner):
        page = visitor.open(f"/t/acme/requests/{request.pk}/")
        assert "somebody else has to review it" in page.text
        assert "Approve" not in page.buttons()
        assert visitor.post(f"/t/acme/requests/{request.pk}/review/", {"approve": ""}).status == 403
        for judge in (approve, reject):
            with pytest.raises(OwnRequest):
                judge(request, petra)
        with serving("web"), pytest.raises(DatabaseError, match="nobody judges their own"), acting_for(acme.pk):
            Approval(request_id=request.pk, reviewer=petra.pk, approves=True).save(force_insert=True)


def test_a_rejection_ends_it_with_a_reason_that_its_owner_reads(petra, acme, wei):
    next_policies(acme, approvals=2)
    request = submitted(petra, acme)
    visitor = Visitor(wei)

    page = visitor.open(f"/t/acme/requests/{request.pk}/").press("Reject")
    assert page.status == 422
    assert "with a reason only" in page.complaints[0]
    assert stored(request).state == "in review"
    page = page.press("Reject", comment="That is not\nyour name.")

    assert stored(request).state == "rejected"
    assert "That is not" in page.text
    for errand in Errand.objects.filter(done_at=None, task__endswith="send_notice"):
        with serving("messages"):
            run(errand)
    assert mail.outbox[-1].to == ["petra@acme.example"]
    assert "rejected" in mail.outbox[-1].subject
    assert "That is not" in str(mail.outbox[-1].body)
    assert promised(request) == 0
    assert "The reviewer says" in Visitor(petra).open(f"/t/acme/requests/{request.pk}/").text


@pytest.mark.parametrize("pressed", [{}, {"comment": "Seen."}, {"approve": "", "reject": "", "comment": "Both."}])
def test_who_presses_no_button_or_both_decides_nothing(petra, acme, wei, owner, pressed):
    next_policies(acme, approvals=1)
    request = submitted(petra, acme)

    with nothing_happens(owner):
        page = Visitor(wei).post(f"/t/acme/requests/{request.pk}/review/", pressed)

    assert page.status == 422
    assert page.complaints == ["Nothing was decided: press either “Approve” or “Reject”."]
    assert stored(request).state == "in review"
    with acting_for(acme.pk):
        assert not Approval.objects.filter(request=request).exists()


def test_a_rejection_without_a_reason_is_refused_by_the_service_too(petra, acme, wei, owner):
    next_policies(acme, approvals=1)
    request = submitted(petra, acme)
    with nothing_happens(owner), pytest.raises(CommentNeeded):
        reject(request, wei, comment=" \n")


@pytest.mark.parametrize("judge", [approve, reject])
def test_what_is_not_in_review_cannot_be_judged(petra, acme, wei, owner, judge):
    request = submitted(petra, acme)
    with nothing_happens(owner), pytest.raises(NoSuchArrow):
        judge(request, wei)


def test_a_reviewer_of_another_tenant_finds_nothing(petra, acme, globex, wei, owner):
    next_policies(acme, approvals=1)
    request = submitted(petra, acme)
    with nothing_happens(owner), pytest.raises(NotHere), acting_for(globex.pk, person=wei.pk):
        reviewing.approve(request.pk, by=wei.pk)


@pytest.mark.parametrize(("who", "status"), [("dan", 403), ("vera", 403), ("ada", 403), ("hank", 404)])
def test_who_is_no_reviewer_cannot_review(request, petra, acme, owner, who, status):
    next_policies(acme, approvals=1)
    wanted = submitted(petra, acme)
    with nothing_happens(owner):
        page = Visitor(request.getfixturevalue(who)).post(f"/t/acme/requests/{wanted.pk}/review/", {"approve": ""})
    assert page.status == status
    assert stored(wanted).state == "in review"


def test_its_owner_can_withdraw_what_waits_for_a_review(petra, acme, wei, owner):
    next_policies(acme, approvals=1)
    request = submitted(petra, acme)
    Visitor(petra).open(f"/t/acme/requests/{request.pk}/").press("Withdraw")

    assert stored(request).state == "withdrawn"
    with nothing_happens(owner), pytest.raises(NoSuchArrow):
        approve(request, wei)


def test_who_withdraws_and_who_approves_at_the_same_moment_do_not_both_succeed(petra, acme, wei):
    next_policies(acme, approvals=1)
    request = submitted(petra, acme)
    ready = Barrier(2)

    def withdraw():
        with acting_for(acme.pk, person=petra.pk):
            services.withdraw(request.pk, by=petra.pk)

    def at_once(act):
        try:
            ready.wait(10)
            act()
        except (NoSuchArrow, ChangedMeanwhile) as late:
            return type(late).__name__
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(at_once, [withdraw, lambda: approve(request, wei)]))

    # READY may still be withdrawn: what must not be is an approval of what is withdrawn already
    found = stored(request)
    assert found.state in {"withdrawn", "ready"}
    assert promised(request) <= 1


@pytest.mark.parametrize("approvals", [0, 1])
def test_the_signing_worker_counts_the_reviews_itself(petra, acme, wei, owner, approvals):
    next_policies(acme, approvals=2)
    request = submitted(petra, acme)
    if approvals:
        approve(request, wei)
    owner.execute("SET session_replication_role = replica")
    owner.execute("UPDATE requests_certificaterequest SET state = 'ready' WHERE id = %s", [str(request.pk)])
    owner.execute("SET session_replication_role = origin")
    with serving("web"), acting_for(acme.pk, person=petra.pk):
        send(execute_request, request.pk, petra.pk, stored_profile(request).authority_id)

    done = carry_out(request)

    assert done.state == "failed"
    assert "Not as many reviewers" in done.why_failed
    with acting_for(acme.pk):
        assert not IssuanceAttempt.objects.filter(request=request).exists()
