"""The journal's key: made in the token once, known by its fingerprint for ever."""

from typing import TYPE_CHECKING

from portal.config import config
from portal.foundation import clock
from portal.foundation.audit.models import JournalKey, record
from portal.foundation.audit.signatures import fingerprint_of
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import PLATFORM
from portal.foundation.token import KeyNotThere

if TYPE_CHECKING:
    from portal.foundation.token import Token


def make_key(token: "Token", key_id: bytes, kind: str, *, by: str) -> JournalKey:
    """Make a key pair under *key_id*, or take the one that is there, and enter its public half.

    May be called again: what was done already is found.  Raises what the token raises.
    """
    try:
        spki = token.public_key(key_id)
    except KeyNotThere:
        spki = token.generate(kind, key_id)
    fingerprint = fingerprint_of(spki)
    with acting_for(PLATFORM):
        found = JournalKey.objects.filter(pk=fingerprint).first()
        if found is not None:
            return found
        key = JournalKey(fingerprint=fingerprint, spki=spki, key_id=key_id.hex(), since=clock.now())
        key.save(force_insert=True)
        record(actor=by, code="journal:enter-key", subject=key_id.hex(), fingerprint=fingerprint, kind=kind)
        return key


def journal_key() -> JournalKey | None:
    """Return the key that `JOURNAL_KEY_ID` names; None where it names none, or none that was entered."""
    if not config.journal_key_id:
        return None
    return JournalKey.objects.filter(key_id=config.journal_key_id).order_by("-since").first()
