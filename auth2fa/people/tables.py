"""The list of people as a file for a spreadsheet."""

import csv
import io
from collections.abc import Sequence

from django.utils.translation import gettext as _

from auth2fa.people.listing import MOST_EXPORTED, Entry

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(entries: Sequence[Entry]) -> str:
    """Write RFC 4180 with the columns that the import reads; a last line says so if there are more.

    A cell that a spreadsheet would run as a formula gets an apostrophe in front, since names
    come from people.
    """
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(["name", "email", "roles", "state"])
    for entry in entries[:MOST_EXPORTED]:
        cells = (entry.name, entry.email, " | ".join(entry.roles), entry.state)
        writer.writerow([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells])
    if len(entries) > MOST_EXPORTED:
        writer.writerow([_("There are more; narrow the list by its filters to export them.")])
    return written.getvalue()
