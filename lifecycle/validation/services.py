"""Asking for looks at the CAA records of names.  The caller is inside `acting_for(tenant)`."""

from collections.abc import Mapping
from datetime import timedelta

from lifecycle.validation import tasks
from lifecycle.validation.caa import Terms, canonical
from lifecycle.validation.looking import opened
from lifecycle.validation.models import CaaCheck
from lifecycle.validation.selectors import is_fresh, newest, rests_until
from portal.foundation import clock
from portal.foundation.outbox.models import send

FORGOTTEN = timedelta(seconds=30)
"""After which a look that nobody answered is promised once more: its errand may lie with the operator."""


def ask(names: Mapping[str, Terms], *, by: object, about: object) -> list[CaaCheck]:
    """Have the CAA records of *names* looked at, each on its terms; return the look that counts now for each (0.R26).

    They come in the order of *names*.

    A name with a fresh look that permitted gets no new one, nor does one with a look under way, nor one whose look
    failed a moment ago (`selectors.PAUSE`).
    *about* is the request that wants to know, for the journal.
    """
    wanted = {canonical(name): terms for name, terms in names.items()}
    now = clock.now()
    known = {name: check for name, check in newest(wanted).items() if is_fresh(check, now) or rests_until(check, now)}
    looks, new = opened({name: terms for name, terms in wanted.items() if name not in known}, by=by, about=about)
    unpromised = [check.pk for check in looks if check.pk in new or check.asked_at < now - FORGOTTEN]
    if unpromised:
        send(tasks.look, *unpromised)
    current = known | {check.name: check for check in looks}
    return [current[name] for name in wanted]
