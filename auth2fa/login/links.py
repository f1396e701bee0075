"""The link that sets a new password: good for half an hour, and once.

Django's token is a keyed hash over the password, the last sign-in and the moment: it dies with
the first use, with the next sign-in, and by its age, and nothing of it is stored.
"""

from datetime import datetime
from uuid import UUID

from django.contrib.auth.tokens import PasswordResetTokenGenerator

from auth2fa.errors import LinkOver
from portal.foundation import clock
from portal.foundation.access.models import LOCAL, User
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import PLATFORM

LIFETIME = 30 * 60  # seconds; the setting PASSWORD_RESET_TIMEOUT says the same


class _Tokens(PasswordResetTokenGenerator):
    def _now(self) -> datetime:
        return clock.now().replace(tzinfo=None)  # Django counts seconds of a naive clock


_tokens = _Tokens()


def link_for(person: User) -> str:
    return f"{person.pk.hex}.{_tokens.make_token(person)}"


def person_of(link: str) -> User:
    """Return whose link this is; raise `LinkOver` if it is not, or no longer, anybody's.

    In a unit of work of its own, whose clock the link was made by as well.
    """
    pk, _dot, token = link.partition(".")
    with acting_for(PLATFORM):
        try:
            person = User.objects.filter(pk=UUID(pk), issuer=LOCAL, is_active=True).first()
        except ValueError:
            raise LinkOver from None
        if person is None or not _tokens.check_token(person, token):
            raise LinkOver
        return person
