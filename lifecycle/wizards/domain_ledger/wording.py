"""Domains as pages show them: chips, sentences and facts, no decisions."""

from collections.abc import Mapping
from typing import Any

from django.utils import dateformat
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from lifecycle.validation.methods import METHODS
from lifecycle.validation.models import Domain
from lifecycle.validation.proofs import NextStep, Standing, State
from lifecycle.validation.states import ControlState
from lifecycle.wizards.presentation import Chip

Text = str | Promise

KINDS: dict[str, Text] = {"dns": gettext_lazy("Domain"), "mailbox": gettext_lazy("Mailbox")}

STATES: dict[State, tuple[str, Text]] = {
    State.PROVED: ("good", gettext_lazy("Proven")),
    State.ENDS_SOON: ("watch", gettext_lazy("Ends soon")),
    State.PENDING: ("wait", gettext_lazy("To be proven")),
    State.VERIFYING: ("busy", gettext_lazy("Looking")),
    State.NEW: ("plain", gettext_lazy("Not proven")),
    State.LAPSED: ("bad", gettext_lazy("Ended")),
    State.FAILED: ("bad", gettext_lazy("Failed")),
    State.RETIRED: ("plain", gettext_lazy("Retired")),
}

ATTEMPTS: dict[str, tuple[str, Text]] = {
    ControlState.PENDING: ("wait", gettext_lazy("Open")),
    ControlState.VERIFYING: ("busy", gettext_lazy("Looking")),
    ControlState.PROVED: ("good", gettext_lazy("Proven")),
    ControlState.FAILED: ("plain", gettext_lazy("Over")),
}

DNSSEC: dict[str, Text] = {"secure": gettext_lazy("Signed"), "insecure": gettext_lazy("Not signed")}

_NEXT: dict[NextStep, Text] = {
    NextStep.NOTHING: "",
    NextStep.BEGIN: gettext_lazy("Choose below how to prove it."),
    NextStep.PUBLISH: gettext_lazy("Publish what stands below, then press “Look now”."),
    NextStep.FOLLOW_LINK: gettext_lazy("Whoever reads the mailbox approves on the page behind the link."),
    NextStep.WAIT: gettext_lazy("There is nothing to do: the portal goes on by itself."),
    NextStep.PROVE_AGAIN: gettext_lazy("Prove it again below; until then nothing changes."),
    NextStep.REVIVE: gettext_lazy("Take it up again to prove it or to use what proved it."),
}

_NEXT_IN_LISTS: dict[NextStep, Text] = {
    NextStep.NOTHING: "",
    NextStep.BEGIN: gettext_lazy("Choose how to prove it"),
    NextStep.PUBLISH: gettext_lazy("Publish the value"),
    NextStep.FOLLOW_LINK: gettext_lazy("Approve by mail"),
    NextStep.WAIT: gettext_lazy("The portal goes on"),
    NextStep.PROVE_AGAIN: gettext_lazy("Prove it again"),
    NextStep.REVIVE: "",
}


def chip_of(standing: Standing) -> Chip:
    tone, word = STATES[standing.state]
    return Chip(tone, word)


def chip_of_attempt(state: str) -> Chip:
    tone, word = ATTEMPTS[state]
    return Chip(tone, word)


def method_title(slug: str) -> Text:
    """A method's title; one that no table has any more is named as it is."""
    return METHODS[slug].title if slug in METHODS else slug


def day(moment: Any) -> str:
    return dateformat.format(moment, pgettext("date format", "j F Y"))


def sentence_of(domain: Domain, standing: Standing) -> str:
    """How it stands, in one sentence."""
    method = standing.method.title
    match standing.state:
        case State.PROVED | State.ENDS_SOON:
            return _("Control of {name} is proven by “{method}” and may be used until {day}.").format(
                name=domain.name, method=method, day=day(standing.usable_until)
            )
        case State.PENDING | State.VERIFYING:
            return _("Control of {name} is to be proven by “{method}”.").format(
                name=domain.name, method=method_title(standing.attempt.method if standing.attempt else domain.method)
            )
        case State.LAPSED:
            return _("The proof for {name} ended on {day}, and certificates need a new one.").format(
                name=domain.name, day=day(standing.usable_until)
            )
        case State.FAILED:
            return _("The last attempt to prove control of {name} failed.").format(name=domain.name)
        case State.RETIRED:
            return _("{name} was retired: what proved it counts no more, and nobody is warned.").format(
                name=domain.name
            )
    return _("Nobody has proven control of {name} yet.").format(name=domain.name)


def next_step_in_lists(standing: Standing) -> Text:
    """The same in a few words."""
    return _NEXT_IN_LISTS[standing.next_step]


def next_step_of(standing: Standing) -> Text:
    if standing.state is State.LAPSED and standing.next_step is NextStep.PROVE_AGAIN:
        return _("Prove it again below.")
    return _NEXT[standing.next_step]


def agreement_of(quorum: Mapping[str, Any] | None) -> str:
    """How many perspectives saw the same: "5 of 5"; "" where none was asked."""
    if not quorum:
        return ""
    agreeing, dissenting = len(quorum["agreeing"]), len(quorum["dissenting"])
    return _("{agreeing} of {all}").format(agreeing=agreeing, all=agreeing + dissenting)
