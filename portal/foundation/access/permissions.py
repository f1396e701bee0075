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
    REQUEST_APPROVE = "request:approve"
    CERTIFICATE_UPLOAD = "certificate:upload"
    DOMAIN_READ = "domain:read"  # everybody's in the tenant: a domain is proven for all of it
    DOMAIN_MANAGE = "domain:manage"
    PUBLISHING_MANAGE = "publishing:manage"  # where and with which secret proofs are published
    RULES_READ = "rules:read"  # policies, profiles, agreements
    RULES_CHANGE = "rules:change"
    PEOPLE_READ = "people:read"
    PEOPLE_CHANGE = "people:change"
    JOURNAL_READ = "journal:read"
    PLATFORM_OPERATE = "platform:operate"  # held in the platform's own tenant alone


class Role(models.TextChoices):
    SUBSCRIBER = "subscriber", _("Subscriber")
    REVIEWER = "reviewer", _("Reviewer")
    RECOVERY_OFFICER = "recovery-officer", _("Recovery officer")
    ADMINISTRATOR = "administrator", _("Administrator")
    AUDITOR = "auditor", _("Auditor")
    OPERATOR = "operator", _("Platform operator")


_READ_OWN = frozenset({
    Permission.TENANT_ENTER, Permission.CERTIFICATE_READ, Permission.REQUEST_READ, Permission.DOMAIN_READ,
})  # fmt: skip
_READ = _READ_OWN | {Permission.CERTIFICATE_READ_ALL, Permission.REQUEST_READ_ALL}

GRANTED: dict[Role, frozenset[Permission]] = {
    Role.SUBSCRIBER: _READ_OWN | {Permission.REQUEST_MAKE, Permission.CERTIFICATE_UPLOAD, Permission.DOMAIN_MANAGE},
    Role.REVIEWER: _READ | {Permission.REQUEST_APPROVE},
    Role.RECOVERY_OFFICER: frozenset({Permission.TENANT_ENTER}),
    Role.ADMINISTRATOR: _READ
    | {
        Permission.CERTIFICATE_UPLOAD,
        Permission.DOMAIN_MANAGE,
        Permission.PUBLISHING_MANAGE,
        Permission.RULES_READ,
        Permission.RULES_CHANGE,
        Permission.PEOPLE_READ,
        Permission.PEOPLE_CHANGE,
        Permission.JOURNAL_READ,
    },
    Role.AUDITOR: _READ | {Permission.RULES_READ, Permission.PEOPLE_READ, Permission.JOURNAL_READ},
    Role.OPERATOR: frozenset({Permission.PLATFORM_OPERATE}),  # has no business inside a tenant
}


LOOKING = GRANTED[Role.AUDITOR]
"""What an operator's look inside a tenant lets them do, whatever they may elsewhere: read."""


def permissions_of(roles: frozenset[Role]) -> frozenset[Permission]:
    return frozenset().union(*(GRANTED[role] for role in roles))


def roles_with(permission: Permission) -> tuple[Role, ...]:
    """Who could do it: what a refusal tells the person to ask for."""
    return tuple(role for role, granted in GRANTED.items() if permission in granted)
