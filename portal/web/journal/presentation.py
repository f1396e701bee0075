"""One line of the journal in full."""

import json

from django.utils.translation import gettext as _

from lifecycle.wizards.presentation import Fact
from portal.foundation.audit.models import AuditCheckpoint, AuditEvent, AuditSeal


def facts_of(event: AuditEvent, seal: AuditSeal | None, covered: AuditCheckpoint | None) -> list[Fact]:
    told = [
        Fact(_("When"), event.at, moment="exact"),
        Fact(_("Row"), f"{seal.sequence:,}" if seal else _("Waits for its seal; that takes a second or two")),
        *([Fact(_("Through the token"), prefix, code=True)] if (prefix := event.facts.get("through_token")) else []),
        Fact(_("Id"), str(event.pk), code=True, wide=True),
        Fact(_("Digest of this line (SHA-256)"), bytes(event.digest).hex(), code=True, wide=True),
    ]
    if seal:
        told += [
            Fact(_("Seal of the line before"), bytes(seal.previous).hex(), code=True, wide=True),
            Fact(_("Seal of this line"), bytes(seal.digest).hex(), code=True, wide=True),
        ]
    if covered is None:
        return [*told, Fact(_("Signed"), _("Not yet; within five minutes a checkpoint covers it"), wide=True)]
    return [
        *told,
        Fact(
            _("Signed"),
            covered.at,
            note=_("by the checkpoint of row {row}").format(row=covered.sequence),
            moment="exact",
        ),
        Fact(_("Fingerprint of the key"), covered.key, code=True, wide=True),
    ]


def told_in_full(event: AuditEvent) -> str:
    """Everything that was digested, as it is exported."""
    return json.dumps(event.content(), indent=2, ensure_ascii=False, sort_keys=True)
