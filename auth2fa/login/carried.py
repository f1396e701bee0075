"""A mail's link while its page is open: out of the address bar at once, and kept by the browser alone.

Never in the session, whose row would hold the link in clear for whoever reads the database or a copy of it.
The cookie goes to the link's own page and nowhere else, and no script reads it.  It is Lax and not Strict:
whoever comes from a mailbox in the browser comes from another site, and a Strict one would not be there yet.
"""

from django.http import HttpRequest, HttpResponse

from portal.config import config

LONGEST_LINK = 500
_LASTS = 30 * 60  # seconds; the mail's link can be opened again


def keep(response: HttpResponse, name: str, link: str, *, path: str) -> HttpResponse:
    response.set_cookie(
        _cookie(name), link, max_age=_LASTS, path=path, secure=config.secure, httponly=True, samesite="Lax"
    )
    return response


def kept(request: HttpRequest, name: str) -> str:
    """Return the link that the browser brings, which proves nothing before it is read; empty if there is none."""
    link = request.COOKIES.get(_cookie(name), "")
    return link if len(link) <= LONGEST_LINK else ""


def forget(response: HttpResponse, name: str, *, path: str) -> HttpResponse:
    response.delete_cookie(_cookie(name), path=path, samesite="Lax")
    return response


def _cookie(name: str) -> str:
    return f"__Secure-{name}" if config.secure else name
