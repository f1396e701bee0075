"""The life of an attempt to prove control: following its arrows, and ending it."""

from lifecycle.validation.models import DomainControl
from lifecycle.validation.states import CONTROL, ControlEvent, ControlState
from portal.foundation.audit.models import record
from portal.foundation.states import ChangedMeanwhile
from portal.foundation.writing import change

OPEN = (ControlState.PENDING, ControlState.VERIFYING)

ROBOT = "worker:validation"


def advance(control: DomainControl, event: ControlEvent, **columns: object) -> None:
    """Follow one arrow; raises `ChangedMeanwhile` where somebody else was faster."""
    before = ControlState(control.state)
    to = {"state": CONTROL.target(before, event), **columns}
    change(
        DomainControl,
        where={"id": control.pk, "state": before},
        to=to,
        otherwise=ChangedMeanwhile(thing=CONTROL.thing),
    )
    for name, value in to.items():
        setattr(control, name, value)


def give_up(control: DomainControl, *, by: object, reason: str) -> None:
    """End an attempt without a proof."""
    advance(control, ControlEvent.GIVE_UP, reason=reason)
    record(actor=by, code="control:give up", subject=control.pk, domain=control.domain_id, reason=reason)
