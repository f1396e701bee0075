"""Inviting: the only way into a tenant is an invitation that its addressee took.

Whether an address already has an account is neither looked up nor told here: the answer to
whoever invites depends on their own tenant's rows alone, and the rest shows to the mailbox's
owner, who has the link.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.db.models.functions import Lower

from portal.foundation import clock
from portal.foundation.access import tasks
from portal.foundation.access.errors import (
    AlreadyInvited,
    AlreadyMember,
    InvitationOver,
    InvitedAsAnother,
    InvitedTooOften,
    NameNotReadable,
    NotAnAddress,
    RolesNotOffered,
    TooManyInvitations,
)
from portal.foundation.access.models import Invitation, Membership, User
from portal.foundation.access.permissions import Role
from portal.foundation.access.words import LONGEST_NAME, readable
from portal.foundation.audit.models import AuditEvent, record
from portal.foundation.outbox.models import send
from portal.foundation.tenancy.context import current_tenant_id
from portal.foundation.tenancy.models import PLATFORM, Tenant
from portal.foundation.writing import insert, together

LIFETIME = timedelta(days=7)
MOST_AN_HOUR = 1000
"""Mails that one tenant can have sent to strangers within an hour."""
MOST_A_DAY = 3
"""Mails of one tenant to one address within a day: invitations, withdrawn ones included, and what was sent again."""
LONGEST_ADDRESS = 254
"""Characters: what fits into a path (RFC 5321 4.5.3.1.3)."""
BETWEEN_MAILS = timedelta(minutes=15)
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_AT_ONCE = 50  # rows in one statement
_address = EmailValidator(allowlist=())


@dataclass(frozen=True, slots=True)
class Invitee:
    name: str
    email: str
    roles: tuple[Role, ...]


def offered_roles() -> tuple[Role, ...]:
    """The roles that the unit of work's tenant can give; the platform's own are for the platform alone."""
    if current_tenant_id() == PLATFORM:
        return (Role.OPERATOR,)
    return tuple(role for role in Role if role is not Role.OPERATOR)


def plain_address(email: str) -> str:
    """Return *email* as it is compared and kept; raise `NotAnAddress` if it is none."""
    plain = email.strip().lower()
    if len(plain) > LONGEST_ADDRESS:
        raise NotAnAddress(email=email[:100])
    try:
        _address(plain)
    except ValidationError:
        raise NotAnAddress(email=email[:100]) from None
    return plain


def invite(*, email: str, name: str, roles: Iterable[Role], by: object) -> Invitation:
    """Invite one person into the unit of work's tenant, as *by*; the mail with the link follows by errand."""
    [invitation] = invite_all([Invitee(name, email, tuple(roles))], by=by)
    return invitation


def invite_all(invitees: Sequence[Invitee], *, by: object) -> list[Invitation]:
    """Invite all of them or, raising for the first that is not possible, none.

    Raises `NotAnAddress`, `NameNotReadable`, `RolesNotOffered`, `AlreadyMember`,
    `AlreadyInvited`, `InvitedTooOften` or `TooManyInvitations`.
    """
    plain = [_checked(invitee) for invitee in invitees]
    _take_turns()
    _judge_pace(len(plain))
    emails = [invitee.email for invitee in plain]
    for email in emails_of_members(emails):
        raise AlreadyMember(email=email)
    _judge_addresses(emails)
    for email in emails_invited(emails):
        raise AlreadyInvited(email=email)
    _close_lapsed(emails)
    now = clock.now()
    made = [
        Invitation(
            email=invitee.email,
            name=invitee.name,
            roles=sorted(invitee.roles),
            invited_by=by if isinstance(by, UUID) else PLATFORM,
            invited_at=now,
            sent_at=now,
            expires_at=now + LIFETIME,
        )
        for invitee in plain
    ]
    for start in range(0, len(made), _AT_ONCE):
        some = made[start : start + _AT_ONCE]
        insert(*some)
        with together():
            for invitation in some:
                record(actor=by, code="invitation:make", subject=invitation.pk, roles=invitation.roles)
                send(tasks.send_invitation, invitation.pk)
    return made


def resend(invitation_id: UUID, *, by: UUID) -> None:
    """Send the mail once more; the link in it is good for seven days from now.

    Raises `InvitationOver`, `InvitedTooOften` or `TooManyInvitations`.
    """
    _take_turns()
    _judge_pace(1)
    invitation = _locked(invitation_id, lapsed_too=True)
    now = clock.now()
    if invitation.sent_at and invitation.sent_at + BETWEEN_MAILS > now:
        raise InvitedTooOften(email=invitation.email, seconds=_seconds(invitation.sent_at + BETWEEN_MAILS - now))
    _judge_addresses([invitation.email])
    invitation.sent_at, invitation.expires_at = now, now + LIFETIME
    invitation.save(update_fields=["sent_at", "expires_at"])
    record(actor=by, code="invitation:resend", subject=invitation.pk)
    send(tasks.send_invitation, invitation.pk)


def withdraw(invitation_id: UUID, *, by: UUID) -> None:
    """Take an invitation back: its link is dead at once.  Raises `InvitationOver` if there is nothing left of it."""
    invitation = _locked(invitation_id, lapsed_too=True)
    _withdraw(invitation, by=by)


