"""Factors that people own: set up, confirmed by the first right code, used, taken away.

A secret is shown once, while it is set up, and is sealed before it is stored.  Every change
is told by mail, since whoever can change the second factor can do what it protects.
"""

import unicodedata
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from auth2fa import tasks
from auth2fa.errors import EnrolmentOver, TooManyEnrolments, WrongFirstCode
from auth2fa.factors import totp
from auth2fa.factors.codes import digits_of
from auth2fa.models import Enrolment
from auth2fa.protocol import Enrolled, Memory, Rejected
from auth2fa.sealing import seal, unseal
from portal.foundation import clock
from portal.foundation.access.models import User
from portal.foundation.audit.models import record, record_for_both
from portal.foundation.ids import uuid7
from portal.foundation.outbox.models import send
from portal.foundation.tenancy.context import current_person_id

MOST = 5
"""Confirmed authenticators of one person: a telephone, a spare, a tablet; each more is one more to lose."""
TRIES = 5
SET_UP = timedelta(minutes=15)
"""How long a secret is shown and waits for its first code; a page left open shows it to nobody later."""
LONGEST_LABEL = 60


def enrolled() -> Iterator[Enrolled]:
    """What counts of the factors that the unit of work's person owns, newest first."""
    rows = Enrolment.objects.filter(confirmed_at__isnull=False, removed_at=None).order_by("-id")
    return (Enrolled(row.pk, row.factor, bytes(row.secret)) for row in rows)


def confirmed() -> list[Enrolment]:
    """The same as rows, for the page that lists them."""
    return list(Enrolment.objects.filter(confirmed_at__isnull=False, removed_at=None).order_by("confirmed_at", "id"))


def use_once(memory: Memory) -> None:
    """Write down what was used of an enrolment, if anything; raise `Rejected` for what was used before.

    The row is locked, so of two answers with the same code at the same moment, to whatever
    challenges, one is refused.
    """
    if memory.enrolment is None:
        return
    used = Enrolment.objects.select_for_update(of=("self",)).filter(id=memory.enrolment, removed_at=None).first()
    if used is None:
        raise Rejected("no longer enrolled", _("This authenticator is no longer one of yours."))
    if memory.counter <= used.memory.get("counter", -1):
        raise Rejected("code used before", _("This code was used already. Wait until the app shows the next one."))
    used.memory = {"counter": memory.counter}
    used.save(update_fields=["memory"])


def begin_totp(label: str) -> Enrolment:
    """Make a secret for the unit of work's person, which counts for nothing until `confirm`.

    What was begun before and never confirmed is over.  Raises `TooManyEnrolments`.
    """
    person = current_person_id()
    User.objects.select_for_update(no_key=True).get(pk=person)
    if len(confirmed()) >= MOST:
        raise TooManyEnrolments(most=MOST)
    Enrolment.objects.filter(confirmed_at=None, removed_at=None).update(removed_at=clock.now())
    row = uuid7()
    return Enrolment.objects.create(
        id=row,
        person_id=person,
        factor=totp.AuthenticatorCode.slug,
        label=_plain(label),
        secret=seal(totp.new_secret(), person=person, row=row),
        made_at=clock.now(),
    )


def secret_of(enrolment: Enrolment) -> bytes:
    """Return the secret of an enrolment that waits for its first code; raise `EnrolmentOver` for any other."""
    if enrolment.confirmed_at or enrolment.removed_at or _lapsed(enrolment):
        raise EnrolmentOver
    return unseal(bytes(enrolment.secret), person=enrolment.person_id, row=enrolment.pk)


def waiting(pk: UUID) -> Enrolment:
    """Lock an enrolment that waits for its first code.

    Raises `EnrolmentOver` where there is none, no try left, or none begun within `SET_UP`.
    """
    found = _unconfirmed(pk)
    if found.memory.get("tries", 0) >= TRIES:
        raise EnrolmentOver
    return found


def _unconfirmed(pk: UUID) -> Enrolment:
    found = Enrolment.objects.select_for_update(of=("self",)).filter(pk=pk, confirmed_at=None, removed_at=None).first()
    if found is None or _lapsed(found):
        raise EnrolmentOver
    return found


def _lapsed(enrolment: Enrolment) -> bool:
    return enrolment.made_at <= clock.now() - SET_UP


def count_a_try(pk: UUID) -> None:
    """Count before judging, in a unit of work of its own, so that neither a refusal nor a race buys another try."""
    row = waiting(pk)
    row.memory = {"tries": row.memory.get("tries", 0) + 1}
    row.save(update_fields=["memory"])


def confirm(pk: UUID, code: str) -> None:
    """Let the enrolment count from now on, if *code* proves that its secret arrived; that code is used up.

    Raises `WrongFirstCode`, or `EnrolmentOver`.
    """
    row = _unconfirmed(pk)
    step = totp.step_of(secret_of(row), digits_of(code), at=clock.now())
    if step is None:
        raise WrongFirstCode
    row.confirmed_at, row.memory = clock.now(), {"counter": step}
    row.save(update_fields=["confirmed_at", "memory"])
    record(actor=row.person_id, code="enrolment:confirm", subject=row.pk, factor=row.factor)
    send(tasks.tell, row.person_id, "factor-added")


def remove(pk: UUID) -> None:
    """Take one away for good.  The caller has asked for the password and for a code."""
    row = Enrolment.objects.select_for_update(of=("self",)).filter(pk=pk, removed_at=None).first()
    if row is None:
        raise EnrolmentOver
    row.removed_at = clock.now()
    row.save(update_fields=["removed_at"])
    record(actor=row.person_id, code="enrolment:remove", subject=row.pk, factor=row.factor)
    send(tasks.tell, row.person_id, "factor-removed")


def reset(*, by: object, tenant: UUID) -> int:
    """Take all factors of the unit of work's person away, as an administrator of *tenant*; return how many counted.

    Told to the journals of the unit of work's tenant and of the platform alike.  A new one needs the
    person's password and a code from their mailbox, so a reset alone opens nothing.
    """
    rows = Enrolment.objects.filter(removed_at=None)
    counted = rows.filter(confirmed_at__isnull=False).count()
    rows.update(removed_at=clock.now())
    person = current_person_id()
    record_for_both(actor=by, code="enrolment:reset", subject=person, count=counted, tenant=tenant)
    if counted:
        send(tasks.tell, person, "factors-reset")
    return counted


def _plain(label: str) -> str:
    seen = "".join(sign for sign in label if unicodedata.category(sign)[0] != "C")
    return " ".join(seen.split())[:LONGEST_LABEL] or str(_("Authenticator"))
