"""A worker's errand that names another tenant's things does nothing to them, whichever of its ids they are.

The errands come from the registry: one without a row, and a row without one, are failures.  Each is run with all of
its ids another tenant's, and with each of them alone.
"""

from collections.abc import Iterator

import pytest
from django.core import mail

from portal.foundation import clock
from portal.foundation.outbox import registry
from portal.foundation.outbox.drain import run
from portal.foundation.outbox.models import Errand
from portal.foundation.outbox.registry import task_named
from tests.isolation.things import HERS, THEIRS
from tests.world import serving

TASKS = {
    "auth2fa.tasks.send_reset": ("person",),
    "auth2fa.tasks.tell": ("person", "=password-changed"),
    "auth2fa.tasks.warn_of_end": ("token",),
    "lifecycle.requests.notices.send_notice": ("person", "request", "=request-completed"),
    "lifecycle.requests.tasks.execute_request": ("request", "person", "authority"),
    "lifecycle.requests.tasks.look_again": ("request",),
    "lifecycle.requests.tasks.revoke_compromised": ("request", "person"),
    "lifecycle.validation.contacts.find_contacts": ("control",),
    "lifecycle.validation.contacts.send_approval": ("control",),
    "lifecycle.validation.proving.prove": ("control",),
    "lifecycle.validation.publishing.outcomes.fell_back": ("control", "way", "=dns-key"),
    "lifecycle.validation.publishing.outcomes.published": ("control",),
    "lifecycle.validation.publishing.tasks.publish": ("control",),
    "lifecycle.validation.publishing.tasks.try_way": ("way",),
    "lifecycle.validation.publishing.tasks.withdraw": ("control",),
    "lifecycle.validation.reproving.renew": (),
    "lifecycle.validation.tasks.look": ("look-up",),
    "lifecycle.validation.tasks.survey": ("survey",),
    "lifecycle.validation.warning.tell_people": ("control", "=fall-back"),
    "lifecycle.validation.warning.tell_person": ("control", "person", "=fall-back"),
    "lifecycle.validation.warning.warn": (),
    "lifecycle.validation.warning.warn_person": ("person",),
    "portal.foundation.access.tasks.send_invitation": ("invitation",),
    "portal.foundation.access.tasks.tell_of_look": ("look", "administrator"),
    "portal.notary.tasks.compare_chain": ("person", "=0", "=0"),
    "portal.notary.tasks.sign_chain": (),
    "portal.notary.tasks.verify_chain": ("person", "=0", "errand"),
}
"""The kinds of things that an errand's arguments name, or `=` and what else they say."""

ONES_OWN = {
    "execute_request", "compare_chain", "sign_chain", "verify_chain",
}  # fmt: skip
"""Errands that may do their own tenant's work although a foreign id stands among their arguments: of a person, who only
says in whose name, and of the errand that they go on from."""


OF_ACCOUNTS = {"send_reset", "tell"}
"""Errands about a person's account, which is no tenant's: the person is told, of whatever tenant the errand is, and the
mail says nothing of any."""


def ours() -> set[str]:
    return {name for name in registry._tasks if name.startswith(("portal.", "lifecycle.", "auth2fa."))}


def test_every_errand_has_a_row_and_every_row_an_errand():
    assert ours() == set(TASKS)


def calls() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each errand with the kinds of its ids that are foreign: all of them, and each alone."""
    for task, arguments in TASKS.items():
        named = tuple(kind for kind in arguments if not kind.startswith("="))
        yield task, named
        if len(named) > 1:
            yield from ((task, (kind,)) for kind in named)


@pytest.mark.parametrize(("task", "foreign"), list(calls()))
def test_an_errand_that_names_another_tenants_thing_does_nothing_to_it(stage, task, foreign):
    said = [
        kind[1:] if kind.startswith("=") else stage.things[THEIRS if kind in foreign else HERS][kind]
        for kind in TASKS[task]
    ]
    acme, due = stage.world.tenants["acme"], clock.now()
    errand = Errand(tenant_id=acme.pk, queue=task_named(task).queue, task=task, args=said, due_at=due)
    errand.save(force_insert=True)
    mail.outbox.clear()
    before = stage.traces()
    with serving(errand.queue):
        run(errand)
    after = stage.traces()
    changed = {name for name in after if after[name] != before[name]}
    theirs = {name for name in changed if isinstance(after[name], tuple) and after[name][1] != before[name][1]}
    errand.refresh_from_db()
    stage.slate.wipe()
    name = task.rpartition(".")[2]
    assert theirs == set()
    assert errand.done_at or errand.parked_at, errand.last_error
    if name in OF_ACCOUNTS:
        assert [letter.to for letter in mail.outbox] == [["hank@globex.example"]]
        assert "Acme" not in mail.outbox[0].body
        return
    assert mail.outbox == []
    if name not in ONES_OWN:
        assert changed <= {"outbox_errand"}
