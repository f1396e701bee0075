"""The life of one look at a name's CAA records (0.R28), and of one attempt to prove control of a domain.

A name that nobody looked at yet is unverified and has no row; looking again is a new row.
"""

from enum import StrEnum

from portal.foundation.states import Machine


class CaaState(StrEnum):
    VERIFYING = "verifying"
    VERIFIED = "verified"
    FAILED = "failed"


UNVERIFIED = "unverified"
"""What people read of a name without a look, or with one that grew too old; never stored."""


class CaaEvent(StrEnum):
    PERMIT = "permit"
    REFUSE = "refuse"  # forbidden, or it could not be found out: a failure is never consent


LOOK = Machine("CAA check", CaaState.VERIFYING, [
    (CaaEvent.PERMIT, [CaaState.VERIFYING], CaaState.VERIFIED),
    (CaaEvent.REFUSE, [CaaState.VERIFYING], CaaState.FAILED),
])  # fmt: skip


class ControlState(StrEnum):
    PENDING = "pending"  # somebody is to publish a value, or to follow a link
    VERIFYING = "verifying"
    PROVED = "proved"
    FAILED = "failed"


class ControlEvent(StrEnum):
    LOOK = "look"
    MISS = "miss"  # not there yet: it can be looked for again until the deadline
    PROVE = "prove"
    GIVE_UP = "give up"  # the deadline passed, or somebody began anew


CONTROL = Machine("proof of control", ControlState.PENDING, [
    (ControlEvent.LOOK,    [ControlState.PENDING],                          ControlState.VERIFYING),
    (ControlEvent.MISS,    [ControlState.VERIFYING],                        ControlState.PENDING),
    (ControlEvent.PROVE,   [ControlState.VERIFYING],                        ControlState.PROVED),
    (ControlEvent.GIVE_UP, [ControlState.PENDING, ControlState.VERIFYING],  ControlState.FAILED),
])  # fmt: skip
"""That a proof grew too old is a date, not a state (architecture 5)."""
