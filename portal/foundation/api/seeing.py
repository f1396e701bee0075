"""Changes of what others change too: only of what the program has read, as it was when it read it.

A page carries the versions that its author looked at; a program names them by the ETag of the answer that it read.
"""

from typing import Any

from django.utils.http import parse_etags
from rest_framework.request import Request
from rest_framework.response import Response

from portal.foundation.api.conditions import etag_of
from portal.foundation.api.errors import ChangedSince, TagWanted

NEEDS_TAG = {"x-if-match": "required"}
TAKES_TAG = {"x-if-match": "possible"}
"""For the document, as extensions of an operation: what its If-Match is."""


def demand_seen(request: Request, now: dict[str, Any] | None) -> None:
    """Refuse the change unless If-Match names the answer *now*, which is None where there is nothing yet.

    Judged by the rows that the change starts from, so that nothing comes between the look and the change but what the
    tables themselves refuse.
    """
    given = request.headers.get("If-Match")
    if now is None:
        if given is not None:
            raise ChangedSince
        return
    tags = parse_etags(given or "")
    if not tags or tags == ["*"]:
        raise TagWanted
    if etag_of(Response(now)) not in tags:
        raise ChangedSince
