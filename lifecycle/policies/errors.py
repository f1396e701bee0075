"""Why a change of the rules is not saved."""

from collections.abc import Iterable

from django.utils.translation import gettext_lazy as _

from lifecycle.policies.standing import Complaint
from portal.foundation.errors import Conflict, Refusal


class PolicyUnfit(Refusal):
    """Every reason at once, so that nobody has to mend them one by one."""

    code = "policy-unfit"
    message = "{complaints}"
    next_step = _("Change what is named; nothing was saved.")

    def __init__(self, complaints: Iterable[Complaint]) -> None:
        self.complaints = tuple(complaints)
        super().__init__(complaints=" ".join(map(str, self.complaints)))


class PolicyChangedMeanwhile(Conflict):
    code = "policy-changed-meanwhile"
    message = _("Somebody else changed these policies while you were at it: {operations}. Nothing of yours was saved.")
    next_step = _("Compare their change with yours, then review and save again.")

    def __init__(self, operations: Iterable[str]) -> None:
        self.operations = tuple(operations)
        super().__init__(operations=", ".join(self.operations))


class NothingChanged(Refusal):
    code = "nothing-changed"
    message = _("Nothing would change, so there is nothing to save.")
    next_step = _("Change something first, or leave the page.")


class AgreementChangedMeanwhile(Conflict):
    code = "agreement-published-meanwhile"
    message = _(
        "Somebody else published version {version} of this agreement while you were writing. Yours was not saved."
    )
    next_step = _("Read their version, carry your changes over, then review and publish again.")


class AgreementUnfit(Refusal):
    code = "agreement-unfit"
    message = _("This text cannot be published: {why}")
    next_step = _("Change it and review it again; nothing was published.")
