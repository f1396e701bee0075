"""Calls a tenant's webhook, in the form of Standard Webhooks 1.0 (https://www.standardwebhooks.com).

`webhook-id` is the same for every delivery of one promise, so that a receiver can tell a
second one; `webhook-signature` covers the id, the time and the body.
"""

import base64
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from lifecycle.validation.publishing.reaching import Reach, told
from lifecycle.validation.publishing.troubles import Trouble, Why
from portal.foundation.outbound import Caps, Fetch, fetch

_MOST_READ = 4096  # bytes of an answer, which nobody reads
_BUSY = frozenset({408, 425, 429})  # of those below 500, the ones that pass (RFC 9110 15.5.9, RFC 8470 5.2, RFC 6585 4)


@dataclass(frozen=True, slots=True)
class Hook:
    url: str
    secret: bytes = field(repr=False)


def call(hook: Hook, message: Mapping[str, Any], *, number: str, at: datetime, reach: Reach) -> None:
    """Deliver *message* as promise *number*; raise `Trouble` unless the receiver answers with a 2xx.

    Follows no redirect, and says nothing of what the receiver answers but its status.
    """
    body = json.dumps({"id": number, **message}, separators=(",", ":"), sort_keys=True).encode()
    seconds = str(int(at.timestamp()))
    headers = {
        "Content-Type": "application/json",
        "webhook-id": number,
        "webhook-timestamp": seconds,
        "webhook-signature": signature(hook.secret, number, seconds, body),
    }
    asked = Fetch(hook.url, "POST", headers, body, authorities=reach.authorities)
    with told():
        answer = fetch(asked, names=reach.names, caps=Caps(_MOST_READ, 0, reach.seconds), routes=reach.routes)
    if 200 <= answer.status < 300:  # noqa: PLR2004 - RFC 9110 15.3
        return
    busy = answer.status in _BUSY or answer.status >= 500  # noqa: PLR2004 - RFC 9110 15.6
    raise Trouble(Why.HOOK_BUSY if busy else Why.HOOK_STATUS, str(answer.status), lasting=not busy)


def signature(secret: bytes, number: str, seconds: str, body: bytes) -> str:
    signed = f"{number}.{seconds}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret, signed, sha256)).decode()
