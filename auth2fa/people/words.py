"""What each role is for, in the words that the pages say it with."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal.foundation.access.permissions import Role

LETS: dict[Role, str | Promise] = {
    Role.SUBSCRIBER: _("Asks for certificates, and sees and manages their own."),
    Role.REVIEWER: _("Sees all certificates and requests, and approves requests."),
    Role.RECOVERY_OFFICER: _("Takes part in recovering keys."),
    Role.ADMINISTRATOR: _("Sets policies, profiles and people, and sees everything."),
    Role.AUDITOR: _("Sees everything, the journal included, and changes nothing."),
    Role.OPERATOR: _("Operates the platform."),
}


def labels(roles: Iterable[str]) -> str:
    return ", ".join(str(Role(role).label) for role in sorted(roles))


def sentences(roles: Iterable[str]) -> Iterator[dict[str, Any]]:
    for role in sorted(roles):
        yield {"word": Role(role).label, "reason": LETS[Role(role)]}
