"""What changes who holds a second factor, after the password and a code: adding an authenticator, removing one.

A password alone gives nobody a factor and takes none away.
"""

from uuid import UUID

from django.contrib.sessions.backends.base import SessionBase
from django.utils.translation import gettext as _

from auth2fa import enrolments, stepping_up
from auth2fa.errors import TooManyEnrolments
from auth2fa.models import Enrolment
from auth2fa.protocol import Person
from auth2fa.stepping_up import Deed, answer
from portal.foundation.tenancy.context import acting_as

__all__ = ["ADD", "REMOVE", "adding", "answer", "ask", "carry_out", "kept", "removing"]

ADD, REMOVE = "enrolment:add", "enrolment:remove"


def adding(label: str) -> Deed:
    title = _("Add the authenticator “{name}”").format(name=label)
    return Deed(ADD, label, label, title, _("My account"))


def removing(enrolment: Enrolment) -> Deed:
    title = _("Remove the authenticator “{name}”").format(name=enrolment.label)
    return Deed(REMOVE, str(enrolment.pk), enrolment.label, title, _("My account"))


def ask(session: SessionBase, person: Person, change: Deed) -> UUID:
    """Put the question for *change*.  Raises `TooManyEnrolments`, and what `challenges.ask` raises."""
    with acting_as(person.id):
        if change.purpose == ADD and len(enrolments.confirmed()) >= enrolments.MOST:
            raise TooManyEnrolments(most=enrolments.MOST)
    return stepping_up.ask(session, person, change)


def kept(session: SessionBase) -> Deed | None:
    """Return the change that waits for its code in this session, if any."""
    return stepping_up.kept(session, "enrolment")


def carry_out(session: SessionBase, person: Person, change: Deed) -> Enrolment | None:
    """Do what was confirmed, in the unit of work in which its code is spent; return what was begun, if anything."""
    with stepping_up.unit_of(change, person):
        stepping_up.spend(session, person, change)
        begun = enrolments.begin_totp(change.subject) if change.purpose == ADD else None
        if begun is None:
            enrolments.remove(UUID(change.subject))
    stepping_up.done(session, change)
    return begun
