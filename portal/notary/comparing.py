"""Holds a chain against what the owner of the database cannot write: the copies of checkpoints, and the token's keys.

Walking the chain is for `portal.foundation.audit.verify`, on a worker that sees neither.
Together they find what each alone would not: that one shows a chain which follows from its
first row to its last, this one that it is the chain which was signed.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from portal.foundation.audit.models import AuditCheckpoint, AuditSeal, JournalKey
from portal.foundation.audit.signatures import fingerprint_of
from portal.foundation.audit.verify import Finding, Witness
from portal.foundation.token import KeyNotThere

if TYPE_CHECKING:
    from portal.foundation.token import Token


def judge(witnesses: Sequence[Witness]) -> Finding | None:
    """Return the first row that is not there as one of *witnesses* saw it.  Inside a unit of work."""
    numbers = [witness.sequence for witness in witnesses]
    heads = dict(AuditSeal.objects.filter(sequence__in=numbers).values_list("sequence", "digest"))
    signed = {each.sequence: each.statement() for each in AuditCheckpoint.objects.filter(sequence__in=numbers)}
    for witness in witnesses:
        head = heads.get(witness.sequence)
        if head is None:
            return Finding(witness.sequence, None, _("is gone, although a checkpoint that was kept elsewhere knows it"))
        if bytes(head) != witness.head:
            words = _("a checkpoint that was kept elsewhere was signed when the chain was another one")
            return Finding(witness.sequence, None, words)
        if signed.get(witness.sequence) != witness.statement:
            return Finding(witness.sequence, None, _("its checkpoint is not the one that was kept elsewhere"))
    return None


def keys_behind(row: int) -> dict[str, tuple[int, JournalKey | None]]:
    """Return the keys that signed behind *row*, each by its name with the first row it signed.  Inside a unit."""
    entered = {key.fingerprint: key for key in JournalKey.objects.all()}
    found: dict[str, tuple[int, JournalKey | None]] = {}
    for name, sequence in AuditCheckpoint.objects.filter(sequence__gt=row).values_list("key", "sequence"):
        before = found.get(name)
        found[name] = (min(sequence, before[0]) if before else sequence, entered.get(name))
    return found


def judge_keys(keys: dict[str, tuple[int, JournalKey | None]], token: "Token") -> Finding | None:
    """Return the first row signed by a key that is not in *token*; outside any unit of work.

    Whoever owns the database can enter a key of their own there and sign everything anew.
    """
    for row, key in sorted(keys.values(), key=lambda pair: pair[0]):
        if key is None or not _is_in(token, key):
            return Finding(row, None, _("its checkpoint is signed by a key that is not in the token"))
    return None


def _is_in(token: "Token", key: JournalKey) -> bool:
    try:
        return fingerprint_of(token.public_key(bytes.fromhex(key.key_id))) == key.fingerprint
    except (KeyNotThere, ValueError):  # not there, or what the row says is no CKA_ID
        return False
