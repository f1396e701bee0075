"""Requests, and the attempts to carry them out."""

import hashlib
import json
import secrets
from typing import Any, ClassVar, Self
from uuid import UUID

from django.db import IntegrityError, models
from django.db.models import Q

from lifecycle.authorities.models import CertificateAuthority, CertificateProfile, CrlShard
from lifecycle.certificates.models import Certificate
from lifecycle.policies.models import Policy
from lifecycle.requests.errors import AnotherRequestIsOpen
from lifecycle.requests.kinds import MEANING, Kind, Meaning
from lifecycle.requests.states import ATTEMPT, LIFE, UNDER_WAY, Event, Outcome, State, Verdict
from portal.foundation import clock
from portal.foundation.audit.models import record
from portal.foundation.states import ChangedMeanwhile
from portal.foundation.tenancy.models import TenantKey, TenantManager, TenantModel
from portal.foundation.writing import change

_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # none that is taken for another when read aloud


def fresh_number() -> str:
    """A request number people can read out: RQ- and two groups of four, 39 bits, unique in its tenant."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    return f"RQ-{letters[:4]}-{letters[4:]}"


class CertificateRequest(TenantModel):
    """Somebody's wish for an operation, from its first draft to its end; its page is the permalink."""

    number = models.CharField(max_length=12, default=fresh_number, editable=False, db_collation="C")
    kind = models.CharField(max_length=10, choices=[(kind.value, kind.value) for kind in Kind])
    state = models.CharField(max_length=12, default=State.DRAFT, editable=False)
    revision = models.PositiveIntegerField(default=0, editable=False)
    requested_by = models.UUIDField()  # a person's id, never a name
    profile = TenantKey(CertificateProfile, related_name="+")
    policy = TenantKey(Policy, related_name="+")
    predecessor = TenantKey(Certificate, null=True, related_name="requests")
    answers = models.JSONField(default=dict)
    challenge = models.UUIDField(null=True)  # the second factor's answer that was spent on it
    made_at = models.DateTimeField(default=clock.now)
    changed_at = models.DateTimeField(default=clock.now)
    submitted_at = models.DateTimeField(null=True)
    why_failed = models.TextField(default="")

    objects: ClassVar[TenantManager[Self]] = TenantManager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=[s.value for s in State]), name="request_state_is_known"),
            models.CheckConstraint(condition=Q(kind__in=[k.value for k in Kind]), name="request_kind_is_known"),
            models.UniqueConstraint(fields=["tenant", "number"], name="request_number_once"),
            models.UniqueConstraint(
                fields=["tenant", "predecessor"],
                condition=Q(state__in=sorted(s.value for s in UNDER_WAY)),
                name="request_one_under_way",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "kind", "id"], name="request_by_kind"),
            models.Index(fields=["tenant", "predecessor", "id"], name="request_by_predecessor"),
            models.Index(fields=["tenant", "requested_by", "id"], name="request_by_person"),
            # lists go by the time: by the id alone PostgreSQL would walk the primary key, through every tenant's rows
            models.Index(fields=["tenant", "made_at", "id"], name="request_newest"),
            models.Index(fields=["tenant", "kind", "made_at", "id"], name="request_newest_of_kind"),
            models.Index(fields=["tenant", "state", "made_at", "id"], name="request_newest_of_state"),
            models.Index(fields=["tenant", "requested_by", "made_at", "id"], name="request_newest_of_person"),
            models.Index(fields=["tenant", "kind", "profile", "made_at", "id"], name="request_newest_of_profile"),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def meaning(self) -> Meaning:
        return MEANING[Kind(self.kind)]

    @property
    def use_case(self) -> str:
        """Why the key is replaced (0.R5); empty where nobody was asked."""
        return str(self.answers.get("confirm", {}).get("use_case") or "")

    @property
    def is_draft(self) -> bool:
        return self.state == State.DRAFT

    def digest(self) -> str:
        """What a second factor confirms: everything the request says, so that an edit voids the answer."""
        content = [
            str(self.pk),
            self.kind,
            str(self.profile_id),
            str(self.policy_id),
            str(self.predecessor_id or ""),
            self.answers,
        ]
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def purpose(self) -> str:
        """What a second factor is asked for; names the factor, so that a weaker one's answer is none."""
        return f"request:{self.kind}:{self.policy.factor}"

    def advance(self, event: Event, *, actor: object, set: dict[str, Any] | None = None, **facts: object) -> None:  # noqa: A002
        """Follow one arrow of `LIFE`, in the caller's unit of work.

        This is the only writer of `state`.  The UPDATE compares before it swaps, so of
        two people who submit and withdraw at the same moment exactly one succeeds and
        the other is told to look again.  *set* names columns that change with the state.
        """
        source, target = State(self.state), LIFE.target(State(self.state), event)
        columns = {"state": target, "revision": self.revision + 1, "changed_at": clock.now(), **(set or {})}
        seen = {"id": self.pk, "state": source, "revision": self.revision}
        try:
            change(CertificateRequest, where=seen, to=columns, otherwise=ChangedMeanwhile(thing=LIFE.thing))
        except IntegrityError as error:
            if "request_one_under_way" in str(error):
                raise AnotherRequestIsOpen from None
            raise
        for name, value in columns.items():
            setattr(self, name, value)
        record(actor=actor, code=f"request:{event}", subject=self.pk, source=source, target=target, **facts)


