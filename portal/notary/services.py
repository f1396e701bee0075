"""What a verification found, written down."""

from django.utils.translation import override

from portal.foundation.audit.models import AuditEvent, record
from portal.foundation.audit.verify import Finding, Verdict
from portal.foundation.tenancy.context import current_tenant_id


def note_verification(verdict: Verdict, *, by: object, seconds: float) -> AuditEvent:
    """Write into the journal that it was verified, and what was found."""
    finding = verdict.finding
    return record(
        actor=by,
        code="journal:verify",
        subject=current_tenant_id(),
        intact=finding is None,
        rows=verdict.rows,
        head=verdict.head.hex(),
        checkpoints=verdict.checkpoints,
        signed_to=verdict.signed_to,
        milliseconds=round(seconds * 1000),
        **_told(finding),
    )


def note_comparison(finding: Finding | None, *, by: object, anchors: int) -> AuditEvent:
    """Write into the journal that it was held against what is kept elsewhere, and what was found."""
    return record(
        actor=by,
        code="journal:compare",
        subject=current_tenant_id(),
        intact=finding is None,
        anchors=anchors,
        **_told(finding),
    )


def _told(finding: Finding | None) -> dict[str, object]:
    if finding is None:
        return {}
    with override("en"):  # in whatever language its writer reads; pages translate it
        return {"row": finding.sequence, "event": finding.event, "complaint": str(finding.complaint)}
