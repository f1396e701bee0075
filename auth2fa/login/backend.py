"""Sign-in with a password that is kept here (Argon2id, by Django's hasher)."""

from typing import Any
from uuid import UUID

from django.contrib.auth.backends import BaseBackend
from django.http import HttpRequest

from portal.foundation.access.models import User


class LocalPassword(BaseBackend):
    """Only for people whose issuer is this portal; the same work for every name, known or not."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **_: Any
    ) -> User | None:
        del request
        if username is None or password is None:
            return None
        try:
            user = User.objects.get_by_natural_key(username)
        except User.DoesNotExist:
            User().set_password(password)  # hashing takes as long as checking: the time tells nothing
            return None
        return user if user.check_password(password) and user.is_active else None

    def get_user(self, user_id: UUID) -> User | None:
        """Return who a session belongs to; an account that was switched off has none."""
        return User.objects.filter(pk=user_id, is_active=True).first()
