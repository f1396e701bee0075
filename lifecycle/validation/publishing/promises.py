"""What is promised when a value is to be published or withdrawn.  The caller is inside `acting_for(tenant)`."""

from lifecycle.validation.methods import Method
from lifecycle.validation.models import DomainControl, PublishingWay
from lifecycle.validation.publishing import tasks
from portal.foundation.outbox.models import send

RFC2136, WEBHOOK = PublishingWay.KINDS
CARRIES = {RFC2136: frozenset({"txt", "cname"}), WEBHOOK: frozenset({"txt", "cname", "file"})}
"""Which kinds of instruction (`methods.Instruction.kind`) each kind of way can carry out."""


def publish(control: DomainControl) -> None:
    """Have the value of *control* published by the way that its domain names."""
    send(tasks.publish, control.pk)


def withdraw(control: DomainControl) -> None:
    """Have it taken away again; through the way that its domain names by then."""
    send(tasks.withdraw, control.pk)


def can(way: PublishingWay, method: Method) -> bool:
    """Whether *way* could publish what *method* asks for: a name server takes no files."""
    return method.publishes and method.instruction("domain.example", "value", "").kind in CARRIES[way.kind]
