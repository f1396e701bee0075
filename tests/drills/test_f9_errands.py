"""F9 for the workers: no errand has its effect, or sends its mail, while the journal takes no lines."""

from typing import Any

import pytest
from django.core import mail

from auth2fa import tasks as account
from auth2fa.tokens import making
from auth2fa.tokens.making import Plan
from lifecycle.requests.tasks import execute_request, look_again, revoke_compromised, send_notice
from lifecycle.validation.tasks import look, tell_people, warn
from portal.foundation.access.looks import begin_look
from portal.foundation.access.models import User
from portal.foundation.access.tasks import send_invitation, tell_of_look
from portal.foundation.outbox import registry
from portal.foundation.outbox.models import send
from portal.foundation.outbox.registry import Task
from portal.foundation.tenancy.context import acting_as, acting_for
from portal.foundation.tenancy.models import Tenant
from portal.notary import promises
from portal.notary.tasks import compare_chain, sign_chain, verify_chain
from tests.drills import invariants
from tests.drills.domains import Promised, Promises, newest, of_proving, of_publishing, run_once
from tests.fakes.shut_journal import WAYS, shut
from tests.foundation.notarised import entered_key, seal
from tests.rows import everything
from tests.world import carry_out, invited, issued, submitted

pytestmark = pytest.mark.django_db

NOTES = {"outbox_errand", "outbox_heartbeat", "audit_unsealed", "authorities_crlshard"}
"""The queue's own notes, and the counter of places on the lists, of which one may stay empty."""


def _of_requests(acme: Tenant, petra: User) -> Promises:
    def requested() -> Promised:
        submitted(petra, acme)
        return Promised(newest(execute_request))

    def compromised() -> Promised:
        submitted(petra, acme, source=issued(petra, acme), use_case="compromised")
        return Promised(newest(revoke_compromised))

    def noticed() -> Promised:
        carry_out(submitted(petra, acme))
        return Promised(newest(send_notice), 1)

    return {execute_request: requested, revoke_compromised: compromised, send_notice: noticed}


def _of_people(acme: Tenant, petra: User, ada: User, olu: User) -> Promises:
    def invitation() -> Promised:
        invited(acme, ada)
        return Promised(newest(send_invitation), 1)

    def told() -> Promised:
        with acting_as(petra.pk):
            return Promised(send(account.tell, petra.pk, "password-changed"), 1)

    def forgotten() -> Promised:
        with acting_as(petra.pk):
            return Promised(send(account.send_reset, petra.pk), 1)

    def token_ends() -> Promised:
        with acting_for(acme.pk, person=petra.pk):
            plan = Plan(name="build server", scopes=["certificates:read"], days=30)
            making.make(petra.pk, plan, by=petra.pk)
        return Promised(newest(account.warn_of_end), 1)

    def looked_inside() -> Promised:
        begin_look(acme, person=olu.pk, reason="Because.", minutes=15)
        return Promised(newest(tell_of_look), 1)

    return {
        send_invitation: invitation,
        account.tell: told,
        account.send_reset: forgotten,
        account.warn_of_end: token_ends,
        tell_of_look: looked_inside,
    }


def _of_the_journal(acme: Tenant) -> Promises:
    def verified() -> Promised:
        seal()
        with acting_for(acme.pk):
            promises.ask_for_verification(by="test")
        return Promised(newest(verify_chain))

    def compared() -> Promised:
        with acting_for(acme.pk):
            return Promised(send(compare_chain, "test", 0, 0))

    return {verify_chain: verified, compare_chain: compared}


NO_LINE = {
    look: "what a name server answered is kept as it was seen; the request that relies on it has the line",
    look_again: "looks, and moves the request on with the service of every other arrow",
    warn: "promises a mail to each of the people, and each mail has its line",
    tell_people: "promises a mail to each of the people, and each mail has its line",
    sign_chain: "a checkpoint is about the journal, and stands beside it",
}


@pytest.mark.drill("F9", goal="0 effects and 0 mails without their line, 0 signatures")
@pytest.mark.parametrize("way", WAYS)
def test_no_errand_has_an_effect_that_the_journal_does_not_tell(drill, owner, world, acme, dns, hook, way, monkeypatch):
    entered_key()
    petra, ada, olu = (world.people[short] for short in ("petra", "ada", "olu"))
    issued(petra, acme)  # the key of this process is tried out once, with a signature of nothing
    made = _of_requests(acme, petra) | _of_people(acme, petra, ada, olu) | _of_the_journal(acme)
    made |= of_publishing(acme, ada) | of_proving(acme, petra, dns)
    assert set(made) | set(NO_LINE) == _every_task()
    signed: list[Any] = []
    _watch(signed, monkeypatch)
    done = 0
    for task, promise in made.items():
        promised = promise()
        mail.outbox.clear()
        signed.clear()
        hook.requests.clear()
        before = everything(owner, but=NOTES)
        with shut(owner, way):
            run_once(promised.errand)
            assert everything(owner, but=NOTES) == before, task.name
            assert (mail.outbox, signed, hook.requests) == ([], [], []), task.name
            assert promised.errand.done_at is None, task.name
            assert promised.errand.parked_at is None, promised.errand.last_error
        run_once(promised.errand)
        assert promised.errand.done_at, (task.name, promised.errand.last_error)
        assert len(mail.outbox) == promised.mails, task.name
        assert everything(owner, but=NOTES)["audit_auditevent"] != before["audit_auditevent"], task.name
        done += 1
    invariants.hold(owner)
    drill.measured(errands=done, without_their_line=0, mails_while_shut=0, signatures_while_shut=0)


def _every_task() -> set[Task]:
    """Everything that workers are promised, but for what tests register."""
    return {task for name, task in registry._tasks.items() if not name.startswith(("tests.", "test_"))}


def _watch(signed: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Note whatever the token is asked to sign."""
    from portal.foundation.token.session import Token  # noqa: PLC0415 - loads PKCS#11

    real = Token.sign
    monkeypatch.setattr(Token, "sign", lambda *args, **more: signed.append(args) or real(*args, **more))
