"""The life of a request, and of an attempt to carry it out."""

from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal.foundation.states import Machine


class State(StrEnum):
    DRAFT = "draft"
    VALIDATING = "validating"
    IN_REVIEW = "in review"
    READY = "ready"
    EXECUTING = "executing"
    COMPLETED = "completed"
    FAILED = "failed"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class Event(StrEnum):
    SUBMIT = "submit"
    PASS_VALIDATION = "pass validation"  # noqa: S105 - a word, not a secret
    APPROVE = "approve"
    REJECT = "reject"
    RECHECK = "recheck"  # what was checked grew old before it was signed
    WITHDRAW = "withdraw"
    EXECUTE = "execute"
    COMPLETE = "complete"
    FAIL = "fail"


LIFE = Machine("request", State.DRAFT, [
    (Event.SUBMIT,          [State.DRAFT],                                                     State.VALIDATING),
    (Event.PASS_VALIDATION, [State.VALIDATING],                                                State.IN_REVIEW),
    (Event.APPROVE,         [State.IN_REVIEW],                                                 State.READY),
    (Event.REJECT,          [State.IN_REVIEW],                                                 State.REJECTED),
    (Event.RECHECK,         [State.READY, State.EXECUTING],                                    State.VALIDATING),
    (Event.WITHDRAW,        [State.DRAFT, State.VALIDATING, State.IN_REVIEW, State.READY],     State.WITHDRAWN),
    (Event.EXECUTE,         [State.READY],                                                     State.EXECUTING),
    (Event.COMPLETE,        [State.EXECUTING],                                                 State.COMPLETED),
    (Event.FAIL,            [State.VALIDATING, State.READY, State.EXECUTING],                  State.FAILED),
])  # fmt: skip

OVER = frozenset({State.COMPLETED, State.FAILED, State.REJECTED, State.WITHDRAWN})
"""Nothing happens to the request any more; its certificate is free for another one."""

UNDER_WAY = frozenset(State) - OVER - {State.DRAFT}

WORDS: dict[State, tuple[str, str | Promise]] = {
    State.DRAFT: ("plain", _("Draft")),
    State.VALIDATING: ("busy", _("Checking")),
    State.IN_REVIEW: ("wait", _("In review")),
    State.READY: ("busy", _("Waiting for the authority")),
    State.EXECUTING: ("busy", _("Signing")),
    State.COMPLETED: ("good", _("Completed")),
    State.FAILED: ("bad", _("Failed")),
    State.REJECTED: ("bad", _("Rejected")),
    State.WITHDRAWN: ("plain", _("Withdrawn")),
}
"""Tone and word of each state, for people."""


class Outcome(StrEnum):
    OPEN = "open"
    SIGNED = "signed"
    ABANDONED = "abandoned"


class Verdict(StrEnum):
    DELIVER = "deliver"
    GIVE_UP = "give up"


ATTEMPT = Machine("attempt", Outcome.OPEN, [
    (Verdict.DELIVER, [Outcome.OPEN], Outcome.SIGNED),
    (Verdict.GIVE_UP, [Outcome.OPEN], Outcome.ABANDONED),
])  # fmt: skip