def accept(invitation_id: UUID, person: User) -> None:
    """Seat *person*, whom the unit of work acts for, in the roles that the invitation holds; once.

    Raises `InvitationOver`, or `InvitedAsAnother` unless the account has the address that
    the link was sent to: a link that was passed on seats nobody.  A tenant at rest seats
    nobody either.
    """
    if _take_turns().rests(clock.now()):
        raise InvitationOver
    invitation = _locked(invitation_id)
    if person.email.strip().lower() != invitation.email:
        raise InvitedAsAnother
    now = clock.now()
    invitation.taken_at, invitation.taken_by = now, person.pk
    invitation.save(update_fields=["taken_at", "taken_by"])
    held = {row.role: row.suspended_at for row in Membership.objects.filter(person=person)}
    missing = [role for role in invitation.roles if role not in held]
    suspended = next(iter(held.values()), None)
    insert(*(Membership(person=person, role=role, suspended_at=suspended) for role in missing))
    record(actor=person.pk, code="invitation:accept", subject=invitation.pk, person=person.pk)
    for role in missing:
        record(actor=person.pk, code="membership:give", subject=person.pk, role=role, invitation=invitation.pk)


def standing(invitation_id: UUID) -> Invitation:
    """Return an invitation that could be accepted now; raise `InvitationOver` otherwise."""
    now = clock.now()
    open_ones = Invitation.objects.filter(pk=invitation_id, taken_at=None, withdrawn_at=None, expires_at__gt=now)
    found = open_ones.select_related("tenant").first()
    if found is None or found.tenant.rests(now):
        raise InvitationOver
    return found


def emails_of_members(emails: Sequence[str]) -> list[str]:
    """Which of these addresses belong to people who are in the unit of work's tenant, in whatever role or state."""
    members = Membership.objects.annotate(plain=Lower("person__email")).filter(plain__in=emails)
    return sorted(set(members.values_list("plain", flat=True)))


def emails_invited(emails: Sequence[str]) -> list[str]:
    """Which of these addresses have an invitation that can still be accepted."""
    open_ones = Invitation.objects.filter(email__in=emails, taken_at=None, withdrawn_at=None)
    return sorted(open_ones.filter(expires_at__gt=clock.now()).values_list("email", flat=True))


def _checked(invitee: Invitee) -> Invitee:
    offered = offered_roles()
    if not invitee.roles or not set(invitee.roles) <= set(offered):
        raise RolesNotOffered(roles=", ".join(str(role.label) for role in offered))
    name = " ".join(invitee.name.split())
    if not readable(name):
        raise NameNotReadable(most=LONGEST_NAME)
    return Invitee(name, plain_address(invitee.email), tuple(sorted(set(invitee.roles))))


def _take_turns() -> Tenant:
    """Let one act of inviting or joining happen at a time in a tenant; return the tenant as it is now.

    So a race sends no more than the pace allows, and nobody joins while their address is invited anew.
    """
    return Tenant.objects.select_for_update(no_key=True).get(pk=current_tenant_id())


def _judge_pace(more: int) -> None:
    """Count in the journal, which nobody can shorten."""
    now = clock.now()
    sent = AuditEvent.objects.filter(code__in=["invitation:make", "invitation:resend"], at__gt=now - _HOUR)
    moments = list(sent.order_by("at").values_list("at", flat=True)[: MOST_AN_HOUR + 1])
    if len(moments) + more > MOST_AN_HOUR:
        freed = moments[min(len(moments), len(moments) + more - MOST_AN_HOUR) - 1] if moments else now
        raise TooManyInvitations(most=MOST_AN_HOUR, seconds=_seconds(min(freed + _HOUR - now, _HOUR)))


def _judge_addresses(emails: Sequence[str]) -> None:
    """Count each address's mails in the journal, whichever of its invitations they belong to."""
    now = clock.now()
    recent = Invitation.objects.filter(email__in=emails, sent_at__gt=now - _DAY)
    addressee = {str(pk): email for pk, email in recent.values_list("pk", "email")}
    sent = AuditEvent.objects.filter(
        code__in=["invitation:make", "invitation:resend"], subject__in=list(addressee), at__gt=now - _DAY
    )
    moments: dict[str, list[datetime]] = {}
    for subject, at in sent.order_by("-at").values_list("subject", "at"):
        moments.setdefault(addressee[subject], []).append(at)
    for email, times in moments.items():
        if len(times) >= MOST_A_DAY:
            raise InvitedTooOften(email=email, seconds=_seconds(times[MOST_A_DAY - 1] + _DAY - now))


def _close_lapsed(emails: Sequence[str]) -> None:
    lapsed = Invitation.objects.filter(
        email__in=emails, taken_at=None, withdrawn_at=None, expires_at__lte=clock.now()
    ).select_for_update()
    for invitation in lapsed:
        _withdraw(invitation, by="policy:lapsed")


def _withdraw(invitation: Invitation, *, by: object) -> None:
    invitation.withdrawn_at = clock.now()
    invitation.save(update_fields=["withdrawn_at"])
    record(actor=by, code="invitation:withdraw", subject=invitation.pk)


def _locked(invitation_id: UUID, *, lapsed_too: bool = False) -> Invitation:
    open_ones = Invitation.objects.select_for_update().filter(pk=invitation_id, taken_at=None, withdrawn_at=None)
    if not lapsed_too:
        open_ones = open_ones.filter(expires_at__gt=clock.now())
    found = open_ones.first()
    if found is None:
        raise InvitationOver
    return found


def _seconds(time: timedelta) -> int:
    return max(1, ceil(time.total_seconds()))
