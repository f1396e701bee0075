from http import HTTPStatus

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal.foundation.errors import Conflict, Refusal


class TooManySurveys(Refusal):
    code = "too-many-surveys"
    status = HTTPStatus.TOO_MANY_REQUESTS
    message = _("You asked for {most} names within a minute, and no more are looked up that fast.")
    next_step = _("Wait a minute, then ask again.")


class SurveyUnanswered(Conflict):
    code = "survey-unanswered"
    message = _("The CAA records of {name} are still being looked up.")
    next_step = _("Read the survey until it is answered, then ask again.")


class UnusableDomain(Refusal):
    code = "domain-unusable"
    message = _("“{name}” cannot be proven: {why}.")
    next_step = _("Correct the name.")


class AlreadyThere(Conflict):
    """It is the tenant's own row: whose else a domain may be is not looked up and not told."""

    code = "domain-already-there"
    message = _("{name} is among your domains already.")
    next_step = _("Open it there; if it was retired, take it up again.")


class DomainRetired(Conflict):
    code = "domain-retired"
    message = _("{name} was retired.")
    next_step = _("Take it up again first.")


class MethodNotUsable(Refusal):
    code = "method-not-usable"
    message = _("“{method}” cannot prove {name} today.")
    next_step = _("Choose one of these: {usable}.")


class ChooseMailbox(Refusal):
    code = "choose-mailbox"
    message = _("The mail that proves {name} cannot go to “{address}”.")
    next_step = _("Choose one of these: {usable}.")


class TooManyMails(Refusal):
    code = "too-many-approval-mails"
    status = HTTPStatus.TOO_MANY_REQUESTS
    message = _("{most} mails went out for {name} within a day.")
    next_step = _("Wait until one of them is a day old, or prove it in another way.")


class AttemptOver(Conflict):
    code = "attempt-over"
    message = _("This attempt to prove {name} is over.")
    next_step = _("Begin a new one.")


class DecidedByMail(Refusal):
    code = "decided-by-mail"
    message = _("{name} is proven by whoever follows the link that was sent to {address}; there is nothing to look up.")
    next_step = _("Ask them, or begin anew with another mailbox or in another way.")


class LookedAMomentAgo(Refusal):
    """Nobody's servers are asked faster through us."""

    code = "looked-a-moment-ago"
    status = HTTPStatus.TOO_MANY_REQUESTS
    message = _("{name} was looked at a moment ago.")
    next_step = _("Look again in {seconds} seconds.")


class NotAutomatic(Refusal):
    code = "not-automatic"
    message = _("“{way}” publishes no more.")
    next_step = _("Choose another way, or publish by hand.")


class ApprovalOver(Conflict):
    """The same for a link that never was, was used, ran out, or belongs to an attempt that is over."""

    code = "approval-over"
    message = _("This link leads to nothing that could still be approved.")
    next_step = _("If somebody still waits for your approval, ask them to send a new mail.")


class UnreadableLine(Refusal):
    """A line that somebody typed is no CAA record that the adviser could judge."""

    code = "unreadable-line"
    message = _("Line {number} cannot be read: {why}.")
    next_step = _('Write every record as in a zone file: example.com. CAA 0 issue "ca.example".')

    LONGEST_SHOWN = 80

    def __init__(self, number: int, why: str | Promise, **facts: object) -> None:
        shown = {name: self._printable(str(fact)) for name, fact in facts.items()}
        super().__init__(number=number, why=str(why).format(**shown))

    def _printable(self, typed: str) -> str:
        short = typed[: self.LONGEST_SHOWN]
        return "".join(sign if sign.isprintable() else f"U+{ord(sign):04X}" for sign in short)
