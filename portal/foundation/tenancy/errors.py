from django.utils.translation import gettext_lazy as _

from portal.foundation.errors import Absent, Denied


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
