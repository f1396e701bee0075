"""Who is at the other end: the client's own address, behind however many proxies of ours.

`X-Forwarded-For` and `X-Forwarded-Proto` are lines that anybody can write.  They count only where the
connection itself comes from a proxy that `PORTAL_TRUSTED_PROXIES` names; from all others they are taken
away before anything can read them.
"""

from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from django.http import HttpRequest, HttpResponse

from portal.config import Proxies, config

_TOLD_BY_PROXIES = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO")


class Hops:
    """Makes `REMOTE_ADDR` the client's address; it stands before everything that asks who is there."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        told = request.META
        peer = told.get("REMOTE_ADDR", "")
        if config.trusted_proxies.trust(_plain(peer) or peer):
            told["REMOTE_ADDR"] = client_of(peer, told.get("HTTP_X_FORWARDED_FOR", ""), config.trusted_proxies)
        else:
            for header in _TOLD_BY_PROXIES:
                told.pop(header, None)
        return self._get_response(request)


def client_of(peer: str, forwarded: str, trusted: Proxies) -> str:
    """Return the rightmost address that is no trusted proxy's, in what *peer*, which is one, says.

    Each proxy writes whom it heard at the right end; what is left of the first stranger is the stranger's
    own tale.  Where a hop is no address, whoever wrote it is the nearest that is known.
    """
    nearest = peer
    for hop in reversed(forwarded.split(",")):
        address = _plain(hop.strip())
        if not address:
            return nearest
        nearest = address
        if not trusted.trust(address):
            return nearest
    return nearest


def _plain(text: str) -> str:
    """Return an address in its one usual form, or nothing; a zone (`%eth0`) is any text at all, so it is refused."""
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return ""
        return str(address.ipv4_mapped or address)
    return str(address)
