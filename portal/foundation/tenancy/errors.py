from django.utils.translation import gettext_lazy as _

from portal.foundation.errors import Absent, Denied, Refusal


class NoTenant(Exception):
    """Tenant data was asked for outside a unit of work, or a unit of work inside another: always a bug."""


class NotHere(Absent):
    """There is no such thing for this person: it never was, or it is somebody else's."""

    code = "not-found"
    message = _("There is nothing at this address, or nothing that you may see.")
    next_step = _("Check the address, or look for it in the lists that you can open.")


class TenantSuspended(Denied):
    """Nobody enters; what is under way waits.  Only an operator looking inside is let through."""

    code = "tenant-suspended"
    message = _("{tenant} was suspended on {day} by the operator of this portal. Nobody can work there for now.")
    next_step = _("Nothing is lost. Ask an administrator of {tenant}, who can ask the operator.")


class TenantClosed(Denied):
    code = "tenant-closed"
    message = _("{tenant} was closed on {day}. Nobody can work there any more.")
    next_step = _("Its records are kept. Ask the operator of this portal if you need something of them.")


class SlugUnusable(Refusal):
    code = "slug-unusable"
    message = _("“{slug}” cannot be part of an address here.")
    next_step = _(
        "Use 3 to 40 lower-case letters, digits and single hyphens, a letter first, and none of the portal's own words."
    )


class TenantNameNotReadable(Refusal):
    code = "tenant-name-not-readable"
    message = _("This name is empty, too long, or holds characters that cannot be seen.")
    next_step = _("Write the organisation's name in up to {most} visible characters.")


class SlugTaken(Refusal):
    code = "slug-taken"
    message = _("There is a tenant “{slug}” already.")
    next_step = _("Choose another short name; it cannot be changed later, since certificates point to it.")


class WaitingTooShort(Refusal):
    code = "waiting-period"
    message = _("The waiting period must be from {least} to {most} days.")
    next_step = _("Enter a number of days in that range.")


class TenantChangedMeanwhile(Refusal):
    code = "tenant-changed"
    message = _("{tenant} was changed by somebody else meanwhile; nothing was done.")
    next_step = _("Look at it as it is now, and decide again.")
