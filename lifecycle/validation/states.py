"""The life of one look at a name's CAA records (0.R28).

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
