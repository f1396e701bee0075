"""How the tokens of all workers are, in words for the operator: what happened, and what to do about it.

Workers say it in their heartbeats; whoever reads them here needs no token and no PIN.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from portal.foundation.outbox.heartbeat import Heartbeat, heard_from
from portal.foundation.token.circuit import State, Why


@dataclass(frozen=True, slots=True)
class Words:
    happened: Any
    next_step: Any


_TRIES_ITSELF = _("It is tried again by itself, at least twice a minute; no request is lost meanwhile.")
_PIN_STEP = _(
    "Correct the PIN file of this worker; it is tried within a minute of being written. The same PIN is never tried "
    "again, because the token counts. If the PIN was right and the token was mended, write the file anew or restart "
    "the worker."
)

WORDS = {
    Why.NOT_THERE: Words(
        _("The token is not there."),
        _("Check that the device is plugged in, or its network and slot reachable. {tries}"),
    ),
    Why.NOT_OPENED: Words(
        _("The token's library cannot open it."),
        _("Check the library's path, its own configuration and the token's label in the worker's log. {tries}"),
    ),
    Why.PIN_REFUSED: Words(_("The token refused the PIN."), _PIN_STEP),
    Why.PIN_LOCKED: Words(
        _("The token has locked its PIN after too many wrong ones."),
        _(
            "Unlock it with the security officer's PIN and the vendor's tool. Then write the PIN file anew, or restart "
            "the worker: nobody tries before that."
        ),
    ),
    Why.PIN_FILE: Words(
        _("The file with the token's PIN cannot be read."),
        _("Check that the file is there and that the worker's account may read it. {tries}"),
    ),
    Why.SESSION_LOST: Words(
        _("The token ends every session at once."),
        _("Look for another program that resets the device, and at the device itself. {tries}"),
    ),
    Why.FELL_SILENT: Words(
        _("The token failed while it was asked."),
        _("Look at the device's own log and its connection. {tries}"),
    ),
    Why.REFUSES: Words(
        _("The token refuses to sign with a key."),
        _("Check that the key may sign and that the token allows its mechanism. {tries}"),
    ),
    Why.KEY_MISSING: Words(
        _("The token is there, but an authority's key is not in it."),
        _("Check that this is the right token, and restore its keys from its backup if it was replaced. {tries}"),
    ),
    Why.WRONG_SIGNATURE: Words(
        _("The token gave a signature that does not verify. No certificate came of it."),
        _("Take the device out of service and have it checked, or restore the right key. {tries}"),
    ),
}

STATE_WORDS = {
    State.CLOSED: _("Works"),
    State.OPEN: _("Does not work"),
    State.TRIAL: _("Is being tried"),
}


@dataclass(frozen=True, slots=True)
class TokenReport:
    """What one worker says of its token; `silent` workers said it last at `heard`, and may be gone."""

    worker: str
    label: str
    state: State
    heard: datetime
    silent: bool
    since: datetime | None
    next_try: datetime | None
    why: Why | None
    keys: int
    """How many authorities' keys are out of order, where the token itself works."""

    @property
    def well(self) -> bool:
        return self.state == State.CLOSED and not self.silent

    @property
    def title(self) -> str:
        return str(_("Is not heard from") if self.silent else STATE_WORDS[self.state])

    @property
    def happened(self) -> str:
        """What happened, in a sentence; empty where nothing did."""
        if self.silent:
            return str(_("This worker says nothing any more."))
        return str(WORDS[self.why].happened) if self.why else ""

    @property
    def next_step(self) -> str:
        if self.silent:
            return str(_("Start the signing worker, and look at the end of its log."))
        return str(WORDS[self.why].next_step).format(tries=_TRIES_ITSELF) if self.why else ""


def token_reports() -> Sequence[TokenReport]:
    """Return what every signing worker that lives says of its token, the troubled ones first.

    Where none lives, the one that was heard last; where none was ever heard, nothing.
    """
    found = [_read(heartbeat) for heartbeat in heard_from("signing") if "token" in heartbeat.facts]
    return sorted(found, key=lambda report: (report.well, report.worker))


def _read(heartbeat: Heartbeat) -> TokenReport:
    told = heartbeat.facts["token"]
    return TokenReport(
        worker=heartbeat.worker,
        label=told["label"],
        state=State(told["state"]),
        heard=heartbeat.at,
        silent=heartbeat.stale,
        since=_moment(told["since"]),
        next_try=_moment(told["next_try"]),
        why=Why(told["why"]) if told["why"] else None,
        keys=told["keys"],
    )


def _moment(written: str) -> datetime | None:
    return datetime.fromisoformat(written) if written else None
