"""Why nothing was fetched, as codes; whoever shows one has the words."""

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from portal.foundation.outbound.client import Hop


class Reason(StrEnum):
    BAD_ADDRESS = "bad-address"  # no address that a program could fetch, or one with a user, a fragment, odd signs
    WRONG_SCHEME = "wrong-scheme"
    WRONG_PORT = "wrong-port"
    BARE_ADDRESS = "bare-address"  # a number where a name belongs
    NO_ADDRESS = "no-address"  # the name exists perhaps, and has no A and no AAAA record
    SPECIAL_ADDRESS = "special-address"  # a name that leads inside
    NOT_CONNECTED = "not-connected"
    TOO_SLOW = "too-slow"
    TLS_FAILED = "tls-failed"
    NOT_TRUSTED = "not-trusted"
    NOT_HTTP = "not-http"
    TOO_LARGE = "too-large"
    ENCODED = "encoded"  # compressed, although nobody asked for it
    WRONG_STATUS = "wrong-status"
    REDIRECTED = "redirected"  # where redirects are not followed
    REDIRECT_LOOP = "redirect-loop"
    TOO_MANY_REDIRECTS = "too-many-redirects"


class NotFetched(Exception):
    """Nothing was fetched.

    *url* is the address that it ended at, *address* the one on the network where a
    connection was made, *hops* what led there.  All of it is printable ASCII, and strangers wrote it.
    """

    def __init__(self, reason: Reason, url: str, detail: str = "", *, address: str = "") -> None:
        super().__init__(f"{url}: {reason}" + (f" ({detail})" if detail else ""))
        self.reason = reason
        self.url = url
        self.detail = detail
        self.address = address
        self.status = 0
        self.hops: tuple[Hop, ...] = ()
