"""Fetches the file that proves control of a host (BR 3.2.2.4.18); what it is worth, somebody else decides.

The same code for the primary and for remote perspectives, so it knows neither Django nor
the environment.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lifecycle.validation.caa import LookupFailed
from lifecycle.validation.evidence import escaped
from lifecycle.validation.questions import Asked, Observation, Question
from portal.foundation import clock
from portal.foundation.outbound import Addresses, Caps, Fetch, Fetched, Hop, NotFetched, Reason, Routes, fetch

__all__ = ["FOLDER", "Fetcher", "Reason"]

FOLDER = "/.well-known/pki-validation/"
"""Nothing is fetched from anywhere else (BR 3.2.2.4.18)."""

CAPS = Caps(body=128, redirects=10, seconds=10.0)
"""What a random value needs, and no more: a page that says "not found" with 200 is not read."""

_PATH = re.compile(re.escape(FOLDER) + r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_ENDS_A_NAME = frozenset("/?#\\")
"""What would let a part of the name be taken for a path; `outbound` judges the rest of it."""

_MOST_SHOWN = 300  # characters of an address on the way


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Answers `Asked.FILE`; holds no connection, so any number of threads may share it."""

    names: Addresses
    routes: Routes = field(default_factory=dict)

    def observe(self, question: Question, *, patience: float = CAPS.seconds) -> Observation:
        """Fetch the file over plain HTTP from port 80, follow what may be followed, and say what was there.

        Only a 2xx is an answer.  Certificates met on the way are not judged: a proof over HTTP
        asks for none, and whoever has no certificate yet has to get one.  Never raises for what a stranger did.
        """
        if question.asked != Asked.FILE or not _PATH.fullmatch(question.path) or set(question.name) & _ENDS_A_NAME:
            return Observation(question, clock.now(), Reason.BAD_ADDRESS, {})
        asked = Fetch(f"http://{question.name}{question.path}", judged=False)
        caps = Caps(CAPS.body, CAPS.redirects, min(patience, CAPS.seconds))
        try:
            fetched = fetch(asked, names=self.names, caps=caps, routes=self.routes)
        except NotFetched as failure:
            return Observation(question, clock.now(), failure.reason, _of_failure(failure))
        except LookupFailed as failure:
            found = {"asked": failure.asked, "resolver": failure.resolver, "detail": escaped(failure.detail.encode())}
            return Observation(question, clock.now(), failure.reason, found)
        reason = "" if 200 <= fetched.status < 300 else Reason.WRONG_STATUS  # noqa: PLR2004 - RFC 9110 15.3
        return Observation(question, clock.now(), reason, _of_answer(fetched))


def _of_answer(fetched: Fetched) -> Mapping[str, Any]:
    return {
        "status": fetched.status,
        "url": fetched.url[:_MOST_SHOWN],
        "address": fetched.address,
        "hops": [_shown(hop) for hop in fetched.hops],
        "body": escaped(fetched.body),
    }


def _of_failure(failure: NotFetched) -> Mapping[str, Any]:
    return {
        "status": failure.status,
        "url": failure.url[:_MOST_SHOWN],
        "address": failure.address,
        "hops": [_shown(hop) for hop in failure.hops],
        "detail": failure.detail[:_MOST_SHOWN],
    }


def _shown(hop: Hop) -> dict[str, Any]:
    return {"url": hop.url[:_MOST_SHOWN], "status": hop.status, "address": hop.address}
