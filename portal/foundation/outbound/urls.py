"""Reading an address that a stranger wrote: the few forms that are fetched, and nothing else."""

import re
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from portal.foundation.outbound.reasons import NotFetched, Reason

LONGEST = 2000
"""Characters of an address."""

PORTS = (80, 443)

_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes."""

    url: str
    scheme: str
    host: str
    port: int
    path: str
    """With its query: what stands in the first line of the request."""

    @property
    def host_line(self) -> str:
        usual = {"http": 80, "https": 443}[self.scheme]
        return self.host if self.port == usual else f"{self.host}:{self.port}"

    def leading_to(self, location: str) -> "Target":
        """Where a `Location` leads, which may be relative (RFC 9110 10.2.2)."""
        _refuse_odd_signs(location, self.url)
        return target_of(urljoin(self.url, location))


def target_of(url: str) -> Target:
    """Take *url* apart; raise `NotFetched` for whatever we do not fetch.

    Names only: a bare address, in any of the spellings that C libraries take for one, has
    nothing to prove.  Ports 80 and 443, which is less than BR 1.6.1 calls authorised.
    """
    _refuse_odd_signs(url, url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise NotFetched(Reason.BAD_ADDRESS, printable(url)) from None
    if parts.scheme not in {"http", "https"}:
        raise NotFetched(Reason.WRONG_SCHEME, url, parts.scheme)
    if "@" in parts.netloc or "#" in url or not parts.hostname:
        raise NotFetched(Reason.BAD_ADDRESS, url)
    host = parts.hostname.removesuffix(".")
    if ":" in host or _NUMBER.fullmatch(host.rpartition(".")[2]):  # what ends in a number is one (WHATWG URL 3.5)
        raise NotFetched(Reason.BARE_ADDRESS, url)
    if not _NAME.fullmatch(host):
        raise NotFetched(Reason.BAD_ADDRESS, url)
    if port is None:
        port = 443 if parts.scheme == "https" else 80
    if port not in PORTS:
        raise NotFetched(Reason.WRONG_PORT, url, str(port))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(f"{parts.scheme}://{parts.netloc.lower()}{path}", parts.scheme, host, port, path)


def printable(text: str, most: int = LONGEST) -> str:
    r"""Return *text* in printable ASCII, the rest of it as `\DDD`, and not more than *most* characters."""
    spelled = "".join(sign if " " <= sign <= "~" else f"\\{min(ord(sign), 999):03}" for sign in text[:most])
    return spelled[:most]


def _refuse_odd_signs(url: str, said_by: str) -> None:
    """Nothing but printable ASCII: `urlsplit` drops line breaks silently, and a name's dots have look-alikes."""
    if len(url) > LONGEST or not _PRINTABLE.fullmatch(url) or "\\" in url:
        raise NotFetched(Reason.BAD_ADDRESS, printable(said_by), printable(url, 100))