class IssuanceAttempt(TenantModel):
    """What we are about to have signed, written down before the token is asked."""

    request = TenantKey(CertificateRequest, related_name="attempts")
    authority = TenantKey(CertificateAuthority, related_name="+")
    shard = TenantKey(CrlShard, related_name="+")
    serial = models.CharField(max_length=40, db_collation="C")
    spki_sha256 = models.CharField(max_length=64, null=True, db_collation="C")  # noqa: DJ001 - old rows have none
    rehearsal = models.BinaryField()
    opened_at = models.DateTimeField(default=clock.now)
    leased_until = models.DateTimeField()
    outcome = models.CharField(max_length=10, default=Outcome.OPEN, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "authority", "serial"], name="attempt_serial_once"),
            models.UniqueConstraint(
                fields=["tenant", "request"], condition=Q(outcome="open"), name="attempt_one_open_a_request"
            ),
            models.UniqueConstraint(
                fields=["tenant", "spki_sha256"], condition=Q(outcome="open"), name="attempt_one_open_a_key"
            ),
            models.CheckConstraint(
                condition=Q(outcome__in=[o.value for o in Outcome]), name="attempt_outcome_is_known"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "request", "opened_at"], name="attempt_by_request")]

    def settle(self, verdict: Verdict) -> None:
        """Close the attempt; of two workers that try, one is told that it came too late."""
        outcome = ATTEMPT.target(Outcome.OPEN, verdict)
        change(
            IssuanceAttempt,
            where={"id": self.pk, "outcome": Outcome.OPEN},
            to={"outcome": outcome},
            otherwise=ChangedMeanwhile(thing=ATTEMPT.thing),
        )
        self.outcome = outcome


class Approval(TenantModel):
    """One reviewer's word on a request; never changes (C7).

    A trigger lets nobody judge their own request, whatever the code thinks.
    """

    request = TenantKey(CertificateRequest, related_name="approvals")
    reviewer = models.UUIDField()
    approves = models.BooleanField()
    comment = models.CharField(max_length=1000, default="")
    at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "request", "reviewer"], name="approval_once_a_reviewer")
        ]


class Notice(TenantModel):
    """A message promised to a person, sent once for one occasion."""

    person_id = models.UUIDField()
    subject = models.UUIDField()
    occasion = models.CharField(max_length=40)
    at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "person_id", "subject", "occasion"], name="notice_once"),
        ]


def request_of(pk: UUID, *, lock: bool = False) -> CertificateRequest:
    """Find a request with what it was judged under; lock it where it will be judged again."""
    found = CertificateRequest.objects.select_related("profile__authority", "policy", "predecessor", "tenant")
    return (found.select_for_update(of=("self",)) if lock else found).get(pk=pk)
