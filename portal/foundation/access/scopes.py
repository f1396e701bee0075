"""What a token for programs may be good for: one table.

A token never lets anybody do more than its person may: what counts is what both hold, at that moment.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal.foundation.access.permissions import Permission


@dataclass(frozen=True, slots=True)
class Scope:
    label: str | Promise
    permissions: frozenset[Permission]


def _scope(label: str | Promise, *permissions: Permission) -> Scope:
    return Scope(label, frozenset({Permission.TENANT_ENTER, *permissions}))


SCOPES: dict[str, Scope] = {
    "certificates:read": _scope(
        _("See and download certificates"), Permission.CERTIFICATE_READ, Permission.CERTIFICATE_READ_ALL
    ),
    "certificates:upload": _scope(
        _("Upload certificates that were issued elsewhere"), Permission.CERTIFICATE_READ, Permission.CERTIFICATE_UPLOAD
    ),
    "requests:read": _scope(_("See requests"), Permission.REQUEST_READ, Permission.REQUEST_READ_ALL),
    "requests:make": _scope(
        _("Make requests: first certificates, rekeys"),
        Permission.REQUEST_READ,
        Permission.REQUEST_MAKE,
        Permission.CERTIFICATE_READ,
    ),
    "requests:review": _scope(
        _("Approve and reject requests"),
        Permission.REQUEST_READ,
        Permission.REQUEST_READ_ALL,
        Permission.REQUEST_APPROVE,
    ),
    "domains:read": _scope(_("See domains and what proves them"), Permission.DOMAIN_READ),
    "domains:manage": _scope(
        _("Prove domains and mailboxes, and retire them"), Permission.DOMAIN_READ, Permission.DOMAIN_MANAGE
    ),
    "publishing:manage": _scope(
        _("Set up where proofs are published by themselves, and see the rules"),
        Permission.DOMAIN_READ,
        Permission.RULES_READ,
        Permission.PUBLISHING_MANAGE,
    ),
    "rules:read": _scope(_("See policies, profiles and agreements"), Permission.RULES_READ),
    "rules:change": _scope(
        _("Change policies, profiles and agreements"), Permission.RULES_READ, Permission.RULES_CHANGE
    ),
    "people:read": _scope(_("See people and invitations"), Permission.PEOPLE_READ),
    "people:change": _scope(
        _("Invite people and change their roles"), Permission.PEOPLE_READ, Permission.PEOPLE_CHANGE
    ),
    "journal:read": _scope(_("Read the journal"), Permission.JOURNAL_READ),
}


def permissions_in(scopes: Iterable[str]) -> frozenset[Permission]:
    """What the named scopes allow together; one that is not known any more allows nothing."""
    return frozenset().union(*(SCOPES[scope].permissions for scope in scopes if scope in SCOPES))


def scopes_with(permission: Permission) -> tuple[str, ...]:
    """Which scopes would do: what a refusal tells the program's owner to ask for."""
    return tuple(name for name, scope in SCOPES.items() if permission in scope.permissions)


def useful_to(permissions: frozenset[Permission]) -> dict[str, Scope]:
    """The scopes that let somebody with *permissions* do anything but enter."""
    enter = {Permission.TENANT_ENTER}
    return {name: scope for name, scope in SCOPES.items() if (scope.permissions & permissions) - enter}
