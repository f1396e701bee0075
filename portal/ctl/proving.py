"""Waiting for a proof of control: looks as often as the portal makes them, until it is there or the time is over."""

import time
from typing import Any

from portal.ctl.asking import Interruptible
from portal.ctl.outcomes import Failure, Outcome
from portal.ctl.session import Session
from portal.ctl.waiting import Progress

_PAUSE, _BETWEEN_LOOKS = 2.0, 12.0
USUAL_SECONDS = 900


def is_looking(found: dict[str, Any]) -> bool:
    return bool(found["attempt"]) and found["attempt"]["state"] == "verifying"


def open_attempt(found: dict[str, Any]) -> dict[str, Any] | None:
    attempt = found["attempt"]
    return attempt if attempt and attempt["state"] != "failed" else None


def _can_be_looked_for(attempt: dict[str, Any]) -> bool:
    """Whether a look would tell something now: of a mail, only where the DNS did not name its mailbox."""
    if attempt["state"] == "verifying" or attempt["looks_again_at"]:
        return False
    by_mail = (attempt["instruction"] or {"kind": "mail"})["kind"] == "mail"
    return not by_mail or attempt["reason"] not in {"", "contact-found"}


def until_proved(session: Session, found: dict[str, Any], seconds: float) -> dict[str, Any]:
    name = found["name"]
    progress, deadline = Progress(), time.monotonic() + seconds
    with Interruptible(lambda: f"What was begun stays. Go on waiting: portalctl domain wait {name}"):
        try:
            return _proved(session, found, progress, deadline)
        finally:
            progress.end()


def _proved(session: Session, found: dict[str, Any], progress: Progress, deadline: float) -> dict[str, Any]:
    """The domain once the attempt that is open has proven it; where none is, it has to be proven already."""
    look_at, awaited = time.monotonic(), open_attempt(found)
    while True:
        attempt = open_attempt(found)
        progress.tell(f"{found['name']}: {found['state']}")
        if attempt is None:
            newest, counts = found["attempt"], found["state"] in {"proved", "ends-soon"}
            if counts and not (awaited and newest and newest["id"] == awaited["id"]):
                return found
            said = f"The attempt to prove {found['name']} failed." if counts else found["said"]
            raise Failure(Outcome.FAILED, said, found["next_step"], code="not-proven")
        if attempt["contacts"] and attempt["instruction"] is None:
            raise Failure(
                Outcome.REFUSED,
                f"The DNS names whom a mail about {found['name']} can go to: {', '.join(attempt['contacts'])}",
                f"Choose one: portalctl domain prove {found['name']} --method {attempt['method']} --mailbox ADDRESS",
                code="choose-contact",
            )
        if time.monotonic() > deadline:
            raise Failure(
                Outcome.TIMED_OUT,
                f"{found['name']} is not proven yet.",
                f"{found['next_step']} Go on waiting: portalctl domain wait {found['name']}",
            )
        if _can_be_looked_for(attempt) and time.monotonic() >= look_at:
            found = session.api.post("domains", found["id"], "looks", body={})
            look_at = time.monotonic() + _BETWEEN_LOOKS
            continue
        time.sleep(_PAUSE)
        found = session.api.look("domains", found["id"])
