from django.utils.translation import gettext_lazy as _

from portal.foundation.errors import Absent


class NoTenant(Exception):
    """Tenant data was asked for outside a unit of work, or a unit of work inside another: always a bug."""


class NotHere(Absent):
    """There is no such thing for this person: it never was, or it is somebody else's."""

    code = "not-found"
    message = _("There is nothing at this address, or nothing that you may see.")
    next_step = _("Check the address, or look for it in the lists that you can open.")
