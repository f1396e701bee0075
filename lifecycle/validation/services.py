"""Asking for looks at the CAA records of names.  The caller is inside `acting_for(tenant)`."""

from collections.abc import Collection, Iterable
from datetime import timedelta

from lifecycle.validation import tasks
from lifecycle.validation.caa import canonical
from lifecycle.validation.looking import opened
from lifecycle.validation.models import CaaCheck
from lifecycle.validation.selectors import is_fresh, newest, rests_until
from portal.foundation import clock
from portal.foundation.outbox.models import send

FORGOTTEN = timedelta(seconds=30)
"""After which a look that nobody answered is promised once more: its errand may lie with the operator."""


def ask(names: Iterable[str], identities: Collection[str], *, by: object, about: object) -> list[CaaCheck]:
    """Have the CAA records of *names* looked at; return for each the look that counts now, in their order (0.R26).

    A name with a fresh look that permitted gets no new one, nor does one with a look under way, nor one whose look
    failed a moment ago (`selectors.PAUSE`).
    *about* is the request that wants to know, for the journal.
    """
    wanted = list(dict.fromkeys(canonical(name) for name in names))
    now = clock.now()
    known = {
        name: check
        for name, check in newest(wanted, identities).items()
        if is_fresh(check, now) or rests_until(check, now)
    }
    looks, new = opened([name for name in wanted if name not in known], identities, by=by, about=about)
    unpromised = [check.pk for check in looks if check.pk in new or check.asked_at < now - FORGOTTEN]
    if unpromised:
        send(tasks.look, *unpromised)
    current = known | {check.name: check for check in looks}
    return [current[name] for name in wanted]
