"""What became of publishing, told to the validation worker: the publishing worker may not change a domain."""

from uuid import UUID

from lifecycle.validation.models import Domain, DomainControl
from lifecycle.validation.warning import FELL_BACK, tell_people
from portal.foundation.audit.models import record
from portal.foundation.errors import Refusal
from portal.foundation.outbox.models import Errand, send
from portal.foundation.outbox.registry import errand
from portal.foundation.tenancy.context import acting_for
from portal.foundation.writing import change

ROBOT = "worker:validation"


@errand(queue="validation", rests=True)
def published(promised: Errand) -> None:
    """Look for a value that was just published; where somebody looked a moment ago, later looks will find it."""
    from lifecycle.validation import control as controls  # noqa: PLC0415 - it promises what is answered here

    with acting_for(promised.tenant_id):
        control = DomainControl.objects.get(pk=UUID(promised.args[0]))
        try:
            controls.look_now(control, by=ROBOT)
        except Refusal as refusal:
            record(actor=ROBOT, code="control:look-later", subject=control.pk, why=refusal.code)
        promised.finish()


@errand(queue="validation", rests=True)
def fell_back(promised: Errand) -> None:
    """Leave a domain to people, with the same value, where its way to publish failed for good (4.R20).

    Not where somebody has chosen another way meanwhile.
    """
    control_id, way, why = promised.args
    with acting_for(promised.tenant_id):
        control = DomainControl.objects.select_related("domain").get(pk=UUID(control_id))
        domain = Domain.objects.select_for_update().get(pk=control.domain.pk)
        if str(domain.publishing_id or "") == way:
            change(Domain, where={"id": domain.pk}, to={"publishing": None})
            record(actor=ROBOT, code="control:fall-back", subject=control.pk, name=domain.name, way=way, why=why)
            send(tell_people, control.pk, FELL_BACK)
        promised.finish()
