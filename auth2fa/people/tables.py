"""The list of people as a file for a spreadsheet."""

from collections.abc import Sequence

from auth2fa.people.listing import MOST_EXPORTED, Entry
from portal.foundation.lists import tables


def as_csv(entries: Sequence[Entry]) -> str:
    """Write the columns that the import reads; a last line says so if there are more."""
    rows = [(entry.name, entry.email, " | ".join(entry.roles), entry.state) for entry in entries[:MOST_EXPORTED]]
    return tables.as_csv(["name", "email", "roles", "state"], rows, cut=len(entries) > MOST_EXPORTED)
