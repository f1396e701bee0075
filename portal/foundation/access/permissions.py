"""Who may do what: one enum of permissions, one table of roles.

A permission reads `thing:deed`.  Roles are sets of permissions; a person has any
number of roles in any number of tenants.  What no role names, nobody may do.
"""

from enum import StrEnum

from django.db import models
from django.utils.translation import gettext_lazy as _


class Permission(StrEnum):
    TENANT_ENTER = "tenant:enter"
    CERTIFICATE_READ = "certificate:read"  # one's own
    CERTIFICATE_READ_ALL = "certificate:read-all"  # everybody's in the tenant
    REQUEST_READ = "request:read"
    REQUEST_READ_ALL = "request:read-all"
    REQUEST_MAKE = "request:make"


class Role(models.TextChoices):
    SUBSCRIBER = "subscriber", _("Subscriber")
    REVIEWER = "reviewer", _("Reviewer")
    RECOVERY_OFFICER = "recovery-officer", _("Recovery officer")
    ADMINISTRATOR = "administrator", _("Administrator")
    AUDITOR = "auditor", _("Auditor")
    OPERATOR = "operator", _("Platform operator")


_READ_OWN = frozenset({Permission.TENANT_ENTER, Permission.CERTIFICATE_READ, Permission.REQUEST_READ})
_READ = _READ_OWN | {Permission.CERTIFICATE_READ_ALL, Permission.REQUEST_READ_ALL}

GRANTED: dict[Role, frozenset[Permission]] = {
    Role.SUBSCRIBER: _READ_OWN | {Permission.REQUEST_MAKE},
    Role.REVIEWER: _READ,
    Role.RECOVERY_OFFICER: frozenset({Permission.TENANT_ENTER}),
    Role.ADMINISTRATOR: _READ,
    Role.AUDITOR: _READ,
    Role.OPERATOR: frozenset(),  # has no business inside a tenant
}


def permissions_of(roles: frozenset[Role]) -> frozenset[Permission]:
    return frozenset().union(*(GRANTED[role] for role in roles))


def roles_with(permission: Permission) -> tuple[Role, ...]:
    """Who could do it: what a refusal tells the person to ask for."""
    return tuple(role for role, granted in GRANTED.items() if permission in granted)
