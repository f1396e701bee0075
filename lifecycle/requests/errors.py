from django.utils.translation import gettext_lazy as _

from portal.foundation.errors import Conflict, Denied, Refusal


class NotYourRequest(Denied):
    code = "not-your-request"
    message = _("Only the person who began this request can change it.")
    next_step = _("You can read it here, or begin a request of your own.")


class AnotherRequestIsOpen(Conflict):
    code = "another-request-is-open"
    message = _("Another request for this certificate was submitted a moment ago; nothing was done.")
    next_step = _("Open the certificate's page to follow that request.")


class NotOffered(Refusal):
    code = "not-offered"
    message = _("There is no such kind of certificate here, or this operation is not possible for it.")
    next_step = _("Choose one of the kinds on the page “Request a certificate”.")


class AgreementChanged(Conflict):
    code = "agreement-changed"
    message = _("The subscriber agreement changed while you were reading it, so it needs your consent again.")
    next_step = _("Open the last step, read the new version and agree to it.")


class AgreementMissing(Refusal):
    """BR and S/MIME BR 9.6.3: whatever the policy says."""

    code = "agreement-missing"
    message = _(
        "Publicly trusted certificates are made only for those who agreed to a subscriber agreement, "
        "and the policy for this kind of certificate names none."
    )
    next_step = _("Ask an administrator to name the agreement in the policy.")


class OwnRequest(Denied):
    code = "own-request"
    message = _("You asked for this certificate, so somebody else has to review it.")
    next_step = _("Another reviewer finds it on the page “Requests”, narrowed to those in review.")


class AlreadyJudged(Conflict):
    code = "already-judged"
    message = _("You have approved this request already; reviews that are still missing: {missing}.")
    next_step = _("Somebody else has to review it, too.")


class CommentNeeded(Refusal):
    code = "comment-needed"
    message = _("A request is rejected with a reason only: whoever asked for it will read it.")
    next_step = _("Write what is wrong with it and what could be asked for instead.")


class StepsOpen(Conflict):
    code = "steps-open"
    message = _("This request is not finished: the step “{step}” is open.")
    next_step = _("Answer that step, and those after it.")


class StepIsAhead(Conflict):
    code = "step-is-ahead"
    message = _("This step cannot be answered yet: the step “{open}” comes first.")
    next_step = _("Answer the steps in their order.")


class SubmittedAlready(Conflict):
    code = "submitted-already"
    message = _("{number} was submitted, so its answers stay as they are.")
    next_step = _("Withdraw it if it should say something else, and begin a new one.")


class NamesStay(Conflict):
    code = "names-stay"
    message = _("This operation keeps the names of the certificate as they are, so none can be left out.")
    next_step = _("For fewer names, discard this and request a new certificate.")


class LastName(Refusal):
    code = "last-name"
    message = _("“{name}” is the last one, and the certificate has to name something.")
    next_step = _("Go back to the step “Alternative names” and write another one in its place, or discard the request.")


class NothingToConfirm(Conflict):
    code = "nothing-to-confirm"
    message = _("The policy for this request asks for no second factor.")
    next_step = _("Submit it.")


class CodeWanted(Conflict):
    code = "code-wanted"
    message = _("The policy for this request asks for a second factor, so nothing was submitted.")
    next_step = _("Ask for a code, and send it when you submit the request.")
