"""What reviewers do: approve or reject a request that its policy does not send on by itself (C7).

Part of one unit of work, like `lifecycle.requests.services`.
"""

from uuid import UUID

from django.db import models

from lifecycle.requests.errors import AlreadyJudged, CommentNeeded, OwnRequest
from lifecycle.requests.models import Approval, CertificateRequest, request_of
from lifecycle.requests.notices import send_notice
from lifecycle.requests.states import LIFE, Event, State
from portal.foundation.audit.models import record
from portal.foundation.outbox.models import send
from portal.foundation.outbox.registry import task_named
from portal.foundation.tenancy.errors import NotHere

AUTO = "policy:auto"

EXECUTE = "lifecycle.requests.tasks.execute_request"
"""By its name, since the tasks stand above this module."""


def approve(pk: UUID, *, by: UUID, comment: str = "") -> CertificateRequest:
    """Add one reviewer's yes; the last one that is needed sends the request to its authority."""
    request = _to_judge(pk, Event.APPROVE, by)
    _keep(request, by, approves=True, comment=comment)
    release(request, actor=by)
    return request


def reject(pk: UUID, *, by: UUID, comment: str) -> CertificateRequest:
    """End a request with the reason, which its owner reads; one reviewer's no is enough."""
    if not comment.strip():
        raise CommentNeeded
    request = _to_judge(pk, Event.REJECT, by)
    _keep(request, by, approves=False, comment=comment)
    request.advance(Event.REJECT, actor=by, why=comment)
    send(send_notice, request.requested_by, request.pk, "request-rejected")
    return request


def release(request: CertificateRequest, *, actor: object) -> bool:
    """Send a request that is in review to its authority, if as many reviewers as its policy wants said yes."""
    if given(request) < request.policy.approvals:
        return False
    request.advance(Event.APPROVE, actor=actor)
    send(task_named(EXECUTE), request.pk, request.requested_by, request.profile.authority_id)
    return True


def given(request: CertificateRequest) -> int:
    """How many reviewers approved; every one counts once, and nobody for a request of their own."""
    return request.approvals.filter(approves=True).exclude(reviewer=request.requested_by).count()


def waiting_for(reviewer: UUID) -> models.QuerySet[CertificateRequest]:
    """The requests that this person could review and has not."""
    judged = Approval.objects.filter(request=models.OuterRef("pk"), reviewer=reviewer)
    waiting = CertificateRequest.objects.filter(~models.Exists(judged), state=State.IN_REVIEW)
    return waiting.exclude(requested_by=reviewer)


def _to_judge(pk: UUID, event: Event, by: UUID) -> CertificateRequest:
    try:
        request = request_of(pk, lock=True)
    except CertificateRequest.DoesNotExist:
        raise NotHere from None
    LIFE.target(State(request.state), event)
    if request.requested_by == by:
        raise OwnRequest
    if request.approvals.filter(reviewer=by).exists():
        raise AlreadyJudged(missing=request.policy.approvals - given(request))
    return request


def _keep(request: CertificateRequest, by: UUID, *, approves: bool, comment: str) -> None:
    Approval(request=request, reviewer=by, approves=approves, comment=comment).save(force_insert=True)
    record(
        actor=by,
        code="approval:give" if approves else "approval:refuse",
        subject=request.pk,
        given=given(request),
        needed=request.policy.approvals,
    )
