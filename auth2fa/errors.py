"""What sign-in and second factors refuse."""

from http import HTTPStatus

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, ngettext_lazy

from portal.foundation.access.errors import LaterPlease
from portal.foundation.errors import Conflict, Denied, Refusal


class NoSuchFactor(Exception):
    """A factor was named that the registry does not know: always a mistake in a policy or in the code."""


class CannotBeAsked(Refusal):
    code = "cannot-be-asked"
    message = _("This has to be confirmed with “{factor}”, and your account is not ready for that.")
    next_step = _("Set it up in “My account”, then come back here; what you entered stays.")


class CourierFailed(Refusal):
    code = "courier-failed"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    message = _("The code could not be sent, so nothing was confirmed.")
    next_step = _("Nothing is lost. Wait a minute and ask for a new code; if it fails again, tell an administrator.")


class ChallengeOver(Conflict):
    """One answer for a challenge that is unknown, somebody else's, lapsed, used up, or was for something else."""

    code = "challenge-over"
    message = _("This code can no longer be used: it lapsed, was tried too often, or was for something else.")
    next_step = _("Ask for a new code.")


class WrongAnswer(Refusal):
    """The factor says no; *sentence* is its own, *left* how many tries remain."""

    code = "wrong-answer"
    message = _("{sentence}")

    def __init__(self, *, sentence: str | Promise, left: int) -> None:
        super().__init__(sentence=sentence, left=left)
        self.left = left

    @property
    def advice(self) -> str:
        if not self.left:
            return str(ChallengeOver.next_step)
        return ngettext("You have {left} try left.", "You have {left} tries left.", self.left).format(left=self.left)


class CodeSentAMomentAgo(LaterPlease):
    code = "code-sent-a-moment-ago"
    message = _("A code was sent to you a moment ago; it may still be on its way.")


class TooManyCodes(LaterPlease):
    code = "too-many-codes"
    message = ngettext_lazy(
        "You were asked for a code {sends} time within an hour; more is not possible now.",
        "You were asked for a code {sends} times within an hour; more is not possible now.",
        "sends",
    )


class NotRecognised(Denied):
    """One answer for an unknown name, a wrong password and an account that is switched off."""

    code = "not-recognised"
    message = _("There is no account with this user name and password.")
    next_step = _("Check both; capital letters count in the password.")


class TooManyAttempts(LaterPlease):
    code = "too-many-attempts"
    message = _("There were too many failed attempts to sign in with this user name or from this place.")


class EnrolmentOver(Conflict):
    code = "enrolment-over"
    message = _("This authenticator is no longer waiting to be set up, or too many codes for it were wrong.")
    next_step = _("Begin again in “My account”; the entry in the app that did not work can be deleted.")


class WrongFirstCode(Refusal):
    code = "wrong-first-code"
    message = _("This is not the code that the app shows now for this account.")
    next_step = _("Check that the telephone's clock is right, wait for the next code, and enter that one.")


class TooManyEnrolments(Conflict):
    code = "too-many-enrolments"
    message = ngettext_lazy(
        "You have {most} authenticator already, and more are not kept.",
        "You have {most} authenticators already, and more are not kept.",
        "most",
    )
    next_step = _("Remove one that you no longer use.")


class WrongPassword(Denied):
    code = "wrong-password"
    message = _("This is not your password, so nothing was changed.")
    next_step = _("Enter the password that you sign in with.")


class GuardsMore(Denied):
    """One answer for a seat that is suspended and for a person with seats elsewhere: neither is told from the other."""

    code = "guards-more"
    message = _("This person's sessions and authenticators are not this organisation's alone, or they are suspended.")
    next_step = _("Nothing was changed. End a suspension first; in every other case ask the operator of this portal.")


class NotOnesOwnReset(Denied):
    code = "not-ones-own-reset"
    message = _("Nobody resets their own authenticators as an administrator.")
    next_step = _("Remove one in “My account”, or ask another administrator to reset them.")


class PasswordTooWeak(Refusal):
    code = "password-too-weak"
    message = _("{sentences}")
    next_step = _("Take a few words that do not belong together; they are easy to keep in mind.")


class LinkOver(Conflict):
    """One answer for a link that was made up, used, replaced or is too old."""

    code = "link-over"
    message = _("This link can no longer be used: it was used already, or it is too old.")
    next_step = _("Ask for a new one.")


class AccountExists(Conflict):
    code = "account-exists"
    message = _("There is an account with this address by now.")
    next_step = _("Sign in to accept the invitation.")
