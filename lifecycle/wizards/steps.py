"""The one list of steps.  A flow is this list, filtered by what the operation means and the profile asks for."""

from django.utils.translation import gettext_lazy as _

from lifecycle.requests.kinds import Names
from lifecycle.wizards.flow import Step
from lifecycle.wizards.forms import ConfirmForm, KeyForm, NamesForm, SubjectForm

STEPS = (
    Step(
        "subject",
        _("Name"),
        SubjectForm,
        "wizard/steps/subject.html",
        lambda draft: draft.meaning.names is Names.EDIT,
        heading=_("Whose certificate is it?"),
    ),
    Step(
        "names",
        _("E-mail addresses"),
        NamesForm,
        "wizard/steps/names.html",
        lambda draft: draft.meaning.names is Names.EDIT and bool(draft.profile.terms.alternative_names),
        heading=_("Which addresses is it for?"),
    ),
    Step(
        "key",
        _("Key"),
        KeyForm,
        "wizard/steps/key.html",
        lambda _draft: True,
        heading=_("The new key"),
        lead=_(
            "The certificate needs a key pair that is new. We get its certificate signing request (CSR); "
            "the private key stays with you: never paste it here."
        ),
    ),
    Step("confirm", _("Check and confirm"), ConfirmForm, "wizard/steps/confirm.html", lambda _draft: True),
)
