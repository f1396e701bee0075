"""Defects that somebody might make tomorrow, each with the steps that show it: what the walks must be able to find."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509

from auth2fa import challenges
from lifecycle.authorities import issuance
from lifecycle.policies import rules
from lifecycle.policies.rules import Verdict
from lifecycle.requests import execution, models, notices, rechecking, reviewing
from lifecycle.requests.kinds import Kind
from lifecycle.requests.models import IssuanceAttempt
from lifecycle.requests.states import LIFE, Event, Outcome, State
from lifecycle.validation import selectors
from lifecycle.validation.caa import Reason
from portal.foundation.outbox import drain

Patch = pytest.MonkeyPatch
Step = tuple[str, *tuple[Any, ...]]

ASK: Step = ("asks_for_a_certificate", "petra", "desktop-signing", "", 3)
ASK_FOR_A_SERVER: Step = ("asks_for_a_certificate", "petra", "tls-server", "", 3)
SIGN: Step = ("signs", 0, None, "")
A_DAY: Step = ("time_goes_on", timedelta(days=1))
LEASE_OVER: Step = ("time_goes_on", timedelta(seconds=31))


def _policy(**change: Any) -> Step:
    return ("changes_a_policy", "acme", Kind.ISSUE, "desktop-signing", {"enabled": True, **change})


@dataclass(frozen=True)
class Defect:
    """What is wrong, how to make it so, and the shortest walk on which it matters."""

    name: str
    make: Callable[[Patch], None]
    steps: tuple[Step, ...]


def _no_lease(patch: Patch) -> None:
    def careless(request: Any) -> None:
        for orphan in IssuanceAttempt.objects.filter(request=request, outcome=Outcome.OPEN):
            execution._abandon(orphan)

    patch.setattr(execution, "_give_up_orphan", careless)


def _serial_on_record_afterwards(patch: Patch) -> None:
    patch.setattr(execution, "insert", lambda *_rows: None)


def _approvals_count_twice(patch: Patch) -> None:
    given = reviewing.given
    patch.setattr(reviewing, "given", lambda request: 2 * given(request))


def _withdrawn_while_it_is_signed(patch: Patch) -> None:
    patch.setitem(LIFE._targets, (State.EXECUTING, Event.WITHDRAW), State.WITHDRAWN)


def _looks_never_grow_old(patch: Patch) -> None:
    patch.setattr(selectors, "FRESH", timedelta(days=1000))


def _factor_is_not_spent(patch: Patch) -> None:
    patch.setattr(challenges, "spend", lambda *_args, **_kwargs: None)


def _no_line_for_an_approval(patch: Patch) -> None:
    record = models.record
    patch.setattr(
        models, "record", lambda *, code, **told: None if code == "request:approve" else record(code=code, **told)
    )


def _orphans_are_not_listed(patch: Patch) -> None:
    patch.setattr(execution, "_abandon", lambda attempt: attempt.settle(execution.Verdict.GIVE_UP))


def _delivery_is_not_compared(patch: Patch) -> None:
    patch.setattr(issuance, "check_delivery", lambda _linted, der, _issuer: x509.load_der_x509_certificate(der))


def _tenants_at_rest_are_served(patch: Patch) -> None:
    patch.setattr(drain, "_refuse_a_tenant_at_rest", lambda _errand: None)


def _nobody_looks_again(patch: Patch) -> None:
    send = execution.send
    patch.setattr(
        execution, "send", lambda task, *args: None if task.name == execution.LOOK_AGAIN else send(task, *args)
    )


def _no_answer_is_consent(patch: Patch) -> None:
    judged = rules.not_permitted

    def lenient(looks: Any) -> str | None:
        return judged([look for look in looks if look.verdict is not Verdict.UNREACHED])

    patch.setattr(rules, "not_permitted", lenient)
    patch.setattr(rechecking, "not_permitted", lenient)


def _nobody_is_told_of_the_end(patch: Patch) -> None:
    patch.setattr(execution, "send", lambda *_promised: None)


def _notices_come_twice(patch: Patch) -> None:
    notice = notices.Notice
    patch.setattr(notice.objects, "filter", lambda **_wanted: notice.objects.none())


DEFECTS = (
    Defect("a worker does not wait for another's lease", _no_lease, (ASK, ("signs", 0, None, "a copy"))),
    Defect("a serial is on record only afterwards", _serial_on_record_afterwards, (ASK, SIGN)),
    Defect("an approval counts twice", _approvals_count_twice, (_policy(approvals=2), ASK, ("reviews", 0, "wei", ""))),
    Defect(
        "a request is withdrawn while it is signed",
        _withdrawn_while_it_is_signed,
        (ASK, ("signs", 0, "before_signing", ""), ("withdraws", 0, None)),
    ),
    Defect("a look never grows old", _looks_never_grow_old, (ASK_FOR_A_SERVER, A_DAY, SIGN)),
    Defect("an answer of the factor is not spent", _factor_is_not_spent, (_policy(factor="email-code"), ASK)),
    Defect("a line of the journal is left out", _no_line_for_an_approval, (ASK,)),
    Defect(
        "an orphan is not put on the list",
        _orphans_are_not_listed,
        (ASK, ("signs", 0, "after_signing", ""), LEASE_OVER, SIGN),
    ),
    Defect(
        "what is delivered is not compared",
        _delivery_is_not_compared,
        (ASK, ("something_breaks", ("authority", "garbling")), SIGN),
    ),
    Defect(
        "a tenant at rest is served",
        _tenants_at_rest_are_served,
        (ASK, ("the_operator_suspends_a_tenant_or_takes_it_back", "acme"), SIGN),
    ),
    Defect("nobody promises to look again", _nobody_looks_again, (ASK_FOR_A_SERVER, A_DAY, SIGN)),
    Defect(
        "no answer of the DNS is consent",
        _no_answer_is_consent,
        (
            ASK_FOR_A_SERVER,
            A_DAY,
            ("something_breaks", ("www.acme.example", Reason.TIMED_OUT)),
            SIGN,
            ("looks_names_up", 0, None),
            SIGN,
        ),
    ),
    Defect("nobody is told of the end", _nobody_is_told_of_the_end, (ASK, SIGN)),
    Defect("a notice that is delivered again is sent again", _notices_come_twice, (
        ASK, SIGN, ("sends_mail", 0, None), ("does_again", 0, None, ""), ("does_again", 0, None, ""))),
)  # fmt: skip
