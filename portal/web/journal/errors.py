"""What is refused about the journal."""

from django.utils.translation import gettext_lazy as _

from portal.foundation.errors import Absent


class ExportOver(Absent):
    code = "export-over"
    message = _("The file of this export could be had for 15 minutes, and these are over.")
    next_step = _("Ask for a new export.")
