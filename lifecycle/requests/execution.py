"""Carrying out an approved request, safely across crashes.

Short units of work with the slow conversation between them:

    1. judge, and write down what we are about to sign   (commit)
    2. ask the token                                     (no transaction)
    3. write down what came back                         (commit)

An errand may be delivered twice and a worker may die anywhere; the tests kill it at
every step.  This module looks nothing up outside the database.
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from cryptography import x509
from django.db import IntegrityError

from lifecycle.authorities import issuance, shards
from lifecycle.authorities.backends.base import Authority, AuthorityNotReached, AuthorityRefused, OutcomeUnknown
from lifecycle.authorities.order import new_serial
from lifecycle.authorities.shards import Place
from lifecycle.certificates import services as certificates
from lifecycle.certificates.models import Certificate, Reason, Revocation
from lifecycle.certificates.naming import serial_text
from lifecycle.requests import judgement
from lifecycle.requests.kinds import UseCase
from lifecycle.requests.models import CertificateRequest, IssuanceAttempt
from lifecycle.requests.notices import send_notice
from lifecycle.requests.orders import order_of
from lifecycle.requests.states import OVER, Event, Outcome, State, Verdict
from portal.foundation import clock
from portal.foundation.outbox.drain import TryLater
from portal.foundation.outbox.models import Errand, send
from portal.foundation.outbox.registry import task_named
from portal.foundation.tenancy.context import acting_for
from portal.foundation.writing import insert, together

ROBOT = "worker:signing"

LOOK_AGAIN = "lifecycle.requests.tasks.look_again"
"""By its name, since the tasks stand above this module."""

LEASE = timedelta(seconds=30)
"""Of an attempt; longer than the 20 seconds after which a worker that hangs in a token call ends itself."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs, and the place on its lists that the next serial has."""

    id: UUID
    authority: Authority
    place: Place


@dataclass(frozen=True, slots=True)
class Opened:
    """An attempt that is written down, with what the token is asked to sign."""

    request: CertificateRequest
    attempt: IssuanceAttempt
    linted: issuance.Linted


def execute(errand: Errand, request_id: UUID, *, person: UUID, authority_id: UUID, authority: Authority) -> None:
    """Have one request's certificate signed and kept; return at once if there is nothing left to do.

    Raises `AuthorityNotReached` where no token answers, before anything is written down,
    and `TryLater` where an earlier attempt, or this one, has to be waited for.
    """
    authority.reach()
    signer = Signer(authority_id, authority, shards.next_place(errand.tenant_id, authority_id))
    with acting_for(errand.tenant_id, person=person):
        opened = open_attempt(errand, request_id, signer)
    if opened is None:
        return
    try:
        delivered = issuance.check_delivery(opened.linted, authority.issue(opened.linted), authority.certificate)
    except (AuthorityRefused, issuance.NotWhatWeOrdered) as refusal:
        with acting_for(errand.tenant_id):
            _abandon(opened.attempt)
            _fail(errand, opened.request, str(refusal))
        return
    except AuthorityNotReached:
        with acting_for(errand.tenant_id):
            opened.attempt.settle(Verdict.GIVE_UP)  # nothing was signed, so the serial is nobody's and on no list
        raise
    except OutcomeUnknown as silence:
        with acting_for(errand.tenant_id):
            _abandon(opened.attempt)
        raise TryLater(str(silence)) from silence
    with acting_for(errand.tenant_id), together():
        store(errand, opened, delivered)


