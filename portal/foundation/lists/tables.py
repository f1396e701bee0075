"""Lists as files for a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Sequence

from django.http import HttpResponse
from django.utils.translation import gettext as _

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(head: Sequence[object], rows: Iterable[Sequence[object]], *, cut: bool) -> str:
    """Write rows as RFC 4180; *cut* adds a last line that says that there are more.

    A cell that a spreadsheet would run as a formula gets an apostrophe in front, since
    names come from people.
    """
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(head)
    writer.writerows([_harmless(str(cell)) for cell in row] for row in rows)
    if cut:
        writer.writerow([_("There are more; narrow the list by its filters to export them.")])
    return written.getvalue()


def as_file(name: str, head: Sequence[object], rows: Iterable[Sequence[object]], *, cut: bool) -> HttpResponse:
    """The same as a download called *name*; a shared cache must not keep it."""
    return HttpResponse(
        as_csv(head, rows, cut=cut),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private"},
    )


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
