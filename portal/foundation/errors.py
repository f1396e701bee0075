"""Refusals: what the portal says when it will not do something.

A refusal is raised anywhere and shown at the edge, as a page or as a problem
document (RFC 9457).  Whatever is not a refusal is a bug and shows as a 500.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, ClassVar


class Refusal(Exception):
    """Base class; never raised itself.

    A subclass states its `code`, its `status` and a `message` template, and names
    the facts in its constructor.  The three stand together so that there is no
    second table that could disagree.  `next_step` tells the person what to do;
    `message` and `next_step` are translated where they are shown.
    """

    code: ClassVar[str]
    status: ClassVar[HTTPStatus] = HTTPStatus.UNPROCESSABLE_ENTITY
    message: ClassVar[Any]
    next_step: ClassVar[Any] = ""

    faults: Sequence[dict[str, str]] = ()
    """For programs: each place of what they sent that is complained of (`portal.foundation.api.errors.fault`)."""

    _by_code: ClassVar[dict[str, type[Refusal]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "code" not in cls.__dict__:
            return  # an intermediate base such as `Conflict`
        rival = cls._by_code.setdefault(cls.code, cls)
        if (rival.__module__, rival.__qualname__) != (cls.__module__, cls.__qualname__):
            raise TypeError(f"{cls.__qualname__} reuses the code {cls.code!r} of {rival.__qualname__}")

    def __init__(self, **facts: Any) -> None:
        self.facts = facts
        super().__init__(self.message.format(**facts))

    def __str__(self) -> str:
        return str(self.message.format(**self.facts))

    @property
    def advice(self) -> str:
        return str(self.next_step).format(**self.facts)

    @property
    def headers(self) -> dict[str, str]:
        """What the answer says in its headers besides."""
        seconds = self.facts.get("seconds")
        return {} if seconds is None else {"Retry-After": str(seconds)}  # RFC 9110 10.2.3

    @classmethod
    def known(cls) -> dict[str, type[Refusal]]:
        """Every refusal there is, by its code."""
        return dict(cls._by_code)


class Conflict(Refusal):
    """Somebody else changed the thing first; reload and look again."""

    status = HTTPStatus.CONFLICT


class Denied(Refusal):
    """The person may not do this."""

    status = HTTPStatus.FORBIDDEN


class Absent(Refusal):
    """There is no such thing, or it belongs to somebody else: from outside both look the same."""

    status = HTTPStatus.NOT_FOUND