def open_attempt(errand: Errand, request_id: UUID, signer: Signer) -> Opened | None:
    """Judge the request and write down what is about to be signed; None where nothing will be."""
    request = judgement.request_to_judge(request_id)
    if request is None or State(request.state) in OVER or request.state not in {State.READY, State.EXECUTING}:
        errand.finish()
        return None
    if request.state == State.EXECUTING:
        _give_up_orphan(request)
    try:
        judgement.judge(request, authority=signer.id)
        serial = new_serial()
        order = order_of(request, serial=serial, shard=signer.place.number, now=clock.now())
        linted = issuance.rehearse(order, signer.authority.certificate, signer.authority.lints)
    except judgement.LookAgain:
        request.advance(Event.RECHECK, actor=ROBOT)
        send(task_named(LOOK_AGAIN), request.pk)
        errand.finish()
        return None
    except (judgement.MayNotBeIssued, issuance.FailedLint) as refusal:
        _fail(errand, request, str(refusal))
        return None
    attempt = IssuanceAttempt(
        request=request,
        authority_id=signer.id,
        shard_id=signer.place.shard,
        serial=serial_text(serial),
        spki_sha256=request.answers["key"]["spki"],
        rehearsal=linted.rehearsal,
        leased_until=clock.now() + LEASE,
    )
    try:
        with together():
            insert(attempt)
            if request.state == State.READY:
                request.advance(Event.EXECUTE, actor=ROBOT, serial=attempt.serial, attempt=attempt.pk)
    except IntegrityError as error:
        if "attempt_one_open_a_key" in str(error):
            raise TryLater("another request's certificate for the same key is being signed") from error
        raise
    return Opened(request, attempt, linted)


def _give_up_orphan(request: CertificateRequest) -> None:
    """A worker died, or still works, on an earlier attempt: wait for its lease, then spend its serial.

    The token may have signed it.  An ECDSA serial is never signed twice, since the bytes
    would differ, so it goes on the CRL and the request gets a new one.
    """
    orphan = IssuanceAttempt.objects.filter(request=request, outcome=Outcome.OPEN).first()
    if orphan is None:
        return
    if orphan.leased_until > clock.now():
        raise TryLater("another worker has this request's attempt; its lease is not over")
    _abandon(orphan)


def _abandon(attempt: IssuanceAttempt) -> None:
    attempt.settle(Verdict.GIVE_UP)
    certificates.revoke_orphan(attempt.serial, authority=attempt.authority_id, shard=attempt.shard_id, by=ROBOT)


def _fail(errand: Errand, request: CertificateRequest, why: str) -> None:
    request.advance(Event.FAIL, actor=ROBOT, set={"why_failed": why}, why=why)
    send(send_notice, request.requested_by, request.pk, "request-failed")
    errand.finish()


def store(errand: Errand, opened: Opened, delivered: x509.Certificate) -> None:
    """Keep the certificate, complete the request and promise the notice: all of it, or none."""
    request, attempt = opened.request, opened.attempt
    attempt.settle(Verdict.DELIVER)
    certificate = certificates.store(
        delivered,
        certificates.Origin(
            authority=attempt.authority_id,
            profile=request.profile_id,
            shard=attempt.shard_id,
            request=request.pk,
            operation=request.kind,
            owner=request.requested_by,
            predecessor=request.predecessor_id,
        ),
    )
    request.advance(Event.COMPLETE, actor=ROBOT, certificate=certificate.pk, serial=certificate.serial)
    if request.predecessor is not None and request.use_case == UseCase.COMPROMISED:
        _revoke_compromised(request.predecessor, by=request.requested_by)
    send(send_notice, request.requested_by, request.pk, "request-completed")
    errand.finish()


def revoke_compromised(errand: Errand, request_id: UUID, *, person: UUID) -> None:
    """Revoke the certificate whose key a submitted request reported, whatever became of the request (0.R5).

    Does nothing if that has happened, or if the request does not say so with the second
    factor that its policy demands.
    """
    with acting_for(errand.tenant_id, person=person):
        request = judgement.request_to_judge(request_id)
        if request is not None and request.predecessor is not None and judgement.reports_compromise(request):
            _revoke_compromised(request.predecessor, by=request.requested_by)
        errand.finish()


def _revoke_compromised(certificate: Certificate, *, by: UUID) -> None:
    certificates.report_compromised(certificate.spki_sha256, how_known="reported by its subscriber")
    if not Revocation.objects.filter(certificate=certificate).exists():
        certificates.revoke(certificate, reason=Reason.KEY_COMPROMISE, by=by)
