"""Every view says who may open it; one that says nothing opens for nobody.

`guard` is written around the view where its URL is named, so that the URL list is
the list of permissions.  The tenant's middleware enforces it before the view runs.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from django.utils.translation import gettext_lazy as _

from portal.foundation.access.permissions import Permission
from portal.foundation.errors import Denied

View = TypeVar("View", bound=Callable[..., Any])


class Open(StrEnum):
    """What a view outside any tenant may ask for."""

    ANYBODY = "anybody"
    SIGNED_IN = "signed in"


class MayNot(Denied):
    code = "may-not"
    message = _("You may not open this: it needs the role {roles}.")
    next_step = _("If you should have that role, ask an administrator of {tenant}.")


class NotGuarded(Exception):
    """A view without a guard was asked for: always a bug, and never an open door."""


def guard(needed: Permission | Open, view: View) -> View:
    """Let people in who hold *needed*, whatever the method."""
    view.needs = needed  # type: ignore[attr-defined]
    view.takes_token = False  # type: ignore[attr-defined]
    return view


def program_guard(needed: Mapping[str, Permission], view: View) -> View:
    """Let programs in, by their token and nothing else, that hold what *needed* says for the method.

    The first entry stands for methods that the view does not know, so that strangers learn nothing of methods.
    """
    view.needs = dict(needed)  # type: ignore[attr-defined]
    view.takes_token = True  # type: ignore[attr-defined]
    return view


def needs(view: Callable[..., Any], method: str = "GET") -> Permission | Open:
    """Return what *view* asks for; raise `NotGuarded` if it says nothing."""
    needed = getattr(view, "needs", None)
    if isinstance(needed, Mapping) and needed:
        needed = needed.get("GET" if method == "HEAD" else method, next(iter(needed.values())))
    if not isinstance(needed, (Permission, Open)):
        raise NotGuarded(f"{view!r} has no guard")
    return needed


def takes_token(view: Callable[..., Any]) -> bool:
    """Whether programs enter here, and people with a session do not."""
    return bool(getattr(view, "takes_token", False))
