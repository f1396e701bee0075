"""Why something could not be published, as codes; `words` has the sentences."""

from enum import StrEnum


class Why(StrEnum):
    """Besides these, every `outbound.Reason` and, behind `name-`, every `caa.Reason` of the look-up."""

    OUTSIDE_ZONE = "outside-zone"
    NO_FILES = "no-files"
    CANNOT_OPEN = "cannot-open"
    NO_WAY = "no-way"
    DNS_KEY = "dns-key"  # the server does not know the key, or the secret is another one
    DNS_TIME = "dns-time"
    DNS_ZONE = "dns-zone"
    DNS_REFUSED = "dns-refused"
    DNS_FAILED = "dns-failed"
    DNS_UNSIGNED = "dns-unsigned"
    DNS_NONSENSE = "dns-nonsense"
    HOOK_STATUS = "hook-status"
    HOOK_BUSY = "hook-busy"


class Trouble(Exception):
    """The way did not take it.

    *lasting* where asking again would get the same answer: a key that is not known, a zone that
    is not there.  *detail* is printable ASCII, and perhaps a stranger's.
    """

    def __init__(self, why: str, detail: str = "", *, lasting: bool) -> None:
        super().__init__(f"{why} {detail}".strip())
        self.why = why
        self.detail = detail
        self.lasting = lasting

    @property
    def said(self) -> str:
        """As `PublishingWay.said` keeps it."""
        return f"{self.why} {self.detail}".strip()[:300]
