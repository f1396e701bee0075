"""How a journal stands: how long it is, up to where it is signed, and what its last verification found."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lifecycle.wizards.presentation import Chip, Fact
from portal.foundation import clock
from portal.foundation.audit import chain
from portal.foundation.audit.models import AuditCheckpoint, AuditEvent, AuditSeal, JournalKey
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import current_tenant_id
from portal.notary.promises import open_errand
from portal.notary.tasks import verify_chain
from portal.web.journal.subjects import Line

LATE = timedelta(minutes=15)
"""After how long an unsigned line is a reason to look at the signing worker; five minutes are the rule."""


@dataclass(frozen=True, slots=True)
class Standing:
    head: AuditSeal | None
    checkpoint: AuditCheckpoint | None
    has_key: bool
    unsigned_since: datetime | None
    verified: AuditEvent | None
    walking: Errand | None

    @classmethod
    def read(cls) -> "Standing":
        """Inside the unit of work of the journal's tenant."""
        head, checkpoint = chain.head(), chain.newest_checkpoint()
        signed = checkpoint.sequence if checkpoint else 0
        first = AuditSeal.objects.filter(sequence=signed + 1).select_related("event").first()
        verified = AuditEvent.objects.filter(subject=str(current_tenant_id()), code="journal:verify")
        return cls(
            head=head,
            checkpoint=checkpoint,
            has_key=JournalKey.objects.exists(),
            unsigned_since=first.event.at if first else None,
            verified=verified.order_by("-at", "-pk").first(),
            walking=open_errand(verify_chain),
        )

    @property
    def rows(self) -> int:
        return self.head.sequence if self.head else 0

    @property
    def walked(self) -> int:
        return int(self.walking.args[1]) if self.walking else 0

    @property
    def is_walking(self) -> bool:
        return self.walking is not None and self.walking.parked_at is None

    @property
    def notice(self) -> dict[str, Any] | None:
        """What a reader must know first: that it was changed, or that nothing vouches for it."""
        if self.verified and not self.verified.facts.get("intact", True):
            title = _("This journal is not as it was written")
            return {"tone": "bad", "icon": "bad", "title": title, "text": finding_of(self.verified)}
        if not self.has_key:
            text = _(
                "This portal has no key for its journal, so a cut end would not show. The operator makes one with"
                " manage.py create_journal_key."
            )
            return {"tone": "watch", "icon": "watch", "title": _("Checkpoints are not signed"), "text": text}
        if self.unsigned_since and clock.now() - self.unsigned_since > LATE:
            text = _("Lines are signed within five minutes; some have waited longer. The operator looks at the token.")
            return {"tone": "watch", "icon": "watch", "title": _("The newest lines are not signed yet"), "text": text}
        return None

    @property
    def facts(self) -> list[Fact]:
        told = [Fact(_("Rows in the chain"), f"{self.rows:,}"), Fact(_("Signed"), self._signed())]
        if self.verified is None:
            return [*told, Fact(_("Verified"), _("Never"))]
        return [*told, Fact(_("Verified"), self.verified.at, note=result_of(self.verified), moment="minute")]

    def _signed(self) -> str:
        if self.checkpoint is None:
            return _("Nothing yet")
        if self.checkpoint.sequence == self.rows:
            return _("All of them")
        return _("Up to row {row}").format(row=f"{self.checkpoint.sequence:,}")


def result_of(verified: AuditEvent) -> str:
    """Say in a sentence what a verification walked and found."""
    if not verified.facts.get("intact", True):
        return finding_of(verified)
    rows, checkpoints = int(verified.facts["rows"]), int(verified.facts["checkpoints"])
    parts = [
        ngettext("{count} row as written", "{count} rows as written", rows).format(count=f"{rows:,}"),
        ngettext("{count} checkpoint", "{count} checkpoints", checkpoints).format(count=f"{checkpoints:,}"),
        _("{seconds} seconds").format(seconds=f"{int(verified.facts['milliseconds']) / 1000:.1f}"),
    ]
    return ", ".join(parts)


def finding_of(verified: AuditEvent) -> str:
    row, complaint = verified.facts.get("row"), verified.facts.get("complaint", "")
    if row is None:
        return _("Event {event}: {complaint}.").format(event=verified.facts.get("event", ""), complaint=_(complaint))
    return _("Row {row}: {complaint}.").format(row=row, complaint=_(complaint) if complaint else "")


def chip_of(line: Line) -> Chip | None:
    """Whether a line's verification was good news."""
    if line.event.code != "journal:verify":
        return None
    intact = line.event.facts.get("intact", True)
    return Chip("good", _("As written")) if intact else Chip("bad", _("Not as written"))
